//! From the rules of thumb to a good plan: first the deadlines, then what is left unplaced, then all the rest.
//!
//! The parts of a score are searched one after the other because they pull apart. A plan that keeps the last deadline may need
//! everything else to be late; a search that looks at the sum never passes through such plans, and one that compares the
//! parts strictly cannot leave the first plan that is good in the first. So the deadlines are searched alone, with whatever is
//! late not placed at all; then the unplaced work, at any cost; then the cost, with both held by a high price. Each search
//! ends where a bound shows that nothing is left to be gained.

use super::{
    anneal::{Aim, Best, anneal},
    certify,
    chance::Chance,
    problem::Problem,
    rebuild::Rebuilder,
    score::Score,
    seed,
    sequence::{Desk, Kept, NONE, Piece, Room, WHOLE},
};

/// How long to search. The budgets are counts of steps, larger for larger problems, never time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Somebody waits: about a millisecond for a dozen tasks.
    Interactive,
    /// Nobody waits: some ten times that.
    Background,
}

/// Steps of one search.
#[derive(Clone, Copy, Debug)]
struct Steps {
    /// For deadlines.
    missed: u64,
    /// For what is unplaced.
    unplaced: u64,
    /// For the cost.
    cost: u64,
    /// How often all of it, each time from the best that is known.
    rounds: u32,
}

impl Budget {
    /// A step costs about as much as there are pieces, and a larger problem needs more of them, up to a point.
    fn steps(self, pieces: usize) -> Steps {
        let pieces = pieces as u64;
        let most = 360_000 / pieces.max(1);
        let once = (840 * pieces).clamp(2_800, 11_000).min(most);
        match self {
            Self::Interactive => Steps { missed: once / 2, unplaced: once / 3, cost: once, rounds: 1 },
            Self::Background => Steps { missed: once * 3 / 2, unplaced: once * 2 / 3, cost: once * 2, rounds: 6 },
        }
    }
}

/// What a plan in force must be worse by to be given up, in hundredths of the better one's cost.
const HYSTERESIS_PERCENT: u64 = 2;

/// The best sequence that the budget finds.
pub fn search(problem: &Problem, desk: &Desk, budget: Budget, chance: &mut Chance) -> Best {
    let mut best = seed::seed(desk);
    let first = best.clone();
    let bound = certify::bound(desk);
    let scale = Scale::of(desk);
    let steps = budget.steps(best.pieces.len());
    for round in 0..steps.rounds {
        if best.score <= bound {
            break;
        }
        // Every other time from the start, and with the deadlines held less firmly: near the best there may be nothing
        // better, and plans with the same deadlines kept need not be near each other.
        let anew = round % 2 == 1;
        let mut own = if anew { first.clone() } else { best.clone() };
        let least = if anew { Score { cost: 0, ..best.score } } else { bound };
        if own.score.missed > least.missed {
            deadlines(desk, &scale, steps.missed, least.missed, chance, &mut own);
        }
        let goal = Score { missed: own.score.missed.min(best.score.missed), unplaced: least.unplaced, cost: u64::MAX };
        anneal(desk, &scale.unplaced(steps.unplaced, goal), chance, &mut own);
        anneal(desk, &scale.cost(steps.cost, bound, anew), chance, &mut own);
        best.offer(own.score, &own.pieces);
    }
    fill_up(desk, &mut best);
    stay(problem, desk, &mut best);
    best
}

/// What is small and what is large in a problem.
struct Scale {
    /// Mean weight of a task.
    weight: u64,
    /// Mean weight of a task times its work.
    work: u64,
}

impl Scale {
    fn of(desk: &Desk) -> Self {
        let count = (desk.jobs.len() as u64).max(1);
        let work: u64 = desk.jobs.iter().map(|job| job.weight * u64::from(job.work)).sum();
        let weight: u64 = desk.jobs.iter().map(|job| job.weight).sum();
        Self { weight: (weight / count).clamp(1, 1_000), work: (work / count).clamp(1, 100_000) }
    }

    /// Deadlines alone; how far a task comes before its deadline leads the way.
    const fn missed(&self, steps: u64, goal: Score) -> Aim {
        Aim { missed: 2 * WHOLE, unplaced: 2, cost: 0, hot: 100 * self.weight, steps, rebuild_once_in: 6, goal }
    }

