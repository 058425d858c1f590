//! The mappings between local events and their remote copies.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{BATCH_ROWS, Conn, Done, batches, read_all, row_count};
use crate::{
    domain::{
        ids::{AccountId, CalendarId, EventId, MappingId, RemoteEventId, Uid},
        mapping::{Event, Mapping, MappingKey},
    },
    store::{
        rows::{EventRow, MappingKeyRow, MappingRow},
        schema::{calendars, events, mappings},
    },
};

fn bound((mapping, event): (MappingRow, EventRow)) -> Done<(Mapping, Event)> {
    Ok((mapping.read()?, event.read()?))
}

pub async fn put_mappings(conn: &mut Conn, written: &[Mapping]) -> Done<()> {
    // PostgreSQL refuses an upsert that names one row twice; the last one stands, as it would on SQLite.
    let once: BTreeMap<_, _> = written.iter().map(|mapping| (mapping.id, mapping)).collect();
    let once: Vec<_> = once.into_values().collect();
    for batch in batches(&once, |mapping| MappingRow::of(mapping)) {
        let batch = batch?;
        batch!(conn, batch => diesel::insert_into(mappings::table)
            .values(&batch)
            .on_conflict(mappings::id)
            .do_update()
            .set(overwrite!(mappings: event_id, remote_id, uid, revision, base, raw, created_by_us, updated_at)))?;
    }
    Ok(())
}

pub async fn delete_mappings(conn: &mut Conn, ids: &[MappingId]) -> Done<u64> {
    let mut deleted = 0;
    for batch in ids.chunks(BATCH_ROWS) {
        deleted += row_count(diesel::delete(mappings::table.filter(mappings::id.eq_any(batch))).execute(conn).await?);
    }
    Ok(deleted)
}

pub async fn mapping_index(conn: &mut Conn, calendar: CalendarId) -> Done<Vec<MappingKey>> {
    let query = mappings::table.filter(mappings::calendar_id.eq(calendar)).order(mappings::id);
    read_all(query.select(MappingKeyRow::as_select()).load(conn).await?, MappingKeyRow::read)
}

pub async fn mappings_by_remote(
    conn: &mut Conn,
    calendar: CalendarId,
    remote: &[RemoteEventId],
) -> Done<Vec<(Mapping, Event)>> {
    let mut found = Vec::with_capacity(remote.len());
    for batch in remote.chunks(BATCH_ROWS) {
        let query = mappings::table
            .inner_join(events::table)
            .filter(mappings::calendar_id.eq(calendar))
            .filter(mappings::remote_id.eq_any(batch))
            .order(mappings::id)
            .select((MappingRow::as_select(), EventRow::as_select()));
        found.extend(read_all(query.load(conn).await?, bound)?);
    }
    Ok(found)
}

pub async fn namesakes(
    conn: &mut Conn,
    account: AccountId,
    calendar: CalendarId,
    uids: &[Uid],
) -> Done<Vec<(Mapping, Event)>> {
    let mut found = Vec::new();
    for batch in uids.chunks(BATCH_ROWS) {
        let query = mappings::table
            .inner_join(events::table)
            .filter(mappings::account_id.eq(account))
            .filter(mappings::calendar_id.ne(calendar))
            .filter(mappings::uid.eq_any(batch))
            .order(mappings::id)
            .select((MappingRow::as_select(), EventRow::as_select()));
        found.extend(read_all(query.load(conn).await?, bound)?);
    }
    Ok(found)
}

pub async fn mapping_of(conn: &mut Conn, event: EventId, calendar: CalendarId) -> Done<Option<Mapping>> {
    let query = mappings::table.filter(mappings::event_id.eq(event)).filter(mappings::calendar_id.eq(calendar));
    let row = query.select(MappingRow::as_select()).first(conn).await.optional()?;
    row.map(MappingRow::read).transpose()
}

pub async fn mappings_of_event(conn: &mut Conn, event: EventId) -> Done<Vec<Mapping>> {
    let query = mappings::table.filter(mappings::event_id.eq(event)).order(mappings::id);
    read_all(query.select(MappingRow::as_select()).load(conn).await?, MappingRow::read)
}

pub async fn other_mappings(
    conn: &mut Conn,
    events: &[EventId],
    calendar: CalendarId,
    selected: bool,
) -> Done<Vec<Mapping>> {
    let mut found = Vec::new();
    for batch in events.chunks(BATCH_ROWS) {
        let of_those = calendars::table.filter(calendars::id.eq(mappings::calendar_id));
        let of_those = of_those.filter(calendars::selected.eq(selected));
        let query = mappings::table
            .filter(mappings::event_id.eq_any(batch))
            .filter(mappings::calendar_id.ne(calendar))
            .filter(diesel::dsl::exists(of_those.select(calendars::id)))
            .order(mappings::id)
            .select(MappingRow::as_select());
        found.extend(read_all(query.load(conn).await?, MappingRow::read)?);
    }
    Ok(found)
}

pub async fn mappings_of_calendar(
    conn: &mut Conn,
    calendar: CalendarId,
    after: Option<MappingId>,
    limit: u32,
) -> Done<Vec<(Mapping, Event)>> {
    let mut query = mappings::table
        .inner_join(events::table)
        .filter(mappings::calendar_id.eq(calendar))
        .order(mappings::id)
        .limit(limit.into())
        .select((MappingRow::as_select(), EventRow::as_select()))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(mappings::id.gt(after));
    }
    read_all(query.load(conn).await?, bound)
}
