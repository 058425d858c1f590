//! Planned work of who disconnects: it stays, its calendar does not, and what is found again is there once.

use calwarden::domain::{ids::AccountId, round::Cause};
use serde_json::{Value, json};

use super::{
    app::App,
    direction::{events, rounds},
    google::{connect_only, connected, elsewhere, primary, round, titles},
    selection::held,
};
use crate::support::google::Wire;

/// Where a context shows its blocks.
async fn shows(app: &App, context: &str, visibility: &str, calendar: &Value) {
    let body = json!({"name": "Garden", "visibility": visibility, "calendar_id": calendar});
    app.patch(context, body).await.ok();
}

/// Leaves with the copies left where they are.
async fn leave(app: &App, id: AccountId) {
    app.delete(&format!("/v1/accounts/{id}")).await;
    app.services().clean_up(id, false).await.expect("cleaned up");
}

struct Planned {
    context: String,
    task: String,
    block: String,
}

/// A task with a block that its calendar shows.
async fn planned(app: &App, id: AccountId) -> Planned {
    round(app, id, Cause::Connected).await;
    let calendar = primary(app, id).await["id"].clone();
    let named = |made: &Value| made["id"].as_str().expect("an id").to_owned();
    let shared = json!({"user_id": "ada", "name": "Garden", "visibility": "shared", "calendar_id": calendar});
    let context = named(&app.post("/v1/contexts", shared).await.ok());
    let task = json!({"user_id": "ada", "title": "Weeds", "estimate_min": 60, "context_id": context});
    let task = named(&app.post("/v1/tasks", task).await.ok());
    let span = json!({"start": "2026-03-05T10:00:00Z", "end": "2026-03-05T11:00:00Z"});
    let block = named(&app.post(&format!("/v1/tasks/{task}/blocks"), span).await.ok());
    round(app, id, Cause::LocalEdit).await;
    Planned {
        context: format!("/v1/contexts/{context}"),
        task: format!("/v1/tasks/{task}"),
        block: format!("/v1/blocks/{block}"),
    }
}

fn weeds(wire: &Wire) -> Vec<String> {
    held(wire, &events(), &elsewhere(wire)).into_iter().map(|(title, _)| title).collect()
}

#[actix_web::test]
async fn planned_work_is_in_the_calendar_once_after_its_account_was_away() {
    let (app, wire, id) = connected("write").await;
    let Planned { context, task, block } = planned(&app, id).await;
    assert_eq!(weeds(&wire), ["Weeds"]);
    leave(&app, id).await;
    assert_eq!(app.get(&context).await.ok()["calendar_id"], Value::Null);
    assert_eq!(app.get(&block).await.ok()["state"], json!("confirmed"), "the work itself stays planned");
    assert_eq!(titles(&app).await, Vec::<String>::new(), "but is shown in no calendar");
    app.patch(&task, json!({ "title": "All the weeds" })).await.ok();
    let id = connect_only(&app, &wire, "write").await;
    rounds(&app, id).await;
    shows(&app, &context, "shared", &primary(&app, id).await["id"]).await;
    rounds(&app, id).await;
    assert_eq!(weeds(&wire), ["All the weeds"]);
    assert_eq!(titles(&app).await, ["All the weeds"]);
}

#[actix_web::test]
async fn what_became_private_meanwhile_is_taken_out_of_the_calendar_that_is_back() {
    let (app, wire, id) = connected("write").await;
    let Planned { context, task, .. } = planned(&app, id).await;
    leave(&app, id).await;
    shows(&app, &context, "private", &Value::Null).await;
    app.patch(&task, json!({ "title": "A secret" })).await.ok();
    let id = connect_only(&app, &wire, "write").await;
    rounds(&app, id).await;
    assert_eq!(weeds(&wire), Vec::<String>::new());
}

#[actix_web::test]
async fn what_is_deleted_while_its_account_is_away_is_deleted_there_unless_somebody_wrote_there_meanwhile() {
    let (app, wire, id) = connected("write").await;
    round(&app, id, Cause::Connected).await;
    let calendar = primary(&app, id).await["id"].clone();
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    let mut paths = Vec::new();
    for (title, day) in [("Gone", "2026-03-05"), ("Wanted", "2026-03-05"), ("Past", "2026-02-27")] {
        let event = json!({ "user_id": "ada", "calendar_id": calendar, "title": title,
            "start": time(&format!("{day}T09:00:00")), "end": time(&format!("{day}T10:00:00")) });
        let event = app.post("/v1/events", event).await.ok();
        paths.push(format!("/v1/events/{}", event["id"].as_str().expect("an id")));
    }
    round(&app, id, Cause::LocalEdit).await;
    leave(&app, id).await;
    for path in paths {
        app.delete(&path).await;
    }
    let token = elsewhere(&wire);
    let (_, listed) = wire.call("GET", &events(), &token, &Value::Null);
    let copies = listed["items"].as_array().expect("items");
    let wanted = copies.iter().find(|item| item["summary"] == "Wanted").expect("a copy")["id"].as_str().expect("an id");
    wire.call("PATCH", &format!("{}/{wanted}", events()), &token, &json!({ "location": "The lake" }));
    let id = connect_only(&app, &wire, "write").await;
    rounds(&app, id).await;
    let there = held(&wire, &events(), &token);
    assert_eq!(there, [("Past".to_owned(), None), ("Wanted".to_owned(), Some("The lake".to_owned()))]);
    assert_eq!(titles(&app).await, ["Past", "Wanted"]);
}
