//! Connecting accounts, and what is asked of them afterwards.

use actix_web::http::Method;
use calwarden::{
    actor::ActorHealth,
    domain::{
        person::Scope,
        round::{Cause, Outcome, Round, Tally},
    },
    store::Mode,
    web::ActorOrder,
};
use chrono::Duration;
use serde_json::json;

use super::app::{App, FEED, NOW};

#[actix_web::test]
async fn a_feed_is_connected_and_told_with_its_calendars() {
    let app = App::start().await;
    app.put("/v1/users/ada", json!({"name": "Ada"})).await.ok();
    let reply = app.post("/v1/accounts", json!({"user_id": "ada", "provider": "feed", "url": FEED})).await;
    assert_eq!(reply.status, 201);
    let account = reply.json();
    assert_eq!((account["provider"].as_str(), account["status"].as_str()), (Some("feed"), Some("active")));
    let calendar = &account["calendars"][0];
    assert_eq!((&calendar["selected"], &calendar["read_only"]), (&json!(true), &json!(true)));
    assert!(calendar["id"].is_string() && calendar["name"].is_string(), "{calendar}");
    assert_eq!((&account["last_round"], account["next_round_at"].as_str()), (&json!(null), Some(NOW)));
    assert!(!reply.text.contains("work.ics"), "a feed's address is a secret");
    let id = account["id"].as_str().expect("an id").parse().expect("an id");
    assert_eq!(*app.actors.wakes.lock().expect("no panic"), [(id, Cause::Connected)]);
    assert_eq!(app.get(&format!("/v1/accounts/{id}")).await.ok(), account);
    assert_eq!(app.get("/v1/accounts?user_id=ada").await.ok()["data"], json!([account]));
    assert_eq!(app.get(&format!("/v1/accounts/{id}/calendars")).await.ok()["data"], account["calendars"]);
}

#[actix_web::test]
async fn an_account_that_is_connected_is_not_connected_again_by_the_same_user() {
    let app = App::start().await;
    for user in ["ada", "bob"] {
        app.put(&format!("/v1/users/{user}"), json!({"name": user})).await.ok();
    }
    let body = |user: &str, url: &str| json!({"user_id": user, "provider": "feed", "url": url});
    let (one, other) = tokio::join!(
        app.post("/v1/accounts", body("ada", FEED)),
        app.post("/v1/accounts", body("ada", &FEED.replace("https://feed.", "webcal://FEED.")))
    );
    let (first, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    let id = first.ok()["id"].as_str().expect("an id").to_owned();
    assert_eq!(refused.refused(), (409, "already_connected".into(), None));
    assert_eq!(refused.json()["account_id"].as_str(), Some(id.as_str()));
    assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains(&id)));
    assert_eq!(app.get("/v1/accounts?user_id=ada").await.ok()["data"].as_array().map(Vec::len), Some(1));
    app.services().round(id.parse().expect("an id"), Cause::Poll, &|_| {}).await.expect("a round");
    let events = app.get("/v1/events?user_id=ada").await.ok();
    assert_eq!(events["data"].as_array().map(Vec::len), Some(1), "every list shows an event once");
    assert_eq!(app.post("/v1/accounts", body("bob", FEED)).await.status, 201, "another user's is another account");
    app.delete(&format!("/v1/accounts/{id}")).await.ok();
    assert_eq!(app.post("/v1/accounts", body("ada", FEED)).await.status, 201, "the first is on its way out");
}

#[actix_web::test]
async fn an_account_from_before_they_had_names_is_not_connected_twice_either() {
    let app = App::start().await;
    app.put("/v1/users/ada", json!({"name": "Ada"})).await.ok();
    let body = json!({"user_id": "ada", "provider": "feed", "url": FEED});
    let old = app.post("/v1/accounts", body.clone()).await.ok()["id"].as_str().expect("an id").to_owned();
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("begun");
    tx.release_identities(old.parse().expect("an id")).await.expect("as it was stored before");
    tx.commit().await.expect("durable");
    let refused = app.post("/v1/accounts", body).await;
    assert_eq!((refused.refused().0, refused.json()["account_id"].as_str()), (409, Some(old.as_str())));
    let moved = json!({"url": format!("{FEED}?moved=1")});
    app.post(&format!("/v1/accounts/{old}/reconnect"), moved).await.ok();
    let other = json!({"user_id": "ada", "provider": "feed", "url": FEED});
    assert_eq!(app.post("/v1/accounts", other).await.status, 201, "it is elsewhere now");
}

