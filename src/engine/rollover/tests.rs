//! The fifteen cases of a midnight, each under its own name. How long a day of each zone is, is checked with the shared cases.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::*;
use crate::domain::{
    block::BlockLock,
    task::{Due, Firmness, Repeats},
    time::EventTime,
    working_hours::{DayStart, HourSpan, PastPolicy, TimeMap},
};
use crate::engine::{
    day::restated,
    focus::{PastBlock, past},
    samples::{at, block, block_id, date, task, task_id},
    ticks::work_days,
};

fn berlin() -> Days {
    Days::of(Tz::Europe__Berlin)
}

/// The begin of Tuesday, the fifth of May 2026, in Berlin.
fn tuesday() -> DayChange {
    due(berlin(), date("2026-05-04"), at("2026-05-04T22:00:00Z")).expect("the day has begun")
}

fn span(from: &str, to: &str) -> Window {
    Window { from: at(from), to: at(to) }
}

/// Monday, 10:00 to 11:00 in Berlin.
fn monday_at_ten() -> Window {
    span("2026-05-04T08:00:00Z", "2026-05-04T09:00:00Z")
}

fn found<'a>(task: &'a Task, blocks: &'a [TimeBlock]) -> FoundTask<'a> {
    FoundTask { task, blocks, worked: &[], clock: FocusClock::Idle, session_min: 0, owed: false }
}

fn ending(found: &FoundTask<'_>) -> Ending {
    match fate(found, tuesday()) {
        TaskOutcome::Ends(ending) => ending,
        other => panic!("it ends: {other:?}"),
    }
}

#[test]
fn after_a_weekend_without_the_server_there_is_one_change_of_day() {
    let days = berlin();
    let friday = date("2026-05-01");
    let turn = due(days, friday, at("2026-05-04T06:00:00Z")).expect("due");
    assert_eq!(turn.to, date("2026-05-04"));
    assert_eq!(turn.skipped, Some((date("2026-05-02"), date("2026-05-03"))));
    let (work, blocks) = (task(1), [block(1, 1, span("2026-05-01T08:00:00Z", "2026-05-01T09:00:00Z"))]);
    let TaskOutcome::Ends(Ending { next: Some(next), .. }) = fate(&found(&work, &blocks), turn) else {
        panic!("carried")
    };
    assert_eq!(next.carry_count, 1, "one, not three");
    assert_eq!(due(days, turn.to, at("2026-05-04T06:00:01Z")), None);
}

#[test]
fn a_flight_to_tokyo_begins_the_new_date_at_once_and_the_way_back_begins_it_no_second_time() {
    let (la, tokyo) = (Days::of(Tz::America__Los_Angeles), Days::of(Tz::Asia__Tokyo));
    let ten = at("2026-05-10T17:00:00Z");
    let last = date("2026-05-10");
    assert_eq!(due(la, last, ten), None);
    let turn = due(tokyo, last, ten).expect("it is the 11th there");
    assert_eq!((turn.to, turn.skipped), (date("2026-05-11"), None));
    // Back again: the 10th, then the 11th a second time, then the 12th.
    assert_eq!(due(la, turn.to, ten), None);
    assert_eq!(due(la, turn.to, at("2026-05-11T20:00:00Z")), None);
    assert_eq!(next_alarm(la, turn.to), Some(at("2026-05-12T07:00:00Z")));
    assert_eq!(due(la, turn.to, at("2026-05-12T07:00:00Z")).map(|turn| turn.to), Some(date("2026-05-12")));
}

#[test]
fn a_date_that_comes_twice_over_the_date_line_begins_once() {
    let (auckland, honolulu) = (Days::of(Tz::Pacific__Auckland), Days::of(Tz::Pacific__Honolulu));
    let morning = at("2026-05-09T21:00:00Z");
    let rolled = due(auckland, date("2026-05-09"), morning).expect("the 10th").to;
    let landed = at("2026-05-10T06:00:00Z");
    assert_eq!(honolulu.date(landed), date("2026-05-09"));
    assert_eq!(due(honolulu, rolled, landed), None);
    assert_eq!(due(honolulu, rolled, at("2026-05-10T10:00:00Z")), None, "midnight of the 10th, again");
    assert_eq!(next_alarm(honolulu, rolled), Some(at("2026-05-11T10:00:00Z")));
}

