//! One task into what is free: the exact inner step.
//!
//! Which of the gaps a task takes, how much of it goes into each and in how many blocks is decided together, over (gap, ticks
//! placed so far): with the others where they are, no other choice is on time if this one is not, and none is cheaper in
//! completion and splits. Inside a gap, as few blocks as possible and as early as possible are never worse; so what a gap
//! adds is one number of ticks. Blocks in different gaps are taken to be far enough apart; where more must lie between two
//! blocks than lies between two gaps, what is found is a guess that placing it sets right.

use super::{
    chance::Chance,
    meter::{LOOK, Meter, work},
    piece::Piece,
    problem::{Tick, TickSpan},
    sequence::{Prepared, SearchTask},
};

/// Not reachable. Every cost is below, as there are no more blocks than [`HORIZON_MAX`](super::problem::HORIZON_MAX), and its
/// sum with any cost does not overflow. Signed, as only signed numbers are compared several at a time on every machine.
const NO: i32 = 1 << 30;

/// Largest table, in gaps times ticks. Gaps behind it are not looked at.
const TABLE_MAX: usize = 16_000_000;
/// Columns of the table that are done in about the time of one look.
const COLUMNS: usize = 4;

/// How a task is to be inserted.
#[derive(Clone, Copy, Debug)]
pub struct InsertOrder {
    /// Index of the task.
    pub task: u32,
    /// Ticks to place; nought, or at least its shortest block.
    pub ticks: Tick,
    /// Place nothing before, and nothing before the release.
    pub from: Tick,
    /// Place nothing after.
    pub until: Tick,
    /// Cost of each further block.
    pub split_cost: u32,
    /// Nought; or what prices of time follow from, by which the choice is made in place of completion.
    pub whim: u64,
    /// All ticks or none.
    pub whole: bool,
}

impl InsertOrder {
    /// What a tick of completion is worth.
    const fn weight(&self, job: &SearchTask) -> u64 {
        if self.whim == 0 { job.weight } else { 0 }
    }
}

/// What it costs to finish: late or not, then completion and splits.
type Cost = (bool, u64);

/// Room for inserting, used again and again. Every insertion is counted on its meter.
#[derive(Debug)]
pub struct Inserter<'a> {
    meter: &'a Meter<'a>,
    gaps: Vec<TickSpan>,
    /// The gaps before they are cut to what may be worked of their days.
    uncut: Vec<TickSpan>,
    /// Of each day, the ticks that may still be worked.
    left: Vec<Tick>,
    /// What a tick in each gap costs.
    prices: Vec<u32>,
    /// Length of a row of the two tables: a column for each number of ticks from nought.
    width: usize,
    /// Row by row, each a gap further: least cost of splits and prices that places so many ticks in the gaps so far.
    least: Vec<i32>,
    /// What was found: start and length of each block, in order of time.
    pub found: Vec<(Tick, Tick)>,
}

impl<'a> Inserter<'a> {
    /// Empty.
    pub fn new(meter: &'a Meter<'a>) -> Self {
        let (gaps, uncut, left, prices) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { meter, gaps, uncut, left, prices, width: 0, least: Vec::new(), found: Vec::new() }
    }

    /// Finds the best blocks for a task among placed pieces, which are in order of time. Answers how many ticks have found
    /// a place: all; or else as many as can be placed so that the rest is long enough to be placed another time.
    pub fn insert(&mut self, prepared: &Prepared, pieces: &[Piece], order: &InsertOrder) -> Tick {
        self.found.clear();
        let job = prepared.job(order.task);
        if order.ticks == 0 {
            return 0;
        }
        self.find_gaps(prepared, job, pieces, order);
        if !prepared.caps.is_empty() {
            self.cap_gaps(prepared, job, pieces);
        }
        if order.whole && self.gaps.iter().map(|gap| gap.len()).sum::<Tick>() < order.ticks {
            return 0;
        }
        self.set_prices(order);
        if order.ticks < 2 * job.chunk_min {
            return self.insert_whole(job, order);
        }
        self.width = order.ticks as usize + 1;
        self.gaps.truncate(TABLE_MAX / self.width);
        self.least.clear();
        self.least.resize(self.width, NO);
        if let Some(nothing) = self.least.first_mut() {
            *nothing = 0;
        }
        let weight = order.weight(job);
        let mut best: Option<(Cost, usize, Tick)> = None;
        for gap in 0..self.gaps.len() {
            let Some(span) = self.gaps.get(gap).copied() else { break };
            let adds = span.len().min(order.ticks).saturating_sub(job.chunk_min) as usize + 1;
            self.meter.spend(work((adds + 1) * (self.width / COLUMNS + 4)));
            if self.meter.is_over() {
                // No answer in time: nothing is placed, and what is there stands.
                return 0;
            }
            // Whatever finishes here or later costs more than this.
            let least = (span.start >= job.due, weight * u64::from(span.start));
            if best.is_some_and(|(cost, ..)| cost <= least) {
                break;
            }
            if let Some((cost, took)) = self.add_gap(prepared, job, order, gap, span)
                && best.is_none_or(|(other, ..)| cost < other)
            {
                best = Some((cost, gap, took));
            }
        }
        if let Some((_, gap, took)) = best {
            self.trace(prepared, job, order, gap, order.ticks, Some(took));
            return order.ticks;
        }
        if order.whole { 0 } else { self.most(prepared, job, order) }
    }

