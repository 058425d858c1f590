//! Rollover: what becomes of a day's unfinished tasks when the next day begins, and how that is taken back.
//!
//! Terms. `last_rolled` is the date that a user's tasks were last brought to. An *instance* is one task of one day; what is not
//! finished ends, and a new instance goes on with it.
//!
//! What is remembered is a date, the last that was begun; the alarm is computed from it each time. So a server that slept through a
//! weekend, a flight over the date line, a clock that steps back and new rules of a zone need no case of their own.
//!
//! **Invariant:** `last_rolled` only grows, so each date begins at most once for a user, whatever their zone, their clock or the
//! server does. The alarm follows from it and is never kept: new rules of a zone move it.
//! **Invariant:** due dates do not move, and no worked minute is lost: the new instance carries all of them.

#[cfg(test)]
mod tests;
mod undo;

pub use undo::{Afterwards, LateEnd, LateInstance, UndoRefused, Undone, WhyKept, undo, withdraw};

use chrono::{DateTime, Duration, NaiveDate, Utc};

use super::{
    day::Days,
    rest::{Rest, rest},
};
use crate::domain::{
    block::{BlockState, TimeBlock},
    ids::{BlockId, TaskId, UserId},
    task::{MissedPolicy, Task, TaskStatus},
    time::Window,
};

/// A task that was carried so often is put on the stale list, and its owner is asked, instead of being planned once more.
pub const CARRIES_MAX: u32 = 5;
/// How often the owner is asked about the stale list.
pub const STALE_ASKED_EVERY: Duration = Duration::days(7);

/// A change of day that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayChange {
    /// The date that has begun.
    pub to: NaiveDate,
    /// When it began.
    pub began: DateTime<Utc>,
    /// First and last of the dates before it that get no change of their own: nobody was there, or they do not exist.
    pub skipped: Option<(NaiveDate, NaiveDate)>,
}

/// Whether a change of day is due: one, to the latest date that has begun, however many were missed.
#[must_use]
pub fn due(days: Days, last_rolled: NaiveDate, now: DateTime<Utc>) -> Option<DayChange> {
    let to = days.date(now);
    if to <= last_rolled {
        return None;
    }
    let between = (last_rolled.succ_opt()?, to.pred_opt()?);
    Some(DayChange { to, began: days.start(to)?, skipped: (between.0 <= between.1).then_some(between) })
}

/// When the next change of day is due; in the past when one is due now.
#[must_use]
pub fn next_alarm(days: Days, last_rolled: NaiveDate) -> Option<DateTime<Utc>> {
    days.after(last_rolled).map(|(_, began)| began)
}

/// How long after the change of day a user's new plan is made, below `spread`: thousands of users share a midnight. The change
/// itself is never put off. The same for the same user, so that a restart does not draw again.
#[must_use]
pub fn planning_delay(user: &UserId, spread: Duration) -> Duration {
    // FNV-1a: stable over builds and machines.
    let hash = user
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let limit = u64::try_from(spread.num_milliseconds()).unwrap_or(0).max(1);
    Duration::milliseconds(i64::try_from(hash % limit).unwrap_or(0))
}

/// Whether somebody's clock is on a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FocusClock {
    /// No focus session.
    Idle,
    /// A focus session that stands still.
    Paused,
    /// A focus session that runs.
    Running,
}

/// A task, as the change of day finds it.
#[derive(Clone, Copy, Debug)]
pub struct FoundTask<'a> {
    /// The task.
    pub task: &'a Task,
    /// Its blocks, all of them.
    pub blocks: &'a [TimeBlock],
    /// What was worked on it, segment by segment.
    pub worked: &'a [Window],
    /// Whether a clock is on it.
    pub clock: FocusClock,
    /// Minutes of an open focus session, which the task gets when that ends.
    pub session_min: u32,
    /// A change of day has waited for its clock, which has stopped now.
    pub owed: bool,
}

