//! Chance that is none: numbers that look drawn, and follow from what is planned.
//!
//! **Invariant:** a problem always gives the same numbers, on every machine and in every build: the digest is our own and
//! covers the fields one by one, not a hash of the standard library, whose result may change with it.

use super::problem::{BusyWith, PlanProblem};

/// A stream of numbers (`SplitMix64`: an odd step, two multiplications).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    #[inline]
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// A number below `bound`; nought if there is none.
    #[inline]
    pub fn below(&mut self, bound: usize) -> usize {
        // The upper 32 bits times the bound: no division, and even enough for bounds far below 2^32.
        (((self.bits() >> 32) * bound as u64) >> 32) as usize
    }

    /// A number from `low` to `high`, both included; `low` if they are the wrong way round.
    #[inline]
    pub const fn between(&mut self, low: u32, high: u32) -> u32 {
        let count = (high.saturating_sub(low) as u64) + 1;
        low + (((self.bits() >> 32) * count) >> 32) as u32
    }

    /// True once in `times`.
    #[inline]
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

const fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A digest of all that a plan follows from.
pub fn seed(problem: &PlanProblem) -> u64 {
    let mut digest = 0x2545_f491_4f6c_dd1d;
    let mut add = |value: u64| digest = mixed(digest ^ value.wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(7);
    let optional = |value: Option<u32>| value.map_or(u64::MAX, u64::from);
    for value in [problem.now, problem.horizon, problem.gap, problem.split_cost] {
        add(value.into());
    }
    for map in &problem.maps {
        add(map.len() as u64);
        for span in map {
            add(u64::from(span.start) << 32 | u64::from(span.end));
        }
    }
    add(problem.busy.len() as u64);
    for busy in &problem.busy {
        add(u64::from(busy.span.start) << 32 | u64::from(busy.span.end));
        let (kind, number) = match busy.with {
            BusyWith::Event => (0, 0),
            BusyWith::Locked(number) => (1, number),
            BusyWith::Unknown(number) => (2, number),
        };
        add(kind << 32 | u64::from(number));
    }
    for cap in &problem.caps {
        add(u64::from(cap.from) << 32 | u64::from(cap.ticks));
    }
    add(problem.tasks.len() as u64);
    for task in &problem.tasks {
        add(optional(task.work));
        add(optional(task.due));
        add(u64::from(task.release) << 32 | u64::from(task.weight));
        add(u64::from(task.chunk_min) << 32 | u64::from(task.chunk_max));
        add((task.map as u64) << 32 | task.after.len() as u64);
        for after in &task.after {
            add(*after as u64);
        }
        if let Some(gap) = task.gap_after {
            add(gap.into());
        }
    }
    for previous in &problem.previous {
        add(u64::from(previous.block.start) << 32 | u64::from(previous.block.end));
        add((previous.block.task as u64) << 32 | u64::from(previous.move_cost));
    }
    digest
}
