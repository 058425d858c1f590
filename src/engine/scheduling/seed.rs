//! Where the search begins: the rules of thumb, each with what may stay of the plan in force and from nothing.

use std::cmp::Reverse;

use super::{
    anneal::Best,
    meter::Meter,
    piece::{NONE, Piece},
    problem::Tick,
    rebuild::Rebuilder,
    room::Room,
    score::Score,
    sequence::Prepared,
};

/// In which order the tasks choose their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SeedOrder {
    /// What is due first.
    Due,
    /// What weighs most, then what is due first.
    Weight,
    /// What weighs most for its length: the best order where nothing is due.
    Ratio,
    /// What can wait least.
    Slack,
    /// Weight for length, less what it can wait, seen over so many mean lengths.
    Outlook(u64),
}

const RULES: [SeedOrder; 7] = [
    SeedOrder::Due,
    SeedOrder::Weight,
    SeedOrder::Ratio,
    SeedOrder::Slack,
    SeedOrder::Outlook(8),
    SeedOrder::Outlook(24),
    SeedOrder::Outlook(64),
];

/// The best of what the rules make; of as many of them as the meter allows, and of one at least.
pub fn seed(prepared: &Prepared, meter: &Meter<'_>) -> Best {
    let (mut room, mut rebuilder) = (Room::new(meter), Rebuilder::new(meter));
    let mut best = Best { score: Score::WORST, pieces: Vec::new() };
    let kept = kept(prepared, &mut room);
    for rule in RULES {
        let order = order(prepared, rule);
        for keep in [true, false] {
            if (keep && kept.is_empty()) || (meter.is_over() && best.score < Score::WORST) {
                continue;
            }
            let mut pieces = if keep { kept.clone() } else { Vec::new() };
            rebuilder.complete(prepared, &mut pieces, order.iter().copied());
            let score = prepared.place(&mut pieces, 0, &mut room);
            best.offer(score, &pieces);
        }
    }
    best
}

/// All tasks, those with most weight for their length first.
pub fn by_ratio(prepared: &Prepared) -> Vec<u32> {
    order(prepared, SeedOrder::Ratio)
}

/// All tasks by a rule.
fn order(prepared: &Prepared, rule: SeedOrder) -> Vec<u32> {
    let count = u32::try_from(prepared.jobs.len()).unwrap_or(0);
    let mean = prepared.jobs.iter().map(|job| u64::from(job.work)).sum::<u64>() / u64::from(count.max(1));
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by_cached_key(|task| {
        let job = prepared.job(*task);
        let due = if job.due == NONE { 2 * u64::from(prepared.horizon) } else { job.due.into() };
        let slack = due.saturating_sub(u64::from(prepared.now.max(job.release)) + u64::from(job.work));
        let ratio = u64::from(job.work) * 10_000 / job.weight.max(1);
        let (first, second) = match rule {
            SeedOrder::Due => (due, ratio),
            SeedOrder::Weight => (0, due),
            SeedOrder::Ratio => (ratio, due),
            SeedOrder::Slack => (slack, ratio),
            SeedOrder::Outlook(lengths) => (ratio * (1 + slack / (lengths * mean).max(1)), due),
        };
        let heavy = if rule == SeedOrder::Weight { job.weight } else { 0 };
        (Reverse(heavy), first, second, *task)
    });
    order
}

/// What may stay of the plan in force: its blocks in order of time, without those that stand in each other's way, are more
/// than there is work, or leave a rest that is too short.
fn kept(prepared: &Prepared, room: &mut Room<'_>) -> Vec<Piece> {
    let mut all: Vec<Piece> = Vec::new();
    for (task, job) in (0..).zip(&prepared.jobs) {
        let mut rest = job.work;
        let mut own: Vec<(Tick, Tick)> = job.kept.iter().map(|block| (block.start, block.length)).collect();
        own.sort_unstable();
        for (start, length) in own {
            if length == rest || length + job.chunk_min <= rest {
                rest -= length;
                all.push(Piece { task, length, want: start, start });
            }
        }
    }
    all.sort_by_key(|piece| (piece.start, piece.task));
    // Twice: without what has lost its place, others may keep theirs.
    for _ in 0..2 {
        prepared.place(&mut all, 0, room);
        all.retain(|piece| piece.start == piece.want);
    }
    prepared.place(&mut all, 0, room);
    all.retain(|piece| piece.start == piece.want);
    all
}
