//! `CalDAV` (RFC 4791), iCloud included: prepares requests, reads answers, and decides nothing about sync.
//!
//! - **home**: a collection whose members are calendars; found once and kept until the server no longer knows it.
//! - **href**: a resource's name on its server; our ids are hrefs in the server's own spelling.
//! - **ctag**: a calendar's word that something in it changed.
//!
//! A server is believed about what was seen of it (`manners.rs`): a strong `ETag` after a `PUT` once the bytes came back as they
//! were sent, a condition on a deletion once one was enforced. "Nothing changed" is doubted where the calendar's stamp says that
//! something did, because some servers take any sync token: then everything is listed. An answer that is too large is asked for in
//! halves, a list in pieces; `limit` in a sync report loses changes on some servers, so it is sent only then.
//!
//! **Invariant:** what a server leaves out of an answer is not thereby gone: only a complete listing speaks of absence.
//!
//! **Invariant:** every write is conditional on the version it was decided on.

mod calendars;
mod classify;
mod convert;
mod discover;
mod exchange;
mod href;
mod icloud;
mod listing;
mod manners;
mod pull;
mod request;
mod revive;
mod wire;
mod write;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use url::Url;

pub use icloud::START as ICLOUD_START;

use self::{
    calendars::FullLook,
    convert::SyncMark,
    exchange::Exchange,
    manners::Manners,
    pull::{DavReading, MultigetSize},
    write::Pen,
};
use super::{
    EventWriter, Found, Provider, ProviderError, Pull, Reading, Result, WriteTarget,
    catalogue::{self, ConnectedBy, Looks, ProviderFacts},
};
use crate::{
    domain::{
        account::ProviderKind,
        calendar::RemoteCalendar,
        event::EventContent,
        failure::FailureClass,
        ids::{RemoteCalendarId, RemoteEventId, Uid},
        mapping::{Canonical, Remains, RemoteEvent},
        ports::World,
    },
    ical::{self, TextLimits},
    transport::{Credential, Http},
};

/// Objects per multiget. On Radicale, 4,000 events took three quarters of the time that batches of 100 take; what is gained
/// beyond is small, and a server that refuses a batch is asked for its objects one by one.
const BATCH: usize = 200;

/// A `CalDAV` server.
pub(super) const FACTS: ProviderFacts = ProviderFacts {
    name: "CalDAV",
    connected_by: ConnectedBy::Password { start: None },
    looks: Looks::Server,
    notified_at: None,
    reconcile_every_s: 86_400,
    // Servers lock a collection for each write; two at once only wait for each other.
    writes_at_once: 1,
    absence_is_doubtful: false,
};

/// iCloud.
pub(super) const ICLOUD: ProviderFacts =
    ProviderFacts { name: "iCloud", connected_by: ConnectedBy::Password { start: Some(ICLOUD_START) }, ..FACTS };

/// How an account reaches its server.
#[derive(Clone, Debug)]
pub struct CaldavConfig {
    /// Plain `CalDAV` or iCloud.
    pub kind: ProviderKind,
    /// What its owner typed: a server, a principal, a home or a calendar.
    pub start: Url,
    /// How it proves whose it is.
    pub credential: Option<Credential>,
    /// What an earlier discovery found ([`Caldav::home`]).
    pub home: Option<Vec<Url>>,
}

/// One account on one `CalDAV` server.
pub struct Caldav {
    exchange: Exchange,
    limits: TextLimits,
    room: MultigetSize,
    manners: Manners,
    memory: Mutex<CaldavMemory>,
}

/// What was learnt of the server; all of it can be learnt again.
#[derive(Debug, Default)]
struct CaldavMemory {
    homes: Option<Vec<Url>>,
    /// How each calendar reports its changes, and how far it is, as last listed.
    marks: BTreeMap<RemoteCalendarId, SyncMark>,
    /// Whether the calendars are asked for their sync tokens; `None`: not known yet.
    tokens: Option<bool>,
    /// The last full look, if a cheaper one may stand in for the next.
    seen: Option<FullLook>,
}

impl Caldav {
    /// Nothing is sent before the first call needs it.
    pub fn new(http: Arc<dyn Http>, world: World, config: CaldavConfig) -> Self {
        let CaldavConfig { kind, start, credential, home } = config;
        // iCloud's tokens cost nothing, so they need not be done without first.
        let tokens = (kind == ProviderKind::Icloud).then_some(true);
        let memory = CaldavMemory { homes: home.filter(|homes| !homes.is_empty()), tokens, ..CaldavMemory::default() };
        Self {
            exchange: Exchange::new(http, world, kind, start, credential),
            limits: TextLimits::default(),
            room: MultigetSize::new(BATCH),
            manners: Manners::default(),
            memory: Mutex::new(memory),
        }
    }

