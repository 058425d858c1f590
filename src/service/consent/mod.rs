//! Connecting by consent: a person is sent to their provider, comes back with a code, and the account is there.
//!
//! - **state**: what comes back from the provider; it finds the consent, once.
//! - **cookie**: state and proof key, sealed; only the browser that was sent has it.
//! - **ticket**: lets one browser fetch its cookie when the consent was begun by a backend, once its person has seen whose
//!   account it will be and goes on.
//!
//! Beginning stores a consent (hashes of its state and ticket, and the cookie, sealed) and answers where to send the person. A
//! browser that was not given the cookie asks for it with the ticket: a page says whose account it will be, and the first browser
//! whose person goes on gets the cookie. The browser comes back with state, code and cookie; the consent is taken out of the store,
//! the code is exchanged with the proof key from the cookie, the calendars are listed, and one transaction stores account, tokens,
//! grant and calendars and owes the first round. The account's names (`identify_account.rs`) are unique for each user: the second
//! of two consents of one person connects the first one's account again.
//!
//! **Invariant:** without the cookie of the very consent that the state names, nothing is asked of the provider and nothing
//! is stored. Whatever the outcome, the consent is spent.

mod adopt;
mod return_to;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

pub use return_to::ReturnHosts;

use super::{Services, write::MayLoseRace};
use crate::{
    domain::{
        account::{ProviderKind, SealedSecret, SecretKind},
        failure::FailureClass,
        grant::{Access, Consent},
        ids::{AccountId, ConsentId, SpaceId, UserId},
        person::Scope,
        secret::Secret,
    },
    provider::{google::scopes, oauth},
    service::Refusal,
    store::{Mode, StoreError},
};

/// How long a person may take.
pub const GOOD_FOR: Duration = Duration::minutes(15);

/// What a caller asks for.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Whose account it will be.
    pub user_id: UserId,
    /// The space it belongs to; the user's own without one.
    pub space_id: Option<SpaceId>,
    /// How much access.
    pub access: Access,
    /// The account that is connected again, or given more access.
    pub account_id: Option<AccountId>,
    /// Where the person goes afterwards.
    pub return_to: Option<String>,
}

/// A consent that has begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Where the person's browser is sent.
    pub authorization_url: String,
    /// What that browser must bring back.
    pub cookie: String,
    /// Whether the cookie travels over TLS alone.
    pub secure: bool,
    /// Where a browser without the cookie gets it, and goes on.
    pub browser_url: String,
    /// When it is too late.
    pub expires_at: DateTime<Utc>,
}

/// What a person is asked who follows a link.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Whose account it will be.
    pub name: String,
    /// Whether it is there and is connected again.
    pub again: bool,
    /// What shows that a browser was asked before it goes on: it is given with the page and comes back with the answer.
    pub proof: String,
    /// Whether cookies travel over TLS alone.
    pub secure: bool,
    /// Where the person goes on to.
    pub goes_to: Url,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct ConsentReturn {
    /// `state`.
    pub state: String,
    /// `code`, when the person agreed.
    pub code: Option<Secret>,
    /// `error`, when they did not.
    pub error: Option<String>,
    /// What the browser's cookie holds.
    pub cookie: Option<String>,
}

/// How a consent ended well.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The account.
    pub account: AccountId,
    /// Whether it was there before.
    pub again: bool,
    /// Where the person goes now.
    pub return_to: Option<String>,
}

/// Why nothing was connected, in words for the person. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// No such consent is under way in this browser.
    #[error("This link has expired or was used before. Go back and start again.")]
    Unknown,
    /// The person said no.
    #[error("You did not allow access, so nothing was connected. You can start again whenever you like.")]
    Denied,
    /// A part was not allowed that is needed.
    #[error(
        "Access to {0} was not allowed, and without it your calendars cannot be kept in step. Start again and leave it ticked."
    )]
    Missing(&'static str),
    /// The provider gave no lasting access.
    #[error("The provider gave no lasting access. Start again and allow access once more.")]
    NotLasting,
    /// Somebody else's account was chosen.
    #[error("You chose another account than the one that is connected here. Start again and choose the same account.")]
    OtherAccount,
    /// Something failed at the provider.
    #[error("Your calendars could not be reached. Try again in a few minutes.")]
    Provider(FailureClass, String),
    /// Something failed here.
    #[error("Something went wrong on our side. Try again in a few minutes.")]
    Failed(String),
    /// The database failed, or lost a race.
    #[error("Something went wrong on our side. Try again in a few minutes.")]
    Store(#[from] StoreError),
}

impl MayLoseRace for ConsentError {
    fn is_lost_race(&self) -> bool {
        matches!(self, Self::Store(StoreError::Busy))
    }
}

impl ConsentError {
    /// In one word, for the product that the person goes back to.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "expired",
            Self::Denied => "access_denied",
            Self::Missing(_) => "scopes_missing",
            Self::NotLasting => "no_lasting_access",
            Self::OtherAccount => "other_account",
            Self::Provider(..) => "provider_unreachable",
            Self::Failed(_) | Self::Store(_) => "failed",
        }
    }
}

