//! What a transaction of a delivery stores, decided from what is stored when it begins.

use chrono::Duration;

use super::{
    Ask, Decided, Delivery, Ended, EntryChange, Place, Request, Stored, Surroundings,
    delivery::{Case, Heard, Search, Sent, Step},
};
use crate::{
    domain::{
        account::AccountStatus,
        conflict::Severity,
        event::EventContent,
        failure::{FailureClass, ProviderError},
        ids::{Revision, Uid},
        mapping::{Mapping, RemoteEvent},
        notice::NoticeSubject,
        outbox::{OutboxEntry, OutboxState, WriteOp},
        promise::Promise,
        round::Tally,
    },
    engine::{backoff::outbox_wait, round::changes::Changes, sync::hold::Said},
};

/// Why an edit of an event waits whose deletion is held.
const ASKED: &str = "the event is missing in its calendar, and whether it is deleted here waits for an answer";
/// Why an edit waits whose calendar takes none.
const CLOSED: &str = "the calendar takes no changes from here";
/// Why nothing is sent for an account that leaves.
const LEAVING: &str = "the account is being disconnected";
/// Why an edit waits that a person has to decide about.
const DISPUTED: &str = "a conflict about this event waits for a decision";

impl Decided {
    fn over(entry: EntryChange) -> Self {
        Self::then(entry, Changes::default(), Ask::Over(Ended::Done))
    }

    fn then(entry: EntryChange, changes: Changes, next: Ask) -> Self {
        Self { entry, changes, broken: None, tally: Tally::default(), next }
    }
}

impl Delivery {
    /// How it ends where what is to be stored now cannot be: it lost a race. Whatever was sent is stored, so it is looked at once more; but
    /// a failure of the whole account stops the others.
    #[must_use]
    pub fn interrupted(&self) -> Ended {
        match &self.step {
            Step::Failed(error) if stops(error) => Ended::Stop(error.clone()),
            _ => Ended::Done,
        }
    }

