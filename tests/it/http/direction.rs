//! Which way events flow: only in, only out, both; turned, turned back, and turned while a round runs.

use std::sync::Arc;

use calwarden::{
    domain::{
        calendar::{Calendar, Direction},
        ids::{AccountId, CalendarId},
        person::Scope,
        round::Cause,
    },
    service::change_calendar::CalendarChange,
    store::Mode,
};
use chrono::Duration;
use serde_json::{Value, json};

use super::{
    app::App,
    google::{ADA, Picnic, connected, elsewhere, lunch, picnic, primary, round, titles},
};
use crate::support::google::Wire;

pub(super) fn events() -> String {
    format!("/calendars/{ADA}/events")
}

/// What the primary calendar holds, by title.
pub(super) fn there(wire: &Wire, token: &str) -> Vec<(String, String)> {
    let (_, listed) = wire.call("GET", &events(), token, &Value::Null);
    let text = |item: &Value, field: &str| item[field].as_str().expect("a text").to_owned();
    let items = listed["items"].as_array().expect("items").iter();
    let mut found: Vec<_> = items.map(|item| (text(item, "summary"), text(item, "id"))).collect();
    found.sort();
    found
}

pub(super) fn titles_there(wire: &Wire, token: &str) -> Vec<String> {
    there(wire, token).into_iter().map(|(title, _)| title).collect()
}

async fn turn(app: &App, calendar: &str, direction: &str) {
    app.patch(&format!("/v1/calendars/{calendar}"), json!({ "direction": direction })).await.ok();
}

/// Two rounds, with time for what was put off.
pub(super) async fn rounds(app: &App, id: AccountId) {
    for cause in [Cause::Requested, Cause::Poll] {
        round(app, id, cause).await;
        app.clock.advance(Duration::minutes(2));
    }
}

pub(super) async fn make(app: &App, calendar: &str, title: &str) -> String {
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    let event = json!({ "user_id": "ada", "calendar_id": calendar, "title": title,
        "start": time("2026-03-05T09:00:00"), "end": time("2026-03-05T10:00:00") });
    let event = app.post("/v1/events", event).await.ok();
    format!("/v1/events/{}", event["id"].as_str().expect("an id"))
}

#[actix_web::test]
async fn a_calendar_that_only_takes_events_shows_what_is_here_whatever_is_done_there() {
    let (app, wire, id) = connected("write").await;
    let token = elsewhere(&wire);
    wire.call("POST", &events(), &token, &lunch("Theirs"));
    round(&app, id, Cause::Connected).await;
    let calendar = primary(&app, id).await["id"].as_str().expect("an id").to_owned();
    let ours = make(&app, &calendar, "Ours").await;
    round(&app, id, Cause::LocalEdit).await;
    assert_eq!(titles(&app).await, ["Ours", "Theirs"]);
    turn(&app, &calendar, "to_provider").await;
    assert_eq!(titles(&app).await, ["Ours"], "what came from there is no longer here");
    rounds(&app, id).await;
    assert_eq!(
        (titles(&app).await, titles_there(&wire, &token)),
        (vec!["Ours".to_owned()], vec!["Ours".into(), "Theirs".into()])
    );
    // Ours is written over there, and something new is made.
    let (_, name) = there(&wire, &token).into_iter().find(|(title, _)| title == "Ours").expect("ours");
    wire.call("PATCH", &format!("{}/{name}", events()), &token, &json!({ "summary": "Scribble" }));
    wire.call("POST", &events(), &token, &lunch("Later"));
    rounds(&app, id).await;
    assert_eq!(titles(&app).await, ["Ours"]);
    assert_eq!(titles_there(&wire, &token), ["Later", "Ours", "Theirs"], "ours stands there again");
    let told = app.get("/v1/conflicts").await.ok();
    let row = &told["data"][0];
    assert_eq!((&row["winner"], &row["remote"]["facts"]["title"]), (&json!("local"), &json!("Scribble")), "{told}");
    // Ours is deleted there.
    wire.call("DELETE", &format!("{}/{name}", events()), &token, &Value::Null);
    rounds(&app, id).await;
    assert_eq!(
        (titles(&app).await.len(), titles_there(&wire, &token)),
        (1, vec!["Later".into(), "Ours".into(), "Theirs".into()])
    );
    // And it is changed here.
    app.patch(&ours, json!({ "title": "Ours, later" })).await.ok();
    rounds(&app, id).await;
    assert_eq!(titles_there(&wire, &token), ["Later", "Ours, later", "Theirs"]);
    wire.control("DELETE", "requests", &Value::Null);
    rounds(&app, id).await;
    let writes = ["events.insert", "events.patch", "events.delete"].map(|operation| wire.count(operation));
    assert_eq!(writes, [0, 0, 0], "at rest nobody writes");
    turn(&app, &calendar, "both").await;
    rounds(&app, id).await;
    assert_eq!(titles(&app).await, ["Later", "Ours, later", "Theirs"]);
    assert_eq!(titles_there(&wire, &token), ["Later", "Ours, later", "Theirs"]);
}

