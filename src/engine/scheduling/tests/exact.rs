//! The exact parts against trying everything.

use super::{
    super::{
        certify,
        chance::Chance,
        insert::{InsertOrder, Inserter},
        meter::Meter,
        piece::Piece,
        room::Room,
        sequence::Prepared,
    },
    *,
};

/// Every way to place some of a task's work, in order of time, with what must lie between two blocks.
fn every_way(
    prepared: &Prepared,
    from: Tick,
    rest: Tick,
    taken: &[TickSpan],
    so_far: &mut Vec<TickSpan>,
    all: &mut Vec<Vec<TickSpan>>,
) {
    all.push(so_far.clone());
    let job = prepared.job(0);
    for start in from..prepared.horizon {
        for length in job.chunk_min..=job.chunk_max.min(rest) {
            let span = TickSpan { start, end: start + length };
            let wide =
                TickSpan { start: start.saturating_sub(prepared.apart(1, 0)), end: span.end + prepared.apart(0, 1) };
            if span.end > prepared.horizon
                || !prepared.free[0].holds(span)
                || taken.iter().any(|other| other.overlaps(wide))
                || (rest - length > 0 && rest - length < job.chunk_min)
            {
                continue;
            }
            so_far.push(span);
            every_way(prepared, span.end + prepared.apart(0, 0), rest - length, taken, so_far, all);
            so_far.pop();
        }
    }
}

/// A small problem by chance: one task to insert, and up to two blocks of another that are in its way.
fn tiny(chance: &mut Chance) -> (PlanProblem, Vec<Piece>) {
    let mut problem = open_time(&[(0, 6), (7 + chance.between(0, 2), 13)], 14);
    problem.gap = chance.between(0, 1);
    problem.split_cost = chance.between(0, 9);
    let min = chance.between(1, 3);
    let max = min + chance.between(0, 3);
    let due = if chance.once_in(2) { None } else { Some(chance.between(2, 13)) };
    let work = (min + chance.between(0, 6)).min(7);
    problem.tasks = vec![TaskToPlace { due, weight: chance.between(1, 8), ..task(work, min, max) }, task(9, 1, 9)];
    let first = chance.between(0, 4);
    let second = 8 + chance.between(0, 3);
    let at = [first, second].map(|start| Piece { start, ..Piece::new(1, 1 + chance.between(0, 1)) });
    (problem, at.into_iter().take(chance.below(3)).collect())
}

#[test]
fn inserting_a_task_is_never_worse_than_the_best_of_all_ways() {
    let mut chance = Chance::new(7);
    let (mut whole, mut parts) = (0, 0);
    for _ in 0..400 {
        let (problem, pieces) = tiny(&mut chance);
        let prepared = Prepared::new(&problem);
        let pieces: Vec<Piece> = pieces
            .into_iter()
            .filter(|piece| prepared.free[0].holds(TickSpan { start: piece.start, end: piece.end() }))
            .collect();
        let taken: Vec<TickSpan> =
            pieces.iter().map(|piece| TickSpan { start: piece.start, end: piece.end() }).collect();
        let job = prepared.job(0);
        let mut all = Vec::new();
        every_way(&prepared, 0, job.work, &taken, &mut Vec::new(), &mut all);
        let cost = |blocks: &[TickSpan]| {
            let placed: Tick = blocks.iter().map(|span| span.len()).sum();
            let end = blocks.last().map_or(0, |span| span.end);
            let splits = (blocks.len() as u64).saturating_sub(1) * u64::from(prepared.split_cost);
            let whole = placed == job.work;
            let late = whole && end > job.due;
            (job.work - placed, late, if whole { job.weight * u64::from(end) + splits } else { 0 })
        };
        let best = all.iter().map(|blocks| cost(blocks)).min().expect("to place nothing is a way");
        let meter = Meter::new(u64::MAX, &Unstopped);
        let mut inserter = Inserter::new(&meter);
        let order = InsertOrder {
            task: 0,
            ticks: job.work,
            from: 0,
            until: prepared.horizon,
            split_cost: prepared.split_cost,
            whim: 0,
            whole: false,
        };
        let placed = inserter.insert(&prepared, &pieces, &order);
        let found: Vec<TickSpan> =
            inserter.found.iter().map(|(start, length)| TickSpan { start: *start, end: start + length }).collect();
        assert_eq!(found.iter().map(|span| span.len()).sum::<Tick>(), placed);
        assert!(all.contains(&found), "{found:?} is no legal way\n{problem:?}\n{pieces:?}");
        assert_eq!(cost(&found), best, "{found:?}\n{problem:?}\n{pieces:?}");
        whole += u32::from(placed == job.work);
        parts += u32::from(placed < job.work);
        // The same by whim is another legal way, and places no less.
        let placed_so = inserter.insert(&prepared, &pieces, &InsertOrder { whim: chance.bits() | 1, ..order });
        let found: Vec<TickSpan> =
            inserter.found.iter().map(|(start, length)| TickSpan { start: *start, end: start + length }).collect();
        assert!(all.contains(&found) && placed_so == placed, "{found:?}\n{problem:?}\n{pieces:?}");
    }
    assert!(whole > 100 && parts > 20, "{whole} whole, {parts} in part");
}

