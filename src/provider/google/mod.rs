//! Google Calendar (API v3): prepares requests, reads answers, and decides nothing about sync.
//!
//! - **item**: one JSON object of Google's, kept whole; what we do not model survives in it.
//! - **part**: an item that is a piece of a series: its master, an exception, or a cancelled occurrence.
//! - **sync token**: Google's word for where a calendar was read to; our cursor carries it.
//!
//! A series is one event here and several items at Google. The parts of one pull are put together on its last page; the version of
//! the whole is the master's ETag and a digest over the exceptions. `If-Match` guards the master alone, so before a series is
//! deleted or moved its exceptions are read once more. Google's guide says that exceptions go when a series is cut or moved; they
//! were seen to stay, so what a rule no longer names is cancelled, one by one.
//!
//! Writes go out a few at a time instead of in batches: the quota counts the requests inside a batch all the same, and each outcome
//! is stored as it comes. A window holds the quota: at most 540 requests in any minute, as fast as they come. Google refuses
//! everybody for a minute now and then, so a refused token is believed at the third refusal, after a pause.
//!
//! **Invariant:** writes are patches of what changed, under `If-Match`, and notify no guest.
//!
//! **Invariant:** an event we make has an id derived from its calendar and our key, so that making it twice makes one.

mod busy;
mod classify;
mod convert;
mod item;
mod occurrences;
mod pages;
mod pull;
pub mod push;
mod request;
mod revive;
pub mod scopes;
mod series;
mod write;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono_tz::Tz;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use self::{classify::GoogleAction, item::Item, pull::GoogleReading};
use super::{
    ChannelKeeper, EventWriter, FreeBusy, Provider, ProviderError, Pull, Reading, Result,
    catalogue::{ConnectedBy, Looks, ProviderFacts},
};
use crate::{
    domain::{calendar::RemoteCalendar, failure::FailureClass, ids::RemoteCalendarId, ports::World, secret::Secret},
    transport::{
        Credential, Http, OutgoingRequest, Response,
        throttle::{Paced, Throttle},
    },
};

/// Google Calendar.
pub(super) const FACTS: ProviderFacts = ProviderFacts {
    name: "Google Calendar",
    connected_by: ConnectedBy::Consent,
    looks: Looks::Watched,
    notified_at: Some("/sync/providers/google/webhook"),
    reconcile_every_s: 86_400,
    writes_at_once: 6,
    absence_is_doubtful: false,
};

/// Requests in any minute for one account; Google allows 600.
const PACE: u32 = 540;
/// How long the list of calendars is believed: it changes rarely, and a look costs as much as a calendar's changes.
const LIST_HELD: Duration = Duration::from_hours(1);
/// Pages of the list of calendars.
const LIST_PAGES_MAX: usize = 40;

/// Where an account is and how it proves itself.
#[derive(Clone, Debug)]
pub struct GoogleConfig {
    /// The root of the API (`https://www.googleapis.com/calendar/v3`).
    pub api: Url,
    /// The access token.
    pub access_token: Secret,
    /// Whether the owner granted changing events.
    pub may_write: bool,
}

/// One Google account.
pub struct Google {
    http: Paced<Arc<dyn Http>>,
    world: World,
    config: GoogleConfig,
    memory: Mutex<GoogleMemory>,
}

/// What was learnt and can be learnt again.
#[derive(Default)]
struct GoogleMemory {
    listed: Option<(Instant, Vec<RemoteCalendar>)>,
    /// The zone of the primary calendar: what floating times are written in, for Google knows none.
    zone: Option<Tz>,
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google").finish_non_exhaustive()
    }
}