#[actix_web::test]
async fn what_cannot_be_connected_is_refused_by_its_code_and_not_stored() {
    let app = App::start().await;
    app.put("/v1/users/ada", json!({"name": "Ada"})).await.ok();
    let dav = |host: &str| {
        let url = format!("https://{host}/");
        json!({"user_id": "ada", "provider": "caldav", "url": url, "username": "ada", "password": "x"})
    };
    for (body, code) in [
        (dav("locked.example.org"), "credentials_refused"),
        (dav("nobody.example.org"), "provider_unreachable"),
        (dav("inside.example.org"), "address_not_allowed"),
        (json!({"user_id": "ada", "provider": "feed", "url": "https://inside.example.org/x"}), "address_not_allowed"),
        (json!({"user_id": "ada", "provider": "feed", "url": "https://nobody.example.org/x"}), "provider_unreachable"),
    ] {
        let (status, told, _) = app.post("/v1/accounts", body.clone()).await.refused();
        assert_eq!((status, told.as_str()), (422, code), "{body}");
    }
    let nobody = json!({"user_id": "eve", "provider": "feed", "url": FEED});
    assert_eq!(app.post("/v1/accounts", nobody).await.refused().1, "not_found");
    let kind = json!({"user_id": "ada", "provider": "fax", "url": FEED});
    assert_eq!(app.post("/v1/accounts", kind).await.refused().2.as_deref(), Some("provider"));
    assert_eq!(app.get("/v1/accounts").await.ok()["data"], json!([]));
}

#[actix_web::test]
async fn sync_is_accepted_ten_times_an_hour() {
    let (app, account, _) = App::with_ada().await;
    let path = format!("/v1/accounts/{}/sync", account.id);
    for left in (0..10).rev() {
        let reply = app.send(app.request(Method::POST, &path)).await;
        assert_eq!(reply.status, 202);
        assert_eq!(reply.header("ratelimit-remaining"), left.to_string());
    }
    let reply = app.send(app.request(Method::POST, &path)).await;
    assert_eq!(reply.refused(), (429, "rate_limited".into(), None));
    assert_eq!((reply.header("retry-after"), reply.header("ratelimit-limit")), ("3600", "10"));
    assert_eq!(*app.actors.wakes.lock().expect("no panic"), [(account.id, Cause::Requested); 10]);
    app.clock.advance(Duration::hours(1));
    assert_eq!(app.send(app.request(Method::POST, &path)).await.status, 202);
}

