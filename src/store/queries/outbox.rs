//! Writes that are owed to a provider: at most one per event and calendar.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{BATCH_ROWS, Conn, Done, read_all};
use crate::{
    domain::{
        ids::{AccountId, CalendarId, EventId, OutboxId},
        outbox::{OutboxEntry, OutboxState},
        person::Scope,
    },
    store::{StoreError, rows::OutboxRow, schema::outbox, types::Ts},
};

pub async fn put_outbox(conn: &mut Conn, entry: &OutboxEntry) -> Done<()> {
    let row = OutboxRow::of(entry)?;
    diesel::insert_into(outbox::table)
        .values(&row)
        .on_conflict((outbox::event_id, outbox::calendar_id))
        .do_update()
        .set((outbox::id.eq(entry.id), &row))
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn update_outbox(conn: &mut Conn, entry: &OutboxEntry) -> Done<()> {
    let row = OutboxRow::of(entry)?;
    let updated = diesel::update(outbox::table.filter(outbox::id.eq(entry.id))).set(row).execute(conn).await?;
    if updated == 0 { Err(StoreError::Busy) } else { Ok(()) }
}

pub async fn claim_outbox(conn: &mut Conn, account: AccountId) -> Done<()> {
    // A row that is only read would let another transaction settle it from the same picture of the database.
    let queued = outbox::table.filter(outbox::account_id.eq(account));
    diesel::update(queued).set(outbox::attempts.eq(outbox::attempts)).execute(conn).await?;
    Ok(())
}

pub async fn outbox_entry(conn: &mut Conn, event: EventId, calendar: CalendarId) -> Done<Option<OutboxEntry>> {
    let query = outbox::table.filter(outbox::event_id.eq(event)).filter(outbox::calendar_id.eq(calendar));
    let row = query.select(OutboxRow::as_select()).first(conn).await.optional()?;
    row.map(OutboxRow::read).transpose()
}

pub async fn outbox_of_event(conn: &mut Conn, event: EventId) -> Done<Vec<OutboxEntry>> {
    let query = outbox::table.filter(outbox::event_id.eq(event)).order((outbox::created_at, outbox::id));
    read_all(query.select(OutboxRow::as_select()).load(conn).await?, OutboxRow::read)
}

pub async fn outbox_of_events(conn: &mut Conn, events: &[EventId]) -> Done<Vec<OutboxEntry>> {
    let mut found = Vec::new();
    for batch in events.chunks(BATCH_ROWS) {
        let query = outbox::table.filter(outbox::event_id.eq_any(batch)).order((outbox::created_at, outbox::id));
        found.extend(read_all(query.select(OutboxRow::as_select()).load(conn).await?, OutboxRow::read)?);
    }
    Ok(found)
}

pub async fn outbox_of_calendar(conn: &mut Conn, calendar: CalendarId) -> Done<Vec<OutboxEntry>> {
    let query = outbox::table.filter(outbox::calendar_id.eq(calendar)).order((outbox::created_at, outbox::id));
    read_all(query.select(OutboxRow::as_select()).load(conn).await?, OutboxRow::read)
}

pub async fn outbox_due(
    conn: &mut Conn,
    account: AccountId,
    now: DateTime<Utc>,
    latest: DateTime<Utc>,
    limit: u32,
) -> Done<Vec<OutboxEntry>> {
    let query = outbox::table
        .filter(outbox::account_id.eq(account))
        .filter(outbox::state.eq(OutboxState::Queued))
        .filter(outbox::not_before.le(Ts::from(now)).or(outbox::not_before.gt(Ts::from(latest))))
        .order((outbox::priority, outbox::created_at, outbox::id))
        .limit(limit.into());
    read_all(query.select(OutboxRow::as_select()).load(conn).await?, OutboxRow::read)
}

pub async fn outbox_of(conn: &mut Conn, scope: &Scope, account: AccountId, limit: u32) -> Done<Vec<OutboxEntry>> {
    let query = outbox::table
        .filter(outbox::account_id.eq(account))
        .order((outbox::priority, outbox::created_at, outbox::id))
        .limit(limit.into())
        .select(OutboxRow::as_select())
        .into_boxed();
    read_all(within!(query, scope, outbox::space_id).load(conn).await?, OutboxRow::read)
}

pub async fn next_outbox_at(conn: &mut Conn, account: AccountId) -> Done<Option<DateTime<Utc>>> {
    let queued = outbox::table.filter(outbox::account_id.eq(account)).filter(outbox::state.eq(OutboxState::Queued));
    let first: Option<Ts> = queued.order(outbox::not_before).select(outbox::not_before).first(conn).await.optional()?;
    Ok(first.map(|at| at.0))
}

pub async fn delete_outbox(conn: &mut Conn, id: OutboxId) -> Done<bool> {
    Ok(diesel::delete(outbox::table.find(id)).execute(conn).await? > 0)
}
