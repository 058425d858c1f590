//! Events, their mappings, and what is owed or unreadable.

use diesel::prelude::*;

use super::{Column, StoreError};
use crate::{
    domain::{
        ids::{AccountId, CalendarId, EventId, MappingId, OutboxId, RemoteEventId, Revision, SpaceId, Uid, UserId},
        mapping::{Event, Mapping, MappingKey, Origin, Remains},
        outbox::{OutboxEntry, OutboxState, WriteIntent, WriteOp},
    },
    store::{
        schema::{events, mappings, outbox, remains, unreadable},
        types::{Json, Ts},
    },
};

row! {
    /// A local event, without its place in time.
    EventRow is Event in events (id) {
        id: EventId,
        space_id: SpaceId,
        user_id: UserId,
        calendar_id: Option<CalendarId>,
        uid: Uid,
        content: Json,
        origin: Origin,
        deleted_at: Option<Ts>,
        created_at: Ts,
        updated_at: Ts,
        version: i64,
    }
}

/// A local event with its place in time, as it is written.
#[derive(Clone, Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
pub struct PlacedEventRow {
    /// The event.
    #[diesel(embed)]
    pub event: EventRow,
    /// First instant.
    pub starts_at: Ts,
    /// Last instant, exclusive; `None`: without end.
    pub ends_at: Option<Ts>,
    /// Whether it repeats.
    pub recurring: bool,
}

row! {
    /// The mapping between an event and its remote copy.
    MappingRow is Mapping in mappings (id) {
        id: MappingId,
        space_id: SpaceId,
        account_id: AccountId,
        calendar_id: CalendarId,
        event_id: EventId,
        remote_id: RemoteEventId,
        uid: Uid,
        revision: Option<Revision>,
        base: Json,
        raw: Option<Vec<u8>>,
        created_by_us: bool,
        updated_at: Ts,
    }
}

row! {
    /// A queued write.
    OutboxRow is OutboxEntry in outbox (id) {
        id: OutboxId,
        space_id: SpaceId,
        account_id: AccountId,
        calendar_id: CalendarId,
        event_id: EventId,
        op: WriteOp,
        intent: WriteIntent,
        key: Uid,
        sent: Json,
        priority: i64,
        state: OutboxState,
        attempts: i64,
        not_before: Ts,
        event_version: i64,
        reason: String,
        last_error: Option<String>,
        created_at: Ts,
    }
}

row! {
    /// What is left of a copy.
    RemainsRow is Remains in remains (event_id, calendar_id) {
        event_id: EventId,
        calendar_id: CalendarId,
        remote_id: RemoteEventId,
        uid: Uid,
        base: Json,
        raw: Vec<u8>,
        created_by_us: bool,
        taken_out: bool,
        kept_at: Ts,
    }
}

row! {
    /// The same without its documents, for reading a whole calendar.
    MappingKeyRow is MappingKey in mappings (id) {
        id: MappingId,
        event_id: EventId,
        remote_id: RemoteEventId,
        uid: Uid,
        revision: Option<Revision>,
        created_by_us: bool,
        updated_at: Ts,
    }
}

/// A remote event that could not be read.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(
    table_name = unreadable,
    treat_none_as_default_value = false,
    check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite),
)]
pub struct UnreadableEntry {
    /// The calendar.
    pub calendar_id: CalendarId,
    /// Its name there.
    pub remote_id: RemoteEventId,
    /// Its version then.
    pub revision: Option<Revision>,
    /// Its `UID`, when that much could be read.
    pub uid: Option<Uid>,
    /// Why.
    pub why: String,
    /// When.
    pub seen_at: Ts,
}
