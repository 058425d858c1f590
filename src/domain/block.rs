//! Time blocks: planned work on a task. Each may be published as an event.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::{
    event::Transparency,
    ids::{BlockId, EventId, PlanRunId, SpaceId, TaskId, UserId},
    task::Task,
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

/// How a new block comes to be where it is.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Who puts it there.
    pub origin: BlockOrigin,
    /// Why it may not be moved.
    pub lock: BlockLock,
    /// How it stands.
    pub state: BlockState,
    /// Why it is there.
    pub reason: String,
}

impl TimeBlock {
    /// A new block of a task, as its user's clock shows it.
    #[must_use]
    pub fn new(id: BlockId, task: &Task, zone: Tz, span: Window, placed: Placed, now: DateTime<Utc>) -> Self {
        let Placed { origin, lock, state, reason } = placed;
        Self {
            id,
            space_id: task.space_id.clone(),
            user_id: task.user_id.clone(),
            task_id: task.id,
            event_id: None,
            start: span.from,
            end: span.to,
            wall: span.from.with_timezone(&zone).naive_local(),
            zone,
            origin,
            lock,
            state,
            shows: None,
            reason,
            plan_run: None,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// It lies here now, on the instants and on its user's clock.
    pub fn move_to(&mut self, span: Window) {
        (self.start, self.end) = (span.from, span.to);
        self.wall = span.from.with_timezone(&self.zone).naive_local();
    }

    /// It was changed.
    pub fn touch(&mut self, now: DateTime<Utc>) {
        (self.updated_at, self.version) = (now, self.version + 1);
    }

    /// Its span of instants.
    #[must_use]
    pub fn span(&self) -> Window {
        Window { from: self.start, to: self.end }
    }
}
