//! An object that somebody carried into another calendar of the account: gone in one, new in the other, under one `UID`. It is the
//! event that we hold, at its new home, whatever was edited here meanwhile.

use chrono::Duration;

use super::{changes::Changes, scene::Scene};
use crate::domain::{
    event::EventContent,
    mapping::{Event, Mapping, Origin, RemoteEvent},
};

/// The other calendar may have been read so long before its event was missed in this one: a calendar that is made anew under
/// another name is read a day before the old one is given up.
const MOVED_WITHIN: Duration = Duration::hours(48);

/// Whether the event that `gone` is bonded to moved to where `found` is. `found` was read there as a new one, and nobody has
/// touched it since. Neither event may have another bond; that is the caller's to ask.
#[must_use]
pub fn has_moved(scene: &Scene<'_>, gone: (&Mapping, &Event), found: (&Mapping, &Event)) -> bool {
    let ((left, event), (copy, new)) = (gone, found);
    let lives_there = event.calendar_id == Some(left.calendar_id) && event.deleted_at.is_none();
    let untouched = new.version == 1 && new.deleted_at.is_none() && new.content == copy.base;
    let fresh = new.origin == Origin::Remote && scene.world.now() - new.created_at <= MOVED_WITHIN;
    lives_there
        && untouched
        && fresh
        && left.uid == copy.uid
        && left.event_id != copy.event_id
        && new.calendar_id == Some(copy.calendar_id)
        && left.account_id == copy.account_id
}

impl Changes {
    /// The event lives where it was found, and both sides' edits meet there. `scene`: the calendar that it moved to.
    pub fn move_over(
        &mut self,
        scene: &Scene<'_>,
        (left, event): (Mapping, Event),
        (copy, new): (Mapping, Event),
        sent: &[EventContent],
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
        let bond = Mapping { event_id: event.id, base: left.base, created_by_us: left.created_by_us, ..copy };
        let event = Event { calendar_id: new.calendar_id, version: event.version + 1, ..event };
        self.settle(scene, bond, event.clone(), Some(there), sent);
        if !self.events.iter().any(|changed| changed.id == event.id) {
            self.events.push(event);
        }
    }
}
