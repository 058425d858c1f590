use super::*;
use crate::domain::task::{Priority, TaskStatus};
use crate::engine::samples::{Dice, block, block_id, hours, monday, task, task_id};

fn standing(blocks: &[Window], wanting: bool) -> PlanInForce {
    PlanInForce::new(blocks.iter().copied(), wanting, hours("06:00", "20:00"), 0)
}

#[test]
fn time_that_is_taken_from_a_block_calls_for_a_plan_and_any_other_does_not() {
    let plan = standing(&[hours("14:00", "15:00"), hours("09:00", "10:00")], true);
    for (taken, cause) in [
        (hours("09:30", "09:45"), Some(PlanCause::Collision)),
        (hours("08:00", "18:00"), Some(PlanCause::Collision)),
        (hours("10:00", "14:00"), None),
        (hours("15:00", "16:00"), None),
        (hours("09:30", "09:30"), None),
    ] {
        assert_eq!(plan.judge(News::Taken(taken)), cause, "{taken:?}");
    }
    let careful = PlanInForce::new([hours("09:00", "10:00")].into_iter(), false, hours("06:00", "20:00"), 10);
    assert_eq!(careful.judge(News::Taken(hours("10:05", "11:00"))), Some(PlanCause::Collision), "the buffer is kept");
    assert_eq!(careful.judge(News::Taken(hours("10:10", "11:00"))), None);
}

#[test]
fn the_search_by_halving_finds_what_looking_at_every_block_finds() {
    let mut dice = Dice(5);
    let mut met = 0;
    for _ in 0..300 {
        let mut stretch = |longest| {
            let from = monday("00:00") + Duration::minutes(i64::from(dice.below(1_200)));
            Window { from, to: from + Duration::minutes(i64::from(dice.below(longest))) }
        };
        // Some of them overlap, and one may reach over many.
        let mut blocks: Vec<_> = (0..8).map(|_| stretch(30)).collect();
        blocks.push(stretch(400));
        blocks.retain(|block| block.length() > Duration::zero());
        let plan = standing(&blocks, false);
        for _ in 0..50 {
            let taken = stretch(60);
            let expected = blocks.iter().any(|block| block.overlaps(&taken));
            met += u32::from(expected);
            assert_eq!(plan.judge(News::Taken(taken)).is_some(), expected, "{taken:?} and {blocks:?}");
        }
    }
    assert!(met > 1_000, "{met}");
}

#[test]
fn time_that_is_freed_matters_when_something_waits_for_it() {
    let soon = News::Freed(hours("09:00", "10:00"));
    assert_eq!(standing(&[], true).judge(soon), Some(PlanCause::RoomFreed));
    assert_eq!(standing(&[], false).judge(soon), None);
    assert_eq!(standing(&[], true).judge(News::Freed(hours("20:00", "21:00"))), None, "beyond the look-ahead");
}

#[test]
fn an_edit_calls_for_a_plan_when_the_planner_reads_what_was_changed() {
    let old = task(1);
    let matters = |change: fn(&mut Task)| {
        let mut new = task(1);
        change(&mut new);
        edit_matters(Some(&old), Some(&new))
    };
    assert!(!matters(|_| ()));
    assert!(!matters(|task| task.facts.title = "Another".into()));
    assert!(!matters(|task| task.facts.description = Some("More".into())));
    assert!(!matters(|task| task.facts.project = Some("House".into())));
    assert!(!matters(|task| task.actual_min = 10), "the clock asks by itself");
    assert!(matters(|task| task.facts.estimate_min = Some(90)));
    assert!(matters(|task| task.facts.priority = Priority::Urgent));
    assert!(matters(|task| task.facts.after = vec![task_id(2)]));
    assert!(matters(|task| task.facts.hours = Some("evening".into())));
    assert!(matters(|task| task.facts.splittable = false));
    assert!(matters(|task| task.facts.pinned = true));
    assert!(matters(|task| task.facts.status = TaskStatus::Done));
    let mut done = task(2);
    done.facts.status = TaskStatus::Done;
    assert!(edit_matters(None, Some(&old)));
    assert!(edit_matters(Some(&old), None));
    assert!(!edit_matters(None, Some(&done)));
}

#[test]
fn a_plan_is_offered_or_carried_out_as_the_user_wants_it() {
    let handled = |mode| [PlanCause::Collision, PlanCause::Asked].map(|cause| handling(mode, cause));
    assert_eq!(handled(PlanMode::Propose), [Handling::Offered, Handling::Offered]);
    assert_eq!(handled(PlanMode::Auto), [Handling::CarriedOut, Handling::Offered]);
    assert_eq!(handled(PlanMode::Off), [Handling::None, Handling::Offered]);
}

#[test]
fn a_block_says_free_while_the_task_fits_in_another_way_as_well() {
    use Transparency::{Opaque, Transparent};
    let mut one = block(1, 1, hours("15:00", "16:00"));
    for (slack, expected) in
        [(None, Transparent), (Some(30), Transparent), (Some(29), Opaque), (Some(0), Opaque), (Some(-5), Opaque)]
    {
        assert_eq!(shows(&one, slack, 30), expected, "{slack:?}");
    }
    assert_eq!(shows(&one, Some(0), 0), Opaque, "the last way it fits");
    one.shows = Some(Opaque);
    assert_eq!(shows(&one, None, 0), Opaque, "as somebody chose");
    one.shows = None;
    for lock in [BlockLock::User, BlockLock::Started, BlockLock::External] {
        one.lock = lock;
        assert_eq!(shows(&one, None, 0), Opaque, "{lock}");
    }
    for (state, expected) in [(BlockState::Done, Opaque), (BlockState::Missed, Transparent)] {
        one.state = state;
        assert_eq!(shows(&one, None, 0), expected, "{state}");
    }
}

