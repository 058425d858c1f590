//! Random task lists as people have them, through the very numbers that the service makes of them: 1 to 500 tasks, hours of every
//! kind, zones with and without odd days, meetings, plans in force, chains, caps and buffers.

use std::collections::BTreeMap;

use calwarden::{
    domain::{
        block::{BlockLock, BlockOrigin, BlockState, Placed, TimeBlock},
        ids::{BlockId, TaskId},
        task::{Due, Firmness, PartOfDay, Priority, Task, TaskFacts},
        time::{EventTime, Window, Zone},
        working_hours::{PlanningRules, TimeMap},
    },
    engine::{
        agenda::{Agenda, compile},
        day::Days,
        scheduling::PlanProblem,
    },
};
use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use serde_json::json;
use uuid::Uuid;

/// Most tasks of a list.
pub const TASKS_MAX: u32 = 500;

const ZONES: [&str; 14] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "America/St_Johns",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "America/Nuuk",
    "Africa/Casablanca",
    "Etc/GMT+12",
];

/// `SplitMix64`: the same list for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.roll() % u64::from(limit.max(1))).expect("small")
    }

    fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    fn of<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.below(u32::try_from(some.len()).expect("few")) as usize]
    }
}

/// What all tasks of a list have in common.
struct Manner {
    now: DateTime<Utc>,
    estimates: &'static [u32],
    /// One in so many has a deadline; 0: none.
    due_one_in: u32,
    /// One in so many waits for another; 0: none, 1: a chain of all.
    waits_one_in: u32,
    /// Whether some name hours of their own, parts of the day, chunks and buffers.
    wishes: bool,
    hours: &'static [&'static str],
}

