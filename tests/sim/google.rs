//! The Google side of the story: the look-alike, people who edit there, and what is wrong with what it is asked.

use std::collections::{BTreeMap, BTreeSet};

use calwarden::{
    domain::{
        failure::FailureClass,
        ids::{RemoteEventId, Revision},
        promise::Promise,
    },
    provider::{self, Known, ProviderError},
    sandbox::{LookAlike as _, Reply, SandboxRequest, google::GoogleLookAlike},
};
use chrono::{DateTime, Duration, Utc};
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

use super::{
    desks::is_planned,
    faults::{Fault, Outcome},
    people::{Lineage, numbers},
    planned::tells_what_is_private,
};
use crate::support::discovery::document;

/// Where the API begins.
const API: &str = "/google/calendar/v3";
/// A field of theirs that we do not model; it must survive everything.
const THEIRS: &str = "5";

/// The world there.
pub struct Side {
    pub google: GoogleLookAlike,
    /// Promises that a request broke.
    pub broken: Vec<String>,
    /// Occurrences that were not what their series says when it was erased, by the series.
    erased: BTreeMap<String, Vec<Value>>,
}

impl Side {
    pub fn new(seed: u64, people: &[&str]) -> Self {
        let mut side = Self { google: GoogleLookAlike::new(seed), broken: Vec::new(), erased: BTreeMap::new() };
        for person in people {
            side.google.add_person(&email(person), "Europe/Paris");
        }
        let now = DateTime::<Utc>::UNIX_EPOCH;
        // What becomes of the exceptions that a series has no place for any more is not the same everywhere.
        let keep = seed % 2 == 1;
        side.control(now, "POST", "settings", &json!({ "auto_approve": true, "page_max": 4, "keep_exceptions": keep }));
        side
    }

    /// One request of the process under test, judged.
    pub fn answer(&mut self, now: DateTime<Utc>, asked: &SandboxRequest) -> Reply {
        if tells_what_is_private(&String::from_utf8_lossy(&asked.body)) {
            self.broken
                .push(Promise::NothingPrivate.broken(format!("{} {} tells what is private", asked.method, asked.path)));
        }
        if let Some(path) = asked.path.strip_prefix(API) {
            self.broken.extend(document().request(&asked.method, path, &asked.query, &asked.body));
            if matches!(asked.method.as_str(), "PATCH" | "PUT" | "DELETE") && asked.header("if-match").is_none() {
                self.broken.push(Promise::Conditional.broken(format!("unconditional {} {path}", asked.method)));
            }
            let makes = asked.method == "POST" && path.ends_with("/events");
            if makes && !String::from_utf8_lossy(&asked.body).contains("\"id\":") {
                self.broken.push(Promise::SafeRetry.broken(format!("POST {path} does not name what it makes")));
            }
            if asked.method != "GET" && path.contains("/events") && !path.ends_with("/watch") {
                let quiet = asked.param("sendUpdates") == Some("none");
                if !quiet {
                    self.broken.push(Promise::NobodyMailed.broken(format!("{} {path} tells guests", asked.method)));
                }
            }
        }
        self.google.answer(now, asked)
    }

    /// What a request meets under a fault.
    pub fn handle(&mut self, now: DateTime<Utc>, asked: &SandboxRequest, fault: Fault) -> Outcome<Reply> {
        match fault {
            Fault::None => Outcome::Answer(self.answer(now, asked)),
            Fault::Status(status) => Outcome::Answer(refusal(status, "backendError")),
            Fault::TooMany(form) => {
                let mut reply = match form {
                    0 => refusal(403, "rateLimitExceeded"),
                    1 => refusal(403, "userRateLimitExceeded"),
                    2 => refusal(403, "quotaExceeded"),
                    _ => refusal(429, "rateLimitExceeded"),
                };
                if form == 0 {
                    reply.headers.push(("retry-after".to_owned(), "7".to_owned()));
                }
                Outcome::Answer(reply)
            }
            Fault::ResetBefore => Outcome::Reset,
            Fault::ResetAfter => {
                self.answer(now, asked);
                Outcome::Reset
            }
            Fault::Zombie(after) => Outcome::ResetThenApply(after),
            Fault::Stall => Outcome::Late(90, self.answer(now, asked)),
            Fault::Truncated => Outcome::Half(self.answer(now, asked)),
            Fault::Html => Outcome::Answer(Reply::page(200, "<!doctype html><p>Please log in".to_owned())),
            Fault::Refused => Outcome::Answer(refusal(401, "authError")),
            Fault::Forget => {
                self.control(now, "POST", "expire-sync-tokens", &json!({}));
                Outcome::Answer(self.answer(now, asked))
            }
        }
    }