fn seen(task: Option<u128>) -> SeenTask {
    SeenTask { task: task.map(task_id), title_was_visible: true, now: monday("12:00") }
}

#[test]
fn a_block_that_was_moved_outside_follows_and_waits_for_a_yes() {
    let there = hours("17:00", "18:30");
    let mut one = block(1, 1, hours("15:00", "16:00"));
    let follow = BlockAnswer::Follow {
        span: there,
        state: BlockState::Tentative,
        lock: BlockLock::External,
        task: task_id(1),
        asks: true,
        leaves_clock: false,
        replan: Some(PlanCause::MovedOutside),
    };
    assert_eq!(answer(&one, Outside::Moved(there), &seen(Some(1))), follow);
    assert_eq!(answer(&one, Outside::Moved(one.span()), &seen(Some(1))), BlockAnswer::Nothing, "our own echo");
    (one.state, one.lock) = (BlockState::Tentative, BlockLock::External);
    assert_eq!(confirmed(&one), Some((BlockState::Confirmed, BlockLock::User)));
    (one.state, one.lock) = (BlockState::Confirmed, BlockLock::User);
    assert_eq!(confirmed(&one), None);
    assert_eq!(answer(&one, Outside::Moved(there), &seen(Some(1))), follow, "also what was confirmed before");
}

#[test]
fn history_follows_without_a_question_and_a_missed_block_moved_ahead_is_work_of_the_open_instance() {
    let mut one = block(1, 1, hours("09:00", "10:00"));
    one.state = BlockState::Done;
    let BlockAnswer::Follow { state, asks, replan, .. } =
        answer(&one, Outside::Moved(hours("08:00", "09:00")), &seen(None))
    else {
        panic!("it follows")
    };
    assert_eq!((state, asks, replan), (BlockState::Done, false, None));
    one.state = BlockState::Missed;
    let ahead = Outside::Moved(hours("17:00", "18:00"));
    let BlockAnswer::Follow { state, lock, task, .. } = answer(&one, ahead, &seen(Some(2))) else {
        panic!("it follows")
    };
    assert_eq!((state, lock, task), (BlockState::Tentative, BlockLock::External, task_id(2)));
    let BlockAnswer::Follow { state, asks, .. } = answer(&one, Outside::Moved(hours("08:00", "09:00")), &seen(Some(2)))
    else {
        panic!("it follows")
    };
    assert_eq!((state, asks), (BlockState::Missed, false));
}

#[test]
fn the_block_at_work_may_change_its_length_and_leaves_its_clock_when_it_goes_elsewhere() {
    let mut one = block(1, 1, hours("11:00", "12:30"));
    (one.state, one.lock) = (BlockState::InProgress, BlockLock::Started);
    let go = |span| match answer(&one, Outside::Moved(span), &seen(Some(1))) {
        BlockAnswer::Follow { state, lock, leaves_clock, .. } => (state, lock, leaves_clock),
        other => panic!("it follows: {other:?}"),
    };
    assert_eq!(go(hours("11:00", "13:30")), (BlockState::InProgress, BlockLock::Started, false));
    assert_eq!(go(hours("17:00", "18:00")), (BlockState::Tentative, BlockLock::External, true));
}

#[test]
fn a_deleted_block_gives_its_time_up_and_keeps_its_task() {
    let mut one = block(1, 1, hours("15:00", "16:00"));
    let given_up = BlockAnswer::GiveUp { avoid: one.span(), replan: Some(PlanCause::DeletedOutside) };
    assert_eq!(answer(&one, Outside::Deleted, &seen(Some(1))), given_up);
    let whole_week = Window { from: monday("00:00"), to: monday("00:00") + Duration::days(7) };
    assert_eq!(answer(&one, Outside::Moved(whole_week), &seen(Some(1))), given_up, "no slot any more");
    assert_eq!(
        answer(&one, Outside::Deleted, &seen(None)),
        BlockAnswer::GiveUp { avoid: one.span(), replan: None },
        "nothing is left to plan"
    );
    for state in [BlockState::Done, BlockState::Missed, BlockState::InProgress] {
        one.state = state;
        assert_eq!(answer(&one, Outside::Deleted, &seen(Some(1))), BlockAnswer::Unlink, "{state}");
    }
    assert_eq!(one.id, block_id(1));
}

#[test]
fn a_new_title_is_the_tasks_unless_the_copy_did_not_show_it() {
    let one = block(1, 1, hours("15:00", "16:00"));
    assert_eq!(answer(&one, Outside::Renamed(" Taxes "), &seen(Some(1))), BlockAnswer::Rename("Taxes".into()));
    assert_eq!(answer(&one, Outside::Renamed("  "), &seen(Some(1))), BlockAnswer::Nothing);
    let hidden = SeenTask { title_was_visible: false, ..seen(Some(1)) };
    assert_eq!(answer(&one, Outside::Renamed("Taxes"), &hidden), BlockAnswer::Nothing);
    let busy = Outside::Shown(Transparency::Opaque);
    assert_eq!(answer(&one, busy, &seen(Some(1))), BlockAnswer::Show(Transparency::Opaque));
}
