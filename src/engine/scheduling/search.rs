//! From the rules of thumb to a good plan: first the deadlines, then what is left unplaced, then all the rest.
//!
//! The parts of a score are searched one after the other because they pull apart. A plan that keeps the last deadline may need
//! everything else to be late; a search that looks at the sum never passes through such plans, and one that compares the
//! parts strictly cannot leave the first plan that is good in the first. So the deadlines are searched alone, with whatever is
//! late not placed at all; then the unplaced work, at any cost; then the cost, with both held by a high price. Each search
//! ends where a bound shows that nothing is left to be gained.
//!
//! All of this is tried several times from the same start, each time by another chance and somewhat longer. Easy problems
//! give the same answer twice, and are done with; the steps are left for the hard ones, whose good plans need not be near
//! each other. Where nobody waits, the last third of the steps, if it is long enough, is one more try, so hot that it forgets
//! where it began: some plans have no way to a better one that does not first miss a deadline or leave a heavy task to the end.
//! And then the best one is taken apart.
//!
//! Every trial counts its steps, and every step its work ([`Meter`]); a trial that takes no step is the last one, since the next
//! would take none either. The steps end what is usual, the work ends what is large, and both are counts: where a plan ends is
//! the same everywhere. A [`Stop`] ends it before that; what is found by then is a valid plan.

use super::{
    anneal::{Aim, Best, anneal},
    certify,
    chance::Chance,
    meter::{Meter, Stop},
    piece::Piece,
    problem::PlanProblem,
    rebuild::Rebuilder,
    room::Room,
    score::Score,
    seed,
    sequence::{Kept, Prepared, WHOLE},
};

/// How long to search. The budgets are counts of steps, fewer for larger problems, and of work, never time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchBudget {
    /// Somebody waits: a few milliseconds for a list of some dozens, some tenths of a second for one of hundreds.
    Interactive,
    /// Nobody waits: some ten times that, and no answer is believed before it has come many times.
    Background,
}

/// Work that each part of planning may do, in units of about a nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkBudget {
    /// Rules of thumb, of which the first is always tried.
    pub seeds: u64,
    /// What shows that nothing is left to be gained.
    pub bounds: u64,
    /// The search.
    pub search: u64,
    /// Filling up what is left, and the plan in force once more.
    pub finish: u64,
    /// Reasons.
    pub reasons: u64,
}

/// Pieces up to which a problem may take the whole budget; a step takes as long as there are pieces.
const PIECES_WHOLE: u64 = 20;
/// Pieces from which on it is less than in proportion.
const PIECES_MANY: u64 = 60;
/// Steps of a trial's search for the cost, in hundredths of a measure that grows with the square of the pieces; and of its
/// searches for deadlines and for what is unplaced, which mostly end early.
const COST_SHARE: u64 = 30;
const FIT_SHARE: u64 = 50;
/// Every other trial is longer by so many hundredths of the first.
const LONGER: u64 = 50;
/// One step in so many rebuilds whole tasks where the cost is searched: good, and dear. Deadlines need it as often; what is
/// unplaced finds its room by little else.
const REBUILD_ONCE_IN: usize = 10;
const UNPLACED_REBUILD_ONCE_IN: usize = 4;
/// How much hotter the last trial begins, and how seldom it rebuilds, which at such a heat is soon undone; and how much longer it
/// looks for deadlines and room.
const LAST_HEAT: u64 = 8;
const LAST_REBUILD_ONCE_IN: usize = 40;
const LAST_FIT: u64 = 2;
/// It is tried where it has so many measures of steps.
const LAST_MEASURES: u64 = 3;

/// How often the best plan of a small problem is taken apart for deadlines and room, and for the cost. Of a larger one much
/// less: a part of it is all that can be put back well.
const APART_FIT: u64 = 5_000;
const APART_COST: u64 = 10_000;
/// Where tasks wait for others, putting them back takes so many times as long.
const CHAINED_LESS: u64 = 3;

impl SearchBudget {
    /// Work, part by part. No problem of some dozens of tasks comes near it.
    #[must_use]
    pub const fn work(self) -> WorkBudget {
        const M: u64 = 1_000_000;
        match self {
            Self::Interactive => {
                WorkBudget { seeds: 50 * M, bounds: 30 * M, search: 80 * M, finish: 30 * M, reasons: 60 * M }
            }
            Self::Background => {
                WorkBudget { seeds: 100 * M, bounds: 100 * M, search: 700 * M, finish: 50 * M, reasons: 100 * M }
            }
        }
    }

