//! Renewing an access token ahead of its end, or after a refusal.
//!
//! **Invariant:** at most one renewal of an account is under way; whoever comes meanwhile gets its result. New tokens are
//! durable before they are used, and a refresh token is never overwritten with nothing.

use std::sync::Arc;

use chrono::Duration;

use super::{Refusal, Services};
use crate::{
    domain::{account::SecretKind, failure::FailureClass, grant::Grant, ids::AccountId, person::Scope},
    engine::account::RefreshEnd,
    provider::ProviderError,
    store::Mode,
};

/// A token that ends within this time is not used any more.
const TOO_SHORT: Duration = Duration::seconds(30);

impl Services {
    /// Renews the account's access token.
    pub async fn refresh_credential(&self, id: AccountId) -> RefreshEnd {
        match self.renew(id, None).await {
            Ok(grant) => {
                metrics::counter!("calwarden_token_refreshes_total", "outcome" => "ok").increment(1);
                RefreshEnd::Done { expires: grant.and_then(|grant| grant.access_expires_at) }
            }
            Err(Refusal::Provider(error)) if error.class == FailureClass::Unauthorised => {
                metrics::counter!("calwarden_token_refreshes_total", "outcome" => "refused").increment(1);
                RefreshEnd::Refused
            }
            Err(failure) => {
                metrics::counter!("calwarden_token_refreshes_total", "outcome" => "failed").increment(1);
                tracing::warn!(account.id = %id, error = %failure, "an access token could not be renewed");
                RefreshEnd::Failed
            }
        }
    }

    /// Sees to it that the stored access token is good for a while: for work that runs outside the account's actor.
    pub async fn ensure_fresh(&self, id: AccountId, grant: &Grant) -> Result<(), Refusal> {
        if grant.access_expires_at.is_none_or(|at| at - self.world.now() > TOO_SHORT) {
            return Ok(());
        }
        self.renew(id, Some(TOO_SHORT)).await.map(drop)
    }

    /// `unless`: nothing is done when the token turns out to be good for longer than this.
    async fn renew(&self, id: AccountId, unless: Option<Duration>) -> Result<Option<Grant>, Refusal> {
        let lock = self.connections.renewal(id);
        let _alone = lock.lock().await;
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let grant = tx.grant_of(id).await?;
        let secrets = tx.secrets_of(id).await?;
        tx.commit().await?;
        let Some(grant) = grant else { return Ok(None) };
        let now = self.world.now();
        if unless.is_some_and(|least| grant.access_expires_at.is_none_or(|at| at - now > least)) {
            return Ok(Some(grant));
        }
        let refused = |words: &str| Refusal::Provider(ProviderError::new(FailureClass::Unauthorised, words));
        let app = self.settings.google.as_ref().ok_or_else(|| {
            Refusal::Provider(ProviderError::new(
                FailureClass::Refused,
                "Google is not set up here: set GOOGLE_CLIENT_ID",
            ))
        })?;
        let sealed = secrets.iter().find(|secret| secret.kind == SecretKind::RefreshToken);
        let refresh = self.vault.open(sealed.ok_or_else(|| refused("there is no lasting access to this account"))?)?;
        let http: Arc<_> = self.connections.http();
        let fresh = app.refresh(&http, &refresh, now).await.map_err(Refusal::Provider)?;
        let sealed = self.seal_tokens(id, &fresh.access_token, fresh.refresh_token.as_ref())?;
        let scopes = fresh.scopes.map_or_else(|| grant.scopes.clone(), |scopes| scopes.join(" "));
        let grant = Grant { access_expires_at: fresh.expires_at, scopes, ..grant };
        let mut tx = self.begin_write().await?;
        tx.put_secrets(&sealed).await?;
        tx.put_grant(&grant).await?;
        tx.commit().await?;
        self.connections.forget(id);
        Ok(Some(grant))
    }

    /// Ends the grant at the provider: best effort, for one that is down must not hold anybody. A person's grant is one for all
    /// accounts that they connected with it, so it is left while another stands on it.
    pub(super) async fn revoke_grant(&self, id: AccountId) -> Result<(), Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let secrets = tx.secrets_of(id).await?;
        let shared = match tx.grant_of(id).await?.and_then(|grant| grant.subject) {
            Some(subject) => tx.shares_grant(id, &subject).await?,
            None => false,
        };
        tx.commit().await?;
        if shared {
            return Ok(());
        }
        let sealed = secrets.iter().find(|secret| secret.kind == SecretKind::RefreshToken);
        let (Some(app), Some(sealed)) = (self.settings.google.as_ref(), sealed) else { return Ok(()) };
        let token = self.vault.open(sealed)?;
        if let Err(error) = app.revoke(&self.connections.http(), &token).await {
            tracing::warn!(account.id = %id, class = %error.class, "the grant could not be ended at the provider");
        }
        Ok(())
    }
}
