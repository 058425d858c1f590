//! The log of rounds.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, SWEEP_ROWS, read_all, row_count};
use crate::{
    domain::{
        ids::{AccountId, RoundId},
        person::Scope,
        round::Round,
    },
    store::{rows::RoundRow, schema::rounds, types::Ts},
};

pub async fn insert_round(conn: &mut Conn, round: &Round) -> Done<()> {
    diesel::insert_into(rounds::table).values(RoundRow::of(round)?).execute(conn).await?;
    Ok(())
}

pub async fn rounds_of(
    conn: &mut Conn,
    scope: &Scope,
    account: AccountId,
    before: Option<RoundId>,
    limit: u32,
) -> Done<Vec<Round>> {
    let query = rounds::table
        .filter(rounds::account_id.eq(account))
        .order(rounds::id.desc())
        .limit(limit.into())
        .select(RoundRow::as_select())
        .into_boxed();
    let mut query = within!(query, scope, rounds::space_id);
    if let Some(before) = before {
        query = query.filter(rounds::id.lt(before));
    }
    read_all(query.load(conn).await?, RoundRow::read)
}

pub async fn last_round(conn: &mut Conn, account: AccountId) -> Done<Option<Round>> {
    let finished = rounds::table.filter(rounds::account_id.eq(account)).filter(rounds::finished_at.is_not_null());
    let query = finished.order(rounds::id.desc()).select(RoundRow::as_select());
    query.first(conn).await.optional()?.map(RoundRow::read).transpose()
}

pub async fn sweep_rounds(conn: &mut Conn, before: DateTime<Utc>) -> Done<u64> {
    let old = rounds::table.filter(rounds::started_at.lt(Ts::from(before))).order(rounds::started_at);
    let swept: Vec<RoundId> = old.limit(SWEEP_ROWS).select(rounds::id).load(conn).await?;
    Ok(row_count(diesel::delete(rounds::table.filter(rounds::id.eq_any(swept))).execute(conn).await?))
}