    /// Steps, in all.
    fn steps(self, pieces: u64) -> u64 {
        let steps = match self {
            Self::Interactive => 15_000,
            Self::Background => 140_000,
        };
        let few = steps * PIECES_WHOLE / pieces.max(1);
        // Seeds, bounds and reasons grow faster than a step, and take a part of the time as well.
        few.min(few * PIECES_MANY / pieces.max(1)).min(steps)
    }

    /// The part of the steps that one last trial gets, in hundredths.
    const fn last_percent(self) -> u64 {
        match self {
            Self::Interactive => 0,
            Self::Background => 33,
        }
    }

    /// Trials that must come to the best answer again.
    const fn again(self) -> u32 {
        match self {
            Self::Interactive => 1,
            Self::Background => 12,
        }
    }
}

/// What a plan in force must be worse by to be given up, in hundredths of the better one's cost.
const HYSTERESIS_PERCENT: u64 = 10;

/// The meters of one search.
#[derive(Debug)]
pub struct Meters<'a> {
    /// Of the rules of thumb.
    pub seeds: Meter<'a>,
    /// Of what shows that nothing is left to be gained.
    pub bounds: Meter<'a>,
    /// Of the search.
    pub search: Meter<'a>,
    /// Of what is done with its result.
    pub finish: Meter<'a>,
    /// Of the reasons.
    pub reasons: Meter<'a>,
}

impl<'a> Meters<'a> {
    /// Nothing is spent yet.
    pub fn new(work: WorkBudget, stop: &'a dyn Stop) -> Self {
        let of = |limit| Meter::new(limit, stop);
        let (seeds, bounds, search) = (of(work.seeds), of(work.bounds), of(work.search));
        Self { seeds, bounds, search, finish: of(work.finish), reasons: of(work.reasons) }
    }

    /// All of them.
    pub fn all(&self) -> [&Meter<'a>; 5] {
        [&self.seeds, &self.bounds, &self.search, &self.finish, &self.reasons]
    }
}

/// The best sequence that the budget finds.
pub fn search(
    problem: &PlanProblem,
    prepared: &Prepared,
    budget: SearchBudget,
    meters: &Meters<'_>,
    chance: &mut Chance,
) -> Best {
    let first = seed::seed(prepared, &meters.seeds);
    let mut best = first.clone();
    let bound = certify::bound(prepared, &meters.bounds);
    let meter = &meters.search;
    let pieces = best.pieces.len() as u64;
    let steps = budget.steps(pieces);
    let measure = (45 * pieces * pieces).clamp(1_000, 12_000).min(steps);
    // A short one comes to nothing.
    let held = Some(steps * budget.last_percent() / 100).filter(|held| *held >= measure * LAST_MEASURES).unwrap_or(0);
    let mut left = steps - held;
    let mut again = 0;
    for trial in 0.. {
        if best.score <= bound || left < measure / 10 || again >= budget.again() || meter.is_over() {
            break;
        }
        let longer = 100 + LONGER * (trial / 2);
        let mut own = Trial {
            prepared,
            meter,
            scale: Scale::of(prepared),
            fit: measure * FIT_SHARE * longer / 10_000,
            cost: measure * COST_SHARE * longer / 10_000,
            heat: 1,
            rebuild_once_in: REBUILD_ONCE_IN,
            left,
            best: first.clone(),
        };
        // Every other trial does not look for fewer missed deadlines and less unplaced work than are known to be possible.
        own.run(if trial % 2 == 0 { bound } else { best.score }, bound, chance);
        let steps = left - own.left;
        left = own.left;
        if own.best.score < best.score {
            again = 0;
        } else if trial > 0 && own.best.score == best.score {
            again += 1;
        }
        best.offer(own.best.score, &own.best.pieces);
        if steps == 0 {
            break;
        }
    }
    if held > 0 && best.score > bound {
        let (heat, rebuild_once_in) = (LAST_HEAT, LAST_REBUILD_ONCE_IN);
        let (fit, cost, left, scale) =
            (measure * FIT_SHARE * LAST_FIT / 100, left + held, left + held, Scale::of(prepared));
        let mut last = Trial { prepared, meter, scale, fit, cost, heat, rebuild_once_in, left, best: first };
        last.run(bound, bound, chance);
        best.offer(last.best.score, &last.best.pieces);
    }
    if budget == SearchBudget::Background && best.score > bound {
        take_apart(prepared, bound, measure, meter, chance, &mut best);
    }
    fill_up(prepared, &meters.finish, &mut best);
    stay(problem, prepared, &meters.finish, &mut best);
    best
}

