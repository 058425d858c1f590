//! Schedules that were offered.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, SWEEP_ROWS, read_all, row_count};
use crate::{
    domain::{
        ids::{ProposalId, UserId},
        person::Scope,
        proposal::{Proposal, ProposalState},
    },
    store::{rows::ProposalRow, schema::proposals, types::Ts},
};

pub async fn put_proposal(conn: &mut Conn, proposal: &Proposal) -> Done<()> {
    let row = ProposalRow::of(proposal)?;
    let insert = diesel::insert_into(proposals::table).values(&row).on_conflict(proposals::id);
    insert.do_update().set(&row).execute(conn).await?;
    Ok(())
}

pub async fn proposal(conn: &mut Conn, scope: &Scope, id: ProposalId) -> Done<Option<Proposal>> {
    let query = proposals::table.filter(proposals::id.eq(id)).select(ProposalRow::as_select()).into_boxed();
    let row = within!(query, scope, proposals::space_id).first(conn).await.optional()?;
    row.map(ProposalRow::read).transpose()
}

pub async fn open_proposals(conn: &mut Conn, user: &UserId) -> Done<Vec<Proposal>> {
    let query = proposals::table
        .filter(proposals::user_id.eq(user))
        .filter(proposals::state.eq(ProposalState::Open))
        .order(proposals::id);
    read_all(query.select(ProposalRow::as_select()).load(conn).await?, ProposalRow::read)
}

pub async fn proposals_of(
    conn: &mut Conn,
    scope: &Scope,
    user: &UserId,
    before: Option<ProposalId>,
    limit: u32,
) -> Done<Vec<Proposal>> {
    let query = proposals::table
        .filter(proposals::user_id.eq(user))
        .order(proposals::id.desc())
        .limit(limit.into())
        .select(ProposalRow::as_select())
        .into_boxed();
    let mut query = within!(query, scope, proposals::space_id);
    if let Some(before) = before {
        query = query.filter(proposals::id.lt(before));
    }
    read_all(query.load(conn).await?, ProposalRow::read)
}

pub async fn sweep_proposals(conn: &mut Conn, before: DateTime<Utc>) -> Done<u64> {
    let decided = proposals::table.filter(proposals::decided_at.lt(Ts::from(before))).order(proposals::decided_at);
    let swept: Vec<ProposalId> = decided.limit(SWEEP_ROWS).select(proposals::id).load(conn).await?;
    Ok(row_count(diesel::delete(proposals::table.filter(proposals::id.eq_any(swept))).execute(conn).await?))
}
