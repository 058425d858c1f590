//! `/control`: people, faults and figures for tests.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{GoogleLookAlike, SandboxAnswer, errors::SandboxRefusal, watch::NotificationMode};
use crate::sandbox::reply::{Reply, SandboxRequest};

/// Longest that an answer is made to take, in milliseconds.
const LATENCY_MAX_MS: u64 = 60_000;
/// Most events that one request seeds.
const SEED_MAX: u64 = 50_000;

/// Most faults that wait for their requests.
const FAULTS_MAX: usize = 10_000;
/// Most scopes that are unticked.
const UNTICKED_MAX: usize = 100;

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
        let mut reply = SandboxRefusal::new(self.status.unwrap_or(503), domain, &self.reason).reply();
        reply.headers.extend(self.retry_after.map(|seconds| ("retry-after".to_owned(), seconds.to_string())));
        reply
    }
}

impl GoogleLookAlike {
    pub(super) fn control(&mut self, now: DateTime<Utc>, asked: &SandboxRequest) -> SandboxAnswer {
        let body = asked.json().ok_or_else(|| SandboxRefusal::new(400, "global", "parseError"))?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        let need = |name: &str| text(name).ok_or_else(|| SandboxRefusal::required(format!("Missing {name}.")));
        let done = || Ok(Reply::json(200, &json!({ "ok": true })));
        match (asked.method.as_str(), asked.path.trim_start_matches("/control").trim_matches('/')) {
            ("GET", "") => {
                Ok(Reply::json(200, &json!({ "sandbox": "google", "people": self.people.keys().collect::<Vec<_>>() })))
            }
            ("POST", "users") => self.make_person(now, &need("email")?, text("time_zone").as_deref()),
            ("POST", "calendars") => {
                self.make_calendar(now, &need("email")?, &need("summary")?, text("role").as_deref())
            }
            ("POST", "seed") => {
                let email = need("email")?;
                let calendar = text("calendar").unwrap_or_else(|| email.clone());
                self.seed_events(now, &email, &calendar, number("events").unwrap_or(100).min(SEED_MAX))
            }
            ("POST", "events") => self.put_raw(now, &need("email")?, text("calendar").as_deref(), &body),
            ("POST", "restore") => self.restore(now, &need("email")?, text("calendar").as_deref(), &need("id")?),
            ("POST", "faults") => {
                if self.faults.len() >= FAULTS_MAX {
                    return Err(SandboxRefusal::invalid(format!("faults: no more than {FAULTS_MAX} can wait")));
                }
                self.faults.push(Fault::read(&body));
                done()
            }
            ("DELETE", "faults") => {
                self.faults.clear();
                done()
            }
            ("POST", "expire-sync-tokens") => {
                for person in self.people.values_mut() {
                    person.list_epoch += 1;
                    person.calendars.values_mut().for_each(|held| held.epoch += 1);
                }
                done()
            }
            ("POST", "expire-access-tokens") => {
                self.tokens.clear();
                done()
            }
            ("POST", "revoke") => {
                self.end_grants_of(&need("email")?);
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
            ("GET", "mails") => Ok(Reply::json(200, &json!({ "mails": self.mails }))),
            ("DELETE", "mails") => {
                self.mails.clear();
                done()
            }
            ("GET", "channels") => Ok(Reply::json(200, &self.list_channels())),
            ("GET", "requests") => Ok(Reply::json(200, &json!(self.counts))),
            ("DELETE", "requests") => {
                self.counts.clear();
                done()
            }
            _ => Err(SandboxRefusal::new(404, "global", "notFound")),
        }
    }

    fn end_grants_of(&mut self, email: &str) {
        let held = self.grants.iter().filter(|(_, grant)| grant.email == email);
        let gone: Vec<_> = held.map(|(name, _)| name.clone()).collect();
        for name in &gone {
            self.end_grant(name);
        }
    }

    /// Takes over the settings that are given.
    fn set(&mut self, body: &Value) -> Result<(), SandboxRefusal> {
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
        if let Some(scopes) = body.get("untick_scopes") {
            let scopes = scopes.as_array().filter(|scopes| scopes.len() <= UNTICKED_MAX);
            let scopes = scopes.ok_or_else(|| SandboxRefusal::invalid("untick_scopes: a list of scopes"))?;
            settings.unticked = scopes.iter().filter_map(Value::as_str).map(whole_scope).collect();
        }
        match body.get("notifications").and_then(Value::as_str) {
            Some("normal") => settings.notifications = NotificationMode::Normal,
            Some("drop") => settings.notifications = NotificationMode::Drop,
            Some("duplicate") => settings.notifications = NotificationMode::Duplicate,
            Some(_) => return Err(SandboxRefusal::invalid("notifications: normal, drop or duplicate")),
            None => {}
        }
        Ok(())
    }

    fn list_channels(&self) -> Value {
        let channels: Vec<_> = self
            .channels
            .iter()
            .map(|(id, held)| {
                json!({ "id": id, "calendar": held.place, "address": held.address, "resourceId": held.resource,
                    "expires": held.expires.to_rfc3339() })
            })
            .collect();
        json!({ "channels": channels })
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
}

/// A scope by its whole name, or by what it is called below Google's.
fn whole_scope(name: &str) -> String {
    if name.starts_with("calendar") { format!("https://www.googleapis.com/auth/{name}") } else { name.to_owned() }
}