/// The three searches, one after the other.
struct Trial<'a> {
    prepared: &'a Prepared,
    meter: &'a Meter<'a>,
    scale: Scale,
    /// Steps for deadlines, and again for what is unplaced.
    fit: u64,
    /// Steps for the cost.
    cost: u64,
    /// How hot the search for the cost begins.
    heat: u64,
    /// One step in so many of that search rebuilds whole tasks.
    rebuild_once_in: usize,
    /// Steps that may be taken at all.
    left: u64,
    best: Best,
}

impl Trial<'_> {
    /// Searches; for deadlines and what is unplaced until `enough`, for the cost until `bound`.
    fn run(&mut self, enough: Score, bound: Score, chance: &mut Chance) {
        if self.best.score.missed > enough.missed {
            let steps = self.fit.min(self.left);
            let goal = enough.missed;
            self.left -= deadlines(self.prepared, &self.scale, (steps, goal), self.meter, chance, &mut self.best);
        }
        let goal = Score { missed: self.best.score.missed, unplaced: enough.unplaced, cost: u64::MAX };
        let aim = self.scale.unplaced(self.fit.min(self.left), goal);
        self.left -= anneal(self.prepared, &aim, chance, self.meter, &mut self.best);
        let aim = self.scale.cost(self.cost.min(self.left), self.heat, self.rebuild_once_in, bound);
        self.left -= anneal(self.prepared, &aim, chance, self.meter, &mut self.best);
    }
}

/// Takes the best plan apart again and again, and keeps whatever is no worse. The good plans of a small problem may have hardly
/// a block in common: the way from one to another leads through none that a search by small steps would take, at whatever heat.
fn take_apart(
    prepared: &Prepared,
    bound: Score,
    measure: u64,
    meter: &Meter<'_>,
    chance: &mut Chance,
    best: &mut Best,
) {
    let scale = Scale::of(prepared);
    let pieces = best.pieces.len() as u64;
    let steps = |steps: u64| {
        let few = steps * PIECES_WHOLE.pow(3) / pieces.max(PIECES_WHOLE).pow(3);
        if prepared.chained { few / CHAINED_LESS } else { few }
    };
    if (best.score.missed, best.score.unplaced) > (bound.missed, bound.unplaced) {
        let aim = scale.unplaced(steps(APART_FIT), Score { cost: u64::MAX, ..bound });
        let mut found = best.clone();
        anneal(prepared, &Aim { apart: true, rebuild_once_in: 1, hot: 0, ..aim }, chance, meter, &mut found);
        if (found.score.missed, found.score.unplaced) < (best.score.missed, best.score.unplaced) {
            let aim = scale.cost(measure * COST_SHARE / 100, 1, REBUILD_ONCE_IN, bound);
            anneal(prepared, &aim, chance, meter, &mut found);
            best.offer(found.score, &found.pieces);
        }
    }
    let aim = scale.cost(steps(APART_COST), 1, 1, bound);
    anneal(prepared, &Aim { apart: true, hot: 0, ..aim }, chance, meter, best);
}

/// Greatest measure of work: every price times what it is for must be a number.
const WORK_MAX: u64 = 100_000;

/// What is small and what is large in a problem.
struct Scale {
    /// Mean weight of a task.
    weight: u64,
    /// Mean weight of a task times its work.
    work: u64,
}

impl Scale {
    fn of(prepared: &Prepared) -> Self {
        let count = (prepared.jobs.len() as u64).max(1);
        let work: u64 = prepared.jobs.iter().map(|job| job.weight * u64::from(job.work)).sum();
        let weight: u64 = prepared.jobs.iter().map(|job| job.weight).sum();
        Self { weight: (weight / count).clamp(1, 1_000), work: (work / count).clamp(1, WORK_MAX) }
    }

    /// Deadlines alone; how far a task comes before its deadline leads the way.
    fn missed(&self, steps: u64, goal: Score) -> Aim {
        let (hot, least) = (100 * self.weight, Score::default());
        let rebuild_once_in = REBUILD_ONCE_IN;
        Aim { missed: 2 * WHOLE, unplaced: 2, cost: 0, hot, steps, rebuild_once_in, apart: false, goal, least }
    }

