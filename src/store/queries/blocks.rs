//! Time blocks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{BATCH_ROWS, Conn, Done, batches, read_all, row_count};
use crate::{
    domain::{
        block::{BlockState, TimeBlock},
        ids::{BlockId, EventId, TaskId, UserId},
        person::Scope,
    },
    store::{
        rows::{BlockRow, Column},
        schema::blocks,
        types::Ts,
    },
};

/// The states of blocks that are still to come or going on.
fn live() -> Vec<BlockState> {
    BlockState::ALL.iter().copied().filter(|state| state.is_live()).collect()
}

pub async fn put_blocks(conn: &mut Conn, written: &[TimeBlock]) -> Done<()> {
    // PostgreSQL refuses an upsert that names one row twice; the last one stands, as it would on SQLite.
    let once: BTreeMap<_, _> = written.iter().map(|block| (block.id, block)).collect();
    let once: Vec<_> = once.into_values().collect();
    for batch in batches(&once, |block| BlockRow::of(block)) {
        let batch = batch?;
        batch!(conn, batch => diesel::insert_into(blocks::table)
            .values(&batch)
            .on_conflict(blocks::id)
            .do_update()
            .set(overwrite!(blocks: space_id, user_id, task_id, event_id, start, end, wall, zone, origin, lock, state,
                shows, reason, plan_run, created_at, updated_at, version)))?;
    }
    Ok(())
}

pub async fn block(conn: &mut Conn, scope: &Scope, id: BlockId) -> Done<Option<TimeBlock>> {
    let query = blocks::table.filter(blocks::id.eq(id)).select(BlockRow::as_select()).into_boxed();
    let row = within!(query, scope, blocks::space_id).first(conn).await.optional()?;
    row.map(BlockRow::read).transpose()
}

pub async fn blocks_of_task(conn: &mut Conn, task: TaskId) -> Done<Vec<TimeBlock>> {
    let query = blocks::table.filter(blocks::task_id.eq(task)).order((blocks::start, blocks::id));
    read_all(query.select(BlockRow::as_select()).load(conn).await?, BlockRow::read)
}

pub async fn blocks_between(
    conn: &mut Conn,
    user: &UserId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Done<Vec<TimeBlock>> {
    let query = blocks::table
        .filter(blocks::user_id.eq(user))
        .filter(blocks::start.lt(Ts::from(to)))
        .filter(blocks::end.gt(Ts::from(from)))
        .order((blocks::start, blocks::id));
    read_all(query.select(BlockRow::as_select()).load(conn).await?, BlockRow::read)
}

pub async fn live_blocks(conn: &mut Conn, user: &UserId, from: DateTime<Utc>) -> Done<Vec<TimeBlock>> {
    let query = blocks::table
        .filter(blocks::user_id.eq(user))
        .filter(blocks::end.gt(Ts::from(from)))
        .filter(blocks::state.eq_any(live()))
        .order((blocks::start, blocks::id));
    read_all(query.select(BlockRow::as_select()).load(conn).await?, BlockRow::read)
}

pub async fn blocks_ahead(
    conn: &mut Conn,
    zone: Tz,
    now: DateTime<Utc>,
    after: Option<BlockId>,
    limit: u32,
) -> Done<Vec<TimeBlock>> {
    let mut query = blocks::table
        .filter(blocks::zone.eq(<String as Column<_>>::of(&zone)?))
        .filter(blocks::start.gt(Ts::from(now)))
        .filter(blocks::state.eq_any(live()))
        .order(blocks::id)
        .limit(limit.into())
        .select(BlockRow::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(blocks::id.gt(after));
    }
    read_all(query.load(conn).await?, BlockRow::read)
}

pub async fn blocks_by_events(conn: &mut Conn, events: &[EventId]) -> Done<Vec<TimeBlock>> {
    let mut found = Vec::with_capacity(events.len());
    for batch in events.chunks(BATCH_ROWS) {
        let query = blocks::table.filter(blocks::event_id.eq_any(batch)).order(blocks::id);
        found.extend(read_all(query.select(BlockRow::as_select()).load(conn).await?, BlockRow::read)?);
    }
    Ok(found)
}

pub async fn delete_blocks(conn: &mut Conn, ids: &[BlockId]) -> Done<u64> {
    let mut deleted = 0;
    for batch in ids.chunks(BATCH_ROWS) {
        deleted += row_count(diesel::delete(blocks::table.filter(blocks::id.eq_any(batch))).execute(conn).await?);
    }
    Ok(deleted)
}

pub async fn users_with_blocks_over(conn: &mut Conn, now: DateTime<Utc>, limit: u32) -> Done<Vec<UserId>> {
    let over = blocks::table.filter(blocks::state.eq_any(live())).filter(blocks::end.le(Ts::from(now)));
    Ok(over.select(blocks::user_id).distinct().order(blocks::user_id).limit(limit.into()).load(conn).await?)
}

pub async fn next_block_end(conn: &mut Conn, now: DateTime<Utc>) -> Done<Option<DateTime<Utc>>> {
    let ahead = blocks::table.filter(blocks::state.eq_any(live())).filter(blocks::end.gt(Ts::from(now)));
    let end: Option<Ts> = ahead.select(blocks::end).order(blocks::end).first(conn).await.optional()?;
    Ok(end.map(|end| end.0))
}
