//! Busy time that providers report.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{BATCH_ROWS, Conn, Done};
use crate::{
    domain::{
        availability::BusySpan,
        ids::{CalendarId, UserId},
        person::Scope,
    },
    store::{
        records::BusyRead,
        schema::{accounts, busy_blocks, busy_reads, calendars},
        types::Ts,
    },
};

pub async fn replace_busy(
    conn: &mut Conn,
    calendar: CalendarId,
    spans: &[BusySpan],
    read_at: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Done<()> {
    clear_busy(conn, calendar).await?;
    for batch in spans.chunks(BATCH_ROWS) {
        let rows: Vec<_> = batch
            .iter()
            .map(|span| {
                (
                    busy_blocks::calendar_id.eq(calendar),
                    busy_blocks::starts_at.eq(Ts::from(span.start)),
                    busy_blocks::ends_at.eq(Ts::from(span.end)),
                )
            })
            .collect();
        batch!(conn, rows => diesel::insert_into(busy_blocks::table).values(&rows))?;
    }
    let read = (
        busy_reads::calendar_id.eq(calendar),
        busy_reads::read_at.eq(Ts::from(read_at)),
        busy_reads::until.eq(Ts::from(until)),
    );
    diesel::insert_into(busy_reads::table).values(read).execute(conn).await?;
    Ok(())
}

pub async fn clear_busy(conn: &mut Conn, calendar: CalendarId) -> Done<()> {
    diesel::delete(busy_blocks::table.filter(busy_blocks::calendar_id.eq(calendar))).execute(conn).await?;
    diesel::delete(busy_reads::table.find(calendar)).execute(conn).await?;
    Ok(())
}

pub async fn busy_reads(conn: &mut Conn, calendars: &[CalendarId]) -> Done<Vec<BusyRead>> {
    let mut found = Vec::new();
    for batch in calendars.chunks(BATCH_ROWS) {
        let query = busy_reads::table.filter(busy_reads::calendar_id.eq_any(batch)).order(busy_reads::calendar_id);
        found.extend(query.select(BusyRead::as_select()).load(conn).await?);
    }
    Ok(found)
}

pub async fn busy_in(
    conn: &mut Conn,
    scope: &Scope,
    user: &UserId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: u32,
) -> Done<Vec<(CalendarId, BusySpan)>> {
    let mine = accounts::table.filter(accounts::user_id.eq(user)).select(accounts::id);
    let query = busy_blocks::table
        .inner_join(calendars::table)
        .filter(calendars::account_id.eq_any(mine))
        .filter(busy_blocks::starts_at.lt(Ts::from(to)))
        .filter(busy_blocks::ends_at.gt(Ts::from(from)))
        .order((busy_blocks::starts_at, busy_blocks::calendar_id))
        .limit(limit.into())
        .select((busy_blocks::calendar_id, busy_blocks::starts_at, busy_blocks::ends_at))
        .into_boxed();
    let rows: Vec<(CalendarId, Ts, Ts)> = within!(query, scope, calendars::space_id).load(conn).await?;
    Ok(rows.into_iter().map(|(calendar, start, end)| (calendar, BusySpan { start: start.0, end: end.0 })).collect())
}
