//! Deletions that the brake stopped.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, read_all};
use crate::{
    domain::{
        conflict::{Hold, HoldState},
        ids::{AccountId, CalendarId, HoldId},
        person::Scope,
    },
    store::{rows::HoldRow, schema::holds},
};

/// Most holds listed at once; there is seldom more than one per calendar.
const HOLDS_MAX: i64 = 500;

pub async fn put_hold(conn: &mut Conn, hold: &Hold) -> Done<()> {
    let row = HoldRow::of(hold)?;
    let insert = diesel::insert_into(holds::table).values(&row).on_conflict(holds::id);
    insert.do_update().set(&row).execute(conn).await?;
    Ok(())
}

pub async fn holds_in_force(conn: &mut Conn, calendar: CalendarId) -> Done<Vec<Hold>> {
    let in_force = [HoldState::Held, HoldState::Approved, HoldState::Refused];
    let query = holds::table.filter(holds::calendar_id.eq(calendar)).filter(holds::state.eq_any(in_force));
    read_all(query.order(holds::id).select(HoldRow::as_select()).load(conn).await?, HoldRow::read)
}

pub async fn holds(
    conn: &mut Conn,
    scope: &Scope,
    account: Option<AccountId>,
    state: Option<HoldState>,
) -> Done<Vec<Hold>> {
    let query = holds::table.order(holds::id.desc()).limit(HOLDS_MAX).select(HoldRow::as_select()).into_boxed();
    let mut query = within!(query, scope, holds::space_id);
    if let Some(account) = account {
        query = query.filter(holds::account_id.eq(account));
    }
    if let Some(state) = state {
        query = query.filter(holds::state.eq(state));
    }
    read_all(query.load(conn).await?, HoldRow::read)
}

pub async fn hold(conn: &mut Conn, scope: &Scope, id: HoldId) -> Done<Option<Hold>> {
    let query = holds::table.filter(holds::id.eq(id)).select(HoldRow::as_select()).into_boxed();
    let row = within!(query, scope, holds::space_id).first(conn).await.optional()?;
    row.map(HoldRow::read).transpose()
}
