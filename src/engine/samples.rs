//! Tasks, blocks and days for the tests of the planner's neighbours.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::domain::{
    block::{BlockLock, BlockOrigin, BlockState, Placed, TimeBlock},
    ids::{BlockId, TaskId},
    task::{Priority, Task, TaskFacts},
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
    let facts =
        TaskFacts { priority: Priority::Medium, estimate_min: Some(60), ..TaskFacts::new(format!("Task {number}")) };
    let (space, user) = ("home".parse().expect("an id"), "ada".parse().expect("an id"));
    Task::new(task_id(number), space, user, facts, DateTime::UNIX_EPOCH)
}

/// The same, of which something else is said.
pub fn task_with(number: u128, say: impl FnOnce(&mut TaskFacts)) -> Task {
    let mut task = task(number);
    say(&mut task.facts);
    task
}

/// A confirmed block of the planner's.
pub fn block(number: u128, task: u128, span: Window) -> TimeBlock {
    let placed = Placed {
        origin: BlockOrigin::Auto,
        lock: BlockLock::None,
        state: BlockState::Confirmed,
        reason: "placed".into(),
    };
    TimeBlock::new(block_id(number), &self::task(task), Tz::UTC, span, placed, DateTime::UNIX_EPOCH)
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
