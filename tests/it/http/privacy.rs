//! What an owner hides while a round runs is hidden when it has ended, whatever was under way.

use std::sync::Arc;

use calwarden::{
    domain::{account::PrivacyLevel, ids::AccountId, person::Scope, round::Cause},
    service::change_account::AccountChange,
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    app::App,
    direction::{events, make, rounds, there, titles_there},
    google::{connected, elsewhere, primary, round},
};
use crate::support::google::Wire;

/// Connects, and makes an event here.
async fn with_an_event() -> (App, Arc<Wire>, AccountId, String) {
    let (app, wire, id) = connected("write").await;
    round(&app, id, Cause::Connected).await;
    let calendar = primary(&app, id).await["id"].as_str().expect("an id").to_owned();
    let path = make(&app, &calendar, "Dentist").await;
    (app, wire, id, path)
}

/// The owner chooses to show times alone.
fn hiding(app: &App, id: AccountId) -> BoxFuture<'static, ()> {
    let (state, (begin, asked), (chosen, over)) = (Arc::clone(&app.state), oneshot::channel(), oneshot::channel());
    actix_web::rt::spawn(async move {
        if asked.await.is_ok() {
            let change = AccountChange { privacy: Some(PrivacyLevel::Minimal), ..AccountChange::default() };
            state.services.change_account(&Scope::Whole, "ada", id, None, change).await.expect("chosen");
            chosen.send(()).expect("somebody waits");
        }
    });
    Box::pin(async move {
        begin.send(()).expect("somebody waits");
        over.await.expect("chosen");
    })
}

#[actix_web::test]
async fn an_event_that_is_being_made_there_is_hidden_by_what_its_owner_chooses_meanwhile() {
    let (app, wire, id, _) = with_an_event().await;
    let (later, hide) = (Arc::clone(&wire), hiding(&app, id));
    // The first request lists; the next one makes the copy.
    wire.meanwhile("/events", Box::pin(async move { later.meanwhile("/events", hide) }));
    rounds(&app, id).await;
    assert_eq!(titles_there(&wire, &elsewhere(&wire)), ["Busy"]);
}

#[actix_web::test]
async fn an_event_that_is_being_changed_there_is_hidden_by_what_its_owner_chooses_meanwhile() {
    let (app, wire, id, path) = with_an_event().await;
    rounds(&app, id).await;
    let token = elsewhere(&wire);
    let (_, copy) = there(&wire, &token).remove(0);
    app.patch(&path, json!({ "title": "Dentist, again" })).await.ok();
    wire.meanwhile(Box::leak(format!("/events/{copy}").into_boxed_str()), hiding(&app, id));
    rounds(&app, id).await;
    assert_eq!(titles_there(&wire, &token), ["Busy"]);
}

#[actix_web::test]
async fn an_event_that_is_being_read_is_hidden_by_what_its_owner_chooses_meanwhile() {
    let (app, wire, id, _) = with_an_event().await;
    rounds(&app, id).await;
    let token = elsewhere(&wire);
    let (title, copy) = there(&wire, &token).remove(0);
    assert_eq!(title, "Dentist");
    let read = format!("{}/{copy}", events());
    wire.call("PATCH", &read, &token, &json!({ "colorId": "3" }));
    wire.meanwhile("/events", hiding(&app, id));
    rounds(&app, id).await;
    assert_eq!(titles_there(&wire, &token), ["Busy"]);
    let (_, now) = wire.call("GET", &read, &token, &Value::Null);
    assert_eq!(now["colorId"], "3", "and nothing else is lost of it");
}
