//! Open providers, one per account, kept between rounds: discovery, pace and connection pool live as long as the account.
//!
//! **Invariant:** a changed credential closes the connection ([`Connections::forget`]); a secret is opened only here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    domain::{
        account::{Account, SealedSecret, SecretKind},
        grant::Grant,
        ids::AccountId,
        ports::World,
        secret::Secret,
    },
    provider::{Provider, ProviderError, registry},
    transport::Http,
    vault::{KeyRing, VaultError},
};

/// The open providers of this process.
pub struct Connections {
    http: Arc<dyn Http>,
    world: World,
    endpoints: registry::Endpoints,
    open: Mutex<BTreeMap<AccountId, Arc<dyn Provider>>>,
    renewals: Mutex<BTreeMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Connections {
    /// None open yet.
    #[must_use]
    pub fn new(http: Arc<dyn Http>, world: World, endpoints: registry::Endpoints) -> Self {
        Self { http, world, endpoints, open: Mutex::default(), renewals: Mutex::default() }
    }

    /// Opens a provider without keeping it: to try credentials.
    pub fn try_out(&self, access: registry::AccountAccess) -> Result<Arc<dyn Provider>, ProviderError> {
        registry::open(access, &self.endpoints, Arc::clone(&self.http), &self.world)
    }

    /// The account's provider, opened with its sealed secrets on first use.
    pub fn get(
        &self,
        account: &Account,
        secrets: &[SealedSecret],
        grant: Option<&Grant>,
        vault: &KeyRing,
    ) -> Result<Arc<dyn Provider>, super::Refusal> {
        if let Some(provider) = self.lock().get(&account.id) {
            return Ok(Arc::clone(provider));
        }
        let open = |kind| -> Result<Option<Secret>, VaultError> {
            secrets.iter().find(|sealed| sealed.kind == kind).map(|sealed| vault.open(sealed)).transpose()
        };
        let access = registry::AccountAccess {
            kind: account.provider,
            url: account.url.clone(),
            username: open(SecretKind::Username)?,
            password: open(SecretKind::Password)?,
            bearer_token: open(SecretKind::BearerToken)?,
            access_token: open(SecretKind::AccessToken)?,
            granted: grant.map(Grant::granted).unwrap_or_default(),
            feed_url: open(SecretKind::FeedUrl)?,
        };
        let provider = self.try_out(access).map_err(super::Refusal::Provider)?;
        self.lock().insert(account.id, Arc::clone(&provider));
        Ok(provider)
    }

    /// The port, for what is asked of a provider before or beside an account, at an address that no user chose.
    pub fn http(&self) -> Arc<dyn Http> {
        Arc::clone(self.endpoints.http.as_ref().unwrap_or(&self.http))
    }

    /// Held while an account's access token is renewed.
    pub(super) fn renewal(&self, account: AccountId) -> Arc<tokio::sync::Mutex<()>> {
        let mut held = self.renewals.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits for a lock that only this map holds.
        held.retain(|id, lock| *id == account || Arc::strong_count(lock) > 1);
        Arc::clone(held.entry(account).or_default())
    }

    /// Closes an account's provider: its credential changed, or it is going.
    pub fn forget(&self, account: AccountId) {
        self.lock().remove(&account);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<AccountId, Arc<dyn Provider>>> {
        // The map is valid after a panic elsewhere: every operation on it is a single step.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
