//! One queued write on its way to its calendar: what is stored before and after each request, what is sent, when it ends.
//!
//! A [`Delivery`] asks for one thing at a time, a transaction or a request, and is given what came of it; it does neither itself.
//! Each answer leads on to a later step, so every delivery ends.
//!
//! **Invariants:** what is sent is stored before it is sent (I-4, I-11) · every update and delete names the version that it is
//! meant for (I-13) · a refused precondition or an unclear answer is settled by reading, never by sending again (I-12, I-16).

mod decide;
mod delivery;
#[cfg(test)]
mod tests;

pub use delivery::Delivery;

use super::{
    round::{changes::Changes, context::CalendarContext},
    sync::hold::Said,
};
use crate::domain::{
    account::Account,
    calendar::Calendar,
    event::EventContent,
    failure::ProviderError,
    ids::{OutboxId, RemoteEventId, Revision, Uid},
    mapping::{Canonical, Event, Mapping, Remains, RemoteEvent},
    outbox::OutboxEntry,
    page::Found,
    person::User,
    ports::World,
    promise::Promise,
    round::Tally,
};

/// What a delivery asks for next.
#[derive(Clone, Debug)]
pub enum Ask {
    /// One transaction: read this, give it to [`Delivery::decide`], and store what that answers.
    Transaction(Reads),
    /// One request: its answer goes to [`Delivery::answered`].
    Send(Box<Request>),
    /// Nothing: it has ended.
    Over(Ended),
}

/// How a delivery ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// As far as it can go for now.
    Done,
    /// It failed, and waits or is put aside.
    Failed,
    /// It failed because the account as a whole cannot be written to now.
    Stop(ProviderError),
}

/// What a transaction reads beside the entry itself, and its account and calendar as their owner has them now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Event and mapping.
    pub copy: bool,
    /// A conflict that waits, and what is left of a copy that was lost.
    pub past: bool,
    /// What was said about the deletion of the copy.
    pub answers: bool,
    /// Whether this remote event is mapped to another event than the entry's.
    pub object: Option<RemoteEventId>,
}

impl Reads {
    /// Event and mapping.
    fn copy() -> Self {
        Self { copy: true, ..Self::default() }
    }
}

/// What is stored about an entry. What was not asked for is empty.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The entry as it is queued now.
    pub entry: Option<OutboxEntry>,
    /// Its event.
    pub event: Option<Event>,
    /// Its copy.
    pub mapping: Option<Mapping>,
    /// Its account.
    pub account: Option<Account>,
    /// Its calendar.
    pub calendar: Option<Calendar>,
    /// What is left of the copy that the calendar had and lost.
    pub remains: Option<Remains>,
    /// A conflict about the copy waits for a person.
    pub disputed: bool,
    /// What was said about the deletion of the copy.
    pub said: Said,
    /// The remote event that was found is another event's copy.
    pub is_anothers: bool,
}

/// What a transaction stores: first the entry, then the changes.
#[derive(Debug)]
pub struct Decided {
    /// What becomes of the entry.
    pub entry: EntryChange,
    /// What was decided about the event.
    pub changes: Changes,
    /// A promise that what was read breaks.
    pub broken: Option<Promise>,
    /// What is done by it, to be counted once it is stored.
    pub tally: Tally,
    /// What follows once it is stored.
    pub next: Ask,
}

/// What becomes of the entry in the queue.
#[derive(Debug, PartialEq, Eq)]
pub enum EntryChange {
    /// Nothing; the changes may join it or settle it.
    Keep,
    /// It is overwritten, if it is still there.
    Put(Box<OutboxEntry>),
    /// It goes.
    Delete(OutboxId),
}

/// A request to the entry's calendar.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Make the copy under this name.
    Create {
        /// The name chosen for it.
        key: Uid,
        /// What it is to say.
        content: EventContent,
    },
    /// Make a copy again that was lost, with everything it had: under its own name, or under a new one.
    MakeAgain {
        /// The name chosen for it.
        key: Uid,
        /// What is left of it.
        remains: Box<Remains>,
        /// What it is to say.
        content: EventContent,
    },
    /// Bring the copy to this content.
    Update {
        /// Its name there.
        id: RemoteEventId,
        /// The version that is meant.
        revision: Revision,
        /// What it is to say.
        content: EventContent,
    },
    /// Take the copy away.
    Delete {
        /// Its name there.
        id: RemoteEventId,
        /// The version that is meant.
        revision: Revision,
    },
    /// Read the copy.
    Read {
        /// Its name there.
        id: RemoteEventId,
    },
    /// Look for what a create under this name has made.
    Find {
        /// The name that was chosen.
        key: Uid,
    },
}

/// What the calendar answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What a write has made, or a read has found; `None`: it is not there.
    Event(Option<RemoteEvent>),
    /// What a search has found.
    Found(Found),
}

/// What does not change while a queue is drained.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The account's owner.
    pub user: &'a User,
    /// What the provider makes of content.
    pub form: Option<&'a dyn Canonical>,
    /// Clock and ids.
    pub world: &'a World,
}

/// Account and calendar of an entry, as they were in the last transaction: their owner may choose anew while a request is under way.
#[derive(Clone, Debug)]
pub struct Place {
    /// The account.
    pub account: Account,
    /// The calendar.
    pub calendar: Calendar,
}

impl Place {
    /// Where the calendar's decisions are taken.
    #[must_use]
    pub fn context<'a>(&'a self, around: Surroundings<'a>) -> CalendarContext<'a> {
        CalendarContext::new(&self.account, around.user, &self.calendar, around.form, around.world)
    }
}