/// Every order and every cut of up to four tasks, placed as early as they can be: among them is the best schedule.
fn best_of_all(prepared: &Prepared, pieces: &mut Vec<Piece>, rests: &mut Vec<Tick>, best: &mut Score) {
    if rests.iter().all(|rest| *rest == 0) {
        *best = (*best).min(prepared.place(&mut pieces.clone(), 0, &mut Room::new(&Meter::new(u64::MAX, &Unstopped))));
        return;
    }
    for task in 0..rests.len() {
        let job = prepared.job(u32::try_from(task).expect("few"));
        let rest = rests[task];
        for length in 1..=rest {
            if length < job.chunk_min || (rest > length && rest - length < job.chunk_min) || rest == 0 {
                continue;
            }
            rests[task] -= length;
            pieces.push(Piece::new(u32::try_from(task).expect("few"), length));
            best_of_all(prepared, pieces, rests, best);
            pieces.pop();
            rests[task] += length;
        }
    }
}

#[test]
fn tiny_problems_are_planned_as_well_as_they_can_be_and_no_bound_is_above() {
    let mut chance = Chance::new(11);
    let (mut late, mut unplaced) = (0, 0);
    for _ in 0..60 {
        let mut problem = open_time(&[(0, 5), (7, 11), (13, 13 + chance.between(2, 5))], 20);
        problem.gap = chance.between(0, 1);
        for at in 0..chance.between(2, 4) as usize {
            let work = chance.between(1, 4);
            let min = work.min(chance.between(2, 4));
            let due = if chance.once_in(3) { None } else { Some(chance.between(3, 18)) };
            let after = if at > 0 && chance.once_in(4) { vec![chance.below(at)] } else { Vec::new() };
            let (release, weight) = (chance.between(0, 5), chance.between(1, 8));
            problem.tasks.push(TaskToPlace { release, due, weight, after, ..task(work, min, work.max(2)) });
        }
        problem.validate().expect("valid");
        let prepared = Prepared::new(&problem);
        let mut best = Score { missed: u64::MAX, unplaced: 0, cost: 0 };
        let mut rests: Vec<Tick> = prepared.jobs.iter().map(|job| job.work).collect();
        best_of_all(&prepared, &mut Vec::new(), &mut rests, &mut best);
        let plan = planned(&problem);
        assert_eq!(plan.score, best, "{problem:?}\n{plan:?}");
        let bound = certify::bound(&prepared, &Meter::new(u64::MAX, &Unstopped));
        assert!(bound.missed <= best.missed && bound.cost <= best.cost, "{bound:?} {best:?}\n{problem:?}");
        assert!(bound.unplaced <= best.unplaced, "{bound:?} {best:?}\n{problem:?}");
        late += u32::from(best.missed > 0);
        unplaced += u32::from(best.unplaced > 0);
    }
    assert!(late > 5 && unplaced > 5, "{late} with a missed deadline, {unplaced} with unplaced work");
}
