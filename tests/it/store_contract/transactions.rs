//! Transactions: whole or not at all, in order, and durable before they are acknowledged.

use std::{
    future::{Future, poll_fn},
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use calwarden::{
    domain::{ids::EventId, person::Scope},
    store::{Mode, Store, StoreConfig, StoreError},
};
use tokio::task::JoinSet;

use super::{
    Base,
    given::{self, at, id},
    on_every_database,
};

on_every_database![
    what_is_dropped_never_happened,
    a_reader_sees_one_picture,
    a_reader_cannot_write,
    a_failed_transaction_cannot_be_committed,
    an_interrupted_query_spoils_its_transaction,
    many_writers_at_once_are_all_kept,
    an_acknowledged_write_is_seen_by_another_process,
    cancelled_transactions_leave_no_lock_and_no_half,
    a_waiting_writer_may_give_up,
    a_second_service_is_refused,
    nobody_else_reads_the_files_of_a_database,
];

async fn what_is_dropped_never_happened(base: Base) {
    let mut tx = base.write().await;
    tx.put_space(&given::space("home")).await.expect("space");
    assert!(tx.space(&given::space_id("home")).await.expect("read").is_some(), "seen inside");
    drop(tx);
    assert_eq!(base.write().await.space(&given::space_id("home")).await, Ok(None));
    assert_eq!(base.read().await.space(&given::space_id("home")).await, Ok(None));
}

async fn a_reader_sees_one_picture(base: Base) {
    given::ada(&base).await;
    let mut reader = base.read().await;
    assert_eq!(reader.space(&given::space_id("later")).await, Ok(None));
    let mut writer = base.write().await;
    writer.put_space(&given::space("later")).await.expect("space");
    writer.commit().await.expect("committed");
    assert_eq!(reader.space(&given::space_id("later")).await, Ok(None), "it began before");
    reader.commit().await.expect("ended");
    assert!(base.read().await.space(&given::space_id("later")).await.expect("read").is_some());
}

async fn a_reader_cannot_write(base: Base) {
    let mut tx = base.read().await;
    assert!(matches!(tx.put_space(&given::space("home")).await, Err(StoreError::Backend(_))));
}

async fn a_failed_transaction_cannot_be_committed(base: Base) {
    given::ada(&base).await;
    let mut tx = base.write().await;
    tx.put_space(&given::space("later")).await.expect("space");
    assert_eq!(tx.insert_account(&given::account(9, "home", "nobody")).await, Err(StoreError::NotFound));
    assert!(matches!(tx.pulse(at(0)).await, Err(StoreError::Backend(_))));
    assert!(matches!(tx.commit().await, Err(StoreError::Backend(_))));
    assert_eq!(base.write().await.space(&given::space_id("later")).await, Ok(None));
}

/// Polls a future once and drops it: a time-out at the worst moment. `true`: it had come to its end.
fn interrupt<F: Future>(future: F) -> bool {
    let mut future = Box::pin(future);
    matches!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(_))
}

async fn an_interrupted_query_spoils_its_transaction(base: Base) {
    let mut tx = base.write().await;
    let space = given::space("home");
    // Inline, a query cannot be interrupted: one poll runs it to its end.
    if interrupt(tx.put_space(&space)) {
        tx.commit().await.expect("committed");
        return;
    }
    assert!(matches!(tx.pulse(at(0)).await, Err(StoreError::Backend(_))));
    assert!(matches!(tx.commit().await, Err(StoreError::Backend(_))));
    assert_eq!(base.write().await.space(&space.id).await, Ok(None));
}

/// One transaction of two rows, so that half of it would show: an event and its copy with the number plus a million. Counts its
/// steps as they are done.
async fn write_pair_in_steps(store: &Store, number: u64, steps: &AtomicUsize) -> Result<(), StoreError> {
    let mut tx = store.begin(Mode::Write, &Scope::Whole).await?;
    steps.store(1, Ordering::Relaxed);
    tx.put_events(&[given::event(number, None)], &[(at(0), None)]).await?;
    steps.store(2, Ordering::Relaxed);
    tokio::task::yield_now().await;
    tx.put_events(&[given::event(number + 1_000_000, None)], &[(at(0), None)]).await?;
    steps.store(3, Ordering::Relaxed);
    tx.commit().await
}

async fn write_pair(store: &Store, number: u64) -> Result<(), StoreError> {
    write_pair_in_steps(store, number, &AtomicUsize::new(0)).await
}

/// The same, dropped where it first waits after so many steps. `true`: it was still under way.
async fn write_pair_cancelled(store: &Store, number: u64, after: usize) -> bool {
    let steps = AtomicUsize::new(0);
    let mut doomed = Box::pin(write_pair_in_steps(store, number, &steps));
    poll_fn(|cx| match doomed.as_mut().poll(cx) {
        Poll::Ready(ended) => Poll::Ready(ended.is_err()),
        Poll::Pending if steps.load(Ordering::Relaxed) >= after => Poll::Ready(true),
        Poll::Pending => Poll::Pending,
    })
    .await
}

