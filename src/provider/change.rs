//! How a calendar is read: what a pull asks, and what it is compared with.

use async_trait::async_trait;

use super::Result;
use crate::domain::{
    ids::{RemoteCalendarId, RemoteEventId, Revision, SyncCursor},
    page::ChangePage,
};

/// What we already hold of a calendar, so that a listing need not carry unchanged events.
#[async_trait]
pub trait Known: Send + Sync {
    /// The revision we hold of one remote event; `None`: we do not hold it.
    fn revision(&self, id: &RemoteEventId) -> Option<&Revision>;

    /// The bytes kept with it ([`RemoteEvent::raw`](crate::domain::mapping::RemoteEvent::raw)), for a provider whose change list names single parts of a series: a
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

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Pull<'a> {
    /// Which calendar.
    pub calendar: &'a RemoteCalendarId,
    /// Changes since here; `None`: everything.
    pub cursor: Option<&'a SyncCursor>,
    /// Compare a complete listing with what we hold, even though there is a cursor.
    pub reconcile: bool,
}

/// A calendar that is being read, page after page. Where it is lives in here, and for one pull only.
#[async_trait]
pub trait Reading: Send {
    /// The next page; `known` is what we hold by then. After the last page, or an error, the reading is over.
    async fn next(&mut self, known: &dyn Known) -> Result<ChangePage>;
}
