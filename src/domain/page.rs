//! What a provider answers: its changes, page by page, and what it knows under a name.
//!
//! - **cursor**: where a calendar's change list was read to; it exists only in [`Next::Done`], so it cannot be saved early.
//! - **snapshot**: a listing of everything there is; only a *finished* one deletes by absence.

use chrono::{DateTime, Utc};

use super::{
    ids::{RemoteEventId, Revision, SyncCursor, Uid},
    mapping::RemoteEvent,
};

/// Whether absence means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Changes only; what is not named has not changed.
    Delta,
    /// Part of everything there is; once finished, what was not named is not there.
    Snapshot,
}

/// Which events a snapshot shows: absence of another one means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Covers {
    /// All there are.
    #[default]
    Everything,
    /// Those that are not over: a publisher shows a window that moves, and what has ended leaves it without being deleted.
    NotOver,
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
    /// Of which events.
    pub covers: Covers,
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

impl ChangePage {
    /// A page with nothing on it, the last one.
    #[must_use]
    pub fn new(kind: PageKind, cursor: Option<SyncCursor>) -> Self {
        Self {
            kind,
            covers: Covers::Everything,
            changed: Vec::new(),
            present: Vec::new(),
            unreadable: Vec::new(),
            removed: Vec::new(),
            expected: None,
            interval_s: None,
            next: Next::Done(cursor),
        }
    }
}

/// What follows a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another page.
    More,
    /// That was all. The cursor to keep once every page is committed.
    Done(Option<SyncCursor>),
}

/// What we remember of a remote event that is there and could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableEvent {
    /// Its name at the provider.
    pub remote_id: RemoteEventId,
    /// Its version then, so that it is tried again only when it changes.
    pub revision: Option<Revision>,
    /// Its `UID`, when that much could be read.
    pub uid: Option<Uid>,
    /// Why, without any of its text.
    pub why: String,
    /// When it was last met; without a version, since when the provider has failed to hand it out.
    pub seen_at: DateTime<Utc>,
}

/// What a create under a chosen key has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, taken apart at once")]
pub enum Found {
    /// It is there.
    Here(RemoteEvent),
    /// It was there, and was deleted.
    Deleted,
    /// Nothing is known under that key.
    Nothing,
}
