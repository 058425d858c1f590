//! Pauses, disconnections, refusals and shutdowns.

use super::*;

#[test]
fn a_disconnect_waits_for_the_round_in_flight_then_cleans_up_once() {
    story(8, 2, async |ledger, handle| {
        ledger.behave(account(0), Behave::Take(secs(40)));
        sleep(secs(10)).await;
        ledger.choose(account(0), AccountStatus::Disconnecting);
        handle.disconnect(account(0), true).await.expect("taken");
        sleep(secs(10)).await;
        assert_eq!(handle.health_of(account(0)).expect("a row").state, Phase::Draining);
        assert_eq!(ledger.status(account(0)), AccountStatus::Disconnecting);
        assert_eq!((ledger.in_flight(account(0)), ledger.cleaned(account(0))), (1, 0), "the round goes on");
        sleep(secs(60)).await;
        assert_eq!((ledger.rounds(account(0)), ledger.cleaned(account(0))), (1, 1));
        assert!(handle.health_of(account(0)).is_none(), "gone");
        sleep(secs(3600)).await;
        assert_eq!(ledger.cleaned(account(0)), 1);
        assert!(ledger.rounds(account(1)) > 4);
    });
}

#[test]
fn a_clean_up_that_fails_is_tried_until_it_succeeds() {
    story(8, 1, async |ledger, handle| {
        sleep(secs(10)).await;
        ledger.fail_clean_ups(3);
        handle.disconnect(account(0), false).await.expect("taken");
        sleep(secs(20)).await;
        assert_eq!(handle.health_of(account(0)).expect("a row").state, Phase::Cleaning);
        sleep(secs(600)).await;
        assert_eq!(ledger.cleaned(account(0)), 1);
        assert!(handle.health_of(account(0)).is_none());
    });
}

#[test]
fn a_paused_account_rests_until_it_is_resumed() {
    story(9, 1, async |ledger, handle| {
        sleep(secs(30)).await;
        ledger.choose(account(0), AccountStatus::Paused);
        handle.pause(account(0)).await.expect("taken");
        handle.wake(account(0), Cause::Notified);
        sleep(secs(3600)).await;
        assert_eq!(ledger.begun(account(0)), 1);
        assert_eq!(ledger.status(account(0)), AccountStatus::Paused);
        ledger.choose(account(0), AccountStatus::Active);
        handle.resume(account(0)).await.expect("taken");
        sleep(secs(30)).await;
        assert_eq!(ledger.begun(account(0)), 2);
        assert_eq!(ledger.status(account(0)), AccountStatus::Active);
    });
}

#[test]
fn a_disconnect_that_only_reached_the_store_is_found_when_the_actor_is_rebuilt() {
    quietly(|| {
        story(9, 1, async |ledger, handle| {
            sleep(secs(30)).await;
            ledger.choose(account(0), AccountStatus::Disconnecting);
            handle.inject_panic(account(0), PanicIn::Handler).await.expect("drills are on");
            sleep(secs(30)).await;
            assert_eq!((ledger.begun(account(0)), ledger.cleaned(account(0))), (1, 1));
            assert!(handle.health_of(account(0)).is_none());
        });
    });
}

#[test]
fn a_password_refused_twice_asks_its_owner_once() {
    story(10, 1, async |ledger, handle| {
        ledger.behave(account(0), Behave::End(Outcome::Unauthorised));
        sleep(secs(30)).await;
        assert_eq!((ledger.begun(account(0)), ledger.asked(account(0))), (1, 0), "once is not believed");
        sleep(secs(7200)).await;
        assert_eq!((ledger.begun(account(0)), ledger.asked(account(0))), (2, 1));
        assert_eq!(ledger.status(account(0)), AccountStatus::ReconnectRequired);
        ledger.behave(account(0), Behave::Take(secs(1)));
        handle.reauthorised(account(0)).await.expect("taken");
        sleep(secs(30)).await;
        assert_eq!((ledger.rounds(account(0)), ledger.status(account(0))), (3, AccountStatus::Active));
    });
}

#[test]
fn a_shutdown_waits_for_rounds_in_flight_and_begins_no_more() {
    story(16, 3, async |ledger, handle| {
        sleep(secs(30)).await;
        ledger.behave(account(0), Behave::Take(secs(20)));
        handle.wake(account(0), Cause::Requested);
        sleep(secs(5)).await;
        assert_eq!(ledger.in_flight(account(0)), 1);
        assert!(handle.shutdown(secs(60)).await, "all ended in time");
        assert_eq!((ledger.rounds(account(0)), ledger.in_flight(account(0))), (2, 0));
        handle.wake(account(1), Cause::Requested);
        sleep(secs(3600)).await;
        assert_eq!((ledger.begun(account(1)), ledger.status(account(0))), (1, AccountStatus::Active));
        assert_eq!(handle.pause(account(1)).await, Err(CommandRefused::Stopped));
    });
}

#[test]
fn the_handle_may_be_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Handle>();
}
