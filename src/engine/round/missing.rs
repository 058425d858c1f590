//! The end of a calendar's pull: of what is gone there, what goes here too, what a person is asked about first, what is kept, and what
//! was carried into another calendar; then how far the calendar is read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{changes::Changes, context::CalendarContext, pulled::Pulled};
use crate::{
    domain::{
        calendar::Calendar,
        conflict::{HeldDeletion, HeldFate, Hold, HoldReason, HoldState, Severity},
        event::EventContent,
        ids::{CalendarId, EventId, RemoteEventId, SyncCursor},
        mapping::{Event, Mapping},
        notice::NoticeSubject,
        outbox::{OutboxEntry, OutboxState},
    },
    engine::sync::{
        brake::Loss,
        hold::{Answers, Picture, Sorted, follow},
    },
};

/// An event and its copy in one calendar.
pub type MappedEvent = (Mapping, Event);
/// What is gone in any calendar of the account by this round.
pub type Gone = BTreeSet<(CalendarId, RemoteEventId)>;
/// The copies that events have in the calendars which they were carried to, by event.
pub type Moves = BTreeMap<EventId, MappedEvent>;

/// What a calendar no longer has, put beside what was said about it.
#[derive(Debug)]
pub struct Missing {
    /// The calendar.
    pub calendar: Calendar,
    /// The stamp it was listed with.
    pub stamp: Option<String>,
    /// How its pull ended.
    pub pulled: Pulled,
    holds: Vec<Hold>,
    picture: Picture,
}

impl Missing {
    /// Puts the mappings whose remote end is gone beside the holds that are in force.
    #[must_use]
    pub fn new(
        context: &CalendarContext<'_>,
        (stamp, pulled): (Option<String>, Pulled),
        holds: Vec<Hold>,
        mut mapped: Vec<MappedEvent>,
        moves: &Moves,
    ) -> Self {
        let calendar = context.calendar;
        let (now, zone) = (context.world.now(), context.floating_in());
        mapped.retain(|(_, event)| pulled.would_show(&event.content, zone, now));
        // What is deleted in a calendar that only takes events stands there again, and is never deleted here; what was carried into
        // another calendar is not lost.
        let free = |event: &Event| {
            !calendar.direction.inbound() || event.deleted_at.is_some() || moves.contains_key(&event.id)
        };
        let missing = mapped.iter().map(|(mapping, event)| (HeldDeletion::of(mapping), free(event)));
        let picture = Picture::new(&Answers::of(&holds), missing);
        Self { calendar: calendar.clone(), stamp, pulled, holds, picture }
    }

    /// What the brake judges. `doubtful`: absence is weak evidence at this provider.
    #[must_use]
    pub fn loss(&self, doubtful: bool) -> Loss {
        self.picture.loss(self.pulled.mapped, doubtful)
    }

    /// Sorts it by what the brake says.
    #[must_use]
    pub fn judged(self, stopped: Option<HoldReason>) -> Judged {
        let sorted = self.picture.sorted(stopped.is_some());
        Judged { missing: self, sorted, stopped }
    }
}

/// What a calendar no longer has, judged.
#[derive(Debug)]
pub struct Judged {
    /// The calendar, and what is gone there.
    pub missing: Missing,
    sorted: Sorted,
    stopped: Option<HoldReason>,
}

/// What the transaction that ends a calendar's round reads: as it is then, for an edit made meanwhile turns a deletion into a conflict.
#[derive(Debug, Default)]
pub struct Closing {
    /// What is queued for the calendar.
    pub queued: BTreeMap<EventId, OutboxEntry>,
    /// The mappings of [`Judged::going`].
    pub going: Vec<MappedEvent>,
    /// The mappings of [`Judged::kept`].
    pub kept: Vec<MappedEvent>,
    /// Where events of [`Closing::going`] were carried to.
    pub moves: Moves,
}

/// What that transaction stores.
#[derive(Debug)]
pub struct Closed {
    /// Holds that are new or changed.
    pub holds: Vec<Hold>,
    /// Queued writes that waited for an answer which has come.
    pub released: Vec<OutboxEntry>,
    /// What was decided about the events.
    pub changes: Changes,
    /// Events that go on in another calendar.
    pub carried: Vec<Carried>,
    /// How far the calendar is read; `None`: as far as before, so that the next round sees the same picture and asks again.
    pub read: Option<ReadUpTo>,
}

/// An event that goes on where it was carried to.
#[derive(Clone, Debug)]
pub struct Carried {
    /// Its mapping where it is gone.
    pub gone: MappedEvent,
    /// The mapping of what was read as new where it is.
    pub found: MappedEvent,
    /// What was sent where it is gone, and never confirmed.
    pub sent: Vec<EventContent>,
}

/// How far a calendar is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadUpTo {
    /// The cursor to go on from.
    pub cursor: Option<SyncCursor>,
    /// The stamp that tells that nothing changed.
    pub stamp: Option<String>,
    /// When everything was last compared.
    pub reconciled_at: Option<DateTime<Utc>>,
    /// What its provider failed to hand out.
    pub error: Option<String>,
}

