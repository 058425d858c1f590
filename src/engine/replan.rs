//! When a new plan is made, what is done with it, and what a block's event shows.
//!
//! Terms. *Taken* is time that was free and is busy now, *freed* the other way round.
//!
//! **Invariant:** what overlaps no block, and frees nothing that somebody waits for, makes no plan: so it moves nothing.

mod outside;
#[cfg(test)]
mod tests;

pub use outside::{BlockAnswer, Outside, SeenTask, answer, confirmed};

use chrono::{DateTime, Duration, Utc};

use crate::domain::{
    block::{BlockLock, BlockState, TimeBlock},
    event::Transparency,
    proposal::PlanCause,
    task::Task,
    time::Window,
    working_hours::PlanMode,
};

/// How long news are gathered before a plan is made of them.
pub const DEBOUNCE: Duration = Duration::seconds(2);
/// Something that happened in a calendar.
#[derive(Clone, Copy, Debug)]
pub enum News {
    /// This time is busy now.
    Taken(Window),
    /// This time is free now.
    Freed(Window),
}

/// The plan in force, made ready for one question: does this concern it?
#[derive(Clone, Debug)]
pub struct PlanInForce {
    /// By begin.
    begins: Vec<DateTime<Utc>>,
    /// The latest end of the first so many blocks: finds overlaps also where blocks overlap each other.
    latest_ends: Vec<DateTime<Utc>>,
    /// A task is late, or has no place.
    wanting: bool,
    look_ahead: Window,
    buffer: Duration,
}

impl PlanInForce {
    /// Of the blocks that are in the calendar and not over. `wanting`: something is late or has no place, so that room matters.
    #[must_use]
    pub fn new(blocks: impl Iterator<Item = Window>, wanting: bool, look_ahead: Window, buffer_min: u16) -> Self {
        let mut spans: Vec<_> = blocks.collect();
        spans.sort();
        let latest_ends = spans
            .iter()
            .scan(DateTime::<Utc>::MIN_UTC, |latest, span| {
                *latest = (*latest).max(span.to);
                Some(*latest)
            })
            .collect();
        let begins = spans.iter().map(|span| span.from).collect();
        Self { begins, latest_ends, wanting, look_ahead, buffer: Duration::minutes(i64::from(buffer_min)) }
    }

    /// Whether something calls for a new plan, and why. Time is looked up by halving; news that concern nothing cost no plan.
    #[must_use]
    pub fn judge(&self, news: News) -> Option<PlanCause> {
        match news {
            News::Taken(span) => self.meets_block(span).then_some(PlanCause::Collision),
            News::Freed(span) => (self.wanting && span.overlaps(&self.look_ahead)).then_some(PlanCause::RoomFreed),
        }
    }

    /// Whether a stretch, with the buffer kept free around it, overlaps a block.
    fn meets_block(&self, span: Window) -> bool {
        if span.length() <= Duration::zero() {
            return false;
        }
        let (from, to) = (span.from - self.buffer, span.to + self.buffer);
        let before = self.begins.partition_point(|begin| *begin < to);
        before.checked_sub(1).and_then(|last| self.latest_ends.get(last)).is_some_and(|end| *end > from)
    }
}

/// Whether an edit of a task changes what the planner reads; no `before`: it was made, no `after`: it was deleted. Titles,
/// descriptions and groupings do not.
#[must_use]
pub fn edit_matters(before: Option<&Task>, after: Option<&Task>) -> bool {
    let open = |task: Option<&Task>| task.is_some_and(|task| task.facts.status.is_open());
    let (Some(old), Some(new)) = (before, after) else { return open(before) || open(after) };
    if open(before) != open(after) {
        return true;
    }
    let read = |task: &Task| {
        let chunks =
            (task.facts.min_chunk_min, task.facts.max_chunk_min, task.facts.splittable, task.facts.buffer_after_min);
        let when = (task.facts.due, task.facts.not_before, task.facts.prefer);
        (task.facts.priority, task.facts.estimate_min, chunks, when, task.facts.pinned)
    };
    open(after) && (read(old) != read(new) || old.facts.hours != new.facts.hours || old.facts.after != new.facts.after)
}

/// What is done with a new plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// It is offered, and nothing is written before somebody accepts.
    Offered,
    /// It is carried out, and can be put back.
    CarriedOut,
    /// None is made.
    None,
}

/// What is done with a plan. One that somebody asked for is shown first, whatever the mode.
#[must_use]
pub fn handling(mode: PlanMode, cause: PlanCause) -> Handling {
    match (mode, cause) {
        (_, PlanCause::Asked) | (PlanMode::Propose, _) => Handling::Offered,
        (PlanMode::Auto, _) => Handling::CarriedOut,
        (PlanMode::Off, _) => Handling::None,
    }
}

/// Whether a block's event says free or busy. While the task fits in another way as well, others may have the time: free, as
/// long as `slack_min` (`None`: no deadline) is the buffer at least. With no slack at all this is the last way it fits, and
/// what stays where it is takes its time: busy. What was worked was busy, what was missed was not.
#[must_use]
pub fn shows(block: &TimeBlock, slack_min: Option<i64>, buffer_min: u16) -> Transparency {
    let roomy = slack_min.is_none_or(|slack| slack > 0 && slack >= i64::from(buffer_min));
    match (block.state, block.lock) {
        (BlockState::Done | BlockState::InProgress, _) => Transparency::Opaque,
        (BlockState::Missed | BlockState::Proposed, _) => Transparency::Transparent,
        _ if block.shows.is_some() => block.shows.unwrap_or_default(),
        (_, BlockLock::None) if roomy => Transparency::Transparent,
        _ => Transparency::Opaque,
    }
}
