//! The playlist: what to work on next, piece by piece.
//!
//! It is the plan read as a list: today's blocks in their order; then, when today's run dry, pieces of later blocks that may be
//! begun already. The planner has weighed deadlines and priorities, so what it put first is the best of them.

use chrono::{DateTime, Utc};

use super::day::Days;
use crate::domain::{
    block::TimeBlock,
    ids::{BlockId, TaskId},
    task::Task,
};

/// Longest list that is shown.
pub const PIECES_MAX: usize = 50;

/// One piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaylistPiece {
    /// What to work on.
    pub task: TaskId,
    /// In which block.
    pub block: BlockId,
    /// It is planned for a later day.
    pub borrowed: bool,
}

/// A block, and its task.
#[derive(Clone, Copy, Debug)]
pub struct PlannedBlock<'a> {
    /// The block.
    pub block: &'a TimeBlock,
    /// Its task.
    pub task: &'a Task,
}

/// The pieces from now on. `planned`: the blocks of one user, in any order; `skipped`: tasks that are not wanted again today;
/// `is_open`: whether a task that others wait for is still to be done.
#[must_use]
pub fn playlist(
    planned: &[PlannedBlock<'_>],
    skipped: &[TaskId],
    is_open: impl Fn(TaskId) -> bool,
    days: Days,
    now: DateTime<Utc>,
) -> Vec<PlaylistPiece> {
    let wanted = |one: &&PlannedBlock<'_>| {
        one.block.state.is_live() && one.task.facts.status.is_open() && !skipped.contains(&one.task.id)
    };
    let mut in_order: Vec<_> = planned.iter().filter(wanted).collect();
    in_order.sort_by_key(|one| (one.block.start, one.block.id));
    let tomorrow = days.after(days.date(now)).map_or(DateTime::<Utc>::MAX_UTC, |(_, begin)| begin);
    let split = in_order.partition_point(|one| one.block.start < tomorrow);
    let (today, later) = in_order.split_at(split);
    let piece = |one: &&PlannedBlock<'_>, borrowed| PlaylistPiece { task: one.task.id, block: one.block.id, borrowed };
    let mut pieces: Vec<_> = today.iter().map(|one| piece(one, false)).collect();
    for one in later {
        // What waits for another task may follow it in the list, once all of that is in it.
        let comes_later = |task: TaskId| {
            planned.iter().any(|other| {
                other.task.id == task
                    && other.block.state.is_live()
                    && !pieces.iter().any(|p| p.block == other.block.id)
            })
        };
        let in_list = |task: TaskId| pieces.iter().any(|piece| piece.task == task) && !comes_later(task);
        let released = one.task.facts.not_before.is_none_or(|time| days.release(&time) <= now);
        if released && one.task.facts.after.iter().all(|task| !is_open(*task) || in_list(*task)) {
            pieces.push(piece(one, true));
        }
        if pieces.len() >= PIECES_MAX {
            break;
        }
    }
    pieces.truncate(PIECES_MAX);
    pieces
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::domain::{
        block::BlockState,
        task::TaskStatus,
        time::{EventTime, Window},
    };
    use crate::engine::samples::{at, block, block_id, date, hours, monday, task, task_id};

    fn tuesday(from: &str, to: &str) -> Window {
        Window { from: at(&format!("2026-05-05T{from}:00Z")), to: at(&format!("2026-05-05T{to}:00Z")) }
    }

    fn listed(tasks: &[Task], blocks: &[TimeBlock], skipped: &[TaskId]) -> Vec<(u128, bool)> {
        let of = |block: &TimeBlock| tasks.iter().find(|task| task.id == block.task_id).expect("its task");
        let planned: Vec<_> = blocks.iter().map(|block| PlannedBlock { block, task: of(block) }).collect();
        let is_open = |id| tasks.iter().any(|task| task.id == id && task.facts.status.is_open());
        let pieces = playlist(&planned, skipped, is_open, Days::of(Tz::UTC), monday("12:00"));
        pieces.iter().map(|piece| (piece.block.0.as_u128(), piece.borrowed)).collect()
    }

    #[test]
    fn todays_blocks_come_in_order_and_then_pieces_of_later_ones() {
        let tasks = [task(1), task(2), task(3)];
        let mut offered = block(15, 3, hours("17:00", "18:00"));
        offered.state = BlockState::Proposed;
        let blocks = [
            block(13, 3, tuesday("09:00", "10:00")),
            block(12, 2, hours("15:00", "16:00")),
            block(11, 1, hours("11:40", "12:40")),
            block(14, 1, tuesday("08:00", "09:00")),
            offered,
        ];
        assert_eq!(listed(&tasks, &blocks, &[]), [(11, false), (12, false), (14, true), (13, true)]);
        assert_eq!(listed(&tasks, &blocks, &[task_id(1)]), [(12, false), (13, true)], "skipped");
    }

    #[test]
    fn what_is_over_is_not_in_it_and_what_may_not_begin_is_not_borrowed() {
        let mut tasks = [task(1), task(2), task(3)];
        tasks[0].facts.status = TaskStatus::Done;
        tasks[1].facts.not_before = Some(EventTime::Date(date("2026-05-05")));
        let mut missed = block(13, 3, hours("09:00", "10:00"));
        missed.state = BlockState::Missed;
        let blocks = [block(11, 1, hours("13:00", "14:00")), block(12, 2, tuesday("09:00", "10:00")), missed];
        assert_eq!(listed(&tasks, &blocks, &[]), []);
    }

    #[test]
    fn what_waits_for_another_task_follows_all_of_it() {
        let mut tasks = [task(1), task(2)];
        tasks[1].facts.after = vec![task_id(1)];
        let blocks = [
            block(11, 1, hours("13:00", "14:00")),
            block(12, 2, tuesday("09:00", "10:00")),
            block(13, 1, tuesday("10:00", "11:00")),
        ];
        assert_eq!(listed(&tasks, &blocks, &[]), [(11, false), (13, true)], "half of the first is still to come");
        assert_eq!(listed(&tasks, &blocks[..2], &[]), [(11, false), (12, true)]);
        tasks[0].facts.status = TaskStatus::Done;
        assert_eq!(listed(&tasks, &blocks[1..2], &[]), [(12, true)]);
        assert_eq!(block_id(12), blocks[1].id);
    }
}
