//! When events take their owner's time: joined stretches, without a row for every occurrence.
//!
//! **Invariant:** nobody is called free where it is not known: a series that cannot be expanded to its end counts as busy from the
//! last occurrence that was found, and is named.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;

use super::{
    recurrence::{ExpansionBudget, WantedOccurrences, first_slots},
    spans::merged,
};
use crate::domain::{
    event::{EventContent, EventStatus, Facts, Transparency},
    ids::EventId,
    mapping::Event,
    time::Window,
};

/// Occurrences of one series that are looked at: every hour of a year.
const INSTANCES_MAX: usize = 10_000;
/// Stretches that are held before they are joined.
const SPANS_HELD_MAX: usize = 20_000;
/// Events that are named as unfinished.
const NAMED_MAX: usize = 20;

/// Busy time, while events are added.
#[derive(Debug)]
pub struct BusyTime {
    window: Window,
    budget: ExpansionBudget,
    spans: Vec<Window>,
    /// From here on everything is busy.
    full_from: Option<DateTime<Utc>>,
    unfinished: Vec<EventId>,
}

impl BusyTime {
    /// None yet.
    #[must_use]
    pub fn new(window: Window, budget: ExpansionBudget) -> Self {
        Self { window, budget, spans: Vec::new(), full_from: None, unfinished: Vec::new() }
    }

    /// Adds what an event takes; `zone` is where its floating times are read.
    pub fn add(&mut self, event: &Event, zone: Tz) {
        if !may_take_time(&event.content) {
            return;
        }
        let open = Window { to: self.full_from.map_or(self.window.to, |full| full.min(self.window.to)), ..self.window };
        if open.length() <= Duration::zero() {
            return;
        }
        let wanted = WantedOccurrences { window: open, starts_from: None, first: INSTANCES_MAX };
        let Ok(found) = first_slots(&event.content, &wanted, zone, &mut self.budget) else {
            // A rule that nobody understands shows as its master everywhere.
            let Facts { start, end, .. } = event.content.facts;
            self.spans.push(Window { from: start.instant(zone), to: end.instant(zone) });
            return;
        };
        let last = found.slots.last().map(|slot| slot.start);
        self.spans.extend(
            found
                .slots
                .iter()
                .filter(|slot| takes_time(slot.facts))
                .map(|slot| Window { from: slot.start, to: slot.end }),
        );
        if found.more || found.unfinished {
            let from = last.filter(|_| !found.unfinished).unwrap_or(open.from).max(open.from);
            self.spans.push(Window { from, to: self.window.to });
            self.join();
            self.full_from = self.spans.last().filter(|last| last.to >= self.window.to).map(|last| last.from);
            if self.unfinished.len() < NAMED_MAX {
                self.unfinished.push(event.id);
            }
        }
        if self.spans.len() > SPANS_HELD_MAX {
            self.join();
        }
    }

    fn join(&mut self) {
        self.spans = merged(std::mem::take(&mut self.spans), self.window);
    }

    /// Adds what is known to be taken.
    pub fn add_span(&mut self, span: Window) {
        self.spans.push(span);
    }

    /// What is left of the budget.
    #[must_use]
    pub fn budget(&self) -> ExpansionBudget {
        self.budget
    }

    /// The stretches, joined, and the events that could not be expanded to the end.
    #[must_use]
    pub fn joined(self) -> (Vec<Window>, Vec<EventId>) {
        (merged(self.spans, self.window), self.unfinished)
    }
}

fn takes_time(facts: &Facts) -> bool {
    facts.transparency == Transparency::Opaque && facts.status != EventStatus::Cancelled
}

/// Whether any occurrence could take time: a series of moments takes none, however many there are.
fn may_take_time(content: &EventContent) -> bool {
    let lasts = |facts: &Facts| facts.start.is_all_day() || facts.start != facts.end;
    let own_ends = content.recurrence.added.iter().any(|added| added.end.is_some());
    let mut facts = std::iter::once(&content.facts).chain(content.overrides.iter().map(|own| &own.facts));
    facts.any(|facts| takes_time(facts) && (lasts(facts) || own_ends))
}

#[cfg(test)]
mod tests;
