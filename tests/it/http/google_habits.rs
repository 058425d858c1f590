//! Habits of Google's that are not in its guide, and pages of others in its place: exceptions that outlive their series' rule, a
//! series out of the bin, a log-in page with 200, consents that end ill, events that nobody may change.

use actix_web::http::Method;
use calwarden::domain::{ids::AccountId, round::Cause};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::{
    app::App,
    google::{ADA, Browser, begin, connected, consents, elsewhere, lunch, primary, round, titles},
};
use crate::support::google::Wire;

/// When something happens, and what it is called.
type Seen = Vec<(DateTime<Utc>, String)>;

fn events() -> String {
    format!("/calendars/{ADA}/events")
}

/// What a person sees there: every occurrence of two months.
fn there(wire: &Wire) -> Seen {
    let window = "singleEvents=true&timeMin=2026-03-01T00:00:00Z&timeMax=2026-05-01T00:00:00Z&maxResults=2500";
    let (status, page) = wire.call("GET", &format!("{}?{window}", events()), &elsewhere(wire), &Value::Null);
    assert_eq!(status, 200, "{page}");
    let living = page["items"].as_array().expect("items").iter().filter(|item| item["status"] != "cancelled");
    let mut seen: Seen = living
        .map(|item| {
            let start = item["start"]["dateTime"].as_str().expect("a time").parse::<DateTime<Utc>>().expect("a time");
            (start, item["summary"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    seen.sort();
    seen
}

/// What a person sees here.
async fn here(app: &App) -> Seen {
    let page = app.get("/v1/events?user_id=ada&expand=true&from=2026-03-01&to=2026-05-01&limit=500").await.ok();
    let mut seen: Seen = page["data"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| {
            let local = event["start"]["date_time"].as_str().expect("a time").parse().expect("a time");
            let tz: chrono_tz::Tz = event["start"]["time_zone"].as_str().unwrap_or("UTC").parse().expect("a zone");
            let at = calwarden::domain::time::EventTime::zoned(local, tz).instant(chrono_tz::UTC);
            (at, event["title"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    seen.sort();
    seen
}

/// Rounds until nothing is owed; then both sides show the same, and the explanation says so truly.
async fn agreed(app: &App, wire: &Wire, id: AccountId) -> Seen {
    for cause in [Cause::LocalEdit, Cause::Poll, Cause::Poll] {
        round(app, id, cause).await;
        app.clock.advance(Duration::minutes(30));
    }
    let (here, there) = (here(app).await, there(wire));
    assert_eq!(here, there);
    let all = app.get("/v1/events?user_id=ada&limit=500").await.ok();
    for event in all["data"].as_array().expect("events") {
        let told = app.get(&format!("/v1/events/{}/explain", event["id"].as_str().expect("an id"))).await.ok();
        for place in told["places"].as_array().expect("places") {
            assert_eq!(place["differs"], json!([]), "{told}");
            assert!(place["summary"].as_str().is_some_and(|text| text.starts_with("In step")), "{told}");
        }
    }
    there
}

fn paris(day: u32, hour: u32) -> Value {
    json!({ "dateTime": format!("2026-03-{day:02}T{hour:02}:00:00+01:00"), "timeZone": "Europe/Paris" })
}

/// A daily series of eight, from the 5th at nine: one day is called otherwise, one was cancelled by a person, one more says what the
/// series says again.
fn daily(wire: &Wire) -> String {
    let token = elsewhere(wire);
    let series = json!({ "summary": "Daily", "start": paris(5, 9), "end": paris(5, 10), "recurrence": ["RRULE:FREQ=DAILY;COUNT=8"] });
    let (status, series) = wire.call("POST", &events(), &token, &series);
    assert_eq!(status, 200, "{series}");
    let name = series["id"].as_str().expect("an id").to_owned();
    let day = |day: u32| format!("{}/{name}_202603{day:02}T080000Z", events());
    for (path, change) in [
        (day(9), json!({ "summary": "Moved", "start": paris(9, 15), "end": paris(9, 16) })),
        (day(10), json!({ "summary": "Away" })),
        (day(10), json!({ "summary": "Daily" })),
        (day(11), json!({ "status": "cancelled" })),
    ] {
        assert_eq!(wire.call("PATCH", &path, &token, &change).0, 200);
    }
    name
}

async fn only(app: &App) -> String {
    let all = app.get("/v1/events?user_id=ada").await.ok();
    assert_eq!(all["data"].as_array().map(Vec::len), Some(1), "{all}");
    format!("/v1/events/{}", all["data"][0]["id"].as_str().expect("an id"))
}

#[actix_web::test]
async fn what_a_cut_or_moved_series_has_no_place_for_is_cancelled_there_and_nothing_is_revived() {
    for keep in [true, false] {
        let (app, wire, id) = connected("write").await;
        wire.control("POST", "settings", &json!({ "keep_exceptions": keep }));
        daily(&wire);
        assert_eq!(agreed(&app, &wire, id).await.len(), 7, "keep: {keep}");
        // It is cut before the days that differ: they are the new series', and none of them is left of the old one.
        let head = only(&app).await;
        let cut = format!("{head}?scope=following&recurrence_id=2026-03-08T09:00:00");
        let tail = app.patch(&cut, json!({ "title": "Later" })).await.ok();
        let tail = format!("/v1/events/{}", tail["id"].as_str().expect("an id"));
        let seen = agreed(&app, &wire, id).await;
        assert_eq!(seen.len(), 7, "keep: {keep}, {seen:?}");
        // The new series is moved as a whole, with a day of its own, and back.
        let one = format!("{tail}?scope=this&recurrence_id=2026-03-12T09:00:00");
        app.patch(&one, json!({ "title": "Last" })).await.ok();
        agreed(&app, &wire, id).await;
        let time =
            |hour: u32| json!({ "date_time": format!("2026-03-08T{hour:02}:00:00"), "time_zone": "Europe/Paris" });
        for hour in [11, 9] {
            app.patch(&tail, json!({ "start": time(hour), "end": time(hour + 1) })).await.ok();
            let seen = agreed(&app, &wire, id).await;
            assert_eq!(seen.len(), 7, "keep: {keep}, at {hour}: {seen:?}");
        }
        // A day that differs is deleted, then all from one day on, then the rule.
        app.delete(&one).await.ok();
        assert_eq!(agreed(&app, &wire, id).await.len(), 6, "keep: {keep}");
        app.delete(&format!("{tail}?scope=following&recurrence_id=2026-03-10T09:00:00")).await.ok();
        assert_eq!(agreed(&app, &wire, id).await.len(), 5, "keep: {keep}");
        app.patch(&tail, json!({ "recurrence": [] })).await.ok();
        assert_eq!(agreed(&app, &wire, id).await.len(), 4, "keep: {keep}");
    }
}

#[actix_web::test]
async fn what_stays_there_of_a_series_that_is_cut_there_is_a_meeting_here_too() {
    let (app, wire, id) = connected("write").await;
    wire.control("POST", "settings", &json!({ "keep_exceptions": true }));
    let name = daily(&wire);
    agreed(&app, &wire, id).await;
    let change = json!({ "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"] });
    wire.call("PATCH", &format!("{}/{name}", events()), &elsewhere(&wire), &change);
    let seen = agreed(&app, &wire, id).await;
    let names: Vec<_> = seen.iter().map(|(_, title)| title.as_str()).collect();
    // Two of the exceptions stay as meetings, one of them called as the series is; the cancelled one does not come back.
    assert_eq!(names, ["Daily", "Daily", "Daily", "Moved", "Daily"]);
    app.patch(&only(&app).await, json!({ "title": "Shorter" })).await.ok();
    let seen = agreed(&app, &wire, id).await;
    assert_eq!(seen.len(), 5, "{seen:?}");
}

#[actix_web::test]
async fn a_series_out_of_the_bin_has_the_days_that_differ() {
    let (app, wire, id) = connected("write").await;
    wire.call("POST", &events(), &elsewhere(&wire), &lunch("Lunch"));
    let name = daily(&wire);
    let before = agreed(&app, &wire, id).await;
    wire.call("DELETE", &format!("{}/{name}", events()), &elsewhere(&wire), &Value::Null);
    assert_eq!(agreed(&app, &wire, id).await.len(), 1);
    wire.control("POST", "restore", &json!({ "email": ADA, "id": name }));
    assert_eq!(agreed(&app, &wire, id).await, before);
}

#[actix_web::test]
async fn who_is_invited_to_one_day_and_then_to_the_series_sees_it_once() {
    let (app, wire, id) = connected("write").await;
    let organizer = json!({ "email": "boss@example.org" });
    let put = |event: Value| wire.control("POST", "events", &json!({ "email": ADA, "event": event }));
    let day = json!({ "id": "weeklymeeting_20260310T080000Z", "recurringEventId": "weeklymeeting", "iCalUID": "weekly@example.org",
        "summary": "Review, with you", "originalStartTime": paris(10, 9), "start": paris(10, 9), "end": paris(10, 10), "organizer": organizer });
    put(day);
    round(&app, id, Cause::Connected).await;
    assert_eq!(titles(&app).await, ["Review, with you"]);
    let series = json!({ "id": "weeklymeeting", "iCalUID": "weekly@example.org", "summary": "Review", "start": paris(3, 9), "end": paris(3, 10),
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], "organizer": organizer });
    put(series);
    let seen = agreed(&app, &wire, id).await;
    assert_eq!(
        seen.iter().map(|(_, title)| title.as_str()).collect::<Vec<_>>(),
        ["Review", "Review, with you", "Review"]
    );
}

#[actix_web::test]
async fn a_deletion_is_done_when_google_says_so_and_no_page_of_others_deletes_anything() {
    let (app, wire, id) = connected("write").await;
    for title in ["One", "Two", "Three"] {
        wire.call("POST", &events(), &elsewhere(&wire), &lunch(title));
    }
    agreed(&app, &wire, id).await;
    let path = async |title: &str| {
        let all = app.get("/v1/events?user_id=ada").await.ok();
        let event =
            all["data"].as_array().expect("events").iter().find(|event| event["title"] == title).expect("it").clone();
        format!("/v1/events/{}", event["id"].as_str().expect("an id"))
    };
    for (title, status) in [("One", 200), ("Two", 404)] {
        app.delete(&path(title).await).await.ok();
        let page = json!({ "operation": "events.delete", "page": true, "status": status });
        wire.control("POST", "faults", &page);
        wire.control("POST", "faults", &json!({ "operation": "events.get", "page": true, "status": status }));
        round(&app, id, Cause::LocalEdit).await;
        assert!(there(&wire).iter().any(|(_, seen)| seen == title), "{title} was not deleted there");
        let seen = agreed(&app, &wire, id).await;
        assert!(!seen.iter().any(|(_, seen)| seen == title), "{title} went once it could: {seen:?}");
    }
    // A change whose answer is a page, and a look that meets another page: nothing is deleted here for it.
    app.patch(&path("Three").await, json!({ "title": "Three, changed" })).await.ok();
    wire.control("POST", "faults", &json!({ "operation": "events.patch", "page": true, "status": 404 }));
    wire.control("POST", "faults", &json!({ "operation": "events.get", "page": true, "status": 404 }));
    wire.control("POST", "faults", &json!({ "operation": "events.list", "page": true, "status": 403 }));
    round(&app, id, Cause::LocalEdit).await;
    assert_eq!(titles(&app).await, ["Three, changed"]);
    assert_eq!(agreed(&app, &wire, id).await.len(), 1);
    // A create that a page answers is found, or made, once.
    let calendar = primary(&app, id).await["id"].clone();
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    for apply in [true, false] {
        let event = json!({ "user_id": "ada", "calendar_id": calendar, "title": format!("New {apply}"), "start": time("2026-03-05T09:00:00"), "end": time("2026-03-05T10:00:00") });
        app.post("/v1/events", event).await.ok();
        wire.control("POST", "faults", &json!({ "operation": "events.insert", "page": true, "apply": apply }));
        wire.control("POST", "faults", &json!({ "operation": "events.get", "page": true }));
        round(&app, id, Cause::LocalEdit).await;
    }
    assert_eq!(agreed(&app, &wire, id).await.len(), 3);
}

#[actix_web::test]
async fn what_nobody_may_change_is_refused_at_once_with_the_reason() {
    let (app, wire, id) = connected("write").await;
    let put = |event: Value| {
        let mut event = event;
        (event["start"], event["end"]) = (paris(10, 9), paris(10, 10));
        wire.control("POST", "events", &json!({ "email": ADA, "event": event }))
    };
    let boss = json!({ "email": "boss@example.org" });
    for (title, event, why) in [
        ("Invitation", json!({ "organizer": boss }), "organizer"),
        ("Locked", json!({ "locked": true }), "locked"),
        ("Birthday", json!({ "eventType": "birthday" }), "birthday"),
        ("Flight", json!({ "eventType": "fromGmail" }), "e-mail"),
        ("Shared", json!({ "organizer": boss, "guestsCanModify": true }), ""),
    ] {
        let mut event = event;
        event["summary"] = json!(title);
        put(event);
        round(&app, id, Cause::Poll).await;
        let all = app.get("/v1/events?user_id=ada").await.ok();
        let Some(held) = all["data"].as_array().expect("events").iter().find(|held| held["title"] == title) else {
            // Birthdays are not mirrored.
            assert_eq!(title, "Birthday");
            continue;
        };
        let path = format!("/v1/events/{}", held["id"].as_str().expect("an id"));
        let answer = app.patch(&path, json!({ "location": "Here" })).await;
        if why.is_empty() {
            answer.ok();
            continue;
        }
        assert!(answer.text.contains(why), "{title}: {}", answer.text);
        assert_eq!(answer.refused(), (409, "event_fixed".into(), None), "{title}");
        assert_eq!(app.get(&path).await.ok()["location"], Value::Null, "{title}: nothing was stored");
        app.delete(&path).await.ok();
    }
    round(&app, id, Cause::LocalEdit).await;
    assert_eq!(titles(&app).await, ["Shared"]);
    assert_eq!(app.get(&format!("/v1/accounts/{id}/outbox")).await.ok()["data"], json!([]));
}

#[actix_web::test]
async fn who_says_no_goes_back_to_the_product_with_the_reason_and_a_stranger_does_not() {
    let (app, wire) = App::with_google().await;
    wire.control("POST", "users", &json!({ "email": ADA }));
    let body = json!({ "user_id": "ada", "return_to": "https://app.example.org/settings?tab=2" });
    let unticked = "&no:https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcalendar.events=1";
    for (choice, word, says) in
        [("&decision=deny", "access_denied", "did+not+allow"), (unticked, "scopes_missing", "leave+it+ticked")]
    {
        let (begun, url) = begin(&app, body.clone()).await;
        let back = consents(&wire, &url, choice);
        let stranger = app.send(app.request(Method::GET, &back)).await;
        assert_eq!((stranger.status.as_u16(), stranger.header("location")), (400, ""), "{word}");
        let answer = Browser::with(&begun).comes_back(&app, &back).await;
        let to = answer.header("location");
        assert_eq!(answer.status, 303, "{word}");
        assert!(to.starts_with("https://app.example.org/settings?tab=2&") && to.contains(says), "{to}");
        assert!(to.contains(&format!("error={word}&")) && to.ends_with("provider=google"), "{to}");
    }
    assert_eq!(app.get("/v1/accounts").await.ok()["data"], json!([]));
}

#[actix_web::test]
async fn a_consent_without_lasting_access_does_not_bring_an_account_back_whose_own_is_dead() {
    let (app, wire, id) = connected("write").await;
    wire.control("POST", "settings", &json!({ "refresh_tokens": false }));
    let again = async || {
        let (begun, url) = begin(&app, json!({ "user_id": "ada", "account_id": id })).await;
        Browser::with(&begun).comes_back(&app, &consents(&wire, &url, "")).await
    };
    assert_eq!(again().await.status, 200, "the stored one is alive");
    wire.control("POST", "revoke", &json!({ "email": ADA }));
    let page = again().await;
    assert_eq!(page.status, 400);
    assert!(page.text.contains("no lasting access"), "{}", page.text);
    wire.control("POST", "settings", &json!({ "refresh_tokens": true }));
    assert_eq!(again().await.status, 200);
}

#[actix_web::test]
async fn an_occurrence_that_is_edited_here_while_its_series_is_deleted_there_is_kept_in_the_history() {
    let (app, wire, id) = connected("write").await;
    let (token, events) = (elsewhere(&wire), format!("/calendars/{ADA}/events"));
    let at = |hour: u8| json!({ "dateTime": format!("2026-03-05T{hour:02}:00:00+01:00"), "timeZone": "Europe/Paris" });
    let daily =
        json!({ "summary": "Daily", "start": at(9), "end": at(10), "recurrence": ["RRULE:FREQ=DAILY;COUNT=6"] });
    let (_, series) = wire.call("POST", &events, &token, &daily);
    round(&app, id, Cause::Connected).await;
    let here = app.get("/v1/events?user_id=ada").await.ok()["data"][0]["id"].as_str().expect("an id").to_owned();
    wire.call("DELETE", &format!("{events}/{}", series["id"].as_str().expect("an id")), &token, &Value::Null);
    let one = format!("/v1/events/{here}?scope=this&recurrence_id=2026-03-07T09:00:00");
    app.patch(&one, json!({ "title": "Daily, with cake" })).await.ok();
    // The write goes out before the deletion is read.
    wire.control("POST", "faults", &json!({ "operation": "events.list", "status": 503, "times": 1 }));
    for cause in [Cause::LocalEdit, Cause::Poll, Cause::Poll] {
        round(&app, id, cause).await;
        app.clock.advance(Duration::minutes(30));
    }
    let kept = app.get("/v1/conflicts").await.ok()["data"].clone();
    assert_eq!(kept.as_array().map(Vec::len), Some(1), "{kept}");
    assert!(kept[0]["local"].to_string().contains("Daily, with cake"), "{kept}");
}
