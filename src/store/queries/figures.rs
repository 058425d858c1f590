//! Figures for metrics and health.

use chrono::{DateTime, Utc};
use diesel::{dsl::count_star, prelude::*};
use diesel_async::RunQueryDsl;

use super::{Conn, Done};
use crate::{
    domain::outbox::OutboxState,
    store::{
        records::Counts,
        schema::{accounts, conflicts, events, outbox, pulse},
        types::Ts,
    },
};

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or(0)
}

pub async fn counts(conn: &mut Conn) -> Done<Counts> {
    let by_status = accounts::table.group_by(accounts::status).select((accounts::status, count_star()));
    let by_status: Vec<(_, i64)> = by_status.order(accounts::status).load(conn).await?;
    let by_state = outbox::table.group_by(outbox::state).select((outbox::state, count_star()));
    let by_state: Vec<(_, i64)> = by_state.order(outbox::state).load(conn).await?;
    let waiting = outbox::table.filter(outbox::state.eq(OutboxState::Queued)).order(outbox::created_at);
    let oldest: Option<Ts> = waiting.select(outbox::created_at).first(conn).await.optional()?;
    let pending = conflicts::table.filter(super::conflicts::pending()).count();
    Ok(Counts {
        accounts: by_status.into_iter().map(|(status, rows)| (status, count(rows))).collect(),
        outbox: by_state.into_iter().map(|(state, rows)| (state, count(rows))).collect(),
        oldest_outbox: oldest.map(|at| at.0),
        unresolved_conflicts: count(pending.get_result(conn).await?),
        events: count(events::table.filter(events::deleted_at.is_null()).count().get_result(conn).await?),
    })
}

pub async fn pulse(conn: &mut Conn, at: DateTime<Utc>) -> Done<()> {
    let at = pulse::at.eq(Ts::from(at));
    let row = diesel::insert_into(pulse::table).values((pulse::id.eq(1_i64), at));
    row.on_conflict(pulse::id).do_update().set(at).execute(conn).await?;
    Ok(())
}
