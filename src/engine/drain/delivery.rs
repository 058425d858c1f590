//! From one answer to the next thing to ask for.

use chrono::{DateTime, Duration, Utc};

use super::{Answer, Ask, Ended, Place, Reads, Request};
use crate::domain::{
    event::EventContent,
    failure::{FailureClass, ProviderError},
    ids::Revision,
    mapping::{Event, Mapping, Remains, RemoteEvent},
    outbox::OutboxEntry,
    page::Found,
    round::Tally,
};

/// One queued write on its way.
#[derive(Debug)]
pub struct Delivery {
    /// The entry, as it was handed out.
    pub(super) queued: OutboxEntry,
    /// Where it goes, once that is read.
    pub(super) place: Option<Box<Place>>,
    pub(super) step: Step,
    /// What was done.
    pub tally: Tally,
}

/// What was stored about the entry's event when its delivery began.
#[derive(Debug)]
pub(super) struct Case {
    pub event: Event,
    pub mapping: Option<Mapping>,
    /// What is left of the copy, where it is to be made again.
    pub remains: Option<Remains>,
    /// The entry, as it was before this attempt.
    pub entry: OutboxEntry,
}

/// Where a delivery is.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing is read yet.
    Begin,
    /// A request is under way.
    Sent(Box<Case>, Box<Sent>),
    /// What was heard is to be stored.
    Heard(Box<Case>, Box<Heard>),
    /// A failure is to be stored.
    Failed(ProviderError),
    /// Nothing is left to do.
    Over,
}

/// What was sent.
#[derive(Debug)]
pub(super) enum Sent {
    Create(EventContent),
    Update(EventContent),
    Delete,
    /// A read of the copy. After a write whose answer was unclear: that failure.
    Read(Option<ProviderError>),
    /// A read of the copy that is made again, under the name that it had; then a search.
    ReadFormer(Search),
    Find(Search),
}

/// Why it is asked what a create has made.
#[derive(Debug)]
pub(super) enum Search {
    /// The create said this, and its name was taken, or nobody knows what became of it.
    Made(Box<EventContent>, ProviderError),
    /// The event was deleted here, or its copy taken away, after a create whose answer was lost; asked at this instant.
    Unwanted(DateTime<Utc>),
}

/// What was heard, to be stored.
#[derive(Debug)]
pub(super) enum Heard {
    /// The calendar has taken what was sent.
    Taken(EventContent, RemoteEvent),
    /// Both sides are known.
    Both(Option<RemoteEvent>),
    /// What was sent did not arrive.
    NotArrived(EventContent),
    /// A create had made this before.
    Made { content: EventContent, remote: RemoteEvent, error: ProviderError },
    /// A create of an event that is wanted no more has made this.
    Unwanted(RemoteEvent),
    /// What a create had made was deleted there before we had heard of it.
    DeletedThere,
    /// The calendar refuses the chosen name without holding the event: in a bin, or in another calendar.
    NameRefused(ProviderError),
    /// Nothing is owed any more.
    Settled,
}

impl Case {
    /// Whether the copy is one that we made, or shall make: an owner's own event that is made again stays its owner's.
    pub fn is_ours(&self) -> bool {
        let was = self.remains.as_ref().is_none_or(|remains| remains.created_by_us);
        self.mapping.as_ref().map_or(was, |mapping| mapping.created_by_us)
    }

    /// Whether a copy is made again under the name that it had.
    fn is_again(&self) -> bool {
        self.remains.as_ref().is_some_and(|remains| remains.uid == self.entry.key)
    }

    fn revision(&self) -> Option<&Revision> {
        self.mapping.as_ref()?.revision.as_ref()
    }
}

impl Delivery {
    /// Begins with an entry that is due.
    #[must_use]
    pub fn new(queued: OutboxEntry) -> (Self, Ask) {
        let reads = Reads { past: true, ..Reads::copy() };
        (Self { queued, place: None, step: Step::Begin, tally: Tally::default() }, Ask::Transaction(reads))
    }

    /// The entry was looked at too often in one round: somebody keeps changing the event there.
    #[must_use]
    pub fn looked_at_too_often(queued: OutboxEntry) -> (Self, Ask) {
        let error = ProviderError::new(FailureClass::Conflict, "the event keeps changing at its calendar");
        let mut delivery = Self { queued, place: None, step: Step::Begin, tally: Tally::default() };
        let ask = delivery.fail(error);
        (delivery, ask)
    }

    /// The entry, as it was handed out.
    #[must_use]
    pub fn queued(&self) -> &OutboxEntry {
        &self.queued
    }

