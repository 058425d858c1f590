//! The first rows of a list in which every occurrence is a row.
//!
//! - **mark**: a row's place in the order of a list; the next page begins after it.
//!
//! **Invariant:** no more rows are held than are wanted, however many occurrences there are; rows share their event.
//! **Invariant:** the rows are the first after the mark, unless [`Listing::unfinished`] names an event.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::recurrence::{ExpansionBudget, WantedOccurrences, first_slots};
use crate::domain::{
    event::Facts,
    ids::EventId,
    mapping::Event,
    time::{EventTime, Window},
};

/// Events that are named as unfinished; one is enough to know that rows may be missing.
const NAMED_MAX: usize = 20;

/// A row's place: its start, its event, and which occurrence it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark(pub i64, pub EventId, pub Option<String>);

impl Mark {
    /// The start of its row.
    #[must_use]
    pub fn at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct ListedRow {
    /// The event, which other rows share.
    pub event: Arc<Event>,
    /// Which occurrence it is; `None`: the event as a whole.
    pub recurrence_id: Option<EventTime>,
    from: EventTime,
    to: EventTime,
}

impl ListedRow {
    /// What the row says, with its own start and end.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let content = &self.event.content;
        match self.recurrence_id.and_then(|id| content.override_at(&id)) {
            Some(own) => own.facts.clone(),
            None => Facts { start: self.from, end: self.to, ..content.facts.clone() },
        }
    }
}

/// The first rows, while events are added.
#[derive(Debug)]
pub struct Listing {
    window: Window,
    after: Option<Mark>,
    enough: usize,
    budget: ExpansionBudget,
    rows: BTreeMap<Mark, ListedRow>,
    unfinished: Vec<EventId>,
}

impl Listing {
    /// A list of `enough` rows of a window, after a mark.
    #[must_use]
    pub fn new(window: Window, after: Option<Mark>, enough: usize, budget: ExpansionBudget) -> Self {
        Self { window, after, enough: enough.max(1), budget, rows: BTreeMap::new(), unfinished: Vec::new() }
    }

    /// Adds the rows of an event. A rule that cannot be expanded shows as its master.
    pub fn add(&mut self, event: &Arc<Event>, zone: Tz) {
        let wanted = WantedOccurrences {
            window: Window { to: self.window.to.min(self.latest_useful()), ..self.window },
            starts_from: self.after.as_ref().and_then(Mark::at),
            // One start may have several rows, of which some are before the mark.
            first: self.enough.saturating_add(1),
        };
        let content = &event.content;
        let Ok(found) = first_slots(content, &wanted, zone, &mut self.budget) else {
            let Facts { start, end, .. } = content.facts;
            self.keep(
                start.instant(zone),
                None,
                ListedRow { event: Arc::clone(event), recurrence_id: None, from: start, to: end },
            );
            return;
        };
        if found.unfinished && self.unfinished.len() < NAMED_MAX {
            self.unfinished.push(event.id);
        }
        for slot in found.slots {
            let row =
                ListedRow { event: Arc::clone(event), recurrence_id: slot.recurrence_id, from: slot.from, to: slot.to };
            self.keep(slot.start, slot.recurrence_id, row);
        }
    }

    fn keep(&mut self, start: DateTime<Utc>, which: Option<EventTime>, row: ListedRow) {
        let mark = Mark(start.timestamp_micros(), row.event.id, which.map(|id| id.wall().to_string()));
        if self.after.as_ref().is_some_and(|after| mark <= *after) {
            return;
        }
        self.rows.insert(mark, row);
        if self.rows.len() > self.enough {
            self.rows.pop_last();
        }
    }

    /// The instant before which a start must be to become one of the rows.
    fn latest_useful(&self) -> DateTime<Utc> {
        let last = self.rows.last_key_value().filter(|_| self.rows.len() >= self.enough);
        let last = last.and_then(|(mark, _)| mark.at()?.checked_add_signed(Duration::microseconds(1)));
        last.unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Whether events that begin no earlier than an instant can add nothing.
    #[must_use]
    pub fn is_settled(&self, unread_from: DateTime<Utc>) -> bool {
        self.latest_useful() <= unread_from
    }

    /// Events whose occurrences could not all be looked for; the first of them.
    #[must_use]
    pub fn unfinished(&self) -> &[EventId] {
        &self.unfinished
    }

    /// What is left of the budget.
    #[must_use]
    pub fn budget(&self) -> ExpansionBudget {
        self.budget
    }

    /// The rows, in order.
    #[must_use]
    pub fn into_rows(self) -> Vec<(Mark, ListedRow)> {
        self.rows.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
