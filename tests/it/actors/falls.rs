//! What becomes of accounts whose actors, rounds or store fail.

use super::*;

#[test]
fn a_panic_in_a_handler_or_in_a_round_rebuilds_that_account_from_the_store_and_no_other_notices() {
    quietly(|| {
        for place in [PanicIn::Handler, PanicIn::Work] {
            story(1, 4, async |ledger, handle| {
                sleep(secs(60)).await;
                let loads = ledger.loads(account(1));
                let before: Vec<_> = (0..4).map(|n| ledger.rounds(account(n))).collect();
                assert!(before.iter().all(|rounds| *rounds == 1), "everybody had a first round: {before:?}");

                handle.inject_panic(account(1), place).await.expect("drills are on");
                sleep(secs(30)).await;

                assert_eq!(ledger.loads(account(1)), loads + 1, "{place:?}: rebuilt from the store");
                assert_eq!(ledger.rounds(account(1)), before[1] + 1, "{place:?}: and synced again");
                let health = handle.health_of(account(1)).expect("a row");
                assert_eq!((health.restarts, health.state), (1, Phase::Idle), "{place:?}: and it shows");
                let why = if place == PanicIn::Handler { "handler_panicked" } else { "work_panicked" };
                assert_eq!(health.last_restart.expect("a restart").why, why);
                for n in [0, 2, 3] {
                    assert_eq!(ledger.loads(account(n)), 1);
                    assert_eq!(handle.health_of(account(n)).expect("a row").restarts, 0);
                }

                sleep(secs(3600)).await;
                for n in [0, 2, 3] {
                    assert!(ledger.rounds(account(n)) >= 5, "{place:?}: {n} goes on: {}", ledger.rounds(account(n)));
                }
            });
        }
    });
}

#[test]
fn a_sixth_fall_in_ten_minutes_quarantines_the_account_until_it_is_resumed() {
    quietly(|| {
        story(2, 2, async |ledger, handle| {
            ledger.behave(account(0), Behave::Panic);
            sleep(secs(300)).await;
            let health = handle.health_of(account(0)).expect("a row");
            assert_eq!((health.state, health.restarts), (Phase::Quarantined, 6));
            assert_eq!(ledger.status(account(0)), AccountStatus::Quarantined);
            assert_eq!(ledger.rounds(account(1)), 1, "the other one was not touched");

            let begun = ledger.begun(account(0));
            handle.wake(account(0), Cause::Notified);
            sleep(secs(3600)).await;
            assert_eq!(ledger.begun(account(0)), begun, "left alone");

            ledger.behave(account(0), Behave::Take(secs(1)));
            handle.resume(account(0)).await.expect("taken");
            sleep(secs(5)).await;
            assert_eq!(handle.health_of(account(0)).expect("a row").state, Phase::Idle);
            assert_eq!(ledger.rounds(account(0)), 1);
            assert_eq!(ledger.status(account(0)), AccountStatus::Active, "and its owner sees it");
        });
    });
}

#[test]
fn an_account_that_was_quarantined_before_the_process_started_stays_so() {
    story(2, 1, async |ledger, handle| {
        let mut start = stored();
        start.status = AccountStatus::Quarantined;
        ledger.store(account(7), start);
        handle.wake(account(7), Cause::Requested);
        sleep(secs(700)).await;
        assert_eq!(handle.health_of(account(7)).expect("a row").state, Phase::Quarantined);
        assert_eq!((ledger.begun(account(7)), ledger.rounds(account(0))), (0, 2));
    });
}

#[test]
fn falls_that_are_far_apart_never_quarantine() {
    quietly(|| {
        story(3, 1, async |_, handle| {
            sleep(secs(10)).await;
            for _ in 0..12 {
                handle.inject_panic(account(0), PanicIn::Handler).await.expect("drills are on");
                sleep(secs(150)).await;
            }
            let health = handle.health_of(account(0)).expect("a row");
            assert_eq!((health.state, health.restarts), (Phase::Idle, 12));
        });
    });
}

#[test]
fn a_round_that_never_ends_is_stopped_at_its_limit_and_the_others_go_on() {
    story(4, 3, async |ledger, handle| {
        ledger.behave(account(0), Behave::Hang);
        sleep(secs(300)).await;
        assert_eq!(handle.health_of(account(0)).expect("a row").state, Phase::Running);
        assert_eq!(ledger.in_flight(account(0)), 1);
        sleep(secs(310)).await;
        let health = handle.health_of(account(0)).expect("a row");
        assert_eq!((health.state, health.failures, health.restarts), (Phase::BackingOff, 1, 0));
        assert_eq!(health.last.expect("a round").outcome, Outcome::Failed);
        assert_eq!(ledger.status(account(0)), AccountStatus::Error);
        assert_eq!(ledger.in_flight(account(0)), 0, "it was dropped");
        sleep(secs(40)).await;
        assert_eq!((ledger.rounds(account(1)), ledger.rounds(account(2))), (2, 2), "the others polled");
    });
}

