//! What a schedule costs: deadlines first, then what is left undone, then how long everything takes, in how many pieces, and
//! what is moved for it.
//!
//! The first two are strictly above the rest: a plan that finishes everything sooner by missing one more deadline is worse.
//! The three parts of the third are one sum on purpose. Were they strictly below each other, a tick of completion would
//! justify shuffling the whole week; summed, each has a rate a person can read.

use super::problem::{Block, PlanProblem, Tick};

/// What a schedule costs; less is better, and the order of the fields is the order of comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score {
    /// Weights of the tasks that are not done when they are due.
    pub missed: u64,
    /// Ticks not placed, each times its task's weight.
    pub unplaced: u64,
    /// Flow, splits and moves, summed.
    pub cost: u64,
}

impl Score {
    /// Worse than any schedule.
    pub(super) const WORST: Self = Self { missed: u64::MAX, unplaced: u64::MAX, cost: u64::MAX };
}

/// What [`Score::cost`] is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostParts {
    /// Ticks from release to completion (the horizon, if not complete), each times its task's weight.
    pub flow: u64,
    /// Blocks after the first of their task.
    pub extra_blocks: u64,
    /// Costs of the blocks of the plan in force that are not exactly there any more.
    pub moves: u64,
}

/// How far one task comes in a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskProgress {
    /// Ticks placed.
    pub placed: Tick,
    /// Ticks not placed.
    pub rest: Tick,
    /// Blocks.
    pub blocks: u32,
    /// End of its last block; nought without one.
    pub end: Tick,
}

/// How far each task comes.
pub fn progress(problem: &PlanProblem, blocks: &[Block]) -> Vec<TaskProgress> {
    let rest = |work: Option<Tick>| TaskProgress { rest: work.unwrap_or(0), ..TaskProgress::default() };
    let mut all: Vec<TaskProgress> = problem.tasks.iter().map(|task| rest(task.work)).collect();
    for block in blocks {
        if let Some(one) = all.get_mut(block.task) {
            one.placed += block.span().len();
            one.rest = one.rest.saturating_sub(block.span().len());
            one.blocks += 1;
            one.end = one.end.max(block.end);
        }
    }
    all
}

/// Scores a schedule that [`check`](super::check::check) accepts.
pub fn score(problem: &PlanProblem, blocks: &[Block]) -> (Score, CostParts) {
    let (mut score, mut parts) = (Score::default(), CostParts::default());
    for (task, progress) in problem.tasks.iter().zip(progress(problem, blocks)) {
        if task.work.is_none() {
            continue;
        }
        let weight = u64::from(task.weight);
        let end = if progress.rest == 0 { progress.end } else { problem.horizon };
        if task.due.is_some_and(|due| due <= problem.horizon && (progress.rest > 0 || end > due)) {
            score.missed += weight;
        }
        score.unplaced += weight * u64::from(progress.rest);
        // A task released after the horizon waits for nothing yet.
        parts.flow += weight * u64::from(end.saturating_sub(task.release));
        parts.extra_blocks += u64::from(progress.blocks.saturating_sub(1));
    }
    let mut there: Vec<Block> = blocks.to_vec();
    there.sort_unstable();
    let gone = problem.previous.iter().filter(|previous| there.binary_search(&previous.block).is_err());
    parts.moves = gone.map(|previous| u64::from(previous.move_cost)).sum();
    score.cost = parts.flow + u64::from(problem.split_cost) * parts.extra_blocks + parts.moves;
    (score, parts)
}