#[test]
fn a_running_clock_keeps_its_own_task_until_it_stops_and_no_other() {
    let (work, other) = (task(1), task(2));
    // At work since 23:40, and lengthened past midnight.
    let mut at_work = block(1, 1, span("2026-05-04T21:00:00Z", "2026-05-04T22:15:00Z"));
    at_work.state = BlockState::InProgress;
    let blocks = [at_work];
    let running = FoundTask { clock: FocusClock::Running, ..found(&work, &blocks) };
    assert_eq!(fate(&running, tuesday()), TaskOutcome::Waits);
    let others = [block(2, 2, monday_at_ten())];
    assert_eq!(ending(&found(&other, &others)).status, TaskStatus::Carried);
    // It stops at 00:40; the focus session has cut its block.
    let mut worked = task(1);
    worked.actual_min = 100;
    worked.facts.estimate_min = Some(180);
    let mut history = blocks[0].clone();
    (history.end, history.state) = (at("2026-05-04T22:40:00Z"), BlockState::Done);
    let history = [history];
    let stopped = FoundTask { owed: true, ..found(&worked, &history) };
    let next = ending(&stopped).next.expect("carried");
    assert_eq!(next.carried_actual_min, 100, "what was worked after midnight counts for what is left");
    assert_eq!(next.rest, Some(Rest { minutes: 80, exceeded: false }));
    let mut finished = worked.clone();
    finished.facts.status = TaskStatus::Done;
    assert_eq!(fate(&FoundTask { task: &finished, ..stopped }, tuesday()), TaskOutcome::Stays(WhyStays::Closed));
}

#[test]
fn a_clock_that_stands_still_does_not_keep_its_task() {
    let (work, mut begun) = (task(1), block(1, 1, monday_at_ten()));
    begun.state = BlockState::InProgress;
    let (blocks, worked) = ([begun], [span("2026-05-04T08:05:00Z", "2026-05-04T08:25:00Z")]);
    let paused = FoundTask { clock: FocusClock::Paused, session_min: 20, worked: &worked, ..found(&work, &blocks) };
    let ending = ending(&paused);
    assert_eq!(ending.session_min, Some(20));
    let next = ending.next.expect("carried");
    assert_eq!((next.carried_actual_min, next.rest.map(|rest| rest.minutes)), (20, Some(40)));
    let kept = span("2026-05-04T08:00:00Z", "2026-05-04T08:25:00Z");
    assert_eq!(ending.blocks, [(block_id(1), BlockEnd::Worked(kept))]);
}

#[test]
fn a_block_over_midnight_is_missed_at_its_own_end_and_not_at_midnight() {
    let work = task(1);
    let late = block(1, 1, span("2026-05-04T21:30:00Z", "2026-05-04T22:30:00Z"));
    let blocks = [late.clone()];
    assert_eq!(fate(&found(&work, &blocks), tuesday()), TaskOutcome::Stays(WhyStays::BlockAhead));
    assert_eq!(past(&late, false, PastPolicy::Missed, at("2026-05-04T22:00:00Z")), None);
    // From half past midnight on it is over, and half an hour later, with nobody's word for it, missed.
    let judged = past(&late, false, PastPolicy::Missed, at("2026-05-04T22:30:00Z"));
    assert_eq!(judged, Some(PastBlock::Waiting(at("2026-05-04T23:00:00Z"))));
    assert_eq!(past(&late, false, PastPolicy::Missed, at("2026-05-04T23:00:00Z")), Some(PastBlock::Missed));
}

#[test]
fn yesterdays_task_that_is_finished_at_five_past_midnight_withdraws_its_new_instance_once() {
    let mut new = task(2);
    (new.carried_from, new.carry_count) = (Some(task_id(1)), 1);
    let mut worked_block = block(3, 2, span("2026-05-05T07:00:00Z", "2026-05-05T07:30:00Z"));
    let planned = block(2, 2, span("2026-05-05T08:00:00Z", "2026-05-05T09:00:00Z"));
    let end = |new: &Task, blocks: &[TimeBlock]| withdraw(task_id(1), &[LateInstance { task: new, blocks }]);
    let ends = end(&new, std::slice::from_ref(&planned));
    assert_eq!(ends, [LateEnd { task: task_id(2), status: TaskStatus::Cancelled, dropped: vec![block_id(2)] }]);
    new.actual_min = 30;
    worked_block.state = BlockState::Done;
    let ends = end(&new, &[worked_block, planned]);
    assert_eq!(
        ends,
        [LateEnd { task: task_id(2), status: TaskStatus::Done, dropped: vec![block_id(2)] }],
        "what was worked stays worked"
    );
    new.facts.status = TaskStatus::Cancelled;
    assert_eq!(end(&new, &[]), [], "the second time there is nothing to do");
}

#[test]
fn a_block_that_was_moved_outside_before_the_change_of_day_keeps_its_task_where_it_is() {
    let (work, mut moved) = (task(1), block(1, 1, span("2026-05-05T12:00:00Z", "2026-05-05T13:00:00Z")));
    (moved.lock, moved.state) = (BlockLock::External, BlockState::Tentative);
    assert_eq!(fate(&found(&work, &[moved]), tuesday()), TaskOutcome::Stays(WhyStays::BlockAhead));
}

