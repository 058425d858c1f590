//! New rules of a time zone, as a new release of the program brings them: whoever begins the days of the zone finds blocks whose
//! clock is not their instants' any more.

use calwarden::{
    domain::{block::TimeBlock, ids::BlockId, outbox::OutboxEntry, person::Scope},
    store::Mode,
};
use chrono::Duration;
use chrono_tz::Europe::Paris;
use serde_json::json;

use super::app::App;

/// A block as it was stored under rules by which the same clock was an hour later, and with it what the zone was looked at with.
async fn stored_under_old_rules(app: &App, id: BlockId, release: &str) -> TimeBlock {
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    let block = tx.block(&Scope::Whole, id).await.expect("read").expect("a block");
    let hour = Duration::hours(1);
    let old = TimeBlock { start: block.start + hour, end: block.end + hour, ..block };
    tx.put_blocks(std::slice::from_ref(&old)).await.expect("stored");
    tx.put_zone_rules(Paris, release).await.expect("stored");
    tx.commit().await.expect("durable");
    old
}

async fn held(app: &App, id: BlockId) -> TimeBlock {
    let mut tx = app.services().store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
    tx.block(&Scope::Whole, id).await.expect("read").expect("a block")
}

#[actix_web::test]
async fn planned_work_keeps_its_clock_under_new_rules_and_its_event_says_the_same() {
    let (app, account, calendar) = App::with_ada().await;
    let shared = json!({"user_id": "ada", "name": "Garden", "visibility": "shared", "calendar_id": calendar.id});
    let context = app.post("/v1/contexts", shared).await.ok();
    let task = json!({"user_id": "ada", "title": "Weeds", "estimate_min": 60, "context_id": context["id"]});
    let task = app.post("/v1/tasks", task).await.ok();
    let place = |day: i64| {
        let start = app.services().world.now() + Duration::days(day);
        json!({"start": start, "end": start + Duration::hours(1)})
    };
    let blocks = format!("/v1/tasks/{}/blocks", task["id"].as_str().expect("an id"));
    let (ahead, begun) = (app.post(&blocks, place(3)).await.ok(), app.post(&blocks, place(0)).await.ok());
    let id = |made: &serde_json::Value| made["id"].as_str().expect("an id").parse::<BlockId>().expect("an id");
    let (ahead, begun) = (held(&app, id(&ahead)).await, held(&app, id(&begun)).await);
    let queue = async || {
        let mut tx = app.services().store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
        let queue: Vec<OutboxEntry> = tx.outbox_of(&Scope::Whole, account.id, 9).await.expect("read");
        queue.into_iter().map(|entry| (entry.event_id, entry.op, entry.event_version)).collect::<Vec<_>>()
    };
    let owed = queue().await;
    assert_eq!(owed.len(), 2, "both are shown in the calendar");

    stored_under_old_rules(&app, ahead.id, "1999a").await;
    app.clock.advance(Duration::minutes(90));
    let going_on = stored_under_old_rules(&app, begun.id, "1999a").await;
    app.services().roll_zone(Paris).await.expect("rolled");
    let now = held(&app, ahead.id).await;
    assert_eq!((now.start, now.end, now.wall), (ahead.start, ahead.end, ahead.wall));
    assert!(now.version > ahead.version, "whoever holds the old one is told");
    assert_eq!(held(&app, begun.id).await, going_on, "what has begun stays");
    assert_eq!(queue().await, owed, "the calendar said the clock all along");
    let plans = async || {
        let mut tx = app.services().store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
        tx.plans_due(app.services().world.now() + Duration::hours(1), 9).await.expect("read")
    };
    let owed_plans = plans().await;
    assert_eq!(owed_plans.len(), 1, "what is there now may be in the way");

    let again = stored_under_old_rules(&app, ahead.id, chrono_tz::IANA_TZDB_VERSION).await;
    app.services().roll_zone(Paris).await.expect("rolled");
    assert_eq!(held(&app, ahead.id).await, again, "looked at once with these rules");
}
