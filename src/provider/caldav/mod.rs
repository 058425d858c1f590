//! `CalDAV` (RFC 4791), iCloud included: prepares requests, reads answers, and decides nothing about sync.
//!
//! - **home**: a collection whose members are calendars; found once and kept until the server no longer knows it.
//! - **href**: a resource's name on its server; our ids are hrefs in the server's own spelling.
//! - **ctag**: a calendar's word that something in it changed.
//!
//! **Invariant:** what a server leaves out of an answer is not thereby gone: only a complete listing speaks of absence.
//!
//! **Invariant:** every write is conditional on the version it was decided on.

mod classify;
mod convert;
mod discover;
mod exchange;
mod href;
mod icloud;
mod listing;
mod pull;
mod request;
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

use self::{exchange::Exchange, pull::Puller, write::Pen};
use super::{
    ChangePage, EventWriter, PageToken, Profile, Provider, ProviderError, Pull, Result, Target,
    transport::{Credential, Http},
};
use crate::{
    domain::{
        account::ProviderKind,
        calendar::RemoteCalendar,
        event::EventContent,
        failure::FailureClass,
        ids::{RemoteCalendarId, RemoteEventId, Uid},
        mapping::RemoteEvent,
        ports::World,
    },
    ical::{self, Limits},
};

/// Objects per multiget. On Radicale, 2,000 events took three quarters of the time that batches of 50 take; what is gained
/// beyond is small, and a server that refuses a batch is asked for its objects one by one.
const BATCH: usize = 100;

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
    profile: Profile,
    limits: Limits,
    batch: usize,
    memory: Mutex<Memory>,
}

/// What was learnt of the server; all of it can be learnt again.
#[derive(Debug, Default)]
struct Memory {
    homes: Option<Vec<Url>>,
    /// Whether a calendar does sync reports, as last listed.
    syncs: BTreeMap<RemoteCalendarId, bool>,
}

impl Caldav {
    /// Nothing is sent before the first call needs it.
    pub fn new(http: Arc<dyn Http>, world: World, config: CaldavConfig) -> Self {
        let CaldavConfig { kind, start, credential, home } = config;
        let memory = Memory { homes: home.filter(|homes| !homes.is_empty()), syncs: BTreeMap::new() };
        Self {
            exchange: Exchange::new(http, world, kind, start, credential),
            profile: icloud::profile(kind),
            limits: Limits::default(),
            batch: BATCH,
            memory: Mutex::new(memory),
        }
    }

    /// Objects asked for in one multiget.
    #[must_use]
    pub fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch.max(1);
        self
    }

    /// What discovery found, to be kept and given back in [`CaldavConfig::home`].
    pub fn home(&self) -> Option<Vec<Url>> {
        self.memory().homes.clone()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
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
        Ok(Pen { exchange: &self.exchange, collection, limits: &self.limits })
    }

    /// The calendars of all homes. A home that is closed to us hides nothing as long as another answers.
    async fn list(&self, homes: &[Url]) -> Result<Vec<RemoteCalendar>> {
        let main =
            homes.first().ok_or_else(|| ProviderError::new(FailureClass::Refused, "there is no calendar home"))?;
        let mut found: BTreeMap<String, RemoteCalendar> = BTreeMap::new();
        let mut syncs = BTreeMap::new();
        let (mut answered, mut closed) = (false, None);
        for home in homes {
            match self.list_home(main, home).await {
                Ok(listed) => {
                    answered = true;
                    for (key, calendar, does) in listed {
                        syncs.insert(calendar.id.clone(), does);
                        found.entry(key).or_insert(calendar);
                    }
                }
                Err(error) if matches!(error.class, FailureClass::Forbidden | FailureClass::Gone) => {
                    closed = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if let (false, Some(error)) = (answered, closed) {
            return Err(error);
        }
        self.memory().syncs = syncs;
        Ok(found.into_values().collect())
    }

    async fn list_home(&self, main: &Url, home: &Url) -> Result<Vec<(String, RemoteCalendar, bool)>> {
        let depth = if discover::is_calendar(home) { request::Depth::Zero } else { request::Depth::One };
        let request = request::propfind(home.clone(), depth, request::Ask::Calendars);
        let answer = self.exchange.ask(request, "listing the calendars").await?;
        if answer.body.rows.iter().any(|row| row.status == Some(507)) {
            return Err(ProviderError::new(FailureClass::Transient, "the server lists only a part of the calendars"));
        }
        let mut listed = Vec::new();
        for row in &answer.body.rows {
            if let Some(calendar) = convert::calendar(&answer.url, main, row)
                && let Some(key) = href::resolve(&answer.url, &row.href).and_then(|url| href::key(main, url.as_str()))
            {
                let does =
                    row.collection().is_some_and(|held| matches!(convert::Mark::of(held), convert::Mark::Sync(_)));
                listed.push((key, calendar, does));
            }
        }
        Ok(listed)
    }
}

#[async_trait]
impl Provider for Caldav {
    fn profile(&self) -> &Profile {
        &self.profile
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

    async fn pull(&self, pull: Pull<'_>) -> Result<ChangePage> {
        let collection = self.collection(pull.calendar).await?;
        let syncs = self.memory().syncs.get(pull.calendar).copied();
        let puller = Puller {
            exchange: &self.exchange,
            collection,
            limits: &self.limits,
            known: pull.known,
            syncs,
            batch: self.batch,
        };
        match pull.page {
            PageToken::Start => puller.first(pull.cursor, pull.reconcile).await,
            PageToken::Pending { kind, cursor, objects } => puller.next(kind, cursor, objects).await,
            PageToken::Text(_) | PageToken::Carrying { .. } => {
                Err(ProviderError::new(FailureClass::Refused, "this page is not one of this calendar"))
            }
        }
    }

    fn writer(&self) -> Option<&dyn EventWriter> {
        Some(self)
    }

    fn requests_made(&self) -> u32 {
        self.exchange.requests()
    }
}

#[async_trait]
impl EventWriter for Caldav {
    fn canonical(&self, content: &EventContent) -> EventContent {
        ical::canonical(content)
    }

    async fn create(&self, calendar: &RemoteCalendarId, key: &Uid, content: &EventContent) -> Result<RemoteEvent> {
        self.pen(calendar).await?.create(calendar, key, content).await
    }

    async fn update(&self, target: Target<'_>, content: &EventContent) -> Result<RemoteEvent> {
        self.pen(target.calendar).await?.update(target, content).await
    }

    async fn delete(&self, target: Target<'_>) -> Result<()> {
        self.pen(target.calendar).await?.delete(target).await
    }

    async fn read(&self, calendar: &RemoteCalendarId, id: &RemoteEventId) -> Result<Option<RemoteEvent>> {
        self.pen(calendar).await?.read(id).await
    }

    async fn find(&self, calendar: &RemoteCalendarId, key: &Uid) -> Result<Option<RemoteEvent>> {
        self.pen(calendar).await?.find(calendar, key).await
    }
}
