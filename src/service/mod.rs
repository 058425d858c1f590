//! The service does: one file per use case, each a few transactions around the engine's decisions.
//!
//! **Invariant:** gather, decide (pure), commit, act. Nothing here knows of actors or of HTTP.

pub mod api_keys;
/// Runs a transaction again, a few times, when it lost a race: PostgreSQL says so instead of waiting, and nothing of it has
/// happened. `$stale`: what else says so, of what was read before the transaction began.
macro_rules! again {
    ($attempt:expr $(, $stale:pat)?) => {{
        let mut races = 0;
        loop {
            match $attempt.await {
                Err(error) if races < $crate::service::RETRIES_MAX
                    && ($crate::service::write::MayLoseRace::is_lost_race(&error) $(|| matches!(error, $stale))?) =>
                {
                    races += 1;
                }
                done => break done,
            }
        }
    }};
}

pub mod account_work;
pub mod answer_hold;
pub mod change_account;
pub mod change_calendar;
mod check_content;
pub mod connect_account;
pub mod connections;
pub mod consent;
pub mod disconnect_account;
pub mod drain_outbox;
pub mod edit_event;
pub mod explain;
mod fixed;
pub mod hear_notifications;
mod identify_account;
pub mod keep_channels;
pub mod note_account;
pub mod offload;
pub mod open_account;
pub mod patch_event;
pub mod people;
pub mod planning;
pub mod port;
pub mod promises;
pub mod read_accounts;
pub mod read_busy;
pub mod read_events;
pub mod read_history;
pub mod readiness;
pub mod refresh_credential;
mod refusal;
pub mod repeat_request;
pub mod resolve_conflict;
pub mod restore_event;
pub mod sweep;
pub mod sync_round;
mod write;

use std::sync::{Arc, OnceLock};

pub use self::refusal::Refusal;
use crate::{
    domain::{ids::AccountId, ports::World, round::Cause},
    engine::sync::brake::BrakeRules,
    provider::oauth,
    store::Store,
    vault::KeyRing,
};
use connections::Connections;
use planning::{compute::Computing, pace::PlanPace};

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
    /// Plans that are made by themselves, for each person and minute.
    pub plans_per_minute: u32,
    /// How we are registered with Google; `None`: we are not.
    pub google: Option<oauth::App>,
    /// Where people may be sent back to after a consent.
    pub return_to: consent::ReturnHosts,
    /// Our address as providers reach it, without a slash at its end; `None`: they cannot, so accounts are polled.
    pub notified_under: Option<String>,
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
    pub connections: Arc<Connections>,
    /// Where long computations run.
    pub offload: offload::Offload,
    /// What the operator chose.
    pub settings: Arc<Settings>,
    /// Where plans are computed.
    pub computing: Computing,
    pace: Arc<PlanPace>,
    wakes: Arc<OnceLock<Arc<dyn Wakes>>>,
    under_way: Arc<promises::UnderWay>,
    proof: Arc<readiness::Proof>,
    /// The request all of this is done for, if it is one that may be repeated.
    work: Option<Arc<repeat_request::RequestWork>>,
}

impl Services {
    /// Puts the use cases on their feet.
    #[must_use]
    pub fn new(store: Store, world: World, vault: Arc<KeyRing>, connections: Connections, settings: Settings) -> Self {
        let offload = offload::Offload::new(store.blocking());
        let pace = Arc::new(PlanPace::new(settings.plans_per_minute));
        Self {
            offload,
            computing: Computing::default(),
            pace,
            store,
            world,
            vault,
            connections: Arc::new(connections),
            settings: Arc::new(settings),
            wakes: Arc::default(),
            under_way: Arc::default(),
            proof: Arc::default(),
            work: None,
        }
    }

    /// The same use cases, whose changes become durable together with the answer to a request.
    #[must_use]
    pub fn within(&self, work: &Arc<repeat_request::RequestWork>) -> Self {
        Self {
            offload: self.offload.clone(),
            computing: self.computing.clone(),
            pace: Arc::clone(&self.pace),
            store: self.store.within(&work.unit),
            world: self.world.clone(),
            vault: Arc::clone(&self.vault),
            connections: Arc::clone(&self.connections),
            settings: Arc::clone(&self.settings),
            wakes: Arc::clone(&self.wakes),
            under_way: Arc::clone(&self.under_way),
            proof: Arc::clone(&self.proof),
            work: Some(Arc::clone(work)),
        }
    }

    /// Says who is woken. Without it (in the command line) nobody is: the next poll finds the work.
    pub fn set_wakes(&self, wakes: Arc<dyn Wakes>) {
        // A second caller changes nothing: there is one supervisor in a process.
        let _ = self.wakes.set(wakes);
    }
}

/// How often a transaction that lost a race is tried again.
pub const RETRIES_MAX: u32 = 8;
/// How many queued writes of an account are looked through for one to retry.
pub const RETRY_LOOKUP_MAX: u32 = 10_000;