    /// Decides what the transaction stores that was asked for.
    pub fn decide(&mut self, mut stored: Stored, around: Surroundings<'_>) -> Decided {
        let place = stored.account.take().zip(stored.calendar.take());
        self.place = place.map(|(account, calendar)| Box::new(Place { account, calendar }));
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Begin => self.begin(stored, around),
            Step::Heard(case, heard) => {
                let mut decided = self.settle_heard(case, *heard, stored, around);
                let Tally { updated, deleted, conflicts, .. } = decided.changes.tally;
                decided.tally += Tally { updated, deleted, conflicts, ..Tally::default() };
                decided
            }
            Step::Failed(error) => self.set_back(error, stored, around),
            Step::Sent(..) | Step::Over => Decided::over(EntryChange::Keep),
        }
    }

    /// The entry only says "look at this event again": what is to be sent follows from what is stored now, and is stored with it.
    fn begin(&mut self, stored: Stored, around: Surroundings<'_>) -> Decided {
        let Stored { entry, event, mapping, remains, disputed, .. } = stored;
        // Its owner may have chosen anew since the round began: what leaves now leaves as they have it now (S2, S4).
        let (Some(mut entry), Some(event), Some(place)) = (entry, event, &self.place) else {
            return Decided::over(EntryChange::Delete(self.queued.id));
        };
        if place.account.status == AccountStatus::Disconnecting {
            // What is owed says, when the account goes, what its calendars have never been given.
            let why = ProviderError::new(FailureClass::Transient, LEAVING);
            return Decided::then(EntryChange::Keep, Changes::default(), Ask::Over(Ended::Stop(why)));
        }
        let calendar = &place.calendar;
        let is_chosen = calendar.selected && calendar.direction.outbound();
        if !calendar.takes_writes() && !is_chosen {
            // Its owner has chosen so, and need not be notified; it is queued again when they choose otherwise.
            return Decided::over(put_aside(&entry, CLOSED));
        }
        if !calendar.takes_writes() {
            return parked(place, &entry, CLOSED, around);
        }
        if !entry.withdraws() && disputed {
            return parked(place, &entry, DISPUTED, around);
        }
        let remains = remains.filter(|_| mapping.is_none() && entry.op != WriteOp::Delete);
        // Its own name first; another was chosen only where the provider has refused that.
        if let Some(remains) = &remains
            && entry.attempts == 0
            && entry.sent.is_empty()
        {
            entry.key = remains.uid.clone();
        }
        let case = Box::new(Case { event, mapping, remains, entry });
        // A copy that is taken out of one calendar goes, though its event lives on.
        let wanted = case.event.deleted_at.is_none() && case.entry.op != WriteOp::Delete;
        let content = wanted.then(|| place.context(around).outbound_form(&case.event.content, case.is_ours()));
        let held = case.mapping.as_ref();
        let copy = held.map(|held| Copy { base: &held.base, revision: held.revision.as_ref() });
        let mapped = held.and_then(|held| Some((held.remote_id.clone(), held.revision.clone()?)));
        let write = next_write(content.as_ref(), copy, !case.entry.sent.is_empty());
        match (write, content, mapped) {
            (Write::Settled, ..) => Decided::over(EntryChange::Delete(case.entry.id)),
            (Write::Create, Some(content), _) => self.send_create(case, content),
            (Write::Update, Some(content), Some((id, revision))) => {
                let sending = about_to_send(&case.entry, &content);
                let request = Request::Update { id, revision, content: content.clone() };
                Decided::then(sending, Changes::default(), self.send(case, Sent::Update(content), request))
            }
            (Write::Delete, _, Some((id, revision))) => {
                let next = self.send(case, Sent::Delete, Request::Delete { id, revision });
                Decided::then(EntryChange::Keep, Changes::default(), next)
            }
            (Write::FindThenDelete, ..) => {
                let next = self.search(case, Search::Unwanted(around.world.now()));
                Decided::then(EntryChange::Keep, Changes::default(), next)
            }
            (Write::Read | Write::Create | Write::Update | Write::Delete, ..) => {
                let next = self.look(case, None, around.world.now());
                Decided::then(EntryChange::Keep, Changes::default(), next)
            }
        }
    }

    fn send_create(&mut self, case: Box<Case>, content: EventContent) -> Decided {
        let sending = about_to_send(&case.entry, &content);
        let (key, said) = (case.entry.key.clone(), content.clone());
        let request = match case.remains.as_ref().filter(|remains| remains.was_read()) {
            Some(remains) => Request::MakeAgain { key, remains: Box::new(remains.clone()), content: said },
            None => Request::Create { key, content: said },
        };
        Decided::then(sending, Changes::default(), self.send(case, Sent::Create(content), request))
    }

    fn settle_heard(&mut self, case: Box<Case>, heard: Heard, stored: Stored, around: Surroundings<'_>) -> Decided {
        match heard {
            Heard::Taken(content, remote) => self.confirm(&case, &content, remote, stored, around),
            Heard::Both(remote) => self.settle(remote, stored, around),
            Heard::NotArrived(content) => {
                // It cannot come back as an echo.
                let entry = stored.entry.map_or(EntryChange::Keep, |mut entry| {
                    entry.refused(&content, &case.entry.sent);
                    EntryChange::Put(Box::new(entry))
                });
                let next = self.look(case, None, around.world.now());
                Decided::then(entry, Changes::default(), next)
            }
            Heard::Made { error, .. } if stored.is_anothers => self.rename(stored.entry, error, around),
            Heard::Made { content, remote, error } => {
                let arrived = error.class != FailureClass::Conflict;
                let mut decided = self.link_made(&case, &content, (remote, arrived), stored, around);
                decided.tally.created += u32::from(!decided.changes.mappings.is_empty());
                decided
            }
            Heard::Unwanted(_) if stored.is_anothers => Decided::over(ended(stored.entry, &case)),
            Heard::Unwanted(remote) => {
                let last = case.entry.sent.last().unwrap_or(&case.event.content).clone();
                self.link_made(&case, &last, (remote, true), stored, around)
            }
            Heard::DeletedThere => self.deleted_there(&case, stored, around),
            Heard::NameRefused(error) => self.rename(stored.entry, error, around),
            Heard::Settled => Decided::over(ended(stored.entry, &case)),
        }
    }

    /// The calendar has taken what was sent. What it made of it is agreed; an edit made meanwhile is owed anew.
    fn confirm(
        &self,
        case: &Case,
        sent: &EventContent,
        remote: RemoteEvent,
        stored: Stored,
        around: Surroundings<'_>,
    ) -> Decided {
        let (Some(place), Some(event)) = (&self.place, stored.event) else { return Decided::over(EntryChange::Keep) };
        let context = place.context(around).for_own_write();
        let mut decided = Decided::over(done_with(stored.entry));
        match stored.mapping {
            Some(mapping) => {
                decided.broken = (mapping.remote_id != remote.id).then_some(Promise::OneCopy);
                let mapping = Mapping { base: sent.clone(), ..mapping };
                decided.changes.settle(&context, mapping, event, Some(remote), &[]);
            }
            None => {
                decided.changes.link(&context, event, remote, std::slice::from_ref(sent), case.remains.as_ref());
            }
        }
        decided
    }

    /// Both sides are known: decides what follows.
    fn settle(&self, remote: Option<RemoteEvent>, stored: Stored, around: Surroundings<'_>) -> Decided {
        let Stored { entry, event, mapping, said, .. } = stored;
        let mut decided = Decided::over(EntryChange::Keep);
        let (Some(place), Some(event), Some(mapping)) = (&self.place, event, mapping) else { return decided };
        let (context, lives) = (place.context(around), event.deleted_at.is_none());
        if remote.is_none() && entry.as_ref().is_some_and(OutboxEntry::withdraws) {
            decided.changes.withdrawn(&context, &mapping);
        } else if said == Said::Kept && lives {
            decided.changes.keep(&context, mapping, event);
        } else if matches!(said, Said::Asked | Said::Approved) && lives {
            // The round that carries the answer out queues it again.
            decided.entry = entry.map_or(EntryChange::Keep, |entry| put_aside(&entry, ASKED));
        } else {
            let sent = entry.map(|entry| entry.sent).unwrap_or_default();
            decided.changes.settle(&context, mapping, event, remote, &sent);
        }
        decided
    }

    /// Maps what a create has made; `arrived`: what this attempt sent may be what it says.
    fn link_made(
        &self,
        case: &Case,
        content: &EventContent,
        (remote, arrived): (RemoteEvent, bool),
        stored: Stored,
        around: Surroundings<'_>,
    ) -> Decided {
        let (Some(place), Some(event)) = (&self.place, stored.event) else { return Decided::over(EntryChange::Keep) };
        let mut decided = Decided::over(done_with(stored.entry));
        let attempt = (&case.entry, content, !arrived);
        decided.changes.link_made(&place.context(around), event, remote, attempt, case.remains.as_ref());
        decided
    }

    fn deleted_there(&self, case: &Case, stored: Stored, around: Surroundings<'_>) -> Decided {
        let (Some(place), Some(event)) = (&self.place, stored.event) else { return Decided::over(EntryChange::Keep) };
        let going = stored.entry.as_ref().is_some_and(OutboxEntry::withdraws);
        let mut decided = Decided::over(done_with(stored.entry));
        if going {
            decided.changes.settled.push((event.id, place.calendar.id));
        } else {
            decided.changes.lose(&place.context(around), event, &case.entry, case.remains.as_ref());
        }
        decided
    }

    /// Chooses another name, and tries again.
    fn rename(&mut self, entry: Option<OutboxEntry>, error: ProviderError, around: Surroundings<'_>) -> Decided {
        let entry = entry.map_or(EntryChange::Keep, |entry| {
            let key = Uid(around.world.new_id::<uuid::Uuid>().to_string());
            EntryChange::Put(Box::new(OutboxEntry { key, sent: Vec::new(), ..entry }))
        });
        let next = self.fail(ProviderError { class: FailureClass::Transient, ..error });
        Decided::then(entry, Changes::default(), next)
    }

    /// A delivery that failed: it waits, is put aside, or stops the others of its account too.
    fn set_back(&mut self, error: ProviderError, stored: Stored, around: Surroundings<'_>) -> Decided {
        let stops = stops(&error);
        let tries_again = match error.class {
            FailureClass::Transient
            | FailureClass::RateLimited
            | FailureClass::Unauthorised
            | FailureClass::Ambiguous
            | FailureClass::Conflict
            | FailureClass::Gone => true,
            FailureClass::Forbidden
            | FailureClass::Refused
            | FailureClass::Malformed
            | FailureClass::CursorExpired
            | FailureClass::AddressNotAllowed => false,
        };
        let mut decided = Decided::over(EntryChange::Keep);
        if let Some(mut entry) = stored.entry {
            let wait = outbox_wait(entry.attempts, error.retry_after, around.world.fraction());
            match (wait.filter(|_| tries_again), &self.place) {
                // A refused credential is nobody's fault here: the queue is kept for after the reconnect.
                _ if error.class == FailureClass::Unauthorised => {}
                (Some(wait), _) => {
                    let wait = Duration::from_std(wait).unwrap_or_else(|_| Duration::days(1));
                    entry.not_before = around.world.now() + wait;
                    entry.last_error = Some(error.detail.clone());
                    decided.entry = EntryChange::Put(Box::new(entry));
                }
                (None, Some(place)) => decided = parked(place, &entry, &error.detail, around),
                (None, None) => decided.entry = put_aside(&entry, &error.detail),
            }
        }
        decided.next = Ask::Over(if stops { Ended::Stop(error) } else { Ended::Failed });
        decided
    }
}

