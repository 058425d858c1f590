//! From a grant to an account: a new one, or one that goes on.
//!
//! **Invariant:** an account is connected again only by the person whose it is; its mappings, cursors and queued writes stay.

use super::{Connected, ConsentError};
use crate::{
    domain::{
        account::{Account, AccountStatus, ConflictPolicy, PrivacyLevel, Schedule, SealedSecret, SecretKind},
        calendar::{Calendar, Direction, RemoteCalendar},
        conflict::AuditLine,
        failure::FailureClass,
        grant::{Consent, Grant},
        ids::AccountId,
        person::Scope,
        secret::Secret,
    },
    engine::round::calendars::new_calendar,
    provider::{catalogue::facts, google::scopes, oauth, registry},
    service::{
        Services,
        identify_account::{names, subject_name},
    },
    store::Mode,
    vault::VaultError,
};

/// What a consent has brought.
struct Given<'a> {
    grant: &'a oauth::TokenGrant,
    granted: Vec<String>,
    listed: Vec<RemoteCalendar>,
    /// What the account is at its provider.
    names: Vec<String>,
}

impl Services {
    /// Lists the calendars with a grant, and stores all of it at once.
    pub(super) async fn adopt_grant(
        &self,
        consent: &Consent,
        grant: &oauth::TokenGrant,
    ) -> Result<Connected, ConsentError> {
        let granted =
            grant.scopes.clone().unwrap_or_else(|| scopes::wanted(true).iter().map(|s| (*s).to_owned()).collect());
        let allowed = scopes::allowed(&granted);
        if !allowed.list {
            return Err(ConsentError::Missing("the list of your calendars"));
        }
        if !allowed.read {
            return Err(ConsentError::Missing("your events"));
        }
        let access = registry::AccountAccess {
            access_token: Some(grant.access_token.clone()),
            granted: granted.clone(),
            ..registry::AccountAccess::to(consent.provider)
        };
        let provider = self.connections.try_out(access)?;
        let listed = provider.calendars().await?;
        if listed.is_empty() {
            return Err(ConsentError::Provider(FailureClass::Refused, "no calendars".into()));
        }
        let mut names = names(&*provider, listed.iter().map(|calendar| calendar.id.clone()), None);
        names.extend(grant.subject.as_deref().map(subject_name));
        let given = Given { grant, granted, listed, names };
        let known = match (consent.account_id, &grant.subject) {
            (Some(id), _) => Some(id),
            (None, Some(subject)) => {
                let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
                let known = tx.account_of_subject(&consent.user_id, consent.provider, subject).await?;
                tx.commit().await?;
                known
            }
            (None, None) => None,
        };
        let known = match known {
            Some(id) => id,
            None => match again!(self.connect_new(consent, &given))? {
                Ok(connected) => return Ok(connected),
                // Another consent of the same person came first: this one connects that account again.
                Err(held) => held,
            },
        };
        again!(self.connect_known(consent, known, &given))
    }

    /// Connects an account again, if it is the same person's.
    async fn connect_known(
        &self,
        consent: &Consent,
        id: AccountId,
        given: &Given<'_>,
    ) -> Result<Connected, ConsentError> {
        let Given { grant, listed, .. } = given;
        // Where another consent has just made the account, a reader may not see it yet.
        let mut tx = self.begin_write().await?;
        let account = tx.connected_account(&Scope::Whole, id).await?.ok_or(ConsentError::Unknown)?;
        let (held, calendars) = (tx.grant_of(id).await?, tx.calendars_of(id).await?);
        tx.commit().await?;
        let subject = held.as_ref().and_then(|held| held.subject.as_ref());
        let same = if let (Some(one), Some(other)) = (subject, &grant.subject) {
            one == other
        } else {
            // Without a subject the primary calendar shows whose it is.
            listed.first().is_some_and(|primary| calendars.iter().any(|calendar| calendar.remote_id == primary.id))
        };
        if !same {
            return Err(ConsentError::OtherAccount);
        }
        if grant.refresh_token.is_none() {
            self.still_lasting(account.id).await?;
        }
        self.connect_again(consent, account.id, given).await
    }

