//! What changed, of all that a person can see, in the order in which it became durable.
//!
//! Times and counts that each round moves are no change: when an account is next due, how often it failed, its list of rounds.

use chrono::{DateTime, Utc};

use super::ids::{SpaceId, UserId};
use crate::words;

words! {
    /// What kind of thing changed.
    ChangedKind {
        /// A person.
        User = "user",
        /// How a person wants to be planned.
        PlanningRules = "planning_rules",
        /// A connected account.
        Account = "account",
        /// A calendar.
        Calendar = "calendar",
        /// An event.
        Event = "event",
        /// A context.
        Context = "context",
        /// A task.
        Task = "task",
        /// A time block.
        Block = "block",
        /// A plan that was offered.
        Proposal = "proposal",
        /// A focus session.
        Focus = "focus",
        /// A change of day.
        Rollover = "rollover",
        /// A conflict.
        Conflict = "conflict",
        /// A held deletion.
        Hold = "hold",
        /// A notice.
        Notice = "notice",
    }
}

/// A position in the order of all changes: the number of a change. The default lies before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangePlace(pub i64);

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its position in the order.
    pub place: ChangePlace,
    /// The space of what changed.
    pub space_id: SpaceId,
    /// Whose it is.
    pub user_id: UserId,
    /// What kind of thing.
    pub kind: ChangedKind,
    /// Its id, as text: the ids of people are not UUIDs.
    pub id: String,
    /// Its version after the change; `None`: such things have none.
    pub version: Option<i64>,
    /// It is deleted, or no longer there.
    pub deleted: bool,
    /// When, by the clock of the database.
    pub at: DateTime<Utc>,
}
