//! `/control`: people, faults and figures for tests.

use chrono::{DateTime, Duration, Timelike, Utc};
use serde_json::{Map, Value, json};

use super::{Answer, Calendar, Google, Person, errors::Refusal, watch::Mode};
use crate::sandbox::reply::{Asked, Reply};

/// Scopes of tokens that are handed out without a consent.
const ALL: [&str; 2] = ["https://www.googleapis.com/auth/calendar", "openid"];
/// Longest that an answer is made to take, in milliseconds.
const LATENCY_MAX_MS: u64 = 60_000;
/// Most events that one request seeds.
const SEED_MAX: u64 = 50_000;

/// Something that goes wrong with the next requests of a kind.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// The operation (`events.list`), or `*`.
    pub matches: String,
    /// How many times more.
    pub times: u64,
    /// What is answered; `None`: what would be answered anyway.
    pub status: Option<u16>,
    pub reason: String,
    /// Whether the answer is somebody else's page, as of a network that wants a log-in first.
    pub page: bool,
    pub retry_after: Option<u64>,
    /// Whether the request is carried out all the same.
    pub applies: bool,
    /// Whether the answer is lost.
    pub drop: bool,
    pub delay_ms: u64,
}

impl Fault {
    fn read(body: &Value) -> Self {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        let says = |name: &str| body.get(name) == Some(&Value::Bool(true));
        let status = number("status").and_then(|status| u16::try_from(status).ok());
        Self {
            matches: text("operation").unwrap_or_else(|| "*".to_owned()),
            times: number("times").unwrap_or(1),
            status,
            reason: text("reason").unwrap_or_else(|| "backendError".to_owned()),
            page: says("page"),
            retry_after: number("retry_after"),
            // What is only slow is carried out.
            applies: says("apply") || (status.is_none() && !says("drop") && !says("page")),
            drop: says("drop"),
            delay_ms: number("delay_ms").unwrap_or(0).min(LATENCY_MAX_MS),
        }
    }

    /// Whether another answer is given than the real one.
    pub(super) fn replaces(&self) -> bool {
        self.drop || self.page || self.status.is_some()
    }

    pub(super) fn reply(&self) -> Reply {
        if self.drop {
            return Reply { dropped: true, ..Reply::default() };
        }
        if self.page {
            return Reply::page(self.status.unwrap_or(200), "<!doctype html><p>Please log in".to_owned());
        }
        let domain = if self.reason.contains("LimitExceeded") || self.reason == "quotaExceeded" {
            "usageLimits"
        } else {
            "global"
        };
        let mut reply = Refusal::new(self.status.unwrap_or(503), domain, &self.reason).reply();
        reply.headers.extend(self.retry_after.map(|seconds| ("retry-after".to_owned(), seconds.to_string())));
        reply
    }
}

impl Google {
    pub(super) fn control(&mut self, now: DateTime<Utc>, asked: &Asked) -> Answer {
        let body = asked.json().ok_or_else(|| Refusal::new(400, "global", "parseError"))?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        let need = |name: &str| text(name).ok_or_else(|| Refusal::required(format!("Missing {name}.")));
        let done = || Ok(Reply::json(200, &json!({ "ok": true })));
        match (asked.method.as_str(), asked.path.trim_start_matches("/control").trim_matches('/')) {
            ("GET", "") => {
                Ok(Reply::json(200, &json!({ "sandbox": "google", "people": self.people.keys().collect::<Vec<_>>() })))
            }
            ("POST", "users") => self.make_person(now, &need("email")?, text("time_zone").as_deref()),
            ("POST", "calendars") => self.make_calendar(&need("email")?, &need("summary")?, text("role").as_deref()),
            ("POST", "seed") => {
                let email = need("email")?;
                let calendar = text("calendar").unwrap_or_else(|| email.clone());
                self.seed_events(now, &email, &calendar, number("events").unwrap_or(100).min(SEED_MAX))
            }
            ("POST", "events") => self.put_raw(now, &need("email")?, text("calendar").as_deref(), &body),
            ("POST", "restore") => self.restore(now, &need("email")?, text("calendar").as_deref(), &need("id")?),
            ("POST", "faults") => {
                self.faults.push(Fault::read(&body));
                done()
            }
            ("DELETE", "faults") => {
                self.faults.clear();
                done()
            }
            ("POST", "expire-sync-tokens") => {
                self.people
                    .values_mut()
                    .flat_map(|person| person.calendars.values_mut())
                    .for_each(|held| held.epoch += 1);
                done()
            }
            ("POST", "expire-access-tokens") => {
                self.tokens.clear();
                done()
            }
            ("POST", "revoke") => {
                let email = need("email")?;
                let gone: Vec<_> = self
                    .grants
                    .iter()
                    .filter(|(_, grant)| grant.email == email)
                    .map(|(name, _)| name.clone())
                    .collect();
                for name in &gone {
                    self.end_grant(name);
                }
                done()
            }
            ("POST", "settings") => {
                self.set(&body)?;
                done()
            }
            ("POST", "forge") => {
                self.forge(
                    now,
                    &need("address")?,
                    &need("channel")?,
                    &text("resource").unwrap_or_default(),
                    &text("token").unwrap_or_default(),
                );
                done()
            }
            ("GET", "channels") => Ok(Reply::json(200, &self.tell_channels())),
            ("GET", "requests") => Ok(Reply::json(200, &json!(self.counts))),
            ("DELETE", "requests") => {
                self.counts.clear();
                done()
            }
            _ => Err(Refusal::new(404, "global", "notFound")),
        }
    }

