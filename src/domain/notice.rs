//! Notices to a person.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    conflict::{ConflictKind, Evidence, HoldReason, Severity},
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

/// What a notice says, and of what: the counts, names and reasons that a sentence about it needs. Who shows it has the sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "subject", rename_all = "snake_case")]
pub enum NoticeSubject {
    /// The account's provider no longer lets us in.
    ReconnectRequired,
    /// Both sides changed an event, and the provider's version stands.
    EditOverwritten {
        /// What each side did.
        conflict: ConflictKind,
    },
    /// Both sides changed an event, and nobody has decided yet.
    ConflictPending,
    /// A change could not be sent, and waits until somebody has it tried again.
    WriteParked {
        /// The reason, as the provider or the queue gives it.
        why: String,
    },
    /// Deletions wait for an answer.
    DeletionsHeld {
        /// How many events would go.
        events: usize,
        /// Why they are held.
        reason: HoldReason,
        /// How they were reported.
        evidence: Evidence,
    },
    /// Held deletions were refused.
    DeletionsRefused {
        /// How many events stay.
        kept: usize,
        /// They are written to their calendar again; else it takes no changes from here, and they are only here.
        written_back: bool,
    },
    /// The provider does not notify us of changes.
    Unwatched,
    /// A time block was moved at its calendar.
    BlockMoved,
    /// The time for a task is up.
    Overrun,
    /// A plan waits for a yes.
    PlanOffered {
        /// How many changes of time blocks it has.
        changes: usize,
    },
    /// Tasks were carried too often.
    TaskStale,
    /// The account's actor failed too often.
    Quarantined,
    /// Something that was put into words when it was noted.
    Plain {
        /// What it is about.
        kind: NoticeKind,
        /// The words.
        text: String,
    },
    /// Something that this program does not know.
    Unknown {
        /// What it is about, in a word that this program may not know either.
        kind: String,
        /// How it is stored.
        stored: String,
    },
}

impl NoticeSubject {
    /// What it is about, in one word: a [`NoticeKind`], but for what this program does not know.
    #[must_use]
    pub fn kind(&self) -> &str {
        let known = match self {
            Self::ReconnectRequired => NoticeKind::ReconnectRequired,
            Self::EditOverwritten { .. } => NoticeKind::EditOverwritten,
            Self::ConflictPending => NoticeKind::ConflictPending,
            Self::WriteParked { .. } => NoticeKind::WriteParked,
            Self::DeletionsHeld { .. } | Self::DeletionsRefused { .. } => NoticeKind::DeletionsHeld,
            Self::Unwatched => NoticeKind::Unwatched,
            Self::BlockMoved => NoticeKind::BlockMoved,
            Self::Overrun => NoticeKind::Overrun,
            Self::PlanOffered { .. } => NoticeKind::PlanOffered,
            Self::TaskStale => NoticeKind::TaskStale,
            Self::Quarantined => NoticeKind::Quarantined,
            Self::Plain { kind, .. } => *kind,
            Self::Unknown { kind, .. } => return kind,
        };
        known.as_str()
    }

    /// What is stored of a notice of this kind. Nothing that is stored is refused: a notice that another version of this program has
    /// made must not hide those around it.
    #[must_use]
    pub fn from_stored(kind: String, stored: String) -> Self {
        let known = serde_json::from_str(&stored).ok().filter(|known: &Self| known.kind() == kind);
        known.unwrap_or(Self::Unknown { kind, stored })
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
    /// What it says.
    pub subject: NoticeSubject,
    /// How much they should care.
    pub severity: Severity,
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
        (subject, severity): (NoticeSubject, Severity),
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            space_id: space.clone(),
            user_id: user.clone(),
            account_id: None,
            event_id: None,
            subject,
            severity,
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
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "event")), ["0 events", "1 event", "2 events"]);
    }

    #[test]
    fn what_another_version_has_stored_is_kept_as_it_is() {
        let of_kind = |kind: &str, stored: &str| NoticeSubject::from_stored(kind.to_owned(), stored.to_owned());
        let read = |stored: &str| of_kind("write_parked", stored);
        let why = || "full".to_owned();
        assert_eq!(read(r#"{"subject":"write_parked","why":"full"}"#), NoticeSubject::WriteParked { why: why() });
        assert_eq!(
            read(r#"{"subject":"write_parked","why":"full","at":1}"#),
            NoticeSubject::WriteParked { why: why() }
        );
        for stored in ["", "{", "[]", "{}", "null", r#"{"subject":"write_parked"}"#, r#"{"subject":"news"}"#] {
            let unknown = NoticeSubject::Unknown { kind: "write_parked".to_owned(), stored: stored.to_owned() };
            assert_eq!(read(stored), unknown);
        }
        let other = read(r#"{"subject":"plain","kind":"overrun","text":"It is late."}"#);
        assert!(matches!(&other, NoticeSubject::Unknown { .. }), "it is of another kind than its row: {other:?}");
        let news = of_kind("news", r#"{"subject":"plain","kind":"news","text":"Look."}"#);
        assert!(matches!(&news, NoticeSubject::Unknown { .. }) && news.kind() == "news", "{news:?}");
    }
}
