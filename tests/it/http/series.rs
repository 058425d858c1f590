//! Series: whole, expanded, changed in part.

use serde_json::{Value, json};

use super::app::{App, hour};

/// Where each row begins, by wall time.
fn starts(page: &Value) -> Vec<String> {
    let time = |row: &Value| row["start"]["date_time"].as_str().expect("a time").to_owned();
    page["data"].as_array().expect("rows").iter().map(time).collect()
}

const WINDOW: &str = "/v1/events?user_id=ada&expand=true&from=2026-03-23&to=2026-04-20";

async fn weekly() -> (App, Value, String) {
    let (app, _, calendar) = App::with_ada().await;
    let mut body = hour(&calendar, "Standup", "2026-03-24T09:00:00", "2026-03-24T09:15:00");
    body["recurrence"] = json!(["FREQ=WEEKLY;COUNT=4"]);
    let series = app.post("/v1/events", body).await.ok();
    let path = format!("/v1/events/{}", series["id"].as_str().expect("an id"));
    (app, series, path)
}

#[actix_web::test]
async fn a_series_is_one_row_and_expanded_one_row_each_time() {
    let (app, series, _) = weekly().await;
    assert_eq!((&series["recurrence"], &series["recurring"]), (&json!(["RRULE:FREQ=WEEKLY;COUNT=4"]), &json!(true)));
    assert_eq!(app.get("/v1/events?user_id=ada").await.ok()["data"], json!([series]));
    let expanded = app.get(WINDOW).await.ok();
    let days = ["2026-03-24", "2026-03-31", "2026-04-07", "2026-04-14"];
    assert_eq!(starts(&expanded), days.map(|day| format!("{day}T09:00:00")), "in wall time, across a change of clocks");
    for row in expanded["data"].as_array().expect("rows") {
        assert_eq!(
            (&row["id"], &row["recurrence_id"], &row["recurring"]),
            (&series["id"], &row["start"], &json!(true))
        );
        assert_eq!(row["end"]["date_time"].as_str().map(|end| &end[10..]), Some("T09:15:00"));
    }
}

#[actix_web::test]
async fn pages_tell_every_occurrence_once_whatever_their_size() {
    let (app, _, calendar) = App::with_ada().await;
    let mut body = hour(&calendar, "Daily", "2026-01-05T09:00:00", "2026-01-05T09:15:00");
    body["recurrence"] = json!(["RRULE:FREQ=DAILY"]);
    app.post("/v1/events", body.clone()).await.ok();
    body["title"] = json!("Twin");
    app.post("/v1/events", body).await.ok();
    let long = hour(&calendar, "Long", "2026-03-20T09:00:00", "2026-03-26T12:00:00");
    app.post("/v1/events", long).await.ok();
    for day in 23..28 {
        let at = |hour| format!("2026-03-{day}T{hour}:00:00");
        app.post("/v1/events", hour(&calendar, "Single", &at("09"), &at("10"))).await.ok();
    }
    let path = "/v1/events?user_id=ada&expand=true&from=2026-03-23&to=2026-03-30";
    let whole = app.get(path).await.ok();
    let whole = whole["data"].as_array().expect("rows");
    assert_eq!(whole.len(), 7 + 7 + 1 + 5);
    for limit in [1, 2, 3, 7, 19, 20] {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        for _ in 0..=whole.len() {
            let page = app.get(&format!("{path}&limit={limit}&cursor={cursor}")).await.ok();
            rows.extend(page["data"].as_array().expect("rows").clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = next.to_owned();
        }
        assert_eq!(&rows, whole, "{limit} a page");
    }
}

#[actix_web::test]
async fn one_occurrence_is_changed_and_no_other() {
    let (app, _, path) = weekly().await;
    let reach = "recurrence_id=2026-03-31T09:00:00&scope=this";
    let changed = app.patch(&format!("{path}?{reach}"), json!({"title": "Review"})).await.ok();
    assert_eq!(changed["title"], "Standup", "the answer is the series");
    assert_eq!(changed["overrides"][0]["title"], "Review");
    let titles = |page: Value| -> Vec<Value> {
        page["data"].as_array().expect("rows").iter().map(|row| row["title"].clone()).collect()
    };
    assert_eq!(titles(app.get(WINDOW).await.ok()), ["Standup", "Review", "Standup", "Standup"]);
    let instant = "recurrence_id=2026-04-07T07:00:00Z";
    let later = json!({"start": {"date_time": "2026-04-07T10:00:00", "time_zone": "Europe/Paris"}});
    app.patch(&format!("{path}?{instant}"), later).await.ok();
    let moved = app.get(WINDOW).await.ok();
    assert_eq!(starts(&moved)[2], "2026-04-07T10:00:00");
    assert_eq!(moved["data"][2]["recurrence_id"]["date_time"], "2026-04-07T09:00:00");
    assert_eq!(moved["data"][2]["end"]["date_time"], "2026-04-07T10:15:00");
}

#[actix_web::test]
async fn what_follows_an_occurrence_becomes_a_series_of_its_own() {
    let (app, series, path) = weekly().await;
    let tail =
        app.patch(&format!("{path}?scope=following&recurrence_id=2026-04-07"), json!({"title": "Sitdown"})).await.ok();
    assert_ne!(tail["id"], series["id"]);
    let page = app.get(WINDOW).await.ok();
    assert_eq!(starts(&page).len(), 4);
    let titles: Vec<_> = page["data"].as_array().expect("rows").iter().map(|row| row["title"].as_str()).collect();
    assert_eq!(titles, [Some("Standup"), Some("Standup"), Some("Sitdown"), Some("Sitdown")]);
}

#[actix_web::test]
async fn occurrences_are_deleted_one_by_one_from_one_on_and_all() {
    let (app, _, path) = weekly().await;
    assert_eq!(app.delete(&format!("{path}?recurrence_id=2026-03-31T09:00:00")).await.status, 204);
    assert_eq!(starts(&app.get(WINDOW).await.ok()).len(), 3);
    assert_eq!(app.delete(&format!("{path}?scope=following&recurrence_id=2026-04-07T09:00:00")).await.status, 204);
    assert_eq!(starts(&app.get(WINDOW).await.ok()), ["2026-03-24T09:00:00"]);
    for (query, field) in [
        ("scope=this", "recurrence_id"),
        ("scope=every", "scope"),
        ("recurrence_id=never", "recurrence_id"),
        ("recurrence_id=2026-03-25T09:00:00", "recurrence_id"),
    ] {
        assert_eq!(app.delete(&format!("{path}?{query}")).await.refused().2.as_deref(), Some(field), "{query}");
    }
    assert_eq!(app.delete(&format!("{path}?scope=all")).await.status, 204);
    assert_eq!(app.get(WINDOW).await.ok()["data"], json!([]));
}

#[actix_web::test]
async fn a_series_is_made_single_by_an_empty_list() {
    let (app, _, path) = weekly().await;
    let once = app.patch(&path, json!({"recurrence": []})).await.ok();
    assert_eq!((&once["recurrence"], &once["recurring"]), (&json!([]), &json!(false)));
    assert_eq!(starts(&app.get(WINDOW).await.ok()).len(), 1);
}
