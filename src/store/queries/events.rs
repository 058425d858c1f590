//! Local events and their place in time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{BATCH_ROWS, Conn, Done, batches, read_all, row_count};
use crate::{
    domain::{
        ids::{CalendarId, EventId, UserId},
        mapping::{Event, Origin},
        person::Scope,
    },
    store::{
        records::{EventFilter, EventSpan},
        rows::{EventRow, PlacedEventRow},
        schema::{events, mappings, outbox},
        types::Ts,
    },
};

/// The mappings of the event at hand in a calendar.
macro_rules! mapped {
    ($calendar:expr) => {
        mappings::table
            .filter(mappings::event_id.eq(events::id))
            .filter(mappings::calendar_id.eq($calendar))
            .select(mappings::id)
    };
}

fn placed((event, (starts_at, ends_at)): &(&Event, &EventSpan)) -> Done<PlacedEventRow> {
    Ok(PlacedEventRow {
        event: EventRow::of(event)?,
        starts_at: (*starts_at).into(),
        ends_at: ends_at.map(Ts::from),
        recurring: event.content.is_series(),
    })
}

pub async fn put_events(conn: &mut Conn, written: &[Event], spans: &[EventSpan]) -> Done<()> {
    // PostgreSQL refuses an upsert that names one row twice; the last one stands, as it would on SQLite.
    let once: BTreeMap<_, _> = written.iter().zip(spans).map(|pair| (pair.0.id, pair)).collect();
    let once: Vec<_> = once.into_values().collect();
    for batch in batches(&once, placed) {
        let batch = batch?;
        batch!(conn, batch => diesel::insert_into(events::table)
            .values(&batch)
            .on_conflict(events::id)
            .do_update()
            .set(overwrite!(events: space_id, user_id, calendar_id, uid, content, origin, deleted_at, created_at,
                updated_at, version, starts_at, ends_at, recurring)))?;
    }
    Ok(())
}

pub async fn event(conn: &mut Conn, scope: &Scope, id: EventId) -> Done<Option<Event>> {
    let query = events::table.filter(events::id.eq(id)).select(EventRow::as_select()).into_boxed();
    let row = within!(query, scope, events::space_id).first(conn).await.optional()?;
    row.map(EventRow::read).transpose()
}

pub async fn events_by_ids(conn: &mut Conn, ids: &[EventId]) -> Done<Vec<Event>> {
    let mut found = Vec::with_capacity(ids.len());
    for batch in ids.chunks(BATCH_ROWS) {
        let query = events::table.filter(events::id.eq_any(batch)).order(events::id);
        found.extend(read_all(query.select(EventRow::as_select()).load(conn).await?, EventRow::read)?);
    }
    Ok(found)
}

pub async fn events_in(
    conn: &mut Conn,
    scope: &Scope,
    wanted: EventFilter<'_>,
    after: Option<(DateTime<Utc>, EventId)>,
    limit: u32,
) -> Done<Vec<(DateTime<Utc>, Event)>> {
    let (from, to) = (Ts::from(wanted.within.from), Ts::from(wanted.within.to));
    // The same rule as `Window::touches`: half-open, and a moment counts at its start.
    let moment = events::ends_at.le(events::starts_at.nullable()).and(events::starts_at.ge(from));
    let query = events::table
        .filter(events::user_id.eq(wanted.user))
        .filter(events::starts_at.lt(to))
        .filter(events::ends_at.is_null().or(events::ends_at.gt(from)).or(moment))
        .order((events::starts_at, events::id))
        .limit(limit.into())
        .select((events::starts_at, EventRow::as_select()))
        .into_boxed();
    let mut query = within!(query, scope, events::space_id);
    if let Some(calendar) = wanted.calendar {
        query = query.filter(events::calendar_id.eq(calendar));
    }
    if !wanted.include_deleted {
        query = query.filter(events::deleted_at.is_null());
    }
    if let Some((at, id)) = after {
        let at = Ts::from(at);
        query = query.filter(events::starts_at.gt(at).or(events::starts_at.eq(at).and(events::id.gt(id))));
    }
    let rows: Vec<(Ts, EventRow)> = query.load(conn).await?;
    rows.into_iter().map(|(at, row)| Ok((at.0, row.read()?))).collect()
}

pub async fn unlinked_events(conn: &mut Conn, calendar: CalendarId) -> Done<Vec<Event>> {
    let query = events::table
        .filter(events::calendar_id.eq(calendar))
        .filter(events::deleted_at.is_null())
        .filter(diesel::dsl::not(diesel::dsl::exists(mapped!(calendar))))
        .order(events::id);
    read_all(query.select(EventRow::as_select()).load(conn).await?, EventRow::read)
}

pub async fn homeless_events(conn: &mut Conn, user: &UserId, calendar: CalendarId) -> Done<Vec<Event>> {
    let query = events::table
        .filter(events::user_id.eq(user))
        .filter(events::calendar_id.is_null())
        .filter(events::deleted_at.is_null().or(events::origin.eq(Origin::Local.as_str())))
        .filter(diesel::dsl::not(diesel::dsl::exists(mapped!(calendar))))
        .order(events::id);
    read_all(query.select(EventRow::as_select()).load(conn).await?, EventRow::read)
}

pub async fn rehome_event(conn: &mut Conn, event: EventId, home: Option<CalendarId>) -> Done<()> {
    let change = (events::calendar_id.eq(home), events::version.eq(events::version + 1));
    diesel::update(events::table.find(event)).set(change).execute(conn).await?;
    Ok(())
}

pub async fn purge_deleted_events(conn: &mut Conn, before: DateTime<Utc>, limit: u32) -> Done<u64> {
    // While a mapping or a queued write exists, forgetting the event would let its remote copy come back as a new one (I-6).
    let mapped = mappings::table.filter(mappings::event_id.eq(events::id)).select(mappings::id);
    let owed = outbox::table.filter(outbox::event_id.eq(events::id)).select(outbox::id);
    let purged: Vec<EventId> = events::table
        .filter(events::deleted_at.lt(Ts::from(before)))
        .filter(diesel::dsl::not(diesel::dsl::exists(mapped)))
        .filter(diesel::dsl::not(diesel::dsl::exists(owed)))
        .order(events::deleted_at)
        .limit(limit.into())
        .select(events::id)
        .load(conn)
        .await?;
    delete_events(conn, &purged).await
}

pub async fn delete_events(conn: &mut Conn, ids: &[EventId]) -> Done<u64> {
    let mut deleted = 0;
    for batch in ids.chunks(BATCH_ROWS) {
        deleted += row_count(diesel::delete(events::table.filter(events::id.eq_any(batch))).execute(conn).await?);
    }
    Ok(deleted)
}
