//! Rows: a domain record field by field, each field in a type that a column can hold.
//!
//! **Invariant:** a row goes to its record and back without loss, or fails as [`StoreError::Corrupt`] and names the column.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::StoreError,
    records::IdempotencyRow,
    schema::{
        accounts, api_keys, audit, calendars, conflicts, events, holds, idempotency_keys, mappings, notices, outbox,
        rounds, secrets, spaces, unreadable, users,
    },
    types::{Json, Ts},
};
use crate::domain::{
    account::{Account, AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, SealedSecret, SecretKind},
    calendar::{Calendar, Direction},
    conflict::{AuditLine, Conflict, ConflictKind, ConflictStatus, Hold, HoldState, Severity, Winner},
    ids::{
        AccountId, ApiKeyId, AuditId, CalendarId, ConflictId, EventId, HoldId, MappingId, NoticeId, OutboxId,
        RemoteCalendarId, RemoteEventId, Revision, RoundId, SpaceId, SyncCursor, Uid, UserId,
    },
    mapping::{Event, Mapping, Origin},
    notice::{Notice, NoticeKind},
    outbox::{OutboxEntry, OutboxState, WriteOp},
    person::{ApiKey, Space, User},
    round::{Cause, Outcome, Round},
};

/// A column's value for a domain field of type `D`.
pub trait Column<D>: Sized {
    /// What is stored.
    fn of(field: &D) -> Result<Self, StoreError>;
    /// What was meant; `column` is named in the error.
    fn read(self, column: &'static str) -> Result<D, StoreError>;
}

fn corrupt(column: &'static str, why: &str) -> StoreError {
    StoreError::Corrupt(format!("{column} {why}"))
}

/// Types that are stored as they are.
macro_rules! as_it_is {
    ($($plain:ty),+ $(,)?) => {$(
        impl Column<Self> for $plain {
            fn of(field: &Self) -> Result<Self, StoreError> {
                Ok(field.clone())
            }
            fn read(self, _column: &'static str) -> Result<Self, StoreError> {
                Ok(self)
            }
        }
    )+};
}

as_it_is! {
    bool, i64, String, Vec<u8>,
    AccountId, ApiKeyId, AuditId, CalendarId, ConflictId, EventId, HoldId, MappingId, NoticeId, OutboxId, RoundId,
    SpaceId, UserId, RemoteCalendarId, RemoteEventId, Revision, SyncCursor, Uid,
    AccountStatus, Cause, ConflictKind, ConflictPolicy, ConflictStatus, Direction, HoldState, NoticeKind, Origin,
    Outcome, OutboxState, PrivacyLevel, ProviderKind, SecretKind, Severity, Winner, WriteOp,
}

impl<D, C: Column<D>> Column<Option<D>> for Option<C> {
    fn of(field: &Option<D>) -> Result<Self, StoreError> {
        field.as_ref().map(C::of).transpose()
    }
    fn read(self, column: &'static str) -> Result<Option<D>, StoreError> {
        self.map(|held| held.read(column)).transpose()
    }
}

impl Column<DateTime<Utc>> for Ts {
    fn of(field: &DateTime<Utc>) -> Result<Self, StoreError> {
        Ok(Self::from(*field))
    }
    fn read(self, _column: &'static str) -> Result<DateTime<Utc>, StoreError> {
        Ok(self.0)
    }
}

/// Unsigned numbers, which neither database has.
macro_rules! as_big_int {
    ($($unsigned:ty),+) => {$(
        impl Column<$unsigned> for i64 {
            fn of(field: &$unsigned) -> Result<Self, StoreError> {
                Ok(Self::from(*field))
            }
            fn read(self, column: &'static str) -> Result<$unsigned, StoreError> {
                self.try_into().map_err(|_| corrupt(column, "is out of range"))
            }
        }
    )+};
}

as_big_int!(u8, u16, u32);

impl Column<Tz> for String {
    fn of(field: &Tz) -> Result<Self, StoreError> {
        Ok(field.name().to_owned())
    }
    fn read(self, column: &'static str) -> Result<Tz, StoreError> {
        self.parse().map_err(|_| corrupt(column, "is no time zone"))
    }
}

impl<D: Serialize + DeserializeOwned> Column<D> for Json {
    fn of(field: &D) -> Result<Self, StoreError> {
        serde_json::to_string(field).map(Self).map_err(|error| StoreError::Backend(error.to_string()))
    }
    fn read(self, column: &'static str) -> Result<D, StoreError> {
        // serde's own words may quote the value, which may be someone's title.
        serde_json::from_str(&self.0)
            .map_err(|error| corrupt(column, &format!("is not the document we write, from byte {}", error.column())))
    }
}

/// A row of a table that holds a domain record, one column per field.
macro_rules! row {
    ($(#[$meta:meta])* $row:ident is $record:ident in $table:ident ($($key:ident),+) {
        $($field:ident: $column:ty),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Queryable, Selectable, Insertable, AsChangeset)]
        #[diesel(
            table_name = $table,
            primary_key($($key),+),
            treat_none_as_null = true,
            treat_none_as_default_value = false,
            check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite),
        )]
        pub struct $row {
            $(pub $field: $column,)+
        }

        impl $row {
            /// The row of a record.
            pub fn of(record: &$record) -> Result<Self, StoreError> {
                Ok(Self { $($field: Column::of(&record.$field)?,)+ })
            }

            /// The record in a row.
            pub fn read(self) -> Result<$record, StoreError> {
                Ok($record {
                    $($field: self.$field.read(concat!(stringify!($table), ".", stringify!($field)))?,)+
                })
            }
        }
    };
}

