//! Walks every world the account machine can reach, on the real `step`, and checks A1 to A13 in each.
//!
//! Time is abstracted: an instant is `due` or lies `later`, and the alarms come due one at a time or all together.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    time::Duration,
};

use calwarden::{
    domain::round::{Cause, Outcome},
    engine::account::{
        AccountMachine, Alarm, ChannelEnd, ChannelLife, CredentialKind, CredentialState, Effect, Finished, Input,
        LAPSES_NOTIFIED, Life, Moment, Past, PollPace, RefreshEnd, RetryAt, RoundEnd, RoundState, Work, alarms,
        deadline, step,
    },
};
use chrono::{DateTime, TimeDelta, Utc};

/// A world is an account, the work in flight, and what the outside is still owed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    account: AccountMachine,
    in_flight: BTreeSet<Kind>,
    /// The owner was asked to connect again since the credential last worked.
    told: bool,
    /// A wake came, and no round began since.
    unserved: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Kind {
    Round,
    Refresh,
    OpenChannel,
    CleanUp,
}

fn kind(work: Work) -> Kind {
    match work {
        Work::Round { .. } => Kind::Round,
        Work::Refresh => Kind::Refresh,
        Work::OpenChannel => Kind::OpenChannel,
        Work::CleanUp { .. } => Kind::CleanUp,
    }
}

fn noon() -> DateTime<Utc> {
    "2026-03-29T12:00:00Z".parse().expect("an instant")
}

fn moment() -> Moment {
    Moment { now: noon(), fraction: 0.5 }
}

fn later() -> DateTime<Utc> {
    noon() + TimeDelta::minutes(5)
}

const PACE: PollPace = PollPace { every: Some(Duration::from_mins(10)), at_least: None, watched: None };
const ASLEEP: PollPace = PollPace { every: None, at_least: None, watched: None };

/// Replaces every instant of the account; `None` of `place` keeps nothing that may be absent.
fn with_instants(mut account: AccountMachine, place: impl Fn(Alarm) -> DateTime<Utc>) -> AccountMachine {
    account.failures = account.failures.min(1);
    account.seen = noon();
    account.outbox_due = account.outbox_due.map(|_| place(Alarm::Outbox));
    account.quiet_until = account.quiet_until.map(|_| place(Alarm::Quiet));
    if let Life::Cleaning { retry: RetryAt { attempt, at }, .. } = &mut account.life {
        *attempt = (*attempt).min(1);
        *at = at.map(|_| place(Alarm::CleanUp));
    }
    match &mut account.round {
        RoundState::Idle { poll_at } => *poll_at = poll_at.map(|_| place(Alarm::Poll)),
        RoundState::BackingOff { until, .. } => *until = place(Alarm::Retry),
        RoundState::Owed { .. } | RoundState::Running { .. } => {}
    }
    match &mut account.channel {
        ChannelLife::Open { until, renew_at } => (*until, *renew_at) = (later(), place(Alarm::Renew)),
        ChannelLife::Lapsed { retry, .. } => *retry = place(Alarm::Renew),
        ChannelLife::Unsupported | ChannelLife::Absent { .. } | ChannelLife::Opening { .. } => {}
    }
    if let CredentialState::Fresh { expires, refresh_at, .. } = &mut account.credential {
        *expires = expires.map(|_| later());
        *refresh_at = refresh_at.map(|_| place(Alarm::Refresh));
    }
    account
}

fn all_later(account: AccountMachine) -> AccountMachine {
    with_instants(account, |_| later())
}

/// The same account with one alarm due, and once more with all of them due.
fn ringing(account: &AccountMachine) -> Vec<AccountMachine> {
    let kinds: BTreeSet<Alarm> = alarms(account).map(|(alarm, _)| alarm).collect();
    let mut worlds: Vec<_> =
        kinds.iter().map(|due| with_instants(*account, |alarm| if alarm == *due { noon() } else { later() })).collect();
    if kinds.len() > 1 {
        worlds.push(with_instants(*account, |_| noon()));
    }
    worlds
}

/// A round that ended so, with nothing else to tell.
fn ended(outcome: Outcome) -> RoundEnd {
    RoundEnd { outcome, retry_after: None, next_outbox_at: None, poll_at_least: None, unwatched: false }
}

