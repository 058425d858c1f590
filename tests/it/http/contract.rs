//! What callers rely on in every answer: shapes of refusals, limits, health.

use actix_web::http::Method;
use serde_json::json;

use super::app::App;

#[actix_web::test]
async fn a_user_is_put_and_read_back() {
    let app = App::start().await;
    let body = json!({"name": "Ada", "time_zone": "Europe/Paris", "working_hours": {"mon": [["09:00", "17:00"]]}});
    let put = app.put("/v1/users/ada", body).await;
    let user = put.ok();
    assert_eq!((user["id"].as_str(), user["time_zone"].as_str()), (Some("ada"), Some("Europe/Paris")));
    assert_eq!(user["working_hours"], json!({"mon": [["09:00", "17:00"]]}));
    assert_eq!(user["etag"], put.header("etag"));
    assert_eq!(app.get("/v1/users/ada").await.ok(), user);
    assert_eq!(app.delete("/v1/users/ada").await.status, 204);
    assert_eq!(app.get("/v1/users/ada").await.refused().1, "not_found");
}

#[actix_web::test]
async fn a_wrong_field_is_named_with_its_path() {
    let app = App::start().await;
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": " "}), "name"),
        (json!({"name": 7}), "name"),
        (json!({"name": "Ada", "time_zone": "Mars/Olympus"}), "time_zone"),
        (json!({"name": "Ada", "colour": "red"}), "colour"),
        (json!({"name": "Ada", "working_hours": {"mon": [["17:00", "09:00"]]}}), "working_hours.mon[0]"),
        (json!({"name": "Ada", "working_hours": {"moon": []}}), "working_hours.moon"),
    ] {
        let reply = app.put("/v1/users/ada", body.clone()).await;
        assert_eq!(reply.refused(), (422, "invalid".into(), Some(field.into())), "{body}");
    }
    assert_eq!(app.put("/v1/users/a%20b", json!({"name": "x"})).await.refused().2.as_deref(), Some("id"));
}

#[actix_web::test]
async fn a_body_that_is_no_json_is_refused_by_what_is_wrong_with_it() {
    let app = App::start().await;
    let put = || app.request(Method::PUT, "/v1/users/ada");
    assert_eq!(app.send(put().set_payload("{\"name\":")).await.refused().1, "malformed_json");
    let form = put().insert_header(("Content-Type", "text/plain")).set_payload("{}");
    assert_eq!(app.send(form).await.refused().1, "unsupported_media_type");
    // What curl says of `-d` when it is told nothing else.
    let curl = put().insert_header(("Content-Type", "application/x-www-form-urlencoded"));
    assert_eq!(app.send(curl.set_payload(r#"{"name":"Ada"}"#)).await.status, 200);
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    assert_eq!(app.send(put().set_payload(deep)).await.refused().1, "malformed_json");
    let long = put().set_payload("x".repeat(1024 * 1024 + 1));
    assert_eq!(app.send(long).await.refused(), (413, "body_too_large".into(), None));
}

#[actix_web::test]
async fn an_unknown_route_and_a_wrong_method_are_problems_too() {
    let app = App::start().await;
    assert_eq!(app.get("/v1/nothing").await.refused(), (404, "not_found".into(), None));
    let wrong = app.send(app.request(Method::PATCH, "/v1/users/ada")).await;
    assert_eq!(wrong.refused().1, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "PUT, GET, DELETE");
}

#[actix_web::test]
async fn an_unknown_or_doubled_query_parameter_is_refused() {
    let app = App::start().await;
    for query in ["form=x", "from=2026-01-01&from=2026-01-01", "limit=0", "limit=501", "limit=x", "cursor=%25"] {
        let reply = app.get(&format!("/v1/conflicts?{query}")).await;
        let field = query.split('=').next().map(str::to_owned);
        assert_eq!(reply.refused(), (422, "invalid".into(), field), "{query}");
    }
}

#[actix_web::test]
async fn an_update_of_what_has_changed_meanwhile_is_stale() {
    let app = App::start().await;
    let first = app.put("/v1/users/ada", json!({"name": "Ada"})).await.header("etag").to_owned();
    let put = |tag: &str| app.request(Method::PUT, "/v1/users/ada").insert_header(("If-Match", tag.to_owned()));
    assert_eq!(app.send(put(&first).set_json(json!({"name": "Ada L."}))).await.status, 200);
    assert_eq!(app.send(put(&first).set_json(json!({"name": "A. L."}))).await.refused(), (412, "stale".into(), None));
    assert_eq!(app.get("/v1/users/ada").await.ok()["name"], "Ada L.");
    assert_eq!(app.send(put("*").set_json(json!({"name": "A. L."}))).await.status, 200);
}

#[actix_web::test]
async fn health_and_figures_are_open_to_all() {
    let app = App::start().await;
    for (path, holds) in [("/health/live", "live"), ("/health/ready", "ready"), ("/metrics", "calwarden_up 1")] {
        let reply = app.send(actix_web::test::TestRequest::get().uri(path)).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.text.contains(holds), "{path}: {}", reply.text);
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
}

#[actix_web::test]
async fn spaces_have_members_who_see_them() {
    let app = App::start().await;
    let (account, _) = app.make_person("ada").await;
    app.put("/v1/users/bob", json!({"name": "Bob"})).await.ok();
    let as_bob = |path: &str| app.request(Method::GET, path).insert_header(("Calwarden-User", "bob"));
    let path = format!("/v1/accounts/{}", account.id);
    assert_eq!(app.send(as_bob(&path)).await.status, 404);
    assert_eq!(app.put("/v1/spaces/ada/members/bob", json!({"role": "owner"})).await.status, 204);
    assert_eq!(app.send(as_bob(&path)).await.status, 200);
    let takeover = app.request(Method::DELETE, "/v1/users/ada").insert_header(("Calwarden-User", "bob"));
    assert_eq!(app.send(takeover).await.status, 404, "a member does not delete another");
    assert_eq!(app.delete("/v1/spaces/ada/members/bob").await.status, 204);
    assert_eq!(app.send(as_bob(&path)).await.status, 404);
    assert_eq!(app.put("/v1/spaces/home", json!({"name": "Home"})).await.ok()["id"], "home");
    assert_eq!(app.delete("/v1/spaces/ada/members/ada").await.status, 404, "nobody leaves their own space");
    app.put("/v1/spaces/team", json!({"name": "Team"})).await.ok();
    app.put("/v1/spaces/team/members/ada", json!({})).await;
    let taken = app.put("/v1/users/team", json!({"name": "Eve"})).await;
    assert_eq!(taken.refused().2.as_deref(), Some("id"), "nobody comes into a space by bearing its name");
}