    /// Takes over the settings that are given.
    fn set(&mut self, body: &Value) -> Result<(), Refusal> {
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        let signed = |name: &str| body.get(name).and_then(Value::as_i64);
        let settings = &mut self.settings;
        settings.latency_ms = number("latency_ms").map_or(settings.latency_ms, |ms| ms.min(LATENCY_MAX_MS));
        settings.token_ttl_s = signed("token_ttl_s").unwrap_or(settings.token_ttl_s);
        settings.notification_delay_ms = signed("notification_delay_ms").unwrap_or(settings.notification_delay_ms);
        if let Some(size) = number("page_max") {
            settings.page_max = usize::try_from(size).unwrap_or(2_500).max(1);
        }
        let flag = |name: &str, now| body.get(name).and_then(Value::as_bool).unwrap_or(now);
        settings.auto_approve = flag("auto_approve", settings.auto_approve);
        settings.keeps_exceptions = flag("keep_exceptions", settings.keeps_exceptions);
        settings.lasting = flag("refresh_tokens", settings.lasting);
        match body.get("notifications").and_then(Value::as_str) {
            Some("normal") => settings.notifications = Mode::Normal,
            Some("drop") => settings.notifications = Mode::Drop,
            Some("duplicate") => settings.notifications = Mode::Duplicate,
            Some(_) => return Err(Refusal::invalid("notifications: normal, drop or duplicate")),
            None => {}
        }
        Ok(())
    }

    fn tell_channels(&self) -> Value {
        let told: Vec<_> = self
            .channels
            .iter()
            .map(|(id, held)| {
                json!({ "id": id, "calendar": held.calendar, "address": held.address, "resourceId": held.resource,
                    "expires": held.expires.to_rfc3339() })
            })
            .collect();
        json!({ "channels": told })
    }

    /// The fault that the next request of a kind meets.
    pub(super) fn draw(&mut self, operation: &str) -> Option<Fault> {
        let at = self.faults.iter().position(|fault| fault.matches == "*" || fault.matches == operation)?;
        let fault = self.faults.get_mut(at)?;
        fault.times = fault.times.saturating_sub(1);
        let drawn = fault.clone();
        if drawn.times == 0 {
            self.faults.remove(at);
        }
        Some(drawn)
    }

    fn make_person(&mut self, now: DateTime<Utc>, email: &str, zone: Option<&str>) -> Answer {
        if !email.contains('@') {
            return Err(Refusal::invalid("email: an address"));
        }
        let zone = zone.unwrap_or("Europe/Paris");
        if zone.parse::<chrono_tz::Tz>().is_err() {
            return Err(Refusal::invalid("time_zone: an IANA name"));
        }
        self.add_person(email, zone);
        let scopes: Vec<String> = ALL.iter().map(|scope| (*scope).to_owned()).collect();
        let refresh = format!("1//{}", self.invent("refresh"));
        let grant =
            super::oauth::Grant { email: email.to_owned(), client: "control".to_owned(), scopes: scopes.clone() };
        self.grants.insert(refresh.clone(), grant);
        let access = self.make_token(now, email, &scopes, Some(&refresh));
        let person = self.people.get(email);
        let calendars: Vec<_> = person.into_iter().flat_map(|held| held.calendars.keys().cloned()).collect();
        Ok(Reply::json(
            200,
            &json!({ "email": email, "access_token": access, "refresh_token": refresh, "client_id": "control",
            "calendars": calendars }),
        ))
    }

    /// A person with a primary calendar and one more; known people stay as they are.
    pub fn add_person(&mut self, email: &str, zone: &str) {
        let calendar = |id: &str, summary: &str, primary| Calendar {
            id: id.to_owned(),
            summary: summary.to_owned(),
            time_zone: zone.to_owned(),
            role: "owner".to_owned(),
            primary,
            events: std::collections::BTreeMap::new(),
            changes: 0,
            epoch: 1,
        };
        let family = format!("family-{}@group.calendar.google.com", email.replace('@', "-at-"));
        self.people.entry(email.to_owned()).or_insert_with(|| Person {
            calendars: [
                (email.to_owned(), calendar(email, email, true)),
                (family.clone(), calendar(&family, "Family", false)),
            ]
            .into(),
        });
    }