async fn kept(base: &Base, numbers: impl Iterator<Item = u64>) -> Vec<u64> {
    let wanted: Vec<(u64, EventId)> = numbers.map(|number| (number, id(number))).collect();
    let ids: Vec<EventId> = wanted.iter().map(|(_, id)| *id).collect();
    let found = base.read().await.events_by_ids(&ids).await.expect("read");
    let found: std::collections::BTreeSet<EventId> = found.into_iter().map(|event| event.id).collect();
    wanted.into_iter().filter(|(_, id)| found.contains(id)).map(|(number, _)| number).collect()
}

async fn many_writers_at_once_are_all_kept(base: Base) {
    given::ada(&base).await;
    let mut writers = JoinSet::new();
    for number in 1_000..1_200 {
        let store = base.store.clone();
        writers.spawn(async move {
            if number % 5 == 0 {
                // Begun, written and dropped: must take nothing of its neighbours with it.
                let mut tx = store.begin(Mode::Write, &Scope::Whole).await.expect("begun");
                tx.put_events(&[given::event(number, None)], &[(at(0), None)]).await.expect("written");
            } else {
                write_pair(&store, number).await.expect("acknowledged");
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.expect("no panic");
    }
    let committed: Vec<u64> = (1_000..1_200).filter(|number| number % 5 != 0).collect();
    assert_eq!(kept(&base, 1_000..1_200).await, committed);
    assert_eq!(kept(&base, 1_001_000..1_001_200).await.len(), committed.len());
}

async fn an_acknowledged_write_is_seen_by_another_process(base: Base) {
    given::ada(&base).await;
    let other = Store::open(base.config.clone()).await.expect("another store on the same database");
    for number in 10..30 {
        write_pair(&base.store, number).await.expect("acknowledged");
        let mut tx = other.begin(Mode::Read, &Scope::Whole).await.expect("begun");
        assert_eq!(tx.events_by_ids(&[id(number)]).await.expect("read").len(), 1);
        tx.commit().await.expect("ended");
        write_pair(&other, number + 500).await.expect("and the other way round");
        assert_eq!(kept(&base, std::iter::once(number + 500)).await, [number + 500]);
    }
}

async fn cancelled_transactions_leave_no_lock_and_no_half(base: Base) {
    given::ada(&base).await;
    let store = Arc::new(base.store.clone());
    let mut steady = JoinSet::new();
    for lane in 0..4_u64 {
        let store = Arc::clone(&store);
        steady.spawn(async move {
            for step in 0..50 {
                write_pair(&store, 2_000 + lane * 100 + step).await.expect("the others go on");
            }
        });
    }
    let mut interrupted = 0;
    for number in 1_000..1_200_u64 {
        let after = usize::try_from(number % 4).expect("small");
        interrupted += u32::from(write_pair_cancelled(&store, number, after).await);
    }
    assert!(interrupted >= 100, "only {interrupted} of 200 were interrupted");
    while let Some(ended) = steady.join_next().await {
        ended.expect("no panic");
    }
    write_pair(&base.store, 5_000).await.expect("no lock is left");
    assert_eq!(kept(&base, 2_000..2_400).await.len(), 200);
    let first = kept(&base, 1_000..1_200).await;
    let second: Vec<u64> = kept(&base, 1_001_000..1_001_200).await.into_iter().map(|n| n - 1_000_000).collect();
    assert_eq!(first, second, "both rows or none");
    let unfinished = first.iter().filter(|number| *number % 4 < 3).count();
    assert_eq!(unfinished, 0, "what never came to its commit is not there");
}

async fn a_waiting_writer_may_give_up(base: Base) {
    given::ada(&base).await;
    let holder = base.write().await;
    for _ in 0..50 {
        interrupt(base.store.begin(Mode::Write, &Scope::Whole));
    }
    holder.commit().await.expect("committed");
    write_pair(&base.store, 7).await.expect("the next one gets its turn");
}

async fn a_second_service_is_refused(base: Base) {
    let other = Store::open(base.config.clone()).await.expect("another process");
    let held = base.store.lock_instance().await.expect("the first");
    assert!(matches!(other.lock_instance().await, Err(StoreError::Busy)));
    let mut tx = other.begin(Mode::Write, &Scope::Whole).await.expect("the command line may still write");
    tx.put_space(&given::space("home")).await.expect("space");
    tx.commit().await.expect("committed");
    if let (false, Some(database)) = (base.is_postgres(), base.database()) {
        // Another data directory, another way to the file, and none of our own files left: the database is the same.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&database, &link).expect("a link");
        for ours in ["calwarden.db.migrate", "calwarden.lock"] {
            let _ = std::fs::remove_file(database.with_file_name(ours));
        }
        let config = StoreConfig {
            url: Some(link.display().to_string()),
            data_dir: folder.path().join("data"),
            ..base.config.clone()
        };
        let elsewhere = Store::open(config).await.expect("a third process");
        assert!(matches!(elsewhere.lock_instance().await, Err(StoreError::Busy)));
    }
    drop(held);
    if !base.is_postgres() {
        other.lock_instance().await.expect("free again");
    }
}

async fn nobody_else_reads_the_files_of_a_database(base: Base) {
    given::ada(&base).await;
    let Some(database) = base.database() else { return };
    for ending in ["", "-wal", "-shm"] {
        let file = database.with_file_name(format!("calwarden.db{ending}"));
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).expect("as it was made once");
    let _again = Store::open(base.config.clone()).await.expect("open");
    let mode = std::fs::metadata(&database).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it is mended");
}
