//! Disagreements between the two sides, and what became of them. The loser is kept, readable and restorable.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    account::ConflictPolicy,
    event::EventContent,
    ids::{AccountId, CalendarId, ConflictId, EventId, HoldId, RemoteEventId, Revision, SpaceId},
    mapping::Mapping,
};
use crate::words;

words! {
    /// What the two sides disagreed about.
    ConflictKind {
        /// Both changed the same field.
        Edit = "edit",
        /// Deleted there, edited here.
        DeletedRemotely = "deleted_remotely",
        /// Deleted here, edited there.
        DeletedLocally = "deleted_locally",
    }
}

words! {
    /// How a conflict stands.
    ConflictStatus {
        /// A person must decide (policy `ask`).
        Pending = "pending",
        /// The policy, or a person, decided.
        Resolved = "resolved",
        /// The loser was brought back.
        Restored = "restored",
    }
}

words! {
    /// Whose version a decision kept.
    Winner {
        /// Ours.
        Local = "local",
        /// The provider's.
        Remote = "remote",
    }
}

words! {
    /// How much a person should care.
    Severity {
        /// Texts differ.
        Low = "low",
        /// Times differ.
        Normal = "normal",
        /// One side is gone, or it starts within a day.
        High = "high",
    }
}

/// One disagreement, with all three versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Ours.
    pub id: ConflictId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// The account.
    pub account_id: AccountId,
    /// The calendar.
    pub calendar_id: CalendarId,
    /// The local event.
    pub event_id: EventId,
    /// What about.
    pub kind: ConflictKind,
    /// The fields both sides changed.
    pub fields: Vec<String>,
    /// The last agreed content.
    pub base: Option<EventContent>,
    /// Ours at the time; with [`ConflictKind::DeletedLocally`], what it said when it was deleted.
    pub local: Option<EventContent>,
    /// The provider's at the time; `None`: deleted.
    pub remote: Option<EventContent>,
    /// The rule that decided.
    pub policy: ConflictPolicy,
    /// Whose version stands; `None` while pending.
    pub winner: Option<Winner>,
    /// How it stands.
    pub status: ConflictStatus,
    /// How much a person should care.
    pub severity: Severity,
    /// The decision's reason word.
    pub reason: String,
    /// When it was met.
    pub created_at: DateTime<Utc>,
    /// When it was settled.
    pub resolved_at: Option<DateTime<Utc>>,
}

impl Conflict {
    /// What a side wanted the event to say; `None`: to be gone.
    #[must_use]
    pub fn wanted_by(&self, side: Winner) -> Option<&EventContent> {
        match side {
            Winner::Local => self.local.as_ref().filter(|_| self.kind != ConflictKind::DeletedLocally),
            Winner::Remote => self.remote.as_ref(),
        }
    }
}

words! {
    /// How a hold is doing.
    HoldState {
        /// Waiting for a person.
        Held = "held",
        /// Go ahead and delete: the next round does, and the approval is used up.
        Approved = "approved",
        /// Approved, and done.
        CarriedOut = "carried_out",
        /// Keep the events; some of them are missing at their calendar still.
        Refused = "refused",
        /// Refused, and nothing of it is missing at its calendar any more, or a write to it is queued.
        Restored = "restored",
        /// What is missing is another picture by now: events came back, or more is missing, which is a hold of its own.
        Superseded = "superseded",
    }
}

words! {
    /// What has become of one held deletion.
    HeldFate {
        /// It waits for a person, or for the round that does what they said.
        Open = "open",
        /// The event is deleted here.
        Deleted = "deleted",
        /// Refused: the event stays here, and is written to its calendar as soon as that takes changes.
        Kept = "kept",
        /// Refused: the write that puts the event into its calendar again is queued.
        Restored = "restored",
        /// Its calendar shows the event again.
        Back = "back",
    }
}

words! {
    /// Why a calendar's deletions are held.
    HoldReason {
        /// The account would lose more than the allowed share.
        ShareOfAccount = "share_of_account",
        /// The calendar would lose everything.
        WholeCalendar = "whole_calendar",
        /// The picture that somebody was asked about has changed while it waited.
        HeldBefore = "held_before",
    }
}