#[test]
fn after_a_restart_in_the_middle_the_second_run_finds_nothing_to_do() {
    let (days, now) = (berlin(), at("2026-05-04T22:00:05Z"));
    let turn = due(days, date("2026-05-04"), now).expect("due");
    // The first run committed: the date is stored with the instances.
    assert_eq!(due(days, turn.to, now), None);
    let (mut work, blocks) = (task(1), [block(1, 1, monday_at_ten())]);
    // It did not: the same decision again, from the same rows.
    assert_eq!(fate(&found(&work, &blocks), turn), fate(&found(&work, &blocks), turn));
    work.facts.status = TaskStatus::Carried;
    assert_eq!(fate(&found(&work, &blocks), turn), TaskOutcome::Stays(WhyStays::Closed));
}

#[test]
fn a_night_shift_belongs_to_the_date_it_begins_on() {
    let hours = HourSpan::try_from(("22:00".to_owned(), "06:00".to_owned())).expect("a span");
    let map = TimeMap {
        weekly: crate::domain::person::Weekday::ALL.iter().map(|day| (*day, vec![hours])).collect(),
        ..TimeMap::default()
    };
    let work = work_days(berlin(), &map, &BTreeSet::new(), span("2026-10-23T22:00:00Z", "2026-10-26T22:00:00Z"));
    let night = work.iter().find(|day| day.date == date("2026-10-24")).expect("the night of the clock change");
    assert_eq!(night.windows.first().map(Window::length), Some(Duration::hours(9)));
}

#[test]
fn a_due_date_ends_with_its_day_and_does_not_move_with_the_task() {
    let cairo = Days::of(Tz::Africa__Cairo);
    let mut work = task(1);
    let due_on = Due { at: EventTime::Date(date("2026-04-23")), firmness: Firmness::Hard };
    work.facts.due = Some(due_on);
    assert_eq!(cairo.wall(cairo.deadline(&due_on)).to_string(), "2026-04-24 01:00:00");
    // A new instance has of its own only what `NextInstance` names.
    let NextInstance { carried_from, carry_count, carried_actual_min, rest: _ } =
        ending(&found(&work, &[block(1, 1, monday_at_ten())])).next.expect("carried");
    assert_eq!((carried_from, carry_count, carried_actual_min), (work.id, 1, 0));
}

#[test]
fn a_daily_task_that_was_missed_is_skipped_and_any_other_is_carried() {
    let blocks = [block(1, 1, monday_at_ten())];
    let repeating = |rule: &str, missed| {
        let mut work = task(1);
        work.facts.repeats = Some(Repeats { rule: rule.to_owned(), missed });
        work
    };
    let status = |work: &Task| ending(&found(work, &blocks)).status;
    assert_eq!(status(&repeating("FREQ=DAILY", None)), TaskStatus::Skipped);
    assert_eq!(status(&repeating("FREQ=WEEKLY;BYDAY=MO", None)), TaskStatus::Carried);
    assert_eq!(status(&repeating("FREQ=DAILY", Some(MissedPolicy::Carry))), TaskStatus::Carried);
    assert_eq!(status(&repeating("FREQ=WEEKLY", Some(MissedPolicy::Skip))), TaskStatus::Skipped);
    assert!(ending(&found(&repeating("FREQ=DAILY", None), &blocks)).next.is_none());
}

#[test]
fn new_rules_of_a_zone_move_the_alarm_and_keep_the_clock_of_a_block() {
    // The alarm is a function of the date alone, so whatever the rules say now is what it is.
    let asuncion = Days::of(Tz::America__Asuncion);
    assert_eq!(next_alarm(asuncion, date("2026-03-21")), Some(at("2026-03-22T03:00:00Z")));
    let old = span("2026-04-01T13:00:00Z", "2026-04-01T14:00:00Z");
    let wall = "2026-04-01T09:00:00".parse().expect("a wall time");
    let moved = restated(old, wall, asuncion.zone).expect("moved");
    assert_eq!(moved, span("2026-04-01T12:00:00Z", "2026-04-01T13:00:00Z"));
}

#[test]
fn a_clock_that_steps_back_begins_no_day_twice_and_the_users_zone_decides() {
    let days = berlin();
    let rolled = due(days, date("2026-05-04"), at("2026-05-04T22:00:10Z")).expect("due").to;
    for now in ["2026-05-04T21:00:10Z", "2026-05-04T21:59:59Z", "2026-05-04T22:00:11Z"] {
        assert_eq!(due(days, rolled, at(now)), None, "{now}");
    }
    // The block's calendar is in Lisbon, where it is still Monday: it is Tuesday for who lives in Berlin.
    let (work, mut elsewhere) = (task(1), block(1, 1, monday_at_ten()));
    elsewhere.zone = Tz::Europe__Lisbon;
    assert!(matches!(fate(&found(&work, &[elsewhere]), tuesday()), TaskOutcome::Ends(_)));
}

