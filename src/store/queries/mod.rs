//! Every query, written once and compiled once per backend: both include this folder, and `Conn` is all that differs.
//!
//! A query runs inside the caller's transaction and does one thing; nothing is decided here. Queries that serve people take
//! the [`Scope`](crate::domain::person::Scope) they may see; the others serve an account's own work.
//!
//! **Invariant:** no statement binds more than [`BATCH_ROWS`] rows or ids, whatever the caller brings.

use super::Conn;
use crate::store::error::StoreError;

pub mod accounts;
pub mod audit;
pub mod blocks;
pub mod busy;
pub mod calendars;
pub mod changes;
pub mod channels;
pub mod conflicts;
pub mod contexts;
pub mod events;
pub mod figures;
pub mod focuses;
pub mod grants;
pub mod holds;
pub mod keys;
pub mod mappings;
pub mod notices;
pub mod outbox;
pub mod owed_plans;
pub mod people;
pub mod proposals;
pub mod remains;
pub mod rollovers;
pub mod rounds;
pub mod secrets;
pub mod tasks;
pub mod unreadable;

/// Most rows or ids in one statement: 500 rows of 30 columns stay well below SQLite's 32,766 binds.
pub const BATCH_ROWS: usize = 500;

/// Most rows that one sweep removes; what is left goes with the next one, so that no transaction holds the writer for long.
pub const SWEEP_ROWS: i64 = 5_000;

type Done<T> = Result<T, StoreError>;

/// The rows of `records`, in batches.
fn batches<D, R>(records: &[D], row: fn(&D) -> Done<R>) -> impl Iterator<Item = Done<Vec<R>>> {
    records.chunks(BATCH_ROWS).map(move |batch| batch.iter().map(row).collect())
}

/// The records in `rows`.
fn read_all<R, D>(rows: Vec<R>, read: fn(R) -> Done<D>) -> Done<Vec<D>> {
    rows.into_iter().map(read).collect()
}

/// Refuses when nothing was there to be overwritten.
fn stored(rows: usize) -> Done<()> {
    if rows > 0 { Ok(()) } else { Err(StoreError::NotFound) }
}

/// How many rows a statement touched, as the API counts it.
fn row_count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
