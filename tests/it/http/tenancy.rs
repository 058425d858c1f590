//! Every route of the table, asked by everybody who may not and by the one who may.

use actix_web::{http::Method, test::TestRequest};
use calwarden::{
    domain::{
        account::Account,
        calendar::Calendar,
        conflict::ConflictStatus,
        person::{KeyScope, Scope},
    },
    service::api_keys,
    store::Mode,
    web::{
        route::{Gives, Route},
        routes,
        session::RouteAccess,
    },
};
use chrono::Duration;
use serde_json::{Value, json};

use super::{
    app::{App, hour},
    history::{Left, leave},
    planning::{self, Work},
};

/// Ada's things, one of each kind that a path can name.
pub(super) struct Things {
    pub(super) app: App,
    account: Account,
    calendar: Calendar,
    left: Left,
    entry: String,
    work: Work,
}

impl Things {
    pub(super) async fn make() -> Self {
        let (app, account, calendar) = App::with_ada().await;
        app.put("/v1/users/bob", json!({"name": "Bob"})).await.ok();
        let left = leave(&app, &account, &calendar, ConflictStatus::Pending).await;
        let owed = app.get(&format!("/v1/accounts/{}/outbox", account.id)).await.ok();
        let entry = owed["data"][0]["id"].as_str().expect("a queued write").to_owned();
        let work = planning::leave(&app, &account).await;
        Self { app, account, calendar, left, entry, work }
    }

    fn path(&self, route: &Route) -> String {
        let id = match route.topic() {
            "users" | "spaces" => "ada".to_owned(),
            "calendars" => self.calendar.id.to_string(),
            "events" => self.left.event.to_string(),
            "conflicts" => self.left.conflict.to_string(),
            "holds" => self.left.hold.to_string(),
            "notices" => self.left.notice.to_string(),
            "contexts" => self.work.context.to_string(),
            "tasks" => self.work.task.to_string(),
            "blocks" => self.work.block.to_string(),
            "proposals" => self.work.proposal.to_string(),
            "rollovers" => self.work.rollover.to_string(),
            _ => self.account.id.to_string(),
        };
        let path = route.path.replace("{id}", &id).replace("{account}", &self.account.id.to_string());
        let path = path.replace("{user}", "bob").replace("{entry}", &self.entry);
        match (route.method.as_str(), route.path) {
            ("DELETE", "/v1/events/{id}/links") => format!("{path}?calendar_id={}", self.calendar.id),
            (
                "GET",
                "/v1/events"
                | "/v1/availability/blocks"
                | "/v1/contexts"
                | "/v1/tasks"
                | "/v1/blocks"
                | "/v1/proposals"
                | "/v1/focus"
                | "/v1/focus/days"
                | "/v1/rollovers",
            ) => format!("{path}?user_id=ada"),
            _ => path,
        }
    }

    fn body(&self, route: &Route) -> Option<Value> {
        route.takes?;
        Some(match route.path {
            "/v1/users/{id}" | "/v1/spaces/{id}" => json!({"name": "Ada"}),
            "/v1/accounts" => json!({"user_id": "ada", "provider": "feed", "url": super::app::FEED}),
            "/v1/connect/google/start" | "/v1/schedule" => json!({"user_id": "ada"}),
            "/v1/accounts/{id}/schedule" => json!({"auto_sync_enabled": true}),
            "/v1/events" => hour(&self.calendar, "x", "2026-03-03T10:00:00", "2026-03-03T11:00:00"),
            "/v1/events/{id}/links" => json!({"calendar_id": self.calendar.id}),
            "/v1/contexts" => json!({"user_id": "ada", "name": "x"}),
            "/v1/tasks" => json!({"user_id": "ada", "title": "x"}),
            "/v1/tasks/{id}/blocks" | "/v1/blocks/{id}" => {
                json!({"start": "2026-03-02T12:00:00Z", "end": "2026-03-02T13:00:00Z"})
            }
            "/v1/focus" => json!({"user_id": "ada", "act": "start"}),
            "/v1/availability/query" => {
                json!({
                    "users": ["ada"], "from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z", "duration_min": 60,
                })
            }
            "/v1/conflicts/{id}/resolve" => json!({"winner": "local"}),
            _ => json!({}),
        })
    }

    pub(super) fn request(&self, route: &Route, key: Option<&str>) -> TestRequest {
        let mut request = TestRequest::default().method(route.method.clone()).uri(&self.path(route));
        if let Some(key) = key {
            request = request.insert_header(("Authorization", format!("Bearer {key}")));
        }
        match self.body(route) {
            Some(body) => request.set_json(body),
            None => request,
        }
    }
}

