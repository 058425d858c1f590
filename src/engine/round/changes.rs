//! What one transaction of a round will store, collected from its decisions.

use chrono::{DateTime, Utc};

use super::context::CalendarContext;
use crate::{
    domain::{
        conflict::{Conflict, ConflictStatus, Winner},
        ids::{CalendarId, EventId, MappingId, RemoteEventId},
        mapping::{Event, Mapping, Remains},
        notice::Notice,
        outbox::OutboxEntry,
        round::Tally,
    },
    engine::sync::plan::Reason,
};

/// One line of a dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRunLine {
    /// Which calendar.
    pub calendar: String,
    /// Which remote event; never its title.
    pub remote_id: String,
    /// What would be done.
    pub what: &'static str,
    /// Why.
    pub reason: Reason,
}

/// Everything one transaction will write.
#[derive(Debug, Default)]
pub struct Changes {
    /// Events made or changed here.
    pub events: Vec<Event>,
    /// Of those, the ones whose other copies must hear of it.
    pub spread: Vec<EventId>,
    /// Of those, the ones that were deleted here and are back: they go home too.
    pub restored: Vec<EventId>,
    /// Of what was read as new there, what is an event that we hold already: it goes, its mapping is that one's.
    pub merged: Vec<EventId>,
    /// Mappings made or moved on.
    pub mappings: Vec<Mapping>,
    /// Mappings that end.
    pub forgotten: Vec<MappingId>,
    /// What is left of the copies of some of them.
    pub remains: Vec<Remains>,
    /// Writes owed.
    pub owed: Vec<OutboxEntry>,
    /// Writes no longer owed. A withdrawal is owed as long as there is a mapping.
    pub settled: Vec<(EventId, CalendarId)>,
    /// Disagreements.
    pub conflicts: Vec<Conflict>,
    /// Copies that were decided about, and whose version stands: what waited for a person there waits no more.
    pub decided: Vec<(EventId, CalendarId, Winner)>,
    /// Notices for people.
    pub notices: Vec<Notice>,
    /// What was done, in numbers.
    pub tally: Tally,
    /// The same, line by line, for a dry run.
    pub planned: Vec<DryRunLine>,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.mappings.is_empty()
            && self.forgotten.is_empty()
            && self.owed.is_empty()
            && self.settled.is_empty()
            && self.conflicts.is_empty()
            && self.notices.is_empty()
    }

    /// The conflicts to add, and those that waited and are described anew: at most one waits for each copy.
    #[must_use]
    pub fn closing(&self, waiting: Vec<Conflict>, now: DateTime<Utc>) -> (Vec<Conflict>, Vec<Conflict>) {
        let (mut new, mut closed) = (self.conflicts.clone(), Vec::new());
        for mut old in waiting {
            let copy = (old.event_id, old.calendar_id);
            let Some((.., winner)) = self.decided.iter().find(|(event, calendar, _)| (*event, *calendar) == copy)
            else {
                continue;
            };
            let same = |met: &Conflict| (met.event_id, met.calendar_id) == copy && met.status == old.status;
            if let Some(at) = new.iter().position(same) {
                closed.push(Conflict { id: old.id, created_at: old.created_at, ..new.remove(at) });
            } else {
                (old.status, old.winner, old.resolved_at) = (ConflictStatus::Resolved, Some(*winner), Some(now));
                closed.push(old);
            }
        }
        (new, closed)
    }

    pub(super) fn note(
        &mut self,
        context: &CalendarContext<'_>,
        remote_id: &RemoteEventId,
        what: &'static str,
        reason: Reason,
    ) {
        let calendar = context.calendar.name.clone();
        self.planned.push(DryRunLine { calendar, remote_id: remote_id.0.clone(), what, reason });
    }

    /// A mapping ends because its copy is gone; what the copy was is kept for when it is made again.
    pub fn forget(&mut self, context: &CalendarContext<'_>, mapping: &Mapping) {
        self.forgotten.push(mapping.id);
        self.remains.extend(Remains::of(mapping, context.world.now()));
    }

    /// A copy that was to be taken away has gone: there is nothing to decide about it.
    pub fn withdrawn(&mut self, context: &CalendarContext<'_>, mapping: &Mapping) {
        let left = Remains::of(mapping, context.world.now());
        self.remains.extend(left.map(|left| Remains { taken_out: true, ..left }));
        let copy = (mapping.event_id, mapping.calendar_id);
        self.forgotten.push(mapping.id);
        self.settled.push(copy);
        self.decided.push((copy.0, copy.1, Winner::Local));
    }
}

/// A copy of an event that was deleted and is back: what was edited in it while it was to go was not taken, and is now.
#[must_use]
pub fn to_read_again(copy: Mapping) -> Mapping {
    Mapping { revision: None, ..copy }
}
