//! Watch channels, and the notifications that a host delivers.

use chrono::{DateTime, Duration, TimeZone, Utc};
use serde_json::{Value, json};
use url::Url;

use super::{
    GoogleLookAlike, MAY_READ, SandboxAnswer, TokenHolder, acl::MAY_READ_RULES, calendar_list::MAY_LIST, checks,
    errors::SandboxRefusal, settings::MAY_READ_SETTINGS, shape,
};
use crate::sandbox::{
    look_alike::Push,
    reply::{Reply, SandboxRequest},
};

/// Longest life of a channel, in seconds.
const TTL_MAX_S: i64 = 2_592_000;
/// Life of a channel that asks for none, in seconds.
const TTL_S: i64 = 604_800;
/// How often a notification is tried.
const ATTEMPTS_MAX: u32 = 6;

/// Most channels that are open at a time.
const CHANNELS_MAX: usize = 10_000;
/// Most notifications that wait; the oldest are lost first.
const PUSHES_MAX: usize = 100_000;

/// What a channel is about.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    Events(&'a str),
    Rules(&'a str),
    List,
    Settings,
}

/// What channels of a person's calendar list are filed under.
const LIST: &str = "users/me/calendarList";
/// What channels of a person's settings are filed under.
const SETTINGS: &str = "users/me/settings";

/// What channels of a calendar's rules are filed under.
pub(super) fn rules_of(calendar: &str) -> String {
    format!("{calendar}/acl")
}

/// What happens to notifications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum NotificationMode {
    #[default]
    Normal,
    Drop,
    Duplicate,
}

/// One channel.
#[derive(Clone, Debug)]
pub(super) struct SandboxChannel {
    pub email: String,
    /// A calendar's id: its events; anything else: see [`Subject`].
    pub place: String,
    pub address: String,
    pub token: Option<String>,
    pub resource: String,
    pub expires: DateTime<Utc>,
    pub number: u64,
}

