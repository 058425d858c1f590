//! Calendars that are deselected and selected again: what stays here meanwhile is known again, not doubled, and nothing that was
//! done meanwhile is lost.

use std::sync::Arc;

use calwarden::{
    domain::{
        calendar::Calendar,
        ids::{AccountId, CalendarId},
        person::Scope,
        round::Cause,
    },
    store::Mode,
};
use serde_json::{Value, json};

use super::{
    app::App,
    direction::{events, rounds},
    google::{Picnic, connected, elsewhere, lunch, picnic, primary, round, titles},
};
use crate::support::google::Wire;

const FAMILY: &str = "/calendars/family-ada-at-example.com%40group.calendar.google.com/events";
const EVENTS: &str = "/v1/events?user_id=ada&limit=500";

async fn select(app: &App, calendar: &str, selected: bool) {
    app.patch(&format!("/v1/calendars/{calendar}"), json!({ "selected": selected })).await.ok();
}

/// What a calendar holds there: titles and places.
pub(super) fn held(wire: &Wire, events: &str, token: &str) -> Vec<(String, Option<String>)> {
    let (_, listed) = wire.call("GET", events, token, &Value::Null);
    let text = |item: &Value, field: &str| item[field].as_str().map(str::to_owned);
    let items = listed["items"].as_array().expect("items").iter();
    let mut found: Vec<_> =
        items.map(|item| (text(item, "summary").expect("a title"), text(item, "location"))).collect();
    found.sort();
    found
}

fn first(wire: &Wire, events: &str, token: &str) -> String {
    let (_, listed) = wire.call("GET", events, token, &Value::Null);
    listed["items"][0]["id"].as_str().expect("an id").to_owned()
}

/// Lunch in Ada's primary calendar, and her family's calendar selected beside it.
struct Lunch {
    app: App,
    wire: Arc<Wire>,
    id: AccountId,
    family: String,
    token: String,
    /// Its id there.
    made: String,
}

async fn lunch_beside_family() -> Lunch {
    let (app, wire, id) = connected("write").await;
    let account = app.get(&format!("/v1/accounts/{id}")).await.ok();
    let family = account["calendars"].as_array().expect("calendars").iter().find(|held| held["name"] == "Family");
    let family = family.expect("the other one")["id"].as_str().expect("an id").to_owned();
    select(&app, &family, true).await;
    let token = elsewhere(&wire);
    wire.call("POST", &events(), &token, &lunch("Lunch"));
    let made = first(&wire, &events(), &token);
    rounds(&app, id).await;
    Lunch { app, wire, id, family, token, made }
}

