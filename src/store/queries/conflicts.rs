//! Disagreements and what became of them.

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, expression::SqlLiteral, prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::{Conn, Done, SWEEP_ROWS, batches, read_all, row_count, stored};
use crate::{
    domain::{
        conflict::{Conflict, ConflictStatus},
        ids::{CalendarId, ConflictId, EventId},
        person::Scope,
    },
    store::{
        records::ConflictFilter,
        rows::ConflictRow,
        schema::{accounts, conflicts},
        types::Ts,
    },
};

/// In the very words of the index of pending conflicts: with a bound value SQLite would not use it.
pub(super) fn pending() -> SqlLiteral<Bool> {
    sql("conflicts.status = 'pending'")
}

pub async fn insert_conflicts(conn: &mut Conn, met: &[Conflict]) -> Done<()> {
    for batch in batches(met, ConflictRow::of) {
        let batch = batch?;
        batch!(conn, batch => diesel::insert_into(conflicts::table).values(&batch))?;
    }
    Ok(())
}

pub async fn conflict(conn: &mut Conn, scope: &Scope, id: ConflictId) -> Done<Option<Conflict>> {
    let query = conflicts::table.filter(conflicts::id.eq(id)).select(ConflictRow::as_select()).into_boxed();
    let row = within!(query, scope, conflicts::space_id).first(conn).await.optional()?;
    row.map(ConflictRow::read).transpose()
}

pub async fn conflicts(conn: &mut Conn, scope: &Scope, wanted: &ConflictFilter) -> Done<Vec<Conflict>> {
    let query = conflicts::table
        .order(conflicts::id.desc())
        .limit(wanted.limit.into())
        .select(ConflictRow::as_select())
        .into_boxed();
    let mut query = within!(query, scope, conflicts::space_id);
    if let Some(account) = wanted.account {
        query = query.filter(conflicts::account_id.eq(account));
    }
    if let Some(user) = &wanted.user {
        let theirs = accounts::table.filter(accounts::user_id.eq(user)).select(accounts::id);
        query = query.filter(conflicts::account_id.eq_any(theirs));
    }
    if let Some(event) = wanted.event {
        query = query.filter(conflicts::event_id.eq(event));
    }
    match wanted.status {
        Some(ConflictStatus::Pending) => query = query.filter(pending()),
        Some(status) => query = query.filter(conflicts::status.eq(status)),
        None => {}
    }
    if let Some(from) = wanted.from {
        query = query.filter(conflicts::created_at.ge(Ts::from(from)));
    }
    if let Some(to) = wanted.to {
        query = query.filter(conflicts::created_at.lt(Ts::from(to)));
    }
    if let Some(after) = wanted.after {
        query = query.filter(conflicts::id.lt(after));
    }
    read_all(query.load(conn).await?, ConflictRow::read)
}

pub async fn pending_conflict(conn: &mut Conn, event: EventId, calendar: CalendarId) -> Done<Option<Conflict>> {
    let query = conflicts::table
        .filter(conflicts::event_id.eq(event))
        .filter(conflicts::calendar_id.eq(calendar))
        .filter(pending());
    let row = query.select(ConflictRow::as_select()).first(conn).await.optional()?;
    row.map(ConflictRow::read).transpose()
}

pub async fn pending_conflicts(conn: &mut Conn, calendar: CalendarId) -> Done<Vec<Conflict>> {
    let query = conflicts::table.filter(conflicts::calendar_id.eq(calendar)).filter(pending()).order(conflicts::id);
    read_all(query.select(ConflictRow::as_select()).load(conn).await?, ConflictRow::read)
}

pub async fn update_conflict(conn: &mut Conn, conflict: &Conflict) -> Done<()> {
    let row = ConflictRow::of(conflict)?;
    stored(diesel::update(conflicts::table.find(conflict.id)).set(row).execute(conn).await?)
}

pub async fn sweep_conflicts(conn: &mut Conn, before: DateTime<Utc>) -> Done<u64> {
    let settled = conflicts::table.filter(conflicts::resolved_at.lt(Ts::from(before))).order(conflicts::resolved_at);
    let swept: Vec<ConflictId> = settled.limit(SWEEP_ROWS).select(conflicts::id).load(conn).await?;
    Ok(row_count(diesel::delete(conflicts::table.filter(conflicts::id.eq_any(swept))).execute(conn).await?))
}