    pub fn control(&mut self, now: DateTime<Utc>, method: &str, path: &str, body: &Value) -> Value {
        let mut asked = SandboxRequest::target(method, &format!("/control/{path}"));
        asked.body = body.to_string().into_bytes();
        let reply = self.google.answer(now, &asked);
        assert_eq!(reply.status, 200, "{path}");
        serde_json::from_slice(&reply.body).expect("JSON")
    }

    /// Writes to events so far, by whomever.
    pub fn writes(&mut self) -> u64 {
        let counts = self.control(DateTime::<Utc>::UNIX_EPOCH, "GET", "requests", &Value::Null);
        ["events.insert", "events.patch", "events.delete"].iter().filter_map(|name| counts[name].as_u64()).sum()
    }

    fn call(&mut self, now: DateTime<Utc>, person: &str, method: &str, path: &str, body: &Value) -> Value {
        let made = self.control(now, "POST", "users", &json!({ "email": email(person) }));
        let mut asked = SandboxRequest::target(method, &format!("{API}/calendars/primary/events{path}"));
        let token = made["access_token"].as_str().expect("a token");
        asked.headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        if !body.is_null() {
            asked.body = body.to_string().into_bytes();
        }
        let reply = self.google.answer(now, &asked);
        assert!((200..300).contains(&reply.status), "{method} {path}: {}", String::from_utf8_lossy(&reply.body));
        serde_json::from_slice(&reply.body).unwrap_or(Value::Null)
    }

    /// Everything in somebody's calendar, exceptions apart.
    pub fn events(&mut self, now: DateTime<Utc>, person: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut page = String::new();
        loop {
            let told = self.call(now, person, "GET", &format!("?maxResults=2500{page}"), &Value::Null);
            found.extend(told["items"].as_array().expect("items").iter().cloned());
            match told["nextPageToken"].as_str() {
                Some(next) => page = format!("&pageToken={next}"),
                None => return found,
            }
        }
    }

    /// What a person sees in their calendar: when each occurrence begins, and what it is called.
    pub fn shown(&mut self, now: DateTime<Utc>, person: &str) -> Vec<(DateTime<Utc>, String)> {
        let mut found = Vec::new();
        let mut page = String::new();
        loop {
            let told =
                self.call(now, person, "GET", &format!("?singleEvents=true&maxResults=2500{page}"), &Value::Null);
            let living = told["items"].as_array().expect("items").iter().filter(|item| item["status"] != "cancelled");
            found.extend(living.map(|item| {
                let day = || format!("{}T00:00:00Z", item["start"]["date"].as_str().expect("a start"));
                let start = item["start"]["dateTime"].as_str().map_or_else(day, str::to_owned);
                (start.parse().expect("a start"), item["summary"].as_str().unwrap_or_default().to_owned())
            }));
            match told["nextPageToken"].as_str() {
                Some(next) => page = format!("&pageToken={next}"),
                None => break,
            }
        }
        found.sort();
        found
    }

