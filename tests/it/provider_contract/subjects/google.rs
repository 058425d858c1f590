//! The look-alike of Google.

use std::sync::Arc;

use async_trait::async_trait;
use calwarden::{
    domain::{account::ProviderKind, event::Transparency, mapping::RemoteEvent, secret::Secret},
    provider::{google::scopes, registry::AccountAccess},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    provider_contract::subject::{Elsewhere, Manners, Subject, world},
    support::{
        google::{Port, Wire, endpoints},
        strangers::ANY,
    },
};

const ADA: &str = "ada@example.com";
/// Events on a page.
const PAGE: usize = 3;

struct Ada {
    wire: Arc<Wire>,
    calendar: String,
    token: String,
}

impl Ada {
    fn call(&self, method: &str, path: &str) -> (u16, Value) {
        self.wire.call(method, &format!("/calendars/{}{path}", self.calendar), &self.token, &Value::Null)
    }
}

/// An id of Google's form: base32hex digits.
fn id(uid: &str) -> String {
    uid.bytes().flat_map(|byte| format!("{byte:02x}").into_bytes()).map(char::from).collect()
}

#[async_trait]
impl Elsewhere for Ada {
    async fn put(&self, uid: &str, title: &str) {
        let event = json!({
            "id": id(uid), "iCalUID": uid, "summary": title, "colorId": "5",
            "start": { "dateTime": "2026-12-01T10:00:00+01:00", "timeZone": "Europe/Berlin" },
            "end": { "dateTime": "2026-12-01T11:00:00+01:00", "timeZone": "Europe/Berlin" },
            "reminders": { "useDefault": false, "overrides": [{ "method": "popup", "minutes": 7 }] },
            "extendedProperties": { "shared": { "another": "program's" } },
        });
        self.wire.control("POST", "events", &json!({ "email": ADA, "calendar": self.calendar, "event": event }));
    }

    async fn delete(&self, uid: &str) {
        assert_eq!(self.call("DELETE", &format!("/events/{}", id(uid))).0, 204);
    }

    async fn close(&self) {
        assert_eq!(self.call("DELETE", "").0, 204);
    }

    async fn lacks(&self, event: &RemoteEvent) -> Vec<&'static str> {
        let (status, item) = self.call("GET", &format!("/events/{}", event.id.as_str()));
        assert_eq!(status, 200, "{item}");
        let has = [
            ("colorId", item["colorId"] == "5"),
            ("reminders", item["reminders"]["overrides"][0]["minutes"] == 7),
            ("extendedProperties", item["extendedProperties"]["shared"]["another"] == "program's"),
        ];
        has.into_iter().filter(|(_, has)| !has).map(|(name, _)| name).collect()
    }

    async fn book(&self, start: DateTime<Utc>, end: DateTime<Utc>, transparency: Transparency) {
        let event = json!({
            "summary": "Booked", "transparency": transparency.as_str(),
            "start": { "dateTime": start.to_rfc3339() }, "end": { "dateTime": end.to_rfc3339() },
        });
        self.wire.control("POST", "events", &json!({ "email": ADA, "calendar": self.calendar, "event": event }));
    }

    fn channels(&self) -> Option<usize> {
        self.wire.control("GET", "channels", &Value::Null)["channels"].as_array().map(Vec::len)
    }
}

pub async fn google() -> Subject {
    granted(true)
}

/// Its owner let us read alone.
pub async fn google_for_reading() -> Subject {
    granted(false)
}

fn granted(write: bool) -> Subject {
    let wire = Wire::new(7, world());
    let person = wire.control("POST", "users", &json!({ "email": ADA }));
    wire.control("POST", "settings", &json!({ "page_max": PAGE }));
    let made = wire.control("POST", "calendars", &json!({ "email": ADA, "summary": "Work" }));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let (calendar, token) = (text(&made["id"]), text(&person["access_token"]));
    let access = AccountAccess {
        access_token: Some(Secret::new(token.as_str())),
        granted: scopes::wanted(write).into_iter().map(str::to_owned).collect(),
        ..AccountAccess::to(ProviderKind::Google)
    };
    Subject {
        access,
        endpoints: endpoints(),
        http: Arc::new(Port(Arc::clone(&wire))),
        // The list of calendars is believed for an hour.
        manners: Manners { look_costs: 1, crowd: 2 * PAGE + 1, habits: ANY },
        calendar: calendar.clone(),
        nowhere: "nowhere@group.calendar.google.com".to_owned(),
        there: Box::new(Ada { wire, calendar, token }),
    }
}
