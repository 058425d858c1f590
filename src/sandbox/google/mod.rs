//! Google's OAuth and Calendar v3, as far as `../README.md` says.
//!
//! **Invariant:** every write gives the event a new `etag` and its calendar a new change number; a sync token is such a number.

mod acl;
mod batch;
mod busy;
mod calendar_list;
mod calendars;
mod checks;
mod colors;
mod conference;
mod control;
mod errors;
mod events;
mod expand;
mod fields;
mod filter;
mod identity;
mod insert;
mod listing;
mod mails;
mod oauth;
mod page;
mod people;
mod quick_add;
mod routes;
mod settings;
mod shape;
mod tokens;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use self::{
    calendars::{SandboxCalendar, stamp},
    control::Fault,
    errors::SandboxRefusal,
    oauth::{ConsentCode, StoredGrant, Token},
    watch::SandboxChannel,
};
use super::{
    look_alike::{LookAlike, Push},
    reply::{Reply, SandboxRequest},
};

/// Scopes that may change events.
const MAY_WRITE: &[&str] = &["calendar", "calendar.events", "calendar.events.owned", "calendar.app.created"];
/// Scopes that may read events.
const MAY_READ: &[&str] = &[
    "calendar",
    "calendar.app.created",
    "calendar.events",
    "calendar.events.freebusy",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.public.readonly",
    "calendar.events.readonly",
    "calendar.readonly",
];
/// Most bytes of events, as JSON, that one world holds.
const STORED_MAX: usize = 256 * 1024 * 1024;
/// Scopes that may ask for busy time.
const MAY_ASK_BUSY: &[&str] = &["calendar", "calendar.readonly", "calendar.freebusy", "calendar.events.freebusy"];

/// The whole world.
#[derive(Clone, Debug, Default)]
pub struct GoogleLookAlike {
    people: BTreeMap<String, Person>,
    codes: BTreeMap<String, ConsentCode>,
    grants: BTreeMap<String, StoredGrant>,
    tokens: BTreeMap<String, Token>,
    channels: BTreeMap<String, SandboxChannel>,
    pushes: VecDeque<Push>,
    faults: Vec<Fault>,
    counts: BTreeMap<String, u64>,
    mails: VecDeque<Value>,
    /// Bytes of all events.
    weight: usize,
    settings: SandboxSettings,
    seed: u64,
    made: u64,
}

/// What `/control/settings` changes.
#[derive(Clone, Debug)]
struct SandboxSettings {
    latency_ms: u64,
    token_ttl_s: i64,
    auto_approve: bool,
    /// Scopes that nobody grants: unticked on the consent page.
    unticked: Vec<String>,
    notifications: watch::NotificationMode,
    notification_delay_ms: i64,
    page_max: usize,
    /// Whether exceptions outlive the occurrence that they stand for when its series is cut or moved: documented as lost, seen
    /// to stay.
    keeps_exceptions: bool,
    /// Whether a consent gives a refresh token when it may.
    lasting: bool,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            token_ttl_s: 3_599,
            auto_approve: false,
            unticked: Vec::new(),
            notifications: watch::NotificationMode::Normal,
            notification_delay_ms: 50,
            page_max: 2_500,
            keeps_exceptions: false,
            lasting: true,
        }
    }
}

#[derive(Clone, Debug)]
struct Person {
    calendars: BTreeMap<String, SandboxCalendar>,
    /// Grows with every change to the calendar list.
    list_changes: u64,
    /// Grows when the list's sync tokens expire.
    list_epoch: u64,
}

#[derive(Clone, Debug)]
struct SavedWorld {
    item: Map<String, Value>,
    change: u64,
    /// When it was written.
    at: DateTime<Utc>,
    /// Its type, which a deleted event no longer says.
    kind: String,
    /// Whether it is, or was before it was deleted, a series.
    series: bool,
    /// Its length as JSON, in bytes.
    weight: usize,
    /// What it said before it was deleted: what a person takes out of the bin.
    bin: Option<Map<String, Value>>,
    /// An exception that was deleted because its series was.
    with_series: bool,
}

impl SavedWorld {
    fn cancelled(&self) -> bool {
        self.item.get("status").and_then(Value::as_str) == Some("cancelled")
    }

