//! How much may be worked in a day, all time maps together.

use super::{
    problem::{PlanProblem, Tick, TickSpan},
    slots::Free,
};

/// The days of a problem; none, if no day is capped.
#[derive(Clone, Debug, Default)]
pub struct Caps {
    /// First tick after each day, in order; the last one is the horizon.
    ends: Vec<Tick>,
    /// What may be worked of each day.
    ticks: Vec<Tick>,
    /// The day of each tick up to the horizon.
    day_of: Vec<u32>,
}

impl Caps {
    /// The days of a valid problem.
    pub fn of(problem: &PlanProblem) -> Self {
        let mut caps = Self::default();
        let Some(first) = problem.caps.first() else { return caps };
        let before = (first.from > 0).then_some((0, Tick::MAX));
        let each = before.into_iter().chain(problem.caps.iter().map(|cap| (cap.from, cap.ticks)));
        let ends = each.clone().skip(1).map(|(from, _)| from.min(problem.horizon)).chain([problem.horizon]);
        for (day, ((from, ticks), end)) in (0..).zip(each.zip(ends)) {
            if from < end {
                caps.ends.push(end);
                caps.ticks.push(ticks);
                caps.day_of.resize(end as usize, day);
            }
        }
        caps
    }

    /// Whether no day is capped.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What may be worked of each day.
    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// Longest block that any day has room for.
    pub fn longest(&self) -> Tick {
        self.ticks.iter().copied().max().unwrap_or(Tick::MAX)
    }

    /// The day of a tick; none, behind the horizon.
    #[inline]
    pub fn day(&self, tick: Tick) -> Option<usize> {
        self.day_of.get(tick as usize).map(|day| *day as usize)
    }

    /// First tick after a day.
    #[inline]
    pub fn end(&self, day: usize) -> Tick {
        self.ends.get(day).copied().unwrap_or(Tick::MAX)
    }

    /// Takes a block, which counts for the day that it starts in, from what is left of the days.
    #[inline]
    pub fn take(&self, left: &mut [Tick], start: Tick, length: Tick) {
        if let Some(left) = self.day(start).and_then(|day| left.get_mut(day)) {
            *left = left.saturating_sub(length);
        }
    }

    /// Ticks that may be worked of a span, each day by its cap and by what is free.
    pub fn supply(&self, free: &Free, within: TickSpan) -> Tick {
        let (mut start, mut sum): (Tick, Tick) = (within.start, 0);
        while let Some(day) = self.day(start).filter(|_| start < within.end) {
            let end = self.end(day).min(within.end);
            let cap = self.ticks.get(day).copied().unwrap_or(0);
            sum = sum.saturating_add(free.ticks(TickSpan { start, end }).min(cap));
            start = end;
        }
        sum
    }
}
