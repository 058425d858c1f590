//! Sittings of focused work.

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, expression::SqlLiteral, prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::{Conn, Done, read_all};
use crate::{
    domain::{
        focus::{Focus, FocusState},
        ids::{FocusId, UserId},
        person::Scope,
    },
    store::{
        rows::FocusRow,
        schema::{blocks, focuses},
        types::Ts,
    },
};

/// What `Focus::is_open` says, in the very words of the indexes of open focus sessions, for SQLite to use them.
fn open() -> SqlLiteral<Bool> {
    sql("focuses.state IN ('running', 'paused')")
}

pub async fn put_focus(conn: &mut Conn, focus: &Focus) -> Done<()> {
    let row = FocusRow::of(focus)?;
    let insert = diesel::insert_into(focuses::table).values(&row).on_conflict(focuses::id);
    insert.do_update().set(&row).execute(conn).await?;
    Ok(())
}

pub async fn focus(conn: &mut Conn, scope: &Scope, id: FocusId) -> Done<Option<Focus>> {
    let query = focuses::table.filter(focuses::id.eq(id)).select(FocusRow::as_select()).into_boxed();
    let row = within!(query, scope, focuses::space_id).first(conn).await.optional()?;
    row.map(FocusRow::read).transpose()
}

pub async fn open_focus(conn: &mut Conn, user: &UserId) -> Done<Option<Focus>> {
    let query = focuses::table.filter(focuses::user_id.eq(user)).filter(open());
    let row = query.select(FocusRow::as_select()).first(conn).await.optional()?;
    row.map(FocusRow::read).transpose()
}

pub async fn restless_focuses(
    conn: &mut Conn,
    now: DateTime<Utc>,
    paused_before: DateTime<Utc>,
    after: Option<FocusId>,
    limit: u32,
) -> Done<Vec<Focus>> {
    let now = Ts::from(now);
    let at_work = blocks::table
        .filter(blocks::id.nullable().eq(focuses::block_id))
        .filter(blocks::start.le(now))
        .filter(blocks::end.gt(now));
    let runs_free = focuses::state
        .eq(FocusState::Running)
        .and(focuses::overrun.eq(false))
        .and(diesel::dsl::not(diesel::dsl::exists(at_work)));
    let stands = focuses::state.eq(FocusState::Paused).and(focuses::since.le(Ts::from(paused_before)));
    let mut query = focuses::table
        .filter(open())
        .filter(runs_free.or(stands))
        .order(focuses::id)
        .limit(limit.into())
        .select(FocusRow::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(focuses::id.gt(after));
    }
    read_all(query.load(conn).await?, FocusRow::read)
}

pub async fn focuses_between(
    conn: &mut Conn,
    user: &UserId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Done<Vec<Focus>> {
    let query = focuses::table
        .filter(focuses::user_id.eq(user))
        .filter(focuses::started_at.lt(Ts::from(to)))
        .filter(focuses::ended_at.is_null().or(focuses::ended_at.gt(Ts::from(from))))
        .order((focuses::started_at, focuses::id));
    read_all(query.select(FocusRow::as_select()).load(conn).await?, FocusRow::read)
}
