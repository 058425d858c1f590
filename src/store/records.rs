//! Records that only the store's callers know: light keys, filters, counts, and rows without a domain type of their own.

use chrono::{DateTime, Utc};
use diesel::prelude::{Queryable, Selectable};

use super::types::Ts;
use crate::domain::{
    account::AccountStatus,
    conflict::ConflictStatus,
    ids::{AccountId, ApiKeyId, CalendarId, ConflictId, EventId, MappingId, RemoteEventId, Revision, Uid, UserId},
    mapping::Mapping,
    outbox::OutboxState,
};

/// Where an event lies in time: its first instant, and its last (exclusive; `None`: a series without end).
pub type Span = (DateTime<Utc>, Option<DateTime<Utc>>);

/// A mapping without its documents, for walking a whole calendar.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = super::schema::mappings, check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite))]
pub struct MappingKey {
    /// The mapping.
    pub id: MappingId,
    /// The local event.
    pub event_id: EventId,
    /// The remote event.
    pub remote_id: RemoteEventId,
    /// Its `UID` at the provider.
    pub uid: Uid,
    /// The remote version the base was read at.
    pub revision: Option<Revision>,
    /// We made the remote copy.
    pub created_by_us: bool,
    /// When the bond was last confirmed.
    #[diesel(deserialize_as = Ts)]
    pub updated_at: DateTime<Utc>,
}

impl From<&Mapping> for MappingKey {
    fn from(mapping: &Mapping) -> Self {
        Self {
            id: mapping.id,
            event_id: mapping.event_id,
            remote_id: mapping.remote_id.clone(),
            uid: mapping.uid.clone(),
            revision: mapping.revision.clone(),
            created_by_us: mapping.created_by_us,
            updated_at: mapping.updated_at,
        }
    }
}

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

/// A remote event that is there and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Its name at the provider.
    pub remote_id: RemoteEventId,
    /// Its version then, so that it is tried again only when it changes.
    pub revision: Option<Revision>,
    /// Its `UID`, when that much could be read.
    pub uid: Option<Uid>,
    /// Why, without any of its text.
    pub why: String,
    /// When it was last met; without a version, since when the provider has failed to hand it out.
    pub seen_at: DateTime<Utc>,
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
