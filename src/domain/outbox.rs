//! Writes that are owed to a provider.

use chrono::{DateTime, Utc};

use super::{
    event::EventContent,
    ids::{AccountId, CalendarId, EventId, OutboxId, SpaceId, Uid},
};
use crate::words;

words! {
    /// What is to be done there.
    WriteOp {
        /// Make the remote copy.
        Create = "create",
        /// Bring it to our content.
        Update = "update",
        /// Take it away.
        Delete = "delete",
    }
}

words! {
    /// What a queued write is for.
    WriteIntent {
        /// The copy follows its event.
        Follow = "follow",
        /// The copy leaves its calendar, while its event lives on. This stands whatever is decided about the copy meanwhile, and ends
        /// when the copy has gone.
        Withdraw = "withdraw",
    }
}

words! {
    /// How a queued write stands.
    OutboxState {
        /// It will be tried when `not_before` has come.
        Queued = "queued",
        /// It will not be tried again unless a person asks.
        Parked = "parked",
    }
}

/// How many unconfirmed contents an entry remembers; the oldest is forgotten first.
pub const SENT_MAX: usize = 4;

/// One queued write; at most one per event and calendar, later edits join it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Ours.
    pub id: OutboxId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// The account that drains it.
    pub account_id: AccountId,
    /// The calendar written to.
    pub calendar_id: CalendarId,
    /// The local event.
    pub event_id: EventId,
    /// What is to be done.
    pub op: WriteOp,
    /// What for.
    pub intent: WriteIntent,
    /// The `UID` chosen for a create, so that a second attempt meets the first (I-11).
    pub key: Uid,
    /// What was sent and never confirmed, stored *before* sending: when the provider says any of it, that is our own write
    /// come back (a lost answer, or one that was applied late), never somebody's edit. At most [`SENT_MAX`].
    pub sent: Vec<EventContent>,
    /// 1 (first) … 7.
    pub priority: u8,
    /// How it stands.
    pub state: OutboxState,
    /// Attempts made.
    pub attempts: u32,
    /// Not before this instant.
    pub not_before: DateTime<Utc>,
    /// The local version at fault or at hand when it was queued.
    pub event_version: i64,
    /// Why it was queued: the same word as in plan, audit and log.
    pub reason: String,
    /// Why the last attempt failed, in words for the owner.
    pub last_error: Option<String>,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
}

impl OutboxEntry {
    /// Whether it takes a copy out of a calendar while its event lives on.
    #[must_use]
    pub fn withdraws(&self) -> bool {
        self.intent == WriteIntent::Withdraw
    }

    /// What was just sent was refused, so it did not arrive; `before`: what had been sent when it was.
    pub fn refused(&mut self, content: &EventContent, before: &[EventContent]) {
        if !before.contains(content) {
            self.sent.retain(|held| held != content);
        }
    }

    /// Notes what is about to be sent.
    pub fn about_to_send(&mut self, content: EventContent) {
        if !self.sent.contains(&content) {
            if self.sent.len() >= SENT_MAX {
                self.sent.remove(0);
            }
            self.sent.push(content);
        }
        self.attempts += 1;
    }
}
