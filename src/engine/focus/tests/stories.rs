use chrono_tz::Tz;
use uuid::Uuid;

use super::super::*;
use crate::domain::block::BlockState;
use crate::engine::samples::{at, block, block_id, date, hours, monday, task, task_id};

const FRESH: u128 = 900;

fn start() -> FocusInput {
    FocusInput::Start { focus: FocusId(Uuid::from_u128(1)), fresh: block_id(FRESH) }
}

fn tick() -> FocusInput {
    FocusInput::Tick { fresh: block_id(FRESH) }
}

fn resume() -> FocusInput {
    FocusInput::Resume { fresh: block_id(FRESH) }
}

/// Whole days, so that hours do not matter.
fn always() -> Window {
    Window { from: at("2026-05-01T00:00:00Z"), to: at("2026-06-01T00:00:00Z") }
}

fn flexible<'a>(block: &'a TimeBlock, hours: &'a [Window]) -> Ahead<'a> {
    Ahead { block, pinned: false, earliest: always().from, hours }
}

/// A focus session that began at a time in its block, and the block as it is then.
fn begun(span: Window, when: DateTime<Utc>) -> (Focus, TimeBlock) {
    let work = task(1);
    let mut planned = block(10, 1, span);
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    let (focus, effects) = step(None, start(), &context, when);
    for effect in effects {
        if let FocusEffect::Stretch(_, span) = effect {
            (planned.start, planned.end) = (span.from, span.to);
            (planned.state, planned.lock) = (BlockState::InProgress, BlockLock::Started);
        }
    }
    (focus.expect("it runs"), planned)
}

#[test]
fn a_block_that_is_begun_early_begins_at_the_last_five_minutes_and_keeps_its_length() {
    let (work, planned) = (task(1), block(10, 1, hours("14:00", "15:00")));
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    let (focus, effects) = step(None, start(), &context, monday("09:52:40"));
    assert_eq!(effects, [FocusEffect::Stretch(planned.id, hours("09:50", "10:50"))]);
    assert_eq!(focus.map(|focus| focus.since), Some(monday("09:52:40")), "the clock itself is not turned back");
}

#[test]
fn a_block_that_is_begun_late_stays_where_it_is() {
    let (_, planned) = begun(hours("10:00", "11:00"), monday("10:20"));
    assert_eq!(planned.span(), hours("10:00", "11:00"));
    assert_eq!(planned.state, BlockState::InProgress);
}

#[test]
fn a_block_that_was_over_is_begun_now() {
    let (_, planned) = begun(hours("10:00", "11:00"), monday("11:12"));
    assert_eq!(planned.span(), hours("11:10", "12:10"));
}

#[test]
fn an_early_block_is_cut_at_the_next_meeting_and_its_rest_planned_again() {
    let (work, planned) = (task(1), block(10, 1, hours("14:00", "15:00")));
    let meetings = [hours("09:00", "09:51"), hours("10:30", "11:00")];
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &meetings, behind: None };
    let (_, effects) = step(None, start(), &context, monday("09:52"));
    let cut = hours("09:51", "10:30");
    assert_eq!(effects, [FocusEffect::Stretch(planned.id, cut), FocusEffect::Replan(PlanCause::CutShort)]);
}

#[test]
fn in_a_meeting_only_the_clock_runs_and_the_block_follows_after_it() {
    let (work, planned) = (task(1), block(10, 1, hours("14:00", "15:00")));
    let meetings = [hours("09:30", "10:00")];
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &meetings, behind: None };
    let (focus, effects) = step(None, start(), &context, monday("09:45"));
    assert_eq!(effects, []);
    let focus = focus.expect("it runs");
    assert_eq!(alarm(&focus, &context, monday("09:45")), Some(monday("10:00")));
    let (_, effects) = step(Some(focus), tick(), &context, monday("10:00"));
    assert_eq!(effects, [FocusEffect::Stretch(planned.id, hours("10:00", "11:00"))]);
}

#[test]
fn a_task_without_a_block_gets_one_as_long_as_what_is_left_of_it() {
    let mut work = task(1);
    (work.actual_min, work.facts.max_chunk_min) = (20, Some(30));
    let soon = block(11, 2, hours("09:20", "10:00"));
    let always = [always()];
    let ahead = [flexible(&soon, &always)];
    let context =
        FocusContext { task: &work, block: None, ahead: &ahead, meetings: &[], behind: Some(monday("09:04")) };
    let (focus, effects) = step(None, start(), &context, monday("09:03"));
    let fresh = block_id(FRESH);
    assert_eq!(effects, [FocusEffect::Place(fresh, hours("09:04", "09:34")), FocusEffect::Replan(PlanCause::Pushed)]);
    assert_eq!(focus.and_then(|focus| focus.block_id), Some(fresh));
}

