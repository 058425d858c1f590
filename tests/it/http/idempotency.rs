//! The same POST twice is done once.

use std::sync::Arc;

use actix_web::{http::Method, test::TestRequest};
use calwarden::{
    domain::{ids::ApiKeyId, person::Scope},
    service::repeat_request::{Answered, Recalled, Repeatable, RequestWork},
    store::Mode,
    web::{route::Route, routes},
};
use chrono::Duration;
use diesel::connection::SimpleConnection as _;
use serde_json::{Value, json};

use super::{
    app::{App, Reply, hour},
    tenancy::{Things, guarded},
};
use crate::support::{postgres, sqlite};

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

/// Lets the database refuse the answer, as a full disk does.
async fn no_room_for_answers(app: &App, refused: bool) {
    match (&app.url, refused) {
        (Some(url), true) => {
            let full = "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'no space left on device'; END $$;
                CREATE TRIGGER no_room BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION no_room()";
            postgres::execute(url, full).await;
        }
        (Some(url), false) => postgres::execute(url, "DROP FUNCTION no_room() CASCADE").await,
        (None, _) => {
            let full = "CREATE TRIGGER no_room BEFORE INSERT ON idempotency_keys
                BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END";
            let statement = if refused { full } else { "DROP TRIGGER no_room" };
            sqlite::open(&app.database()).batch_execute(statement).expect(statement);
        }
    }
}

/// A line for each row of a query that gives one text.
async fn lines(app: &App, query: &str) -> Vec<String> {
    use diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types::Text};
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text)]
        text: String,
    }
    if let Some(url) = &app.url {
        let rows = postgres::connect(url).await.query(query, &[]).await.expect(query);
        return rows.iter().map(|row| row.get(0)).collect();
    }
    let found: Vec<Line> = sql_query(query).load(&mut sqlite::open(&app.database())).expect(query);
    found.into_iter().map(|line| line.text).collect()
}

/// Everything that anybody may have made, in whatever table.
async fn everything(app: &App) -> String {
    let tables = match app.url {
        Some(_) => "SELECT tablename::text AS text FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
        None => "SELECT name AS text FROM sqlite_master WHERE type = 'table' ORDER BY name",
    };
    let tables = lines(app, tables).await;
    let counts = tables.iter().filter(|table| !table.starts_with("__"));
    let counts: Vec<_> = counts.map(|table| format!("SELECT '{table} ' || count(*) AS text FROM {table}")).collect();
    lines(app, &(counts.join(" UNION ALL ") + " ORDER BY text")).await.join("\n")
}

