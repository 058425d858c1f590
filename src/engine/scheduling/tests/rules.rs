//! The rules, and what is no problem at all.

use super::*;

#[test]
fn what_is_wrong_with_a_problem_is_reported_with_its_field() {
    let mut good = open_time(&[(0, 10)], 20);
    good.tasks = vec![task(4, 2, 4), TaskToPlace { after: vec![0], ..task(4, 2, 4) }];
    good.busy = vec![busy(2, 3, BusyWith::Locked(1))];
    good.previous = vec![Previous { block: block(0, 4, 6), move_cost: 1 }];
    good.validate().expect("valid");
    let wrong = |change: fn(&mut PlanProblem)| {
        let mut bad = good.clone();
        change(&mut bad);
        let refused = plan(&bad, SearchBudget::Interactive).expect_err("it is wrong");
        assert_eq!(bad.validate(), Err(refused.clone()));
        refused.field
    };
    assert_eq!(wrong(|bad| bad.horizon = 0), "horizon");
    assert_eq!(wrong(|bad| bad.horizon = HORIZON_MAX + 1), "horizon");
    assert_eq!(wrong(|bad| bad.now = 20), "now");
    assert_eq!(wrong(|bad| bad.gap = HORIZON_MAX + 1), "gap");
    assert_eq!(wrong(|bad| bad.split_cost = WEIGHT_MAX + 1), "split_cost");
    assert_eq!(wrong(|bad| bad.maps[0][0].end = 0), "maps[0][0]");
    assert_eq!(wrong(|bad| bad.busy[0].span.start = 3), "busy[0]");
    assert_eq!(wrong(|bad| bad.tasks[0].work = Some(0)), "tasks[0].work");
    assert_eq!(wrong(|bad| bad.tasks[0].chunk_min = 0), "tasks[0].chunk_min");
    assert_eq!(wrong(|bad| bad.tasks[0].chunk_min = 5), "tasks[0].chunk_min");
    assert_eq!(wrong(|bad| bad.tasks[0].chunk_max = 1), "tasks[0].chunk_max");
    assert_eq!(wrong(|bad| bad.tasks[0].weight = WEIGHT_MAX + 1), "tasks[0].weight");
    assert_eq!(wrong(|bad| bad.tasks[0].map = 1), "tasks[0].map");
    assert_eq!(wrong(|bad| bad.tasks[1].after = vec![2]), "tasks[1].after");
    assert_eq!(wrong(|bad| bad.tasks[0].after = vec![1]), "tasks[0].after");
    assert_eq!(wrong(|bad| bad.previous[0].block.end = 4), "previous[0]");
    assert_eq!(wrong(|bad| bad.previous[0].block.task = 2), "previous[0].task");
    assert_eq!(wrong(|bad| bad.previous[0].move_cost = MOVE_COST_MAX + 1), "previous[0].move_cost");
    assert_eq!(wrong(|bad| bad.previous.push(bad.previous[0])), "previous[1]");
}

#[test]
fn every_rule_is_broken_by_a_schedule_that_breaks_it_alone() {
    let mut problem = open_time(&[(10, 20), (30, 40)], 50);
    problem.gap = 1;
    problem.busy = vec![busy(14, 15, BusyWith::Event)];
    problem.tasks = vec![
        TaskToPlace { release: 11, ..task(4, 2, 3) },
        task(2, 2, 2),
        TaskToPlace { after: vec![0], ..task(2, 2, 2) },
    ];
    let good = [block(0, 11, 13), block(0, 15, 17), block(1, 18, 20), block(2, 30, 32)];
    assert_eq!(check(&problem, &good), []);
    let broken = |blocks: &[Block]| check(&problem, blocks);
    assert_eq!(broken(&[block(7, 30, 32)]), [Broken::NoTask(block(7, 30, 32))]);
    let long = [block(0, 15, 19)];
    assert_eq!(broken(&long), [Broken::Length(long[0])]);
    let soon = [block(0, 10, 12), block(0, 15, 17)];
    assert_eq!(broken(&soon), [Broken::Release(soon[0])]);
    for outside in [block(1, 13, 15), block(1, 20, 22), block(1, 29, 31), block(1, 8, 10), block(1, 60, 62)] {
        assert_eq!(broken(&[outside]), [Broken::Hours(outside)]);
    }
    let close = [block(1, 15, 17), block(0, 17, 19), block(0, 30, 32)];
    assert_eq!(broken(&close), [Broken::Gap(close[0], close[1])]);
    let over = [block(0, 11, 14), block(0, 15, 17)];
    assert_eq!(broken(&over), [Broken::Rest { task: 0 }]);
    let short = [block(0, 11, 14)];
    assert_eq!(broken(&short), [Broken::Rest { task: 0 }]);
    let first = [block(0, 11, 13), block(2, 15, 17), block(0, 30, 32)];
    assert_eq!(broken(&first), [Broken::Order { block: first[1], after: 0 }]);
    let never = [block(2, 15, 17)];
    assert_eq!(broken(&never), [Broken::Order { block: never[0], after: 0 }]);
}

