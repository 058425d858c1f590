//! Google's OAuth and Calendar v3, as far as `../README.md` says.
//!
//! **Invariant:** every write gives the event a new `etag` and its calendar a new change number; a sync token is such a number.

mod batch;
mod busy;
mod control;
mod errors;
mod events;
mod expand;
mod listing;
mod oauth;
mod page;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

pub use self::watch::Push;
use self::{
    control::Fault,
    errors::Refusal,
    oauth::{Code, Grant, Token},
    watch::Channel,
};
use super::reply::{Asked, Reply};

/// Where everything of this look-alike begins.
const ROOT: &str = "/google";
/// Scopes that may change events.
const MAY_WRITE: &[&str] = &["calendar", "calendar.events", "calendar.events.owned", "calendar.app.created"];
/// Scopes that may read events.
const MAY_READ: &[&str] =
    &["calendar", "calendar.readonly", "calendar.events", "calendar.events.readonly", "calendar.events.owned"];
/// Scopes that may list calendars.
const MAY_LIST: &[&str] = &["calendar", "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly"];
/// Scopes that may ask for busy time.
const MAY_ASK_BUSY: &[&str] = &["calendar", "calendar.readonly", "calendar.freebusy", "calendar.events.freebusy"];

/// The whole world.
#[derive(Clone, Debug, Default)]
pub struct Google {
    people: BTreeMap<String, Person>,
    codes: BTreeMap<String, Code>,
    grants: BTreeMap<String, Grant>,
    tokens: BTreeMap<String, Token>,
    channels: BTreeMap<String, Channel>,
    pushes: VecDeque<Push>,
    faults: Vec<Fault>,
    counts: BTreeMap<String, u64>,
    settings: Settings,
    seed: u64,
    made: u64,
}

/// What `/control/settings` changes.
#[derive(Clone, Debug)]
struct Settings {
    latency_ms: u64,
    token_ttl_s: i64,
    auto_approve: bool,
    notifications: watch::Mode,
    notification_delay_ms: i64,
    page_max: usize,
    /// Whether exceptions outlive the occurrence that they stand for when its series is cut or moved: documented as lost, seen
    /// to stay.
    keeps_exceptions: bool,
    /// Whether a consent gives a refresh token when it may.
    lasting: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            token_ttl_s: 3_599,
            auto_approve: false,
            notifications: watch::Mode::Normal,
            notification_delay_ms: 50,
            page_max: 2_500,
            keeps_exceptions: false,
            lasting: true,
        }
    }
}

#[derive(Clone, Debug)]
struct Person {
    calendars: BTreeMap<String, Calendar>,
}

#[derive(Clone, Debug)]
struct Calendar {
    id: String,
    summary: String,
    time_zone: String,
    role: String,
    primary: bool,
    events: BTreeMap<String, Stored>,
    /// Grows with every write.
    changes: u64,
    /// Grows when its sync tokens expire.
    epoch: u64,
}

#[derive(Clone, Debug)]
struct Stored {
    item: Map<String, Value>,
    change: u64,
    /// What it said before it was deleted: what a person takes out of the bin.
    bin: Option<Map<String, Value>>,
    /// An exception that was deleted because its series was.
    with_series: bool,
}

impl Stored {
    fn cancelled(&self) -> bool {
        self.item.get("status").and_then(Value::as_str) == Some("cancelled")
    }