#[actix_web::test]
async fn an_account_tells_its_last_round_and_the_log_tells_all() {
    let (app, account, _) = App::with_ada().await;
    let path = format!("/v1/accounts/{}", account.id);
    assert_eq!(app.get(&path).await.ok()["last_round"], json!(null));
    let world = &app.services().world;
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    for created in 1..=3 {
        app.clock.advance(Duration::seconds(1));
        let round = Round {
            id: world.new_id(),
            space_id: account.space_id.clone(),
            account_id: account.id,
            cause: Cause::Poll,
            started_at: world.now(),
            finished_at: Some(world.now()),
            outcome: Some(Outcome::Ok),
            tally: Tally { created, ..Tally::default() },
            note: None,
        };
        tx.insert_round(&round).await.expect("stored");
    }
    tx.commit().await.expect("durable");
    let last = app.get(&path).await.ok()["last_round"].clone();
    assert_eq!(last["finished_at"], "2026-03-02T08:00:03Z");
    assert_eq!((&last["outcome"], &last["created"]), (&json!("ok"), &json!(3)));
    assert_eq!((&last["updated"], &last["deleted"], &last["conflicts"]), (&json!(0), &json!(0), &json!(0)));
    let first = app.get(&format!("{path}/rounds?limit=2")).await.ok();
    let cursor = first["next_cursor"].as_str().expect("there is more").to_owned();
    let rest = app.get(&format!("{path}/rounds?limit=2&cursor={cursor}")).await.ok();
    let created = |page: &serde_json::Value| {
        page["data"].as_array().expect("rows").iter().map(|row| row["created"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!((created(&first), created(&rest)), (vec![Some(3), Some(2)], vec![Some(1)]));
    assert_eq!(rest["next_cursor"], json!(null));
}

#[actix_web::test]
async fn choices_are_kept_and_orders_are_given() {
    let (app, account, calendar) = App::with_ada().await;
    let path = format!("/v1/accounts/{}", account.id);
    let changed = app.patch(&path, json!({"label": "Mine", "policy": "ask", "privacy": "minimal"})).await.ok();
    assert_eq!(
        (&changed["label"], &changed["policy"], &changed["privacy"]),
        (&json!("Mine"), &json!("ask"), &json!("minimal"))
    );
    let schedule = json!({"auto_sync_enabled": false, "sync_frequency_minutes": 30});
    assert_eq!(app.put(&format!("{path}/schedule"), schedule.clone()).await.ok()["schedule"], schedule);
    let never = json!({"auto_sync_enabled": true, "sync_frequency_minutes": 0});
    let refused = app.put(&format!("{path}/schedule"), never).await.refused();
    assert_eq!(refused.2.as_deref(), Some("sync_frequency_minutes"));
    let calendar_path = format!("/v1/calendars/{}", calendar.id);
    let turned = app.patch(&calendar_path, json!({"direction": "from_provider"})).await.ok();
    assert_eq!((&turned["direction"], &turned["selected"]), (&json!("from_provider"), &json!(true)));
    let left = app.patch(&calendar_path, json!({"selected": false})).await.ok();
    assert_eq!(left["selected"], json!(false));
    for (verb, status) in [("pause", 202), ("resume", 202)] {
        assert_eq!(app.send(app.request(Method::POST, &format!("{path}/{verb}"))).await.status, status);
    }
    assert_eq!(app.delete(&format!("{path}?delete_events=true")).await.ok()["status"], "disconnecting");
    let orders: Vec<_> = app.actors.orders.lock().expect("no panic").iter().map(|(_, order)| *order).collect();
    let gone = ActorOrder::Disconnect { delete_events: true };
    assert_eq!(orders, [ActorOrder::ScheduleChanged, ActorOrder::Pause, ActorOrder::Resume, gone]);
}

#[actix_web::test]
async fn a_disconnect_is_not_undone_by_a_pause_that_comes_after_it() {
    let (app, account, _) = App::with_ada().await;
    let path = format!("/v1/accounts/{}", account.id);
    assert_eq!(app.delete(&path).await.ok()["status"], "disconnecting");
    for verb in ["pause", "resume"] {
        assert_eq!(app.send(app.request(Method::POST, &format!("{path}/{verb}"))).await.refused().0, 404);
    }
    assert_eq!(app.get(&path).await.ok()["status"], "disconnecting");
}

#[actix_web::test]
async fn operators_see_every_actor_in_the_agreed_shape() {
    let (app, account, _) = App::with_ada().await;
    app.actors.rows.lock().expect("no panic").push(ActorHealth::starting(account.id));
    let actors = app.get("/v1/ops/actors").await.ok();
    let actor = actors["data"][0].as_object().expect("a row");
    for field in ["account_id", "state", "current", "last", "restarts", "next_alarm"] {
        assert!(actor.contains_key(field), "{field}");
    }
    assert_eq!((&actor["account_id"], &actor["state"]), (&json!(account.id), &json!("starting")));
    let path = format!("/v1/ops/actors/{}/restart", account.id);
    assert_eq!(app.send(app.request(Method::POST, &path)).await.status, 202);
    assert_eq!(*app.actors.orders.lock().expect("no panic"), [(account.id, ActorOrder::Restart)]);
    let progress = app.get(&format!("/v1/accounts/{}/progress", account.id)).await.ok();
    assert_eq!((&progress["state"], &progress["running"]), (&json!("starting"), &json!(false)));
}