    /// What is unplaced, with the deadlines held.
    fn unplaced(&self, steps: u64, goal: Score) -> Aim {
        let (hot, least) = (100 * self.weight, Score::default());
        let rebuild_once_in = UNPLACED_REBUILD_ONCE_IN;
        Aim { missed: 3_000, unplaced: 100, cost: 0, hot, steps, rebuild_once_in, apart: false, goal, least }
    }

    /// The cost, with the rest held.
    fn cost(&self, steps: u64, heat: u64, rebuild_once_in: usize, bound: Score) -> Aim {
        let (hot, goal, least) = (8 * (self.work * heat).min(WORK_MAX), bound, bound);
        Aim { missed: 5_000 * hot, unplaced: 16 * hot, cost: 1, hot, steps, rebuild_once_in, apart: false, goal, least }
    }
}

/// Searches for a plan that keeps more deadlines, and completes it. Answers the steps that it took.
fn deadlines(
    prepared: &Prepared,
    scale: &Scale,
    (steps, goal): (u64, u64),
    meter: &Meter<'_>,
    chance: &mut Chance,
    best: &mut Best,
) -> u64 {
    let (mut room, mut rebuilder) = (Room::new(meter), Rebuilder::new(meter));
    let alone = prepared.with_deadlines_alone();
    let mut pieces: Vec<Piece> = best.pieces.iter().filter(|piece| alone.job(piece.task).work > 0).copied().collect();
    for piece in &mut pieces {
        piece.want = 0;
    }
    let score = alone.place(&mut pieces, 0, &mut room);
    let mut found = Best { score, pieces };
    let goal = Score { missed: goal, unplaced: u64::MAX, cost: u64::MAX };
    let used = anneal(&alone, &scale.missed(steps, goal), chance, meter, &mut found);
    if found.score.missed >= best.score.missed {
        return used;
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
    rebuilder.complete(prepared, &mut pieces, seed::by_ratio(prepared).into_iter());
    let score = prepared.place(&mut pieces, 0, &mut room);
    best.offer(score, &pieces);
    used
}

/// Puts what is unplaced wherever there still is room.
fn fill_up(prepared: &Prepared, meter: &Meter<'_>, best: &mut Best) {
    if best.score.unplaced > 0 {
        let mut pieces: Vec<Piece> = best.pieces.iter().filter(|piece| piece.is_placed()).copied().collect();
        Rebuilder::new(meter).complete(prepared, &mut pieces, seed::by_ratio(prepared).into_iter());
        let score = prepared.place(&mut pieces, 0, &mut Room::new(meter));
        best.offer(score, &pieces);
    }
}

/// Keeps the plan in force, if it may stand as it is and the gain is in the cost alone and small: a plan that changes without
/// need is worse than one that is a little longer.
fn stay(problem: &PlanProblem, prepared: &Prepared, meter: &Meter<'_>, best: &mut Best) {
    let stands: usize = prepared.jobs.iter().map(|job| job.kept.len()).sum();
    if stands < problem.previous.len() || stands == 0 {
        return;
    }
    let mut blocks: Vec<(u32, Kept)> =
        (0..).zip(&prepared.jobs).flat_map(|(task, job)| job.kept.iter().map(move |block| (task, *block))).collect();
    blocks.sort_by_key(|(_, block)| block.start);
    let piece = |(task, block): &(u32, Kept)| Piece { want: block.start, ..Piece::new(*task, block.length) };
    let mut pieces: Vec<Piece> = blocks.iter().map(piece).collect();
    let fits = (0..).zip(&prepared.jobs).all(|(task, job)| {
        let own = pieces.iter().filter(|piece| piece.task == task);
        let rest = job.work.checked_sub(own.map(|piece| piece.length).sum());
        rest.is_some_and(|rest| rest == 0 || rest >= job.chunk_min)
    });
    if !fits {
        return;
    }
    let mut room = Room::new(meter);
    prepared.place(&mut pieces, 0, &mut room);
    if pieces.iter().any(|piece| piece.start != piece.want) {
        return;
    }
    Rebuilder::new(meter).complete(prepared, &mut pieces, seed::by_ratio(prepared).into_iter());
    let score = prepared.place(&mut pieces, 0, &mut room);
    let spared = score.cost.saturating_sub(best.score.cost) * 100 <= best.score.cost * HYSTERESIS_PERCENT;
    if (score.missed, score.unplaced) <= (best.score.missed, best.score.unplaced) && spared {
        *best = Best { score, pieces };
    }
}
