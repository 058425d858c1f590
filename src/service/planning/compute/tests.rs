//! The pool with lists that take as long as they may: what a test waits for is always an end, never a time.

use super::*;
use crate::engine::scheduling::{TaskToPlace, TickSpan};

/// A list of so many tasks that its search goes on until it is stopped or its budget is spent.
fn list(tasks: u32, weight: u32) -> PlanProblem {
    let hours = |day: u32| TickSpan { start: day * 96 + 36, end: day * 96 + 68 };
    let task = |at: u32| TaskToPlace {
        work: Some(2 + at % 13),
        release: 0,
        due: Some(96 * (1 + at % 14)),
        weight: weight + at % 4,
        chunk_min: 2,
        chunk_max: 8,
        gap_after: None,
        map: 0,
        after: Vec::new(),
    };
    PlanProblem {
        now: 0,
        horizon: 14 * 96,
        gap: 0,
        split_cost: 8,
        maps: vec![(0..14).map(hours).collect()],
        busy: Vec::new(),
        caps: Vec::new(),
        tasks: (0..tasks).map(task).collect(),
        previous: Vec::new(),
    }
}

fn user(number: u32) -> UserId {
    format!("user-{number}").parse().expect("an id")
}

fn pool(threads: usize, waiting_max: usize) -> (Arc<Pool>, Computing) {
    let pool = Arc::new(Pool::start(threads, waiting_max).expect("threads"));
    (Arc::clone(&pool), Computing::Beside(pool))
}

/// Holds the only thread: nothing of the pool is computed until it is dropped.
struct Held<'a>(#[expect(dead_code, reason = "held, not read")] MutexGuard<'a, Lists>);

fn held(pool: &Pool) -> Held<'_> {
    Held(pool.shared.lists())
}

#[tokio::test]
async fn a_plan_from_the_pool_is_the_plan_from_here() {
    let (_pool, beside) = pool(1, 4);
    let (problem, gone) = (list(12, 1), CancellationToken::new());
    let there = beside.plan(&user(1), &problem, &gone).await.expect("a plan");
    assert_eq!(there, Computing::Here.plan(&user(1), &problem, &gone).await.expect("a plan"));
    assert!(!there.stopped);
}

#[test]
fn the_same_list_is_computed_once_and_a_newer_one_takes_its_persons_turn() {
    // No thread works yet: the order of what waits can be looked at.
    let shared = SharedLists { lists: Mutex::default(), bell: Condvar::new(), waiting_max: 2 };
    let begin = |who: u32, weight: u32| shared.begin(&user(who), &list(3, weight), SearchBudget::Interactive);
    let first = begin(1, 1).expect("room");
    let again = begin(1, 1).expect("the same");
    assert!(Arc::ptr_eq(&first.job, &again.job));
    let other = begin(2, 1).expect("room");
    assert_eq!(begin(3, 1).err(), Some(NoPlan::Full), "two wait already");
    let newer = begin(1, 2).expect("the turn of the older one");
    assert!(first.job.stopped.load(Ordering::Relaxed));
    assert_eq!(*first.job.ended.borrow(), Some(Err(NoPlan::Superseded)));
    let order: Vec<UserId> = shared.lists().waiting.iter().map(|job| job.user.clone()).collect();
    assert_eq!(order, [user(1), user(2)]);
    assert!(Arc::ptr_eq(&shared.lists().waiting[0], &newer.job));
    drop((first, again));
    assert_eq!(shared.lists().waiting.len(), 2, "who waited for the older one ends nothing else");
    drop(other);
    assert_eq!(shared.lists().waiting.len(), 1, "what nobody waits for is not computed");
    assert!(begin(3, 1).is_ok());
}

#[test]
fn callers_of_one_list_are_bounded() {
    let shared = SharedLists { lists: Mutex::default(), bell: Condvar::new(), waiting_max: 2 };
    let begin = || shared.begin(&user(1), &list(3, 1), SearchBudget::Interactive);
    let all: Vec<_> = (0..CALLERS_MAX).map(|_| begin().expect("room")).collect();
    assert_eq!(begin().err(), Some(NoPlan::Full));
    drop(all);
    assert!(begin().is_ok());
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_search_and_the_next_person_gets_a_plan() {
    let (pool, beside) = pool(1, 4);
    let gone = CancellationToken::new();
    gone.cancel();
    let long = PlanProblem { horizon: 14 * 96, ..list(400, 1) };
    assert_eq!(beside.plan(&user(1), &long, &gone).await.err(), Some(NoPlan::Abandoned));
    assert!(pool.shared.lists().newest.is_empty(), "nothing is under way for nobody");
    let here = CancellationToken::new();
    assert!(beside.plan(&user(2), &list(3, 1), &here).await.is_ok());
}

#[tokio::test]
async fn a_pool_that_is_closed_ends_what_waits_and_begins_nothing() {
    let (pool, beside) = pool(1, 4);
    let gone = CancellationToken::new();
    let waits = {
        let _held = held(&pool);
        let (beside, gone) = (beside.clone(), gone.clone());
        tokio::spawn(async move { beside.plan(&user(1), &list(400, 1), &gone).await })
    };
    beside.close();
    let ended = waits.await.expect("no panic");
    // It was computed before the pool was closed, or it was ended; it does not hang.
    assert!(matches!(&ended, Err(NoPlan::Stopping) | Ok(_)), "{ended:?}");
    assert_eq!(beside.plan(&user(2), &list(3, 1), &gone).await.err(), Some(NoPlan::Stopping));
}

#[tokio::test]
async fn a_list_that_is_refused_says_its_field() {
    let (_pool, beside) = pool(1, 4);
    let bad = PlanProblem { horizon: 0, ..list(1, 1) };
    let Err(NoPlan::Refused(why)) = beside.plan(&user(1), &bad, &CancellationToken::new()).await else { panic!() };
    assert_eq!(why.field, "horizon");
}