impl Judged {
    /// Names of the copies whose deletion is decided now.
    #[must_use]
    pub fn going(&self) -> Vec<RemoteEventId> {
        self.sorted.settle.iter().map(|deletion| deletion.remote_id.clone()).collect()
    }

    /// Names of the copies whose deletion was refused, where something follows from that.
    #[must_use]
    pub fn kept(&self) -> Vec<RemoteEventId> {
        let calendar = &self.missing.calendar;
        if !calendar.takes_writes() && calendar.gone_at.is_none() {
            return Vec::new();
        }
        self.sorted.keep.iter().map(|deletion| deletion.remote_id.clone()).collect()
    }

    /// Whether nobody has answered since it was judged.
    #[must_use]
    pub fn is_current(&self, holds: &[Hold]) -> bool {
        self.missing.holds == holds
    }

    /// Decides what ends the calendar's round.
    #[must_use]
    pub fn close(&self, context: &CalendarContext<'_>, stored: Closing) -> Closed {
        let Closing { queued, going, kept, mut moves } = stored;
        let Missing { calendar, pulled, holds, .. } = &self.missing;
        let (mut changes, mut carried) = (Changes::default(), Vec::new());
        for (mapping, event) in going {
            let entry = queued.get(&event.id);
            let sent = entry.map_or(&[][..], |entry| &entry.sent);
            if entry.is_some_and(OutboxEntry::withdraws) {
                changes.withdrawn(context, &mapping);
            } else if let Some(found) = moves.remove(&event.id) {
                carried.push(Carried { gone: (mapping, event), found, sent: sent.to_vec() });
            } else {
                changes.settle(context, mapping, event, None, sent);
            }
        }
        for (mapping, event) in kept {
            match calendar.gone_at {
                None => changes.keep(context, mapping, event),
                // There is no calendar to write it to: it is only here from now on.
                Some(_) => changes.forget(context, &mapping),
            }
        }
        changes.tally.held = u32::try_from(self.sorted.wait.len()).unwrap_or(u32::MAX);
        let followed = follow(holds, &self.sorted, pulled.reconciled, calendar.takes_writes());
        let mut holds = followed.changed;
        if followed.asks {
            let hold = self.hold(context);
            if followed.grows {
                let events = hold.removed.len();
                let (reason, evidence) = (self.reason(), pulled.evidence);
                let subject = NoticeSubject::DeletionsHeld { events, reason, evidence };
                changes.tell(context, None, subject, Severity::High);
            }
            holds.push(hold);
        }
        let now = context.world.now();
        let released = holds.iter().flat_map(|hold| released(hold, &queued, now)).collect();
        let read = self.sorted.wait.is_empty().then(|| self.missing.read(now));
        Closed { holds, released, changes, carried, read }
    }

    fn reason(&self) -> HoldReason {
        self.stopped.unwrap_or(HoldReason::HeldBefore)
    }

    fn hold(&self, context: &CalendarContext<'_>) -> Hold {
        let Missing { calendar, pulled, .. } = &self.missing;
        Hold {
            id: context.world.new_id(),
            space_id: calendar.space_id.clone(),
            account_id: calendar.account_id,
            calendar_id: calendar.id,
            removed: self.sorted.wait.clone(),
            mapped: u32::try_from(pulled.mapped).unwrap_or(u32::MAX),
            reason: format!("{}; {}", self.reason().words(), pulled.evidence.words()),
            state: HoldState::Held,
            created_at: context.world.now(),
            decided_at: None,
        }
    }
}

impl Missing {
    fn read(&self, now: DateTime<Utc>) -> ReadUpTo {
        let Self { calendar, stamp, pulled, .. } = self;
        let before = calendar.reconciled_at.filter(|_| !pulled.lagging);
        ReadUpTo {
            cursor: pulled.cursor_after(calendar.cursor.as_ref()).cloned(),
            stamp: stamp.clone().filter(|_| pulled.awaited.is_none()),
            reconciled_at: if pulled.reconciled { Some(now) } else { before },
            error: pulled.awaited.as_ref().map(|awaited| awaited.why.clone()),
        }
    }
}

/// Edits that waited for a hold's answer wait no more where it has come, or the event is back.
fn released(hold: &Hold, queued: &BTreeMap<EventId, OutboxEntry>, now: DateTime<Utc>) -> Vec<OutboxEntry> {
    let answered = hold.removed.iter().filter(|held| held.fate != HeldFate::Open);
    let entries = answered.filter_map(|held| queued.get(&held.event_id));
    let parked = entries.filter(|entry| entry.state == OutboxState::Parked);
    let again = |entry: &OutboxEntry| OutboxEntry {
        state: OutboxState::Queued,
        not_before: now,
        attempts: 0,
        last_error: None,
        ..entry.clone()
    };
    parked.map(again).collect()
}
