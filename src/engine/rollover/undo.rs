//! What was rolled over and should not have been: taking a change of day back, and finishing yesterday's task today.

#[cfg(test)]
mod tests;

use chrono::NaiveDate;

use crate::domain::{
    block::{BlockLock, TimeBlock},
    ids::{BlockId, TaskId},
    rollover::{OldBlock, RolledTask, Rollover},
    task::{Task, TaskStatus},
};

/// Why a change of day cannot be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UndoRefused {
    /// It was.
    #[error("it was taken back already")]
    Already,
    /// Another day has begun since, and has gone on from what this one left.
    #[error("another day has begun since")]
    TooLate,
    /// Something was done with every one of its tasks since.
    #[error("every task of it was worked on or changed since")]
    NothingLeft,
}

/// Why one task of it stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyKept {
    /// Somebody worked on the new instance.
    Worked,
    /// Somebody changed an instance, finished it or gave it up.
    Changed,
    /// Somebody put one of its new blocks where it is.
    Placed,
}

/// A rolled task as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Afterwards<'a> {
    /// What the change of day did.
    pub rolled: &'a RolledTask,
    /// How the old instance stands.
    pub old: TaskStatus,
    /// The new instance; `None`: there was none, or it is gone.
    pub new: Option<&'a Task>,
    /// Its blocks.
    pub blocks: &'a [TimeBlock],
    /// A focus session on it is open.
    pub clock: bool,
}

/// What taking back means for one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The old instance stands again.
    Back {
        /// The old instance.
        old: TaskId,
        /// How it stands.
        status: TaskStatus,
        /// Where its blocks are and how they stand.
        blocks: Vec<OldBlock>,
        /// The new instance, which goes.
        new: Option<TaskId>,
        /// Its blocks, which go with it.
        dropped: Vec<BlockId>,
    },
    /// The new instance stays: taking it away would lose what was done since.
    Kept {
        /// The old instance.
        old: TaskId,
        /// Why.
        why: WhyKept,
    },
}

/// Takes a change of day back, as far as nothing was done with its tasks. The date itself stays begun: `last_rolled` is not
/// touched, so the same change does not run again. What still waits for its clock waits no more. `tasks`: one for each of
/// [`Rollover::tasks`].
pub fn undo(rollover: &Rollover, last_rolled: NaiveDate, tasks: &[Afterwards<'_>]) -> Result<Vec<Undone>, UndoRefused> {
    if rollover.undone_at.is_some() {
        return Err(UndoRefused::Already);
    }
    if last_rolled > rollover.date {
        return Err(UndoRefused::TooLate);
    }
    let undone: Vec<_> = tasks.iter().map(undo_one).collect();
    if undone.iter().any(|one| matches!(one, Undone::Back { .. })) { Ok(undone) } else { Err(UndoRefused::NothingLeft) }
}

fn undo_one(after: &Afterwards<'_>) -> Undone {
    let rolled = after.rolled;
    match kept(after) {
        Some(why) => Undone::Kept { old: rolled.from, why },
        None => Undone::Back {
            old: rolled.from,
            status: rolled.status,
            blocks: rolled.blocks.clone(),
            new: after.new.map(|new| new.id),
            dropped: after.blocks.iter().map(|block| block.id).collect(),
        },
    }
}

fn kept(after: &Afterwards<'_>) -> Option<WhyKept> {
    if !matches!(after.old, TaskStatus::Carried | TaskStatus::Skipped | TaskStatus::Stale) {
        return Some(WhyKept::Changed);
    }
    let Some(new) = after.new else {
        // A new instance that somebody deleted is not replaced by the old one.
        return after.rolled.to.map(|_| WhyKept::Changed);
    };
    if after.clock || new.actual_min > 0 {
        Some(WhyKept::Worked)
    } else if new.version != after.rolled.to_version || !new.facts.status.is_open() {
        Some(WhyKept::Changed)
    } else if after.blocks.iter().any(|block| block.lock != BlockLock::None) {
        Some(WhyKept::Placed)
    } else {
        None
    }
}

/// An instance that goes on with a task that turns out to be done.
#[derive(Clone, Copy, Debug)]
pub struct LateInstance<'a> {
    /// The instance.
    pub task: &'a Task,
    /// Its blocks.
    pub blocks: &'a [TimeBlock],
}

/// How such an instance ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateEnd {
    /// The instance.
    pub task: TaskId,
    /// Done when it was worked on, which stays history; else cancelled, as if it had never been made.
    pub status: TaskStatus,
    /// Blocks that go. What was worked stays.
    pub dropped: Vec<BlockId>,
}

/// What a task that is finished "for yesterday" (or marked as done late at the provider) means for the instances that were
/// made of it since. Nothing, the second time. `instances`: those of one person, in any order.
#[must_use]
pub fn withdraw(finished: TaskId, instances: &[LateInstance<'_>]) -> Vec<LateEnd> {
    let mut ends = Vec::new();
    let mut from = finished;
    // Each step finds another instance, so that even a ring of them ends.
    for _ in 0..instances.len() {
        let Some(late) = instances.iter().find(|late| late.task.carried_from == Some(from)) else { break };
        from = late.task.id;
        if late.task.facts.status.is_open() || late.task.facts.status == TaskStatus::Stale {
            let worked = late.task.actual_min > 0;
            ends.push(LateEnd {
                task: late.task.id,
                status: if worked { TaskStatus::Done } else { TaskStatus::Cancelled },
                dropped: late.blocks.iter().filter(|block| !is_history(block)).map(|block| block.id).collect(),
            });
        }
    }
    ends
}

fn is_history(block: &TimeBlock) -> bool {
    use crate::domain::block::BlockState::{Done, Missed};
    matches!(block.state, Done | Missed)
}