    /// Objects asked for in one multiget.
    #[cfg(test)]
    fn with_batch(mut self, batch: usize) -> Self {
        self.room = MultigetSize::new(batch);
        self
    }

    /// What discovery found, to be kept and given back in [`CaldavConfig::home`].
    pub fn home(&self) -> Option<Vec<Url>> {
        self.memory().homes.clone()
    }

    fn memory(&self) -> MutexGuard<'_, CaldavMemory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The homes, and whether they were found just now.
    async fn homes(&self) -> Result<(Vec<Url>, bool)> {
        if let Some(homes) = self.home() {
            return Ok((homes, false));
        }
        let homes = discover::homes(&self.exchange).await?;
        self.memory().homes = Some(homes.clone());
        Ok((homes, true))
    }

    /// The collection that an id names. An id without an origin belongs to the first home's.
    async fn collection(&self, calendar: &RemoteCalendarId) -> Result<Url> {
        let nowhere = || ProviderError::new(FailureClass::Refused, "the calendar's name leads nowhere");
        if let Ok(url) = Url::parse(calendar.as_str()) {
            return matches!(url.scheme(), "http" | "https").then_some(url).ok_or_else(nowhere);
        }
        let (homes, _) = self.homes().await?;
        let home = homes.first().ok_or_else(nowhere)?;
        href::resolve(home, calendar.as_str()).ok_or_else(nowhere)
    }

    async fn pen(&self, calendar: &RemoteCalendarId) -> Result<Pen<'_>> {
        let collection = self.collection(calendar).await?;
        Ok(Pen { exchange: &self.exchange, collection, limits: &self.limits, manners: &self.manners })
    }
}

#[async_trait]
impl Provider for Caldav {
    fn facts(&self) -> &'static ProviderFacts {
        catalogue::facts(self.exchange.kind())
    }

    async fn calendars(&self) -> Result<Vec<RemoteCalendar>> {
        let (homes, fresh) = self.homes().await?;
        let listed = self.list(&homes).await;
        let moved = matches!(&listed, Err(error) if matches!(
            error.class, FailureClass::Forbidden | FailureClass::Gone | FailureClass::Refused | FailureClass::Malformed));
        // Who named one calendar asked for no other, even when it is gone.
        if fresh || !moved || homes.iter().any(discover::is_calendar) {
            return listed;
        }
        // Partitions move and servers are rebuilt: what was found before need not be where the calendars are.
        let homes = discover::homes(&self.exchange).await?;
        self.memory().homes = Some(homes.clone());
        self.list(&homes).await
    }

    fn identities(&self, calendars: &[RemoteCalendarId]) -> Vec<String> {
        let homes = self.home().unwrap_or_default();
        let base = homes.first().unwrap_or_else(|| self.exchange.start());
        calendars.iter().filter_map(|id| href::resolve(base, id.as_str())).map(|url| href::place(&url)).collect()
    }

    fn pull<'a>(&'a self, pull: Pull<'a>) -> Box<dyn Reading + 'a> {
        Box::new(DavReading::new(self, pull))
    }

    fn writer(&self) -> Option<&dyn EventWriter> {
        Some(self)
    }

    fn requests_made(&self) -> u32 {
        self.exchange.requests()
    }
}

impl Canonical for Caldav {
    fn canonical(&self, content: &EventContent) -> EventContent {
        ical::canonical(content)
    }
}

#[async_trait]
impl EventWriter for Caldav {
    async fn create(&self, calendar: &RemoteCalendarId, key: &Uid, content: &EventContent) -> Result<RemoteEvent> {
        self.pen(calendar).await?.create(calendar, key, content).await
    }

    async fn make_again(
        &self,
        calendar: &RemoteCalendarId,
        key: &Uid,
        remains: &Remains,
        content: &EventContent,
    ) -> Result<RemoteEvent> {
        self.revive(calendar, key, remains, content).await
    }

    async fn update(&self, target: WriteTarget<'_>, content: &EventContent) -> Result<RemoteEvent> {
        self.pen(target.calendar).await?.update(target, content).await
    }

    async fn delete(&self, target: WriteTarget<'_>) -> Result<()> {
        self.pen(target.calendar).await?.delete(target).await
    }

    async fn read(&self, calendar: &RemoteCalendarId, id: &RemoteEventId) -> Result<Option<RemoteEvent>> {
        self.pen(calendar).await?.read(id).await
    }

    async fn find(&self, calendar: &RemoteCalendarId, key: &Uid) -> Result<Found> {
        let found = self.pen(calendar).await?.find(calendar, key).await?;
        // A server says nothing of what it no longer has.
        Ok(found.map_or(Found::Nothing, Found::Here))
    }
}