impl HoldReason {
    /// The words that a hold keeps.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::ShareOfAccount => "more than half of the account's events would be deleted at once",
            Self::WholeCalendar => "every event of this calendar would be deleted at once",
            Self::HeldBefore => "a part of them was held before and waits for an answer",
        }
    }
}

words! {
    /// How the provider reported the deletions: what speaks for an error of its own, and what against it.
    #[derive(Default)]
    Evidence {
        /// It names each of them as deleted: somebody or something deleted them there.
        Named = "named",
        /// A complete list no longer has them.
        #[default]
        Absent = "absent",
        /// A list came back, and nothing at all was on it.
        EmptyList = "empty_list",
        /// The provider has not listed the calendar itself for a day.
        NoCalendar = "no_calendar",
    }
}

impl Evidence {
    /// The words that a hold keeps.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Named => "each of them is reported as deleted there, so somebody or some program has deleted them",
            Self::Absent => "they are missing from a list that is otherwise complete",
            Self::NoCalendar => {
                "the calendar itself is no longer listed there, so somebody has deleted it or closed it to you"
            }
            Self::EmptyList => "the list came back empty, which is often an error of the server and no deletion",
        }
    }
}

/// One deletion that was stopped: which copy, in which state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredDeletion")]
pub struct HeldDeletion {
    /// The remote event.
    pub remote_id: RemoteEventId,
    /// The event here.
    pub event_id: EventId,
    /// The version that was last read there.
    pub revision: Option<Revision>,
    /// What has become of it.
    pub fate: HeldFate,
}

impl HeldDeletion {
    /// The deletion of a copy as it was last read.
    #[must_use]
    pub fn of(copy: &Mapping) -> Self {
        Self {
            remote_id: copy.remote_id.clone(),
            event_id: copy.event_id,
            revision: copy.revision.clone(),
            fate: HeldFate::Open,
        }
    }
}

/// As stored: the first release kept the remote name alone. Such a deletion names no state, so no answer covers it.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredDeletion {
    Named(RemoteEventId),
    Whole { remote_id: RemoteEventId, event_id: EventId, revision: Option<Revision>, fate: HeldFate },
}

impl From<StoredDeletion> for HeldDeletion {
    fn from(stored: StoredDeletion) -> Self {
        match stored {
            StoredDeletion::Named(remote_id) => {
                Self { remote_id, event_id: EventId(Uuid::nil()), revision: None, fate: HeldFate::Open }
            }
            StoredDeletion::Whole { remote_id, event_id, revision, fate } => {
                Self { remote_id, event_id, revision, fate }
            }
        }
    }
}

/// Deletions that the brake stopped (I-15): exactly these, each in the state that it was judged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Ours.
    pub id: HoldId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// The account.
    pub account_id: AccountId,
    /// The calendar.
    pub calendar_id: CalendarId,
    /// What would go.
    pub removed: Vec<HeldDeletion>,
    /// How many mapped events the calendar had.
    pub mapped: u32,
    /// Why it was held.
    pub reason: String,
    /// How it is doing.
    pub state: HoldState,
    /// When it was held.
    pub created_at: DateTime<Utc>,
    /// When a person decided.
    pub decided_at: Option<DateTime<Utc>>,
}

impl Hold {
    /// How many of its deletions have come to this.
    #[must_use]
    pub fn count(&self, fate: HeldFate) -> usize {
        self.removed.iter().filter(|held| held.fate == fate).count()
    }
}

/// One line of the audit log: who did what to what. Never titles, addresses or secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Ours.
    pub id: super::ids::AuditId,
    /// The space, if any.
    pub space_id: Option<SpaceId>,
    /// The account, if any.
    pub account_id: Option<AccountId>,
    /// Who: `api_key:<id>`, `account`, `janitor`, `operator`.
    pub actor: String,
    /// What: `account.connected`, `event.updated`, …
    pub action: String,
    /// To what: the id of the thing.
    pub subject: String,
    /// Reason words and counts.
    pub detail: Value,
    /// When.
    pub at: DateTime<Utc>,
}