    /// One thing that a person does with another client. `deletes`: whether they delete whole events.
    pub fn act(
        &mut self,
        now: DateTime<Utc>,
        person: &str,
        deletes: bool,
        rng: &mut StdRng,
        lineage: &mut Lineage,
    ) -> Option<String> {
        let all = self.events(now, person);
        let theirs = |item: &&Value| {
            item["recurringEventId"].is_null() && !is_planned(item["summary"].as_str().unwrap_or_default())
        };
        let masters: Vec<_> = all.iter().filter(theirs).collect();
        let choice = rng.random_range(0..12);
        if masters.is_empty() || choice < 3 {
            return Some(self.create(now, person, rng, lineage));
        }
        let item = masters[rng.random_range(0..masters.len())];
        let (name, path) = (name(item), format!("/{}", item["id"].as_str().expect("an id")));
        let exceptions = all.iter().filter(|other| other["recurringEventId"] == item["id"]);
        match choice {
            3 if deletes => {
                // Whoever deletes a series has seen what its occurrences say.
                let upon = exceptions.chain([item]).flat_map(|one| numbers(&one.to_string())).collect();
                lineage.delete(&name, upon, "there");
                self.call(now, person, "DELETE", &path, &Value::Null);
                Some(format!("there: delete {name}"))
            }
            4..7 if !item["recurrence"].is_null() => {
                self.act_on_occurrence(now, person, item, choice == 4, rng, lineage)
            }
            _ => {
                let (field, said) = if choice % 2 == 0 { ("summary", "retitled") } else { ("location", "relocated") };
                let id =
                    lineage.edit(numbers(item[field].as_str().unwrap_or_default()), format!("{name} {said} there"));
                let text = if field == "summary" { format!("{name} #{id}") } else { format!("room #{id}") };
                self.call(now, person, "PATCH", &path, &json!({ field: text }));
                Some(format!("there: {said} {name} #{id}"))
            }
        }
    }

    /// The events of somebody's own in their calendar, each with its id and everything it says, its exceptions included.
    pub fn theirs(&mut self, now: DateTime<Utc>, person: &str) -> Vec<(String, String, Vec<usize>)> {
        let all = self.events(now, person);
        let is_whole = |item: &&Value| {
            item["recurringEventId"].is_null()
                && item["status"] != "cancelled"
                && !is_planned(item["summary"].as_str().unwrap_or_default())
        };
        let told = |item: &Value| {
            let own = all.iter().filter(|other| other["recurringEventId"] == item["id"]).chain([item]);
            own.flat_map(|one| numbers(&one.to_string())).collect()
        };
        let whole = all.iter().filter(is_whole);
        whole.map(|item| (name(item), item["id"].as_str().expect("an id").to_owned(), told(item))).collect()
    }

    /// How many events there are in somebody's calendar, planned ones included.
    pub fn count(&mut self, now: DateTime<Utc>, person: &str) -> usize {
        let all = self.events(now, person);
        all.iter().filter(|item| item["recurringEventId"].is_null() && item["status"] != "cancelled").count()
    }

    /// Everything in somebody's calendar in its version.
    pub fn versions(&mut self, now: DateTime<Utc>, person: &str) -> Vec<String> {
        let all = self.events(now, person);
        all.iter().map(|item| format!("{} {}", item["id"], item["etag"])).collect()
    }

    pub fn erase(&mut self, now: DateTime<Utc>, person: &str, id: &str) {
        let own = |item: &Value| item["recurringEventId"] == id && item["status"] != "cancelled";
        let occurrences = self.events(now, person).into_iter().filter(own).collect();
        self.erased.insert(id.to_owned(), occurrences);
        self.call(now, person, "DELETE", &format!("/{id}"), &Value::Null);
    }

    /// So many seconds a token lasts from now on.
    pub fn keep_tokens(&mut self, now: DateTime<Utc>, seconds: u32) {
        self.control(now, "POST", "settings", &json!({ "token_ttl_s": seconds }));
    }

    /// Takes an event out of the bin, and what its occurrences said.
    pub fn give_back(&mut self, now: DateTime<Utc>, person: &str, id: &str) {
        self.call(now, person, "PATCH", &format!("/{id}"), &json!({ "status": "confirmed" }));
        for was in self.erased.remove(id).unwrap_or_default() {
            let one = was["id"].as_str().expect("an id");
            let said = json!({ "status": "confirmed", "summary": was["summary"], "location": was["location"],
                "start": was["start"], "end": was["end"] });
            self.call(now, person, "PATCH", &format!("/{one}"), &said);
        }
    }

    /// Puts a lunch there.
    pub fn put(&mut self, now: DateTime<Utc>, person: &str, title: &str) {
        let time = |hour: u32| json!({ "dateTime": format!("2026-04-10T{hour:02}:00:00"), "timeZone": "Europe/Paris" });
        let event = json!({ "summary": title, "start": time(12), "end": time(13) });
        self.call(now, person, "POST", "", &event);
    }

