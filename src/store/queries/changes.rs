//! What changed, in the order in which it became durable. The database itself appends the rows (`migrations/`).

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, SWEEP_ROWS, row_count};
use crate::{
    domain::{
        changed::{ChangePlace, Changed, ChangedKind},
        ids::{SpaceId, UserId},
        person::Scope,
    },
    store::{schema::changes, types::Ts},
};

type Row = (i64, SpaceId, UserId, ChangedKind, String, Option<i64>, bool, Ts);

pub async fn changes(
    conn: &mut Conn,
    scope: &Scope,
    user: Option<&UserId>,
    after: ChangePlace,
    until: ChangePlace,
    limit: u32,
) -> Done<Vec<Changed>> {
    let between = changes::table.filter(changes::seq.gt(after.0)).filter(changes::seq.le(until.0));
    let query = between.order(changes::seq).limit(limit.into()).into_boxed();
    let mut query = within!(query, scope, changes::space_id);
    if let Some(user) = user {
        query = query.filter(changes::user_id.eq(user));
    }
    let rows: Vec<Row> = query.load(conn).await?;
    Ok(rows.into_iter().map(read).collect())
}

fn read((seq, space_id, user_id, kind, id, version, deleted, at): Row) -> Changed {
    Changed { place: ChangePlace(seq), space_id, user_id, kind, id, version, deleted, at: at.0 }
}

pub async fn sweep_changes(conn: &mut Conn, before: DateTime<Utc>) -> Done<u64> {
    let old = changes::table.filter(changes::at.lt(Ts::from(before))).order(changes::at);
    let swept: Vec<i64> = old.limit(SWEEP_ROWS).select(changes::seq).load(conn).await?;
    Ok(row_count(diesel::delete(changes::table.filter(changes::seq.eq_any(swept))).execute(conn).await?))
}
