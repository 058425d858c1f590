//! What is to be planned: time, tasks and the plan in force, as numbers; and what is no such thing.

use std::{collections::BTreeSet, ops::Range};

/// A point on the caller's own axis of equal steps. What a step is, and where nought lies, is the caller's affair.
pub type Tick = u32;

/// Furthest end of a horizon, in ticks: a lookup table holds each tick, and no sum of times can overflow.
pub const HORIZON_MAX: Tick = 100_000;
/// Most tasks of one problem.
pub const TASKS_MAX: usize = 2_000;
/// Most busy spans, most blocks of the plan in force, most days that are capped; each.
pub const SPANS_MAX: usize = 20_000;
/// Most spans in all time maps.
pub const HOURS_MAX: usize = 200_000;
/// Most time maps times ticks: of each map, each tick has a cell in a table.
pub const MAP_TICKS_MAX: usize = 8_000_000;
/// Most tasks that are waited for, summed over all that wait.
pub const WAITS_MAX: usize = 20_000;
/// Greatest weight of a task, and greatest cost of a split.
pub const WEIGHT_MAX: u32 = 1_000;
/// Greatest cost of moving one block.
pub const MOVE_COST_MAX: u32 = 1_000_000;
/// Most tasks that one task may wait for.
pub const AFTER_MAX: usize = 100;

/// From a tick to another, the last one not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TickSpan {
    /// First tick of it.
    pub start: Tick,
    /// First tick after it.
    pub end: Tick,
}

impl TickSpan {
    /// Ticks in it.
    #[must_use]
    pub const fn len(self) -> Tick {
        self.end.saturating_sub(self.start)
    }

    /// Whether nothing lies in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether both have a tick in common.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Why a span is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BusyWith {
    /// Something in a calendar.
    Event,
    /// A block that may not move: started, or held by its owner. The number is the caller's own for it.
    Locked(u32),
    /// Nobody knows: this source of availability is not heard at present. The number is the caller's own for it.
    Unknown(u32),
}

/// Time that is not to be planned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusyTicks {
    /// When.
    pub span: TickSpan,
    /// Why.
    pub with: BusyWith,
}

/// Work to be placed. A task is named by its index in [`PlanProblem::tasks`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskToPlace {
    /// Ticks of work that are left. None: nobody has said, so it cannot be placed and costs nothing.
    pub work: Option<Tick>,
    /// No block may start before.
    pub release: Tick,
    /// When it should be done. Past the horizon it is not judged.
    pub due: Option<Tick>,
    /// How much it matters (P1–P4 are 8, 4, 2 and 1).
    pub weight: u32,
    /// Shortest block, in ticks; at most `work`.
    pub chunk_min: Tick,
    /// Longest block, in ticks. Equal to `work` like `chunk_min`: the task is not split.
    pub chunk_max: Tick,
    /// Ticks kept free after each of its blocks, up to the next block; none: [`PlanProblem::gap`].
    pub gap_after: Option<Tick>,
    /// Index in [`PlanProblem::maps`]: the hours in which it may lie.
    pub map: usize,
    /// Indexes of tasks that must be done first.
    pub after: Vec<usize>,
}

/// How much may be worked in a day, all time maps together. A block counts for the day that it starts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cap {
    /// First tick of the day, which ends where the next one begins.
    pub from: Tick,
    /// Ticks.
    pub ticks: Tick,
}

/// One piece of work in the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// First tick of it.
    pub start: Tick,
    /// First tick after it.
    pub end: Tick,
    /// Index in [`PlanProblem::tasks`].
    pub task: usize,
}

impl PlanProblem {
    /// Ticks between a block of one task and the next block, of another or of the same: two pieces of one task that touch would
    /// be one piece, and its length unbounded.
    #[must_use]
    pub fn apart(&self, one: &Block, next: &Block) -> Tick {
        let gap = self.tasks.get(one.task).and_then(|task| task.gap_after).unwrap_or(self.gap);
        if one.task == next.task { gap.max(1) } else { gap }
    }
}

impl Block {
    /// When it is.
    #[must_use]
    pub const fn span(self) -> TickSpan {
        TickSpan { start: self.start, end: self.end }
    }
}

/// A block of the plan in force, and what moving it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Previous {
    /// The block.
    pub block: Block,
    /// What it costs if no block is exactly there any more; in units of [`Score::cost`](super::Score::cost).
    pub move_cost: u32,
}

/// All that a plan follows from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PlanProblem {
    /// First tick that may be used.
    pub now: Tick,
    /// First tick after those that may be used.
    pub horizon: Tick,
    /// Ticks between two neighbouring blocks, at least, where the first one's task says nothing else.
    pub gap: Tick,
    /// Cost of each block of a task after its first.
    pub split_cost: u32,
    /// Time maps: the hours, of any order, touching and overlapping as they like.
    pub maps: Vec<Vec<TickSpan>>,
    /// What is not free, in any order, overlapping as it likes.
    pub busy: Vec<BusyTicks>,
    /// What may be worked of each day, in order. Empty: no day is capped.
    pub caps: Vec<Cap>,
    /// What is to be placed.
    pub tasks: Vec<TaskToPlace>,
    /// The plan in force, in any order. Blocks that may not move are not here but in `busy`.
    pub previous: Vec<Previous>,
}