/// Whether a failure means that the account as a whole cannot be written to now.
fn stops(error: &ProviderError) -> bool {
    matches!(error.class, FailureClass::Unauthorised | FailureClass::RateLimited)
}

/// What was worked on has ended. A copy that is wanted gone goes, though what was under way about it has ended well.
fn done_with(entry: Option<OutboxEntry>) -> EntryChange {
    entry.filter(|entry| !entry.withdraws()).map_or(EntryChange::Keep, |entry| EntryChange::Delete(entry.id))
}

/// Nothing is owed; an edit made meanwhile is looked at anew.
fn ended(entry: Option<OutboxEntry>, case: &Case) -> EntryChange {
    entry.filter(|entry| *entry == case.entry).map_or(EntryChange::Keep, |entry| EntryChange::Delete(entry.id))
}

fn about_to_send(entry: &OutboxEntry, content: &EventContent) -> EntryChange {
    let mut entry = entry.clone();
    entry.about_to_send(content.clone());
    EntryChange::Put(Box::new(entry))
}

/// An entry that waits until somebody has it tried again.
fn put_aside(entry: &OutboxEntry, why: &str) -> EntryChange {
    let why = Some(why.to_owned());
    EntryChange::Put(Box::new(OutboxEntry { state: OutboxState::Parked, last_error: why, ..entry.clone() }))
}

