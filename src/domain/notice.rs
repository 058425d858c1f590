//! Notices to a person.

use chrono::{DateTime, Utc};

use super::{
    conflict::Severity,
    ids::{AccountId, EventId, NoticeId, SpaceId, UserId},
};
use crate::words;

words! {
    /// What a notice is about.
    NoticeKind {
        /// The account must be connected again.
        ReconnectRequired = "reconnect_required",
        /// A local edit is being overwritten.
        EditOverwritten = "edit_overwritten",
        /// Both sides changed; a person must decide.
        ConflictPending = "conflict_pending",
        /// A write was given up.
        WriteParked = "write_parked",
        /// Many deletions are held.
        DeletionsHeld = "deletions_held",
        /// Some remote events could not be read.
        Unreadable = "unreadable",
        /// The provider does not notify us of changes for now, so that they are found later.
        Unwatched = "unwatched",
        /// A time block was moved at its calendar, and waits for a person's yes.
        BlockMoved = "block_moved",
        /// The time for a task is up, and what comes next does not yield.
        Overrun = "overrun",
        /// A new plan waits for a person's yes.
        PlanOffered = "plan_offered",
        /// A task was carried too often to be planned once more without asking.
        TaskStale = "task_stale",
        /// The account's actor failed too often.
        Quarantined = "quarantined",
    }
}

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Ours.
    pub id: NoticeId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// Whom it is for.
    pub user_id: UserId,
    /// The account it is about.
    pub account_id: Option<AccountId>,
    /// The event it is about.
    pub event_id: Option<EventId>,
    /// What it is about.
    pub kind: NoticeKind,
    /// How much they should care.
    pub severity: Severity,
    /// Plain words.
    pub text: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When they read it.
    pub read_at: Option<DateTime<Utc>>,
}

impl Notice {
    /// A notice to a person, about no account or event in particular.
    #[must_use]
    pub fn new(
        id: NoticeId,
        (space, user): (&SpaceId, &UserId),
        (kind, severity): (NoticeKind, Severity),
        text: impl Into<String>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            space_id: space.clone(),
            user_id: user.clone(),
            account_id: None,
            event_id: None,
            kind,
            severity,
            text: text.into(),
            created_at: at,
            read_at: None,
        }
    }
}

/// So many of something, as a person reads it: "1 event", "3 events".
#[must_use]
pub fn counted(count: usize, one: &str) -> String {
    let many = if count == 1 { "" } else { "s" };
    format!("{count} {one}{many}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "event")), ["0 events", "1 event", "2 events"]);
    }
}
