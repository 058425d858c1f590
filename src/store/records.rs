//! Records that only the store's callers know: light keys, filters, counts, and rows without a domain type of their own.

use chrono::{DateTime, Utc};
use diesel::prelude::{Queryable, Selectable};

use super::types::Ts;
use crate::domain::{
    account::AccountStatus,
    conflict::ConflictStatus,
    ids::{AccountId, ApiKeyId, CalendarId, ConflictId, EventId, UserId},
    outbox::OutboxState,
    time::Window,
};

/// Where an event lies in time: its first instant, and its last (exclusive; `None`: a series without end).
pub type EventSpan = (DateTime<Utc>, Option<DateTime<Utc>>);

/// When a calendar's busy time was last read, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = super::schema::busy_reads, check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite))]
pub struct BusyRead {
    /// The calendar.
    pub calendar_id: CalendarId,
    /// When it was read.
    #[diesel(deserialize_as = Ts)]
    pub read_at: DateTime<Utc>,
    /// Busy time is known until here.
    #[diesel(deserialize_as = Ts)]
    pub until: DateTime<Utc>,
}

/// Which of a person's events are wanted: those whose span touches a window, series included.
#[derive(Clone, Copy, Debug)]
pub struct EventFilter<'a> {
    /// Whose.
    pub user: &'a UserId,
    /// The window.
    pub within: Window,
    /// Whose home is this calendar.
    pub calendar: Option<CalendarId>,
    /// Deleted ones too.
    pub include_deleted: bool,
}

impl<'a> EventFilter<'a> {
    /// Those that are not deleted.
    #[must_use]
    pub fn new(user: &'a UserId, within: Window) -> Self {
        Self { user, within, calendar: None, include_deleted: false }
    }
}

/// Which conflicts are wanted; what is `None` does not matter. Newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConflictFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// About this event.
    pub event: Option<EventId>,
    /// Of this person's accounts.
    pub user: Option<UserId>,
    /// Standing so.
    pub status: Option<ConflictStatus>,
    /// Met at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Met before this instant.
    pub to: Option<DateTime<Utc>>,
    /// Older than this one: the last of the page before.
    pub after: Option<ConflictId>,
    /// At most so many.
    pub limit: u32,
}

/// An answer kept for a repeated request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRow {
    /// Whose request.
    pub api_key_id: ApiKeyId,
    /// The caller's `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the request, so that a key used twice for different things is noticed.
    pub request_hash: Vec<u8>,
    /// The answer's HTTP status.
    pub status: u16,
    /// The answer's media type.
    pub content_type: String,
    /// The answer's body.
    pub body: Vec<u8>,
    /// When it was given.
    pub created_at: DateTime<Utc>,
    /// The answer's other headers.
    pub headers: Vec<(String, String)>,
    /// Whom it is about: it is erased with them. `None`: it may be about anybody.
    pub user_id: Option<UserId>,
}

/// How much there is of what, for the metrics. A state without rows is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accounts by status.
    pub accounts: Vec<(AccountStatus, u64)>,
    /// Queued writes by state.
    pub outbox: Vec<(OutboxState, u64)>,
    /// When the oldest write still waiting was queued.
    pub oldest_outbox: Option<DateTime<Utc>>,
    /// Conflicts that wait for a person.
    pub unresolved_conflicts: u64,
    /// Local events, deleted ones left out.
    pub events: u64,
}
