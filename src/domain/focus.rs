//! Focus: somebody works on a task, and the clock runs.
//!
//! **Invariant:** only instants are stored, never a counter: what was worked follows from them, after a restart as before it.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ids::{BlockId, FocusId, SpaceId, TaskId, UserId},
    time::Window,
};
use crate::words;

words! {
    /// How a focus session stands. A user without an open one is idle.
    FocusState {
        /// The clock runs.
        Running = "running",
        /// It stands still and will go on.
        Paused = "paused",
        /// The task was finished.
        Done = "done",
        /// The focus session ended, and the task is not finished.
        Stopped = "stopped",
    }
}

/// One focus session: one user, one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Focus {
    /// Ours.
    pub id: FocusId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// Who works.
    pub user_id: UserId,
    /// On what.
    pub task_id: TaskId,
    /// The block that shows it in the calendar; `None` while something else is there.
    pub block_id: Option<BlockId>,
    /// How it stands.
    pub state: FocusState,
    /// When it came to this state; when it runs, the open segment's first instant.
    pub since: DateTime<Utc>,
    /// The segments that are over, in order, apart from each other.
    pub worked: Vec<Window>,
    /// It ran into something that does not yield, and its block was not lengthened any further.
    pub overrun: bool,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Grows with every change.
    pub version: i64,
}

impl Focus {
    /// Whether it is neither done nor stopped.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, FocusState::Running | FocusState::Paused)
    }

    /// Every segment up to `now`, the open one included.
    pub fn segments(&self, now: DateTime<Utc>) -> impl Iterator<Item = Window> + '_ {
        let open =
            (self.state == FocusState::Running && now > self.since).then_some(Window { from: self.since, to: now });
        self.worked.iter().copied().chain(open)
    }

    /// Elapsed time of all segments.
    #[must_use]
    pub fn elapsed(&self, now: DateTime<Utc>) -> Duration {
        self.segments(now).fold(Duration::zero(), |sum, segment| sum + segment.length())
    }
}
