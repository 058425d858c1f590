use super::*;
use crate::{
    domain::{
        block::BlockLock,
        task::{Due, PartOfDay, Priority},
        time::EventTime,
    },
    engine::{
        samples::{at, block, block_id, date, hours, monday, task, task_id, task_with},
        scheduling::{SearchBudget, check, plan},
    },
};

/// Eight to four on that Monday, in UTC, and on no other day.
struct World {
    rules: PlanningRules,
    usual: TimeMap,
    tasks: Vec<Task>,
    blocks: Vec<TimeBlock>,
    worked_min: u32,
    busy: Vec<Window>,
}

fn world() -> World {
    let usual = serde_json::from_str(r#"{"weekly":{"mon":[["08:00","16:00"]]}}"#).expect("hours");
    let rules = PlanningRules { look_ahead_days: 3, ..PlanningRules::default() };
    World { rules, usual, tasks: Vec::new(), blocks: Vec::new(), worked_min: 0, busy: Vec::new() }
}

impl World {
    fn compiled(&self) -> Compiled {
        let compiled = compile(&Agenda {
            days: Days::of(chrono_tz::UTC),
            now: monday("07:00"),
            rules: &self.rules,
            usual: &self.usual,
            tasks: &self.tasks,
            blocks: &self.blocks,
            worked_min: self.worked_min,
            busy: &self.busy,
        });
        assert_eq!(compiled.problem.validate(), Ok(()));
        compiled
    }

    /// What a plan would change, as times of that Monday.
    fn moves(&self) -> Vec<(TaskId, Change)> {
        let compiled = self.compiled();
        let made = plan(&compiled.problem, SearchBudget::Interactive).expect("a plan");
        assert_eq!(check(&compiled.problem, &made.blocks), []);
        moves(&compiled, &made).into_iter().map(|one| (one.task, one.change)).collect()
    }
}

fn add(from: &str, to: &str) -> Change {
    Change::Add { to: hours(from, to) }
}

#[test]
fn work_is_placed_into_the_hours_around_meetings() {
    let mut world = world();
    world.tasks = vec![task(1)];
    world.busy = vec![hours("07:00", "08:20")];
    // What is busy is rounded outwards: the next quarter of an hour is free.
    assert_eq!(world.moves(), [(task_id(1), add("08:30", "09:30"))]);
}

#[test]
fn a_plan_in_force_that_may_stand_stays_and_a_collision_moves_one_block() {
    let mut world = world();
    world.tasks = vec![task(1), task(2)];
    world.blocks = vec![block(1, 1, hours("08:00", "09:00")), block(2, 2, hours("10:00", "11:00"))];
    world.busy = vec![hours("12:00", "13:00")];
    assert_eq!(world.moves(), [], "what concerns no block moves none");
    world.busy = vec![hours("10:30", "11:30")];
    let moved = world.moves();
    let [(whose, Change::Move { from, .. })] = moved.as_slice() else { panic!("{moved:?}") };
    assert_eq!((*whose, *from), (task_id(2), hours("10:00", "11:00")));
    assert_eq!(world.compiled().movable, [block_id(1), block_id(2)]);
}

#[test]
fn fixed_blocks_are_busy_time_and_their_minutes_are_placed_already() {
    let mut world = world();
    world.tasks = vec![task(1), task(2)];
    let held = TimeBlock { lock: BlockLock::User, ..block(1, 1, hours("08:00", "08:45")) };
    world.blocks = vec![held];
    let compiled = world.compiled();
    assert_eq!(compiled.movable, []);
    // An hour without three quarters: one tick of a quarter of an hour.
    assert_eq!(compiled.problem.tasks.iter().map(|task| task.work).collect::<Vec<_>>(), [Some(1), Some(4)]);
    let moved = world.moves();
    assert!(moved.iter().all(|(_, change)| when(*change).0 >= monday("08:45")), "{moved:?}");
}

#[test]
fn a_part_of_the_day_is_kept_to_where_it_is_wide_enough() {
    let mut world = world();
    world.tasks = vec![task_with(1, |facts| (facts.prefer, facts.splittable) = (Some(PartOfDay::Afternoon), false))];
    assert_eq!(world.moves(), [(task_id(1), add("12:00", "13:00"))]);
    world.busy = vec![hours("12:00", "14:15")];
    // An hour and three quarters are not twice the hour that is wanted.
    assert_eq!(world.moves(), [(task_id(1), add("08:00", "09:00"))]);
}

#[test]
fn nothing_is_placed_after_a_hard_deadline_and_late_work_after_a_soft_one() {
    let mut world = world();
    let due = |firmness| Some(Due { at: EventTime::utc(monday("09:00")), firmness });
    world.busy = vec![hours("08:00", "12:00")];
    world.tasks = vec![task_with(1, |facts| facts.due = due(Firmness::Hard))];
    assert_eq!(world.moves(), []);
    world.tasks = vec![task_with(1, |facts| facts.due = due(Firmness::Soft))];
    assert_eq!(world.moves(), [(task_id(1), add("12:00", "13:00"))]);
}

#[test]
fn a_daily_cap_counts_the_work_of_a_day_wherever_it_lies() {
    let mut world = world();
    world.rules.daily_cap_min = Some(120);
    world.busy = vec![hours("08:00", "11:00")];
    world.tasks = vec![task_with(1, |facts| facts.prefer = Some(PartOfDay::Afternoon)), task(2), task(3)];
    let placed = world.moves();
    assert_eq!(placed.len(), 2, "an hour each, one of them in hours of its own: {placed:?}");
    // What is held counts, too, and what was worked before now.
    world.worked_min = 30;
    world.blocks = vec![TimeBlock { lock: BlockLock::User, ..block(8, 8, hours("16:00", "16:30")) }];
    assert_eq!(world.moves().len(), 1);
    world.rules.daily_cap_min = Some(59);
    assert_eq!(world.moves(), []);
}

#[test]
fn the_order_of_what_is_gathered_changes_nothing() {
    let mut world = world();
    world.tasks = vec![task(1), task(2), task_with(3, |facts| facts.after = vec![task_id(1)])];
    world.blocks = vec![block(1, 1, hours("08:00", "09:00")), block(2, 2, hours("10:00", "11:00"))];
    world.busy = vec![hours("12:00", "13:00"), hours("14:00", "15:00")];
    let one = world.compiled();
    world.tasks.reverse();
    world.blocks.reverse();
    world.busy.reverse();
    let other = world.compiled();
    assert_eq!((one.problem, one.tasks, one.movable), (other.problem, other.tasks, other.movable));
}

#[test]
fn who_is_due_soon_has_little_room() {
    let mut world = world();
    let due = Some(Due { at: EventTime::utc(monday("10:00")), firmness: Firmness::Soft });
    world.tasks = vec![task_with(1, |facts| facts.due = due), task(2)];
    world.blocks = vec![block(1, 1, hours("08:00", "09:00")), block(2, 2, hours("10:00", "11:00"))];
    let compiled = world.compiled();
    let in_force: Vec<_> = compiled.problem.previous.iter().map(|held| held.block).collect();
    let room = slack(&compiled, &in_force);
    assert_eq!(room.get(&task_id(1)), Some(&60));
    assert!(room.get(&task_id(2)) > room.get(&task_id(1)));
}

#[test]
fn what_is_carried_goes_into_the_next_hours_that_are_free() {
    let mut world = world();
    // The day has begun after Monday's hours are full; Tuesday is a holiday, and Wednesday is taken until ten.
    world.usual = serde_json::from_str(
        r#"{"weekly":{"mon":[["08:00","16:00"]],"tue":[["08:00","16:00"]],"wed":[["08:00","16:00"]]}}"#,
    )
    .expect("hours");
    world.rules.holidays.insert(date("2026-05-05"));
    let wednesday = |from: &str, to: &str| Window { from: at(from), to: at(to) };
    world.busy = vec![hours("08:00", "16:00"), wednesday("2026-05-06T08:00:00Z", "2026-05-06T10:00:00Z")];
    world.tasks = vec![task(1)];
    let there = wednesday("2026-05-06T10:00:00Z", "2026-05-06T11:00:00Z");
    assert_eq!(world.moves(), [(task_id(1), Change::Add { to: there })]);
}

#[test]
fn a_tasks_own_buffer_stands_in_place_of_the_users() {
    let mut world = world();
    world.rules.buffer_min = 15;
    world.tasks = vec![
        task_with(1, |facts| (facts.priority, facts.buffer_after_min) = (Priority::Urgent, Some(60))),
        task_with(2, |facts| facts.priority = Priority::Medium),
        task_with(3, |facts| facts.priority = Priority::Low),
    ];
    let placed: Vec<_> = [("08:00", "09:00"), ("10:00", "11:00"), ("11:15", "12:15")]
        .iter()
        .zip(1..)
        .map(|((from, to), number)| (task_id(number), add(from, to)))
        .collect();
    assert_eq!(world.moves(), placed);
    // Before a meeting as well.
    world.tasks.truncate(1);
    world.busy = vec![hours("09:30", "10:00")];
    assert_eq!(world.moves(), [(task_id(1), add("08:00", "08:15")), (task_id(1), add("10:15", "11:00"))]);
}

#[test]
fn what_is_begun_locked_pinned_or_about_to_begin_stays_where_it_is() {
    let now = monday("12:00");
    let at = |span, lock, state| {
        let mut one = block(1, 1, span);
        (one.lock, one.state) = (lock, state);
        one
    };
    let later = hours("15:00", "16:00");
    for (block, pinned, stays) in [
        (at(later, BlockLock::None, BlockState::Confirmed), false, false),
        (at(later, BlockLock::None, BlockState::Tentative), false, false),
        (at(later, BlockLock::None, BlockState::Confirmed), true, true),
        (at(later, BlockLock::User, BlockState::Confirmed), false, true),
        (at(later, BlockLock::External, BlockState::Tentative), false, true),
        (at(hours("11:30", "13:00"), BlockLock::Started, BlockState::InProgress), false, true),
        (at(hours("12:30", "13:00"), BlockLock::None, BlockState::Confirmed), false, true),
        (at(hours("12:31", "13:00"), BlockLock::None, BlockState::Confirmed), false, false),
        (at(hours("11:30", "13:00"), BlockLock::None, BlockState::Confirmed), false, true),
        (at(hours("12:30", "13:00"), BlockLock::None, BlockState::Proposed), false, false),
        (at(hours("09:00", "10:00"), BlockLock::None, BlockState::Confirmed), false, true),
        (at(hours("09:00", "10:00"), BlockLock::None, BlockState::Done), false, true),
    ] {
        assert_eq!(is_fixed(&block, pinned, now, 30), stays, "{block:?}");
    }
}

#[test]
fn a_move_within_a_day_costs_four_times_as_much() {
    let now = monday("00:00");
    assert_eq!(move_cost(now + Duration::hours(24), now), 64);
    assert_eq!(move_cost(now + Duration::minutes(24 * 60 - 1), now), 256);
}