#[test]
fn a_fallen_actors_round_is_gone_before_its_successors_begins() {
    quietly(|| {
        story(11, 1, async |ledger, handle| {
            ledger.behave(account(0), Behave::Take(secs(100)));
            sleep(secs(10)).await;
            assert_eq!(ledger.in_flight(account(0)), 1);
            handle.inject_panic(account(0), PanicIn::Handler).await.expect("drills are on");
            sleep(secs(10)).await;
            assert_eq!((ledger.begun(account(0)), ledger.in_flight(account(0))), (2, 1));
            handle.restart(account(0)).await.expect("taken");
            sleep(secs(10)).await;
            assert_eq!((ledger.begun(account(0)), ledger.in_flight(account(0))), (3, 1));
            assert_eq!(ledger.most_at_once(account(0)), 1, "never two (I-25)");
            assert_eq!(handle.health_of(account(0)).expect("a row").restarts, 1, "an operator's restart is no fall");
        });
    });
}

#[test]
fn a_round_that_cannot_be_dropped_keeps_its_successor_waiting() {
    let beside = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let paused =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    System::with_tokio_rt(paused).block_on(async {
        let ledger = Ledger::new(18);
        ledger.store(account(0), stored());
        ledger.behave(account(0), Behave::Stubborn);
        let gate = ledger.gate_opener();
        // One account and one spare thread: the second load is answered while the first round holds the other.
        let handle = start_on(&ledger, ActorLimits::default(), beside.handle().clone());
        until(|| ledger.in_flight(account(0)) == 1).await;
        handle.restart(account(0)).await.expect("taken");
        until(|| ledger.loads(account(0)) == 2).await;
        until(|| handle.health_of(account(0)).is_some_and(|row| row.state == Phase::Running)).await;
        assert_eq!((ledger.begun(account(0)), ledger.in_flight(account(0))), (1, 1));
        drop(gate);
        until(|| ledger.rounds(account(0)) == 2).await;
        assert_eq!(ledger.most_at_once(account(0)), 1, "never two (I-25)");
    });
}

/// Looks again and again, giving way to the other threads; virtual time passes quickly.
async fn until(mut reached: impl FnMut() -> bool) {
    for _ in 0..10_000_000 {
        if reached() {
            return;
        }
        std::thread::yield_now();
        sleep(Duration::from_millis(1)).await;
    }
    panic!("what was waited for never came");
}

#[test]
fn a_store_that_is_down_delays_an_account_and_never_quarantines_it() {
    story(12, 0, async |ledger, handle| {
        ledger.fail_loads(40);
        ledger.store(account(0), stored());
        handle.adopt(account(0));
        sleep(secs(600)).await;
        let health = handle.health_of(account(0)).expect("a row");
        assert_eq!((health.state, health.restarts), (Phase::Starting, 0));
        sleep(secs(1200)).await;
        assert!(ledger.rounds(account(0)) > 0);
    });
}

#[test]
fn the_census_finds_accounts_without_an_actor_and_actors_without_an_account() {
    story(13, 2, async |ledger, handle| {
        sleep(secs(30)).await;
        ledger.store(account(5), stored());
        ledger.forget(account(1));
        assert!(handle.health_of(account(5)).is_none() && handle.health_of(account(1)).is_some());
        sleep(secs(310)).await;
        assert_eq!(handle.health_of(account(5)).expect("found").state, Phase::Idle);
        assert!(handle.health_of(account(1)).is_none(), "let go");
    });
}

#[test]
fn drills_are_refused_unless_allowed() {
    story_with(15, 1, ActorLimits::default(), async |_, handle| {
        sleep(secs(10)).await;
        let refused = handle.inject_panic(account(0), PanicIn::Handler).await;
        assert_eq!(refused, Err(CommandRefused::DrillsAreOff));
    });
}

#[test]
fn the_janitor_sweeps_every_half_hour_and_daily_even_after_a_sweep_panicked() {
    quietly(|| {
        let events = story(17, 0, async |ledger, _| {
            ledger.panic_in_sweeps(1);
            sleep(secs(25 * 3600)).await;
        });
        let count = |what: &str| events.iter().filter(|event| event.contains(what)).count();
        assert_eq!((count("sweep Reminders"), count("sweep Retention")), (50, 2));
    });
}

fn eventful_day(seed: u64) -> Vec<String> {
    story(seed, 12, async |ledger, handle| {
        for n in 0..12 {
            ledger.behave(account(n), Behave::Dice);
        }
        for hour in 0..6_u8 {
            sleep(secs(1800)).await;
            handle.wake(account(hour), Cause::Notified);
            handle.inject_panic(account(hour + 1), PanicIn::Handler).await.expect("drills are on");
            handle.inject_panic(account(hour + 2), PanicIn::Work).await.expect("drills are on");
            sleep(secs(1800)).await;
            handle.restart(account(hour + 3)).await.expect("taken");
        }
    })
}

#[test]
fn the_same_seed_gives_the_same_order_of_events() {
    quietly(|| {
        let mut different = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let (first, second) = (eventful_day(seed), eventful_day(seed));
            assert!(first.len() > 300, "something happened: {}", first.len());
            assert_eq!(first, second, "seed {seed}");
            different.insert(first);
        }
        assert_eq!(different.len(), 20, "and another seed another order");
    });
}