    /// A task that can be nothing but one block.
    fn insert_whole(&mut self, job: &SearchTask, order: &InsertOrder) -> Tick {
        let weight = order.weight(job);
        let fits = |(gap, _): &(&TickSpan, &u32)| order.ticks <= job.chunk_max && gap.len() >= order.ticks;
        let cost = |(gap, price): &(&TickSpan, &u32)| {
            let end = gap.start + order.ticks;
            (end > job.due, weight * u64::from(end) + u64::from(**price) * u64::from(order.ticks))
        };
        let mut gaps = self.gaps.iter().zip(&self.prices).filter(fits);
        let best = if order.whim == 0 { gaps.next() } else { gaps.min_by_key(cost) };
        let Some((gap, _)) = best else { return 0 };
        self.found.push((gap.start, order.ticks));
        order.ticks
    }

    /// Prices from nought to four a tick; half of the gaps cost nothing.
    fn set_prices(&mut self, order: &InsertOrder) {
        self.prices.clear();
        let mut chance = Chance::new(order.whim);
        let mut price = || ((chance.bits() >> 61) as u32).saturating_sub(3);
        let whim = order.whim != 0;
        self.prices.extend(self.gaps.iter().map(|_| if whim { price() } else { 0 }));
    }

    /// What is free for the task, in order, as far as its shortest block fits in.
    fn find_gaps(&mut self, prepared: &Prepared, job: &SearchTask, pieces: &[Piece], order: &InsertOrder) {
        self.gaps.clear();
        let Some(free) = prepared.free.get(job.map) else { return };
        self.meter.spend(LOOK * work(pieces.len()));
        let from = order.from.max(job.release);
        let mut placed = pieces.iter().filter(|piece| piece.is_placed()).peekable();
        for span in free.after(from) {
            let mut start = span.start.max(from);
            let end = span.end.min(order.until);
            if start >= end {
                break;
            }
            while let Some(piece) = placed.peek() {
                let taken = piece.start.saturating_sub(prepared.apart(order.task, piece.task));
                let again = piece.end() + prepared.apart(piece.task, order.task);
                if taken >= end {
                    break;
                }
                if taken >= start + job.chunk_min {
                    self.gaps.push(TickSpan { start, end: taken });
                }
                start = start.max(again);
                if again > end {
                    break;
                }
                placed.next();
            }
            if end >= start + job.chunk_min {
                self.gaps.push(TickSpan { start, end });
            }
        }
        self.meter.spend(LOOK * work(free.after(from).len()));
    }

    /// Cuts the gaps to what may still be worked in their days, the first gaps of a day first. What is lost by that, a piece
    /// that would rather be later in a day, is found by moving pieces about.
    fn cap_gaps(&mut self, prepared: &Prepared, job: &SearchTask, pieces: &[Piece]) {
        prepared.left(pieces, &mut self.left);
        std::mem::swap(&mut self.gaps, &mut self.uncut);
        self.meter.spend(LOOK * work(pieces.len() + 2 * self.uncut.len()));
        self.gaps.clear();
        for gap in &self.uncut {
            let mut start = gap.start;
            while let Some(day) = prepared.caps.day(start).filter(|_| start < gap.end) {
                let end = prepared.caps.end(day).min(gap.end);
                if let Some(left) = self.left.get_mut(day) {
                    let room = (*left).min(end - start);
                    if room >= job.chunk_min {
                        *left -= room;
                        self.gaps.push(TickSpan { start, end: start + room });
                    }
                }
                start = end;
            }
        }
    }

