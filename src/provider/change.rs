//! What a pull asks and what it answers.

use std::collections::VecDeque;

use async_trait::async_trait;
use bytes::Bytes;

use super::error::Result;
use crate::domain::{
    ids::{RemoteCalendarId, RemoteEventId, Revision, SyncCursor, Uid},
    mapping::RemoteEvent,
};

/// What we already hold of a calendar, so that a listing need not carry unchanged events.
#[async_trait]
pub trait Known: Send + Sync {
    /// The revision we hold of one remote event; `None`: we do not hold it.
    fn revision(&self, id: &RemoteEventId) -> Option<&Revision>;

    /// The bytes kept with it ([`RemoteEvent::raw`]), for a provider whose change list names single parts of a series: a
    /// part is put into the whole that is held. An error is a failure of ours: the pull ends and is repeated.
    async fn raw(&self, _: &RemoteEventId) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// We hold nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Known for Nothing {
    fn revision(&self, _: &RemoteEventId) -> Option<&Revision> {
        None
    }
}

/// One request for one page.
#[derive(Clone)]
pub struct Pull<'a> {
    /// Which calendar.
    pub calendar: &'a RemoteCalendarId,
    /// Changes since here; `None`: everything.
    pub cursor: Option<&'a SyncCursor>,
    /// Compare a complete listing with what we hold, even though there is a cursor.
    pub reconcile: bool,
    /// What we hold.
    pub known: &'a dyn Known,
    /// Which page: [`PageToken::Start`], then what the page before gave.
    pub page: PageToken,
}

/// Where in a pull we are. Lives for one pull, in memory; never stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PageToken {
    /// The first page.
    #[default]
    Start,
    /// The provider's own word for the next page.
    Text(String),
    /// The provider's own word for the next page, and objects whose other parts are still to come.
    Carrying {
        /// The word.
        page: String,
        /// Those objects, in the provider's own form.
        parts: Vec<Bytes>,
        /// How many objects it is asked for.
        size: u32,
    },
    /// Objects that a listing named and that are still to be read.
    Pending {
        /// Delta or snapshot, as the listing was.
        kind: PageKind,
        /// The cursor that the listing gave: it becomes [`Next::Done`] once nothing is pending.
        cursor: Option<SyncCursor>,
        /// Names and revisions still to be read.
        objects: VecDeque<(RemoteEventId, Revision)>,
    },
}

/// Whether absence means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Changes only; what is not named has not changed.
    Delta,
    /// Part of everything there is; once finished, what was not named is not there.
    Snapshot,
}

/// One remote event that is there and cannot be read: reported, skipped, and never taken for deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its name.
    pub id: RemoteEventId,
    /// Its version, so that it is tried again only when it changes.
    pub revision: Option<Revision>,
    /// Its `UID`, when that much could be read.
    pub uid: Option<Uid>,
    /// Why, without any of its text.
    pub why: String,
    /// The provider fails to hand it out, whatever it says: it is asked for again, and the cursor waits for it, for a while.
    pub may_pass: bool,
}

/// One page of a pull.
#[derive(Clone, Debug)]
pub struct ChangePage {
    /// Whether absence means anything.
    pub kind: PageKind,
    /// Events that are new or not at the revision we hold.
    pub changed: Vec<RemoteEvent>,
    /// Events that are there as we hold them (snapshots only).
    pub present: Vec<RemoteEventId>,
    /// Events that are there and cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Events that the provider says are gone.
    pub removed: Vec<RemoteEventId>,
    /// How many events the whole pull will handle, once known: for progress.
    pub expected: Option<u32>,
    /// What the provider asks for between polls, in seconds.
    pub interval_s: Option<u32>,
    /// More, or done.
    pub next: Next,
}

/// What follows a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask again with this.
    Page(PageToken),
    /// That was all. The cursor to keep once every page is committed.
    Done(Option<SyncCursor>),
}
