//! An object that somebody carried into another calendar of the account: gone in one, new in the other, under one `UID`. It is the
//! event that we hold, at its new home, whatever was edited here meanwhile.

use chrono::Duration;

use super::{
    changes::Changes,
    context::CalendarContext,
    missing::{Carried, Gone, MappedEvent},
};
use crate::domain::{
    ids::{CalendarId, EventId},
    mapping::{Event, Mapping, Origin, RemoteEvent},
};

/// The other calendar may have been read so long before its event was missed in this one: a calendar that is made anew under
/// another name is read a day before the old one is given up.
const MOVED_WITHIN: Duration = Duration::hours(48);

/// Whether the event that `gone` is mapped to moved to where `found` is. `found` was read there as a new one, and nobody has
/// touched it since. Neither event may have another mapping; that is the caller's to ask.
fn has_moved(context: &CalendarContext<'_>, gone: (&Mapping, &Event), found: (&Mapping, &Event)) -> bool {
    let ((left, event), (copy, new)) = (gone, found);
    let lives_there = event.calendar_id == Some(left.calendar_id) && event.deleted_at.is_none();
    let untouched = new.version == 1 && new.deleted_at.is_none() && new.content == copy.base;
    let fresh = new.origin == Origin::Remote && context.world.now() - new.created_at <= MOVED_WITHIN;
    lives_there
        && untouched
        && fresh
        && left.uid == copy.uid
        && left.event_id != copy.event_id
        && new.calendar_id == Some(copy.calendar_id)
        && left.account_id == copy.account_id
}

/// What else an event that seems to be carried is tied to.
#[derive(Clone, Copy, Debug)]
pub struct Ties {
    /// Copies of it and of what was found, together.
    pub copies: usize,
    /// A write is queued for it where it was found.
    pub owed: bool,
    /// A conflict about it waits where it is gone.
    pub disputed: bool,
}

impl Ties {
    /// Whether it is one object that was carried.
    #[must_use]
    pub fn allow_it(self) -> bool {
        // With copies elsewhere it is not: they would be of either event. Nor with a copy owed to the other calendar, which would be this
        // one, made or taken away. And what waits for an answer waits where it was asked.
        self.copies == 2 && !self.owed && !self.disputed
    }
}

/// Of what is missing in a calendar, the events that seem to be carried into another, with what was found there. `namesakes`: what
/// other calendars of the account have under the same `UID`s; `home`: where they are, if what is there counts as an event's home.
#[must_use]
pub fn seem_carried<'a>(
    missing: &[MappedEvent],
    namesakes: Vec<MappedEvent>,
    gone: &Gone,
    home: impl Fn(CalendarId) -> Option<CalendarContext<'a>>,
) -> Vec<(EventId, MappedEvent)> {
    let mut found = Vec::new();
    for (copy, new) in namesakes {
        let Some(context) = home(copy.calendar_id) else { continue };
        if gone.contains(&(copy.calendar_id, copy.remote_id.clone())) {
            continue;
        }
        let left = missing.iter().find(|(left, event)| has_moved(&context, (left, event), (&copy, &new)));
        found.extend(left.map(|(_, event)| (event.id, (copy, new))));
    }
    found
}

impl Changes {
    /// The event lives where it was found, and both sides' edits meet there. `context`: the calendar that it moved to.
    pub fn move_over(
        &mut self,
        context: &CalendarContext<'_>,
        Carried { gone: (left, event), found: (copy, new), sent }: Carried,
    ) {
        self.forgotten.push(left.id);
        self.settled.push((event.id, left.calendar_id));
        self.merged.push(new.id);
        let there = RemoteEvent {
            id: copy.remote_id.clone(),
            uid: copy.uid.clone(),
            revision: copy.revision.clone(),
            content: copy.base.clone(),
            raw: copy.raw.clone(),
            changed_at: Some(new.updated_at),
        };
        let mapped = Mapping { event_id: event.id, base: left.base, created_by_us: left.created_by_us, ..copy };
        let event = Event { calendar_id: new.calendar_id, version: event.version + 1, ..event };
        self.settle(context, mapped, event.clone(), Some(there), &sent);
        if !self.events.iter().any(|changed| changed.id == event.id) {
            self.events.push(event);
        }
    }
}