#[actix_web::test]
async fn a_calendar_that_only_takes_events_is_filled_again_however_much_is_deleted_there() {
    let (app, wire, id) = connected("write").await;
    let token = elsewhere(&wire);
    round(&app, id, Cause::Connected).await;
    let calendar = primary(&app, id).await["id"].as_str().expect("an id").to_owned();
    turn(&app, &calendar, "to_provider").await;
    let titles_of_ours = ["A", "B", "C", "D", "E", "F"];
    for title in titles_of_ours {
        make(&app, &calendar, title).await;
    }
    rounds(&app, id).await;
    for (_, name) in there(&wire, &token) {
        wire.call("DELETE", &format!("{}/{name}", events()), &token, &Value::Null);
    }
    rounds(&app, id).await;
    assert_eq!(titles_there(&wire, &token), titles_of_ours);
    let asked = app.get(&format!("/v1/accounts/{id}/holds")).await.ok();
    assert_eq!(asked["data"], json!([]), "nothing here is in danger, so nobody is asked");
}

#[actix_web::test]
async fn a_calendar_that_is_only_read_gets_what_it_missed_once_it_takes_writes_again() {
    let (app, wire, id) = connected("write").await;
    let Picnic { family, path, there, token } = picnic(&app, &wire, id).await;
    let copies = || {
        let (_, held) = wire.call("GET", &there, &token, &Value::Null);
        let items = held["items"].as_array().expect("items").clone();
        items.iter().map(|item| item["summary"].as_str().expect("a title").to_owned()).collect::<Vec<_>>()
    };
    turn(&app, &family, "from_provider").await;
    app.patch(&path, json!({ "title": "Picnic, later" })).await.ok();
    rounds(&app, id).await;
    assert_eq!((copies(), titles_there(&wire, &token)), (vec!["Picnic".to_owned()], vec!["Picnic, later".to_owned()]));
    let explained = app.get(&format!("{path}/explain")).await.ok();
    let places = explained["places"].as_array().expect("places");
    let behind = places.iter().find(|place| place["calendar_id"] == json!(family)).expect("the copy");
    assert!(behind["summary"].as_str().is_some_and(|text| text.contains("takes no changes from here")), "{behind}");
    turn(&app, &family, "both").await;
    rounds(&app, id).await;
    assert_eq!(copies(), ["Picnic, later"]);
    turn(&app, &family, "from_provider").await;
    app.delete(&path).await;
    rounds(&app, id).await;
    assert_eq!((copies(), titles_there(&wire, &token)), (vec!["Picnic, later".to_owned()], vec![]));
    turn(&app, &family, "to_provider").await;
    rounds(&app, id).await;
    assert_eq!(copies(), Vec::<String>::new());
}