#[test]
fn two_pieces_of_a_task_may_not_touch_even_without_a_gap() {
    let mut problem = open_time(&[(0, 10)], 20);
    problem.tasks = vec![task(4, 2, 2)];
    let touching = [block(0, 0, 2), block(0, 2, 4)];
    assert_eq!(check(&problem, &touching), [Broken::Gap(touching[0], touching[1])]);
    assert_eq!(planned(&problem).blocks, [block(0, 0, 2), block(0, 3, 5)]);
}

#[test]
fn a_score_is_read_in_its_order() {
    let (missed, unplaced) = (Score { missed: 1, ..Score::default() }, Score { unplaced: 1, ..Score::default() });
    assert!(missed > unplaced && unplaced > Score { cost: u64::MAX, ..Score::default() });
}

#[test]
fn a_score_counts_each_part() {
    let mut problem = open_time(&[(0, 30)], 30);
    problem.tasks = vec![
        TaskToPlace { weight: 2, due: Some(6), ..task(4, 2, 4) },
        TaskToPlace { weight: 4, due: Some(31), release: 5, ..task(6, 2, 4) },
        TaskToPlace { work: None, due: Some(1), ..task(1, 1, 1) },
    ];
    let stays = Previous { block: block(0, 0, 2), move_cost: 5 };
    problem.previous = vec![stays, Previous { block: block(0, 4, 6), move_cost: 7 }];
    let blocks = [block(0, 0, 2), block(0, 5, 7), block(1, 10, 14)];
    assert_eq!(check(&problem, &blocks), []);
    let (score, parts) = score(&problem, &blocks);
    assert_eq!(parts, CostParts { flow: 2 * 7 + 4 * 25, extra_blocks: 1, moves: 7 });
    assert_eq!(score, Score { missed: 2, unplaced: 4 * 2, cost: 14 + 100 + 8 + 7 });
}

#[test]
fn no_day_is_worked_longer_than_its_cap_whatever_the_hours() {
    let mut problem = open_time(&[(0, 8), (20, 28)], 40);
    problem.maps.push(vec![TickSpan { start: 8, end: 12 }, TickSpan { start: 28, end: 32 }]);
    problem.caps = vec![Cap { from: 0, ticks: 5 }, Cap { from: 20, ticks: 6 }];
    problem.tasks =
        vec![TaskToPlace { weight: 8, ..task(3, 3, 3) }, TaskToPlace { map: 1, ..task(3, 3, 3) }, task(4, 2, 2)];
    let plan = planned(&problem);
    assert_eq!(plan.score.unplaced, 0, "{:?}", plan.blocks);
    let worked = |from: Tick, to: Tick| {
        let of_day = plan.blocks.iter().filter(|block| (from..to).contains(&block.start));
        of_day.map(|block| block.span().len()).sum::<Tick>()
    };
    assert_eq!((worked(0, 20), worked(20, 40)), (5, 5));
    assert_eq!(check(&problem, &[block(0, 0, 3), block(1, 8, 11)]), [Broken::Cap(problem.caps[0])]);
}

#[test]
fn a_task_that_the_caps_leave_too_little_for_is_reported_with_how_little() {
    let mut problem = open_time(&[(0, 8), (20, 28)], 40);
    problem.caps = vec![Cap { from: 0, ticks: 3 }, Cap { from: 20, ticks: 10 }];
    problem.tasks = vec![task(12, 1, 6)];
    let plan = planned(&problem);
    let within = TickSpan { start: 0, end: 40 };
    let [misfit] = plan.misfits.as_slice() else { panic!("{plan:?}") };
    assert_eq!(misfit.reason, UnplacedReason::Overloaded(Overload { within, supply: 11, demand: 12, tasks: vec![0] }));
    assert_eq!(misfit.rest, 2, "and one more between two blocks of a day");
}
