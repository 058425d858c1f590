//! One plan: work into free time.
//!
//! Terms. A *tick* is a step on the caller's axis; a *time map* the hours in which a task may lie; a *block* a piece of a
//! task's work in the calendar; the *plan in force* the blocks that are in the calendar now; a plan is better by missing less
//! ([`Score`]).
//!
//! How it is found, and why so. A plan is sought as an order of pieces of work, each placed as early as it can be
//! (`sequence`): no tick is ever chosen, so there is little to search, and each try costs a fraction of a microsecond. Rules of
//! thumb make the first plans (`seed`); an exact step puts one task among the others (`insert`), several tasks are taken out and
//! put back (`rebuild`), small changes do the rest (`moves`), all under one simulated cooling (`anneal`), first for the
//! deadlines alone, then for what is unplaced, then for the cost (`search`). What cannot be is counted as a flow of work into
//! time (`flow`, `certify`); it ends searches early and explains what does not fit (`reason`).
//!
//! **Invariant:** it ends: steps and work are counted where they are done (`meter`), each part of planning has its share, and whoever
//! waits may stop it ([`Stop`]). Whatever ends it, the plan is the best valid one so far.
//!
//! **Invariant:** whole numbers, counted steps, and chance that follows from the problem (`chance`): the same problem and
//! budget give the same plan, on every machine and in every build.
//!
//! **Invariant:** every plan keeps the rules ([`check()`]); the searched score is the score.
//!
//! **Invariant:** a plan in force that may stand as it is stays, unless more is placed or kept, or the cost falls by more than
//! a tenth. Two searches of one problem differ by some hundredths, and nobody should see their day moved by that.

mod anneal;
mod caps;
mod certify;
mod chance;
mod check;
mod diff;
mod flow;
mod insert;
mod meter;
mod moves;
mod piece;
mod problem;
mod reason;
mod rebuild;
mod room;
mod score;
mod search;
mod seed;
mod sequence;
mod slots;
#[cfg(test)]
mod tests;

pub use certify::{Overload, slack};
pub use check::{Broken, check};
pub use diff::BlockDiff;
pub use meter::{Stop, Unstopped};
pub use problem::{
    AFTER_MAX, Block, BusyTicks, BusyWith, Cap, HORIZON_MAX, HOURS_MAX, MAP_TICKS_MAX, MOVE_COST_MAX, PlanProblem,
    Previous, ProblemRefused, SPANS_MAX, TASKS_MAX, TaskToPlace, Tick, TickSpan, WAITS_MAX, WEIGHT_MAX,
};
pub use reason::{Misfit, MoveReason, SuggestedAction, UnplacedReason};
pub use score::{CostParts, Score, score};
pub use search::{SearchBudget, WorkBudget};
pub use slots::{merged, without};

use self::{chance::Chance, search::Meters, sequence::Prepared};

/// What was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The blocks, in order of time.
    pub blocks: Vec<Block>,
    /// What it costs.
    pub score: Score,
    /// What the cost is made of.
    pub parts: CostParts,
    /// How it differs from the plan in force: each block of either, once.
    pub changes: Vec<BlockDiff>,
    /// Why a task is not, not wholly or not in time done: one for each such task, in order of the tasks.
    pub misfits: Vec<Misfit>,
    /// Whether it was ended from outside: there may be a better one.
    pub stopped: bool,
    /// Work that was counted, in units of about a nanosecond.
    pub work: u64,
}

/// Plans. The schedule is the best that the budget finds; every task that does not fit, and every block that moves, comes with
/// its reason and what could be done about it.
pub fn plan(problem: &PlanProblem, budget: SearchBudget) -> Result<Plan, ProblemRefused> {
    plan_until(problem, budget, &Unstopped)
}

/// The same, ended early when somebody says so: then it is the best that was found by that time, and valid.
pub fn plan_until(problem: &PlanProblem, budget: SearchBudget, stop: &dyn Stop) -> Result<Plan, ProblemRefused> {
    problem.validate()?;
    Ok(metered(problem, budget, &Meters::new(budget.work(), stop)))
}

fn metered(problem: &PlanProblem, budget: SearchBudget, meters: &Meters<'_>) -> Plan {
    let prepared = Prepared::new(problem);
    let mut chance = Chance::new(chance::seed(problem));
    let best = search::search(problem, &prepared, budget, meters, &mut chance);
    let blocks = piece::blocks(&best.pieces);
    let (score, parts) = score(problem, &blocks);
    let changes = diff::changes(problem, &prepared, &blocks);
    let misfits = reason::misfits(problem, &prepared, &blocks, &meters.reasons);
    let stopped = meters.all().iter().any(|meter| meter.was_stopped());
    let work = meters.all().iter().map(|meter| meter.spent().0).sum();
    Plan { blocks, score, parts, changes, misfits, stopped, work }
}