    /// What is unplaced, with the deadlines held.
    const fn unplaced(&self, steps: u64, goal: Score) -> Aim {
        Aim { missed: 1_000_000, unplaced: 100, cost: 0, hot: 100 * self.weight, steps, rebuild_once_in: 6, goal }
    }

    /// The cost, with the rest held, or held loosely.
    const fn cost(&self, steps: u64, goal: Score, loosely: bool) -> Aim {
        let hot = 8 * self.work;
        let (missed, unplaced) = if loosely { (100 * hot, hot / 2) } else { (5_000 * hot, 16 * hot) };
        Aim { missed, unplaced, cost: 1, hot, steps, rebuild_once_in: 12, goal }
    }
}

/// Searches for a plan that keeps more deadlines, and completes it.
fn deadlines(desk: &Desk, scale: &Scale, steps: u64, goal: u64, chance: &mut Chance, best: &mut Best) {
    let (mut room, mut rebuilder) = (Room::default(), Rebuilder::default());
    let alone = desk.with_deadlines_alone();
    let mut pieces: Vec<Piece> = best.pieces.iter().filter(|piece| alone.job(piece.task).work > 0).copied().collect();
    for piece in &mut pieces {
        piece.want = NONE;
    }
    let score = alone.place(&mut pieces, 0, &mut room);
    let mut found = Best { score, pieces };
    let goal = Score { missed: goal, unplaced: u64::MAX, cost: u64::MAX };
    anneal(&alone, &scale.missed(steps, goal), chance, &mut found);
    if found.score.missed >= best.score.missed {
        return;
    }
    // Whatever is not whole is put anew, where it may be late.
    let mut pieces = found.pieces;
    let whole: Vec<bool> = (0..)
        .zip(&alone.jobs)
        .map(|(task, job)| {
            let own = pieces.iter().filter(|piece| piece.task == task && piece.is_placed());
            own.map(|piece| piece.length).sum::<u32>() == job.work
        })
        .collect();
    pieces.retain(|piece| whole.get(piece.task as usize).copied().unwrap_or(false));
    rebuilder.complete(desk, &mut pieces, seed::by_ratio(desk).into_iter());
    let score = desk.place(&mut pieces, 0, &mut room);
    best.offer(score, &pieces);
}

/// Puts what is unplaced wherever there still is room.
fn fill_up(desk: &Desk, best: &mut Best) {
    if best.score.unplaced > 0 {
        let mut pieces: Vec<Piece> = best.pieces.iter().filter(|piece| piece.is_placed()).copied().collect();
        Rebuilder::default().complete(desk, &mut pieces, seed::by_ratio(desk).into_iter());
        let score = desk.place(&mut pieces, 0, &mut Room::default());
        best.offer(score, &pieces);
    }
}

/// Keeps the plan in force, if it may stand as it is and the gain is in the cost alone and small: a plan that changes without
/// need is worse than one that is a little longer.
fn stay(problem: &Problem, desk: &Desk, best: &mut Best) {
    let stands: usize = desk.jobs.iter().map(|job| job.kept.len()).sum();
    if stands < problem.previous.len() || stands == 0 {
        return;
    }
    let mut blocks: Vec<(u32, Kept)> =
        (0..).zip(&desk.jobs).flat_map(|(task, job)| job.kept.iter().map(move |block| (task, *block))).collect();
    blocks.sort_by_key(|(_, block)| block.start);
    let piece = |(task, block): &(u32, Kept)| Piece { want: block.start, ..Piece::new(*task, block.length) };
    let mut pieces: Vec<Piece> = blocks.iter().map(piece).collect();
    let fits = (0..).zip(&desk.jobs).all(|(task, job)| {
        let own = pieces.iter().filter(|piece| piece.task == task);
        let rest = job.work.checked_sub(own.map(|piece| piece.length).sum());
        rest.is_some_and(|rest| rest == 0 || rest >= job.chunk_min)
    });
    if !fits {
        return;
    }
    let mut room = Room::default();
    desk.place(&mut pieces, 0, &mut room);
    if pieces.iter().any(|piece| piece.start != piece.want) {
        return;
    }
    Rebuilder::default().complete(desk, &mut pieces, seed::by_ratio(desk).into_iter());
    let score = desk.place(&mut pieces, 0, &mut room);
    let spared = score.cost.saturating_sub(best.score.cost) * 100 <= best.score.cost * HYSTERESIS_PERCENT;
    if (score.missed, score.unplaced) <= (best.score.missed, best.score.unplaced) && spared {
        *best = Best { score, pieces };
    }
}