fn ends(kind: Kind) -> Vec<Finished> {
    let round = |outcome, retry_after, next_outbox_at| {
        Finished::Round(RoundEnd { outcome, retry_after, next_outbox_at, poll_at_least: None, unwatched: false })
    };
    let a_while = Some(Duration::from_mins(2));
    match kind {
        Kind::Round => vec![
            round(Outcome::Ok, None, None),
            Finished::Round(RoundEnd { unwatched: true, ..ended(Outcome::Ok) }),
            round(Outcome::Ok, None, Some(noon())),
            round(Outcome::Partial, a_while, None),
            round(Outcome::Held, None, None),
            round(Outcome::Failed, None, None),
            round(Outcome::Failed, a_while, Some(later())),
            round(Outcome::Unauthorised, None, None),
        ],
        Kind::Refresh => vec![
            Finished::Refresh(RefreshEnd::Done { expires: Some(later()) }),
            Finished::Refresh(RefreshEnd::Done { expires: None }),
            Finished::Refresh(RefreshEnd::Failed),
            Finished::Refresh(RefreshEnd::Refused),
        ],
        Kind::OpenChannel => vec![
            Finished::Channel(ChannelEnd::Open { until: later() }),
            Finished::Channel(ChannelEnd::Failed),
            Finished::Channel(ChannelEnd::Unsupported),
        ],
        Kind::CleanUp => vec![Finished::CleanUp(true), Finished::CleanUp(false)],
    }
}

/// Everything that can happen next: inputs from outside, alarms, and the ends of work in flight.
fn next(world: &World) -> Vec<(World, Input)> {
    let outside = [
        Input::Wake(Cause::Notified),
        Input::Wake(Cause::Requested),
        Input::OutboxDue(later()),
        Input::OutboxDue(noon()),
        Input::Reauthorised,
        Input::Pause,
        Input::Resume,
        Input::Disconnect { delete_events: true },
        Input::ScheduleChanged(PACE),
        Input::ScheduleChanged(ASLEEP),
        Input::Tick,
    ];
    let mut all: Vec<_> = outside.into_iter().map(|input| (world.clone(), input)).collect();
    for account in ringing(&world.account) {
        // The deadline is reached; or it was, and something else is handled first.
        let late = [Input::Tick, Input::Wake(Cause::Notified), Input::Pause, Input::Resume, Input::Reauthorised];
        all.extend(late.into_iter().map(|input| (World { account, ..world.clone() }, input)));
    }
    for kind in &world.in_flight {
        let mut without = world.clone();
        without.in_flight.remove(kind);
        all.extend(ends(*kind).into_iter().map(|end| (without.clone(), Input::Finished(end))));
    }
    all
}

/// A password that was refused once.
fn is_doubted(account: &AccountMachine) -> bool {
    matches!(account.credential, CredentialState::Fresh { refusals: 1.., .. })
        && account.kind == CredentialKind::Lasting
}

fn apply(world: &World, input: Input) -> World {
    let why = || format!("{world:?} --{input:?}-->");
    let (account, effects) = step(world.account, input, moment());
    if input == Input::Tick {
        let due = deadline(&account).filter(|at| *at <= noon());
        assert_eq!(due, None, "A12 an alarm that rang is still due: {}", why());
    }
    let mut new = World { account: all_later(account), ..world.clone() };
    let woken = matches!(input, Input::Wake(_)) || matches!(input, Input::OutboxDue(at) if at <= noon());
    new.unserved |= woken && world.account.live();
    new.unserved &= account.live();
    new.told &= account.credential == CredentialState::Revoked;
    for effect in effects {
        match effect {
            Effect::Begin(work) => {
                let kind = kind(work);
                assert!(new.in_flight.insert(kind), "A1 two of {kind:?} in flight: {}", why());
                if kind == Kind::CleanUp {
                    assert_eq!(new.in_flight.len(), 1, "A9 clean-up beside other work: {}", why());
                } else {
                    assert!(account.live(), "A2 {kind:?} began in an account that is not live: {}", why());
                }
                if kind == Kind::Round {
                    new.unserved = false;
                    assert!(account.credential.is_fresh(), "A2 a round without a credential: {}", why());
                    // Who enters a new credential does not wait out the pause that the old one was given.
                    let entered = input == Input::Reauthorised && is_doubted(&world.account);
                    let early = !entered && world.account.quiet_until.is_some_and(|at| at > noon());
                    assert!(!early, "A2 a round before the provider's wait was over: {}", why());
                }
            }
            Effect::AskReconnect => {
                assert!(!new.told, "A6 asked twice: {}", why());
                new.told = true;
            }
            Effect::NotifyUnwatched => {
                let told =
                    matches!(world.account.channel, ChannelLife::Opening { lapses } if lapses + 1 == LAPSES_NOTIFIED);
                assert!(told, "A13 told too early, or again: {}", why());
            }
            Effect::Stop => assert_eq!(account.life, Life::Closed, "A10 stopped but not closed: {}", why()),
        }
    }
    new
}

