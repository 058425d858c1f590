//! What a new plan does to the plan in force.

use super::{
    problem::{Block, PlanProblem},
    reason::{self, MoveReason, SuggestedAction},
    score,
    sequence::Prepared,
};

/// What becomes of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockDiff {
    /// It stays as it is.
    Kept(Block),
    /// It is at another time, or of another length.
    Moved {
        /// Where it was.
        from: Block,
        /// Where it is.
        to: Block,
        /// Why.
        reason: MoveReason,
        /// What a person may do about it; at least one.
        actions: Vec<SuggestedAction>,
    },
    /// It is new.
    Added(Block),
    /// It is gone: its task has fewer blocks than before. If work is left over, the task's [`Misfit`](super::Misfit) says why.
    Dropped(Block),
}

/// Each block of the plan in force and of the new one, once, in order of the tasks. A task's blocks that are not the same are
/// paired in order of time.
pub fn changes(problem: &PlanProblem, prepared: &Prepared, blocks: &[Block]) -> Vec<BlockDiff> {
    let mut changes = Vec::new();
    let progress = score::progress(problem, blocks);
    let old = by_task(problem, problem.previous.iter().map(|previous| previous.block));
    let new = by_task(problem, blocks.iter().copied());
    for (mut old, new) in old.into_iter().zip(new) {
        let (kept, new): (Vec<Block>, Vec<Block>) = new.into_iter().partition(|block| old.binary_search(block).is_ok());
        old.retain(|block| kept.binary_search(block).is_err());
        changes.extend(kept.into_iter().map(BlockDiff::Kept));
        let pairs = old.iter().zip(&new).map(|(from, to)| {
            let (reason, actions) = reason::why_moved(problem, prepared, (blocks, &progress), *from, *to);
            BlockDiff::Moved { from: *from, to: *to, reason, actions }
        });
        changes.extend(pairs);
        changes.extend(new.iter().skip(old.len()).copied().map(BlockDiff::Added));
        changes.extend(old.iter().skip(new.len()).copied().map(BlockDiff::Dropped));
    }
    changes
}

/// The blocks of each task, in order of time.
fn by_task(problem: &PlanProblem, blocks: impl Iterator<Item = Block>) -> Vec<Vec<Block>> {
    let mut each = vec![Vec::new(); problem.tasks.len()];
    for block in blocks {
        if let Some(own) = each.get_mut(block.task) {
            own.push(block);
        }
    }
    for own in &mut each {
        own.sort_unstable();
    }
    each
}