    fn text(&self, name: &str) -> &str {
        self.item.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Who asks, and what they may.
struct TokenHolder {
    email: String,
    scopes: Vec<String>,
}

impl TokenHolder {
    fn needs(&self, any: &[&str]) -> Result<(), SandboxRefusal> {
        const PREFIX: &str = "https://www.googleapis.com/auth/";
        let has = |scope: &String| scope.strip_prefix(PREFIX).is_some_and(|name| any.contains(&name));
        if self.scopes.iter().any(has) {
            Ok(())
        } else {
            Err(SandboxRefusal::new(403, "global", "insufficientPermissions"))
        }
    }
}

type SandboxAnswer = Result<Reply, SandboxRefusal>;

impl GoogleLookAlike {
    /// An empty world; everything it invents follows from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Whose token this is, if it is good.
    fn caller(&self, now: DateTime<Utc>, asked: &SandboxRequest) -> Result<TokenHolder, SandboxRefusal> {
        let bearer = asked.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        let token = bearer.and_then(|text| self.tokens.get(text)).filter(|token| token.expires > now);
        let token = token.ok_or_else(|| SandboxRefusal::new(401, "global", "authError"))?;
        Ok(TokenHolder { email: token.email.clone(), scopes: token.scopes.clone() })
    }

    fn writable(&self, caller: &TokenHolder, id: &str) -> Result<&SandboxCalendar, SandboxRefusal> {
        caller.needs(MAY_WRITE)?;
        let calendar = self.calendar(&caller.email, id)?;
        match calendar.role.as_str() {
            "owner" | "writer" => Ok(calendar),
            _ => Err(SandboxRefusal::new(403, "calendar", "requiredAccessLevel")),
        }
    }

    /// Keeps an event as it now is: a new version, a new change of its calendar, and the channels are notified.
    fn keep(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        calendar: &str,
        mut item: Map<String, Value>,
    ) -> Result<Map<String, Value>, SandboxRefusal> {
        self.made += 1;
        let etag = format!("\"{}\"", 3_500_000_000_000_000_u64 + self.made * 2);
        item.insert("etag".to_owned(), json!(etag));
        let text = |name: &str| item.get(name).and_then(Value::as_str);
        let cancelled = text("status") == Some("cancelled");
        let (id, kind) = (text("id").unwrap_or_default().to_owned(), text("eventType").unwrap_or("default").to_owned());
        let before = self.calendar(email, calendar)?.events.get(&id);
        // A deleted event shows no more than it must. Reminders are a person's own and no change of the event.
        if !cancelled {
            let same = before.filter(|one| is_same_but_reminders(&one.item, &item));
            let updated = same.and_then(|one| one.item.get("updated").cloned()).unwrap_or_else(|| json!(stamp(now)));
            item.insert("updated".to_owned(), updated);
        }
        // What is deleted is in the bin, and weighs what it did.
        let binned = before.filter(|_| cancelled).map_or(0, |one| one.weight);
        let weight = Value::Object(item.clone()).to_string().len() + binned;
        let after = self.weight.saturating_sub(before.map_or(0, |one| one.weight)) + weight;
        if after > STORED_MAX && !cancelled {
            return Err(SandboxRefusal::new(403, "usageLimits", "quotaExceeded"));
        }
        let series = item.contains_key("recurrence") || (cancelled && before.is_some_and(|one| one.series));
        let kind = before.filter(|_| cancelled).map_or(kind, |one| one.kind.clone());
        self.weight = after;
        let held = self.calendar_mut(email, calendar)?;
        held.changes += 1;
        held.updated = now;
        let change = held.changes;
        let old = held.events.remove(&id).filter(|_| cancelled);
        let bin = old.and_then(|old| if old.cancelled() { old.bin } else { Some(old.item) });
        let stored = SavedWorld { item: item.clone(), change, at: now, kind, series, weight, bin, with_series: false };
        held.events.insert(id, stored);
        let calendar = held.id.clone();
        self.notify_place(now, email, &calendar);
        Ok(item)
    }

    /// A text that nobody can guess, the same for the same seed.
    fn invent(&mut self, what: &str) -> String {
        use sha2::{Digest, Sha256};
        self.made += 1;
        let digest = Sha256::digest(format!("{}:{}:{what}", self.seed, self.made));
        let half = digest.iter().take(16).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
        format!("{half:032x}")
    }
}

impl LookAlike for GoogleLookAlike {
    fn root(&self) -> &'static str {
        routes::ROOT
    }

    fn answer(&mut self, now: DateTime<Utc>, asked: &SandboxRequest) -> Reply {
        if matches!(asked.path.as_str(), "/" | "/list") {
            return self.page(now, asked);
        }
        if asked.path == "/control" || asked.path.starts_with("/control/") {
            return self.control(now, asked).unwrap_or_else(|refusal| refusal.reply());
        }
        let name = routes::operation(asked);
        *self.counts.entry(name.to_owned()).or_default() += 1;
        let fault = self.draw(name);
        let mut reply = match &fault {
            Some(fault) if !fault.applies => fault.reply(),
            Some(fault) => {
                let done = self.route(now, asked);
                if fault.replaces() { fault.reply() } else { done }
            }
            None => self.route(now, asked),
        };
        reply.delay_ms += self.settings.latency_ms + fault.map_or(0, |fault| fault.delay_ms);
        reply
    }

    fn seed(&mut self, now: DateTime<Utc>, email: &str, zone: &str, events: u64) {
        self.add_person(email, zone);
        // Refused is what there is no room for.
        let _ = self.seed_events(now, email, email, events);
    }

    fn take_due(&mut self, now: DateTime<Utc>) -> Vec<Push> {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pushes).into_iter().partition(|push| push.due <= now);
        self.pushes = later.into();
        due
    }

    fn delivered(&mut self, now: DateTime<Utc>, push: Push, status: Option<u16>) {
        self.try_again(now, push, status);
    }
}

fn is_same_but_reminders(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    const APART: [&str; 3] = ["etag", "reminders", "updated"];
    let rest = |item: &Map<String, Value>| -> Map<String, Value> {
        item.iter().filter(|(name, _)| !APART.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
    };
    rest(one) == rest(other)
}
