//! A published iCalendar file (`webcal:`, `https:`): read-only, one calendar, everything in one answer.
//!
//! - **bookmark**: what the cursor of a feed remembers of the last answer: validators, a fingerprint, names of events.
//! - **name**: an event's id here. Publishers' `UID`s are not always stable; see `identity.rs`.
//!
//! **Invariant:** only a whole calendar that was read makes a page; a web page, a cut-off file or an error changes
//! nothing. Absence is reported only by a finished snapshot in which every unreadable event could be named.
//! **Invariant:** what a publisher stamps at each fetch (`DTSTAMP`, `LAST-MODIFIED`, `PRODID`, order, fresh `UID`s)
//! changes no event's revision and no event's name.
//!
//! A snapshot does not distinguish *deleted* from *expired*: many publishers show a rolling window, so an event that has ended
//! and is missing is past, not cancelled. The caller knows the event's end and decides.

mod bookmark;
mod classify;
mod convert;
mod identity;
mod request;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use self::{bookmark::Bookmark, classify::FeedAnswer, convert::Comparison, request::Source};
use super::{
    ChangePage, Known, Next, Provider, ProviderError, Pull, Reading, Result,
    catalogue::{ConnectedBy, Looks, ProviderFacts},
};
use crate::{
    domain::{
        calendar::RemoteCalendar,
        failure::FailureClass,
        ids::{RemoteCalendarId, SyncCursor},
        secret::Secret,
    },
    transport::{
        Http,
        throttle::{Paced, Throttle},
    },
};

/// A feed.
pub(super) const FACTS: ProviderFacts = ProviderFacts {
    name: "iCalendar feed",
    connected_by: ConnectedBy::Address,
    looks: Looks::Feed,
    notified_at: None,
    reconcile_every_s: 86_400,
    writes_at_once: 1,
    absence_is_doubtful: true,
};

/// The id of a feed's only calendar.
pub const CALENDAR: &str = "feed";

/// Requests a minute, and at once: a person may press the button, a loop may not.
const PACE: u32 = 30;

/// How long the answer that [`Provider::calendars`] read serves the pull that follows it.
const HELD_MAX: Duration = Duration::from_mins(1);

/// Where a feed is.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// `https:`, `webcal:` or `webcals:`; `http:` where the address policy allows it. Whoever has it can read the feed,
    /// so it is a secret.
    pub url: Secret,
}

/// One subscribed feed.
pub struct Feed {
    http: Paced<Arc<dyn Http>>,
    source: Source,
    memory: Mutex<FeedMemory>,
}

/// What carries over from one call to the next, to save a request; everything that matters is in the cursor.
#[derive(Default)]
struct FeedMemory {
    last: Option<SyncCursor>,
    held: Option<UnusedAnswer>,
}

/// An answer that no pull has used yet.
struct UnusedAnswer {
    at: Instant,
    asked_since: Option<SyncCursor>,
    answer: FeedAnswer,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("host", &self.source.host).finish_non_exhaustive()
    }
}

impl Feed {
    /// A feed at an address. `Refused`: the text is no address of a feed.
    pub fn new(http: Arc<dyn Http>, config: &FeedConfig) -> Result<Self> {
        Ok(Self {
            http: Paced::new(http, Throttle::new(PACE, PACE)),
            source: Source::parse(&config.url)?,
            memory: Mutex::default(),
        })
    }

    /// The same, knowing where the calendar was read to, so that [`Provider::calendars`] can ask for changes only.
    #[must_use]
    pub fn resume(self, cursor: Option<SyncCursor>) -> Self {
        self.remember(|memory| memory.last = cursor);
        self
    }

    /// The feed's host: the only part of its address that may be shown.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.source.host
    }

    fn remember<T>(&self, change: impl FnOnce(&mut FeedMemory) -> T) -> T {
        change(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One exchange. With a bookmark the publisher may answer that nothing changed.
    async fn fetch(&self, since: Option<&Bookmark>) -> Result<FeedAnswer> {
        let response = self.http.send(self.source.request(since)).await?;
        classify::read(&response, since.is_some_and(Bookmark::can_ask))
    }

    fn bookmark(&self, cursor: Option<&SyncCursor>) -> Option<Bookmark> {
        cursor.and_then(Bookmark::read).filter(|bookmark| bookmark.is_of(&self.source.fingerprint))
    }

    /// The answer that `calendars` has just read, if it answers this pull.
    fn held_for(&self, pull: Pull<'_>) -> Option<FeedAnswer> {
        let held = self.remember(|memory| memory.held.take())?;
        let answers_this = match held.answer {
            FeedAnswer::Unchanged => !pull.reconcile && held.asked_since.as_ref() == pull.cursor,
            FeedAnswer::Whole(_) => true,
        };
        (answers_this && held.at.elapsed() <= HELD_MAX).then_some(held.answer)
    }
}

#[async_trait]
impl Provider for Feed {
    fn facts(&self) -> &'static ProviderFacts {
        &FACTS
    }

    async fn calendars(&self) -> Result<Vec<RemoteCalendar>> {
        let last = self.remember(|memory| memory.last.clone());
        let bookmark = self.bookmark(last.as_ref());
        let answer = self.fetch(bookmark.as_ref()).await?;
        let (name, time_zone) = match &answer {
            FeedAnswer::Unchanged => bookmark.map(|held| (held.name, held.time_zone)).unwrap_or_default(),
            FeedAnswer::Whole(whole) => (whole.name(), whole.time_zone()),
        };
        let asked_since = last;
        self.remember(|memory| memory.held = Some(UnusedAnswer { at: Instant::now(), asked_since, answer }));
        Ok(vec![RemoteCalendar {
            id: RemoteCalendarId::from(CALENDAR),
            name: name.unwrap_or_else(|| self.source.host.clone()),
            color: None,
            time_zone,
            read_only: true,
            stamp: None,
        }])
    }

    fn identities(&self, _calendars: &[RemoteCalendarId]) -> Vec<String> {
        vec![self.source.place()]
    }

    fn pull<'a>(&'a self, pull: Pull<'a>) -> Box<dyn Reading + 'a> {
        Box::new(FeedReading { feed: self, pull })
    }

    fn requests_made(&self) -> u32 {
        self.http.requests_made()
    }
}

/// A feed that is being read: it has one page.
struct FeedReading<'a> {
    feed: &'a Feed,
    pull: Pull<'a>,
}

#[async_trait]
impl Reading for FeedReading<'_> {
    async fn next(&mut self, known: &dyn Known) -> Result<ChangePage> {
        let Self { feed, pull: Pull { calendar, cursor, reconcile } } = *self;
        if calendar.as_str() != CALENDAR {
            return Err(ProviderError::new(FailureClass::Gone, "a feed has one calendar, `feed`"));
        }
        let bookmark = feed.bookmark(cursor);
        let answer = match feed.held_for(self.pull) {
            Some(answer) => answer,
            None => feed.fetch(bookmark.as_ref().filter(|_| !reconcile)).await?,
        };
        let page = match (answer, bookmark) {
            (FeedAnswer::Unchanged, bookmark) => convert::unchanged(cursor, bookmark.as_ref()),
            (FeedAnswer::Whole(whole), bookmark) => {
                let before = bookmark.unwrap_or_default();
                Comparison { before, source: &feed.source.fingerprint, known, reconcile }.build(*whole)
            }
        };
        if let Next::Done(cursor) = &page.next {
            feed.remember(|memory| memory.last.clone_from(cursor));
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests;
