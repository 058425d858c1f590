//! A space that several people share, and what only some of them see beside it: on both databases, for PostgreSQL hides rows by itself.

use actix_web::http::Method;
use calwarden::{
    domain::{calendar::Calendar, mapping::Mapping, person::Scope},
    store::Mode,
};
use serde_json::{Value, json};

use super::{
    app::{App, hour},
    on_both_databases,
};

on_both_databases!(who_sees_one_space_harms_nothing_in_another);

/// What one person does in a calendar that several share has consequences where that person sees nothing.
async fn who_sees_one_space_harms_nothing_in_another(url: Option<String>) {
    let app = App::start_on(url).await;
    let (_, home) = app.make_person("ada").await;
    app.put("/v1/users/bob", json!({"name": "Bob"})).await.ok();
    app.put("/v1/spaces/team", json!({"name": "Team"})).await.ok();
    for user in ["ada", "bob"] {
        app.put(&format!("/v1/spaces/team/members/{user}"), json!({})).await.ok();
    }
    let (mut account, mut shared) = app.make_person("ada").await;
    let store = &app.services().store;
    (account.space_id, shared.space_id) = ("team".parse().expect("an id"), "team".parse().expect("an id"));
    let mut tx = store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    tx.delete_account(account.id).await.expect("gone");
    tx.insert_account(&account).await.expect("stored");
    tx.put_calendars(std::slice::from_ref(&shared)).await.expect("stored");
    tx.commit().await.expect("durable");
    let mut meeting = hour(&shared, "Meeting", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    meeting["user_id"] = json!("ada");
    let path = format!("/v1/events/{}", app.post("/v1/events", meeting).await.ok()["id"].as_str().expect("an id"));
    app.post(&format!("{path}/links"), json!({"calendar_id": home.id})).await.ok();
    drain_as_sent(&app, &[&shared, &home]).await;

    let as_bob = |method, path: &str, body: &Value| {
        app.request(method, path).insert_header(("Calwarden-User", "bob")).set_json(body)
    };
    let renamed = app.send(as_bob(Method::PATCH, &path, &json!({"title": "Meeting, later"}))).await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    assert_eq!(owed_in(&app, &home).await, 1, "the copy that Bob does not see is owed the new title");
    drain_as_sent(&app, &[&shared, &home]).await;
    let off = as_bob(Method::PATCH, &format!("/v1/calendars/{}", shared.id), &json!({"selected": false}));
    assert_eq!(app.send(off).await.status, 200);
    let left = app.get(&path).await.ok();
    assert_eq!(
        (&left["title"], &left["calendar_id"]),
        (&json!("Meeting, later"), &json!(home.id)),
        "it lives where its copy is"
    );
}

/// Takes what is queued for these calendars for sent and agreed.
async fn drain_as_sent(app: &App, calendars: &[&Calendar]) {
    let world = &app.services().world;
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    for calendar in calendars {
        for entry in tx.outbox_of_calendar(calendar.id).await.expect("read") {
            let event = tx.event(&Scope::Whole, entry.event_id).await.expect("read").expect("an event");
            let held = tx.mapping_of(event.id, calendar.id).await.expect("read");
            let mapping = Mapping {
                id: held.map_or_else(|| world.new_id(), |held| held.id),
                space_id: calendar.space_id.clone(),
                account_id: calendar.account_id,
                calendar_id: calendar.id,
                event_id: event.id,
                remote_id: entry.key.0.clone().into(),
                uid: entry.key.clone(),
                revision: Some("1".into()),
                base: event.content,
                raw: None,
                created_by_us: true,
                updated_at: world.now(),
            };
            tx.put_mappings(&[mapping]).await.expect("stored");
            tx.delete_outbox(entry.id).await.expect("gone");
        }
    }
    tx.commit().await.expect("durable");
}

async fn owed_in(app: &App, calendar: &Calendar) -> usize {
    let mut tx = app.services().store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
    tx.outbox_of_calendar(calendar.id).await.expect("read").len()
}
