//! The service does: one file per use case, each a few transactions around the engine's decisions.
//!
//! **Invariant:** gather, decide (pure), commit, act. Nothing here knows of actors or of HTTP.

pub mod api_keys;
/// Runs a transaction again, a few times, when it lost a race: PostgreSQL says so instead of waiting, and nothing of it has
/// happened.
macro_rules! again {
    ($attempt:expr) => {
        again!($attempt, $crate::service::edit_event::EditError::Store($crate::store::StoreError::Busy))
    };
    ($attempt:expr, $lost:pat) => {{
        let mut races = 0;
        loop {
            match $attempt.await {
                Err($lost) if races < $crate::service::RETRIES_MAX => races += 1,
                done => break done,
            }
        }
    }};
}

pub mod answer_hold;
pub mod change_account;
pub mod change_calendar;
pub mod connect_account;
pub mod connections;
pub mod consent;
pub mod disconnect_account;
pub mod drain_outbox;
pub mod edit_event;
pub mod explain;
pub mod hear_notifications;
pub mod keep_channels;
pub mod patch_event;
pub mod people;
pub mod planning;
pub mod promises;
pub mod read_accounts;
pub mod read_busy;
pub mod read_events;
pub mod read_history;
pub mod readiness;
pub mod refresh_credential;
pub mod repeat_request;
pub mod resolve_conflict;
pub mod restore_event;
pub mod sweep;
pub mod sync_round;

use std::sync::{Arc, OnceLock};

use url::Url;

use crate::{
    domain::{ids::AccountId, ports::World, round::Cause},
    engine::sync::brake::BrakeRules,
    provider::{ProviderError, oauth},
    store::{Store, StoreError},
    vault::KeyRing,
};
use connections::Connections;

/// What the operator chose, as far as the use cases need it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When mass deletions are held.
    pub brake: BrakeRules,
    /// Compare complete listings at least this often, in seconds.
    pub reconcile_every_s: u32,
    /// Days that rounds are kept.
    pub rounds_kept_days: u32,
    /// Days that deleted events stay restorable.
    pub deleted_kept_days: u32,
    /// Days that settled conflicts, answered proposals and changes of day are kept.
    pub conflicts_kept_days: u32,
    /// Days that notices are kept.
    pub notices_kept_days: u32,
    /// Days that audit lines are kept.
    pub audit_kept_days: u32,
    /// How we are registered with Google; `None`: we are not.
    pub google: Option<oauth::App>,
    /// Where providers send notifications; `None`: no address of ours can be reached from there, so accounts are polled.
    pub webhook: Option<Url>,
}

/// Looks again at an account, soon. Carries no data; losing one costs latency only.
pub trait Wakes: Send + Sync {
    /// Wakes an account's actor.
    fn wake(&self, account: AccountId, cause: Cause);
    /// A new account: give it an actor.
    fn adopt(&self, account: AccountId);
    /// A plan is owed to somebody, or a clock runs: look what is due.
    fn plan(&self);
}

/// Everything the use cases stand on.
pub struct Services {
    /// What is remembered.
    pub store: Store,
    /// Clock and randomness.
    pub world: World,
    /// What seals secrets.
    pub vault: Arc<KeyRing>,
    /// Open providers.
    pub connections: Connections,
    /// What the operator chose.
    pub settings: Settings,
    wakes: OnceLock<Arc<dyn Wakes>>,
    under_way: promises::UnderWay,
    proof: readiness::Proof,
}

impl Services {
    /// Puts the use cases on their feet.
    #[must_use]
    pub fn new(store: Store, world: World, vault: Arc<KeyRing>, connections: Connections, settings: Settings) -> Self {
        let under_way = promises::UnderWay::default();
        let proof = readiness::Proof::default();
        Self { store, world, vault, connections, settings, wakes: OnceLock::new(), under_way, proof }
    }

    /// Says who is woken. Without it (in the command line) nobody is: the next poll finds the work.
    pub fn set_wakes(&self, wakes: Arc<dyn Wakes>) {
        // A second caller changes nothing: there is one supervisor in a process.
        let _ = self.wakes.set(wakes);
    }

    /// Wakes one account.
    pub fn wake(&self, account: AccountId, cause: Cause) {
        if let Some(wakes) = self.wakes.get() {
            wakes.wake(account, cause);
        }
    }

    /// Tells the planner that something may be due.
    pub fn wake_planner(&self) {
        if let Some(wakes) = self.wakes.get() {
            wakes.plan();
        }
    }

    /// Wakes several accounts.
    pub fn wake_all(&self, accounts: &[AccountId], cause: Cause) {
        for account in accounts {
            self.wake(*account, cause);
        }
    }

    /// Gives a new account its actor.
    pub fn adopt(&self, account: AccountId) {
        if let Some(wakes) = self.wakes.get() {
            wakes.adopt(account);
        }
    }
}

/// Why a use case stopped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider.
    #[error(transparent)]
    Provider(ProviderError),
    /// The secrets cannot be opened.
    #[error("the account's secrets cannot be opened: {0}")]
    Vault(#[from] crate::vault::VaultError),
    /// What was asked for is not there, or not this caller's.
    #[error("there is no such {0}")]
    NotFound(&'static str),
}

/// How often a transaction that lost a race is tried again.
pub const RETRIES_MAX: u32 = 8;
/// How many queued writes of an account are looked through for one to retry.
pub const RETRY_LOOKUP_MAX: u32 = 10_000;