/// Why a problem is none: the field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct ProblemRefused {
    /// The field, like `tasks[3].chunk_min`.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

fn refuse(field: impl Into<String>, why: impl Into<String>) -> ProblemRefused {
    ProblemRefused { field: field.into(), why: why.into() }
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    field: impl Into<String>,
    value: T,
    allowed: Range<T>,
) -> Result<(), ProblemRefused> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(refuse(field, format!("{value} is not from {} to below {}", allowed.start, allowed.end)))
}

impl PlanProblem {
    /// Looks whether the numbers are such that a plan can be made of them.
    pub fn validate(&self) -> Result<(), ProblemRefused> {
        within("horizon", self.horizon, 1..HORIZON_MAX + 1)?;
        within("now", self.now, 0..self.horizon)?;
        within("gap", self.gap, 0..HORIZON_MAX + 1)?;
        within("split_cost", self.split_cost, 0..WEIGHT_MAX + 1)?;
        within("tasks", self.tasks.len(), 0..TASKS_MAX + 1)?;
        within("maps", self.maps.iter().map(Vec::len).sum(), 0..HOURS_MAX + 1)?;
        let cells = self.maps.len().saturating_mul(self.horizon as usize);
        if cells > MAP_TICKS_MAX {
            let why = format!("{} time maps of {} ticks are too many", self.maps.len(), self.horizon);
            return Err(refuse("maps", why));
        }
        within("tasks.after", self.tasks.iter().map(|task| task.after.len()).sum(), 0..WAITS_MAX + 1)?;
        within("busy", self.busy.len(), 0..SPANS_MAX + 1)?;
        within("previous", self.previous.len(), 0..SPANS_MAX + 1)?;
        for (map, spans) in self.maps.iter().enumerate() {
            for (at, span) in spans.iter().enumerate() {
                ordered(|| format!("maps[{map}][{at}]"), *span)?;
            }
        }
        for (at, busy) in self.busy.iter().enumerate() {
            ordered(|| format!("busy[{at}]"), busy.span)?;
        }
        within("caps", self.caps.len(), 0..SPANS_MAX + 1)?;
        for (at, (cap, next)) in self.caps.iter().zip(self.caps.iter().skip(1)).enumerate() {
            within(format!("caps[{}].from", at + 1), next.from, cap.from.saturating_add(1)..HORIZON_MAX + 1)?;
        }
        for (at, task) in self.tasks.iter().enumerate() {
            self.validate_task(at, task)?;
        }
        self.validate_previous()?;
        match self.first_in_circle() {
            Some(at) => Err(refuse(format!("tasks[{at}].after"), "waits, by way of others, for itself")),
            None => Ok(()),
        }
    }

    fn validate_task(&self, at: usize, task: &TaskToPlace) -> Result<(), ProblemRefused> {
        let field = |name: &str| format!("tasks[{at}].{name}");
        if let Some(work) = task.work {
            within(field("work"), work, 1..HORIZON_MAX + 1)?;
            within(field("gap_after"), task.gap_after.unwrap_or(0), 0..HORIZON_MAX + 1)?;
            within(field("chunk_min"), task.chunk_min, 1..work + 1)?;
            within(field("chunk_max"), task.chunk_max, task.chunk_min..HORIZON_MAX + 1)?;
        }
        within(field("release"), task.release, 0..HORIZON_MAX + 1)?;
        within(field("weight"), task.weight, 0..WEIGHT_MAX + 1)?;
        within(field("map"), task.map, 0..self.maps.len())?;
        within(field("after"), task.after.len(), 0..AFTER_MAX + 1)?;
        match task.after.iter().find(|before| **before >= self.tasks.len()) {
            Some(before) => Err(refuse(field("after"), format!("there is no task {before}"))),
            None => Ok(()),
        }
    }

    fn validate_previous(&self) -> Result<(), ProblemRefused> {
        let mut seen = BTreeSet::new();
        for (at, previous) in self.previous.iter().enumerate() {
            ordered(|| format!("previous[{at}]"), previous.block.span())?;
            within(format!("previous[{at}].task"), previous.block.task, 0..self.tasks.len())?;
            within(format!("previous[{at}].move_cost"), previous.move_cost, 0..MOVE_COST_MAX + 1)?;
            if !seen.insert(previous.block) {
                return Err(refuse(format!("previous[{at}]"), "is there twice"));
            }
        }
        Ok(())
    }

    /// A task on, or behind, a circle of tasks that wait for each other.
    fn first_in_circle(&self) -> Option<usize> {
        let mut done = vec![false; self.tasks.len()];
        loop {
            let mut found = false;
            for (at, task) in self.tasks.iter().enumerate() {
                let is_done = |at: &usize| done.get(*at).copied().unwrap_or(false);
                if !is_done(&at) && task.after.iter().all(is_done) {
                    found = true;
                    if let Some(mark) = done.get_mut(at) {
                        *mark = true;
                    }
                }
            }
            if !found {
                return done.iter().position(|done| !done);
            }
        }
    }
}

fn ordered(field: impl Fn() -> String, span: TickSpan) -> Result<(), ProblemRefused> {
    if span.start >= span.end {
        return Err(refuse(field(), format!("ends ({}) before it begins ({})", span.end, span.start)));
    }
    within(field(), span.end, 0..HORIZON_MAX + 1)
}