pub(super) fn guarded() -> Vec<(Route, KeyScope)> {
    let rows = routes().into_iter().filter_map(|route| match route.access {
        RouteAccess::Open => None,
        RouteAccess::Key(scope) => Some((route, scope)),
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 40, "the table was read");
    rows
}

#[actix_web::test]
async fn what_is_open_shows_nothing_of_anybody() {
    let open: Vec<_> = routes().into_iter().filter(|route| route.access == RouteAccess::Open).map(|r| r.path).collect();
    // A consent is proven by its cookie, a notification by its channel's token: `google` tries both.
    let proven = [
        "/connect/google/begin",
        "/connect/google/begin",
        "/connect/google/callback",
        "/sync/providers/{provider}/webhook",
    ];
    let demo = ["/demo", "/demo/events", "/demo/events"];
    let known = ["/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs", "/docs/style.css"];
    assert_eq!(open, [&proven[..], &demo[..], &known[..]].concat());
}

#[actix_web::test]
async fn nobody_comes_in_without_a_key_that_works() {
    let things = Things::make().await;
    let app = &things.app;
    let expired = app.make_key(KeyScope::ALL, Some(app.services().world.now())).await;
    let (key, secret) = api_keys::mint(&app.services().world, "gone", KeyScope::ALL.to_vec(), None);
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    tx.insert_api_key(&key).await.expect("stored");
    assert!(tx.revoke_api_key(key.id, app.services().world.now()).await.expect("revoked"));
    tx.commit().await.expect("durable");
    let (_, unknown) = api_keys::mint(&app.services().world, "never stored", KeyScope::ALL.to_vec(), None);
    let strangers = [None, Some("cw_x"), Some(expired.as_str()), Some(secret.expose()), Some(unknown.expose())];
    for (route, _) in guarded() {
        for key in strangers {
            let reply = app.send(things.request(&route, key)).await;
            let place = format!("{} {}", route.method, route.path);
            assert_eq!(reply.refused(), (401, "unauthorised".into(), None), "{place}");
            assert_eq!(reply.header("www-authenticate"), "Bearer", "{place}");
        }
    }
    assert_eq!(app.get("/v1/users/ada").await.status, 200, "nothing of it was done");
}

#[actix_web::test]
async fn a_key_works_until_the_moment_it_ends() {
    let things = Things::make().await;
    let app = &things.app;
    let key = app.make_key(&[KeyScope::Read], Some(app.services().world.now() + Duration::seconds(1))).await;
    let ask = || TestRequest::get().uri("/v1/users/ada").insert_header(("Authorization", format!("Bearer {key}")));
    assert_eq!(app.send(ask()).await.status, 200);
    app.clock.advance(Duration::seconds(1));
    assert_eq!(app.send(ask()).await.status, 401);
}

#[actix_web::test]
async fn a_key_without_the_scope_is_refused_everywhere() {
    let things = Things::make().await;
    let mut keys = Vec::new();
    for missing in KeyScope::ALL {
        let others: Vec<_> = KeyScope::ALL.iter().copied().filter(|scope| scope != missing).collect();
        keys.push((*missing, things.app.make_key(&others, None).await));
    }
    for (route, scope) in guarded() {
        let (_, key) = keys.iter().find(|(missing, _)| *missing == scope).expect("a key");
        let reply = things.app.send(things.request(&route, Some(key))).await;
        assert_eq!(reply.refused(), (403, "forbidden_scope".into(), None), "{} {}", route.method, route.path);
    }
}

#[actix_web::test]
async fn another_user_meets_nothing_of_adas() {
    let things = Things::make().await;
    let app = &things.app;
    let before = app.get("/v1/accounts").await.ok();
    for (route, _) in guarded() {
        let place = format!("{} {}", route.method, route.path);
        let request = things.request(&route, Some(&app.key)).insert_header(("Calwarden-User", "bob"));
        let reply = app.send(request).await;
        let listed = matches!(route.gives, Gives::Page(_)) && route.path_names().next().is_none();
        // PostgreSQL hides that there is an Ada at all.
        if listed && !(app.url.is_some() && reply.status == 404) {
            assert_eq!(reply.ok()["data"], json!([]), "{place}");
        } else if route.topic() == "spaces" {
            assert_eq!(reply.refused().1, "forbidden_scope", "{place}");
        } else {
            assert_eq!(reply.refused().1, "not_found", "{place}");
        }
    }
    assert_eq!(app.get("/v1/accounts").await.ok(), before, "nothing of it was done");
    let unknown = app.request(Method::GET, "/v1/accounts").insert_header(("Calwarden-User", "eve"));
    assert_eq!(app.send(unknown).await.refused(), (404, "not_found".into(), Some("Calwarden-User".into())));
    let nonsense = app.request(Method::GET, "/v1/accounts").insert_header(("Calwarden-User", "a b"));
    assert_eq!(app.send(nonsense).await.refused().2.as_deref(), Some("Calwarden-User"));
}

#[actix_web::test]
async fn the_right_key_is_let_in_everywhere() {
    for (route, scope) in guarded() {
        let things = Things::make().await;
        let key = things.app.make_key(&[scope], None).await;
        if (&route.method, route.path) == (&Method::DELETE, "/v1/spaces/{id}/members/{user}") {
            things.app.put("/v1/spaces/ada/members/bob", json!({})).await.ok();
        }
        for acting in [false, true] {
            if acting && (route.topic() == "spaces" || route.method == Method::DELETE) {
                continue;
            }
            let request = things.request(&route, Some(&key));
            let request = if acting { request.insert_header(("Calwarden-User", "ada")) } else { request };
            let reply = things.app.send(request).await;
            let place = format!("{} {}: {}", route.method, route.path, reply.text);
            // Some of it is refused for what it is about (a home calendar's copy, a conflict without a loser, an account that is
            // connected already), none for who asks.
            let refused = [422, 409].contains(&reply.status.as_u16());
            assert!(reply.status == route.status || refused, "{} {place}", reply.status);
        }
    }
}

#[actix_web::test]
async fn a_member_of_a_space_connects_no_account_for_another_member() {
    let app = App::start().await;
    for user in ["ada", "bob", "eve"] {
        app.put(&format!("/v1/users/{user}"), json!({"name": user})).await.ok();
    }
    app.put("/v1/spaces/team", json!({"name": "Team"})).await.ok();
    for user in ["ada", "bob"] {
        app.put(&format!("/v1/spaces/team/members/{user}"), json!({})).await.ok();
    }
    let body = json!({"user_id": "ada", "space_id": "team", "provider": "feed", "url": super::app::FEED});
    let as_user = |user: &str, path: &str, body: &Value| {
        app.request(Method::POST, path).insert_header(("Calwarden-User", user.to_owned())).set_json(body)
    };
    let refused = app.send(as_user("bob", "/v1/accounts", &body)).await;
    assert_eq!(refused.refused(), (403, "not_theirs".into(), Some("user_id".into())), "{refused:?}");
    let consent = json!({"user_id": "ada", "space_id": "team"});
    assert_eq!(app.send(as_user("bob", "/v1/connect/google/start", &consent)).await.refused().1, "not_theirs");
    assert_eq!(
        app.send(as_user("eve", "/v1/accounts", &body)).await.refused().1,
        "not_found",
        "who sees nothing is told nothing"
    );
    let account = app.send(as_user("ada", "/v1/accounts", &body)).await.ok();
    let path = format!("/v1/accounts/{}/reconnect", account["id"].as_str().expect("an id"));
    let fresh = json!({"url": super::app::FEED});
    assert_eq!(app.send(as_user("bob", &path, &fresh)).await.refused().1, "not_theirs");
    assert_eq!(app.post(&path, fresh).await.status, 200, "the product's backend may");
}

#[actix_web::test]
async fn a_request_acts_for_one_user() {
    let (app, _, _) = App::with_ada().await;
    let twice = app.request(Method::GET, "/v1/accounts").insert_header(("Calwarden-User", "ada"));
    let twice = twice.append_header(("Calwarden-User", "bob"));
    assert_eq!(app.send(twice).await.refused(), (422, "invalid".into(), Some("Calwarden-User".into())));
}

#[actix_web::test]
async fn a_text_with_a_nul_is_refused_with_its_fields_name() {
    let (app, _, _) = App::with_ada().await;
    let name = app.put("/v1/users/bob", json!({"name": "B\0b"})).await;
    assert_eq!(name.refused(), (422, "invalid".into(), Some("name".into())));
    let path = app.get("/v1/events?user_id=a%00da").await;
    assert_eq!(path.refused().2.as_deref(), Some("user_id"));
    assert_eq!(app.get("/v1/users/a%00da").await.refused().2.as_deref(), Some("id"));
}
