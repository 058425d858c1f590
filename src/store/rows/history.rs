//! What happened, and the notices that people got of it.

use chrono::DateTime;
use diesel::prelude::*;

use super::{Column, StoreError};
use crate::{
    domain::{
        account::ConflictPolicy,
        conflict::{AuditLine, Conflict, ConflictKind, ConflictStatus, Hold, HoldState, Severity, Winner},
        ids::{AccountId, AuditId, CalendarId, ConflictId, EventId, HoldId, NoticeId, RoundId, SpaceId, UserId},
        notice::{Notice, NoticeSubject},
        round::{Cause, Outcome, Round},
    },
    store::{
        schema::{audit, conflicts, holds, notices, rounds},
        types::{Json, Ts},
    },
};

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

/// A notice. Its kind has a column of its own, for what looks for notices of one kind, and is any word: that of a kind which this
/// program does not know hides no other notice.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = notices, check_for_backend(diesel::pg::Pg, diesel::sqlite::Sqlite))]
pub struct NoticeRow {
    pub id: NoticeId,
    pub space_id: SpaceId,
    pub user_id: UserId,
    pub account_id: Option<AccountId>,
    pub event_id: Option<EventId>,
    pub kind: String,
    pub severity: Severity,
    pub parameters: Json,
    pub created_at: Ts,
    pub read_at: Option<Ts>,
}

impl NoticeRow {
    /// The row of a notice.
    pub fn of(notice: &Notice) -> Result<Self, StoreError> {
        Ok(Self {
            id: notice.id,
            space_id: notice.space_id.clone(),
            user_id: notice.user_id.clone(),
            account_id: notice.account_id,
            event_id: notice.event_id,
            kind: notice.subject.kind().to_owned(),
            severity: notice.severity,
            parameters: Column::of(&notice.subject)?,
            created_at: Ts::from(notice.created_at),
            read_at: notice.read_at.map(Ts::from),
        })
    }

    /// The notice in a row, whatever its parameters are.
    pub fn read(self) -> Notice {
        Notice {
            id: self.id,
            space_id: self.space_id,
            user_id: self.user_id,
            account_id: self.account_id,
            event_id: self.event_id,
            subject: NoticeSubject::from_stored(self.kind, self.parameters.0),
            severity: self.severity,
            created_at: self.created_at.0,
            read_at: self.read_at.map(DateTime::from),
        }
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
