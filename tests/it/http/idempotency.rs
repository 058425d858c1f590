//! The same POST twice is done once.

use actix_web::http::Method;
use chrono::Duration;
use serde_json::{Value, json};

use super::app::{App, Reply, hour};

async fn keyed(app: &App, key: &str, body: &Value) -> Reply {
    app.send(app.request(Method::POST, "/v1/events").insert_header(("Idempotency-Key", key)).set_json(body)).await
}

async fn events(app: &App) -> usize {
    app.get("/v1/events?user_id=ada").await.ok()["data"].as_array().map_or(0, Vec::len)
}

#[actix_web::test]
async fn a_repeated_request_is_answered_alike_and_done_once() {
    let (app, _, calendar) = App::with_ada().await;
    let body = hour(&calendar, "Dentist", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    let first = keyed(&app, "k1", &body).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    let again = keyed(&app, "k1", &body).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!((again.header("idempotency-replayed"), again.header("content-type")), ("true", "application/json"));
    assert_eq!(events(&app).await, 1);
    assert_eq!(keyed(&app, "k2", &body).await.status, 201);
    assert_eq!(events(&app).await, 2, "another key is another request");
    app.clock.advance(Duration::hours(24));
    assert_eq!(keyed(&app, "k1", &body).await.status, 201);
    assert_eq!(events(&app).await, 3, "after a day the key is forgotten");
    assert_eq!(keyed(&app, "k1", &body).await.header("idempotency-replayed"), "true", "and then kept again");
}

#[actix_web::test]
async fn a_key_belongs_to_one_request_of_one_caller() {
    let (app, _, calendar) = App::with_ada().await;
    let mut body = hour(&calendar, "Dentist", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    assert_eq!(keyed(&app, "k", &body).await.status, 201);
    body["title"] = json!("Doctor");
    let reused = keyed(&app, "k", &body).await.refused();
    assert_eq!(reused, (422, "idempotency_key_reused".into(), Some("Idempotency-Key".into())));
    let other_key = app.make_key(calwarden::domain::person::KeyScope::ALL, None).await;
    let request = actix_web::test::TestRequest::post()
        .uri("/v1/events")
        .insert_header(("Authorization", format!("Bearer {other_key}")))
        .insert_header(("Idempotency-Key", "k"));
    assert_eq!(app.send(request.set_json(&body)).await.status, 201);
    assert_eq!(events(&app).await, 2);
}

#[actix_web::test]
async fn a_refused_request_may_be_corrected_under_its_key() {
    let (app, _, calendar) = App::with_ada().await;
    let good = hour(&calendar, "Dentist", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    let mut bad = good.clone();
    bad["recurrence"] = json!(["FREQ=NEVER"]);
    assert_eq!(keyed(&app, "k", &bad).await.status, 422);
    assert_eq!(keyed(&app, "k", &good).await.status, 201);
    let long = "x".repeat(256);
    assert_eq!(keyed(&app, &long, &good).await.refused().2.as_deref(), Some("Idempotency-Key"));
}