/// Hours of a name: a working week, nights, all day and night, many small windows, one evening a week, hardly anything.
fn hours(dice: &mut Dice) -> TimeMap {
    let small: Vec<_> = (0..16).map(|at| [format!("{:02}:00", 6 + at), format!("{:02}:30", 6 + at)]).collect();
    let day = match dice.below(8) {
        0..=2 => json!([["09:00", "17:00"]]),
        3 => json!([["08:00", "12:00"], ["13:00", "18:00"]]),
        4 => json!([["22:00", "06:00"]]),
        5 => json!([["00:00", "24:00"]]),
        6 => json!(small),
        _ => json!([["18:00", "19:30"]]),
    };
    let days: &[&str] = match dice.below(4) {
        0 => &["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        1 => &["tue"],
        _ => &["mon", "tue", "wed", "thu", "fri"],
    };
    let weekly: BTreeMap<_, _> = days.iter().map(|name| (*name, day.clone())).collect();
    serde_json::from_value(json!({ "weekly": weekly })).expect("hours")
}

fn time(dice: &mut Dice, now: DateTime<Utc>, zone: Tz, days: u32) -> EventTime {
    let at = now + Duration::minutes(i64::from(dice.below(days * 24 * 60)) - 24 * 60);
    if dice.one_in(2) {
        return EventTime::Date(at.with_timezone(&zone).date_naive());
    }
    EventTime::DateTime { local: at.naive_utc(), zone: Zone::Utc }
}

fn task(dice: &mut Dice, number: u32, zone: Tz, manner: &Manner) -> Task {
    let mut facts = TaskFacts::new(format!("Task {number}"));
    let priorities = [Priority::None, Priority::Low, Priority::Medium, Priority::High, Priority::Urgent];
    facts.priority = dice.of(&priorities);
    facts.estimate_min = (!dice.one_in(50)).then(|| dice.of(manner.estimates));
    if manner.due_one_in > 0 && dice.one_in(manner.due_one_in) {
        let firmness = if dice.one_in(4) { Firmness::Hard } else { Firmness::Soft };
        facts.due = Some(Due { at: time(dice, manner.now, zone, 20), firmness });
    }
    if manner.waits_one_in > 0 && number > 0 && dice.one_in(manner.waits_one_in) {
        let before = if manner.waits_one_in == 1 { number - 1 } else { dice.below(number) };
        facts.after = vec![TaskId(Uuid::from_u128(before.into()))];
    }
    if manner.wishes {
        facts.hours = dice.one_in(3).then(|| dice.of(manner.hours).to_owned());
        facts.prefer = dice.one_in(5).then(|| dice.of(&[PartOfDay::Morning, PartOfDay::Afternoon, PartOfDay::Evening]));
        facts.not_before = dice.one_in(6).then(|| time(dice, manner.now, zone, 12));
        facts.splittable = !dice.one_in(4);
        facts.min_chunk_min = dice.one_in(3).then(|| dice.of(&[15, 30, 60]));
        facts.max_chunk_min = dice.one_in(3).then(|| dice.of(&[60, 90, 240]));
        facts.buffer_after_min = dice.one_in(8).then(|| dice.of(&[0, 10, 30, 120]));
        facts.pinned = dice.one_in(40);
    }
    let (space, user) = ("home".parse().expect("an id"), "ada".parse().expect("an id"));
    Task::new(TaskId(Uuid::from_u128(number.into())), space, user, facts, DateTime::UNIX_EPOCH)
}

/// Blocks of a plan in force, wherever they happen to lie.
fn blocks(dice: &mut Dice, tasks: &[Task], zone: Tz, now: DateTime<Utc>) -> Vec<TimeBlock> {
    let block = |dice: &mut Dice, at: u32, task: &Task| {
        let from = now + Duration::minutes(15 * i64::from(dice.below(14 * 96)));
        let to = from + Duration::minutes(15 * i64::from(1 + dice.below(12)));
        let lock = if dice.one_in(10) { BlockLock::User } else { BlockLock::None };
        let (origin, state) = (BlockOrigin::Auto, BlockState::Confirmed);
        let placed = Placed { origin, lock, state, reason: "placed".to_owned() };
        let id = BlockId(Uuid::from_u128(at.into()));
        TimeBlock::new(id, task, zone, Window { from, to }, placed, DateTime::UNIX_EPOCH)
    };
    let many = if dice.one_in(3) { 2 * u32::try_from(tasks.len()).expect("few") } else { 0 };
    (0..many)
        .map(|at| {
            let task = &tasks[dice.below(TASKS_MAX) as usize % tasks.len()];
            block(dice, at, task)
        })
        .collect()
}

/// The list of a seed, as the planner gets it.
pub fn list(seed: u64) -> PlanProblem {
    let mut dice = Dice(seed);
    let zone: Tz = dice.of(&ZONES).parse().expect("a zone");
    let now = DateTime::UNIX_EPOCH + Duration::minutes(15 * i64::from(dice.below(365 * 96)) + 56 * 365 * 24 * 60);
    let manner = Manner {
        now,
        estimates: dice.of(&[
            &[15, 30, 60, 180, 480][..],
            &[15, 30, 45, 60, 90][..],
            &[60, 120, 480, 2_400][..],
            &[15][..],
            &[480, 6_000, 60_000][..],
        ]),
        due_one_in: dice.of(&[0, 1, 2, 4]),
        waits_one_in: dice.of(&[0, 0, 0, 1, 2, 5]),
        wishes: dice.one_in(2),
        hours: &["work", "evenings", "odd"],
    };
    let count = 1 + dice.below(TASKS_MAX);
    let tasks: Vec<Task> = (0..count).map(|number| task(&mut dice, number, zone, &manner)).collect();
    let blocks = blocks(&mut dice, &tasks, zone, now);
    let mut named = BTreeMap::new();
    for name in ["evenings", "odd"] {
        named.insert(name.to_owned(), hours(&mut dice));
    }
    let rules = PlanningRules {
        hours: named,
        look_ahead_days: dice.of(&[14, 14, 14, 7, 1, 30, 60]),
        buffer_min: dice.of(&[0, 0, 0, 5, 15, 60]),
        daily_cap_min: dice.one_in(4).then(|| 30 + 15 * u16::try_from(dice.below(40)).expect("small")),
        ..PlanningRules::default()
    };
    let meetings = dice.of(&[0, 0, 20, 100, 400]);
    let busy: Vec<Window> = (0..meetings)
        .map(|_| {
            let from = now + Duration::minutes(5 * i64::from(dice.below(14 * 288)));
            Window { from, to: from + Duration::minutes(5 * i64::from(1 + dice.below(24))) }
        })
        .collect();
    let usual = hours(&mut dice);
    let (tasks, blocks, rules, usual, busy) = (&tasks, &blocks, &rules, &usual, &busy);
    compile(&Agenda { days: Days::of(zone), now, rules, usual, tasks, blocks, worked_min: 0, busy }).problem
}
