//! Column types that read alike on both databases, and the domain types that fit into them as they are.
//!
//! | here | SQLite | PostgreSQL |
//! |---|---|---|
//! | [`Instant`] | microseconds since 1970 | `timestamptz` |
//! | [`Id`] | lower-case hyphenated text | `uuid` |
//! | [`Document`] | JSON text | `json` |

use std::io::Write;

use chrono::{DateTime, TimeZone, Utc};
use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    query_builder::QueryId,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{self, SqlType},
    sqlite::Sqlite,
};
use uuid::Uuid;

use crate::domain::{
    account::{AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, SecretKind},
    block::{BlockLock, BlockOrigin, BlockState},
    calendar::Direction,
    changed::ChangedKind,
    channel::ChannelState,
    conflict::{ConflictKind, ConflictStatus, HoldState, Severity, Winner},
    context::ContextVisibility,
    event::Transparency,
    focus::FocusState,
    ids::{
        AccountId, ApiKeyId, AuditId, BlockId, CalendarId, ChannelId, ConflictId, ConsentId, ContextId, EventId,
        FocusId, HoldId, MappingId, NoticeId, OutboxId, PlanRunId, ProposalId, RemoteCalendarId, RemoteEventId,
        Revision, RolloverId, RoundId, SpaceId, SyncCursor, TaskId, Uid, UserId,
    },
    mapping::Origin,
    notice::NoticeKind,
    outbox::{OutboxState, WriteIntent, WriteOp},
    proposal::{PlanCause, ProposalState},
    round::{Cause, Outcome},
    task::{PartOfDay, Priority, TaskStatus},
};

/// An instant, to the microsecond.
#[derive(SqlType, QueryId, Debug, Clone, Copy)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Long"))]
pub struct Instant;

/// A UUID.
#[derive(SqlType, QueryId, Debug, Clone, Copy)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Text"))]
pub struct Id;

/// A JSON document, kept byte for byte.
#[derive(SqlType, QueryId, Debug, Clone, Copy)]
#[diesel(postgres_type(oid = 114, array_oid = 199))]
#[diesel(sqlite_type(name = "Text"))]
pub struct Document;

/// An instant as it is stored: what is finer than a microsecond is cut off, so that both databases agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Instant)]
pub struct Ts(pub DateTime<Utc>);

impl From<Ts> for DateTime<Utc> {
    fn from(at: Ts) -> Self {
        at.0
    }
}

impl From<DateTime<Utc>> for Ts {
    fn from(at: DateTime<Utc>) -> Self {
        Self(Utc.timestamp_micros(at.timestamp_micros()).single().unwrap_or(at))
    }
}

impl ToSql<Instant, Pg> for Ts {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<sql_types::Timestamptz, Pg>::to_sql(&self.0, &mut out.reborrow())
    }
}

impl FromSql<Instant, Pg> for Ts {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<sql_types::Timestamptz, Pg>::from_sql(value).map(Self)
    }
}

impl ToSql<Instant, Sqlite> for Ts {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.timestamp_micros());
        Ok(IsNull::No)
    }
}

impl FromSql<Instant, Sqlite> for Ts {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<sql_types::BigInt, Sqlite>>::from_sql(value)?;
        Utc.timestamp_micros(micros).single().map(Self).ok_or_else(|| "not an instant".into())
    }
}

/// A JSON document as text: neither database is asked to look into it.
#[derive(Debug, Clone, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Document)]
pub struct Json(pub String);

impl ToSql<Document, Pg> for Json {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Document, Pg> for Json {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<sql_types::Text, Pg>::from_sql(value).map(Self)
    }
}

impl ToSql<Document, Sqlite> for Json {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_str());
        Ok(IsNull::No)
    }
}

impl FromSql<Document, Sqlite> for Json {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <String as FromSql<sql_types::Text, Sqlite>>::from_sql(value).map(Self)
    }
}

/// Domain ids are columns of type [`Id`].
macro_rules! id_columns {
    ($($id:ident as $proxy:ident),+ $(,)?) => {$(
        #[derive(AsExpression, FromSqlRow)]
        #[diesel(foreign_derive, sql_type = Id)]
        #[expect(dead_code, reason = "only carries the derived implementations")]
        struct $proxy($id);

        impl ToSql<Id, Pg> for $id {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                ToSql::<sql_types::Uuid, Pg>::to_sql(&self.0, &mut out.reborrow())
            }
        }

        impl FromSql<Id, Pg> for $id {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                FromSql::<sql_types::Uuid, Pg>::from_sql(value).map(Self)
            }
        }

        impl ToSql<Id, Sqlite> for $id {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.0.hyphenated().to_string());
                Ok(IsNull::No)
            }
        }

        impl FromSql<Id, Sqlite> for $id {
            fn from_sql(mut value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                Uuid::parse_str(value.read_text()).map(Self).map_err(|_| "not a UUID".into())
            }
        }
    )+};
}

id_columns! {
    AccountId as AccountIdColumn,
    ApiKeyId as ApiKeyIdColumn,
    AuditId as AuditIdColumn,
    BlockId as BlockIdColumn,
    CalendarId as CalendarIdColumn,
    ChannelId as ChannelIdColumn,
    ConflictId as ConflictIdColumn,
    ConsentId as ConsentIdColumn,
    ContextId as ContextIdColumn,
    EventId as EventIdColumn,
    FocusId as FocusIdColumn,
    HoldId as HoldIdColumn,
    MappingId as MappingIdColumn,
    NoticeId as NoticeIdColumn,
    OutboxId as OutboxIdColumn,
    PlanRunId as PlanRunIdColumn,
    ProposalId as ProposalIdColumn,
    RolloverId as RolloverIdColumn,
    RoundId as RoundIdColumn,
    TaskId as TaskIdColumn,
}

