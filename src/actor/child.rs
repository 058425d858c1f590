//! One account's place at its supervisor.

use std::{collections::VecDeque, time::Duration};

use actix::SpawnHandle;
use tokio::time::Instant;

use super::{account::ActorLine, run::WorkSlots};
use crate::domain::round::Cause;

/// The longest wait before a fallen actor is rebuilt, and before a store that failed is asked again.
pub(super) const REBUILD_WAIT_MAX: Duration = Duration::from_secs(30);

/// One account's place here.
pub(super) struct Child {
    pub(super) stage: Stage,
    /// Which building of it this is; recognises late news from its predecessors.
    pub(super) generation: u64,
    /// The census that was running, or last ran, when it was taken in.
    pub(super) since_census: u64,
    pub(super) slots: WorkSlots,
    pub(super) owed: Option<Cause>,
    /// When it failed, within the intensity's window.
    pub(super) failures: VecDeque<Instant>,
    /// Loads failed in a row: the store's fault, so they never lead to quarantine.
    pub(super) loads_failed: u32,
    /// Something was chosen while the store was being read: read it again.
    pub(super) reload: bool,
    /// An operator resumed it: what the store says of quarantine is over.
    pub(super) released: bool,
}

pub(super) enum Stage {
    /// It is built when this alarm rings.
    Waiting(SpawnHandle),
    /// The store is being read.
    Loading,
    /// It runs.
    Up(ActorLine),
    /// It failed too often.
    Quarantined,
}

impl Child {
    /// One just taken in.
    pub(super) fn new(since_census: u64, owed: Option<Cause>) -> Self {
        Self {
            stage: Stage::Loading,
            generation: 0,
            since_census,
            slots: WorkSlots::default(),
            owed,
            failures: VecDeque::new(),
            loads_failed: 0,
            reload: false,
            released: false,
        }
    }

    /// Counts a failure; how many there were within the window.
    pub(super) fn failed(&mut self, window: Duration) -> u32 {
        let now = Instant::now();
        self.failures.retain(|at| now.duration_since(*at) < window);
        self.failures.push_back(now);
        u32::try_from(self.failures.len()).unwrap_or(u32::MAX)
    }
}

/// Doubles from a second with each failure.
pub(super) fn rebuild_wait(failures: u32) -> Duration {
    Duration::from_secs(1).saturating_mul(1 << failures.saturating_sub(1).min(16)).min(REBUILD_WAIT_MAX)
}
