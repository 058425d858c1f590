//! Calendars, and how far their changes were read.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, batches, read_all, stored};
use crate::{
    domain::{
        calendar::Calendar,
        ids::{AccountId, CalendarId, SyncCursor},
        person::Scope,
    },
    store::{rows::CalendarRow, schema::calendars, types::Ts},
};

pub async fn put_calendars(conn: &mut Conn, listed: &[Calendar]) -> Done<()> {
    for batch in batches(listed, CalendarRow::of) {
        let batch = batch?;
        batch!(conn, batch => diesel::insert_into(calendars::table)
            .values(&batch)
            .on_conflict(calendars::id)
            .do_update()
            .set(overwrite!(calendars: remote_id, name, color, time_zone, read_only, selected, direction, makes_tasks,
                cursor, stamp, reconciled_at, gone_at, last_error, version)))?;
    }
    Ok(())
}

pub async fn calendar(conn: &mut Conn, scope: &Scope, id: CalendarId) -> Done<Option<Calendar>> {
    let query = calendars::table.filter(calendars::id.eq(id)).select(CalendarRow::as_select()).into_boxed();
    let row = within!(query, scope, calendars::space_id).first(conn).await.optional()?;
    row.map(CalendarRow::read).transpose()
}

pub async fn calendars_of(conn: &mut Conn, account: AccountId) -> Done<Vec<Calendar>> {
    let query = calendars::table.filter(calendars::account_id.eq(account)).order(calendars::id);
    read_all(query.select(CalendarRow::as_select()).load(conn).await?, CalendarRow::read)
}

pub async fn save_cursor(
    conn: &mut Conn,
    id: CalendarId,
    cursor: Option<&SyncCursor>,
    stamp: Option<&str>,
    reconciled_at: Option<DateTime<Utc>>,
    error: Option<&str>,
) -> Done<()> {
    let changes = (
        calendars::cursor.eq(cursor),
        calendars::stamp.eq(stamp),
        calendars::last_error.eq(error),
        calendars::reconciled_at.eq(reconciled_at.map(Ts::from)),
    );
    stored(diesel::update(calendars::table.find(id)).set(changes).execute(conn).await?)
}

pub async fn set_calendar_error(conn: &mut Conn, id: CalendarId, why: &str) -> Done<()> {
    let query = diesel::update(calendars::table.find(id)).set(calendars::last_error.eq(why));
    stored(query.execute(conn).await?)
}

pub async fn claim_calendar(conn: &mut Conn, id: CalendarId, version: i64) -> Done<bool> {
    // A row that is only read, or locked, would let another transaction change it from the same picture of the database.
    let same = calendars::table.filter(calendars::id.eq(id)).filter(calendars::version.eq(version));
    Ok(diesel::update(same).set(calendars::version.eq(version)).execute(conn).await? > 0)
}

pub async fn update_calendar(conn: &mut Conn, calendar: &Calendar, expected_version: i64) -> Done<bool> {
    let row = CalendarRow { version: expected_version.saturating_add(1), ..CalendarRow::of(calendar)? };
    let expected =
        calendars::table.filter(calendars::id.eq(calendar.id)).filter(calendars::version.eq(expected_version));
    Ok(diesel::update(expected).set(row).execute(conn).await? > 0)
}
