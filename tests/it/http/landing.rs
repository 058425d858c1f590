//! An event that lands on a time block, however it came there: a plan is owed at once, and the planner is woken.

use std::sync::atomic::Ordering;

use calwarden::{
    domain::{conflict::ConflictStatus, person::Scope, round::Cause},
    store::Mode,
};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::{
    app::{App, hour},
    google::{connected_on, elsewhere, primary, round},
    history, on_both_databases,
};
use crate::support::postgres::fresh_database;

on_both_databases!(
    an_edit_that_lands_on_a_block_has_a_plan_at_once,
    the_later_part_of_a_series_that_is_split_onto_a_block_has_a_plan_at_once,
    a_version_that_a_person_chooses_onto_a_block_has_a_plan_at_once,
    what_comes_from_a_provider_onto_a_block_has_a_plan_at_once,
    what_a_calendar_makes_tasks_of_has_a_plan_at_once,
);

/// A block from ten to eleven in Paris, and nothing owed.
async fn with_a_block(app: &App) {
    let task = app.post("/v1/tasks", json!({"user_id": "ada", "title": "Weeds", "estimate_min": 60})).await.ok();
    let span = json!({"start": "2026-03-03T09:00:00Z", "end": "2026-03-03T10:00:00Z"});
    app.post(&format!("/v1/tasks/{}/blocks", task["id"].as_str().expect("an id")), span).await.ok();
    settle(app).await;
}

async fn owed(app: &App) -> Option<DateTime<Utc>> {
    let mut tx = app.services().store.begin(Mode::Read, &Scope::Whole).await.expect("begun");
    tx.next_plan_at().await.expect("read")
}

/// Makes the plans that are owed.
async fn settle(app: &App) {
    for _ in 0..10 {
        app.clock.advance(Duration::minutes(2));
        app.services().plan_due().await.expect("planned");
        if owed(app).await.is_none() {
            return;
        }
    }
    panic!("plans are owed without end");
}

/// What was done since `woken` has a plan owed within three seconds, and has woken the planner for it.
async fn landed(app: &App, woken: usize, by: &str) {
    let soon = app.services().world.now() + Duration::seconds(3);
    assert!(owed(app).await.is_some_and(|at| at <= soon), "{by}: no plan is owed");
    assert!(app.actors.plans.load(Ordering::SeqCst) > woken, "{by}: the planner sleeps on");
    settle(app).await;
}

fn woken(app: &App) -> usize {
    app.actors.plans.load(Ordering::SeqCst)
}

fn times(start: &str, end: &str) -> Value {
    let time = |text: &str| json!({"date_time": text, "time_zone": "Europe/Paris"});
    json!({"start": time(start), "end": time(end)})
}

async fn an_edit_that_lands_on_a_block_has_a_plan_at_once(url: Option<String>) {
    let (app, _, calendar) = App::with_ada_on(url).await;
    with_a_block(&app).await;
    let before = woken(&app);
    let made = hour(&calendar, "Made there", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    let made = app.post("/v1/events", made).await.ok();
    landed(&app, before, "a new event").await;

    let path = format!("/v1/events/{}", made["id"].as_str().expect("an id"));
    app.patch(&path, times("2026-03-03T16:00:00", "2026-03-03T17:00:00")).await.ok();
    settle(&app).await;
    let before = woken(&app);
    app.patch(&path, times("2026-03-03T10:30:00", "2026-03-03T11:00:00")).await.ok();
    landed(&app, before, "a moved event").await;

    app.delete(&path).await.ok();
    settle(&app).await;
    let before = woken(&app);
    app.post(&format!("{path}/restore"), Value::Null).await.ok();
    landed(&app, before, "a restored event").await;
}

async fn the_later_part_of_a_series_that_is_split_onto_a_block_has_a_plan_at_once(url: Option<String>) {
    let (app, _, calendar) = App::with_ada_on(url).await;
    with_a_block(&app).await;
    let mut daily = hour(&calendar, "Daily", "2026-03-02T16:00:00", "2026-03-02T17:00:00");
    daily["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=4"]);
    let daily = app.post("/v1/events", daily).await.ok();
    settle(&app).await;
    let before = woken(&app);
    let later = format!(
        "/v1/events/{}?scope=following&recurrence_id=2026-03-03T16:00:00",
        daily["id"].as_str().expect("an id")
    );
    app.patch(&later, times("2026-03-03T10:00:00", "2026-03-03T11:00:00")).await.ok();
    landed(&app, before, "the later part of a split series").await;
}

