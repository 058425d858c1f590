//! One pass of sync of an account, as the sync log remembers it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{AccountId, RoundId, SpaceId};
use crate::words;

words! {
    /// Why a round ran. A wake carries no data: every cause runs the same round.
    Cause {
        /// The account was just connected.
        Connected = "connected",
        /// Its own timer.
        Poll = "poll",
        /// A person or an API call asked.
        Requested = "requested",
        /// A local edit is waiting to go out.
        LocalEdit = "local_edit",
        /// The process started.
        Started = "started",
        /// A provider's notification.
        Notified = "notified",
        /// An earlier round failed.
        Retry = "retry",
    }
}

words! {
    /// How a round ended.
    Outcome {
        /// All of it was done.
        Ok = "ok",
        /// Some calendars or events failed, the others went on.
        Partial = "partial",
        /// Deletions are held for a person.
        Held = "held",
        /// It failed and will be retried.
        Failed = "failed",
        /// The credential was refused.
        Unauthorised = "unauthorised",
    }
}

/// What a round did, in numbers. Inbound and outbound together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Events created, here or there.
    pub created: u32,
    /// Events changed, here or there.
    pub updated: u32,
    /// Events deleted, here or there.
    pub deleted: u32,
    /// Conflicts met.
    pub conflicts: u32,
    /// Remote events that could not be read; nothing here was changed for that.
    pub unreadable: u32,
    /// Deletions held by the brake.
    pub held: u32,
    /// Writes sent to the provider.
    pub writes: u32,
    /// Requests made to the provider.
    pub requests: u32,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.created += more.created;
        self.updated += more.updated;
        self.deleted += more.deleted;
        self.conflicts += more.conflicts;
        self.unreadable += more.unreadable;
        self.held += more.held;
        self.writes += more.writes;
        self.requests += more.requests;
    }
}

/// One round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Ours.
    pub id: RoundId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// The account.
    pub account_id: AccountId,
    /// Why it ran.
    pub cause: Cause,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None`: still running, or the process died.
    pub finished_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What it did.
    pub tally: Tally,
    /// Why it failed or what was skipped, in words for the owner.
    pub note: Option<String>,
}

/// How far a running round has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Events handled.
    pub done: u32,
    /// Events expected, once known.
    pub total: Option<u32>,
}
