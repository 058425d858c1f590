//! Small problems, each made to show one thing; the large ones of the benchmark are in `tests/it/planning.rs`.

mod budget;
mod exact;
mod explain;
mod odd;
mod rules;

use super::*;

/// A problem of one time map without anything else.
pub fn open_time(hours: &[(Tick, Tick)], horizon: Tick) -> PlanProblem {
    let spans = hours.iter().map(|(start, end)| TickSpan { start: *start, end: *end }).collect();
    PlanProblem {
        now: 0,
        horizon,
        gap: 0,
        split_cost: 8,
        maps: vec![spans],
        busy: Vec::new(),
        caps: Vec::new(),
        tasks: Vec::new(),
        previous: Vec::new(),
    }
}

/// A task that may be cut.
pub fn task(work: Tick, chunk_min: Tick, chunk_max: Tick) -> TaskToPlace {
    let (work, after) = (Some(work), Vec::new());
    TaskToPlace { work, release: 0, due: None, weight: 1, chunk_min, chunk_max, gap_after: None, map: 0, after }
}

pub fn block(task: usize, start: Tick, end: Tick) -> Block {
    Block { start, end, task }
}

pub fn busy(start: Tick, end: Tick, with: BusyWith) -> BusyTicks {
    BusyTicks { span: TickSpan { start, end }, with }
}

pub fn planned(problem: &PlanProblem) -> Plan {
    let plan = plan(problem, SearchBudget::Interactive).expect("a valid problem");
    assert_eq!(check(problem, &plan.blocks), [], "{plan:?}");
    plan
}

#[test]
fn the_heavier_task_goes_first_and_the_due_one_before_both() {
    let mut problem = open_time(&[(0, 10)], 20);
    problem.tasks =
        vec![task(4, 4, 4), TaskToPlace { weight: 8, ..task(3, 3, 3) }, TaskToPlace { due: Some(3), ..task(3, 3, 3) }];
    assert_eq!(planned(&problem).blocks, [block(2, 0, 3), block(1, 3, 6), block(0, 6, 10)]);
}

#[test]
fn a_problem_without_tasks_has_a_plan_without_blocks() {
    let plan = planned(&open_time(&[], 1));
    assert_eq!((plan.blocks.len(), plan.score), (0, Score::default()));
}

#[test]
fn the_same_problem_gives_the_same_plan() {
    let mut problem = open_time(&[(0, 30), (40, 70)], 100);
    problem.busy = vec![busy(7, 9, BusyWith::Event), busy(50, 55, BusyWith::Event)];
    problem.tasks = (0..9).map(|at| TaskToPlace { weight: 1 + at % 4, ..task(4 + at, 2, 6) }).collect();
    assert_eq!(plan(&problem, SearchBudget::Interactive), plan(&problem, SearchBudget::Interactive));
    assert_eq!(plan(&problem, SearchBudget::Background), plan(&problem, SearchBudget::Background));
}

#[test]
fn the_chance_of_a_problem_is_the_same_in_every_build() {
    let mut problem = open_time(&[(0, 10)], 20);
    problem.tasks = vec![task(4, 4, 4)];
    let mut chance = Chance::new(chance::seed(&problem));
    assert_eq!([chance.bits(), chance.bits()], [KNOWN_BITS.0, KNOWN_BITS.1]);
    let moved = PlanProblem { previous: vec![Previous { block: block(0, 0, 4), move_cost: 1 }], ..problem.clone() };
    assert_ne!(chance::seed(&moved), chance::seed(&problem));
}

/// What the generator gave when it was written; another value means that every plan may be another.
const KNOWN_BITS: (u64, u64) = (13_131_457_304_855_777_263, 16_622_818_521_948_783_426);

