//! What is left of copies that their calendars no longer have.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{BATCH_ROWS, Conn, Done, SWEEP_ROWS, read_all, row_count};
use crate::{
    domain::{
        ids::{CalendarId, EventId, Uid},
        mapping::Remains,
    },
    store::{rows::RemainsRow, schema::remains, types::Ts},
};

pub async fn put_remains(conn: &mut Conn, left: &[Remains]) -> Done<()> {
    // One by one: each may be a large document, and an event is seldom left by more than one copy.
    for remains in left {
        let row = RemainsRow::of(remains)?;
        let insert = diesel::insert_into(remains::table).values(&row);
        insert.on_conflict((remains::event_id, remains::calendar_id)).do_update().set(&row).execute(conn).await?;
    }
    Ok(())
}

pub async fn remains_of(conn: &mut Conn, event: EventId, calendar: CalendarId) -> Done<Option<Remains>> {
    let copy = remains::table.filter(remains::event_id.eq(event)).filter(remains::calendar_id.eq(calendar));
    let query = copy.filter(remains::taken_out.eq(false)).select(RemainsRow::as_select());
    query.first(conn).await.optional()?.map(RemainsRow::read).transpose()
}

pub async fn mark_remains(conn: &mut Conn, event: EventId, calendar: CalendarId, taken_out: bool) -> Done<()> {
    let row = remains::table.filter(remains::event_id.eq(event)).filter(remains::calendar_id.eq(calendar));
    diesel::update(row).set(remains::taken_out.eq(taken_out)).execute(conn).await?;
    Ok(())
}

pub async fn remains_by_uid(conn: &mut Conn, calendar: CalendarId, uids: &[Uid]) -> Done<Vec<Remains>> {
    let mut found = Vec::new();
    for batch in uids.chunks(BATCH_ROWS) {
        let query = remains::table.filter(remains::calendar_id.eq(calendar)).filter(remains::uid.eq_any(batch));
        let query = query.filter(remains::taken_out.eq(false));
        let rows = query.order(remains::kept_at).select(RemainsRow::as_select()).load(conn).await?;
        found.extend(read_all(rows, RemainsRow::read)?);
    }
    Ok(found)
}

pub async fn sweep_remains(conn: &mut Conn, before: DateTime<Utc>) -> Done<u64> {
    let old = remains::table.filter(remains::kept_at.lt(Ts::from(before))).order(remains::kept_at).limit(SWEEP_ROWS);
    let swept: Vec<(EventId, CalendarId)> = old.select((remains::event_id, remains::calendar_id)).load(conn).await?;
    let mut gone = 0;
    for (event, calendar) in swept {
        let row = remains::table.filter(remains::event_id.eq(event)).filter(remains::calendar_id.eq(calendar));
        gone += row_count(diesel::delete(row).execute(conn).await?);
    }
    Ok(gone)
}