async fn a_version_that_a_person_chooses_onto_a_block_has_a_plan_at_once(url: Option<String>) {
    let asks = [
        (ConflictStatus::Pending, "resolve", json!({"winner": "remote"})),
        (ConflictStatus::Resolved, "restore", Value::Null),
    ];
    for (status, ask, body) in asks {
        let url = if url.is_some() { Some(fresh_database().await) } else { None };
        let (app, account, calendar) = App::with_ada_on(url).await;
        let left = history::leave(&app, &account, &calendar, status).await;
        let path = format!("/v1/events/{}", left.event);
        app.patch(&path, times("2026-03-03T16:00:00", "2026-03-03T17:00:00")).await.ok();
        // It was moved there, from where it still is here, to ten o'clock.
        let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("begun");
        let mut conflict = tx.conflict(&Scope::Whole, left.conflict).await.expect("read").expect("it is there");
        let event = tx.event(&Scope::Whole, left.event).await.expect("read").expect("it is there");
        (conflict.base, conflict.local) = (Some(event.content.clone()), Some(event.content));
        tx.update_conflict(&conflict).await.expect("stored");
        tx.commit().await.expect("durable");
        with_a_block(&app).await;
        let before = woken(&app);
        app.post(&format!("/v1/conflicts/{}/{ask}", left.conflict), body).await.ok();
        landed(&app, before, ask).await;
    }
}

/// Puts an event there on the evening of the block's day, or moves it onto the block.
fn theirs(hour: &str) -> Value {
    let time = |minute: &str| json!({"dateTime": format!("2026-03-03T{hour}:{minute}:00+01:00")});
    json!({"summary": "Theirs", "start": time("00"), "end": time("45")})
}

async fn what_comes_from_a_provider_onto_a_block_has_a_plan_at_once(url: Option<String>) {
    let (app, wire, id) = connected_on(url, "write").await;
    let (token, events) = (elsewhere(&wire), super::direction::events());
    round(&app, id, Cause::Connected).await;
    with_a_block(&app).await;
    let before = woken(&app);
    wire.call("POST", &events, &token, &theirs("10"));
    round(&app, id, Cause::Poll).await;
    landed(&app, before, "an imported event").await;

    let (_, made) = wire.call("POST", &events, &token, &theirs("21"));
    round(&app, id, Cause::Poll).await;
    settle(&app).await;
    let before = woken(&app);
    let path = format!("{events}/{}", made["id"].as_str().expect("an id"));
    wire.call("PATCH", &path, &token, &theirs("10"));
    round(&app, id, Cause::Poll).await;
    landed(&app, before, "an event that was moved there").await;
}

async fn what_a_calendar_makes_tasks_of_has_a_plan_at_once(url: Option<String>) {
    let (app, wire, id) = connected_on(url, "write").await;
    wire.call("POST", &super::direction::events(), &elsewhere(&wire), &theirs("10"));
    round(&app, id, Cause::Connected).await;
    with_a_block(&app).await;
    let before = woken(&app);
    let calendar = primary(&app, id).await;
    let path = format!("/v1/calendars/{}", calendar["id"].as_str().expect("an id"));
    app.patch(&path, json!({"makes_tasks": true})).await.ok();
    landed(&app, before, "a calendar that makes tasks from now on").await;
}
