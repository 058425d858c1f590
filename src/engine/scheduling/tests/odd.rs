//! Problems as nobody would set them: nothing may break, and every rule must hold all the same.

use super::{super::chance::Chance, *};

fn span(chance: &mut Chance, horizon: Tick) -> TickSpan {
    let start = chance.between(0, horizon + 5);
    TickSpan { start, end: start + 1 + chance.between(0, horizon / 2) }
}

fn odd(chance: &mut Chance) -> PlanProblem {
    let horizon = chance.between(1, 60);
    let mut problem = open_time(&[], horizon);
    problem.now = chance.between(0, horizon - 1);
    problem.gap = [0, 0, 1, 3, HORIZON_MAX][chance.below(5)];
    problem.split_cost = [0, 8, WEIGHT_MAX][chance.below(3)];
    problem.maps =
        (0..=chance.below(3)).map(|_| (0..chance.below(5)).map(|_| span(chance, horizon)).collect()).collect();
    let with = [BusyWith::Event, BusyWith::Locked(4), BusyWith::Unknown(7)];
    problem.busy = (0..chance.below(5))
        .map(|_| BusyTicks { span: span(chance, horizon.div_ceil(4)), with: with[chance.below(3)] })
        .collect();
    if chance.once_in(3) {
        let first: Vec<Tick> = (0..horizon + 9).filter(|_| chance.once_in(12)).collect();
        problem.caps = first.into_iter().map(|from| Cap { from, ticks: chance.between(0, 12) }).collect();
    }
    for at in 0..chance.below(9) {
        let work = 1 + chance.between(0, 20);
        let chunk_min = 1 + chance.between(0, work - 1);
        problem.tasks.push(TaskToPlace {
            work: (!chance.once_in(8)).then_some(work),
            release: chance.between(0, horizon + 9),
            due: chance.once_in(2).then(|| chance.between(0, horizon + 9)),
            weight: [0, 1, 8, WEIGHT_MAX][chance.below(4)],
            chunk_min,
            chunk_max: chunk_min + chance.between(0, 4),
            gap_after: chance.once_in(3).then(|| chance.between(0, 6)),
            map: chance.below(problem.maps.len()),
            after: if at > 0 && chance.once_in(3) { vec![chance.below(at)] } else { Vec::new() },
        });
    }
    for _ in 0..chance.below(6).min(6 * problem.tasks.len()) {
        let span = span(chance, horizon);
        let block = Block { start: span.start, end: span.end, task: chance.below(problem.tasks.len()) };
        if problem.previous.iter().all(|other| other.block != block) {
            problem.previous.push(Previous { block, move_cost: [0, 64, MOVE_COST_MAX][chance.below(3)] });
        }
    }
    problem
}

#[test]
fn whatever_is_asked_is_answered_by_the_rules_and_with_reasons() {
    let mut chance = Chance::new(3);
    let (mut blocks, mut misfits) = (0, 0);
    for _ in 0..400 {
        let problem = odd(&mut chance);
        let plan = planned(&problem);
        assert_eq!(plan.score, score(&problem, &plan.blocks).0);
        let actions = |misfit: &Misfit| !misfit.actions.is_empty();
        assert!(plan.misfits.iter().all(actions), "{:?}", plan.misfits);
        let outranked = |misfit: &Misfit| !matches!(&misfit.reason, UnplacedReason::Outranked { by } if by.is_empty());
        assert!(plan.misfits.iter().all(outranked), "{:?}\n{problem:?}", plan.misfits);
        let _ = slack(&problem, &plan.blocks);
        blocks += plan.blocks.len();
        misfits += plan.misfits.len();
    }
    assert!(blocks > 150 && misfits > 300, "{blocks} blocks, {misfits} misfits");
}
