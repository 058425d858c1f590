//! Events: made, read, changed, deleted, listed.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::app::{App, hour};

fn titles(page: &Value) -> Vec<&str> {
    page["data"].as_array().expect("rows").iter().map(|row| row["title"].as_str().expect("a title")).collect()
}

#[actix_web::test]
async fn an_event_is_made_read_back_and_owed_to_its_calendar() {
    let (app, account, calendar) = App::with_ada().await;
    let mut body = hour(&calendar, "Dentist", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    body["location"] = json!("Rue X");
    body["transparency"] = json!("transparent");
    let reply = app.post("/v1/events", body.clone()).await;
    assert_eq!(reply.status, 201);
    let event = reply.json();
    for field in ["calendar_id", "title", "start", "end", "location", "transparency"] {
        assert_eq!(event[field], body[field], "{field}");
    }
    assert_eq!((&event["recurrence"], &event["recurring"]), (&json!([]), &json!(false)));
    assert_eq!(event["etag"], reply.header("etag"));
    let path = format!("/v1/events/{}", event["id"].as_str().expect("an id"));
    assert_eq!(app.get(&path).await.ok(), event);
    let owed = app.get(&format!("/v1/accounts/{}/outbox", account.id)).await.ok();
    assert_eq!((&owed["data"][0]["operation"], &owed["data"][0]["event_id"]), (&json!("create"), &event["id"]));
    let explained = app.get(&format!("{path}/explain")).await.ok();
    assert_eq!(explained["places"][0]["calendar_id"], json!(calendar.id));
    assert_eq!(explained["places"][0]["reason"], owed["data"][0]["reason"]);
}

#[actix_web::test]
async fn a_wrong_event_is_refused_by_the_field_at_fault() {
    let (app, _, calendar) = App::with_ada().await;
    let good = hour(&calendar, "Dentist", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    let wrong = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, field) in [
        (wrong("titel", json!("x")), "titel"),
        (wrong("start", json!({"date": "2026-02-30"})), "start.date"),
        (wrong("start", json!({"date_time": "soon", "time_zone": "Europe/Paris"})), "start.date_time"),
        (wrong("start", json!({"date_time": "2026-03-03T10:00:00", "time_zone": "Mars/X"})), "start.time_zone"),
        (wrong("start", json!({})), "start"),
        (wrong("start", json!({"date": "2026-03-03", "hour": 1})), "start.hour"),
        (wrong("end", json!({"date": "2026-03-03"})), "end"),
        (wrong("end", json!({"date_time": "2026-03-03T09:00:00", "time_zone": "Europe/Paris"})), "end"),
        (wrong("recurrence", json!(["FREQ=NEVER"])), "recurrence"),
        (wrong("recurrence", json!(["RRULE:FREQ=WEEKLY;BYDAY=éO"])), "recurrence"),
        (wrong("recurrence", json!("FREQ=DAILY")), "recurrence"),
        (wrong("status", json!("maybe")), "status"),
        (wrong("title", json!("x".repeat(1_001))), "title"),
        (wrong("user_id", json!("a b")), "user_id"),
    ] {
        let reply = app.post("/v1/events", body.clone()).await;
        assert_eq!(reply.refused(), (422, "invalid".into(), Some(field.into())), "{body}");
    }
    let elsewhere = wrong("calendar_id", json!("018f0000-0000-7000-8000-000000000000"));
    assert_eq!(app.post("/v1/events", elsewhere).await.refused().1, "not_found");
    app.patch(&format!("/v1/calendars/{}", calendar.id), json!({"direction": "from_provider"})).await.ok();
    assert_eq!(app.post("/v1/events", good).await.refused(), (409, "read_only".into(), None));
}

#[actix_web::test]
async fn a_patch_changes_what_it_names_and_only_the_version_it_means() {
    let (app, _, calendar) = App::with_ada().await;
    let mut body = hour(&calendar, "Dentist", "2026-03-28T10:00:00", "2026-03-28T11:00:00");
    (body["location"], body["description"]) = (json!("Rue X"), json!("bring the card"));
    let event = app.post("/v1/events", body).await.ok();
    let path = format!("/v1/events/{}", event["id"].as_str().expect("an id"));
    let moved = json!({"start": {"date_time": "2026-03-29T10:00:00", "time_zone": "Europe/Paris"}, "location": null});
    let patched = app.patch(&path, moved).await.ok();
    assert_eq!((&patched["location"], &patched["description"]), (&json!(null), &event["description"]));
    let end = json!({"date_time": "2026-03-29T11:00:00", "time_zone": "Europe/Paris"});
    assert_eq!(patched["end"], end, "the end moves along, in wall time, across a change of clocks");
    let tag = event["etag"].as_str().expect("a tag");
    let stale = app.request(Method::PATCH, &path).insert_header(("If-Match", tag)).set_json(json!({"title": "x"}));
    assert_eq!(app.send(stale).await.refused().1, "stale");
    let stale = app.request(Method::DELETE, &path).insert_header(("If-Match", tag));
    assert_eq!(app.send(stale).await.refused().1, "stale");
    let nothing = app.patch(&path, json!({})).await.ok();
    assert_eq!(nothing["etag"], patched["etag"], "nothing asked for, nothing changed");
    assert_eq!(app.delete(&path).await.status, 204);
    assert_eq!(app.get(&path).await.refused().1, "not_found");
    assert_eq!(app.delete(&path).await.refused().1, "not_found");
}

#[actix_web::test]
async fn a_list_keeps_to_its_window_and_its_calendar() {
    let (app, _, home) = App::with_ada().await;
    let (_, work) = app.make_person("ada").await;
    for (calendar, title, day) in [(&home, "one", 3), (&work, "two", 4), (&home, "three", 5)] {
        let at = |hour| format!("2026-03-0{day}T{hour}:00:00");
        app.post("/v1/events", hour(calendar, title, &at(10), &at(11))).await.ok();
    }
    let all_day =
        json!({"user_id": "ada", "title": "day", "start": {"date": "2026-03-04"}, "end": {"date": "2026-03-05"}});
    app.post("/v1/events", all_day).await.ok();
    for (query, found) in [
        ("", vec!["one", "day", "two", "three"]),
        ("&from=2026-03-04&to=2026-03-05", vec!["day", "two"]),
        ("&from=2026-03-04&to=2026-03-05&expand=true", vec!["day", "two"]),
        ("&from=2026-03-03T09:30:00Z&to=2026-03-04T00:00:00%2B01:00", vec!["one"]),
        ("&from=2026-03-03T10:00:00Z&to=2026-03-03T23:00:00Z", vec![]),
        (&format!("&calendar_id={}", home.id), vec!["one", "three"]),
    ] {
        assert_eq!(titles(&app.get(&format!("/v1/events?user_id=ada{query}")).await.ok()), found, "{query}");
    }
    let as_ada = app.request(Method::GET, "/v1/events").insert_header(("Calwarden-User", "ada"));
    assert_eq!(titles(&app.send(as_ada).await.ok()).len(), 4);
    for (query, field) in [
        ("", "user_id"),
        ("user_id=ada&expand=true&to=2026-01-01", "from"),
        ("user_id=ada&expand=true&from=2026-01-01", "to"),
        ("user_id=ada&expand=true&from=2026-01-01&to=2028-02-01", "to"),
        ("user_id=ada&from=2026-01-02&to=2026-01-01", "to"),
        ("user_id=ada&from=yesterday", "from"),
        ("user_id=ada&expand=maybe", "expand"),
    ] {
        assert_eq!(app.get(&format!("/v1/events?{query}")).await.refused().2.as_deref(), Some(field), "{query}");
    }
}

#[actix_web::test]
async fn an_event_gets_and_loses_a_copy_in_another_calendar() {
    let (app, _, home) = App::with_ada().await;
    let (_, work) = app.make_person("ada").await;
    let event = app.post("/v1/events", hour(&home, "x", "2026-03-03T10:00:00", "2026-03-03T11:00:00")).await.ok();
    let path = format!("/v1/events/{}/links", event["id"].as_str().expect("an id"));
    let added = app.post(&path, json!({"calendar_id": work.id})).await;
    assert_eq!((added.status.as_u16(), &added.json()["calendar_id"]), (202, &json!(work.id)));
    assert_eq!(app.get(&path).await.ok()["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(app.delete(&format!("{path}?calendar_id={}", work.id)).await.status, 204);
    assert_eq!(app.get(&path).await.ok()["data"].as_array().map(Vec::len), Some(1));
    let home_copy = app.delete(&format!("{path}?calendar_id={}", home.id)).await;
    assert_eq!(home_copy.refused().2.as_deref(), Some("calendar_id"));
}
