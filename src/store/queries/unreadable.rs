//! Remote events that are there and cannot be read.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{BATCH_ROWS, Conn, Done};
use crate::{
    domain::{
        ids::{CalendarId, RemoteEventId},
        page::UnreadableEvent,
    },
    store::{rows::UnreadableEntry, schema::unreadable},
};

pub async fn replace_unreadable(
    conn: &mut Conn,
    calendar: CalendarId,
    add: &[UnreadableEvent],
    clear: &[RemoteEventId],
) -> Done<()> {
    for batch in clear.chunks(BATCH_ROWS) {
        let cleared =
            unreadable::table.filter(unreadable::calendar_id.eq(calendar)).filter(unreadable::remote_id.eq_any(batch));
        diesel::delete(cleared).execute(conn).await?;
    }
    // One by one: there are few, and one that is met twice in a pull must not fail the batch.
    for row in add {
        let entry = UnreadableEntry {
            calendar_id: calendar,
            remote_id: row.remote_id.clone(),
            revision: row.revision.clone(),
            uid: row.uid.clone(),
            why: row.why.clone(),
            seen_at: row.seen_at.into(),
        };
        diesel::insert_into(unreadable::table)
            .values(entry)
            .on_conflict((unreadable::calendar_id, unreadable::remote_id))
            .do_update()
            .set(overwrite!(unreadable: revision, uid, why, seen_at))
            .execute(conn)
            .await?;
    }
    Ok(())
}

pub async fn unreadable_of(conn: &mut Conn, calendar: CalendarId) -> Done<Vec<UnreadableEvent>> {
    let query = unreadable::table.filter(unreadable::calendar_id.eq(calendar)).order(unreadable::remote_id);
    let entries: Vec<UnreadableEntry> = query.select(UnreadableEntry::as_select()).load(conn).await?;
    let events = entries.into_iter().map(|entry| UnreadableEvent {
        remote_id: entry.remote_id,
        revision: entry.revision,
        uid: entry.uid,
        why: entry.why,
        seen_at: entry.seen_at.0,
    });
    Ok(events.collect())
}