/// Domain types that are texts, words and callers' ids are columns of type `Text`.
macro_rules! text_columns {
    ($($text:ident as $proxy:ident: |$held:ident| $read:expr),+ $(,)?) => {$(
        #[derive(AsExpression, FromSqlRow)]
        #[diesel(foreign_derive, sql_type = sql_types::Text)]
        #[expect(dead_code, reason = "only carries the derived implementations")]
        struct $proxy($text);

        impl<DB: Backend> ToSql<sql_types::Text, DB> for $text
        where
            str: ToSql<sql_types::Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                ToSql::<sql_types::Text, DB>::to_sql(self.as_str(), out)
            }
        }

        impl<DB: Backend> FromSql<sql_types::Text, DB> for $text
        where
            String: FromSql<sql_types::Text, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
                let $held = <String as FromSql<sql_types::Text, DB>>::from_sql(value)?;
                $read
            }
        }
    )+};
}

text_columns! {
    RemoteCalendarId as RemoteCalendarIdColumn: |held| Ok(Self(held)),
    RemoteEventId as RemoteEventIdColumn: |held| Ok(Self(held)),
    Revision as RevisionColumn: |held| Ok(Self(held)),
    SyncCursor as SyncCursorColumn: |held| Ok(Self(held)),
    Uid as UidColumn: |held| Ok(Self(held)),
    SpaceId as SpaceIdColumn: |held| Self::try_from(held).map_err(Into::into),
    UserId as UserIdColumn: |held| Self::try_from(held).map_err(Into::into),
    AccountStatus as AccountStatusColumn: |held| held.parse().map_err(|_| "not an account status".into()),
    BlockLock as BlockLockColumn: |held| held.parse().map_err(|_| "not a lock of a block".into()),
    BlockOrigin as BlockOriginColumn: |held| held.parse().map_err(|_| "not an origin of a block".into()),
    BlockState as BlockStateColumn: |held| held.parse().map_err(|_| "not a state of a block".into()),
    Cause as CauseColumn: |held| held.parse().map_err(|_| "not a cause of a round".into()),
    ChangedKind as ChangedKindColumn: |held| held.parse().map_err(|_| "not a kind of what changed".into()),
    ChannelState as ChannelStateColumn: |held| held.parse().map_err(|_| "not a state of a watch channel".into()),
    ConflictKind as ConflictKindColumn: |held| held.parse().map_err(|_| "not a kind of conflict".into()),
    ConflictPolicy as ConflictPolicyColumn: |held| held.parse().map_err(|_| "not a conflict policy".into()),
    ConflictStatus as ConflictStatusColumn: |held| held.parse().map_err(|_| "not a conflict status".into()),
    ContextVisibility as ContextVisibilityColumn: |held| held.parse().map_err(|_| "not a visibility of a context".into()),
    Direction as DirectionColumn: |held| held.parse().map_err(|_| "not a direction".into()),
    FocusState as FocusStateColumn: |held| held.parse().map_err(|_| "not a state of a focus".into()),
    HoldState as HoldStateColumn: |held| held.parse().map_err(|_| "not a state of a hold".into()),
    NoticeKind as NoticeKindColumn: |held| held.parse().map_err(|_| "not a kind of notice".into()),
    Origin as OriginColumn: |held| held.parse().map_err(|_| "not an origin".into()),
    Outcome as OutcomeColumn: |held| held.parse().map_err(|_| "not an outcome".into()),
    OutboxState as OutboxStateColumn: |held| held.parse().map_err(|_| "not a state of a queued write".into()),
    PartOfDay as PartOfDayColumn: |held| held.parse().map_err(|_| "not a part of the day".into()),
    PlanCause as PlanCauseColumn: |held| held.parse().map_err(|_| "not a cause of a plan".into()),
    Priority as PriorityColumn: |held| held.parse().map_err(|_| "not a priority".into()),
    PrivacyLevel as PrivacyLevelColumn: |held| held.parse().map_err(|_| "not a privacy level".into()),
    ProposalState as ProposalStateColumn: |held| held.parse().map_err(|_| "not a state of a proposal".into()),
    ProviderKind as ProviderKindColumn: |held| held.parse().map_err(|_| "not a provider".into()),
    SecretKind as SecretKindColumn: |held| held.parse().map_err(|_| "not a kind of secret".into()),
    Severity as SeverityColumn: |held| held.parse().map_err(|_| "not a severity".into()),
    TaskStatus as TaskStatusColumn: |held| held.parse().map_err(|_| "not a status of a task".into()),
    Transparency as TransparencyColumn: |held| held.parse().map_err(|_| "not free or busy".into()),
    Winner as WinnerColumn: |held| held.parse().map_err(|_| "not a winner".into()),
    WriteIntent as WriteIntentColumn: |held| held.parse().map_err(|_| "not what a write is for".into()),
    WriteOp as WriteOpColumn: |held| held.parse().map_err(|_| "not an operation".into()),
}