#[test]
fn ten_thousand_users_change_day_together_and_are_planned_one_after_the_other() {
    let spread = Duration::minutes(10);
    let mut slots = [0_u32; 10];
    for number in 0..10_000 {
        let user: UserId = format!("user-{number}").parse().expect("an id");
        let delay = planning_delay(&user, spread);
        assert_eq!(delay, planning_delay(&user, spread));
        slots[usize::try_from(delay.num_minutes()).expect("a minute")] += 1;
    }
    assert!(slots.iter().all(|users| (900..1_100).contains(users)), "{slots:?}");
    let ada: UserId = "ada".parse().expect("an id");
    assert_eq!(planning_delay(&ada, Duration::zero()), Duration::zero());
}

#[test]
fn history_is_cut_to_what_was_worked_and_what_was_only_offered_goes() {
    let mut work = task(1);
    work.actual_min = 70;
    let mut offered = block(4, 1, span("2026-05-06T08:00:00Z", "2026-05-06T09:00:00Z"));
    offered.state = BlockState::Proposed;
    let mut done = block(3, 1, span("2026-05-04T05:00:00Z", "2026-05-04T05:30:00Z"));
    done.state = BlockState::Done;
    let blocks = [
        block(1, 1, monday_at_ten()),
        block(2, 1, span("2026-05-04T10:00:00Z", "2026-05-04T11:00:00Z")),
        block(5, 1, span("2026-05-04T12:00:00Z", "2026-05-04T13:00:00Z")),
        done,
        offered,
    ];
    let worked = [
        span("2026-05-04T08:10:00Z", "2026-05-04T08:20:00Z"),
        span("2026-05-04T08:30:00Z", "2026-05-04T08:40:00Z"),
        span("2026-05-04T10:55:00Z", "2026-05-04T11:10:00Z"),
    ];
    let ending = ending(&FoundTask { worked: &worked, ..found(&work, &blocks) });
    assert_eq!(
        ending.blocks,
        [
            (block_id(1), BlockEnd::Worked(span("2026-05-04T08:00:00Z", "2026-05-04T08:40:00Z"))),
            (block_id(2), BlockEnd::Worked(span("2026-05-04T10:00:00Z", "2026-05-04T11:00:00Z"))),
            (block_id(5), BlockEnd::Missed),
            (block_id(4), BlockEnd::Withdrawn),
        ]
    );
    let rest = ending.next.and_then(|next| next.rest);
    assert_eq!(rest, Some(Rest { minutes: 15, exceeded: true }), "the hour is used up");
}

#[test]
fn the_sixth_time_a_task_is_not_carried_but_asked_about() {
    let (mut work, blocks) = (task(1), [block(1, 1, monday_at_ten())]);
    work.carry_count = CARRIES_MAX - 1;
    assert_eq!(ending(&found(&work, &blocks)).next.map(|next| next.carry_count), Some(CARRIES_MAX));
    work.carry_count = CARRIES_MAX;
    let stale = ending(&found(&work, &blocks));
    assert_eq!((stale.status, stale.next), (TaskStatus::Stale, None));
}

#[test]
fn a_day_that_begins_at_four_changes_at_four() {
    let days = Days { zone: Tz::Europe__Berlin, starts_at: DayStart::try_from("04:00".to_owned()).expect("a start") };
    let monday = date("2026-05-04");
    assert_eq!(due(days, monday, at("2026-05-05T01:59:59Z")), None);
    assert_eq!(due(days, monday, at("2026-05-05T02:00:00Z")).map(|turn| turn.to), Some(date("2026-05-05")));
    assert_eq!(next_alarm(days, monday), Some(at("2026-05-05T02:00:00Z")));
}

#[test]
fn what_was_never_planned_or_is_over_has_nothing_to_do_with_midnight() {
    let mut work = task(1);
    assert_eq!(fate(&found(&work, &[]), tuesday()), TaskOutcome::Stays(WhyStays::Unplanned));
    let mut offered = block(1, 1, monday_at_ten());
    offered.state = BlockState::Proposed;
    assert_eq!(fate(&found(&work, &[offered]), tuesday()), TaskOutcome::Stays(WhyStays::Unplanned));
    work.facts.status = TaskStatus::Done;
    assert_eq!(fate(&found(&work, &[block(1, 1, monday_at_ten())]), tuesday()), TaskOutcome::Stays(WhyStays::Closed));
}
