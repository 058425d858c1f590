//! Plans that are owed to people: at most one each, however many news ask for it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done};
use crate::{
    domain::{ids::UserId, proposal::PlanCause},
    store::{schema::owed_plans, types::Ts},
};

pub async fn owe_plan(conn: &mut Conn, user: &UserId, cause: PlanCause, due_at: DateTime<Utc>) -> Done<()> {
    let due = Ts::from(due_at);
    let row = (owed_plans::user_id.eq(user), owed_plans::cause.eq(cause), owed_plans::due_at.eq(due));
    let insert = diesel::insert_into(owed_plans::table).values(row).on_conflict(owed_plans::user_id);
    insert.do_update().set(owed_plans::wishes.eq(owed_plans::wishes + 1)).execute(conn).await?;
    // What was owed first is made first: news that never end do not put a plan off for ever.
    let later = owed_plans::table.filter(owed_plans::user_id.eq(user)).filter(owed_plans::due_at.gt(due));
    diesel::update(later).set((owed_plans::cause.eq(cause), owed_plans::due_at.eq(due))).execute(conn).await?;
    Ok(())
}

pub async fn plans_due(conn: &mut Conn, now: DateTime<Utc>, limit: u32) -> Done<Vec<(UserId, PlanCause, i64)>> {
    let query = owed_plans::table
        .filter(owed_plans::due_at.le(Ts::from(now)))
        .order((owed_plans::due_at, owed_plans::user_id))
        .limit(limit.into())
        .select((owed_plans::user_id, owed_plans::cause, owed_plans::wishes));
    Ok(query.load(conn).await?)
}

pub async fn next_plan_at(conn: &mut Conn) -> Done<Option<DateTime<Utc>>> {
    let query = owed_plans::table.order(owed_plans::due_at).select(owed_plans::due_at);
    let at: Option<Ts> = query.first(conn).await.optional()?;
    Ok(at.map(|at| at.0))
}

pub async fn settle_plan(conn: &mut Conn, user: &UserId, wishes: i64) -> Done<()> {
    let made = owed_plans::table.filter(owed_plans::user_id.eq(user)).filter(owed_plans::wishes.eq(wishes));
    diesel::delete(made).execute(conn).await?;
    Ok(())
}

pub async fn put_off_plan(conn: &mut Conn, user: &UserId, due_at: DateTime<Utc>) -> Done<()> {
    let owed = owed_plans::table.filter(owed_plans::user_id.eq(user));
    diesel::update(owed).set(owed_plans::due_at.eq(Ts::from(due_at))).execute(conn).await?;
    Ok(())
}