/// What becomes of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskOutcome {
    /// It is not of the day that ended.
    Stays(WhyStays),
    /// Its clock runs: it is judged again, as owed, when that stops.
    Waits,
    /// This instance is over.
    Ends(Ending),
}

/// Why a task has nothing to do with the change of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyStays {
    /// It is finished, given up, or over already.
    Closed,
    /// It was never planned.
    Unplanned,
    /// It has a block that ends in the new day, or later.
    BlockAhead,
}

/// How an instance ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// [`TaskStatus::Carried`], [`TaskStatus::Skipped`] or [`TaskStatus::Stale`].
    pub status: TaskStatus,
    /// What the new instance has of its own; `None` unless carried. Everything else is as it was, due date included.
    pub next: Option<NextInstance>,
    /// What becomes of its blocks; those that are history already are not named.
    pub blocks: Vec<(BlockId, BlockEnd)>,
    /// A focus session that stands still ends with it: the minutes that it gets of that.
    pub session_min: Option<u32>,
}

/// The instance that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextInstance {
    /// The instance before.
    pub carried_from: TaskId,
    /// How often it was carried.
    pub carry_count: u32,
    /// Minutes worked before.
    pub carried_actual_min: u32,
    /// What is left; `None`: it has no estimate.
    pub rest: Option<Rest>,
}

/// What becomes of a block of an instance that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockEnd {
    /// History, cut to what was worked.
    Worked(Window),
    /// History: nobody worked. It keeps its place for who looks back, and its event says free.
    Missed,
    /// It was only offered: it goes.
    Withdrawn,
}

/// What becomes of one task at a change of day.
#[must_use]
pub fn fate(found: &FoundTask<'_>, turn: DayChange) -> TaskOutcome {
    let task = found.task;
    if !task.facts.status.is_open() {
        return TaskOutcome::Stays(WhyStays::Closed);
    }
    let mut planned = found.blocks.iter().filter(|block| block.state != BlockState::Proposed).peekable();
    if planned.peek().is_none() && !found.owed {
        return TaskOutcome::Stays(WhyStays::Unplanned);
    }
    // The block at work goes on for as long as the clock does, and says nothing of the next day.
    let ahead = |block: &TimeBlock| block.end > turn.began && block.state != BlockState::InProgress;
    if planned.any(ahead) && !found.owed {
        return TaskOutcome::Stays(WhyStays::BlockAhead);
    }
    if found.clock == FocusClock::Running {
        return TaskOutcome::Waits;
    }
    let (status, next) = match task.missed_policy() {
        Some(MissedPolicy::Skip) => (TaskStatus::Skipped, None),
        _ if task.carry_count >= CARRIES_MAX => (TaskStatus::Stale, None),
        _ => (TaskStatus::Carried, Some(carried(found))),
    };
    let blocks = found.blocks.iter().filter_map(|block| Some((block.id, end_of(block, found.worked)?))).collect();
    let session_min = (found.clock == FocusClock::Paused).then_some(found.session_min);
    TaskOutcome::Ends(Ending { status, next, blocks, session_min })
}

fn carried(found: &FoundTask<'_>) -> NextInstance {
    let task = found.task;
    NextInstance {
        carried_from: task.id,
        carry_count: task.carry_count + 1,
        carried_actual_min: task.total_actual_min().saturating_add(found.session_min),
        rest: rest(task, found.session_min),
    }
}

fn end_of(block: &TimeBlock, worked: &[Window]) -> Option<BlockEnd> {
    match block.state {
        BlockState::Done | BlockState::Missed => None,
        BlockState::Proposed => Some(BlockEnd::Withdrawn),
        BlockState::Tentative | BlockState::Confirmed | BlockState::InProgress => {
            let inside = worked.iter().filter(|segment| segment.overlaps(&block.span()));
            let last = inside.map(|segment| segment.to.min(block.end)).max();
            Some(last.map_or(BlockEnd::Missed, |to| BlockEnd::Worked(Window { from: block.start, to })))
        }
    }
}