    /// One write of a person's own.
    pub fn write_event(&mut self, now: DateTime<Utc>, person: &str, method: &str, path: &str, body: &Value) {
        self.call(now, person, method, path, body);
    }

    pub fn create(&mut self, now: DateTime<Utc>, person: &str, rng: &mut StdRng, lineage: &mut Lineage) -> String {
        let name = lineage.name();
        let id = lineage.edit(Vec::new(), format!("{name} created there"));
        let start = lineage.day(rng);
        let time = |at: chrono::NaiveDateTime| json!({ "dateTime": at.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "Europe/Paris" });
        let mut event = json!({ "summary": format!("{name} #{id}"), "start": time(start), "end": time(start + Duration::hours(1)),
            "colorId": THEIRS });
        if rng.random_range(0..3) == 0 {
            event["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=4"]);
        }
        self.call(now, person, "POST", "", &event);
        format!("there: create {name}")
    }

    fn act_on_occurrence(
        &mut self,
        now: DateTime<Utc>,
        person: &str,
        master: &Value,
        delete: bool,
        rng: &mut StdRng,
        lineage: &mut Lineage,
    ) -> Option<String> {
        let id = master["id"].as_str().expect("an id");
        let told = self.call(now, person, "GET", &format!("/{id}/instances"), &Value::Null);
        let all = told["items"].as_array().expect("items");
        let one = all.get(rng.random_range(0..all.len().max(1)))?;
        let (name, path) = (name(master), format!("/{}", one["id"].as_str().expect("an id")));
        let plain = one["summary"] == master["summary"] && one["location"] == master["location"];
        if delete {
            // One that says something of its own is left: its words would be gone without a trace.
            if !plain || all.len() < 2 {
                return None;
            }
            self.call(now, person, "DELETE", &path, &Value::Null);
            return Some(format!("there: delete an occurrence of {name}"));
        }
        let upon = numbers(one["summary"].as_str().unwrap_or_default());
        let id = lineage.edit(upon, format!("{name} occurrence retitled there"));
        self.call(now, person, "PATCH", &path, &json!({ "summary": format!("{name} #{id}") }));
        Some(format!("there: retitle an occurrence of {name} #{id}"))
    }

    /// I-7: what we do not model is still there.
    pub fn kept(&mut self, now: DateTime<Utc>, person: &str) -> Vec<String> {
        let all = self.events(now, person);
        let named = |item: &&Value| !item["extendedProperties"]["private"]["calwardenUid"].is_null();
        let ours: BTreeSet<_> = all.iter().filter(named).filter_map(|item| item["id"].as_str()).collect();
        // An occurrence that was deleted there and that we brought back has no name of its own, but its series' has.
        let made_there = |item: &Value| {
            let of = item["recurringEventId"].as_str().or(item["id"].as_str());
            !named(&item) && !of.is_some_and(|id| ours.contains(id))
        };
        let living = all.iter().filter(|item| item["status"] != "cancelled");
        let robbed = living.filter(|item| made_there(item) && item["colorId"] != THEIRS);
        robbed
            .map(|item| Promise::UnknownSurvives.broken(format!("the colour of {} is gone: {item}", name(item))))
            .collect()
    }
}

/// Somebody's address there.
pub fn email(person: &str) -> String {
    format!("{person}@example.com")
}

fn name(item: &Value) -> String {
    item["summary"].as_str().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned()
}

fn refusal(status: u16, reason: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "error": { "code": status, "message": reason, "errors": [{ "domain": "global", "reason": reason, "message": reason }] } }),
    )
}

/// Nothing is held.
pub struct Nothing;

#[async_trait::async_trait]
impl Known for Nothing {
    fn revision(&self, _: &RemoteEventId) -> Option<&Revision> {
        None
    }

    async fn raw(&self, _: &RemoteEventId) -> provider::Result<Option<Vec<u8>>> {
        Err(ProviderError::new(FailureClass::Malformed, "a snapshot needs nothing that is held"))
    }
}
