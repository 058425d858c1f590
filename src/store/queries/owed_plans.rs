//! Plans that are owed to people: at most one each, however many news ask for it.

use chrono::{DateTime, Duration, Utc};
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
    let insert = diesel::insert_into(owed_plans::table).values(row).on_conflict(owed_plans::user_id).do_nothing();
    if insert.execute(conn).await? == 0 {
        let held = owed_plans::table.filter(owed_plans::user_id.eq(user));
        let (was, at): (PlanCause, Ts) = held.select((owed_plans::cause, owed_plans::due_at)).first(conn).await?;
        // What was owed first is made first: news that never end do not put a plan off for ever. Its time is another one all
        // the same, so that who is making the plan that was owed cannot settle this one, which is of later news.
        let (cause, due) = if due.0 < at.0 { (cause, due) } else { (was, Ts::from(at.0 - Duration::microseconds(1))) };
        diesel::update(held).set((owed_plans::cause.eq(cause), owed_plans::due_at.eq(due))).execute(conn).await?;
    }
    Ok(())
}

pub async fn plans_due(
    conn: &mut Conn,
    now: DateTime<Utc>,
    limit: u32,
) -> Done<Vec<(UserId, PlanCause, DateTime<Utc>)>> {
    let query = owed_plans::table
        .filter(owed_plans::due_at.le(Ts::from(now)))
        .order((owed_plans::due_at, owed_plans::user_id))
        .limit(limit.into())
        .select((owed_plans::user_id, owed_plans::cause, owed_plans::due_at));
    let rows: Vec<(UserId, PlanCause, Ts)> = query.load(conn).await?;
    Ok(rows.into_iter().map(|(user, cause, at)| (user, cause, at.0)).collect())
}

pub async fn next_plan_at(conn: &mut Conn) -> Done<Option<DateTime<Utc>>> {
    let query = owed_plans::table.order(owed_plans::due_at).select(owed_plans::due_at);
    let at: Option<Ts> = query.first(conn).await.optional()?;
    Ok(at.map(|at| at.0))
}

pub async fn settle_plan(conn: &mut Conn, user: &UserId, due_at: DateTime<Utc>) -> Done<()> {
    let made = owed_plans::table.filter(owed_plans::user_id.eq(user)).filter(owed_plans::due_at.eq(Ts::from(due_at)));
    diesel::delete(made).execute(conn).await?;
    Ok(())
}