#[actix_web::test]
async fn an_event_that_is_carried_into_another_calendar_stays_itself_with_what_was_edited_here() {
    let Lunch { app, wire, id, token, made, .. } = lunch_beside_family().await;
    let event = app.get(EVENTS).await.ok()["data"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/events/{event}");
    for destination in ["family-ada-at-example.com@group.calendar.google.com", "ada@example.com"] {
        let title = format!("Lunch, before {destination}");
        app.patch(&path, json!({ "title": title })).await.ok();
        let from = if destination.starts_with("family") { events() } else { FAMILY.to_owned() };
        let carried = format!("{from}/{made}/move?destination={destination}");
        let (status, moved) = wire.call("POST", &carried, &token, &Value::Null);
        assert_eq!(status, 200, "{moved}");
        rounds(&app, id).await;
        rounds(&app, id).await;
        let held_here = app.get(EVENTS).await.ok()["data"].clone();
        assert_eq!(held_here.as_array().map(Vec::len), Some(1), "{held_here}");
        assert_eq!((&held_here[0]["id"], &held_here[0]["title"]), (&json!(event), &json!(title)), "the same, edited");
        let there = if destination.starts_with("family") { FAMILY.to_owned() } else { events() };
        assert_eq!(held(&wire, &there, &token), [(title, None)], "and so it is there");
        assert_eq!(held(&wire, &from, &token), []);
    }
    assert_eq!(app.get("/v1/conflicts?limit=100").await.ok()["data"], json!([]), "nobody is asked");
}

#[actix_web::test]
async fn what_is_carried_where_its_copy_is_to_be_taken_out_stays_there() {
    let Lunch { app, wire, id, family, token, made } = lunch_beside_family().await;
    let path = format!("/v1/events/{}", app.get(EVENTS).await.ok()["data"][0]["id"].as_str().expect("an id"));
    // Its copy was sent once, and nobody knows whether it arrived.
    app.post(&format!("{path}/links"), json!({ "calendar_id": family })).await.ok();
    wire.control("POST", "faults", &json!({ "operation": "events.insert", "status": 503, "times": 1 }));
    round(&app, id, Cause::LocalEdit).await;
    let destination = "family-ada-at-example.com@group.calendar.google.com";
    let carried = format!("{}/{made}/move?destination={destination}", events());
    assert_eq!(wire.call("POST", &carried, &token, &Value::Null).0, 200);
    app.delete(&format!("{path}/links?calendar_id={family}")).await;
    for _ in 0..3 {
        rounds(&app, id).await;
    }
    assert_eq!(held(&wire, FAMILY, &token), [("Lunch".to_owned(), None)], "nobody asked for its deletion");
    assert_eq!((titles(&app).await, held(&wire, &events(), &token)), (vec!["Lunch".to_owned()], vec![]));
}

#[actix_web::test]
async fn an_event_that_is_made_again_in_its_owners_calendar_hides_nothing_from_its_owner() {
    let (app, wire, id) = connected("write").await;
    let chosen = json!({ "policy": "most_recent_wins", "privacy": "minimal" });
    app.patch(&format!("/v1/accounts/{id}"), chosen).await.ok();
    let token = elsewhere(&wire);
    let (_, made) = wire.call("POST", &events(), &token, &lunch("Lunch"));
    rounds(&app, id).await;
    let path = format!("/v1/events/{}", app.get(EVENTS).await.ok()["data"][0]["id"].as_str().expect("an id"));
    let there = format!("{}/{}", events(), made["id"].as_str().expect("an id"));
    wire.call("DELETE", &there, &token, &Value::Null);
    for title in ["Lunch, edited here", "Lunch, edited later"] {
        app.patch(&path, json!({ "title": title })).await.ok();
        rounds(&app, id).await;
        assert_eq!(held(&wire, &events(), &token), [(title.to_owned(), None)]);
    }
}

#[actix_web::test]
async fn a_copy_in_a_calendar_that_is_selected_again_is_the_copy_it_was() {
    let (app, wire, id) = connected("write").await;
    let Picnic { family, path, there, token } = picnic(&app, &wire, id).await;
    select(&app, &family, false).await;
    // Meanwhile it is renamed here and given a place there.
    app.patch(&path, json!({ "title": "Picnic, later" })).await.ok();
    let copy = first(&wire, &there, &token);
    wire.call("PATCH", &format!("{there}/{copy}"), &token, &json!({ "location": "The lake" }));
    rounds(&app, id).await;
    assert_eq!(held(&wire, &there, &token), [("Picnic".to_owned(), Some("The lake".to_owned()))], "it is left alone");
    assert_eq!(held(&wire, &events(), &token), [("Picnic, later".to_owned(), None)]);
    assert_eq!(app.get("/v1/notices?user_id=ada").await.ok()["data"], json!([]), "and nobody is told of it");
    let places = app.get(&format!("{path}/explain")).await.ok()["places"].clone();
    let copy = places.as_array().expect("places").iter().find(|place| place["calendar_id"] == json!(family));
    let summary = copy.expect("the copy")["summary"].as_str().expect("a text").to_owned();
    assert!(summary.starts_with("This calendar is not kept in step."), "{summary}");
    select(&app, &family, true).await;
    rounds(&app, id).await;
    rounds(&app, id).await;
    assert_eq!(titles(&app).await, ["Picnic, later"]);
    for calendar in [&there, &events()] {
        let both = [("Picnic, later".to_owned(), Some("The lake".to_owned()))];
        assert_eq!(held(&wire, calendar, &token), both, "{calendar}");
    }
    // Deleted while the copy is not kept in step, it goes there as well in the end.
    select(&app, &family, false).await;
    app.delete(&path).await;
    rounds(&app, id).await;
    assert_eq!((held(&wire, &there, &token).len(), held(&wire, &events(), &token).len()), (1, 0));
    select(&app, &family, true).await;
    rounds(&app, id).await;
    assert_eq!((held(&wire, &there, &token).len(), titles(&app).await.len()), (0, 0));
}

#[actix_web::test]
async fn a_copy_that_is_asked_for_again_before_a_backup_gives_the_lost_one_back_is_there_once() {
    let (app, wire, id) = connected("write").await;
    let Picnic { family, path, there, token } = picnic(&app, &wire, id).await;
    let copy = format!("{there}/{}", first(&wire, &there, &token));
    wire.call("DELETE", &copy, &token, &Value::Null);
    rounds(&app, id).await;
    assert_eq!((held(&wire, &there, &token).len(), titles(&app).await.len()), (0, 1));
    app.delete(&format!("{path}/links?calendar_id={family}")).await;
    rounds(&app, id).await;
    app.post(&format!("{path}/links"), json!({ "calendar_id": family })).await.ok();
    wire.call("PATCH", &copy, &token, &json!({ "status": "confirmed" }));
    rounds(&app, id).await;
    rounds(&app, id).await;
    assert_eq!((held(&wire, &there, &token).len(), titles(&app).await), (1, vec!["Picnic".to_owned()]));
}

#[actix_web::test]
async fn an_imported_event_that_has_a_copy_elsewhere_is_here_once_when_its_calendar_is_selected_again() {
    let (app, wire, id) = connected("write").await;
    let home = primary(&app, id).await["id"].clone();
    let Picnic { family, path, there, token } = picnic(&app, &wire, id).await;
    app.delete(&path).await;
    wire.call("POST", &there, &token, &lunch("Theirs"));
    rounds(&app, id).await;
    let event = app.get(EVENTS).await.ok()["data"][0].clone();
    assert_eq!((&event["title"], &event["calendar_id"]), (&json!("Theirs"), &json!(family)));
    let path = format!("/v1/events/{}", event["id"].as_str().expect("an id"));
    app.post(&format!("{path}/links"), json!({ "calendar_id": home })).await.ok();
    rounds(&app, id).await;
    assert_eq!(held(&wire, &events(), &token).len(), 1, "a copy is made");
    select(&app, &family, false).await;
    let left = app.get(&path).await.ok();
    assert_eq!((&left["title"], &left["calendar_id"]), (&json!("Theirs"), &home), "its copy is its home meanwhile");
    select(&app, &family, true).await;
    rounds(&app, id).await;
    assert_eq!(titles(&app).await, ["Theirs"]);
    assert_eq!(app.get(&path).await.ok()["calendar_id"], json!(family));
    for calendar in [&there, &events()] {
        assert_eq!(held(&wire, calendar, &token).len(), 1, "{calendar}");
    }
    // Both of its calendars are deselected, the copy's first, and selected again.
    let home = home.as_str().expect("an id");
    for (selected, calendar) in [(false, home), (false, &family), (true, &family), (true, home)] {
        select(&app, calendar, selected).await;
        rounds(&app, id).await;
        assert_eq!(titles(&app).await, ["Theirs"]);
    }
    assert_eq!(app.get(&path).await.ok()["calendar_id"], json!(family));
    for calendar in [&there, &events()] {
        assert_eq!(held(&wire, calendar, &token).len(), 1, "{calendar}");
    }
}

#[actix_web::test]
async fn what_was_not_sent_when_a_calendar_was_deselected_is_sent_when_it_is_selected_again() {
    let (app, wire, id) = connected("write").await;
    let Picnic { family, path, there, token } = picnic(&app, &wire, id).await;
    app.delete(&path).await;
    for title in ["Renamed", "Deleted"] {
        wire.call("POST", &there, &token, &lunch(title));
    }
    rounds(&app, id).await;
    let listed = app.get(EVENTS).await.ok();
    for event in listed["data"].as_array().expect("events") {
        let path = format!("/v1/events/{}", event["id"].as_str().expect("an id"));
        if event["title"] == "Renamed" {
            app.patch(&path, json!({ "title": "Renamed here" })).await.ok();
        } else {
            app.delete(&path).await;
        }
    }
    select(&app, &family, false).await;
    assert_eq!(titles(&app).await, ["Renamed here"], "an edit that never got there is kept (I-3)");
    rounds(&app, id).await;
    assert_eq!(held(&wire, &there, &token).len(), 2, "nothing is written to what is not selected");
    assert_eq!(app.get("/v1/notices?user_id=ada").await.ok()["data"], json!([]), "its owner has chosen so");
    select(&app, &family, true).await;
    rounds(&app, id).await;
    assert_eq!(titles(&app).await, ["Renamed here"]);
    assert_eq!(held(&wire, &there, &token), [("Renamed here".to_owned(), None)]);
}

/// Its provider lets nobody write to a calendar, as far as was heard.
async fn close(app: &App, calendar: CalendarId) {
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    let open = tx.calendar(&Scope::Whole, calendar).await.expect("read").expect("a calendar");
    let closed = Calendar { read_only: true, ..open.clone() };
    assert!(tx.update_calendar(&closed, open.version).await.expect("stored"));
    tx.commit().await.expect("a commit");
}

#[actix_web::test]
async fn what_is_planned_while_a_calendar_is_closed_is_shown_there_once_it_is_open() {
    let (app, wire, id) = connected("write").await;
    let token = elsewhere(&wire);
    rounds(&app, id).await;
    let calendar = primary(&app, id).await["id"].as_str().expect("an id").to_owned();
    let garden = json!({"user_id": "ada", "name": "Garden", "visibility": "shared", "calendar_id": calendar});
    let context = app.post("/v1/contexts", garden).await.ok();
    let weeds = json!({"user_id": "ada", "title": "Weeds", "estimate_min": 60, "context_id": context["id"]});
    let weeds = app.post("/v1/tasks", weeds).await.ok();
    close(&app, calendar.parse().expect("an id")).await;
    let span = json!({"start": "2026-03-03T09:00:00Z", "end": "2026-03-03T10:00:00Z"});
    app.post(&format!("/v1/tasks/{}/blocks", weeds["id"].as_str().expect("an id")), span).await.ok();
    assert_eq!(titles(&app).await, Vec::<String>::new());
    rounds(&app, id).await;
    assert_eq!(titles(&app).await, ["Weeds"]);
    assert_eq!(held(&wire, &events(), &token), [("Weeds".to_owned(), None)]);
}

#[actix_web::test]
async fn a_calendar_that_its_provider_closed_for_a_while_gets_what_it_missed() {
    let (app, wire, id) = connected("write").await;
    let Picnic { family, path, there, token } = picnic(&app, &wire, id).await;
    close(&app, family.parse().expect("an id")).await;
    app.patch(&path, json!({ "title": "Picnic, later" })).await.ok();
    // The next round hears that it is open again.
    rounds(&app, id).await;
    for calendar in [&there, &events()] {
        assert_eq!(held(&wire, calendar, &token), [("Picnic, later".to_owned(), None)], "{calendar}");
    }
}
