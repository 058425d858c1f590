//! Limits, and what no client of Google's own sends. What it does for such clients is in `tests/peers`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{GoogleLookAlike, STORED_MAX};
use crate::sandbox::{look_alike::LookAlike as _, reply::SandboxRequest};

const ADA: &str = "ada@example.com";

fn now() -> DateTime<Utc> {
    "2027-06-01T12:00:00Z".parse().expect("a time")
}

fn ask(google: &mut GoogleLookAlike, method: &str, target: &str, token: &str, body: &Value) -> (u16, Value) {
    let mut asked = SandboxRequest::target(method, target);
    asked.headers.insert("authorization".to_owned(), format!("Bearer {token}"));
    if !body.is_null() {
        asked.body = body.to_string().into_bytes();
    }
    let reply = google.answer(now(), &asked);
    (reply.status, serde_json::from_slice(&reply.body).unwrap_or(Value::Null))
}

fn ada() -> (GoogleLookAlike, String) {
    let mut google = GoogleLookAlike::new(7);
    let (_, made) = ask(&mut google, "POST", "/control/users", "", &json!({ "email": ADA }));
    (google, made["access_token"].as_str().expect("a token").to_owned())
}

fn event(description: &str) -> Value {
    let time = |hour: u32| json!({ "dateTime": format!("2027-06-07T{hour:02}:00:00Z") });
    json!({ "description": description, "start": time(9), "end": time(10) })
}

const EVENTS: &str = "/calendar/v3/calendars/primary/events";

#[test]
fn a_body_over_a_mebibyte_is_refused() {
    let (mut google, token) = ada();
    let (status, answer) = ask(&mut google, "POST", EVENTS, &token, &event(&"x".repeat(1024 * 1024)));
    assert_eq!((status, &answer["error"]["errors"][0]["reason"]), (413, &json!("uploadTooLarge")));
}

#[test]
fn a_world_that_is_full_takes_no_more_events_and_still_deletes() {
    let (mut google, token) = ada();
    let (_, first) = ask(&mut google, "POST", EVENTS, &token, &event("x"));
    google.weight = STORED_MAX;
    let (status, answer) = ask(&mut google, "POST", EVENTS, &token, &event("x"));
    assert_eq!((status, &answer["error"]["errors"][0]["reason"]), (403, &json!("quotaExceeded")));
    let one = format!("{EVENTS}/{}", first["id"].as_str().expect("an id"));
    assert_eq!(ask(&mut google, "DELETE", &one, &token, &Value::Null).0, 204);
}

#[test]
fn a_deleted_calendar_leaves_no_bytes_behind() {
    let (mut google, token) = ada();
    let (_, made) = ask(&mut google, "POST", "/calendar/v3/calendars", &token, &json!({ "summary": "Work" }));
    let path = format!("/calendar/v3/calendars/{}", made["id"].as_str().expect("an id"));
    for text in ["a", "bb", "ccc"] {
        assert_eq!(ask(&mut google, "POST", &format!("{path}/events"), &token, &event(text)).0, 200);
    }
    assert!(google.weight > 0);
    assert_eq!(ask(&mut google, "DELETE", &path, &token, &Value::Null).0, 204);
    assert_eq!(google.weight, 0);
}

#[test]
fn a_selection_of_fields_that_nests_without_end_is_refused() {
    let (mut google, token) = ada();
    for fields in ["items(".repeat(500), "items/".repeat(500)] {
        let (status, answer) = ask(&mut google, "GET", &format!("{EVENTS}?fields={fields}"), &token, &Value::Null);
        assert_eq!((status, &answer["error"]["errors"][0]["location"]), (400, &json!("fields")));
    }
}

#[test]
fn channels_are_limited_and_those_that_ended_make_room() {
    let (mut google, token) = ada();
    let watch = |n: usize| json!({ "id": format!("c{n}"), "type": "web_hook", "address": "http://127.0.0.1/x", "params": { "ttl": "60" } });
    for n in 0..10_000 {
        assert_eq!(ask(&mut google, "POST", &format!("{EVENTS}/watch"), &token, &watch(n)).0, 200);
    }
    assert_eq!(ask(&mut google, "POST", &format!("{EVENTS}/watch"), &token, &watch(10_000)).0, 403);
    for channel in google.channels.values_mut() {
        channel.expires = now();
    }
    assert_eq!(ask(&mut google, "POST", &format!("{EVENTS}/watch"), &token, &watch(10_001)).0, 200);
    assert_eq!(google.channels.len(), 1);
}