#[test]
fn an_overrun_lengthens_the_block_by_quarters_of_an_hour_while_nothing_is_in_the_way() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    assert_eq!(alarm(&focus, &context, monday("10:10")), Some(monday("11:00")));
    let (focus, effects) = step(Some(focus), tick(), &context, monday("10:59"));
    assert_eq!(effects, [], "not before the end");
    let (focus, effects) = step(focus, tick(), &context, monday("11:00"));
    assert_eq!(effects, [FocusEffect::Stretch(planned.id, hours("10:00", "11:15"))]);
    let (_, effects) = step(focus, tick(), &context, monday("11:40"));
    assert_eq!(effects, [FocusEffect::Stretch(planned.id, hours("10:00", "11:45"))], "caught up in one write");
}

#[test]
fn an_overrun_pushes_a_flexible_block_and_stops_at_a_meeting() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let next = block(11, 2, hours("11:00", "11:20"));
    let (always, meetings) = ([always()], [hours("11:20", "12:00")]);
    let ahead = [flexible(&next, &always)];
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &ahead, meetings: &meetings, behind: None };
    let (focus, effects) = step(Some(focus), tick(), &context, monday("11:00"));
    assert_eq!(
        effects,
        [FocusEffect::Stretch(planned.id, hours("10:00", "11:15")), FocusEffect::Replan(PlanCause::Pushed)],
        "the next block yields"
    );
    let mut longer = planned.clone();
    longer.end = monday("11:15");
    let context = FocusContext { block: Some(&longer), ahead: &[], ..context };
    let (focus, effects) = step(focus, tick(), &context, monday("11:15"));
    assert_eq!(
        effects,
        [
            FocusEffect::Stretch(planned.id, hours("10:00", "11:20")),
            FocusEffect::Overrun,
            FocusEffect::Replan(PlanCause::Overrun)
        ],
        "the meeting does not"
    );
    let focus = focus.expect("the clock runs on");
    assert!(focus.overrun && focus.state == FocusState::Running);
    assert_eq!(alarm(&focus, &context, monday("11:20")), None);
    let (_, effects) = step(Some(focus), tick(), &context, monday("11:50"));
    assert_eq!(effects, [], "announced once");
}

#[test]
fn a_locked_block_stops_an_overrun_like_a_meeting() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let mut next = block(11, 2, hours("11:00", "11:30"));
    next.lock = BlockLock::User;
    let always = [always()];
    let ahead = [flexible(&next, &always)];
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &ahead, meetings: &[], behind: None };
    let (_, effects) = step(Some(focus), tick(), &context, monday("11:00"));
    assert_eq!(effects, [FocusEffect::Overrun, FocusEffect::Replan(PlanCause::Overrun)]);
}

#[test]
fn a_clock_that_was_forgotten_does_not_fill_the_calendar() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    let (focus, effects) = step(Some(focus), tick(), &context, at("2026-05-07T10:00:00Z"));
    assert_eq!(effects.first(), Some(&FocusEffect::Stretch(planned.id, hours("10:00", "22:00"))));
    assert!(focus.is_some_and(|focus| focus.overrun));
}

#[test]
fn finishing_early_cuts_the_block_and_pulls_only_what_follows_without_a_gap() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let blocks = [
        block(11, 2, hours("11:00", "11:30")),
        block(12, 3, hours("11:40", "12:00")),
        block(13, 4, hours("13:00", "14:00")),
    ];
    let always = [always()];
    let ahead: Vec<_> = blocks.iter().map(|block| flexible(block, &always)).collect();
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &ahead, meetings: &[], behind: None };
    let (focus, effects) = step(Some(focus), FocusInput::Finish, &context, monday("10:41:20"));
    assert_eq!(
        effects,
        [
            FocusEffect::Worked(41),
            FocusEffect::Close(planned.id, hours("10:00", "10:42")),
            FocusEffect::TaskDone,
            FocusEffect::Pull(block_id(11), hours("10:45", "11:15")),
            FocusEffect::Pull(block_id(12), hours("11:25", "11:45")),
            FocusEffect::Freed(hours("11:45", "12:00")),
            FocusEffect::OfferNext,
        ]
    );
    assert_eq!(focus.map(|focus| focus.state), Some(FocusState::Done));
}