#[actix_web::test]
async fn work_whose_answer_cannot_be_kept_did_not_happen() {
    let (app, _, calendar) = App::with_ada().await;
    let body = hour(&calendar, "Dentist", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    no_room_for_answers(&app, true).await;
    assert_eq!(keyed(&app, "k", &body).await.refused().0, 503);
    assert_eq!(events(&app).await, 0, "neither the event nor its answer");
    assert!(app.actors.wakes.lock().expect("no panic").is_empty(), "nobody was woken for it");
    no_room_for_answers(&app, false).await;
    let first = keyed(&app, "k", &body).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    assert_eq!(app.actors.wakes.lock().expect("no panic").len(), 1, "and now its account was");
    assert_eq!(keyed(&app, "k", &body).await.text, first.text);
    assert_eq!(events(&app).await, 1);
}

#[actix_web::test]
async fn every_route_that_takes_a_key_keeps_its_answer_with_its_work_and_does_it_once() {
    let taking: Vec<_> = guarded().into_iter().map(|(route, _)| route).filter(Route::honours_key).collect();
    assert!(taking.len() > 20, "{}", taking.len());
    for route in taking {
        let place = format!("{} {}", route.method, route.path);
        let things = Things::make().await;
        let app = &things.app;
        let ask = || things.request(&route, Some(&app.key)).insert_header(("Idempotency-Key", "k"));
        let before = everything(app).await;
        no_room_for_answers(app, true).await;
        let unkept = app.send(ask()).await;
        no_room_for_answers(app, false).await;
        if unkept.status.as_u16() == 422 {
            continue;
        }
        assert_eq!(unkept.status, 503, "{place}: {}", unkept.text);
        assert_eq!(everything(app).await, before, "{place}: nothing of the work is there without its answer");
        let orders = app.actors.orders.lock().expect("no panic").len();
        let first = app.send(ask()).await;
        assert_eq!(first.status, route.status, "{place}: {}", first.text);
        let (done, told) = (everything(app).await, app.actors.orders.lock().expect("no panic").len());
        let again = app.send(ask()).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{place}");
        assert_eq!(again.header("idempotency-replayed"), "true", "{place}");
        for name in ["etag", "content-type", "location"] {
            assert_eq!(again.header(name), first.header(name), "{place}: {name}");
        }
        assert_eq!(everything(app).await, done, "{place}: done once");
        assert_eq!(app.actors.orders.lock().expect("no panic").len(), told, "{place}: ordered once");
        assert!(told >= orders, "{place}");
    }
}

#[actix_web::test]
async fn of_two_at_once_one_is_done() {
    let (app, _, calendar) = App::with_ada().await;
    let body = hour(&calendar, "Dentist", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    let (one, other) = tokio::join!(keyed(&app, "k", &body), keyed(&app, "k", &body));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert!(matches!(statuses, [201, 201 | 409]), "{statuses:?}");
    assert_eq!(events(&app).await, 1);
    assert_eq!(keyed(&app, "k", &body).await.header("idempotency-replayed"), "true");
}

#[actix_web::test]
async fn a_key_on_a_route_that_changes_nothing_or_is_open_to_strangers_is_passed_over() {
    let (app, _, _) = App::with_ada().await;
    let kept = async || lines(&app, "SELECT 'kept ' || count(*) AS text FROM idempotency_keys").await;
    for n in 0..3 {
        let told = TestRequest::post()
            .uri("/sync/providers/google/webhook")
            .insert_header(("Idempotency-Key", format!("k{n}")));
        assert!(app.send(told).await.status.is_success());
        let asked =
            json!({"users": ["ada"], "from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z", "duration_min": 60});
        let asked = app.request(Method::POST, "/v1/availability/query").set_json(asked);
        app.send(asked.insert_header(("Idempotency-Key", format!("k{n}")))).await.ok();
    }
    assert_eq!(kept().await, ["kept 0"]);
    let taking = routes().into_iter().filter(Route::honours_key);
    assert!(taking.into_iter().all(|route| route.path.starts_with("/v1/")));
}

#[actix_web::test]
async fn an_answer_is_not_given_again_once_its_user_is_erased() {
    let (app, _, calendar) = App::with_ada().await;
    let body = hour(&calendar, "Dentist", "2026-03-03T10:00:00", "2026-03-03T11:00:00");
    let made = keyed(&app, "hers", &body).await.ok();
    let link = || {
        let path = format!("/v1/events/{}/links", made["id"].as_str().expect("an id"));
        app.request(Method::POST, &path)
            .insert_header(("Idempotency-Key", "anybodys"))
            .set_json(json!({"calendar_id": calendar.id}))
    };
    assert_eq!(app.send(link()).await.status, 202);
    app.delete("/v1/users/ada").await.ok();
    let gone = keyed(&app, "hers", &body).await;
    assert_eq!(gone.refused().0, 404, "{gone:?}");
    let blank = app.send(link()).await.refused();
    assert_eq!((blank.0, blank.1.as_str()), (410, "answer_not_kept"));
    let mut tx = app.services().store.begin(Mode::Read, &Scope::Whole).await.expect("begun");
    let key = tx.api_keys().await.expect("keys")[0].id;
    assert_eq!(tx.idempotency(key, "hers").await, Ok(None));
    assert!(tx.idempotency(key, "anybodys").await.expect("read").is_some_and(|row| row.body.is_empty()));
}

#[actix_web::test]
async fn of_two_processes_that_do_the_same_request_one_keeps_its_answer_and_the_others_work_never_happened() {
    let (app, _, _) = App::with_ada().await;
    let asked = Repeatable { api_key: ApiKeyId(uuid::Uuid::nil()), key: "k".into(), request_hash: vec![7; 32] };
    let answer = |text: &str| Answered {
        status: 201,
        content_type: "text/plain".into(),
        headers: vec![],
        body: text.into(),
        user_id: None,
    };
    // Neither has heard of the other when it begins: what each recalled was nothing.
    for (space, kept) in [("first", true), ("second", false)] {
        let work = Arc::new(RequestWork::default());
        let within = app.services().within(&work);
        within.put_space(&space.parse().expect("an id"), space).await.expect("done with its part");
        assert_eq!(app.services().end_with(&work, &asked, answer(space)).await.expect("ended"), kept, "{space}");
    }
    let mut tx = app.services().store.begin(Mode::Read, &Scope::Whole).await.expect("begun");
    assert!(tx.space(&"first".parse().expect("an id")).await.expect("read").is_some());
    assert!(tx.space(&"second".parse().expect("an id")).await.expect("read").is_none());
    tx.commit().await.expect("ended");
    let recalled = app.services().recall_answer(&asked).await.expect("recalled");
    assert_eq!(recalled, Recalled::Answer(answer("first")));
}
