//! Tasks and their instances.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, expression::SqlLiteral, prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::{BATCH_ROWS, Conn, Done, batches, read_all};
use crate::{
    domain::{
        ids::{ContextId, EventId, SpaceId, TaskId, UserId},
        notice::NoticeKind,
        person::Scope,
        task::Task,
    },
    store::{
        rows::TaskRow,
        schema::{notices, tasks},
        types::Ts,
    },
};

/// What `TaskStatus::is_open` says, in the very words of the index of open tasks: with bound values SQLite would not use it,
/// and would read through everything that somebody ever did.
pub(super) fn open() -> SqlLiteral<Bool> {
    sql("tasks.status IN ('open', 'in_progress')")
}

pub async fn put_tasks(conn: &mut Conn, written: &[Task]) -> Done<()> {
    // PostgreSQL refuses an upsert that names one row twice; the last one stands, as it would on SQLite.
    let once: BTreeMap<_, _> = written.iter().map(|task| (task.id, task)).collect();
    let once: Vec<_> = once.into_values().collect();
    for batch in batches(&once, |task| TaskRow::of(task)) {
        let batch = batch?;
        batch!(conn, batch => diesel::insert_into(tasks::table)
            .values(&batch)
            .on_conflict(tasks::id)
            .do_update()
            .set(overwrite!(tasks: space_id, user_id, context_id, title, description, project, priority, estimate_min,
                actual_min, due, not_before, hours, min_chunk_min, max_chunk_min, splittable, after, prefer,
                buffer_after_min, repeats, status, pinned, made_from, series, carried_from, carry_count, carried_actual_min,
                completed_at, created_at, updated_at, version)))?;
    }
    Ok(())
}

pub async fn task(conn: &mut Conn, scope: &Scope, id: TaskId) -> Done<Option<Task>> {
    let query = tasks::table.filter(tasks::id.eq(id)).select(TaskRow::as_select()).into_boxed();
    let row = within!(query, scope, tasks::space_id).first(conn).await.optional()?;
    row.map(TaskRow::read).transpose()
}

pub async fn tasks_by_ids(conn: &mut Conn, ids: &[TaskId]) -> Done<Vec<Task>> {
    let mut found = Vec::with_capacity(ids.len());
    for batch in ids.chunks(BATCH_ROWS) {
        let query = tasks::table.filter(tasks::id.eq_any(batch)).order(tasks::id);
        found.extend(read_all(query.select(TaskRow::as_select()).load(conn).await?, TaskRow::read)?);
    }
    Ok(found)
}

pub async fn tasks_made_from(conn: &mut Conn, events: &[EventId]) -> Done<Vec<Task>> {
    let mut found = Vec::with_capacity(events.len());
    for batch in events.chunks(BATCH_ROWS) {
        let query = tasks::table.filter(tasks::made_from.eq_any(batch)).order(tasks::id);
        found.extend(read_all(query.select(TaskRow::as_select()).load(conn).await?, TaskRow::read)?);
    }
    Ok(found)
}

pub async fn task_carried_from(conn: &mut Conn, id: TaskId) -> Done<Option<Task>> {
    let query = tasks::table.filter(tasks::carried_from.eq(id)).order(tasks::id);
    let row = query.select(TaskRow::as_select()).first(conn).await.optional()?;
    row.map(TaskRow::read).transpose()
}

pub async fn owners_of_stale(conn: &mut Conn, asked_before: DateTime<Utc>, limit: u32) -> Done<Vec<(SpaceId, UserId)>> {
    let asked = notices::table
        .filter(notices::user_id.eq(tasks::user_id))
        .filter(notices::kind.eq(NoticeKind::TaskStale))
        .filter(notices::created_at.gt(Ts::from(asked_before)));
    let query = tasks::table
        .filter(sql::<Bool>("tasks.status = 'stale'"))
        .filter(diesel::dsl::not(diesel::dsl::exists(asked)))
        .select((tasks::space_id, tasks::user_id))
        .distinct();
    Ok(query.order((tasks::user_id, tasks::space_id)).limit(limit.into()).load(conn).await?)
}

pub async fn open_tasks(conn: &mut Conn, user: &UserId) -> Done<Vec<Task>> {
    let query = tasks::table.filter(tasks::user_id.eq(user)).filter(open()).order(tasks::id);
    read_all(query.select(TaskRow::as_select()).load(conn).await?, TaskRow::read)
}

pub async fn tasks_of(
    conn: &mut Conn,
    scope: &Scope,
    user: &UserId,
    open_only: bool,
    context: Option<ContextId>,
    after: Option<TaskId>,
    limit: u32,
) -> Done<Vec<Task>> {
    let query = tasks::table
        .filter(tasks::user_id.eq(user))
        .order(tasks::id)
        .limit(limit.into())
        .select(TaskRow::as_select())
        .into_boxed();
    let mut query = within!(query, scope, tasks::space_id);
    if open_only {
        query = query.filter(open());
    }
    if let Some(context) = context {
        query = query.filter(tasks::context_id.eq(context));
    }
    if let Some(after) = after {
        query = query.filter(tasks::id.gt(after));
    }
    read_all(query.load(conn).await?, TaskRow::read)
}

pub async fn delete_task(conn: &mut Conn, id: TaskId) -> Done<bool> {
    Ok(diesel::delete(tasks::table.find(id)).execute(conn).await? > 0)
}