#[actix_web::test]
async fn what_a_provider_does_not_allow_is_refused_with_its_reason() {
    let (app, _, id) = connected("write").await;
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    let held = tx.calendars_of(id).await.expect("calendars").remove(0);
    let read_only = Calendar { read_only: true, direction: Direction::FromProvider, ..held.clone() };
    assert!(tx.update_calendar(&read_only, held.version).await.expect("stored"));
    tx.commit().await.expect("a commit");
    let path = format!("/v1/calendars/{}", held.id);
    for wanted in ["both", "to_provider"] {
        let refused = app.patch(&path, json!({ "direction": wanted })).await.refused();
        assert_eq!(refused, (422, "invalid".into(), Some("direction".into())));
    }
    app.patch(&path, json!({ "direction": "from_provider", "selected": false })).await.ok();
}

/// Turns a calendar while our next request to a path is under way.
fn turned_during(app: &App, wire: &Wire, path: &'static str, calendar: CalendarId, change: CalendarChange) {
    let state = Arc::clone(&app.state);
    let choose = async move {
        state.services.change_calendar(&Scope::Whole, calendar, None, change).await.expect("chosen");
    };
    wire.meanwhile(path, Box::pin(choose));
}

#[actix_web::test]
async fn a_choice_that_is_made_while_a_round_runs_holds_from_then_on() {
    let (app, wire, id) = connected("write").await;
    let token = elsewhere(&wire);
    round(&app, id, Cause::Connected).await;
    let held = primary(&app, id).await["id"].as_str().expect("an id").to_owned();
    let calendar: CalendarId = held.parse().expect("an id");
    let to = |direction| CalendarChange { direction: Some(direction), ..CalendarChange::default() };
    // Something is owed, and the calendar is turned before it is sent.
    make(&app, &held, "Ours").await;
    turned_during(&app, &wire, "/events", calendar, to(Direction::FromProvider));
    round(&app, id, Cause::LocalEdit).await;
    assert_eq!(titles_there(&wire, &token), Vec::<String>::new(), "nothing is written to what is only read");
    turn(&app, &held, "both").await;
    rounds(&app, id).await;
    assert_eq!(titles_there(&wire, &token), ["Ours"]);
    // Something new is read for a calendar that gives nothing any more.
    wire.call("POST", &events(), &token, &lunch("Theirs"));
    turned_during(&app, &wire, "/events", calendar, to(Direction::ToProvider));
    rounds(&app, id).await;
    assert_eq!(titles(&app).await, ["Ours"], "nothing of what was read then is taken");
    // It is passed over, and the calendar is turned back before the round has ended.
    wire.call("POST", &events(), &token, &lunch("Later"));
    turned_during(&app, &wire, "/events", calendar, to(Direction::Both));
    rounds(&app, id).await;
    assert_eq!(titles(&app).await, ["Later", "Ours", "Theirs"]);
    // The provider calls it something else, and the owner has turned it by then.
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    let known = tx.calendar(&Scope::Whole, calendar).await.expect("read").expect("a calendar");
    let renamed = Calendar { name: "As it was called".into(), ..known.clone() };
    assert!(tx.update_calendar(&renamed, known.version).await.expect("stored"));
    tx.commit().await.expect("a commit");
    turned_during(&app, &wire, "/calendarList", calendar, to(Direction::FromProvider));
    round(&app, id, Cause::Requested).await;
    let now = primary(&app, id).await;
    assert_eq!((&now["direction"], &now["name"]), (&json!("from_provider"), &json!(known.name)));
    // It is deselected while it is read.
    wire.call("POST", &events(), &token, &lunch("Unread"));
    let none = CalendarChange { selected: Some(false), ..CalendarChange::default() };
    turned_during(&app, &wire, "/events", calendar, none);
    rounds(&app, id).await;
    assert_eq!(titles(&app).await, ["Ours"]);
}
