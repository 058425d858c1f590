//! What the numbers of a plan stand for.

use chrono::{DateTime, Utc};

use super::make_plan::Planned;
use crate::{
    domain::ids::{AccountId, BlockId, TaskId},
    engine::scheduling::Tick,
};

impl Planned {
    /// The task of an index.
    #[must_use]
    pub fn task(&self, index: usize) -> Option<TaskId> {
        self.compiled.tasks.get(index).copied()
    }

    /// The block that may not move, by its number.
    #[must_use]
    pub fn held(&self, number: u32) -> Option<BlockId> {
        self.compiled.held.get(usize::try_from(number).ok()?).copied()
    }

    /// The account that cannot be heard, by its number.
    #[must_use]
    pub fn account(&self, number: u32) -> Option<AccountId> {
        self.unheard.get(usize::try_from(number).ok()?).copied()
    }

    /// The first instant of a tick.
    #[must_use]
    pub fn instant(&self, tick: Tick) -> DateTime<Utc> {
        self.compiled.axis.instant(tick)
    }

    /// Minutes of some ticks.
    #[must_use]
    pub fn minutes(&self, ticks: Tick) -> u32 {
        ticks.saturating_mul(self.compiled.axis.grid().minutes())
    }
}
