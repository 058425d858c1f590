//! Rows: a domain record field by field, each field in a type that a column can hold.
//!
//! **Invariant:** a row goes to its record and back without loss, or fails as [`StoreError::Corrupt`] and names the column.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::StoreError,
    types::{Json, Ts},
};
use crate::domain::{
    account::{AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, SecretKind},
    block::{BlockLock, BlockOrigin, BlockState},
    calendar::Direction,
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
    outbox::{OutboxState, WriteIntent, WriteOp},
    proposal::{Fingerprint, PlanCause, ProposalState},
    round::{Cause, Outcome},
    task::{PartOfDay, Priority, TaskStatus},
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
    AccountId, ApiKeyId, AuditId, BlockId, CalendarId, ChannelId, ConflictId, ConsentId, ContextId, EventId, FocusId, HoldId,
    MappingId, NoticeId, OutboxId, PlanRunId, ProposalId, RolloverId, RoundId, TaskId,
    SpaceId, UserId, RemoteCalendarId, RemoteEventId, Revision, SyncCursor, Uid,
    AccountStatus, BlockLock, BlockOrigin, BlockState, Cause, ChannelState, ConflictKind, ConflictPolicy, ConflictStatus,
    ContextVisibility, Direction, FocusState, HoldState, Origin, Outcome, OutboxState, PartOfDay, PlanCause, Priority,
    PrivacyLevel, ProposalState, ProviderKind, SecretKind, Severity, TaskStatus, Transparency, Winner, WriteIntent, WriteOp,
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

/// A date, as text that sorts like it: a date that became an instant would be another day in another zone.
impl Column<NaiveDate> for String {
    fn of(field: &NaiveDate) -> Result<Self, StoreError> {
        Ok(field.to_string())
    }
    fn read(self, column: &'static str) -> Result<NaiveDate, StoreError> {
        self.parse().map_err(|_| corrupt(column, "is no date"))
    }
}

/// What a clock showed, in no zone.
impl Column<NaiveDateTime> for String {
    fn of(field: &NaiveDateTime) -> Result<Self, StoreError> {
        Ok(field.format("%Y-%m-%dT%H:%M:%S%.f").to_string())
    }
    fn read(self, column: &'static str) -> Result<NaiveDateTime, StoreError> {
        self.parse().map_err(|_| corrupt(column, "is no wall time"))
    }
}

impl Column<Fingerprint> for Vec<u8> {
    fn of(field: &Fingerprint) -> Result<Self, StoreError> {
        Ok(field.0.to_vec())
    }
    fn read(self, column: &'static str) -> Result<Fingerprint, StoreError> {
        self.try_into().map(Fingerprint).map_err(|_| corrupt(column, "is no fingerprint"))
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
    } $(with $part:ident: $parts:ident {
        $($inner:ident: $within:ty),+ $(,)?
    })?) => {
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
            $($(pub $inner: $within,)+)?
        }

        impl $row {
            /// The row of a record.
            pub fn of(record: &$record) -> Result<Self, StoreError> {
                Ok(Self {
                    $($field: Column::of(&record.$field)?,)+
                    $($($inner: Column::of(&record.$part.$inner)?,)+)?
                })
            }

            /// The record in a row.
            pub fn read(self) -> Result<$record, StoreError> {
                Ok($record {
                    $($field: self.$field.read(concat!(stringify!($table), ".", stringify!($field)))?,)+
                    $($part: $parts {
                        $($inner: self.$inner.read(concat!(stringify!($table), ".", stringify!($inner)))?,)+
                    },)?
                })
            }
        }
    };
}

mod accounts;
mod events;
mod history;
mod people;
mod planning;

pub use self::{
    accounts::{AccountRow, CalendarRow, ChannelRow, ConsentRow, GrantRow, SecretRow},
    events::{EventRow, MappingKeyRow, MappingRow, OutboxRow, PlacedEventRow, RemainsRow, UnreadableEntry},
    history::{AuditRow, ConflictRow, HoldRow, NoticeRow, RoundRow},
    people::{ApiKeyRow, IdempotencyKeyRow, SpaceRow, UserRow},
    planning::{BlockRow, ContextRow, FocusRow, ProposalRow, RolloverRow, TaskRow},
};
