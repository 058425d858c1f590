//! A piece of a task's work, as the search moves it about.

use super::problem::{Block, Tick};

/// No tick: not placed, no deadline.
pub const NONE: Tick = Tick::MAX;

/// A length of a task's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Index of the task.
    pub task: u32,
    /// Ticks; more than the task's longest block is a rest that is never placed.
    pub length: Tick,
    /// Start of the block of the plan in force that it would rather be; nought without a wish, as nothing is before that.
    pub want: Tick,
    /// Where it starts, or `NONE`.
    pub start: Tick,
}

impl Piece {
    /// A piece that wants no place and has none yet.
    pub const fn new(task: u32, length: Tick) -> Self {
        Self { task, length, want: 0, start: NONE }
    }

    /// First tick after it; of a piece that is not placed, beyond every horizon.
    pub const fn end(&self) -> Tick {
        self.start.saturating_add(self.length)
    }

    /// Whether it has a place.
    pub const fn is_placed(&self) -> bool {
        self.start != NONE
    }
}

/// The pieces that have a place, as blocks, in order of time.
pub fn blocks(pieces: &[Piece]) -> Vec<Block> {
    let placed = pieces.iter().filter(|piece| piece.is_placed());
    placed.map(|piece| Block { start: piece.start, end: piece.end(), task: piece.task as usize }).collect()
}
