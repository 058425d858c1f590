//! Time blocks: planned work on a task. Each may be published as an event.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::{
    event::Transparency,
    ids::{BlockId, EventId, PlanRunId, SpaceId, TaskId, UserId},
    time::Window,
};
use crate::words;

words! {
    /// Who put a block where it is.
    BlockOrigin {
        /// The planner.
        Auto = "auto",
        /// The user, here.
        User = "user",
        /// Somebody, at the provider.
        External = "external",
    }
}

words! {
    /// Why a block may not be moved by the planner.
    BlockLock {
        /// It may.
        None = "none",
        /// The user put it there, or confirmed it.
        User = "user",
        /// Work on it has begun.
        Started = "started",
        /// It was moved at the provider, and nobody has confirmed that yet.
        External = "external",
    }
}

words! {
    /// How a block stands.
    BlockState {
        /// Offered; it is not in any calendar.
        Proposed = "proposed",
        /// In the calendar, waiting for a person's yes.
        Tentative = "tentative",
        /// In the calendar.
        Confirmed = "confirmed",
        /// Somebody works on it.
        InProgress = "in_progress",
        /// Worked, and over.
        Done = "done",
        /// Over, and nobody worked.
        Missed = "missed",
    }
}

impl BlockState {
    /// Whether the block is still to come or going on; what is over is history and is never planned again.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Tentative | Self::Confirmed | Self::InProgress)
    }
}

/// One time block. It keeps the wall time that its user saw, so that new rules of the zone move its instants, not its clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeBlock {
    /// Ours.
    pub id: BlockId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// Whose it is.
    pub user_id: UserId,
    /// What is worked on.
    pub task_id: TaskId,
    /// The event it is published as.
    pub event_id: Option<EventId>,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after it.
    pub end: DateTime<Utc>,
    /// What the user's clock shows at `start`.
    pub wall: NaiveDateTime,
    /// The zone of that clock.
    pub zone: Tz,
    /// Who put it there.
    pub origin: BlockOrigin,
    /// Why it may not be moved.
    pub lock: BlockLock,
    /// How it stands.
    pub state: BlockState,
    /// Free or busy, as somebody chose at the provider; `None`: as its slack has it.
    pub shows: Option<Transparency>,
    /// Why it is there: the planner's reason word.
    pub reason: String,
    /// The run that placed it.
    pub plan_run: Option<PlanRunId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Grows with every change: the `ETag` of the resource.
    pub version: i64,
}

impl TimeBlock {
    /// Its span of instants.
    #[must_use]
    pub fn span(&self) -> Window {
        Window { from: self.start, to: self.end }
    }
}