    fn text(&self, name: &str) -> &str {
        self.item.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Who asks, and what they may.
struct Caller {
    email: String,
    scopes: Vec<String>,
}

impl Caller {
    fn needs(&self, any: &[&str]) -> Result<(), Refusal> {
        const PREFIX: &str = "https://www.googleapis.com/auth/";
        let has = |scope: &String| scope.strip_prefix(PREFIX).is_some_and(|name| any.contains(&name));
        if self.scopes.iter().any(has) { Ok(()) } else { Err(Refusal::new(403, "global", "insufficientPermissions")) }
    }
}

type Answer = Result<Reply, Refusal>;

impl Google {
    /// An empty world; everything it invents follows from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Answers a request. Total: whatever is asked, there is an answer.
    pub fn answer(&mut self, now: DateTime<Utc>, asked: &Asked) -> Reply {
        if matches!(asked.path.as_str(), "/" | "/list") {
            return self.page(now, asked);
        }
        if asked.path == "/control" || asked.path.starts_with("/control/") {
            return self.control(now, asked).unwrap_or_else(|refusal| refusal.reply());
        }
        let name = operation(asked);
        *self.counts.entry(name.clone()).or_default() += 1;
        let fault = self.draw(&name);
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

    fn route(&mut self, now: DateTime<Utc>, asked: &Asked) -> Reply {
        let Some(path) = asked.path.strip_prefix(ROOT) else {
            return Refusal::new(404, "global", "notFound").reply();
        };
        let done = match path {
            "/o/oauth2/v2/auth" => Ok(self.consent(now, asked)),
            "/token" => Ok(self.token(now, asked)),
            "/revoke" => Ok(self.revoke(asked)),
            "/batch/calendar/v3" => self.batch(now, asked),
            _ => match path.strip_prefix("/calendar/v3/") {
                Some(_) => self.calendar_api(now, asked),
                None => Err(Refusal::new(404, "global", "notFound")),
            },
        };
        done.unwrap_or_else(|refusal| refusal.reply())
    }

    fn calendar_api(&mut self, now: DateTime<Utc>, asked: &Asked) -> Answer {
        let caller = self.caller(now, asked)?;
        let pieces = asked.pieces();
        let pieces: Vec<&str> = pieces.iter().skip(3).map(String::as_str).collect();
        let method = asked.method.as_str();
        match (method, pieces.as_slice()) {
            ("GET", ["users", "me", "calendarList"]) => self.calendar_list(&caller, asked),
            ("GET", ["users", "me", "calendarList", id]) => self.calendar_entry(&caller, id),
            ("GET", ["users", "me", "settings"]) => {
                Ok(Reply::json(200, &json!({ "kind": "calendar#settings", "etag": "\"s0\"", "items": [] })))
            }
            ("GET", ["colors"]) => {
                Ok(Reply::json(200, &json!({ "kind": "calendar#colors", "calendar": {}, "event": {} })))
            }
            ("GET", ["calendars", id]) => self.calendar_resource(&caller, id),
            ("POST", ["freeBusy"]) => self.free_busy(&caller, asked),
            ("POST", ["channels", "stop"]) => self.stop(&caller, asked),
            ("GET", ["calendars", id, "events"]) => self.list_events(&caller, id, asked),
            ("POST", ["calendars", id, "events"]) => self.insert(now, &caller, id, asked, false),
            ("POST", ["calendars", id, "events", "import"]) => self.insert(now, &caller, id, asked, true),
            ("POST", ["calendars", id, "events", "watch"]) => self.watch(now, &caller, id, asked),
            ("GET", ["calendars", id, "events", event]) => self.get(&caller, id, event, asked),
            ("PATCH" | "PUT", ["calendars", id, "events", event]) => self.change(now, &caller, id, event, asked),
            ("DELETE", ["calendars", id, "events", event]) => self.delete(now, &caller, id, event, asked),
            ("POST", ["calendars", id, "events", event, "move"]) => self.move_event(now, &caller, id, event, asked),
            ("GET", ["calendars", id, "events", event, "instances"]) => self.instances(&caller, id, event, asked),
            _ => Err(Refusal::new(404, "global", "notFound")),
        }
    }

    /// Whose token this is, if it is good.
    fn caller(&self, now: DateTime<Utc>, asked: &Asked) -> Result<Caller, Refusal> {
        let bearer = asked.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        let token = bearer.and_then(|text| self.tokens.get(text)).filter(|token| token.expires > now);
        let token = token.ok_or_else(|| Refusal::new(401, "global", "authError"))?;
        Ok(Caller { email: token.email.clone(), scopes: token.scopes.clone() })
    }

    /// A calendar that somebody sees, by its id or as `primary`.
    fn calendar(&self, email: &str, id: &str) -> Result<&Calendar, Refusal> {
        let person = self.people.get(email).ok_or_else(|| Refusal::new(404, "global", "notFound"))?;
        let id = if id == "primary" { email } else { id };
        person.calendars.get(id).ok_or_else(|| Refusal::new(404, "global", "notFound"))
    }

    fn calendar_mut(&mut self, email: &str, id: &str) -> Result<&mut Calendar, Refusal> {
        let id = if id == "primary" { email } else { id };
        let person = self.people.get_mut(email).ok_or_else(|| Refusal::new(404, "global", "notFound"))?;
        person.calendars.get_mut(id).ok_or_else(|| Refusal::new(404, "global", "notFound"))
    }

    fn writable(&self, caller: &Caller, id: &str) -> Result<&Calendar, Refusal> {
        caller.needs(MAY_WRITE)?;
        let calendar = self.calendar(&caller.email, id)?;
        match calendar.role.as_str() {
            "owner" | "writer" => Ok(calendar),
            _ => Err(Refusal::new(403, "calendar", "requiredAccessLevel")),
        }
    }

    /// Keeps an event as it now is: a new version, a new change of its calendar, and the channels are told.
    fn keep(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        calendar: &str,
        mut item: Map<String, Value>,
    ) -> Result<Map<String, Value>, Refusal> {
        self.made += 1;
        let etag = format!("\"{}\"", 3_500_000_000_000_000_u64 + self.made * 2);
        item.insert("etag".to_owned(), json!(etag));
        // Of a deleted event nothing is told that need not be.
        if item.get("status").and_then(Value::as_str) != Some("cancelled") {
            item.insert("updated".to_owned(), json!(now.to_rfc3339_opts(SecondsFormat::Millis, true)));
        }
        let held = self.calendar_mut(email, calendar)?;
        held.changes += 1;
        let change = held.changes;
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let gone = item.get("status").and_then(Value::as_str) == Some("cancelled");
        let old = held.events.remove(&id).filter(|_| gone);
        let bin = old.and_then(|old| if old.cancelled() { old.bin } else { Some(old.item) });
        held.events.insert(id, Stored { item: item.clone(), change, bin, with_series: false });
        let calendar = held.id.clone();
        self.tell(now, email, &calendar);
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

/// The name of what is asked, as the discovery document has it: what counts and faults are filed under.
fn operation(asked: &Asked) -> String {
    let pieces = asked.pieces();
    let pieces: Vec<&str> = pieces.iter().skip(1).map(String::as_str).collect();
    let name = match (asked.method.as_str(), pieces.as_slice()) {
        (_, ["token"]) => "token",
        (_, ["revoke"]) => "revoke",
        (_, ["o", ..]) => "consent",
        (_, ["batch", ..]) => "batch",
        ("GET", [_, _, "users", "me", "calendarList"]) => "calendarList.list",
        ("GET", [_, _, "users", "me", "calendarList", _]) => "calendarList.get",
        ("POST", [_, _, "freeBusy"]) => "freebusy.query",
        ("POST", [_, _, "channels", "stop"]) => "channels.stop",
        ("GET", [_, _, "calendars", _, "events"]) => "events.list",
        ("POST", [_, _, "calendars", _, "events"]) => "events.insert",
        ("POST", [_, _, "calendars", _, "events", "import"]) => "events.import",
        ("POST", [_, _, "calendars", _, "events", "watch"]) => "events.watch",
        ("GET", [_, _, "calendars", _, "events", _]) => "events.get",
        ("PATCH", [_, _, "calendars", _, "events", _]) => "events.patch",
        ("PUT", [_, _, "calendars", _, "events", _]) => "events.update",
        ("DELETE", [_, _, "calendars", _, "events", _]) => "events.delete",
        ("POST", [_, _, "calendars", _, "events", _, "move"]) => "events.move",
        ("GET", [_, _, "calendars", _, "events", _, "instances"]) => "events.instances",
        _ => "other",
    };
    name.to_owned()
}
