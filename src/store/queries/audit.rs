//! The audit log: written with the change it records (I-31), never changed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, SWEEP_ROWS, batches, read_all, row_count};
use crate::{
    domain::{
        conflict::AuditLine,
        ids::{AccountId, AuditId},
        person::Scope,
    },
    store::{rows::AuditRow, schema::audit, types::Ts},
};

pub async fn audit(conn: &mut Conn, lines: &[AuditLine]) -> Done<()> {
    for batch in batches(lines, AuditRow::of) {
        let batch = batch?;
        batch!(conn, batch => diesel::insert_into(audit::table).values(&batch))?;
    }
    Ok(())
}

pub async fn audit_of(conn: &mut Conn, scope: &Scope, account: AccountId, limit: u32) -> Done<Vec<AuditLine>> {
    let query = audit::table
        .filter(audit::account_id.eq(account))
        .order(audit::id.desc())
        .limit(limit.into())
        .select(AuditRow::as_select())
        .into_boxed();
    read_all(within!(query, scope, audit::space_id).load(conn).await?, AuditRow::read)
}

pub async fn sweep_audit(conn: &mut Conn, before: DateTime<Utc>) -> Done<u64> {
    let old = audit::table.filter(audit::at.lt(Ts::from(before))).order(audit::at);
    let swept: Vec<AuditId> = old.limit(SWEEP_ROWS).select(audit::id).load(conn).await?;
    Ok(row_count(diesel::delete(audit::table.filter(audit::id.eq_any(swept))).execute(conn).await?))
}
