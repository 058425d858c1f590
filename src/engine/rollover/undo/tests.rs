use chrono_tz::Tz;
use uuid::Uuid;

use super::*;
use crate::domain::{block::BlockState, ids::RolloverId, time::Window};
use crate::engine::{
    day::Days,
    rollover::due,
    samples::{at, block, block_id, date, task, task_id},
};

fn span(from: &str, to: &str) -> Window {
    Window { from: at(from), to: at(to) }
}

#[test]
fn a_task_finished_late_withdraws_the_newest_of_its_instances_through_those_between() {
    let (mut second, mut third) = (task(2), task(3));
    (second.carried_from, second.facts.status) = (Some(task_id(1)), TaskStatus::Carried);
    (third.carried_from, third.facts.status) = (Some(task_id(2)), TaskStatus::Stale);
    let instances = [LateInstance { task: &third, blocks: &[] }, LateInstance { task: &second, blocks: &[] }];
    let ends: Vec<_> = withdraw(task_id(1), &instances).into_iter().map(|end| end.task).collect();
    assert_eq!(ends, [task_id(3)]);
    second.carried_from = Some(task_id(3));
    assert_eq!(withdraw(task_id(2), &[LateInstance { task: &second, blocks: &[] }]), [], "nobody goes on with it");
}

fn rollover(tasks: Vec<RolledTask>) -> Rollover {
    Rollover {
        id: RolloverId(Uuid::nil()),
        space_id: "home".parse().expect("an id"),
        user_id: "ada".parse().expect("an id"),
        date: date("2026-05-05"),
        skipped: None,
        tasks,
        waiting: Vec::new(),
        ran_at: at("2026-05-04T22:00:00Z"),
        undone_at: None,
    }
}

fn rolled(from: u128, to: Option<u128>) -> RolledTask {
    let old = OldBlock {
        id: block_id(from),
        span: span("2026-05-04T08:00:00Z", "2026-05-04T09:00:00Z"),
        state: BlockState::Confirmed,
    };
    RolledTask { from: task_id(from), to: to.map(task_id), to_version: 1, status: TaskStatus::Open, blocks: vec![old] }
}

#[test]
fn a_change_of_day_is_taken_back_task_by_task_as_far_as_nothing_was_done() {
    let plain = task(11);
    let (mut worked, mut changed, placed) = (task(12), task(13), task(14));
    worked.actual_min = 1;
    changed.version = 2;
    let free = [block(21, 11, span("2026-05-05T08:00:00Z", "2026-05-05T09:00:00Z"))];
    let mut locked = free.clone();
    locked[0].lock = BlockLock::User;
    let tasks = [
        rolled(1, Some(11)),
        rolled(2, Some(12)),
        rolled(3, Some(13)),
        rolled(4, Some(14)),
        rolled(5, Some(15)),
        rolled(6, None),
    ];
    let after = |place: usize, new, blocks| Afterwards {
        rolled: &tasks[place],
        old: TaskStatus::Carried,
        new,
        blocks,
        clock: false,
    };
    let now = [
        after(0, Some(&plain), &free[..]),
        after(1, Some(&worked), &[]),
        after(2, Some(&changed), &[]),
        after(3, Some(&placed), &locked[..]),
        after(4, None, &[]),
        after(5, None, &[]),
    ];
    let undone = undo(&rollover(tasks.to_vec()), date("2026-05-05"), &now).expect("some of it");
    let kept = |old, why| Undone::Kept { old: task_id(old), why };
    let back = |old: u128, new: Option<TaskId>, dropped| Undone::Back {
        old: task_id(old),
        status: TaskStatus::Open,
        blocks: tasks[usize::try_from(old).expect("small") - 1].blocks.clone(),
        new,
        dropped,
    };
    assert_eq!(
        undone,
        [
            back(1, Some(task_id(11)), vec![block_id(21)]),
            kept(2, WhyKept::Worked),
            kept(3, WhyKept::Changed),
            kept(4, WhyKept::Placed),
            kept(5, WhyKept::Changed),
            back(6, None, vec![]),
        ]
    );
    for touched in [Afterwards { clock: true, ..now[0] }, Afterwards { old: TaskStatus::Done, ..now[0] }] {
        assert_eq!(undo(&rollover(tasks.to_vec()), date("2026-05-05"), &[touched]), Err(UndoRefused::NothingLeft));
    }
}

#[test]
fn a_change_of_day_is_not_taken_back_twice_nor_after_the_next_one() {
    let tasks = [rolled(1, None)];
    let now = [Afterwards { rolled: &tasks[0], old: TaskStatus::Stale, new: None, blocks: &[], clock: false }];
    let mut held = rollover(tasks.to_vec());
    assert_eq!(undo(&held, date("2026-05-06"), &now), Err(UndoRefused::TooLate));
    held.undone_at = Some(held.ran_at);
    assert_eq!(undo(&held, date("2026-05-05"), &now), Err(UndoRefused::Already));
    // The date stays begun, so what was taken back does not come again by itself.
    assert_eq!(due(Days::of(Tz::Europe__Berlin), held.date, at("2026-05-05T10:00:00Z")), None);
}
