//! What callers and feeds could make the service do, and does not: counted, not timed.

use serde_json::{Value, json};

use super::app::{App, hour};

const FLOOD: &str = "RRULE:FREQ=SECONDLY";
/// Every second of the hour before midnight, of which so many can only be counted from the first on.
const ENDLESS: &str = "RRULE:FREQ=SECONDLY;BYHOUR=23;COUNT=20000000";

async fn series(
    app: &App,
    calendar: &calwarden::domain::calendar::Calendar,
    title: &str,
    start: &str,
    rule: &str,
) -> Value {
    let mut body = hour(calendar, title, start, &start.replace(":00:00", ":00:30"));
    body["recurrence"] = json!([rule]);
    app.post("/v1/events", body).await.ok()
}

#[actix_web::test]
async fn a_flood_of_occurrences_is_walked_in_pages_without_loss() {
    let (app, _, calendar) = App::with_ada().await;
    for number in 0..20 {
        series(&app, &calendar, &format!("Flood {number}"), "2026-03-02T09:00:00", FLOOD).await;
    }
    let path = "/v1/events?user_id=ada&expand=true&from=2026-03-02T09:00:00Z&to=2027-03-02T09:00:00Z";
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for limit in [1, 1, 19, 500, 37] {
        let page = app.get(&format!("{path}&limit={limit}&cursor={cursor}")).await.ok();
        assert_eq!(page["data"].as_array().map(Vec::len), Some(limit));
        assert_eq!(page.get("truncated"), None);
        seen.extend(page["data"].as_array().expect("rows").iter().map(|row| {
            (
                row["start"]["date_time"].as_str().expect("a time").to_owned(),
                row["id"].as_str().expect("an id").to_owned(),
            )
        }));
        page["next_cursor"].as_str().expect("there is more").clone_into(&mut cursor);
    }
    assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]), "in order, and none twice");
    assert_eq!(
        seen.last().map(|(at, _)| at.as_str()),
        Some("2026-03-02T09:59:58"),
        "558 rows of 20 a second, from 09:59:31 on"
    );
}

#[actix_web::test]
async fn what_could_not_be_expanded_is_named_and_counts_as_busy() {
    let (app, _, calendar) = App::with_ada().await;
    let endless = series(&app, &calendar, "Endless", "2020-01-01T23:00:00", ENDLESS).await;
    app.post("/v1/events", hour(&calendar, "Dentist", "2026-03-03T10:00:00", "2026-03-03T11:00:00")).await.ok();
    let path = "/v1/events?user_id=ada&expand=true&from=2026-03-03&to=2026-03-04";
    let page = app.get(path).await.ok();
    assert_eq!(page["truncated"]["events"], json!([endless["id"]]), "{page}");
    assert!(page["truncated"]["detail"].as_str().is_some_and(|detail| detail.contains("narrow")));
    assert_eq!(
        page["data"].as_array().map(|rows| rows[0]["title"].clone()),
        Some(json!("Dentist")),
        "the others are told"
    );
    let (from, to) = ("2026-03-03T08:00:00Z", "2026-03-04T08:00:00Z");
    let asked = json!({"users": ["ada"], "from": from, "to": to, "duration_min": 30});
    let ada = app.post("/v1/availability/query", asked).await.ok()["users"][0].clone();
    assert_eq!(ada["busy"], json!([{"start": from, "end": to}]), "nobody is called free where it is not known");
    assert_eq!((&ada["free"], &ada["truncated"]["events"]), (&json!([]), &json!([endless["id"]])));
}

#[actix_web::test]
async fn times_that_cannot_be_computed_with_are_refused_by_their_field() {
    let (app, _, calendar) = App::with_ada().await;
    for year in ["-262143", "+262142", "0000", "+10000"] {
        let at = format!("{year}-01-01T00:00:00Z");
        let asked = json!({"users": ["ada"], "from": at, "to": "2026-03-04T08:00:00Z", "duration_min": 30});
        let reply = app.post("/v1/availability/query", asked).await;
        assert_eq!(reply.refused(), (422, "invalid".into(), Some("from".into())), "{year}");
        let asked = json!({"users": ["ada"], "from": "2026-03-04T08:00:00Z", "to": at, "duration_min": 30});
        assert_eq!(app.post("/v1/availability/query", asked).await.refused().0, 422, "{year}");
        let escaped = year.replace('+', "%2B");
        for path in [
            format!("/v1/events?user_id=ada&from={escaped}-01-01"),
            format!("/v1/events?user_id=ada&from={escaped}-01-01T00:00:00Z"),
            format!("/v1/blocks?user_id=ada&from={escaped}-01-01T00:00:00Z"),
            format!("/v1/availability/blocks?user_id=ada&from={escaped}-01-01T00:00:00Z"),
        ] {
            assert_eq!(app.get(&path).await.refused(), (422, "invalid".into(), Some("from".into())), "{path}");
        }
        let mut body = hour(&calendar, "Far", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
        body["start"] = json!({"date": format!("{year}-01-01")});
        body["end"] = json!({"date": format!("{year}-01-02")});
        let reply = app.post("/v1/events", body).await;
        assert_eq!(reply.refused(), (422, "invalid".into(), Some("start.date".into())), "{year}");
    }
    let edge =
        json!({"users": ["ada"], "from": "9999-12-01T00:00:00Z", "to": "9999-12-31T23:59:59Z", "duration_min": 30});
    app.post("/v1/availability/query", edge).await.ok();
}

#[actix_web::test]
async fn a_page_of_long_texts_ends_early_and_the_next_goes_on() {
    let (app, _, calendar) = App::with_ada().await;
    let mut body = hour(&calendar, "Long", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    (body["description"], body["recurrence"]) = (json!("x".repeat(50_000)), json!(["RRULE:FREQ=HOURLY"]));
    app.post("/v1/events", body).await.ok();
    let path = "/v1/events?user_id=ada&expand=true&from=2026-03-03&to=2026-04-03&limit=500";
    let whole = app.get(path).await;
    assert!(whole.text.len() < 8 * 1024 * 1024, "{} bytes", whole.text.len());
    let page = whole.ok();
    let (rows, cursor) = (page["data"].as_array().expect("rows"), page["next_cursor"].as_str().expect("there is more"));
    assert!((50..200).contains(&rows.len()), "{} rows", rows.len());
    let next = app.get(&format!("{path}&cursor={cursor}")).await.ok();
    let hour_of = |row: &Value| row["start"]["date_time"].as_str().map(str::to_owned);
    assert!(hour_of(rows.last().expect("a row")) < hour_of(&next["data"][0]));
}
