//! Tasks, blocks and days for the tests of the planner's neighbours.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::domain::{
    block::{BlockLock, BlockOrigin, BlockState, TimeBlock},
    ids::{BlockId, TaskId},
    task::{Priority, Task, TaskStatus},
    time::Window,
};

/// An instant as RFC 3339 writes it.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// A time on the fourth of May 2026, a Monday, in UTC: `10:30`, or `10:30:20`.
pub fn monday(time: &str) -> DateTime<Utc> {
    let seconds = if time.len() == 5 { ":00" } else { "" };
    at(&format!("2026-05-04T{time}{seconds}Z"))
}

/// A span of that Monday.
pub fn hours(from: &str, to: &str) -> Window {
    Window { from: monday(from), to: monday(to) }
}

pub fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

pub fn task_id(number: u128) -> TaskId {
    TaskId(Uuid::from_u128(number))
}

pub fn block_id(number: u128) -> BlockId {
    BlockId(Uuid::from_u128(number))
}

/// An open task of an hour.
pub fn task(number: u128) -> Task {
    let at = DateTime::UNIX_EPOCH;
    Task {
        id: task_id(number),
        space_id: "home".parse().expect("an id"),
        user_id: "ada".parse().expect("an id"),
        context_id: None,
        title: format!("Task {number}"),
        description: None,
        project: None,
        priority: Priority::Medium,
        estimate_min: Some(60),
        actual_min: 0,
        due: None,
        not_before: None,
        hours: None,
        min_chunk_min: None,
        max_chunk_min: None,
        splittable: true,
        after: Vec::new(),
        prefer: None,
        buffer_after_min: None,
        repeats: None,
        status: TaskStatus::Open,
        pinned: false,
        made_from: None,
        carried_from: None,
        carry_count: 0,
        carried_actual_min: 0,
        completed_at: None,
        created_at: at,
        updated_at: at,
        version: 1,
    }
}

/// A confirmed block of the planner's.
pub fn block(number: u128, task: u128, span: Window) -> TimeBlock {
    let at = DateTime::UNIX_EPOCH;
    TimeBlock {
        id: block_id(number),
        space_id: "home".parse().expect("an id"),
        user_id: "ada".parse().expect("an id"),
        task_id: task_id(task),
        event_id: None,
        start: span.from,
        end: span.to,
        wall: span.from.naive_utc(),
        zone: Tz::UTC,
        origin: BlockOrigin::Auto,
        lock: BlockLock::None,
        state: BlockState::Confirmed,
        shows: None,
        reason: "placed".into(),
        plan_run: None,
        created_at: at,
        updated_at: at,
        version: 1,
    }
}

/// `SplitMix64`: the same numbers for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.roll() % u64::from(limit.max(1))).expect("small")
    }

    /// So many seconds, below a limit.
    pub fn seconds(&mut self, limit: u32) -> Duration {
        Duration::seconds(i64::from(self.below(limit)))
    }
}