fn check(world: &World, from: &World, input: Input) {
    let why = || format!("{from:?} --{input:?}--> {world:?}");
    let account = &world.account;
    let rings: Vec<Alarm> = alarms(account).map(|(alarm, _)| alarm).collect();
    if account.live() {
        let asleep = account.pace.every.is_none() && matches!(account.round, RoundState::Idle { .. });
        assert!(asleep || !world.in_flight.is_empty() || !rings.is_empty(), "A3 wedged: {}", why());
        let waits = matches!(account.credential, CredentialState::Refreshing { .. }) || rings.contains(&Alarm::Quiet);
        assert!(
            !matches!(account.round, RoundState::Owed { .. }) || waits,
            "A4 owed, and waiting for nothing: {}",
            why()
        );
        assert!(!world.unserved || !matches!(account.round, RoundState::Idle { .. }), "A5 a wake was lost: {}", why());
        let polls = !matches!(account.round, RoundState::Idle { .. }) || rings.contains(&Alarm::Poll);
        assert!(account.pace.every.is_none() || polls, "A3 it polls no more: {}", why());
    } else {
        let only_clean_up = rings.iter().all(|alarm| *alarm == Alarm::CleanUp);
        assert!(only_clean_up, "A7 alarms of an account that is not live: {}", why());
    }
    if matches!(account.life, Life::Active | Life::Paused) && account.credential == CredentialState::Revoked {
        assert!(world.told, "A6 revoked and nobody told: {}", why());
    }
    for (state, kind) in [
        (account.running(), Kind::Round),
        (matches!(account.channel, ChannelLife::Opening { .. }), Kind::OpenChannel),
        (matches!(account.credential, CredentialState::Refreshing { .. }), Kind::Refresh),
        (matches!(account.life, Life::Cleaning { retry: RetryAt { at: None, .. }, .. }), Kind::CleanUp),
    ] {
        assert_eq!(state, world.in_flight.contains(&kind), "A8 the state and {kind:?} in flight differ: {}", why());
    }
    if matches!(account.life, Life::Draining { .. } | Life::Cleaning { .. }) {
        assert!(!world.in_flight.is_empty() || !rings.is_empty(), "A10 never closed: {}", why());
    }
}

/// However stubbornly the provider refuses, work stops by itself until time passes or a person acts.
fn check_no_hot_loop(world: &World) {
    let mut world = world.clone();
    for _ in 0..8 {
        let refusal = RoundEnd {
            outcome: Outcome::Unauthorised,
            retry_after: None,
            next_outbox_at: Some(noon()),
            poll_at_least: None,
            unwatched: false,
        };
        let (kind, end) = if world.in_flight.contains(&Kind::Round) {
            (Kind::Round, Finished::Round(refusal))
        } else if world.in_flight.contains(&Kind::Refresh) {
            (Kind::Refresh, Finished::Refresh(RefreshEnd::Done { expires: None }))
        } else {
            return;
        };
        world.in_flight.remove(&kind);
        // The pause between rounds is over at once here: it must not be what ends the loop.
        world.account.quiet_until = None;
        world = apply(&world, Input::Finished(end));
        world.account.quiet_until = None;
        if world.account.live() && matches!(world.account.round, RoundState::Owed { .. }) {
            world = apply(&world, Input::Tick);
        }
    }
    panic!("A11 refusals and refreshes without end: {world:?}");
}

fn walk(start: &World) -> (usize, usize) {
    let begun = apply(start, Input::Started { owed: None });
    check(&begun, start, Input::Started { owed: None });
    let mut seen = HashSet::from([begun.clone()]);
    let (mut queue, mut transitions) = (VecDeque::from([begun]), 0);
    while let Some(world) = queue.pop_front() {
        check_no_hot_loop(&world);
        if world.account.life == Life::Closed {
            continue;
        }
        for (from, input) in next(&world) {
            let to = apply(&from, input);
            check(&to, &from, input);
            transitions += 1;
            if seen.insert(to.clone()) {
                queue.push_back(to);
            }
        }
    }
    (seen.len(), transitions)
}