#[test]
fn a_plan_in_force_stays_when_a_little_could_be_gained() {
    let mut problem = open_time(&[(0, 100)], 100);
    problem.tasks = vec![TaskToPlace { weight: 8, ..task(10, 10, 10) }, task(10, 10, 10)];
    // A tick of idling costs less than a tenth.
    let stays = [block(0, 0, 10), block(1, 11, 21)];
    problem.previous = stays.map(|block| Previous { block, move_cost: 0 }).to_vec();
    assert_eq!(planned(&problem).blocks, stays);
    problem.previous.clear();
    assert_eq!(planned(&problem).blocks, [block(0, 0, 10), block(1, 10, 20)]);
}

#[test]
fn a_move_must_pay_for_itself() {
    let mut problem = open_time(&[(0, 100)], 100);
    problem.tasks = vec![task(4, 4, 4), task(4, 4, 4)];
    // The first block has lost its place; the second could move up by eight ticks.
    let place = |move_cost| {
        let mut problem = problem.clone();
        problem.busy = vec![busy(0, 4, BusyWith::Event)];
        problem.previous = [block(0, 0, 4), block(1, 12, 16)].map(|block| Previous { block, move_cost }).to_vec();
        planned(&problem).blocks
    };
    assert_eq!(place(1), [block(0, 4, 8), block(1, 8, 12)]);
    assert_eq!(place(9), [block(0, 4, 8), block(1, 12, 16)]);
}

#[test]
fn each_block_of_either_plan_is_reported_once_and_each_move_with_its_reason() {
    let mut problem = open_time(&[(0, 40)], 100);
    problem.now = 1;
    problem.tasks = vec![
        task(4, 4, 4),
        TaskToPlace { weight: 8, release: 10, ..task(4, 4, 4) },
        task(4, 2, 4),
        TaskToPlace { after: vec![1], ..task(2, 2, 2) },
        task(2, 2, 2),
    ];
    problem.busy = vec![busy(20, 24, BusyWith::Event)];
    let old = [block(0, 20, 24), block(1, 8, 12), block(2, 30, 32), block(2, 34, 36), block(3, 38, 40), block(4, 0, 2)];
    problem.previous = old.map(|block| Previous { block, move_cost: 1 }).to_vec();
    let changes = planned(&problem).changes;
    let reason = |at: usize| {
        changes.iter().find_map(|change| match change {
            BlockDiff::Moved { from, reason, actions, .. } if *from == old[at] => {
                assert!(!actions.is_empty());
                Some(reason.clone())
            }
            _ => None,
        })
    };
    assert_eq!(reason(0), Some(MoveReason::TimeTaken { by: problem.busy[0] }));
    assert_eq!(reason(1), Some(MoveReason::NotAllowed));
    assert!(matches!(reason(2), Some(MoveReason::BetterTime { from: 30, .. })), "{changes:?}");
    assert!(changes.contains(&BlockDiff::Dropped(old[3])), "{changes:?}");
    assert_eq!(reason(5), Some(MoveReason::Passed { now: 1 }));
    assert_eq!(changes.len(), old.len());
}

#[test]
fn a_tasks_own_gap_is_kept_after_each_of_its_blocks_and_only_there() {
    let mut problem = open_time(&[(10, 40)], 40);
    problem.gap = 1;
    let wide = TaskToPlace { gap_after: Some(5), weight: 8, due: Some(20), ..task(6, 3, 3) };
    problem.tasks = vec![wide, TaskToPlace { gap_after: Some(0), ..task(4, 4, 4) }, task(2, 2, 2)];
    let plan = planned(&problem);
    assert_eq!(plan.score.unplaced, 0);
    for pair in plan.blocks.windows(2) {
        let kept = [5, 0, 1][pair[0].task];
        assert!(pair[1].start >= pair[0].end + kept, "{:?}", plan.blocks);
    }
    assert_eq!(check(&problem, &[block(1, 10, 14), block(2, 14, 16)]), [], "nothing after the second task");
    assert!(!check(&problem, &[block(0, 10, 13), block(2, 17, 19)]).is_empty(), "the first one's gap is cut");
}