    /// Makes an account; `Err`: the user has it already.
    async fn connect_new(
        &self,
        consent: &Consent,
        given: &Given<'_>,
    ) -> Result<Result<Connected, AccountId>, ConsentError> {
        let Given { grant, granted, listed, names } = given;
        let refresh = grant.refresh_token.as_ref().ok_or(ConsentError::NotLasting)?;
        let now = self.world.now();
        let account = Account {
            id: self.world.new_id(),
            space_id: consent.space_id.clone(),
            user_id: consent.user_id.clone(),
            provider: consent.provider,
            label: listed
                .first()
                .map_or_else(|| facts(consent.provider).name.to_owned(), |calendar| calendar.name.clone()),
            url: String::new(),
            writes_through: None,
            status: AccountStatus::Active,
            status_reason: None,
            delete_copies: false,
            policy: ConflictPolicy::ExternalWins,
            privacy: PrivacyLevel::Full,
            schedule: Schedule::default(),
            provider_interval_s: None,
            failures: 0,
            next_round_at: Some(now),
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let mut calendars: Vec<_> = listed.iter().map(|remote| new_calendar(&account, remote, &self.world)).collect();
        // The primary comes first; the others are chosen by their owner.
        calendars.iter_mut().skip(1).for_each(|calendar| calendar.selected = false);
        let sealed = self.seal_tokens(account.id, &grant.access_token, Some(refresh))?;
        let row = Grant {
            account_id: account.id,
            subject: grant.subject.clone(),
            scopes: granted.join(" "),
            access_expires_at: grant.expires_at,
        };
        let mut tx = self.begin_write().await?;
        tx.insert_account(&account).await?;
        if let Some(held) = self.claim(&mut tx, &account, names).await? {
            return Ok(Err(held));
        }
        tx.put_secrets(&sealed).await?;
        tx.put_grant(&row).await?;
        tx.put_calendars(&calendars).await?;
        tx.audit(&[self.consented(&account, "account.connected", granted)]).await?;
        tx.adopt(account.id);
        tx.commit().await?;
        Ok(Ok(Connected { account: account.id, again: false, return_to: consent.return_to.clone() }))
    }

    /// The same account again: its mappings, cursors and queued writes stay.
    async fn connect_again(
        &self,
        consent: &Consent,
        id: AccountId,
        given: &Given<'_>,
    ) -> Result<Connected, ConsentError> {
        let Given { grant, granted, listed, .. } = given;
        let sealed = self.seal_tokens(id, &grant.access_token, grant.refresh_token.as_ref())?;
        // A renewal under way must not overwrite the new tokens with those of the old grant.
        let lock = self.connections.renewal(id);
        let _alone = lock.lock().await;
        let mut tx = self.begin_write().await?;
        // Meanwhile its owner may have disconnected it.
        let mut account = tx.connected_account(&Scope::Whole, id).await?.ok_or(ConsentError::Unknown)?;
        let (held, calendars) = (tx.grant_of(id).await?, tx.calendars_of(id).await?);
        tx.put_secrets(&sealed).await?;
        tx.put_calendars(&widened(held.as_ref(), granted, calendars, listed)).await?;
        tx.put_grant(&Grant {
            account_id: id,
            subject: grant.subject.clone().or_else(|| held.and_then(|held| held.subject)),
            scopes: granted.join(" "),
            access_expires_at: grant.expires_at,
        })
        .await?;
        account.status = AccountStatus::Active;
        account.status_reason = None;
        account.failures = 0;
        account.next_round_at = Some(self.world.now());
        tx.update_account(&account).await?;
        tx.audit(&[self.consented(&account, "account.reconnected", granted)]).await?;
        tx.reopen(id);
        tx.commit().await?;
        Ok(Connected { account: id, again: true, return_to: consent.return_to.clone() })
    }

    /// Without a new refresh token the account goes on with the one that is stored; where that is dead, nothing would have been
    /// connected but for an hour.
    async fn still_lasting(&self, account: AccountId) -> Result<(), ConsentError> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let secrets = tx.secrets_of(account).await?;
        tx.commit().await?;
        let sealed = secrets.iter().find(|secret| secret.kind == SecretKind::RefreshToken);
        let token = self.vault.open(sealed.ok_or(ConsentError::NotLasting)?)?;
        let app = self.app().ok_or(ConsentError::Unknown)?;
        match app.refresh(&self.connections.http(), &token, self.world.now()).await {
            Ok(_) => Ok(()),
            Err(error) if error.class == FailureClass::Unauthorised => Err(ConsentError::NotLasting),
            Err(error) => Err(error.into()),
        }
    }

    fn consented(&self, account: &Account, action: &str, granted: &[String]) -> AuditLine {
        let detail = serde_json::json!({ "provider": account.provider, "scopes": granted });
        AuditLine { detail, ..self.audit_line(account, account.user_id.as_str(), action) }
    }

    /// Tokens, sealed; a refresh token that did not come is not overwritten.
    pub(in crate::service) fn seal_tokens(
        &self,
        account: AccountId,
        access: &Secret,
        refresh: Option<&Secret>,
    ) -> Result<Vec<SealedSecret>, VaultError> {
        let mut sealed = vec![self.vault.seal(account, SecretKind::AccessToken, access)?];
        if let Some(refresh) = refresh {
            sealed.push(self.vault.seal(account, SecretKind::RefreshToken, refresh)?);
        }
        Ok(sealed)
    }
}

/// The calendars that take writes from now on: reading alone had been granted before.
fn widened(
    held: Option<&Grant>,
    granted: &[String],
    calendars: Vec<Calendar>,
    listed: &[RemoteCalendar],
) -> Vec<Calendar> {
    let before = held.is_some_and(|held| scopes::allowed(&held.granted()).write);
    if before || !scopes::allowed(granted).write {
        return Vec::new();
    }
    let takes = |calendar: &Calendar| {
        listed.iter().any(|remote| remote.id == calendar.remote_id && !remote.read_only) && calendar.read_only
    };
    let open = |mut calendar: Calendar| {
        calendar.read_only = false;
        calendar.direction = Direction::Both;
        calendar.version += 1;
        calendar
    };
    calendars.into_iter().filter(takes).map(open).collect()
}
