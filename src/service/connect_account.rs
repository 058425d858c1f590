//! Connecting an account: the credentials are tried first, and nothing is stored unless they work.

use super::{Refusal, Services, identify_account::names};
use crate::{
    domain::{
        account::{Account, AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, Schedule, SecretKind},
        calendar::{Calendar, RemoteCalendar},
        conflict::AuditLine,
        ids::{AccountId, SpaceId, UserId},
        person::Scope,
        secret::Secret,
    },
    engine::round::calendars::new_calendar,
    provider::{
        catalogue::{ConnectedBy, facts},
        registry::AccountAccess,
    },
    store::Mode,
};

/// What a caller gives to connect an account.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Whose account it will be.
    pub user_id: UserId,
    /// The space it belongs to; the user's own without one.
    pub space_id: Option<SpaceId>,
    /// Who keeps the calendars.
    pub provider: ProviderKind,
    /// What the owner typed: a server, a calendar, or a feed.
    pub url: String,
    /// User name.
    pub username: Option<Secret>,
    /// Password or app-specific password.
    pub password: Option<Secret>,
    /// Bearer token.
    pub bearer_token: Option<Secret>,
    /// What the owner calls it.
    pub label: Option<String>,
    /// The account that takes the writes of a feed.
    pub writes_through: Option<AccountId>,
    /// Who wins a conflict.
    pub policy: Option<ConflictPolicy>,
    /// How much is sent to the provider.
    pub privacy: Option<PrivacyLevel>,
}

impl Services {
    /// Tries the credentials, lists the calendars, stores both, and owes the first round.
    pub async fn connect(
        &self,
        scope: &Scope,
        actor: &str,
        asked: Connect,
    ) -> Result<(Account, Vec<Calendar>), Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let user = tx.user(&asked.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        let space = asked.space_id.clone().unwrap_or_else(|| user.home_space.clone());
        let spaces = tx.spaces_of(&user.id).await?;
        if let Some(paired) = asked.writes_through
            && tx.account(scope, paired).await?.is_none()
        {
            return Err(Refusal::NotFound("account"));
        }
        tx.commit().await?;
        if !scope.admits(&space) || !spaces.contains(&space) {
            return Err(Refusal::NotFound("space"));
        }
        let (listed, names) = self.try_access(&asked).await?;
        let account = self.new_account(&asked, space);
        let calendars: Vec<_> = listed.iter().map(|remote| new_calendar(&account, remote, &self.world)).collect();
        let mut sealed = Vec::new();
        for (kind, secret) in secrets(&asked) {
            sealed.push(self.vault.seal(account.id, kind, &secret)?);
        }
        let connected = async || -> Result<(), Refusal> {
            let mut tx = self.begin_write().await?;
            tx.insert_account(&account).await?;
            self.identify(&mut tx, &account, &names).await?;
            tx.put_secrets(&sealed).await?;
            tx.put_calendars(&calendars).await?;
            tx.audit(&[self.audit_line(&account, actor, "account.connected")]).await?;
            tx.adopt(account.id);
            Ok(tx.commit().await?)
        };
        again!(connected())?;
        Ok((account, calendars))
    }

    /// Connects an existing account again with new credentials: mappings, cursors and queued writes stay.
    pub async fn reconnect(
        &self,
        scope: &Scope,
        actor: &str,
        id: AccountId,
        fresh: Connect,
    ) -> Result<Account, Refusal> {
        let (_, names) = self.try_access(&fresh).await?;
        again!(self.reconnect_once(scope, actor, id, &fresh, &names))
    }

