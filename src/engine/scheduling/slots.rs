//! Free time: of each time map, the longest spans in which work may lie.

use super::problem::{BusyTicks, PlanProblem, Tick, TickSpan};

/// The free time of one time map.
#[derive(Clone, Debug)]
pub struct Free {
    /// Maximal, in order, not touching.
    spans: Vec<TickSpan>,
    /// For each tick up to the horizon: the first span that ends after it.
    first_after: Vec<u32>,
}

impl Free {
    /// The spans, in order; no two touch.
    pub fn spans(&self) -> &[TickSpan] {
        &self.spans
    }

    /// The first span that ends after a tick, and those that follow it.
    #[inline]
    pub fn after(&self, tick: Tick) -> &[TickSpan] {
        let at = self.first_after.get(tick as usize).map_or(self.spans.len(), |at| *at as usize);
        self.spans.get(at..).unwrap_or_default()
    }

    /// The earliest start, not before a tick, of a block of this length.
    #[inline]
    pub fn earliest(&self, from: Tick, length: Tick) -> Option<Tick> {
        self.after(from).iter().map(|span| (span.start.max(from), span.end)).find_map(|(start, end)| {
            let fits = start + length <= end;
            fits.then_some(start)
        })
    }

    /// Whether a span is wholly free.
    #[inline]
    pub fn holds(&self, span: TickSpan) -> bool {
        self.after(span.start).first().is_some_and(|free| free.start <= span.start && span.end <= free.end)
    }

    /// Free ticks between two.
    pub fn ticks(&self, within: TickSpan) -> Tick {
        let clip = |span: &TickSpan| span.end.min(within.end).saturating_sub(span.start.max(within.start));
        self.after(within.start).iter().take_while(|span| span.start < within.end).map(clip).sum()
    }

    fn of(spans: Vec<TickSpan>, horizon: Tick) -> Self {
        let mut first_after = Vec::with_capacity(horizon as usize + 1);
        let mut at = 0;
        for (span, upto) in spans.iter().zip(1..) {
            first_after.resize(span.end as usize, at);
            at = upto;
        }
        first_after.resize(horizon as usize + 1, at);
        Self { spans, first_after }
    }
}

/// The free time of each time map, as far as those busy spans allow which `counts` accepts.
pub fn free(problem: &PlanProblem, counts: impl Fn(&BusyTicks) -> bool) -> Vec<Free> {
    let busy = merged(problem.busy.iter().filter(|busy| counts(busy)).map(|busy| busy.span));
    let usable = TickSpan { start: problem.now, end: problem.horizon };
    let map = |hours: &Vec<TickSpan>| {
        let clip = |span: &TickSpan| TickSpan { start: span.start.max(usable.start), end: span.end.min(usable.end) };
        Free::of(without(&merged(hours.iter().map(clip)), &busy), problem.horizon)
    };
    problem.maps.iter().map(map).collect()
}

/// The same time in order, as spans that do not touch.
#[must_use]
pub fn merged(spans: impl Iterator<Item = TickSpan>) -> Vec<TickSpan> {
    let mut sorted: Vec<TickSpan> = spans.filter(|span| !span.is_empty()).collect();
    sorted.sort_unstable();
    let mut out: Vec<TickSpan> = Vec::with_capacity(sorted.len());
    for span in sorted {
        match out.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => out.push(span),
        }
    }
    out
}

/// What is left of spans without others; both in order and not touching.
#[must_use]
pub fn without(spans: &[TickSpan], others: &[TickSpan]) -> Vec<TickSpan> {
    let mut out = Vec::with_capacity(spans.len() + others.len());
    let mut others = others;
    for span in spans {
        let mut start = span.start;
        while let Some((other, rest)) = others.split_first() {
            if other.start >= span.end {
                break;
            }
            if other.start > start {
                out.push(TickSpan { start, end: other.start });
            }
            start = start.max(other.end);
            if other.end > span.end {
                break;
            }
            others = rest;
        }
        if start < span.end {
            out.push(TickSpan { start, end: span.end });
        }
    }
    out
}
