//! Whether a schedule keeps the rules. It shares no line with what makes schedules, so that it can judge them.

use super::{
    problem::{Block, Cap, PlanProblem, Tick},
    score, slots,
};

/// A rule, and where a schedule breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A block of no task that can be placed.
    NoTask(Block),
    /// A block shorter or longer than its task allows.
    Length(Block),
    /// A block before its task's release.
    Release(Block),
    /// A block outside its task's free hours.
    Hours(Block),
    /// Two blocks closer together than the gap, or two of one task that touch.
    Gap(Block, Block),
    /// More in a day than may be worked in it.
    Cap(Cap),
    /// More placed than there is work, or a rest too short to be placed ever.
    Rest {
        /// The task.
        task: usize,
    },
    /// A block before the end of what its task waits for.
    Order {
        /// The block.
        block: Block,
        /// The task that it waits for.
        after: usize,
    },
}

/// All that a schedule does against the rules; nothing, if it may stand.
pub fn check(problem: &PlanProblem, blocks: &[Block]) -> Vec<Broken> {
    let free = slots::free(problem, |_| true);
    let mut broken = Vec::new();
    let mut sorted = blocks.to_vec();
    sorted.sort_unstable();
    for block in &sorted {
        let Some((task, work)) = problem.tasks.get(block.task).and_then(|task| Some((task, task.work?))) else {
            broken.push(Broken::NoTask(*block));
            continue;
        };
        if block.start >= block.end || !(task.chunk_min..=task.chunk_max.min(work)).contains(&block.span().len()) {
            broken.push(Broken::Length(*block));
        }
        if block.start < task.release {
            broken.push(Broken::Release(*block));
        }
        if !free.get(task.map).is_some_and(|free| free.holds(block.span())) {
            broken.push(Broken::Hours(*block));
        }
    }
    for (one, next) in sorted.iter().zip(sorted.iter().skip(1)) {
        if next.start < one.end.saturating_add(problem.apart(one, next)) {
            broken.push(Broken::Gap(*one, *next));
        }
    }
    for (at, cap) in problem.caps.iter().enumerate() {
        let end = problem.caps.get(at + 1).map_or(Tick::MAX, |next| next.from);
        let of_day = sorted.iter().filter(|block| (cap.from..end).contains(&block.start));
        if of_day.map(|block| block.span().len()).sum::<Tick>() > cap.ticks {
            broken.push(Broken::Cap(*cap));
        }
    }
    let progress = score::progress(problem, blocks);
    for (at, (task, done)) in problem.tasks.iter().zip(&progress).enumerate() {
        let Some(work) = task.work else { continue };
        if done.placed > work || (done.rest > 0 && done.rest < task.chunk_min) {
            broken.push(Broken::Rest { task: at });
        }
    }
    for block in &sorted {
        for after in problem.tasks.get(block.task).map_or(&[][..], |task| &task.after) {
            let known = problem.tasks.get(*after).zip(progress.get(*after));
            let done =
                known.is_some_and(|(task, done)| task.work.is_some() && done.rest == 0 && done.end <= block.start);
            if !done {
                broken.push(Broken::Order { block: *block, after: *after });
            }
        }
    }
    broken
}