#[test]
fn what_is_locked_or_may_not_be_earlier_ends_the_group_that_is_pulled() {
    let work = task(1);
    let blocks = [block(11, 2, hours("11:00", "11:30")), block(12, 3, hours("11:30", "12:00"))];
    let (always, late) = ([always()], [hours("11:15", "18:00")]);
    let free = [flexible(&blocks[0], &always), flexible(&blocks[1], &always)];
    let mut locked = blocks[1].clone();
    locked.lock = BlockLock::External;
    let groups: [(&str, Vec<Ahead<'_>>); 4] = [
        ("locked", vec![free[0], Ahead { block: &locked, ..free[1] }]),
        ("pinned", vec![free[0], Ahead { pinned: true, ..free[1] }]),
        ("waits", vec![free[0], Ahead { earliest: monday("11:30"), ..free[1] }]),
        ("hours", vec![free[0], Ahead { hours: &late, ..free[1] }]),
    ];
    for (why, ahead) in groups {
        let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
        let context = FocusContext { task: &work, block: Some(&planned), ahead: &ahead, meetings: &[], behind: None };
        let (_, effects) = step(Some(focus), FocusInput::Finish, &context, monday("10:30"));
        let pulled: Vec<_> = effects.iter().filter(|effect| matches!(effect, FocusEffect::Pull(..))).collect();
        assert_eq!(pulled, [&FocusEffect::Pull(block_id(11), hours("10:30", "11:00"))], "{why}");
    }
}

#[test]
fn a_finished_task_keeps_no_other_block() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let blocks = [block(11, 1, hours("11:00", "12:00")), block(12, 2, hours("12:00", "13:00"))];
    let always = [always()];
    let ahead: Vec<_> = blocks.iter().map(|block| flexible(block, &always)).collect();
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &ahead, meetings: &[], behind: None };
    let (_, effects) = step(Some(focus), FocusInput::Finish, &context, monday("10:30"));
    assert!(effects.contains(&FocusEffect::Drop(block_id(11))), "{effects:?}");
    assert!(effects.contains(&FocusEffect::Pull(block_id(12), hours("10:30", "11:30"))), "{effects:?}");
}

#[test]
fn stopping_cuts_the_block_and_plans_the_rest_again() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    let (focus, effects) = step(Some(focus), FocusInput::Stop, &context, monday("10:30"));
    assert_eq!(
        effects,
        [
            FocusEffect::Worked(30),
            FocusEffect::Close(planned.id, hours("10:00", "10:30")),
            FocusEffect::Replan(PlanCause::Stopped)
        ]
    );
    let (_, effects) = step(focus, FocusInput::Finish, &context, monday("10:31"));
    assert_eq!(effects, [FocusEffect::Refused(FocusRefused::Idle)], "what has ended has ended");
}

#[test]
fn skipping_at_once_leaves_no_history_and_offers_the_next() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    let (_, effects) = step(Some(focus), FocusInput::Skip, &context, monday("10:00:20"));
    let replan = FocusEffect::Replan(PlanCause::Stopped);
    assert_eq!(effects, [FocusEffect::Worked(0), FocusEffect::Drop(planned.id), replan, FocusEffect::OfferNext]);
}

#[test]
fn a_break_is_not_worked_and_after_a_long_one_another_block_follows() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    let (focus, effects) = step(Some(focus), FocusInput::Pause, &context, monday("10:20"));
    assert_eq!(effects, []);
    let (focus, effects) = step(focus, resume(), &context, monday("10:40"));
    assert_eq!(effects, [], "still in its block");
    let (focus, _) = step(focus, FocusInput::Pause, &context, monday("10:45"));
    let (focus, effects) = step(focus, resume(), &context, monday("11:07"));
    let fresh = block_id(FRESH);
    assert_eq!(
        effects,
        [FocusEffect::Close(planned.id, hours("10:00", "10:45")), FocusEffect::Place(fresh, hours("11:05", "11:40"))],
        "25 minutes were worked, 35 are left"
    );
    assert_eq!(focus.map(|focus| minutes(&focus, monday("11:10"))), Some(28));
}

