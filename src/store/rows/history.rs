//! What happened, and the notices that people got of it.

use diesel::prelude::*;

use super::{Column, StoreError};
use crate::{
    domain::{
        account::ConflictPolicy,
        conflict::{AuditLine, Conflict, ConflictKind, ConflictStatus, Hold, HoldState, Severity, Winner},
        ids::{AccountId, AuditId, CalendarId, ConflictId, EventId, HoldId, NoticeId, RoundId, SpaceId, UserId},
        notice::{Notice, NoticeKind},
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