impl Google {
    /// Opens it. Makes no request.
    #[must_use]
    pub fn new(http: Arc<dyn Http>, world: World, config: GoogleConfig) -> Self {
        Self { http: Paced::new(http, Throttle::at_most(PACE)), world, config, memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, GoogleMemory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn zone(&self) -> Tz {
        self.memory().zone.unwrap_or(Tz::UTC)
    }

    /// An address under the root; each piece is escaped.
    fn at(&self, path: &[&str]) -> Url {
        request::at(&self.config.api, path)
    }

    async fn send(&self, mut request: OutgoingRequest) -> Result<Response> {
        request.credential = Some(Credential::Bearer(self.config.access_token.clone()));
        self.http.send(request).await
    }

    /// Sends a request and reads the object that answers it; every other answer is its failure.
    async fn ask(&self, request: OutgoingRequest, doing: GoogleAction) -> Result<Item> {
        let response = self.send(request).await?;
        classify::object(&response, doing, self.world.now())
    }

    /// Sends a request about one event and reads the event that answers it.
    async fn ask_event(&self, request: OutgoingRequest, id: &str, doing: GoogleAction) -> Result<Item> {
        let response = self.send(request).await?;
        classify::event(&response, id, doing, self.world.now())
    }

    async fn list_calendars(&self) -> Result<Vec<RemoteCalendar>> {
        let mut found = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..LIST_PAGES_MAX {
            let request = request::calendar_list(self.at(&["users", "me", "calendarList"]), page.as_deref());
            let response = self.send(request).await?;
            let answer = classify::list(&response, GoogleAction::Reading("listing the calendars"), self.world.now())?;
            found.extend(answer.items().filter_map(|entry| convert::calendar(&entry)));
            page = answer.text("nextPageToken").map(str::to_owned);
            if page.is_none() {
                // The primary calendar first: it is the one a person means.
                found.sort_by_key(|(primary, _)| !primary);
                let zone = found.first().and_then(|(_, calendar)| calendar.time_zone.as_deref()?.parse().ok());
                self.memory().zone = zone;
                let read_only = !self.config.may_write;
                let found = found.into_iter().map(|(_, calendar)| calendar);
                return Ok(found
                    .map(|held| RemoteCalendar { read_only: held.read_only || read_only, ..held })
                    .collect());
            }
        }
        Err(ProviderError::new(FailureClass::Malformed, "the list of calendars has no end"))
    }
}

#[async_trait]
impl Provider for Google {
    fn identities(&self, calendars: &[RemoteCalendarId]) -> Vec<String> {
        // The primary calendar comes first and bears its owner's address; the others may be shared.
        calendars.first().map(|primary| format!("google://calendar/{}", primary.as_str())).into_iter().collect()
    }

    fn facts(&self) -> &'static ProviderFacts {
        &FACTS
    }

    async fn calendars(&self) -> Result<Vec<RemoteCalendar>> {
        if let Some((at, listed)) = &self.memory().listed
            && at.elapsed() < LIST_HELD
        {
            return Ok(listed.clone());
        }
        let listed = self.list_calendars().await?;
        self.memory().listed = Some((Instant::now(), listed.clone()));
        Ok(listed)
    }

    fn forget_listing(&self) {
        self.memory().listed = None;
    }

    fn pull<'a>(&'a self, pull: Pull<'a>) -> Box<dyn Reading + 'a> {
        Box::new(GoogleReading::new(self, pull))
    }

    fn writer(&self) -> Option<&dyn EventWriter> {
        self.config.may_write.then_some(self)
    }

    fn channels(&self) -> Option<&dyn ChannelKeeper> {
        Some(self)
    }

    fn free_busy(&self) -> Option<&dyn FreeBusy> {
        Some(self)
    }

    fn requests_made(&self) -> u32 {
        self.http.requests_made()
    }
}

/// Why nobody may change an event from here, as far as the bytes kept with it show; `None`: nothing speaks against it.
#[must_use]
pub fn fixed_because(raw: &[u8]) -> Option<&'static str> {
    series::WholeSeries::read(raw).and_then(|whole| write::fixed_because(&whole.master))
}

/// The id of an event that we make: the same for the same calendar and key. Base32hex in lower case (RFC 4648 §7), as
/// Google wants it.
fn event_id(calendar: &RemoteCalendarId, key: &str) -> String {
    use sha2::{Digest, Sha256};
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let digest = Sha256::new().chain_update(calendar.as_str()).chain_update([0]).chain_update(key).finalize();
    let mut id = String::with_capacity(40);
    for five in digest.chunks_exact(5).take(5) {
        let number = five.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        for place in (0..8).rev() {
            let digit = usize::try_from((number >> (5 * place)) & 31).unwrap_or(0);
            id.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
        }
    }
    id
}

/// A JSON object as the body of a request.
fn body(value: &Value) -> bytes::Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