    fn make_calendar(&mut self, email: &str, summary: &str, role: Option<&str>) -> Answer {
        let id = format!("{}@group.calendar.google.com", self.invent("calendar"));
        let person = self.people.get_mut(email).ok_or_else(|| Refusal::new(404, "global", "notFound"))?;
        let zone = person.calendars.values().next().map_or_else(|| "UTC".to_owned(), |held| held.time_zone.clone());
        let held = Calendar {
            id: id.clone(),
            summary: summary.to_owned(),
            time_zone: zone,
            role: role.unwrap_or("owner").to_owned(),
            primary: false,
            events: std::collections::BTreeMap::new(),
            changes: 0,
            epoch: 1,
        };
        person.calendars.insert(id.clone(), held);
        Ok(Reply::json(200, &json!({ "id": id })))
    }

    /// A busy fortnight and beyond: meetings through the weeks, one series in every ten.
    pub(super) fn seed_events(&mut self, now: DateTime<Utc>, email: &str, calendar: &str, events: u64) -> Answer {
        const TITLES: [&str; 8] = [
            "Stand-up",
            "School run",
            "Dentist",
            "Piano lesson",
            "Review",
            "Lunch with Sam",
            "Swimming",
            "Parents' evening",
        ];
        let zone = self.calendar(email, calendar)?.time_zone.clone();
        let morning = now
            .with_hour(7)
            .and_then(|at| at.with_minute(0))
            .and_then(|at| at.with_second(0))
            .and_then(|at| at.with_nanosecond(0))
            .unwrap_or(now);
        for n in 0..events {
            let start = morning
                + Duration::days(i64::try_from(n / 6).unwrap_or(0) % 300)
                + Duration::minutes(i64::try_from(n % 6).unwrap_or(0) * 100);
            let id = self.invent("event");
            let title = TITLES.get(usize::try_from(n).unwrap_or(0) % TITLES.len()).copied().unwrap_or_default();
            let time = |at: DateTime<Utc>| {
                let tz: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
                json!({ "dateTime": at.with_timezone(&tz).to_rfc3339_opts(chrono::SecondsFormat::Secs, true), "timeZone": zone })
            };
            let mut item = complete(now, email, &id);
            item.insert("summary".to_owned(), json!(format!("{title} {n}")));
            item.insert("start".to_owned(), time(start));
            item.insert("end".to_owned(), time(start + Duration::minutes(45)));
            if n % 10 == 9 {
                item.insert("recurrence".to_owned(), json!(["RRULE:FREQ=WEEKLY;COUNT=12"]));
            }
            self.keep(now, email, calendar, item)?;
        }
        Ok(Reply::json(200, &json!({ "events": events })))
    }

    /// Puts an item there as it is, for kinds of events that nobody can make by request. What it lacks is filled in.
    pub(super) fn put_raw(&mut self, now: DateTime<Utc>, email: &str, calendar: Option<&str>, body: &Value) -> Answer {
        let item = body.get("event").and_then(Value::as_object).ok_or_else(|| Refusal::required("Missing event."))?;
        let id = match item.get("id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => self.invent("event"),
        };
        let mut whole = complete(now, email, &id);
        whole.extend(item.clone());
        let kept = self.keep(now, email, calendar.unwrap_or("primary"), whole)?;
        Ok(Reply::json(200, &Value::Object(kept)))
    }
}

impl Google {
    /// A person takes an event out of the bin. The exceptions that went with a series are back with it, and no list of changes
    /// tells of them: they are as old as they were.
    fn restore(&mut self, now: DateTime<Utc>, email: &str, calendar: Option<&str>, id: &str) -> Answer {
        let calendar = calendar.unwrap_or("primary");
        let held = self.calendar_mut(email, calendar)?;
        let deleted = held.events.get(id).and_then(|one| one.bin.clone());
        let item = deleted.ok_or_else(|| Refusal::new(404, "global", "notFound"))?;
        for one in held.events.values_mut().filter(|one| one.text("recurringEventId") == id && one.with_series) {
            if let Some(before) = one.bin.take() {
                (one.item, one.change, one.with_series) = (before, 0, false);
            }
        }
        let kept = self.keep(now, email, calendar, item)?;
        Ok(Reply::json(200, &Value::Object(kept)))
    }
}

/// What every event has that a person made.
fn complete(now: DateTime<Utc>, email: &str, id: &str) -> Map<String, Value> {
    let item = json!({
        "kind": "calendar#event", "id": id, "status": "confirmed",
        "created": now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "htmlLink": format!("https://www.google.com/calendar/event?eid={id}"), "iCalUID": format!("{id}@google.com"),
        "sequence": 0, "creator": { "email": email, "self": true }, "organizer": { "email": email, "self": true },
        "reminders": { "useDefault": true }, "eventType": "default",
    });
    item.as_object().cloned().unwrap_or_default()
}