#[test]
fn the_block_that_follows_a_break_is_not_put_on_what_was_worked_before_it() {
    let (focus, planned) = begun(hours("10:00", "10:47"), monday("10:00"));
    let work = task(1);
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    let (focus, _) = step(Some(focus), FocusInput::Pause, &context, monday("10:46:30"));
    let (_, effects) = step(focus, resume(), &context, monday("10:48"));
    let (worked, next) = (hours("10:00", "10:47"), hours("10:47", "11:02"));
    assert_eq!(effects, [FocusEffect::Close(planned.id, worked), FocusEffect::Place(block_id(FRESH), next)]);
}

#[test]
fn a_break_that_nobody_ends_stops_half_an_hour_after_the_block() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    let (focus, _) = step(Some(focus), FocusInput::Pause, &context, monday("10:20"));
    let focus = focus.expect("paused");
    assert_eq!(alarm(&focus, &context, monday("10:20")), Some(monday("11:30")));
    let (focus, effects) = step(Some(focus), tick(), &context, monday("11:29"));
    assert_eq!(effects, []);
    let (focus, effects) = step(focus, tick(), &context, monday("11:30"));
    assert_eq!(effects.get(1), Some(&FocusEffect::Close(planned.id, hours("10:00", "10:20"))));
    assert_eq!(focus.map(|focus| focus.state), Some(FocusState::Stopped));
}

#[test]
fn one_session_at_most_is_open() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let other = task(2);
    let context = FocusContext { task: &other, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    let (after, effects) = step(Some(focus.clone()), start(), &context, monday("10:10"));
    assert_eq!((after, effects), (Some(focus), vec![FocusEffect::Refused(FocusRefused::AlreadyOpen)]));
    let mut done = task(3);
    done.facts.status = crate::domain::task::TaskStatus::Done;
    let context = FocusContext { task: &done, ..context };
    assert_eq!(step(None, start(), &context, monday("10:10")).1, [FocusEffect::Refused(FocusRefused::TaskClosed)]);
}

#[test]
fn a_clock_that_steps_back_takes_no_minute_away() {
    let (focus, planned) = begun(hours("10:00", "11:00"), monday("10:00"));
    let work = task(1);
    let context = FocusContext { task: &work, block: Some(&planned), ahead: &[], meetings: &[], behind: None };
    let (focus, _) = step(Some(focus), FocusInput::Pause, &context, monday("10:30"));
    let (focus, _) = step(focus, resume(), &context, monday("09:30"));
    let focus = focus.expect("it runs");
    assert_eq!(focus.since, monday("10:30"));
    assert_eq!(minutes(&focus, monday("09:31")), 30);
    assert_eq!(minutes(&focus, monday("10:40")), 40);
}

#[test]
fn what_was_worked_over_midnight_is_reported_by_day_and_counted_in_elapsed_time() {
    let mut focus = begun(hours("10:00", "11:00"), monday("10:00")).0;
    // Midnight of the night in which Berlin puts its clocks back, 22:30 to 04:30.
    focus.since = at("2026-10-24T20:30:00Z");
    let now = at("2026-10-25T03:30:00Z");
    let parts = by_day(&focus, Days::of(Tz::Europe__Berlin), now);
    assert_eq!(parts, [(date("2026-10-24"), Duration::minutes(90)), (date("2026-10-25"), Duration::minutes(330))]);
    assert_eq!(minutes(&focus, now), 7 * 60);
}

#[test]
fn a_block_nobody_worked_on_is_missed_half_an_hour_after_its_end() {
    let planned = block(10, 1, hours("10:00", "11:00"));
    let judged = |worked, policy, now| past(&planned, worked, policy, monday(now));
    assert_eq!(judged(false, PastPolicy::Missed, "10:59"), None);
    assert_eq!(judged(false, PastPolicy::Missed, "11:00"), Some(PastBlock::Waiting(monday("11:30"))));
    assert_eq!(judged(false, PastPolicy::Missed, "11:30"), Some(PastBlock::Missed));
    assert_eq!(judged(false, PastPolicy::AssumeDone, "11:30"), Some(PastBlock::AssumedDone));
    assert_eq!(judged(true, PastPolicy::Missed, "11:30"), None);
    let mut history = planned.clone();
    history.state = BlockState::Done;
    assert_eq!(past(&history, false, PastPolicy::Missed, monday("12:00")), None);
    assert_eq!(task_id(1), planned.task_id);
}