/// The same, and its owner is notified.
fn parked(place: &Place, entry: &OutboxEntry, why: &str, around: Surroundings<'_>) -> Decided {
    let mut changes = Changes::default();
    let subject = NoticeSubject::WriteParked { why: why.to_owned() };
    changes.tell(&place.context(around), Some(entry.event_id), subject, Severity::Normal);
    Decided::then(put_aside(entry, why), changes, Ask::Over(Ended::Done))
}

/// A remote copy as we hold it, at draining time.
#[derive(Clone, Copy, Debug)]
struct Copy<'a> {
    /// The last agreed content.
    base: &'a EventContent,
    /// Its version; `None`: unknown.
    revision: Option<&'a Revision>,
}

/// What is to be sent for one event and calendar, seen from what is stored *now*: the queue only says "look again".
#[derive(Clone, Debug, PartialEq, Eq)]
enum Write {
    /// Make the copy.
    Create,
    /// Bring the copy to our content.
    Update,
    /// Take the copy away.
    Delete,
    /// Learn the copy's version first, then decide again.
    Read,
    /// A create was sent and its answer lost, and the event is deleted since: find what it made, if anything.
    FindThenDelete,
    /// Nothing is owed any more.
    Settled,
}

/// Decides what one queued entry means now. `outbound`: our content as the provider may see it, `None` when deleted;
/// `attempted`: something was sent for this entry and never settled.
fn next_write(outbound: Option<&EventContent>, copy: Option<Copy<'_>>, attempted: bool) -> Write {
    match (outbound, copy) {
        (Some(_), None) => Write::Create,
        (Some(outbound), Some(copy)) if outbound == copy.base && !attempted => Write::Settled,
        (Some(_) | None, Some(Copy { revision: None, .. })) => Write::Read,
        // Also when our content is back at the base: what was sent and never answered has been carried out, and this is refused;
        // or it is still under way, and then the version that this makes is not the one it was meant for.
        (Some(_), Some(_)) => Write::Update,
        (None, Some(_)) => Write::Delete,
        (None, None) if attempted => Write::FindThenDelete,
        (None, None) => Write::Settled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{event::Facts, time::EventTime},
        engine::samples::at,
    };

    #[test]
    fn what_is_sent_follows_from_what_is_stored_now() {
        let time = EventTime::utc(at("2026-11-20T10:00:00Z"));
        let base = EventContent::single(Facts::new("a", time, time));
        let edited = EventContent::single(Facts::new("b", time, time));
        let revision = Revision::from("\"1\"");
        let copy = |revision| Some(Copy { base: &base, revision });
        assert_eq!(next_write(Some(&edited), None, false), Write::Create);
        assert_eq!(next_write(Some(&edited), copy(Some(&revision)), false), Write::Update);
        assert_eq!(next_write(Some(&base), copy(Some(&revision)), false), Write::Settled);
        assert_eq!(next_write(Some(&base), copy(Some(&revision)), true), Write::Update);
        assert_eq!(next_write(Some(&edited), copy(None), false), Write::Read);
        assert_eq!(next_write(None, copy(Some(&revision)), false), Write::Delete);
        assert_eq!(next_write(None, None, true), Write::FindThenDelete);
        assert_eq!(next_write(None, None, false), Write::Settled);
    }
}
