//! One problem for each reason.

use super::*;

fn misfit(problem: &PlanProblem) -> Misfit {
    let plan = planned(problem);
    let [misfit] = plan.misfits.as_slice() else { panic!("{plan:?}") };
    assert!(!misfit.actions.is_empty());
    misfit.clone()
}

fn alone(hours: &[(Tick, Tick)], task: TaskToPlace) -> PlanProblem {
    PlanProblem { tasks: vec![task], ..open_time(hours, 50) }
}

#[test]
fn what_the_task_lacks_itself_is_reported_first() {
    let unknown = misfit(&alone(&[(0, 10)], TaskToPlace { work: None, ..task(4, 4, 4) }));
    assert_eq!((unknown.reason, unknown.actions), (UnplacedReason::NoEstimate, vec![SuggestedAction::GiveEstimate]));
    let far = misfit(&alone(&[(0, 10)], TaskToPlace { release: 50, ..task(4, 4, 4) }));
    assert_eq!(far.reason, UnplacedReason::StartsAfterHorizon { release: 50, horizon: 50 });
    let past = misfit(&alone(&[(0, 10)], TaskToPlace { due: Some(3), release: 4, ..task(4, 4, 4) }));
    assert_eq!((past.reason, past.rest, past.late), (UnplacedReason::DeadlinePassed { due: 3, earliest: 4 }, 0, true));
    assert_eq!(past.actions, [SuggestedAction::ExtendDeadline { to: Some(8) }], "the plan keeps this one");
}

#[test]
fn hours_that_hold_too_little_are_reported_with_the_largest_gap() {
    let none = misfit(&alone(&[], task(4, 4, 4)));
    assert_eq!(none.reason, UnplacedReason::NoAllowedHours);
    let small = misfit(&alone(&[(0, 3), (5, 7)], task(8, 4, 4)));
    assert_eq!(small.reason, UnplacedReason::LargestGapTooSmall { gap: 3, chunk_min: 4, placeable: 0 });
    assert!(small.actions.contains(&SuggestedAction::ShortenChunk { to: 3 }));
    let part = misfit(&alone(&[(0, 3), (5, 7)], task(8, 2, 4)));
    assert_eq!(
        (part.rest, part.reason),
        (3, UnplacedReason::LargestGapTooSmall { gap: 3, chunk_min: 2, placeable: 5 })
    );
}

#[test]
fn time_that_is_held_or_not_known_is_reported_by_who_holds_it() {
    let mut problem = alone(&[(0, 10)], task(4, 4, 4));
    problem.busy = vec![busy(0, 4, BusyWith::Locked(7)), busy(4, 8, BusyWith::Locked(3)), busy(8, 10, BusyWith::Event)];
    let locked = misfit(&problem);
    assert_eq!(locked.reason, UnplacedReason::LockedBlocks { ids: vec![7, 3] });
    assert!(locked.actions.contains(&SuggestedAction::Unlock { id: 3 }));
    problem.busy[0].with = BusyWith::Unknown(5);
    let unknown = misfit(&problem);
    assert_eq!(unknown.reason, UnplacedReason::AvailabilityUnknown { source: 5 });
    assert_eq!(unknown.actions, [SuggestedAction::Reconnect { source: 5 }]);
}

#[test]
fn a_task_that_waits_is_reported_with_what_it_waits_for() {
    let mut problem = alone(&[(0, 10)], TaskToPlace { work: None, ..task(4, 4, 4) });
    problem.tasks.push(TaskToPlace { after: vec![0], ..task(2, 2, 2) });
    let plan = planned(&problem);
    assert_eq!(plan.misfits[1].reason, UnplacedReason::WaitsFor { task: 0 });
    assert_eq!(plan.misfits[1].actions[0], SuggestedAction::FinishFirst { task: 0 });
    // Done, but too late.
    problem.tasks =
        vec![TaskToPlace { weight: 8, ..task(6, 6, 6) }, TaskToPlace { due: Some(6), after: vec![0], ..task(2, 2, 2) }];
    assert_eq!(misfit(&problem).reason, UnplacedReason::WaitsFor { task: 0 });
}

#[test]
fn too_much_work_is_counted() {
    let mut problem = open_time(&[(0, 10)], 50);
    problem.tasks = vec![
        TaskToPlace { due: Some(8), weight: 4, ..task(6, 2, 6) },
        TaskToPlace { due: Some(10), weight: 1, ..task(5, 5, 5) },
        TaskToPlace { release: 40, ..task(1, 1, 1) },
    ];
    problem.maps[0].push(TickSpan { start: 40, end: 50 });
    let late = misfit(&problem);
    let overload = Overload { within: TickSpan { start: 0, end: 10 }, supply: 10, demand: 11, tasks: vec![0, 1] };
    assert_eq!((late.task, late.reason), (1, UnplacedReason::Overloaded(overload)));
    assert!(late.actions.contains(&SuggestedAction::ShortenEstimate { by: 1 }));
    assert!(late.actions.contains(&SuggestedAction::LetSlip { task: 0 }));
}

#[test]
fn who_has_the_time_is_reported_when_nothing_can_be_counted() {
    let mut problem = open_time(&[(0, 3), (4, 7)], 7);
    // There are six ticks for six, but none of the pieces fits beside another.
    problem.tasks =
        vec![TaskToPlace { weight: 8, ..task(2, 2, 2) }, TaskToPlace { weight: 4, ..task(2, 2, 2) }, task(2, 2, 2)];
    let plan = planned(&problem);
    let [misfit] = plan.misfits.as_slice() else { panic!("{plan:?}") };
    assert_eq!((misfit.task, &misfit.reason), (2, &UnplacedReason::Outranked { by: vec![0, 1] }));
    assert!(misfit.actions.contains(&SuggestedAction::RaisePriority));
    assert!(misfit.actions.contains(&SuggestedAction::LetSlip { task: 1 }));
}

#[test]
fn slack_is_what_else_would_fit_before_the_deadline() {
    let mut problem = open_time(&[(0, 20)], 30);
    problem.tasks = vec![
        TaskToPlace { due: Some(8), ..task(4, 4, 4) },
        TaskToPlace { due: Some(10), ..task(4, 4, 4) },
        task(4, 4, 4),
    ];
    let plan = planned(&problem);
    assert_eq!(slack(&problem, &plan.blocks), [Some(2), Some(2), Some(8)]);
    problem.tasks[0].due = Some(3);
    assert_eq!(slack(&problem, &planned(&problem).blocks)[0], None);
}
