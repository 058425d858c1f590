//! What one transaction of a round will store, collected from its decisions.

use chrono::{DateTime, Utc};

use super::{
    context::{CalendarContext, new_mapping},
    sweep::KnownCopies,
};
use crate::{
    domain::{
        conflict::{Conflict, ConflictStatus, Winner},
        event::EventContent,
        ids::{CalendarId, EventId, MappingId, RemoteEventId},
        mapping::{Event, Mapping, Origin, Remains, RemoteEvent},
        notice::Notice,
        outbox::OutboxEntry,
        round::Tally,
    },
    engine::{
        privacy,
        recurrence::span,
        sync::{
            echo,
            matching::{CONFIDENCE_MIN, confidence},
            plan::{Local, Reason, Remote, link, link_one_way, plan, put_back},
        },
    },
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

    /// A remote event was read: settles it with the mapping it has, or with the local event that it is taken to be; else it is
    /// new here, where the calendar's direction lets it in.
    pub fn meet(
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
    pub fn import(&mut self, context: &CalendarContext<'_>, remote: RemoteEvent) {
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

    /// A mapping ends because its copy is gone; what the copy was is kept for when it is made again.
    pub fn forget(&mut self, context: &CalendarContext<'_>, mapping: &Mapping) {
        self.forgotten.push(mapping.id);
        self.remains.extend(Remains::of(mapping, context.world.now()));
    }

    /// A copy that was to be taken away has gone: there is nothing to decide about it.
    pub fn withdrawn(&mut self, mapping: &Mapping) {
        let copy = (mapping.event_id, mapping.calendar_id);
        self.forgotten.push(mapping.id);
        self.settled.push(copy);
        self.decided.push((copy.0, copy.1, Winner::Local));
    }

    /// Both sides of a mapping have been seen: decides and notes what follows. `sent`: what was sent and never
    /// confirmed; when the provider says exactly that, it is our own write come back (S8).
    pub fn settle(
        &mut self,
        context: &CalendarContext<'_>,
        mut mapping: Mapping,
        event: Event,
        remote: Option<RemoteEvent>,
        sent: &[EventContent],
    ) {
        let outbound = context.outbound_form(&event.content, mapping.created_by_us);
        if let Some(remote) = &remote
            && sent.contains(&remote.content)
        {
            mapping.base.clone_from(&remote.content);
        } else if let Some(remote) = &remote {
            for sent in sent {
                mapping.base = echo::agreed(&mapping.base, sent, &remote.content, &event.content);
            }
        }
        let was = context.shown(&mapping);
        let local = match event.deleted_at {
            Some(at) => Local::Gone { full: &event.content, at },
            None => Local::Here { full: &event.content, outbound: &outbound, was: &was, changed_at: event.updated_at },
        };
        let there = match &remote {
            Some(remote) => Remote::Here { content: &remote.content, changed_at: remote.changed_at },
            None => Remote::Gone,
        };
        // While a reduction may have arrived, what it hides cannot be taken for seen there.
        let level = context.account.privacy;
        let reduced = sent.iter().any(|sent| !privacy::exceeds(sent, level))
            && remote.as_ref().is_none_or(|remote| !privacy::still_shows(&remote.content, &mapping.base, level));
        let base = if reduced { &*was } else { &mapping.base };
        let decision = if context.accepts_remote {
            plan(base, local, there, context.account.policy)
        } else {
            put_back(base, local, there, event.calendar_id == Some(context.calendar.id))
        };
        self.carry_out(context, mapping, event, remote, decision);
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

/// A copy of an event that was deleted and is back: what was edited in it while it was to go was not taken, and is now.
#[must_use]
pub fn to_read_again(copy: Mapping) -> Mapping {
    Mapping { revision: None, ..copy }
}
