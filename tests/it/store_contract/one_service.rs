//! One service on a PostgreSQL database, whatever becomes of the session that holds its lock.

use std::time::Duration;

use calwarden::{
    domain::person::Scope,
    store::{Mode, Store, StoreError},
};

use super::Base;
use crate::support::postgres;

/// The lock of the one service.
const KEY: i64 = 0x7761_7264_7365_7276;
/// The sessions that hold the lock, or wait for it, in this database.
const SESSIONS: &str = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = \
    (SELECT oid FROM pg_database WHERE datname = current_database()) AND granted = ";
const LOOKS_MAX: u32 = 3_000;

/// Looks until it is so.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    for _ in 0..LOOKS_MAX {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

async fn sessions(admin: &tokio_postgres::Client, granted: bool) -> usize {
    admin.query(&format!("{SESSIONS} {granted}"), &[]).await.expect("the locks").len()
}

async fn end_the_session(admin: &tokio_postgres::Client) {
    let end = format!("SELECT pg_terminate_backend(pid) FROM ({SESSIONS} true) AS held");
    admin.batch_execute(&end).await.expect("ended");
}

async fn works(store: &Store) -> bool {
    store.begin(Mode::Write, &Scope::Whole).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_whose_session_ended_is_taken_again_before_work_goes_on() {
    let base = Base::postgres().await;
    let held = base.store.lock_instance().await.expect("the first");
    let admin = postgres::connect(base.config.url.as_deref().expect("a URL")).await;
    for _ in 0..3 {
        end_the_session(&admin).await;
        until("the lock is held again", || async { sessions(&admin, true).await == 1 && works(&base.store).await })
            .await;
        let other = Store::open(base.config.clone()).await.expect("another process");
        assert!(matches!(other.lock_instance().await, Err(StoreError::Busy)));
    }
    drop(held);
    until("the lock is free", || async { sessions(&admin, true).await == 0 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_whose_lock_another_has_taken_does_nothing_more() {
    let base = Base::postgres().await;
    let held = base.store.lock_instance().await.expect("the first");
    let url = base.config.url.clone().expect("a URL");
    let admin = postgres::connect(&url).await;
    let rival = postgres::connect(&url).await;
    let waiting = tokio::spawn(async move {
        rival.execute("SELECT pg_advisory_lock($1)", &[&KEY]).await.expect("it gets the lock");
        rival
    });
    until("the rival waits", || async { sessions(&admin, false).await == 1 }).await;
    assert!(works(&base.store).await);
    end_the_session(&admin).await;
    let _rival = waiting.await.expect("the rival serves");
    until("the first has seen it", || async { base.store.is_ours().is_err() }).await;
    assert!(!works(&base.store).await);
    let why = base.store.is_ours().expect_err("not ours").to_string();
    assert!(why.contains("taken again"), "at once, not when it has given up: {why}");
    tokio::time::timeout(Duration::from_mins(1), held.lost()).await.expect("and is told to stop");
    assert!(!works(&base.store).await);
}