    /// Adds a gap's row. Answers the best way to finish in this gap, and how many ticks it takes in it.
    #[expect(clippy::indexing_slicing, reason = "rows have `width` columns, and `have + ticks` stays below it")]
    fn add_gap(
        &mut self,
        prepared: &Prepared,
        job: &SearchTask,
        order: &InsertOrder,
        gap: usize,
        span: TickSpan,
    ) -> Option<(Cost, Tick)> {
        let (row, width) = (gap * self.width, self.width);
        self.least.extend_from_within(row..row + width);
        let (before, after) = self.least.split_at_mut(row + width);
        let before = &before[row..];
        let weight = order.weight(job);
        let mut best: Option<(Cost, Tick)> = None;
        for add in job.chunk_min..=order.ticks {
            let end = span.start + add + (add.div_ceil(job.chunk_max) - 1) * prepared.apart(order.task, order.task);
            if end > span.end {
                break;
            }
            let Some(costs) = self.prices.get(gap).and_then(|price| costs(job, order, *price, add)) else { continue };
            // Written so that the compiler does several columns at once.
            for (from, to) in before.iter().zip(&mut after[add as usize..]) {
                *to = (from + costs).min(*to);
            }
            let rest = before[width - 1 - add as usize];
            if rest < NO {
                let cost = (end > job.due, weight * u64::from(end) + u64::from((rest + costs).unsigned_abs()));
                if best.is_none_or(|(other, _)| cost < other) {
                    best = Some((cost, add));
                }
            }
        }
        best
    }

    /// As many ticks as can be placed, when not all can.
    fn most(&mut self, prepared: &Prepared, job: &SearchTask, order: &InsertOrder) -> Tick {
        let Some(last) = self.gaps.len().checked_sub(1) else { return 0 };
        let possible = |have: &Tick| self.least_of(last + 1, *have) < NO;
        let most = order.ticks.saturating_sub(job.chunk_min);
        let Some(have) = (1..=most).rev().find(possible) else { return 0 };
        self.trace(prepared, job, order, last, have, None);
        have
    }

    fn least_of(&self, row: usize, have: Tick) -> i32 {
        self.least.get(row * self.width + have as usize).copied().unwrap_or(NO)
    }

    /// Reads back how `have` ticks came into the gaps up to this one; `last` of them, if given, into it.
    fn trace(
        &mut self,
        prepared: &Prepared,
        job: &SearchTask,
        order: &InsertOrder,
        gap: usize,
        have: Tick,
        last: Option<Tick>,
    ) {
        let (mut have, mut last) = (have, last);
        for gap in (0..=gap).rev() {
            let (here, price) = (self.least_of(gap + 1, have), self.prices.get(gap).copied().unwrap_or(0));
            let led_here = |add: &Tick| {
                costs(job, order, price, *add).is_some_and(|costs| self.least_of(gap, have - add) + costs == here)
            };
            let took = match last.take() {
                Some(last) => last,
                None if self.least_of(gap, have) == here => 0,
                None => (job.chunk_min..=have).find(led_here).unwrap_or(0),
            };
            let Some(span) = self.gaps.get(gap).filter(|_| took > 0) else { continue };
            have -= took;
            let (mut blocks, mut rest, mut start) = (took.div_ceil(job.chunk_max), took, span.start);
            let first = self.found.len();
            while blocks > 0 {
                blocks -= 1;
                let length = job.chunk_max.min(rest - blocks * job.chunk_min);
                self.found.push((start, length));
                start += length + prepared.apart(order.task, order.task);
                rest -= length;
            }
            if let Some(of_this_gap) = self.found.get_mut(first..) {
                of_this_gap.reverse();
            }
        }
        self.found.reverse();
    }
}

/// What so many ticks in a gap cost; none, if they cannot be cut into blocks.
#[inline]
fn costs(job: &SearchTask, order: &InsertOrder, price: u32, ticks: Tick) -> Option<i32> {
    let blocks = ticks.div_ceil(job.chunk_max);
    if blocks * job.chunk_min > ticks {
        return None;
    }
    i32::try_from(price * ticks + order.split_cost * blocks).ok()
}