row! {
    /// A household, team or tenant.
    SpaceRow is Space in spaces (id) { id: SpaceId, name: String, created_at: Ts }
}

row! {
    /// A person.
    UserRow is User in users (id) {
        id: UserId,
        name: String,
        time_zone: String,
        working_hours: Json,
        home_space: SpaceId,
        created_at: Ts,
        version: i64,
    }
}

row! {
    /// A connected account.
    AccountRow is Account in accounts (id) {
        id: AccountId,
        space_id: SpaceId,
        user_id: UserId,
        provider: ProviderKind,
        label: String,
        url: String,
        writes_through: Option<AccountId>,
        status: AccountStatus,
        status_reason: Option<String>,
        policy: ConflictPolicy,
        privacy: PrivacyLevel,
        schedule: Json,
        provider_interval_s: Option<i64>,
        failures: i64,
        next_round_at: Option<Ts>,
        created_at: Ts,
        updated_at: Ts,
        version: i64,
    }
}

row! {
    /// A sealed secret.
    SecretRow is SealedSecret in secrets (account_id, kind) {
        account_id: AccountId,
        kind: SecretKind,
        key_id: String,
        sealed: Vec<u8>,
    }
}

row! {
    /// A calendar of an account.
    CalendarRow is Calendar in calendars (id) {
        id: CalendarId,
        account_id: AccountId,
        space_id: SpaceId,
        remote_id: RemoteCalendarId,
        name: String,
        color: Option<String>,
        time_zone: Option<String>,
        read_only: bool,
        selected: bool,
        direction: Direction,
        cursor: Option<SyncCursor>,
        stamp: Option<String>,
        reconciled_at: Option<Ts>,
        gone_at: Option<Ts>,
        last_error: Option<String>,
        version: i64,
    }
}

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
    /// The bond between an event and its remote copy.
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
    /// A round.
    RoundRow is Round in rounds (id) {
        id: RoundId,
        space_id: SpaceId,
        account_id: AccountId,
        cause: Cause,
        started_at: Ts,
        finished_at: Option<Ts>,
        outcome: Option<Outcome>,
        tally: Json,
        note: Option<String>,
    }
}

row! {
    /// A conflict.
    ConflictRow is Conflict in conflicts (id) {
        id: ConflictId,
        space_id: SpaceId,
        account_id: AccountId,
        calendar_id: CalendarId,
        event_id: EventId,
        kind: ConflictKind,
        fields: Json,
        base: Option<Json>,
        local: Option<Json>,
        remote: Option<Json>,
        policy: ConflictPolicy,
        winner: Option<Winner>,
        status: ConflictStatus,
        severity: Severity,
        reason: String,
        created_at: Ts,
        resolved_at: Option<Ts>,
    }
}

row! {
    /// Held deletions.
    HoldRow is Hold in holds (id) {
        id: HoldId,
        space_id: SpaceId,
        account_id: AccountId,
        calendar_id: CalendarId,
        removed: Json,
        mapped: i64,
        reason: String,
        state: HoldState,
        created_at: Ts,
        decided_at: Option<Ts>,
    }
}

row! {
    /// A notice.
    NoticeRow is Notice in notices (id) {
        id: NoticeId,
        space_id: SpaceId,
        user_id: UserId,
        account_id: Option<AccountId>,
        event_id: Option<EventId>,
        kind: NoticeKind,
        severity: Severity,
        text: String,
        created_at: Ts,
        read_at: Option<Ts>,
    }
}

row! {
    /// A line of the audit log.
    AuditRow is AuditLine in audit (id) {
        id: AuditId,
        space_id: Option<SpaceId>,
        account_id: Option<AccountId>,
        actor: String,
        action: String,
        subject: String,
        detail: Json,
        at: Ts,
    }
}

row! {
    /// An API key.
    ApiKeyRow is ApiKey in api_keys (id) {
        id: ApiKeyId,
        name: String,
        hash: Vec<u8>,
        scopes: Json,
        created_at: Ts,
        expires_at: Option<Ts>,
        revoked_at: Option<Ts>,
    }
}

row! {
    /// An answer kept for a repeated request.
    IdempotencyKeyRow is IdempotencyRow in idempotency_keys (api_key_id, key) {
        api_key_id: ApiKeyId,
        key: String,
        request_hash: Vec<u8>,
        status: i64,
        content_type: String,
        body: Vec<u8>,
        created_at: Ts,
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
