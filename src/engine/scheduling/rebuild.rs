//! Whole tasks, put where each fits best among what is there.

use super::{
    chance::Chance,
    insert::{InsertOrder, Inserter},
    meter::{LOOK, Meter, work},
    piece::{NONE, Piece},
    problem::Tick,
    room::Room,
    sequence::Prepared,
};

/// Most tasks taken out at once.
const TASKS_AT_ONCE: usize = 5;
/// The same where a plan is taken apart.
const TASKS_APART: usize = 12;
/// Rows that are moved up in the time of one look.
const ROWS_MOVED: usize = 16;
/// Most pieces that what has found no place is cut into; what is left of it is one that never has a place.
const REST_PIECES_MAX: usize = 16;
/// One rebuild in so many goes by whim where an early end is worth something.
const WHIM_ONCE_IN: usize = 4;

/// How a task may be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PassKind {
    /// Wholly, and before its deadline.
    OnTime,
    /// Wholly.
    Whole,
    /// As far as there is room.
    Part,
}

/// How whole tasks are rebuilt.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// An early end is worth something.
    pub early: bool,
    /// Many at once, those of few pieces as often as those of many.
    pub apart: bool,
}

/// What of a task is placed.
#[derive(Clone, Copy, Debug)]
struct PlacedTask {
    /// Ticks.
    ticks: Tick,
    /// First tick of its first piece, or `NONE`.
    start: Tick,
    /// First tick after its last piece.
    end: Tick,
}

const NOTHING: PlacedTask = PlacedTask { ticks: 0, start: NONE, end: 0 };

/// Room for rebuilding, used again and again. All of it is counted on its meter.
#[derive(Debug)]
pub struct Rebuilder<'a> {
    meter: &'a Meter<'a>,
    inserter: Inserter<'a>,
    /// By task.
    done: Vec<PlacedTask>,
    /// What has found no place, to be put behind everything.
    skipped: Vec<Piece>,
    tasks: Vec<u32>,
    /// See [`InsertOrder::whim`].
    whim: u64,
}

impl<'a> Rebuilder<'a> {
    /// Empty.
    pub fn new(meter: &'a Meter<'a>) -> Self {
        let (done, skipped, tasks) = (Vec::new(), Vec::new(), Vec::new());
        Self { meter, inserter: Inserter::new(meter), done, skipped, tasks, whim: 0 }
    }

    /// Takes some tasks out by chance and puts them back in an order by chance. Now and then at places by whim, since the best
    /// place for one is often the only one for another: half of the time where an early end is worth nothing.
    pub fn rebuild(
        &mut self,
        prepared: &Prepared,
        pieces: &mut Vec<Piece>,
        how: How,
        room: &mut Room<'_>,
        chance: &mut Chance,
    ) {
        let How { early, apart } = how;
        self.tasks.clear();
        for _ in 0..=chance.below(if apart { TASKS_APART } else { TASKS_AT_ONCE }) {
            let task = if apart {
                u32::try_from(chance.below(prepared.jobs.len())).unwrap_or(0)
            } else {
                pieces.get(chance.below(pieces.len())).map_or(0, |piece| piece.task)
            };
            if !self.tasks.contains(&task) {
                self.tasks.push(task);
            }
        }
        let best = if early { !chance.once_in(WHIM_ONCE_IN) } else { chance.once_in(2) };
        self.whim = if best { 0 } else { chance.bits() | 1 };
        pieces.retain(|piece| !self.tasks.contains(&piece.task));
        // Half of the time the others move up first, so that what is put back finds the room behind them.
        if chance.once_in(2) {
            prepared.place(pieces, 0, room);
        }
        // Other rates for a split than the true one lead to other shapes.
        let split_cost = match chance.below(4) {
            0 => 0,
            1 => prepared.split_cost * 6,
            _ => prepared.split_cost,
        };
        self.skipped.clear();
        self.skipped.extend(pieces.iter().filter(|piece| !piece.is_placed()));
        pieces.retain(Piece::is_placed);
        self.count(prepared, pieces);
        self.put_all(prepared, pieces, split_cost);
        pieces.append(&mut self.skipped);
    }

    /// Completes placed pieces, in order of time, by what they lack, the tasks in this order.
    pub fn complete(&mut self, prepared: &Prepared, pieces: &mut Vec<Piece>, order: impl Iterator<Item = u32>) {
        self.skipped.clear();
        self.whim = 0;
        self.tasks.clear();
        self.count(prepared, pieces);
        self.tasks.extend(order.filter(|task| missing(prepared, &self.done, *task) > 0));
        self.put_all(prepared, pieces, prepared.split_cost);
        pieces.append(&mut self.skipped);
    }