/// How a consent ended ill.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Unconnected {
    /// Why.
    pub why: ConsentError,
    /// Where the person goes now; known only where the consent was proven to be this browser's.
    pub return_to: Option<String>,
}

macro_rules! ours {
    ($($kind:ty),+) => {$(
        impl From<$kind> for ConsentError {
            fn from(error: $kind) -> Self {
                Self::Failed(error.to_string())
            }
        }
    )+};
}
ours!(crate::vault::VaultError);

impl From<crate::provider::ProviderError> for ConsentError {
    fn from(error: crate::provider::ProviderError) -> Self {
        Self::Provider(error.class, error.detail)
    }
}

impl Services {
    fn app(&self) -> Option<&oauth::App> {
        self.settings.google.as_ref()
    }

    /// Begins a consent.
    pub async fn begin_consent(&self, scope: &Scope, asked: Begin) -> Result<Begun, Refusal> {
        if let Some(wanted) = &asked.return_to {
            let refused = |why| Refusal::Invalid { field: "return_to", why };
            self.settings.return_to.check(wanted).map_err(refused)?;
        }
        let mut tx = self.begin_write().await?;
        let user = tx.user(&asked.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        let space = asked.space_id.unwrap_or_else(|| user.home_space.clone());
        if !scope.admits(&space) || !tx.spaces_of(&user.id).await?.contains(&space) {
            return Err(Refusal::NotFound("space"));
        }
        let mut held = Vec::new();
        if let Some(id) = asked.account_id {
            let account = tx.account(scope, id).await?.filter(|account| account.user_id == user.id);
            let account = account.filter(|account| account.provider == ProviderKind::Google);
            account.ok_or(Refusal::NotFound("account"))?;
            held = tx.grant_of(id).await?.map(|grant| grant.granted()).unwrap_or_default();
        }
        let app = self.app().ok_or_else(|| Refusal::Invalid {
            field: "provider",
            why: "Google is not set up here: set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET".into(),
        })?;
        let wanted = scopes::wanted(asked.access == Access::Write);
        // More access asks for what is missing alone; connecting again asks for all of it.
        let missing: Vec<_> =
            wanted.iter().copied().filter(|scope| !held.iter().any(|granted| granted == scope)).collect();
        let wanted = if held.is_empty() || missing.is_empty() { wanted } else { missing };
        let (state, verifier, ticket) = (self.random_text(), Secret::new(self.random_text()), self.random_text());
        let id: ConsentId = self.world.new_id();
        let consent =
            oauth::ConsentRequest { state: &state, verifier: &verifier, scopes: &wanted, extra: scopes::EXTRA };
        let url = app.authorization_url(&consent);
        let cookie = self.seal_cookie(id, &state, &verifier)?;
        let now = self.world.now();
        let row = Consent {
            id,
            state_hash: hash(&state),
            ticket_hash: hash(&ticket),
            cookie,
            url: url.to_string(),
            provider: ProviderKind::Google,
            space_id: space,
            user_id: user.id,
            account_id: asked.account_id,
            return_to: asked.return_to,
            created_at: now,
        };
        tx.sweep_consents(now - GOOD_FOR).await?;
        tx.put_consent(&row).await?;
        tx.commit().await?;
        Ok(begun(app, row, &ticket))
    }

    /// What a person with a ticket is asked. The ticket stays good: whoever looks through a link has used nothing up.
    pub async fn invitation(&self, ticket: &str) -> Result<Invitation, ConsentError> {
        let app = self.app().ok_or(ConsentError::Unknown)?;
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let found = tx.consent_by_ticket(&hash(ticket)).await?.filter(|consent| self.is_fresh(consent));
        let consent = found.ok_or(ConsentError::Unknown)?;
        let user = tx.user(&consent.user_id).await?.ok_or(ConsentError::Unknown)?;
        tx.commit().await?;
        Ok(Invitation {
            name: if user.name.trim().is_empty() { user.id.to_string() } else { user.name },
            again: consent.account_id.is_some(),
            proof: URL_SAFE_NO_PAD.encode(hash(&format!("shown to {ticket}"))),
            secure: app.redirect_uri.scheme() == "https",
            goes_to: app.auth_url.clone(),
        })
    }

    /// What a browser gets in exchange for a ticket: its cookie, and where to go. A ticket is exchanged once.
    pub async fn exchange_ticket(&self, ticket: &str) -> Result<Begun, ConsentError> {
        again!(self.try_exchange_ticket(ticket))
    }

    async fn try_exchange_ticket(&self, ticket: &str) -> Result<Begun, ConsentError> {
        let app = self.app().ok_or(ConsentError::Unknown)?;
        let mut tx = self.begin_write().await?;
        let found = tx.use_ticket(&hash(ticket)).await?.filter(|consent| self.is_fresh(consent));
        tx.commit().await?;
        found.map(|consent| begun(app, consent, ticket)).ok_or(ConsentError::Unknown)
    }

    fn is_fresh(&self, consent: &Consent) -> bool {
        self.world.now() - consent.created_at < GOOD_FOR
    }

    /// Ends a consent: exchanges the code, lists the calendars, and stores all of it at once.
    pub async fn finish_consent(&self, provider: ProviderKind, back: ConsentReturn) -> Result<Connected, Unconnected> {
        let recognised = self.recognise(provider, &back).await;
        let (consent, verifier) = recognised.map_err(|why| Unconnected { why, return_to: None })?;
        let done = self.conclude(&consent, &verifier, &back).await;
        done.map_err(|why| Unconnected { why, return_to: consent.return_to })
    }

    async fn conclude(
        &self,
        consent: &Consent,
        verifier: &Secret,
        back: &ConsentReturn,
    ) -> Result<Connected, ConsentError> {
        let app = self.app().ok_or_else(|| ConsentError::Failed("Google is not set up".into()))?;
        if let Some(error) = &back.error {
            return Err(if error == "access_denied" {
                ConsentError::Denied
            } else {
                ConsentError::Provider(FailureClass::Refused, "the consent ended with an error".into())
            });
        }
        let code = back.code.as_ref().ok_or(ConsentError::Unknown)?;
        let http = self.connections.http();
        let grant = app.exchange(&http, code, verifier, self.world.now()).await?;
        let done = self.adopt_grant(consent, &grant).await;
        if matches!(done, Err(ConsentError::Missing(_))) && !self.stands_elsewhere(&grant).await? {
            // What cannot be used is not kept by the provider either.
            let token = grant.refresh_token.as_ref().unwrap_or(&grant.access_token);
            if let Err(error) = app.revoke(&http, token).await {
                tracing::warn!(class = %error.class, "a grant that is not used could not be ended");
            }
        }
        done
    }

    /// Whether an account stands on this person's grant already: at the provider the two are one.
    async fn stands_elsewhere(&self, grant: &oauth::TokenGrant) -> Result<bool, ConsentError> {
        let Some(subject) = &grant.subject else { return Ok(true) };
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let shared = tx.shares_grant(AccountId(uuid::Uuid::nil()), subject).await?;
        tx.commit().await?;
        Ok(shared)
    }

    /// The consent that a state names, if this is its browser; it is spent.
    async fn recognise(&self, provider: ProviderKind, back: &ConsentReturn) -> Result<(Consent, Secret), ConsentError> {
        let opened = back.cookie.as_deref().and_then(|cookie| self.open_cookie(cookie));
        let Some((id, state, verifier)) = opened else { return Err(ConsentError::Unknown) };
        if !bool::from(state.expose().as_bytes().ct_eq(back.state.as_bytes())) {
            return Err(ConsentError::Unknown);
        }
        let mut tx = self.begin_write().await?;
        let consent = tx.take_consent(&hash(&back.state)).await?;
        tx.commit().await?;
        let good = |consent: &Consent| {
            consent.id == id && consent.provider == provider && self.world.now() - consent.created_at < GOOD_FOR
        };
        consent.filter(good).map(|consent| (consent, verifier)).ok_or(ConsentError::Unknown)
    }

    /// 256 random bits.
    pub(in crate::service) fn random_text(&self) -> String {
        let mut bytes = [0; 32];
        self.world.random.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn seal_cookie(&self, id: ConsentId, state: &str, verifier: &Secret) -> Result<String, crate::vault::VaultError> {
        let text = Secret::new(format!("{state}.{}", verifier.expose()));
        let sealed = self.vault.seal(AccountId(id.0), SecretKind::Consent, &text)?;
        Ok(format!("{id}.{}.{}", sealed.key_id, URL_SAFE_NO_PAD.encode(sealed.sealed)))
    }

    fn open_cookie(&self, cookie: &str) -> Option<(ConsentId, Secret, Secret)> {
        let mut pieces = cookie.splitn(3, '.');
        let (id, key_id, sealed) = (pieces.next()?, pieces.next()?, pieces.next()?);
        let id: ConsentId = id.parse().ok()?;
        let row = SealedSecret {
            account_id: AccountId(id.0),
            kind: SecretKind::Consent,
            key_id: key_id.to_owned(),
            sealed: URL_SAFE_NO_PAD.decode(sealed).ok()?,
        };
        let text = self.vault.open(&row).ok()?;
        let (state, verifier) = text.expose().split_once('.')?;
        Some((id, Secret::new(state), Secret::new(verifier)))
    }
}

fn begun(app: &oauth::App, consent: Consent, ticket: &str) -> Begun {
    // Beside the callback: the cookie must reach both.
    let mut browser_url = app.redirect_uri.clone();
    if let Ok(mut path) = browser_url.path_segments_mut() {
        path.pop().push("begin");
    }
    browser_url.set_query(Some(&format!("ticket={ticket}")));
    Begun {
        authorization_url: consent.url,
        cookie: consent.cookie,
        secure: app.redirect_uri.scheme() == "https",
        browser_url: browser_url.into(),
        expires_at: consent.created_at + GOOD_FOR,
    }
}

fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}
