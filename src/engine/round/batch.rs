//! A batch of changed events: which of ours each of them is, and what follows from it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    changes::Changes,
    context::CalendarContext,
    sweep::{KnownCopies, Unbound},
};
use crate::domain::{
    ids::{EventId, RemoteEventId, Uid},
    mapping::{Event, Mapping, Remains, RemoteEvent},
    page::{Unreadable, UnreadableEvent},
};

/// What is decided and committed together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events that are new or say something else.
    pub changed: Vec<RemoteEvent>,
    /// Events that could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// A changed event, beside what of ours it seems to be.
#[derive(Debug)]
struct Match {
    remote: RemoteEvent,
    mapped: Option<(Mapping, Event)>,
    /// What is left of a copy of this name that the calendar had and lost.
    lost: Option<Remains>,
    /// The event that it is by its name or by its looks.
    alike: Option<EventId>,
}

/// The events of a batch, each beside what of ours it seems to be.
#[derive(Debug)]
pub struct Matched(Vec<Match>);

/// An event of ours that has no mapping in the calendar, and what is left of the copy that it had there.
#[derive(Clone, Debug)]
pub struct Counterpart {
    /// The event.
    pub event: Event,
    /// What is left of its copy.
    pub remains: Option<Remains>,
}

impl Batch {
    /// Whether there is nothing to decide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.unreadable.is_empty()
    }

    /// Names whose mappings are read first.
    #[must_use]
    pub fn mapped(&self, known: &KnownCopies) -> Vec<RemoteEventId> {
        self.changed.iter().filter(|event| known.has(&event.id)).map(|event| event.id.clone()).collect()
    }

    /// `UID`s of what has no mapping: what the calendar had and lost under these names is read first, too.
    #[must_use]
    pub fn unmapped(&self, known: &KnownCopies) -> Vec<Uid> {
        self.changed.iter().filter(|event| !known.has(&event.id)).map(|event| event.uid.clone()).collect()
    }

    /// Takes out what could not be read, as it is remembered.
    pub fn take_unreadable(&mut self, known: &KnownCopies, now: DateTime<Utc>) -> Vec<UnreadableEvent> {
        let remembered = |event: Unreadable| {
            let since = known.awaited_since(&event.id).filter(|_| event.may_pass);
            UnreadableEvent {
                seen_at: since.unwrap_or(now),
                remote_id: event.id,
                revision: event.revision,
                uid: event.uid,
                why: event.why,
            }
        };
        std::mem::take(&mut self.unreadable).into_iter().map(remembered).collect()
    }

    /// Puts each event beside its mapping, or beside what of ours it seems to be. `lost`: of events that have no copy here now.
    #[must_use]
    pub fn matched(self, mapped: Vec<(Mapping, Event)>, lost: Vec<Remains>, unbound: &mut Unbound) -> Matched {
        let mut mapped: BTreeMap<_, _> =
            mapped.into_iter().map(|mapped| (mapped.0.remote_id.clone(), mapped)).collect();
        let mut lost: BTreeMap<_, _> = lost.into_iter().map(|was| (was.uid.clone(), was)).collect();
        let beside = |remote: RemoteEvent| {
            let mapped = mapped.remove(&remote.id);
            if mapped.is_some() {
                return Match { remote, mapped, lost: None, alike: None };
            }
            let (lost, alike) = (lost.remove(&remote.uid), unbound.counterpart(&remote));
            Match { remote, mapped, lost, alike }
        };
        Matched(self.changed.into_iter().map(beside).collect())
    }
}

impl Match {
    fn counterpart(&self) -> Option<EventId> {
        self.alike.or_else(|| self.lost.as_ref().map(|lost| lost.event_id))
    }
}

impl Matched {
    /// Events of ours that are read next, where they have no mapping in the calendar by then.
    #[must_use]
    pub fn counterparts(&self) -> Vec<EventId> {
        self.0.iter().filter_map(Match::counterpart).collect()
    }

    /// Decides about each.
    #[must_use]
    pub fn decide(
        self,
        context: &CalendarContext<'_>,
        known: &KnownCopies,
        ours: &BTreeMap<EventId, Counterpart>,
    ) -> Changes {
        let mut changes = Changes::default();
        for found in self.0 {
            let ours = found.counterpart().and_then(|id| ours.get(&id)).cloned();
            // What is deleted here is not brought back by what has the name that it had: that is a new event.
            let ours = ours.filter(|ours| found.alike.is_some() || ours.event.deleted_at.is_none());
            let counterpart = ours.map(|Counterpart { event, remains }| {
                let lost = found.lost.filter(|lost| lost.event_id == event.id);
                (event, lost.or(remains))
            });
            changes.meet(context, found.remote, found.mapped, counterpart, known);
        }
        changes
    }
}

/// Decides about events that came under a new name: renamed where the old name has gone, which `mappings` are of; else new. Answers, too,
/// which names have gone so.
#[must_use]
pub fn renamed(
    context: &CalendarContext<'_>,
    known: &KnownCopies,
    moved: Vec<(RemoteEvent, Option<RemoteEventId>)>,
    mapped: Vec<(Mapping, Event)>,
) -> (Changes, Vec<RemoteEventId>) {
    let mut mapped: BTreeMap<_, _> = mapped.into_iter().map(|mapped| (mapped.0.remote_id.clone(), mapped)).collect();
    let (mut changes, mut gone) = (Changes::default(), Vec::new());
    for (remote, old) in moved {
        let mapped = old.and_then(|old| mapped.remove(&old)).map(|(mapping, event)| {
            gone.push(mapping.remote_id.clone());
            (Mapping { remote_id: remote.id.clone(), ..mapping }, event)
        });
        changes.meet(context, remote, mapped, None, known);
    }
    (changes, gone)
}