    /// Puts the tasks among placed pieces: first those that can be on time, then those that can be done at all, then what can
    /// be of the rest. A late task is missed however late it is, and must not stand in the way of one that is not.
    fn put_all(&mut self, prepared: &Prepared, pieces: &mut Vec<Piece>, split_cost: u32) {
        for pass in [PassKind::OnTime, PassKind::Whole, PassKind::Part] {
            let mut found = true;
            while found && !self.tasks.is_empty() {
                let before = self.tasks.len();
                let mut at = 0;
                while let Some(task) = self.tasks.get(at).copied() {
                    if self.meter.is_over() {
                        break;
                    }
                    if self.put(prepared, pieces, task, split_cost, pass) {
                        self.tasks.remove(at);
                    } else {
                        at += 1;
                    }
                }
                // Once more, if a task may have become possible by what it waits for.
                found = prepared.chained && self.tasks.len() < before && !self.meter.is_over();
            }
        }
        // For what is left there was no time.
        while let Some(task) = self.tasks.pop() {
            self.skip(prepared, task, missing(prepared, &self.done, task));
        }
    }

    /// Counts what of each task is placed.
    fn count(&mut self, prepared: &Prepared, pieces: &[Piece]) {
        self.meter.spend(work(prepared.jobs.len()) + LOOK * work(pieces.len()));
        self.done.clear();
        self.done.resize(prepared.jobs.len(), NOTHING);
        for piece in pieces {
            self.add(piece.task, piece.start, piece.length);
        }
    }

    fn add(&mut self, task: u32, start: Tick, length: Tick) {
        if let Some(done) = self.done.get_mut(task as usize) {
            done.ticks += length;
            (done.start, done.end) = (done.start.min(start), done.end.max(start.saturating_add(length)));
        }
    }

    /// Puts so many ticks of a task behind everything, in pieces that may find a place there or later.
    fn skip(&mut self, prepared: &Prepared, task: u32, ticks: Tick) {
        let job = prepared.job(task);
        let (mut rest, mut cut) = (ticks, 1);
        while rest > 0 {
            let length = if cut < REST_PIECES_MAX { cut_off(rest, job.chunk_min, job.chunk_max) } else { rest };
            self.skipped.push(Piece::new(task, length));
            rest -= length;
            cut += 1;
        }
    }

    /// Puts one task. False: it cannot be put so.
    fn put(
        &mut self,
        prepared: &Prepared,
        pieces: &mut Vec<Piece>,
        task: u32,
        split_cost: u32,
        pass: PassKind,
    ) -> bool {
        let job = prepared.job(task);
        self.meter.spend(LOOK * (1 + work(self.tasks.len() / ROWS_MOVED + job.after.len() + job.before.len())));
        let from = ready(prepared, &self.done, task);
        if from == NONE && pass != PassKind::Part {
            return false;
        }
        let mut until = job.until;
        if prepared.chained {
            let start = |before: &usize| self.done.get(*before).map_or(NONE, |done| done.start);
            until = until.min(job.before.iter().map(start).min().unwrap_or(NONE));
        }
        match pass {
            PassKind::OnTime => until = until.min(job.due),
            // There is no more room than there was before.
            PassKind::Whole if !prepared.chained && until <= job.due => return false,
            PassKind::Whole | PassKind::Part => {}
        }
        let ticks = missing(prepared, &self.done, task);
        let whim = self.whim.wrapping_mul(u64::from(task) * 2 + 1);
        let whole = pass != PassKind::Part;
        let placed =
            self.inserter.insert(prepared, pieces, &InsertOrder { task, ticks, from, until, split_cost, whim, whole });
        if placed < ticks && pass != PassKind::Part {
            return false;
        }
        for at in 0..self.inserter.found.len() {
            let Some((start, length)) = self.inserter.found.get(at).copied() else { break };
            let at = pieces.partition_point(|piece| piece.start < start);
            pieces.insert(at, Piece { start, ..Piece::new(task, length) });
            self.add(task, start, length);
        }
        self.skip(prepared, task, ticks - placed);
        true
    }
}

/// Ticks of a task that no piece has.
fn missing(prepared: &Prepared, done: &[PlacedTask], task: u32) -> Tick {
    prepared.job(task).work.saturating_sub(done.get(task as usize).map_or(0, |done| done.ticks))
}

/// When all is done that a task waits for; `NONE`, if that is not.
fn ready(prepared: &Prepared, done: &[PlacedTask], task: u32) -> Tick {
    let mut from = prepared.now;
    for after in &prepared.job(task).after {
        let done = done.get(*after).copied().unwrap_or(NOTHING);
        if prepared.jobs.get(*after).is_none_or(|job| done.ticks < job.work.max(1)) {
            return NONE;
        }
        from = from.max(done.end);
    }
    from
}

/// The longest piece that may be cut off a rest so that what is left can be pieces too.
pub fn cut_off(rest: Tick, chunk_min: Tick, chunk_max: Tick) -> Tick {
    let most = chunk_max.min(rest.saturating_sub(chunk_min));
    if rest <= chunk_max || most < chunk_min { rest } else { most }
}