fn pasts() -> Vec<Past> {
    let base = Past {
        kind: CredentialKind::Lasting,
        expires: None,
        channels: false,
        pace: PACE,
        paused: false,
        revoked: false,
        disconnecting: None,
        failures: 0,
        next_round_at: None,
        next_outbox_at: None,
    };
    vec![
        base,
        Past { next_round_at: Some(later()), ..base },
        Past { failures: 1, next_round_at: Some(later()), ..base },
        Past { failures: 1, next_round_at: Some(noon()), next_outbox_at: Some(noon()), ..base },
        Past { pace: ASLEEP, ..base },
        Past { paused: true, ..base },
        Past { revoked: true, ..base },
        Past { disconnecting: Some(false), ..base },
        Past { kind: CredentialKind::Refreshable, ..base },
        Past { kind: CredentialKind::Refreshable, expires: Some(noon()), ..base },
        Past { kind: CredentialKind::Refreshable, expires: Some(later()), ..base },
        Past { channels: true, ..base },
        Past { kind: CredentialKind::Refreshable, channels: true, ..base },
    ]
}

#[test]
fn every_reachable_world_keeps_the_invariants() {
    let mut all = 0;
    for past in pasts() {
        let account = AccountMachine::remembered(&past, moment());
        let start = World { account, in_flight: BTreeSet::new(), told: past.revoked, unserved: false };
        let (worlds, transitions) = walk(&start);
        println!("{worlds} worlds, {transitions} transitions from {past:?}");
        all += worlds;
    }
    assert!(all > 10_000, "the walk ended early: {all} worlds");
}

#[test]
fn a_single_refusal_of_a_password_is_checked_before_its_owner_is_asked() {
    let refused = |account: AccountMachine, now| {
        let end = ended(Outcome::Unauthorised);
        step(account, Input::Finished(Finished::Round(end)), Moment { now, fraction: 0.0 })
    };
    let past = pasts().remove(0);
    let (account, effects) = step(AccountMachine::remembered(&past, moment()), Input::Started { owed: None }, moment());
    assert_eq!(effects, [Effect::Begin(Work::Round { cause: Cause::Started })]);
    let (account, effects) = refused(account, noon());
    assert_eq!(effects, []);
    let again = deadline(&account).expect("a second try");
    let (account, effects) = step(account, Input::Tick, Moment { now: again, fraction: 0.0 });
    assert_eq!(effects, [Effect::Begin(Work::Round { cause: Cause::Retry })]);
    let (account, effects) = refused(account, again);
    assert_eq!(effects, [Effect::AskReconnect]);
    assert_eq!(deadline(&account), None);
}

/// How long after the first refusal the owner is asked, where the provider refuses every request for `burst`; `None`: they are not.
/// `eager`: somebody asks for a round every second.
fn asked_after(kind: CredentialKind, burst: TimeDelta, eager: bool) -> Option<TimeDelta> {
    let past = Past { kind, ..pasts().remove(0) };
    let mut now = noon();
    let (mut account, mut effects) =
        step(AccountMachine::remembered(&past, moment()), Input::Started { owed: None }, moment());
    while now < noon() + TimeDelta::hours(6) {
        let mut end = None;
        for effect in std::mem::take(&mut effects) {
            end = match effect {
                Effect::AskReconnect => return Some(now - noon()),
                Effect::Begin(Work::Round { .. }) if now >= noon() + burst => return None,
                Effect::Begin(Work::Round { .. }) => Some(Finished::Round(ended(Outcome::Unauthorised))),
                Effect::Begin(Work::Refresh) => Some(Finished::Refresh(RefreshEnd::Done { expires: None })),
                other => panic!("{other:?}"),
            };
        }
        let input = if let Some(end) = end {
            Input::Finished(end)
        } else {
            let due = deadline(&account).expect("a next try").max(now);
            now = if eager { due.min(now + TimeDelta::seconds(1)) } else { due };
            if now == due { Input::Tick } else { Input::Wake(Cause::Requested) }
        };
        (account, effects) = step(account, input, Moment { now, fraction: 0.0 });
    }
    panic!("neither asked nor well again: {account:?}");
}

