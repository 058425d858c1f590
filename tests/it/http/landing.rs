//! An event that lands on a time block, however it came there: a plan is owed at once, and the planner is woken.

use std::sync::atomic::Ordering;

use calwarden::{
    domain::{conflict::ConflictStatus, person::Scope},
    store::Mode,
};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::{
    app::{App, hour},
    history,
};

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

#[actix_web::test]
async fn an_edit_that_lands_on_a_block_has_a_plan_at_once() {
    let (app, _, calendar) = App::with_ada().await;
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

#[actix_web::test]
async fn the_later_part_of_a_series_that_is_split_onto_a_block_has_a_plan_at_once() {
    let (app, _, calendar) = App::with_ada().await;
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

#[actix_web::test]
async fn a_version_that_a_person_chooses_onto_a_block_has_a_plan_at_once() {
    for (status, ask, body) in [
        (ConflictStatus::Pending, "resolve", json!({"winner": "remote"})),
        (ConflictStatus::Resolved, "restore", Value::Null),
    ] {
        let (app, account, calendar) = App::with_ada().await;
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