    async fn reconnect_once(
        &self,
        scope: &Scope,
        actor: &str,
        id: AccountId,
        fresh: &Connect,
        names: &[String],
    ) -> Result<Account, Refusal> {
        let mut tx = self.begin_write().await?;
        let mut account = tx.connected_account(scope, id).await?.ok_or(Refusal::NotFound("account"))?;
        tx.release_identities(id).await?;
        self.identify(&mut tx, &account, names).await?;
        let mut sealed = Vec::new();
        for (kind, secret) in secrets(fresh) {
            sealed.push(self.vault.seal(id, kind, &secret)?);
        }
        tx.put_secrets(&sealed).await?;
        account.status = AccountStatus::Active;
        account.status_reason = None;
        account.failures = 0;
        account.next_round_at = Some(self.world.now());
        tx.update_account(&account).await?;
        tx.audit(&[self.audit_line(&account, actor, "account.reconnected")]).await?;
        tx.reopen(id);
        tx.commit().await?;
        Ok(account)
    }

    /// Tries what a caller gave; answers the calendars, and the names of what was reached.
    async fn try_access(&self, asked: &Connect) -> Result<(Vec<RemoteCalendar>, Vec<String>), Refusal> {
        let given = secrets(asked);
        let find = |kind| given.iter().find(|(held, _)| *held == kind).map(|(_, secret)| secret.clone());
        let facts = facts(asked.provider);
        if facts.connected_by == ConnectedBy::Consent {
            let (name, kind) = (facts.name, asked.provider);
            let why = format!("{name} is connected by its owner's consent: POST /v1/connect/{kind}/start");
            return Err(Refusal::Invalid { field: "provider", why });
        }
        let access = AccountAccess {
            kind: asked.provider,
            granted: Vec::new(),
            url: asked.url.clone(),
            username: find(SecretKind::Username),
            password: find(SecretKind::Password),
            bearer_token: find(SecretKind::BearerToken),
            access_token: find(SecretKind::AccessToken),
            feed_url: find(SecretKind::FeedUrl),
        };
        let provider = self.connections.try_out(access).map_err(Refusal::of_connecting)?;
        let listed = provider.calendars().await.map_err(Refusal::of_connecting)?;
        if listed.is_empty() {
            return Err(Refusal::Unreachable("the account has no event calendars".into()));
        }
        let names = names(&*provider, listed.iter().map(|calendar| calendar.id.clone()), asked.username.as_ref());
        Ok((listed, names))
    }

    fn new_account(&self, asked: &Connect, space_id: SpaceId) -> Account {
        let now = self.world.now();
        let host = url::Url::parse(asked.url.trim()).ok().and_then(|url| url.host_str().map(str::to_owned));
        Account {
            id: self.world.new_id(),
            space_id,
            user_id: asked.user_id.clone(),
            provider: asked.provider,
            label: asked.label.clone().or(host).unwrap_or_else(|| asked.provider.to_string()),
            url: if facts(asked.provider).connected_by == ConnectedBy::Address {
                String::new()
            } else {
                asked.url.trim().to_owned()
            },
            writes_through: asked.writes_through,
            status: AccountStatus::Active,
            status_reason: None,
            delete_copies: false,
            policy: asked.policy.unwrap_or(ConflictPolicy::ExternalWins),
            privacy: asked.privacy.unwrap_or(PrivacyLevel::Full),
            schedule: Schedule::default(),
            provider_interval_s: None,
            failures: 0,
            next_round_at: Some(now),
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    pub(super) fn audit_line(&self, account: &Account, actor: &str, action: &str) -> AuditLine {
        AuditLine {
            id: self.world.new_id(),
            space_id: Some(account.space_id.clone()),
            account_id: Some(account.id),
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: account.id.to_string(),
            detail: serde_json::json!({ "provider": account.provider }),
            at: self.world.now(),
        }
    }
}

/// The secrets of a request, by what they are for. A feed's address is one.
fn secrets(asked: &Connect) -> Vec<(SecretKind, Secret)> {
    let mut found = Vec::new();
    if facts(asked.provider).connected_by == ConnectedBy::Address {
        found.push((SecretKind::FeedUrl, Secret::new(asked.url.trim())));
    }
    for (kind, secret) in [
        (SecretKind::Username, &asked.username),
        (SecretKind::Password, &asked.password),
        (SecretKind::BearerToken, &asked.bearer_token),
    ] {
        if let Some(secret) = secret {
            found.push((kind, secret.clone()));
        }
    }
    found
}