    /// Where it goes; `None` until that is read.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_deref()
    }

    /// The bytes of the copy that is written to.
    #[must_use]
    pub fn raw(&self) -> Option<&[u8]> {
        match &self.step {
            Step::Sent(case, _) | Step::Heard(case, _) => case.mapping.as_ref()?.raw.as_deref(),
            Step::Begin | Step::Failed(_) | Step::Over => None,
        }
    }

    /// The answer to the request that was asked for; `now`: when it came.
    pub fn answered(&mut self, answer: Result<Answer, ProviderError>, now: DateTime<Utc>) -> Ask {
        let Step::Sent(case, sent) = std::mem::replace(&mut self.step, Step::Over) else {
            return Ask::Over(Ended::Done);
        };
        self.tally.writes += u32::from(matches!(*sent, Sent::Create(_) | Sent::Update(_) | Sent::Delete));
        match (*sent, answer) {
            (Sent::Create(content), answer) => self.created(case, content, answer),
            (Sent::Update(content), answer) => self.updated(case, content, answer, now),
            (Sent::Delete, answer) => self.deleted(case, answer, now),
            (Sent::Read(unclear), answer) => self.read(case, unclear, answer),
            (Sent::ReadFormer(search), Ok(Answer::Event(None))) => self.find(case, search),
            (Sent::ReadFormer(search), Ok(Answer::Event(Some(remote)))) => {
                self.found(case, search, Found::Here(remote))
            }
            (Sent::Find(search), Ok(Answer::Found(found))) => self.found(case, search, found),
            // Whatever answers both in words that are not the provider's, the create is still to be cleared up.
            (Sent::ReadFormer(Search::Made(_, error)) | Sent::Find(Search::Made(_, error)), Err(unread))
                if error.class == FailureClass::Ambiguous && unread.class == FailureClass::Malformed =>
            {
                self.fail(error)
            }
            (Sent::ReadFormer(_) | Sent::Find(_), Err(error)) => self.fail(error),
            (Sent::ReadFormer(_) | Sent::Find(_), Ok(_)) => self.fail(not_asked_for()),
        }
    }

    fn created(&mut self, case: Box<Case>, content: EventContent, answer: Result<Answer, ProviderError>) -> Ask {
        match answer {
            Ok(Answer::Event(Some(remote))) => {
                self.tally.created += 1;
                self.store(case, Heard::Taken(content, remote))
            }
            Ok(_) => self.fail(not_asked_for()),
            Err(error) if matches!(error.class, FailureClass::Conflict | FailureClass::Ambiguous) => {
                self.search(case, Search::Made(Box::new(content), error))
            }
            Err(error) => self.fail(error),
        }
    }

    fn updated(
        &mut self,
        case: Box<Case>,
        content: EventContent,
        answer: Result<Answer, ProviderError>,
        now: DateTime<Utc>,
    ) -> Ask {
        match answer {
            Ok(Answer::Event(Some(remote))) => {
                self.tally.updated += 1;
                self.store(case, Heard::Taken(content, remote))
            }
            Ok(_) => self.fail(not_asked_for()),
            Err(error) => match error.class {
                FailureClass::Conflict | FailureClass::Gone => self.store(case, Heard::NotArrived(content)),
                FailureClass::Ambiguous => self.look(case, Some(error), now),
                _ => self.fail(error),
            },
        }
    }

    fn deleted(&mut self, case: Box<Case>, answer: Result<Answer, ProviderError>, now: DateTime<Utc>) -> Ask {
        match answer {
            Ok(_) => {
                self.tally.deleted += 1;
                self.store(case, Heard::Both(None))
            }
            Err(error) => match error.class {
                FailureClass::Gone => self.store(case, Heard::Both(None)),
                FailureClass::Conflict => self.look(case, None, now),
                FailureClass::Ambiguous => self.look(case, Some(error), now),
                _ => self.fail(error),
            },
        }
    }

    /// The copy was read. When a write before it was not applied, that may still be under way: it waits before it is tried again, so that
    /// the two cannot overtake each other.
    fn read(&mut self, case: Box<Case>, unclear: Option<ProviderError>, answer: Result<Answer, ProviderError>) -> Ask {
        match (unclear, answer) {
            (None, Ok(Answer::Event(remote))) => self.store(case, Heard::Both(remote)),
            (Some(error), Ok(Answer::Event(remote))) => {
                let applied = remote.as_ref().is_none_or(|remote| remote.revision.as_ref() != case.revision());
                if applied { self.store(case, Heard::Both(remote)) } else { self.fail(error) }
            }
            // Whatever answers both in words that are not the provider's, the write is still to be cleared up.
            (Some(error), Err(unread)) if unread.class == FailureClass::Malformed => self.fail(error),
            (_, Err(error)) => self.fail(error),
            (_, Ok(Answer::Found(_))) => self.fail(not_asked_for()),
        }
    }

    /// Reads the copy, to decide again from what is there; `unclear`: the answer to the write before.
    pub(super) fn look(&mut self, case: Box<Case>, unclear: Option<ProviderError>, now: DateTime<Utc>) -> Ask {
        match &case.mapping {
            Some(mapping) => {
                let id = mapping.remote_id.clone();
                self.send(case, Sent::Read(unclear), Request::Read { id })
            }
            None => self.search(case, Search::Unwanted(now)),
        }
    }

    /// Looks for what a create has made; where a copy is made again, first under the name that it had.
    pub(super) fn search(&mut self, case: Box<Case>, search: Search) -> Ask {
        match case.remains.as_ref().filter(|was| case.is_again() && was.was_read()) {
            Some(was) => {
                let id = was.remote_id.clone();
                self.send(case, Sent::ReadFormer(search), Request::Read { id })
            }
            None => self.find(case, search),
        }
    }

    fn find(&mut self, case: Box<Case>, search: Search) -> Ask {
        let key = case.entry.key.clone();
        self.send(case, Sent::Find(search), Request::Find { key })
    }

    fn found(&mut self, case: Box<Case>, search: Search, found: Found) -> Ask {
        match (search, found) {
            (Search::Made(content, error), Found::Here(remote)) => {
                self.store(case, Heard::Made { content: *content, remote, error })
            }
            (Search::Made(_, error), found) => {
                let refused = error.class == FailureClass::Conflict;
                let tried = !refused || !case.entry.sent.is_empty();
                match found {
                    // What lies in the bin under this name is what is made again: it was not let out, or nobody knows yet.
                    Found::Deleted if case.is_again() && !refused => self.fail(error),
                    // An attempt before this one has made it, and somebody deleted it there.
                    Found::Deleted if !case.is_again() && tried => self.store(case, Heard::DeletedThere),
                    _ if refused => self.store(case, Heard::NameRefused(error)),
                    _ => self.fail(error),
                }
            }
            (Search::Unwanted(_), Found::Here(remote)) => self.store(case, Heard::Unwanted(remote)),
            // The machine may sleep before the answer is looked at, and what was on its way arrives meanwhile: judged by when it was asked.
            (Search::Unwanted(asked), Found::Nothing)
                if may_still_arrive(&case.entry, case.event.deleted_at, asked) =>
            {
                let detail = "the event was taken away while it was sent; looking again whether it arrived";
                self.fail(ProviderError::new(FailureClass::Transient, detail))
            }
            (Search::Unwanted(_), Found::Deleted | Found::Nothing) => self.store(case, Heard::Settled),
        }
    }

    pub(super) fn send(&mut self, case: Box<Case>, sent: Sent, request: Request) -> Ask {
        self.step = Step::Sent(case, Box::new(sent));
        Ask::Send(Box::new(request))
    }

    fn store(&mut self, case: Box<Case>, heard: Heard) -> Ask {
        let reads = match &heard {
            Heard::Taken(..) | Heard::DeletedThere => Reads::copy(),
            Heard::Both(remote) => Reads { answers: remote.is_none(), ..Reads::copy() },
            Heard::Made { remote, .. } | Heard::Unwanted(remote) => {
                Reads { object: Some(remote.id.clone()), ..Reads::copy() }
            }
            Heard::NotArrived(_) | Heard::NameRefused(_) | Heard::Settled => Reads::default(),
        };
        self.step = Step::Heard(case, Box::new(heard));
        Ask::Transaction(reads)
    }

    pub(super) fn fail(&mut self, error: ProviderError) -> Ask {
        self.step = Step::Failed(error);
        Ask::Transaction(Reads::default())
    }
}

/// The caller gave the answer to another request.
fn not_asked_for() -> ProviderError {
    ProviderError::new(FailureClass::Malformed, "the answer is not of the request that was made")
}

/// How long a request that nobody answered may still be under way.
const LATE: Duration = Duration::minutes(10);

/// Whether the create that an entry calls back may yet be carried out, though nothing is found of it: what it makes then is to be
/// found and deleted, not taken for somebody's new event (I-6). `deleted_at`: when the event was deleted, if it was.
fn may_still_arrive(entry: &OutboxEntry, deleted_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    let called_back = deleted_at.or_else(|| entry.withdraws().then_some(entry.created_at));
    called_back.is_some_and(|at| now - at < LATE)
}