impl GoogleLookAlike {
    pub(super) fn watch(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        subject: Subject<'_>,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        let place = self.subject_place(caller, subject)?;
        let body = checks::body(asked)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(id), Some(address)) = (text("id"), text("address")) else {
            return Err(SandboxRefusal::required("Missing channel id or address."));
        };
        if !matches!(text("type").as_deref(), Some("web_hook" | "webhook")) {
            return Err(SandboxRefusal::invalid("Unknown channel type."));
        }
        if id.len() > 64 || text("token").is_some_and(|token| token.len() > 256) {
            return Err(SandboxRefusal::invalid("Channel id or token is too long."));
        }
        let url = Url::parse(&address).map_err(|_| SandboxRefusal::invalid("Invalid address."))?;
        let near = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if url.scheme() != "https" && !near {
            return Err(SandboxRefusal::new(400, "global", "push.webhookUrlNotHttps"));
        }
        if self.channels.contains_key(&id) {
            return Err(SandboxRefusal::new(400, "global", "channelIdNotUnique"));
        }
        if self.channels.len() >= CHANNELS_MAX {
            self.channels.retain(|_, held| held.expires > now);
        }
        if self.channels.len() >= CHANNELS_MAX {
            return Err(SandboxRefusal::new(403, "usageLimits", "quotaExceeded"));
        }
        let ttl =
            body.get("params").and_then(|params| params.get("ttl")?.as_str()?.parse::<i64>().ok()).unwrap_or(TTL_S);
        let asked_end =
            text("expiration").and_then(|ms| ms.parse().ok()).and_then(|ms| Utc.timestamp_millis_opt(ms).single());
        let expires = asked_end
            .unwrap_or(now + Duration::seconds(ttl.clamp(1, TTL_MAX_S)))
            .min(now + Duration::seconds(TTL_MAX_S));
        let resource = format!("r{}", self.invent(&format!("resource {place}")));
        let resource = self
            .channels
            .values()
            .find(|held| held.place == place && held.email == caller.email)
            .map_or(resource, |held| held.resource.clone());
        let channel = SandboxChannel {
            email: caller.email.clone(),
            place: place.clone(),
            address,
            token: text("token"),
            resource: resource.clone(),
            expires,
            number: 0,
        };
        self.channels.insert(id.clone(), channel);
        self.notify(now, &id, "sync");
        let mut answer = json!({
            "kind": "api#channel", "id": id, "resourceId": resource, "expiration": expires.timestamp_millis().to_string(),
            "resourceUri": resource_uri(&place),
        });
        if let (Some(token), Some(fields)) = (text("token"), answer.as_object_mut()) {
            fields.insert("token".to_owned(), json!(token));
        }
        shape::answer(asked, answer)
    }

    fn subject_place(&self, caller: &TokenHolder, subject: Subject<'_>) -> Result<String, SandboxRefusal> {
        match subject {
            Subject::Events(id) => {
                caller.needs(MAY_READ)?;
                Ok(self.calendar(&caller.email, id)?.id.clone())
            }
            Subject::Rules(id) => {
                caller.needs(MAY_READ_RULES)?;
                self.owned(&caller.email, id)?;
                Ok(rules_of(&self.calendar(&caller.email, id)?.id))
            }
            Subject::List => caller.needs(MAY_LIST).map(|()| LIST.to_owned()),
            Subject::Settings => caller.needs(MAY_READ_SETTINGS).map(|()| SETTINGS.to_owned()),
        }
    }

    /// Notifies the channels of a person's calendar list that something changed.
    pub(super) fn notify_list(&mut self, now: DateTime<Utc>, email: &str) {
        self.notify_place(now, email, LIST);
    }

    pub(super) fn stop(&mut self, caller: &TokenHolder, asked: &SandboxRequest) -> SandboxAnswer {
        let body = checks::body(asked)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let held = self
            .channels
            .get(text("id"))
            .filter(|held| held.resource == text("resourceId") && held.email == caller.email);
        if held.is_none() {
            return Err(SandboxRefusal::new(404, "global", "notFound"));
        }
        self.channels.remove(text("id"));
        Ok(Reply::empty(204))
    }

    /// Notifies every channel of a place that something changed.
    pub(super) fn notify_place(&mut self, now: DateTime<Utc>, email: &str, place: &str) {
        let ids: Vec<_> = self
            .channels
            .iter()
            .filter(|(_, held)| held.email == email && held.place == place && held.expires > now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in ids {
            self.notify(now, &id, "exists");
        }
    }

    fn notify(&mut self, now: DateTime<Utc>, id: &str, state: &str) {
        let due = now + Duration::milliseconds(self.settings.notification_delay_ms);
        let Some(channel) = self.channels.get_mut(id) else { return };
        // They grow, and not one by one.
        channel.number += if state == "sync" { 1 } else { 7 };
        let mut headers = vec![
            ("X-Goog-Channel-ID", id.to_owned()),
            ("X-Goog-Message-Number", channel.number.to_string()),
            ("X-Goog-Resource-ID", channel.resource.clone()),
            ("X-Goog-Resource-State", state.to_owned()),
            ("X-Goog-Resource-URI", resource_uri(&channel.place)),
            ("X-Goog-Channel-Expiration", channel.expires.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        ];
        headers.extend(channel.token.clone().map(|token| ("X-Goog-Channel-Token", token)));
        let push = Push { address: channel.address.clone(), headers, due, attempt: 0 };
        while self.pushes.len() >= PUSHES_MAX {
            self.pushes.pop_front();
        }
        match self.settings.notifications {
            NotificationMode::Normal => self.pushes.push_back(push),
            NotificationMode::Duplicate => self.pushes.extend([push.clone(), push]),
            NotificationMode::Drop => {}
        }
    }

    /// What is tried again: 500, 502, 503, 504 and no answer, later and later.
    pub(super) fn try_again(&mut self, now: DateTime<Utc>, push: Push, status: Option<u16>) {
        let again = matches!(status, None | Some(500 | 502 | 503 | 504)) && push.attempt + 1 < ATTEMPTS_MAX;
        if again {
            let due = now + Duration::seconds(1 << push.attempt.min(10));
            self.pushes.push_back(Push { due, attempt: push.attempt + 1, ..push });
        }
    }

    /// Puts a notification on its way that no channel sent.
    pub(super) fn forge(&mut self, now: DateTime<Utc>, address: &str, channel: &str, resource: &str, token: &str) {
        let headers = [
            ("X-Goog-Channel-ID", channel),
            ("X-Goog-Message-Number", "12"),
            ("X-Goog-Resource-ID", resource),
            ("X-Goog-Resource-State", "exists"),
            ("X-Goog-Channel-Token", token),
        ];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).into();
        self.pushes.push_back(Push { address: address.to_owned(), headers, due: now, attempt: 0 });
    }
}

fn resource_uri(place: &str) -> String {
    const API: &str = "https://www.googleapis.com/calendar/v3";
    if place.starts_with("users/me/") {
        return format!("{API}/{place}?alt=json");
    }
    let (calendar, collection) = place.strip_suffix("/acl").map_or((place, "events"), |calendar| (calendar, "acl"));
    let escaped: String = url::form_urlencoded::byte_serialize(calendar.as_bytes()).collect();
    format!("{API}/calendars/{escaped}/{collection}?alt=json")
}
