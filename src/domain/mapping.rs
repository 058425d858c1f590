//! Events, their remote copies, and the mapping between the two.

use chrono::{DateTime, Utc};

use super::{
    event::EventContent,
    ids::{AccountId, CalendarId, EventId, MappingId, RemoteEventId, Revision, SpaceId, Uid, UserId},
};
use crate::words;

words! {
    /// Where an event was first made.
    Origin {
        /// Through our API.
        Local = "local",
        /// At a provider.
        Remote = "remote",
    }
}

/// One local, canonical event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Ours.
    pub id: EventId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// Whose it is.
    pub user_id: UserId,
    /// Its home calendar; `None`: it lives here only.
    pub calendar_id: Option<CalendarId>,
    /// Its iCalendar identity, chosen once.
    pub uid: Uid,
    /// What it says.
    pub content: EventContent,
    /// Where it was first made.
    pub origin: Origin,
    /// Deleted softly: kept 30 days, restorable.
    pub deleted_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When a person last changed it.
    pub updated_at: DateTime<Utc>,
    /// Grows with every change: the `ETag` of the resource.
    pub version: i64,
}

impl Event {
    /// Notes that somebody has changed it now.
    pub fn touch(&mut self, now: DateTime<Utc>) {
        self.content.normalise();
        self.version += 1;
        self.updated_at = now;
    }
}

/// Event ↔ remote event in one calendar, with the last content both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Ours.
    pub id: MappingId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// The account.
    pub account_id: AccountId,
    /// The calendar.
    pub calendar_id: CalendarId,
    /// The local event.
    pub event_id: EventId,
    /// The remote event.
    pub remote_id: RemoteEventId,
    /// Its `UID` at the provider.
    pub uid: Uid,
    /// The remote version the base was read at; `None`: unknown, so read before writing.
    pub revision: Option<Revision>,
    /// The last agreed content, in the provider's canonical form.
    pub base: EventContent,
    /// The remote object's own bytes, so that what we do not model survives our writes.
    pub raw: Option<Vec<u8>>,
    /// We made the remote copy, so disconnecting may take it away again.
    pub created_by_us: bool,
    /// When the mapping was last confirmed.
    pub updated_at: DateTime<Utc>,
}

/// A mapping without its documents, for walking a whole calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// When the mapping was last confirmed.
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

/// What is left of a copy that its calendar no longer has: an event that is restored is there as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// The local event.
    pub event_id: EventId,
    /// The calendar that had the copy.
    pub calendar_id: CalendarId,
    /// Its name there.
    pub remote_id: RemoteEventId,
    /// Its `UID` there.
    pub uid: Uid,
    /// What both sides had last agreed on.
    pub base: EventContent,
    /// Its own bytes; empty: it was gone before they were read, and its name there is not known either.
    pub raw: Vec<u8>,
    /// We had made it; otherwise its owner had, and it is theirs still when it is made again.
    pub created_by_us: bool,
    /// Its owner took it out of the calendar: it is no copy of theirs until they ask for one there again.
    pub taken_out: bool,
    /// When it was found to be gone.
    pub kept_at: DateTime<Utc>,
}

impl Remains {
    /// What is left of a copy whose mapping ends because it is gone there; `None`: its bytes were never read.
    #[must_use]
    pub fn of(mapping: &Mapping, now: DateTime<Utc>) -> Option<Self> {
        Some(Self {
            event_id: mapping.event_id,
            calendar_id: mapping.calendar_id,
            remote_id: mapping.remote_id.clone(),
            uid: mapping.uid.clone(),
            base: mapping.base.clone(),
            raw: mapping.raw.clone()?,
            created_by_us: mapping.created_by_us,
            taken_out: false,
            kept_at: now,
        })
    }

    /// Whether the copy was ever read, so that its bytes and its name there are known.
    #[must_use]
    pub fn was_read(&self) -> bool {
        !self.raw.is_empty()
    }
}

/// A remote event as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteEvent {
    /// Its name at the provider.
    pub id: RemoteEventId,
    /// Its `UID`.
    pub uid: Uid,
    /// Its version stamp; `None`: the provider has none (feeds).
    pub revision: Option<Revision>,
    /// What it says.
    pub content: EventContent,
    /// Its own bytes.
    pub raw: Option<Vec<u8>>,
    /// When the provider says it last changed, for `most_recent_wins` and nothing else.
    pub changed_at: Option<DateTime<Utc>>,
}

/// What a provider gives back for content that it is given: what is compared with its copies must have that form, or they are written
/// for ever.
pub trait Canonical: Send + Sync {
    /// The content as it comes back.
    fn canonical(&self, content: &EventContent) -> EventContent;
}
