//! When rounds begin, and how many.

use super::*;

#[test]
fn any_number_of_wakes_while_a_round_runs_make_exactly_one_more() {
    story(5, 1, async |ledger, handle| {
        ledger.behave(account(0), Behave::Take(secs(20)));
        sleep(secs(10)).await;
        assert_eq!((ledger.begun(account(0)), ledger.rounds(account(0))), (1, 0), "one runs");
        for _ in 0..1000 {
            handle.wake(account(0), Cause::Notified);
        }
        for _ in 0..50 {
            handle.wake(account(0), Cause::Notified);
            sleep(Duration::from_millis(10)).await;
        }
        sleep(secs(120)).await;
        assert_eq!((ledger.begun(account(0)), ledger.rounds(account(0))), (2, 2));
    });
}

#[test]
fn a_thousand_wakes_at_once_make_one_round() {
    story(6, 1, async |ledger, handle| {
        sleep(secs(30)).await;
        assert_eq!(ledger.begun(account(0)), 1);
        for _ in 0..1000 {
            handle.wake(account(0), Cause::Requested);
        }
        sleep(secs(30)).await;
        assert_eq!(ledger.begun(account(0)), 2);
        assert_eq!(handle.health_of(account(0)).expect("a row").mailbox, 0);
    });
}

#[test]
fn wakes_without_end_do_not_make_rounds_without_end() {
    story(6, 1, async |ledger, handle| {
        sleep(secs(30)).await;
        ledger.behave(account(0), Behave::Take(Duration::ZERO));
        let begun = ledger.begun(account(0));
        for _ in 0..6000 {
            handle.wake(account(0), Cause::Notified);
            sleep(Duration::from_millis(10)).await;
        }
        let rounds = ledger.begun(account(0)) - begun;
        assert!((30..=61).contains(&rounds), "a minute of storm cost {rounds} rounds");
    });
}

#[test]
fn accounts_start_apart_from_each_other() {
    let mut seconds = vec![0; 46];
    let events = story(7, 200, async |_, _| sleep(secs(50)).await);
    for event in events.iter().filter(|event| event.contains(" load ")) {
        let second: usize = event.split('.').next().and_then(|second| second.parse().ok()).expect("a time");
        seconds[second] += 1;
    }
    assert_eq!(seconds.iter().sum::<i32>(), 200, "all of them started");
    let most = seconds.iter().max().expect("a second");
    assert!(*most <= 7, "{most} accounts started within one second: {seconds:?}");
}

#[test]
fn a_round_that_is_not_due_does_not_run_because_the_process_started() {
    story(7, 0, async |ledger, handle| {
        let mut start = stored();
        start.next_round_at = Some(after(400));
        ledger.store(account(0), start);
        handle.wake(account(1), Cause::Notified);
        sleep(secs(390)).await;
        assert_eq!(ledger.begun(account(0)), 0);
        sleep(secs(20)).await;
        assert_eq!(ledger.begun(account(0)), 1);
        assert!(handle.health_of(account(1)).is_none(), "an account that nobody stored gets no actor");
    });
}

#[test]
fn a_queued_write_is_tried_when_its_time_has_come() {
    story(19, 1, async |ledger, _| {
        ledger.behave(account(0), Behave::Owe(60));
        sleep(secs(50)).await;
        assert_eq!(ledger.begun(account(0)), 1);
        sleep(secs(20)).await;
        assert_eq!(ledger.begun(account(0)), 2, "long before the poll");
        sleep(secs(400)).await;
        assert_eq!(ledger.begun(account(0)), 2);
    });
}

#[test]
fn no_more_rounds_run_at_once_than_there_are_turns() {
    let config = ActorLimits { rounds_at_once_max: 3, start_spread: Duration::ZERO, ..ActorLimits::default() };
    story_with(14, 20, config, async |ledger, _| {
        for n in 0..20 {
            ledger.behave(account(n), Behave::Take(secs(10)));
        }
        sleep(secs(300)).await;
        assert_eq!(ledger.most_in_all(), 3);
        assert!((0..20).all(|n| ledger.rounds(account(n)) == 1), "and everybody had one");
    });
}
