//! The provider speaks: one trait per capability, one folder per provider, no provider naming another.
//!
//! - **cursor**: where a calendar's change list was read to; it exists only in [`Next::Done`], so it cannot be saved early.
//! - **page**: one bounded piece of a pull ([`Reading::next`]).
//! - **snapshot**: a pull that lists everything there is; only a *finished* snapshot deletes by absence.
//!
//! **Invariant:** a provider decides nothing about sync. It prepares requests, reads answers, and classes failures.

pub mod caldav;
pub mod catalogue;
pub mod change;
pub mod feed;
pub mod google;
pub mod oauth;
pub mod push;
pub mod registry;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use catalogue::ProviderFacts;
pub use change::{Known, Pull, Reading};
pub use push::ChannelKeeper;

use crate::domain::{
    availability::Busy,
    calendar::RemoteCalendar,
    event::EventContent,
    ids::{RemoteCalendarId, RemoteEventId, Revision, Uid},
    mapping::{Canonical, Remains, RemoteEvent},
};
pub use crate::{
    domain::{
        failure::ProviderError,
        page::{ChangePage, Covers, Found, Next, PageKind, Unreadable},
    },
    transport::error::Result,
};

/// One remote account, authorised and ready. Object-safe; cheap to hold.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What is known of it whatever the account.
    fn facts(&self) -> &'static ProviderFacts;

    /// Every event calendar of the account. A `CalDAV` account makes one request of this; the stamps in its answer show
    /// which calendars need a pull at all.
    async fn calendars(&self) -> Result<Vec<RemoteCalendar>>;

    /// Names of what the account holds, the same whoever connects it and however its address was written; asked of it once
    /// its calendars are known. They may be secrets.
    fn identities(&self, calendars: &[RemoteCalendarId]) -> Vec<String>;

    /// Somebody asked: what was remembered of the calendars is read again.
    fn forget_listing(&self) {}

    /// Begins to read the changes since the cursor, or everything. Nothing is sent before the first page is asked for.
    fn pull<'a>(&'a self, pull: Pull<'a>) -> Box<dyn Reading + 'a>;

    /// The hand that writes; `None`: read-only.
    fn writer(&self) -> Option<&dyn EventWriter> {
        None
    }

    /// The hand that opens watch channels; `None`: poll.
    fn channels(&self) -> Option<&dyn ChannelKeeper> {
        None
    }

    /// Who knows when a person is busy without saying why; `None`: it is derived from events.
    fn free_busy(&self) -> Option<&dyn FreeBusy> {
        None
    }

    /// Requests made through this value so far.
    fn requests_made(&self) -> u32;
}

/// The remote copy that an update or a delete is about.
#[derive(Clone, Copy, Debug)]
pub struct WriteTarget<'a> {
    /// The calendar it is in.
    pub calendar: &'a RemoteCalendarId,
    /// Its name there.
    pub id: &'a RemoteEventId,
    /// The version we expect (`If-Match`); a changed one is [`Conflict`](crate::domain::failure::FailureClass::Conflict).
    pub revision: &'a Revision,
    /// Its own bytes at that version, to be edited rather than rebuilt.
    pub raw: Option<&'a [u8]>,
}

/// Writes to one account.
///
/// **Invariant:** every update and delete is conditional (I-13); a create carries a chosen key, so that doing it twice
/// makes one event (I-11).
#[async_trait]
pub trait EventWriter: Canonical + Send + Sync {
    /// Makes the remote copy under the chosen key. Already there: `Conflict`. Unclear: `Ambiguous`; then [`find`](Self::find).
    async fn create(&self, calendar: &RemoteCalendarId, key: &Uid, content: &EventContent) -> Result<RemoteEvent>;

    /// Makes a copy again that is gone there, with everything that it had and we do not model. With the `UID` that it had as
    /// the key, it is that very copy again, where the provider allows it. `Conflict`: it lives by then, which
    /// [`find`](Self::find) shows, or the provider does not allow it, so another key is to be chosen.
    async fn make_again(
        &self,
        calendar: &RemoteCalendarId,
        key: &Uid,
        _remains: &Remains,
        content: &EventContent,
    ) -> Result<RemoteEvent> {
        self.create(calendar, key, content).await
    }

    /// Brings the remote copy to `content`; everything not modelled stays. Answers what the server now holds.
    async fn update(&self, target: WriteTarget<'_>, content: &EventContent) -> Result<RemoteEvent>;

    /// Takes the remote copy away. Already gone is done.
    async fn delete(&self, target: WriteTarget<'_>) -> Result<()>;

    /// Reads one event as it is now; `None`: it is not there.
    async fn read(&self, calendar: &RemoteCalendarId, id: &RemoteEventId) -> Result<Option<RemoteEvent>>;

    /// What a create with this key has made, if anything: settles an ambiguous create.
    async fn find(&self, calendar: &RemoteCalendarId, key: &Uid) -> Result<Found>;
}

/// Busy time as the provider reports it.
#[async_trait]
pub trait FreeBusy: Send + Sync {
    /// The busy time of calendars within `from..to`, in the order asked; split as the provider needs it.
    async fn busy(&self, calendars: &[RemoteCalendarId], from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Busy>>;
}
