//! A batch of changed events: which of ours each of them is, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{
    changes::Changes,
    context::{CalendarContext, new_mapping},
    sweep::{KnownCopies, Unbound},
};
use crate::{
    domain::{
        event::EventContent,
        ids::{EventId, RemoteEventId, Uid},
        mapping::{Event, Mapping, Origin, Remains, RemoteEvent},
        outbox::OutboxEntry,
        page::{Unreadable, UnreadableEvent},
    },
    engine::{
        recurrence::span,
        sync::{
            echo,
            matching::{CONFIDENCE_MIN, confidence},
            plan::{Reason, link, link_one_way},
        },
    },
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

    /// `UID`s of what has no mapping: what the calendar had and lost under these names is read next. `mapped`: the mappings as they are
    /// now; a person may have settled a conflict since the pull began, which ends one.
    #[must_use]
    pub fn unmapped(&self, mapped: &[(Mapping, Event)]) -> Vec<Uid> {
        let mapped: BTreeSet<_> = mapped.iter().map(|(mapping, _)| &mapping.remote_id).collect();
        self.changed.iter().filter(|event| !mapped.contains(&event.id)).map(|event| event.uid.clone()).collect()
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

impl Changes {
    /// A remote event was read: settles it with the mapping it has, or with the local event that it is taken to be; else it is
    /// new here, where the calendar's direction lets it in.
    fn meet(
        &mut self,
        context: &CalendarContext<'_>,
        remote: RemoteEvent,
        mapped: Option<(Mapping, Event)>,
        counterpart: Option<(Event, Option<Remains>)>,
        held: &KnownCopies,
    ) {
        if let Some((mapping, event)) = mapped {
            let sent = held.sent(event.id);
            return self.settle(context, mapping, event, Some(remote), sent);
        }
        // Of two that may be the same event, the first is: a calendar has one copy of it.
        let mapped = |event: &Event| self.mappings.iter().any(|made| made.event_id == event.id);
        if let Some((event, was)) = counterpart.filter(|(event, _)| !mapped(event)) {
            let sent = held.sent(event.id);
            match was.as_ref() {
                Some(was) if event.deleted_at.is_none() && was.uid == remote.uid => {
                    return self.link_again(context, event, remote, was, sent);
                }
                was if still_alike(context, &event, &remote, held) => {
                    return self.link(context, event, remote, sent, was);
                }
                _ => {}
            }
        }
        if context.accepts_remote {
            self.import(context, remote);
        }
    }

    /// A remote event that is new here.
    fn import(&mut self, context: &CalendarContext<'_>, remote: RemoteEvent) {
        let now = context.world.now();
        self.note(context, &remote.id, "import", Reason::NewRemotely);
        self.tally.created += 1;
        let event = Event {
            id: context.world.new_id(),
            space_id: context.account.space_id.clone(),
            user_id: context.account.user_id.clone(),
            calendar_id: Some(context.calendar.id),
            uid: remote.uid.clone(),
            content: remote.content.clone(),
            origin: Origin::Remote,
            deleted_at: None,
            created_at: now,
            updated_at: remote.changed_at.filter(|at| *at <= now).unwrap_or(now),
            version: 1,
        };
        self.mappings.push(new_mapping(context, event.id, remote, false));
        self.events.push(event);
    }

    /// A remote event that is taken to be one we hold without a mapping. `sent`: what we sent for it, if a create's answer
    /// was lost: which of it made the event nobody can tell, so edits count from the first. `was`: what is left of its copy here.
    pub fn link(
        &mut self,
        context: &CalendarContext<'_>,
        event: Event,
        remote: RemoteEvent,
        sent: &[EventContent],
        was: Option<&Remains>,
    ) {
        let ours = !sent.is_empty() && was.is_none_or(|was| was.created_by_us);
        let mapping = new_mapping(context, event.id, remote.clone(), ours);
        if let Some(first) = sent.first() {
            let mapping = Mapping { base: echo::begun(first, &remote.content), ..mapping };
            self.settle(context, mapping, event, Some(remote), sent);
            return;
        }
        if event.deleted_at.is_some() {
            self.settle(context, Mapping { created_by_us: true, ..mapping }, event, Some(remote), sent);
            return;
        }
        let outbound = context.outbound_form(&event.content, false);
        let decision = if context.accepts_remote {
            link(&event.content, &outbound, &remote.content, context.account.policy)
        } else {
            link_one_way(&outbound, &remote.content)
        };
        let moves_in = event.calendar_id.is_none().then(|| event.clone());
        self.carry_out(context, mapping, event, Some(remote), decision);
        if let Some(event) = moves_in {
            self.move_in(context, event);
        }
    }

    /// A copy that was lost is there again under its own name: from a backup, by somebody's hand, or by a write of ours whose answer was
    /// lost. What both sides had agreed on before is where their edits begin.
    fn link_again(
        &mut self,
        context: &CalendarContext<'_>,
        event: Event,
        remote: RemoteEvent,
        was: &Remains,
        sent: &[EventContent],
    ) {
        let base = if sent.is_empty() { was.base.clone() } else { echo::begun(&was.base, &remote.content) };
        let mapping = Mapping { base, ..new_mapping(context, event.id, remote.clone(), was.created_by_us) };
        self.settle(context, mapping, event, Some(remote), sent);
    }

    /// A create has found its event there already. `attempt`: its entry as it was before this attempt; `outbound`: what this attempt sent,
    /// which did not arrive where it was `refused`; `was`: what is left of the copy that had the name.
    pub fn link_made(
        &mut self,
        context: &CalendarContext<'_>,
        event: Event,
        remote: RemoteEvent,
        (attempt, outbound, refused): (&OutboxEntry, &EventContent, bool),
        was: Option<&Remains>,
    ) {
        let mut sent = attempt.sent.clone();
        if let Some(was) = was.filter(|was| was.uid == attempt.key) {
            sent.extend((!refused).then(|| outbound.clone()));
            self.link_again(context, event, remote, was, &sent);
        } else {
            sent.push(outbound.clone());
            self.link(context, event, remote, &sent, was);
        }
    }

    /// An event without a home has found it.
    fn move_in(&mut self, context: &CalendarContext<'_>, event: Event) {
        let at = self.events.iter().position(|changed| changed.id == event.id);
        let event = match at {
            Some(at) => self.events.swap_remove(at),
            None => Event { version: event.version + 1, ..event },
        };
        self.events.push(Event { calendar_id: Some(context.calendar.id), ..event });
    }

    /// What a queued create has made was deleted there before we had heard of it: it is gone as any other copy is.
    pub fn lose(&mut self, context: &CalendarContext<'_>, event: Event, entry: &OutboxEntry, was: Option<&Remains>) {
        let ours = was.is_none_or(|was| was.created_by_us);
        let made = entry.sent.first().cloned();
        let made = RemoteEvent {
            id: RemoteEventId(entry.key.0.clone()),
            uid: entry.key.clone(),
            revision: None,
            content: made.unwrap_or_else(|| context.outbound_form(&event.content, ours)),
            // Its name stays known, for a backup may give it back.
            raw: Some(Vec::new()),
            changed_at: None,
        };
        let mapping = new_mapping(context, event.id, made, ours);
        self.settle(context, mapping, event, None, &[]);
    }
}

/// A counterpart that was found by its name or looks may have been edited or deleted since the pull began. What was sent is
/// known by its key.
fn still_alike(context: &CalendarContext<'_>, event: &Event, remote: &RemoteEvent, held: &KnownCopies) -> bool {
    let alike = || confidence(&context.outbound_form(&event.content, false), &remote.content) > CONFIDENCE_MIN;
    let named = || event.calendar_id.is_none() && event.uid == remote.uid;
    if !held.sent(event.id).is_empty() {
        return true;
    }
    if event.deleted_at.is_none() && held.is_to_be(event.id, &remote.uid) {
        return true;
    }
    if event.deleted_at.is_none() {
        return named() || alike();
    }
    // It was deleted while its account was away: only what nobody has written since is a copy of that, and what is over is the
    // calendar's own record.
    let ahead = span(&event.content, context.floating_in()).1.is_none_or(|end| end > context.world.now());
    ahead && named() && event.origin == Origin::Local && context.outbound_form(&event.content, false) == remote.content
}
