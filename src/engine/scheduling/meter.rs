//! What a search may spend, counted where it is spent.
//!
//! A bound in steps is no bound in time: what a step costs grows with the list, and a loop around steps that cost nothing never
//! ends. So whatever decodes, inserts or lets flow holds a meter and counts its own work on it, in units of about a nanosecond;
//! there is no way to do the work without one. When a meter is over, every stage hands on the best valid plan so far.
//!
//! **Invariant:** what is spent is at most the limit, the operation that was under way, and the few decodes that make a valid plan
//! of what was found, whatever the problem.
//!
//! **Invariant:** a meter that was never stopped from outside is over at the same operation every time.

use std::cell::Cell;

/// What it costs to look at one piece, span or row.
pub const LOOK: u64 = 4;
/// So much work is done between two looks at whether somebody stops it: some tens of microseconds.
const LOOK_EVERY: u64 = 50_000;

/// Says whether work must end now: its time is over, or nobody wants it any more. The engine has no clock; who has one hands it in.
pub trait Stop {
    /// True from some moment on.
    fn is_over(&self) -> bool;
}

/// Work that ends by itself alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unstopped;

impl Stop for Unstopped {
    fn is_over(&self) -> bool {
        false
    }
}

/// The work that one stage may do.
pub struct Meter<'a> {
    stop: &'a dyn Stop,
    limit: u64,
    spent: Cell<u64>,
    /// The greatest part that was counted at once.
    largest: Cell<u64>,
    next_look: Cell<u64>,
    stopped: Cell<bool>,
}

impl<'a> Meter<'a> {
    /// Nothing is spent yet.
    pub fn new(limit: u64, stop: &'a dyn Stop) -> Self {
        let (spent, largest, next_look) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Self { stop, limit, spent, largest, next_look, stopped: Cell::new(false) }
    }

    /// Counts work that is about to be done, or was just done.
    #[inline]
    pub fn spend(&self, work: u64) {
        self.largest.set(self.largest.get().max(work));
        let spent = self.spent.get().saturating_add(work);
        self.spent.set(spent);
        if spent >= self.next_look.get() {
            self.next_look.set(spent + LOOK_EVERY);
            if self.stop.is_over() {
                self.stopped.set(true);
            }
        }
    }

    /// Whether no more work may be begun.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.spent.get() >= self.limit || self.stopped.get()
    }

    /// Whether it was stopped from outside.
    pub fn was_stopped(&self) -> bool {
        self.stopped.get()
    }

    /// What was spent, and the greatest part that was counted at once.
    pub fn spent(&self) -> (u64, u64) {
        (self.spent.get(), self.largest.get())
    }
}

/// A length as work.
#[inline]
pub const fn work(length: usize) -> u64 {
    length as u64
}

impl std::fmt::Debug for Meter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (spent, limit) = (self.spent.get(), self.limit);
        f.debug_struct("Meter").field("spent", &spent).field("limit", &limit).finish_non_exhaustive()
    }
}
