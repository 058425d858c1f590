//! What a decode reads and writes again and again.

use super::{meter::Meter, problem::Tick};

/// What of a task is read in every step, apart from the rest.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct TaskLine {
    /// What each tick of its completion costs.
    pub weight: i64,
    /// Of its deadline; nought without one.
    pub missed: u64,
    /// Of an unplaced tick.
    pub tick: u64,
    /// As in [`SearchTask`](super::sequence::SearchTask), like those that follow.
    pub work: Tick,
    pub release: Tick,
    pub due: Tick,
    pub until: Tick,
    pub chunk_max: Tick,
    pub gap_after: Tick,
    /// Index, in the prepared problem's cells, of its time map's first tick.
    pub cells_at: u32,
    /// Whether it waits for others.
    pub waits: bool,
}

/// What the pieces placed so far come to.
#[derive(Clone, Copy, Debug)]
pub struct PlacedSum {
    /// Weights of deadlines that are missed, or whose tasks are not done yet.
    pub missed: u64,
    /// Ends of the tasks that are done, times their weights; less the releases of all.
    pub ended: i64,
    /// Weights of the tasks that are not done yet.
    pub open: i64,
    /// Tasks that are done.
    pub done: usize,
}

impl PlacedSum {
    #[inline]
    pub const fn add(&mut self, line: &TaskLine, end: Tick) {
        self.ended += line.weight * end as i64;
        self.open -= line.weight;
        self.done += 1;
        self.missed -= if end > line.due { 0 } else { line.missed };
    }
}

/// Room for placing, used again and again. Every decode is counted on its meter.
#[derive(Debug)]
pub struct Room<'a> {
    /// What is spent.
    pub meter: &'a Meter<'a>,
    /// Looks at free spans and at what is waited for, in the decode at hand.
    pub looks: u64,
    /// Of each task, the ticks not placed yet.
    pub rests: Vec<Tick>,
    /// Of each day, the ticks that may still be worked; none, if no day is capped.
    pub left: Vec<Tick>,
}

impl<'a> Room<'a> {
    /// Empty.
    pub fn new(meter: &'a Meter<'a>) -> Self {
        Self { meter, looks: 0, rests: Vec::new(), left: Vec::new() }
    }
}