#[test]
fn a_burst_of_refusals_strands_nobody_and_a_lasting_refusal_is_told_within_minutes() {
    for kind in [CredentialKind::Lasting, CredentialKind::Refreshable] {
        for eager in [false, true] {
            for burst in [2, 30, 60] {
                let asked = asked_after(kind, TimeDelta::seconds(burst), eager);
                assert_eq!(asked, None, "{kind:?}, {burst} s, eager: {eager}");
            }
            let asked = asked_after(kind, TimeDelta::days(1), eager).expect("asked");
            assert!(asked >= TimeDelta::minutes(1) && asked < TimeDelta::minutes(3), "{kind:?}: {asked}");
        }
    }
}

#[test]
fn a_clock_set_back_by_a_day_costs_one_poll_interval_at_most() {
    let past = Past { next_round_at: Some(later()), ..pasts().remove(0) };
    let account = AccountMachine::remembered(&past, moment());
    let yesterday = Moment { now: noon() - TimeDelta::days(1), fraction: 0.5 };
    let (account, _) = step(account, Input::Tick, yesterday);
    let wait = deadline(&account).expect("a poll") - yesterday.now;
    assert!(wait <= TimeDelta::seconds(630), "{wait}");
}

#[test]
fn nobody_shortens_the_wait_that_a_provider_asked_for() {
    let past = pasts().remove(0);
    let (account, _) = step(AccountMachine::remembered(&past, moment()), Input::Started { owed: None }, moment());
    let end = RoundEnd { retry_after: Some(Duration::from_mins(20)), ..ended(Outcome::Failed) };
    let (account, _) = step(account, Input::Finished(Finished::Round(end)), moment());
    let soon = Moment { now: noon() + TimeDelta::minutes(1), fraction: 0.5 };
    let (account, effects) = step(account, Input::Wake(Cause::Requested), soon);
    assert_eq!(effects, []);
    assert_eq!(deadline(&account), Some(noon() + TimeDelta::minutes(20)));
}

/// How long the account waits, from a moment on.
fn wait_from(account: &AccountMachine, moment: Moment) -> TimeDelta {
    deadline(account).expect("an alarm") - moment.now
}

#[test]
fn every_wait_keeps_its_length_when_a_clock_that_was_ahead_is_set_back() {
    let (started, _) =
        step(AccountMachine::remembered(&pasts().remove(0), moment()), Input::Started { owed: None }, moment());
    for (end, longest) in [
        // A pause between rounds, and somebody who asks.
        (ended(Outcome::Ok), TimeDelta::seconds(1)),
        (RoundEnd { retry_after: Some(Duration::from_mins(2)), ..ended(Outcome::Ok) }, TimeDelta::minutes(2)),
    ] {
        for back in [TimeDelta::seconds(300), TimeDelta::days(1), TimeDelta::days(400)] {
            let (account, _) = step(started, Input::Finished(Finished::Round(end)), moment());
            let before = Moment { now: noon() - back, fraction: 0.5 };
            let (account, _) = step(account, Input::Wake(Cause::Requested), before);
            assert!(wait_from(&account, before) <= longest, "{end:?} {back}: {}", wait_from(&account, before));
            let then = Moment { now: before.now + longest, fraction: 0.5 };
            let (_, effects) = step(account, Input::Tick, then);
            assert_eq!(effects, [Effect::Begin(Work::Round { cause: Cause::Requested })], "{back}");
        }
    }
    let (failed, _) = step(started, Input::Finished(Finished::Round(ended(Outcome::Failed))), moment());
    let patient = wait_from(&failed, moment());
    let before = Moment { now: noon() - TimeDelta::days(1), fraction: 0.5 };
    let (failed, _) = step(failed, Input::Tick, before);
    assert_eq!(wait_from(&failed, before), patient, "the wait after a failure");
}

#[test]
fn a_stored_wait_is_no_longer_than_any_wait_may_be() {
    let past = Past {
        failures: 3,
        next_round_at: Some(noon() + TimeDelta::days(30)),
        next_outbox_at: Some(noon() + TimeDelta::days(30)),
        ..pasts().remove(0)
    };
    let (account, _) = step(AccountMachine::remembered(&past, moment()), Input::Tick, moment());
    assert!(wait_from(&account, moment()) <= TimeDelta::hours(7), "{}", wait_from(&account, moment()));
}
