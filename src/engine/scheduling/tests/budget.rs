//! Every stage ends, by what it counts.

use std::cell::Cell;

use super::{
    super::{meter::Meter, metered, search::Meters},
    *,
};

/// Operations that make a valid plan of what was found.
const AT_LAST: u64 = 4;

/// Says stop at the nth look.
struct After(Cell<u64>);

impl Stop for After {
    fn is_over(&self) -> bool {
        self.0.set(self.0.get().saturating_sub(1));
        self.0.get() == 0
    }
}

/// A list of ordinary work in a fortnight of working days: more than fits, some of it due.
fn list(tasks: usize, due: bool) -> PlanProblem {
    let hours: Vec<(Tick, Tick)> = (0..14).map(|day| (day * 96 + 36, day * 96 + 68)).collect();
    let mut problem = open_time(&hours, 14 * 96);
    let mut chance = Chance::new(tasks as u64);
    for _ in 0..tasks {
        let work = [1, 2, 4, 12, 32][chance.below(5)];
        let due = (due && chance.once_in(2)).then(|| chance.between(40, 14 * 96));
        problem.tasks.push(TaskToPlace { due, weight: [1, 2, 4, 8][chance.below(4)], ..task(work, work.min(2), 8) });
    }
    problem
}

fn spent(problem: &PlanProblem, budget: SearchBudget, work: WorkBudget) -> [(u64, u64); 5] {
    let meters = Meters::new(work, &Unstopped);
    let plan = metered(problem, budget, &meters);
    assert_eq!(check(problem, &plan.blocks), []);
    assert!(!plan.stopped);
    meters.all().map(Meter::spent)
}

#[test]
fn a_trial_that_takes_no_steps_is_the_last_one() {
    // So many pieces that a level of the search has less than one step, and a first plan that is not shown to be the best.
    for tasks in [90, 130, 180, 250, 400] {
        for due in [false, true] {
            let problem = list(tasks, due);
            assert!(!planned(&problem).misfits.is_empty());
        }
    }
}

#[test]
fn every_stage_counts_its_work_and_none_goes_beyond_its_part() {
    let part = 20_000;
    let little = WorkBudget { seeds: part, bounds: part, search: part, finish: part, reasons: part };
    let mut problem = list(60, true);
    let first = planned(&problem);
    // A plan in force that lies elsewhere: it is weighed against the new one.
    problem.previous = first.blocks.iter().map(|block| Previous { block: *block, move_cost: 0 }).collect();
    problem.now = 40;
    for (stage, (spent, _)) in
        spent(&problem, SearchBudget::Background, SearchBudget::Background.work()).iter().enumerate()
    {
        assert!(*spent > 1_000, "stage {stage} counted {spent}");
    }
    for (stage, (spent, largest)) in spent(&problem, SearchBudget::Background, little).iter().enumerate() {
        assert!(spent - AT_LAST * largest < part, "stage {stage} went on after {spent}, with {largest} at once");
    }
}

#[test]
fn a_budget_of_nothing_is_a_valid_plan() {
    let nothing = WorkBudget { seeds: 0, bounds: 0, search: 0, finish: 0, reasons: 0 };
    for tasks in [1, 30, 300] {
        let problem = list(tasks, true);
        let meters = Meters::new(nothing, &Unstopped);
        let plan = metered(&problem, SearchBudget::Interactive, &meters);
        assert_eq!(check(&problem, &plan.blocks), []);
        assert_eq!(plan.score, score(&problem, &plan.blocks).0);
        assert!(plan.misfits.iter().all(|misfit| !misfit.actions.is_empty()));
    }
}

#[test]
fn whoever_stops_a_search_gets_the_best_valid_plan_so_far() {
    let problem = list(40, true);
    let whole = plan(&problem, SearchBudget::Background).expect("a plan");
    let mut scores = Vec::new();
    for looks in [1, 2, 5, 20, 100] {
        let stop = After(Cell::new(looks));
        let plan = plan_until(&problem, SearchBudget::Background, &stop).expect("a plan");
        assert_eq!(stop.0.get(), 0, "it looks often enough to be stopped");
        assert!(plan.stopped);
        assert_eq!(check(&problem, &plan.blocks), []);
        assert!(plan.score >= whole.score, "{looks}: {:?} {:?}", plan.score, whole.score);
        scores.push(plan.score);
    }
    assert!(scores.first() > scores.last(), "more time, a better plan: {scores:?}");
}

#[test]
fn no_problem_of_the_usual_size_comes_near_its_budget() {
    for budget in [SearchBudget::Interactive, SearchBudget::Background] {
        let work = budget.work();
        let limits = [work.seeds, work.bounds, work.search, work.finish, work.reasons];
        for ((spent, _), limit) in spent(&list(25, true), budget, work).into_iter().zip(limits) {
            assert!(spent * 4 < limit, "{budget:?}: {spent} of {limit}");
        }
    }
}

#[test]
fn a_chain_of_hundreds_is_planned_without_going_through_it_again_and_again() {
    let mut problem = list(400, false);
    for at in 1..400 {
        problem.tasks[at].after = vec![at - 1];
    }
    // The last is named first: in this order nothing can be put before all the others are.
    problem.tasks.reverse();
    for task in &mut problem.tasks {
        task.after = task.after.iter().map(|at| 399 - at).collect();
    }
    planned(&problem);
    let [(seeds, _), ..] = spent(&problem, SearchBudget::Interactive, SearchBudget::Interactive.work());
    assert!(seeds < SearchBudget::Interactive.work().seeds, "the rules of thumb end by themselves: {seeds}");
}
