//! Connecting Google by consent, tokens, notifications, and rounds against the look-alike; every request that is made here
//! is held against Google's own document.

use std::sync::{Arc, Mutex};

use actix_web::{http::Method, test::TestRequest};
use calwarden::{
    domain::{
        account::AccountStatus,
        ids::AccountId,
        person::Scope,
        round::{Cause, Outcome},
    },
    engine::account::{ChannelEnd, RefreshEnd},
    provider::google::push,
    sandbox::{LookAlike as _, Push, SandboxRequest},
    service::hear_notifications::Verdict,
    store::Mode,
    web::ActorOrder,
};
use chrono::Duration;
use serde_json::{Value, json};
use url::Url;

use super::app::{App, Reply};
use crate::support::google::Wire;

pub(super) const ADA: &str = "ada@example.com";
const START: &str = "/v1/connect/google/start";

/// A person's browser: it knows the look-alike and us, and keeps our cookie.
pub(super) struct Browser {
    cookie: Option<String>,
}

impl Browser {
    /// The browser that was given the answer of `start`.
    pub(super) fn with(begun: &Reply) -> Self {
        let cookie = begun.header("set-cookie");
        for wanted in ["HttpOnly", "SameSite=Lax", "Path=/connect", "Secure", "Max-Age=900"] {
            assert!(cookie.contains(wanted), "{wanted}: {cookie}");
        }
        Self { cookie: cookie.split(';').next().map(str::to_owned) }
    }

    pub(super) async fn comes_back(&self, app: &App, path: &str) -> Reply {
        let mut request = app.request(Method::GET, path);
        if let Some(cookie) = &self.cookie {
            request = request.insert_header(("Cookie", cookie.as_str()));
        }
        app.send(request).await
    }
}

/// Follows an authorization URL to the look-alike; answers the way back, on our server.
pub(super) fn consents(wire: &Wire, url: &str, choice: &str) -> String {
    let url = Url::parse(url).expect("a URL");
    let asked = SandboxRequest::target("GET", &format!("{}?{}{choice}", url.path(), url.query().expect("a query")));
    let reply = wire.ask(&asked);
    let back = reply.headers.iter().find(|(name, _)| name == "location").expect("a way back").1.clone();
    let back = Url::parse(&back).expect("a URL");
    format!("{}?{}", back.path(), back.query().expect("a query"))
}

pub(super) async fn begin(app: &App, body: Value) -> (Reply, String) {
    let begun = app.post(START, body).await;
    let url = begun.ok()["authorization_url"].as_str().expect("a URL").to_owned();
    (begun, url)
}

/// Connects Ada's account the whole way.
async fn connect(app: &App, wire: &Wire, body: Value) -> Reply {
    let (begun, url) = begin(app, body).await;
    let browser = Browser::with(&begun);
    let back = consents(wire, &url, "");
    browser.comes_back(app, &back).await
}

pub(super) async fn connected(access: &str) -> (App, Arc<Wire>, AccountId) {
    connected_on(None, access).await
}

/// The same, on a PostgreSQL database or, without a URL, on SQLite.
pub(super) async fn connected_on(url: Option<String>, access: &str) -> (App, Arc<Wire>, AccountId) {
    let (app, wire) = App::with_google_on(url).await;
    wire.control("POST", "users", &json!({ "email": ADA }));
    let id = connect_only(&app, &wire, access).await;
    (app, wire, id)
}

/// Connects Ada's only account.
pub(super) async fn connect_only(app: &App, wire: &Wire, access: &str) -> AccountId {
    let page = connect(app, wire, json!({ "user_id": "ada", "access": access })).await;
    assert_eq!(page.status, 200, "{}", page.text);
    app.get("/v1/accounts").await.ok()["data"][0]["id"].as_str().expect("an id").parse().expect("an id")
}

/// Another client of Ada's: its token.
pub(super) fn elsewhere(wire: &Wire) -> String {
    wire.control("POST", "users", &json!({ "email": ADA }))["access_token"].as_str().expect("a token").to_owned()
}

/// The calendar that was chosen when she connected.
pub(super) async fn primary(app: &App, id: AccountId) -> Value {
    let account = app.get(&format!("/v1/accounts/{id}")).await.ok();
    let calendars = account["calendars"].as_array().expect("calendars");
    calendars.iter().find(|held| held["selected"] == true).expect("the primary one").clone()
}

pub(super) async fn round(app: &App, id: AccountId, cause: Cause) -> Outcome {
    app.services().round(id, cause, &|_| {}).await.expect("a round").outcome
}

pub(super) fn lunch(title: &str) -> Value {
    json!({ "summary": title, "start": { "dateTime": "2026-03-04T12:00:00+01:00" }, "end": { "dateTime": "2026-03-04T13:00:00+01:00" } })
}

pub(super) async fn titles(app: &App) -> Vec<String> {
    let page = app.get("/v1/events?user_id=ada&limit=500").await.ok();
    let mut found: Vec<_> = page["data"]
        .as_array()
        .expect("events")
        .iter()
        .map(|e| e["title"].as_str().expect("a title").to_owned())
        .collect();
    found.sort();
    found
}

#[actix_web::test]
async fn the_consent_asks_for_what_it_needs_and_proves_itself() {
    let (app, wire) = App::with_google().await;
    wire.control("POST", "users", &json!({ "email": ADA }));
    let (_, url) = begin(&app, json!({ "user_id": "ada", "access": "read" })).await;
    let url = Url::parse(&url).expect("a URL");
    let asked: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    for (name, value) in [
        ("response_type", "code"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("include_granted_scopes", "true"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
    assert!(asked["scope"].contains("calendar.events.readonly") && !asked["scope"].contains("calendar.events "));
    assert_eq!(asked["code_challenge"].len(), 43);
    assert!(asked["state"].len() >= 43, "256 bits");
}

#[actix_web::test]
async fn a_consent_becomes_an_account_with_its_calendars_tokens_and_first_round() {
    let (app, wire, id) = connected("write").await;
    let account = app.get(&format!("/v1/accounts/{id}")).await.ok();
    assert_eq!((account["provider"].as_str(), account["status"].as_str()), (Some("google"), Some("active")));
    let scopes = account["granted_scopes"].as_array().expect("scopes");
    assert!(scopes.iter().any(|scope| scope == "https://www.googleapis.com/auth/calendar.events"), "{scopes:?}");
    let chosen: Vec<_> =
        account["calendars"].as_array().expect("calendars").iter().map(|c| (&c["name"], &c["selected"])).collect();
    assert_eq!(chosen, [(&json!(ADA), &json!(true)), (&json!("Family"), &json!(false))]);
    assert!(app.actors.wakes.lock().expect("no panic").contains(&(id, Cause::Connected)));
    let mut tx = app.services().store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
    let sealed = tx.secrets_of(id).await.expect("secrets");
    tx.commit().await.expect("read");
    assert_eq!(sealed.len(), 2, "access and refresh token");
    assert!(sealed.iter().all(|secret| !secret.sealed.windows(5).any(|part| part == b"ya29." || part == b"1//00")));
    assert_eq!(wire.count("token"), 1);
}

#[actix_web::test]
async fn the_person_goes_back_to_the_product_with_a_banner() {
    let (app, wire) = App::with_google().await;
    wire.control("POST", "users", &json!({ "email": ADA }));
    let body = json!({ "user_id": "ada", "return_to": "https://app.example.org/settings?tab=2" });
    let answer = connect(&app, &wire, body).await;
    assert_eq!(answer.status, 303);
    assert!(
        answer.header("location").starts_with("https://app.example.org/settings?tab=2&connected=google&account_id=")
    );
    let refused = app.post(START, json!({ "user_id": "ada", "return_to": "javascript:alert(1)" })).await.refused();
    assert_eq!(refused, (422, "invalid".into(), Some("return_to".into())));
}

/// Another person's or program's browser that follows the link of a consent: what it was shown, and the cookie it was given.
async fn opened(app: &App, begun: &Value) -> (Reply, String) {
    let there = Url::parse(begun["browser_url"].as_str().expect("a URL")).expect("a URL");
    let shown =
        app.send(TestRequest::get().uri(&format!("{}?{}", there.path(), there.query().expect("a ticket")))).await;
    let cookie = shown.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    (shown, cookie)
}

/// Sends the form of the page.
async fn goes_on(app: &App, begun: &Value, cookie: &str) -> Reply {
    let there = Url::parse(begun["browser_url"].as_str().expect("a URL")).expect("a URL");
    let form = there.query().expect("a ticket").to_owned();
    let sent = TestRequest::post().uri("/connect/google/begin").set_payload(form);
    app.send(
        sent.insert_header(("Content-Type", "application/x-www-form-urlencoded")).insert_header(("Cookie", cookie)),
    )
    .await
}

#[actix_web::test]
async fn a_browser_without_the_cookie_is_told_whose_account_it_will_be_and_gets_it_when_it_goes_on() {
    let (app, wire) = App::with_google().await;
    wire.control("POST", "users", &json!({ "email": ADA }));
    app.put("/v1/users/ada", json!({"name": "Ada <b>", "time_zone": "Europe/Paris"})).await.ok();
    let begun = app.post(START, json!({ "user_id": "ada" })).await.ok();
    let (shown, cookie) = opened(&app, &begun).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    for wanted in ["Ada &lt;b&gt;", "<form method=\"post\"", "<button type=\"submit\"", "lang=\"en\""] {
        assert!(shown.text.contains(wanted), "{wanted}: {}", shown.text);
    }
    assert!(!shown.text.contains("<script") && shown.header("location").is_empty());
    for wanted in ["HttpOnly", "SameSite=Strict", "Path=/connect", "Secure"] {
        assert!(shown.header("set-cookie").contains(wanted), "{wanted}: {}", shown.header("set-cookie"));
    }
    assert!(shown.header("content-security-policy").contains("form-action 'self' https://google.test"));
    let sent = goes_on(&app, &begun, &cookie).await;
    assert_eq!(
        (sent.status.as_u16(), sent.header("location")),
        (303, begun["authorization_url"].as_str().expect("a URL"))
    );
    let browser = Browser::with(&sent);
    let back = consents(&wire, sent.header("location"), "");
    assert_eq!(browser.comes_back(&app, &back).await.status, 200);
    let other = app.get("/connect/google/begin?ticket=made-up").await;
    assert_eq!((other.status.as_u16(), other.header("location")), (400, ""));
}

#[actix_web::test]
async fn two_consents_of_one_person_at_once_are_one_account() {
    let (app, wire) = App::with_google().await;
    wire.control("POST", "users", &json!({ "email": ADA }));
    let (one, other) = (begin(&app, json!({ "user_id": "ada" })).await, begin(&app, json!({ "user_id": "ada" })).await);
    let (back, tab) = (consents(&wire, &one.1, ""), consents(&wire, &other.1, ""));
    let (first, second) = (Browser::with(&one.0), Browser::with(&other.0));
    // Something else is being written until both have looked for an account and seen none.
    let busy = Arc::new(Mutex::new(None));
    let (writing, store, asked) = (Arc::clone(&busy), app.services().store.clone(), Arc::clone(&wire));
    let keep_busy = async move {
        while asked.count("token") < 2 {
            tokio::task::yield_now().await;
        }
        let tx = store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
        *writing.lock().expect("no panic") = Some(tx);
    };
    wire.meanwhile("calendarList", Box::pin(keep_busy));
    let both_have_looked = async {
        while wire.count("calendarList.list") < 2 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(busy.lock().expect("no panic").take().is_some(), "nobody was kept waiting");
    };
    let pages = tokio::join!(first.comes_back(&app, &back), second.comes_back(&app, &tab), both_have_looked);
    assert_eq!((pages.0.status.as_u16(), pages.1.status.as_u16()), (200, 200), "{} {}", pages.0.text, pages.1.text);
    let accounts = app.get("/v1/accounts").await.ok();
    assert_eq!(accounts["data"].as_array().map(Vec::len), Some(1), "{accounts}");
    assert_eq!(accounts["data"][0]["status"], "active");
}

#[actix_web::test]
async fn of_three_browsers_with_one_link_the_first_goes_on() {
    let (app, wire) = App::with_google().await;
    wire.control("POST", "users", &json!({ "email": ADA }));
    let begun = app.post(START, json!({ "user_id": "ada" })).await.ok();
    let mut cookies = Vec::new();
    for _ in 0..3 {
        let (shown, cookie) = opened(&app, &begun).await;
        assert_eq!(shown.status, 200, "who looks uses nothing up");
        cookies.push(cookie);
    }
    let hidden = goes_on(&app, &begun, "").await;
    assert_eq!((hidden.status.as_u16(), hidden.header("location")), (400, ""), "a form of somebody else's page");
    let sent = tokio::join!(
        goes_on(&app, &begun, &cookies[0]),
        goes_on(&app, &begun, &cookies[1]),
        goes_on(&app, &begun, &cookies[2])
    );
    let mut statuses = [sent.0.status.as_u16(), sent.1.status.as_u16(), sent.2.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 400, 400]);
    let (late, _) = opened(&app, &begun).await;
    assert_eq!(late.status, 400, "the link is used up");
    assert_eq!(wire.count("token"), 0);
}

#[actix_web::test]
async fn people_are_sent_back_to_hosts_that_the_operator_chose_and_to_no_others() {
    let (app, _wire) = App::with_google().await;
    for (place, status) in
        [("https://app.example.org/x", 200), ("https://calwarden.test/", 200), ("https://evil.example/", 422)]
    {
        let answer = app.post(START, json!({ "user_id": "ada", "return_to": place })).await;
        assert_eq!(answer.status, status, "{place}");
        if status == 422 {
            assert_eq!(answer.refused().2.as_deref(), Some("return_to"));
            assert!(answer.text.contains("CALWARDEN_RETURN_TO_HOSTS"), "{}", answer.text);
        }
    }
}

#[actix_web::test]
async fn whoever_does_not_bring_back_what_was_given_is_refused_and_no_token_is_asked_for() {
    let (app, wire) = App::with_google().await;
    wire.control("POST", "users", &json!({ "email": ADA }));
    let (begun, url) = begin(&app, json!({ "user_id": "ada" })).await;
    let ours = Browser::with(&begun);
    let back = consents(&wire, &url, "");
    let (theirs, _) = begin(&app, json!({ "user_id": "ada" })).await;
    let refused = [
        ("another browser", Browser::with(&theirs).comes_back(&app, &back).await),
        ("no cookie", Browser { cookie: None }.comes_back(&app, &back).await),
        (
            "a cookie of nobody's",
            Browser { cookie: Some("calwarden_consent=x.y.z".into()) }.comes_back(&app, &back).await,
        ),
        ("no state", ours.comes_back(&app, "/connect/google/callback?code=4/x").await),
        ("another state", ours.comes_back(&app, "/connect/google/callback?code=4/x&state=guessed").await),
        ("the person said no", ours.comes_back(&app, &consents(&wire, &url, "&decision=deny")).await),
    ];
    for (why, page) in refused {
        assert_eq!(page.status, 400, "{why}");
        assert!(page.text.contains("Nothing was stored"), "{why}: {}", page.text);
        // Nobody else has spent it: the person's own answer is still heard.
        assert_eq!(page.text.contains("You did not allow access"), why == "the person said no", "{why}: {}", page.text);
    }
    // The person who said no has spent this consent.
    assert_eq!(ours.comes_back(&app, &back).await.status, 400, "spent");
    assert_eq!(wire.count("token"), 0);
    assert_eq!(app.get("/v1/accounts").await.ok()["data"], json!([]));
}

#[actix_web::test]
async fn a_consent_is_good_once_and_for_a_quarter_of_an_hour() {
    let (app, wire) = App::with_google().await;
    wire.control("POST", "users", &json!({ "email": ADA }));
    let (begun, url) = begin(&app, json!({ "user_id": "ada" })).await;
    let browser = Browser::with(&begun);
    let back = consents(&wire, &url, "");
    assert_eq!(browser.comes_back(&app, &back).await.status, 200);
    assert_eq!(browser.comes_back(&app, &back).await.status, 400, "replayed");
    let (begun, url) = begin(&app, json!({ "user_id": "ada" })).await;
    let browser = Browser::with(&begun);
    let back = consents(&wire, &url, "");
    app.clock.advance(Duration::minutes(16));
    assert_eq!(browser.comes_back(&app, &back).await.status, 400, "too late");
    assert_eq!(wire.count("token"), 1);
    assert_eq!(app.get("/v1/accounts").await.ok()["data"].as_array().expect("accounts").len(), 1);
}

#[actix_web::test]
async fn without_a_scope_that_is_needed_nothing_is_stored_and_the_grant_is_ended() {
    let (app, wire) = App::with_google().await;
    wire.control("POST", "users", &json!({ "email": ADA }));
    let (begun, url) = begin(&app, json!({ "user_id": "ada" })).await;
    let browser = Browser::with(&begun);
    let unticked = "&no:https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcalendar.events=1";
    let back = consents(&wire, &url, unticked);
    let page = browser.comes_back(&app, &back).await;
    assert_eq!(page.status, 400);
    assert!(page.text.contains("Access to your events was not allowed"), "{}", page.text);
    assert_eq!(app.get("/v1/accounts").await.ok()["data"], json!([]));
    assert_eq!(wire.count("revoke"), 1);
}

#[actix_web::test]
async fn connecting_again_is_the_same_account_and_another_persons_is_refused() {
    let (app, wire, id) = connected("write").await;
    assert_eq!(connect(&app, &wire, json!({ "user_id": "ada" })).await.status, 200);
    let accounts = app.get("/v1/accounts").await.ok();
    assert_eq!(accounts["data"].as_array().expect("accounts").len(), 1);
    assert!(app.actors.orders.lock().expect("no panic").contains(&(id, ActorOrder::Reauthorised)));
    wire.control("POST", "users", &json!({ "email": "eve@example.com" }));
    let (begun, url) = begin(&app, json!({ "user_id": "ada", "account_id": id })).await;
    let browser = Browser::with(&begun);
    let back = consents(&wire, &url, "&account=eve%40example.com");
    let page = browser.comes_back(&app, &back).await;
    assert!(page.status == 400 && page.text.contains("another account"), "{}", page.text);
}

#[actix_web::test]
async fn more_access_later_asks_for_the_rest_alone_and_the_calendars_take_writes() {
    let (app, wire, id) = connected("read").await;
    assert_eq!(primary(&app, id).await["direction"], "from_provider");
    assert_eq!(round(&app, id, Cause::Connected).await, Outcome::Ok);
    let (begun, url) = begin(&app, json!({ "user_id": "ada", "access": "write", "account_id": id })).await;
    let scope = Url::parse(&url)
        .expect("a URL")
        .query_pairs()
        .find(|(name, _)| name == "scope")
        .expect("scopes")
        .1
        .into_owned();
    assert_eq!(scope, "https://www.googleapis.com/auth/calendar.events");
    let browser = Browser::with(&begun);
    let back = consents(&wire, &url, "");
    assert_eq!(browser.comes_back(&app, &back).await.status, 200);
    let account = app.get(&format!("/v1/accounts/{id}")).await.ok();
    assert_eq!(primary(&app, id).await["direction"], "both");
    assert!(account["granted_scopes"].as_array().expect("scopes").len() >= 5, "the old ones too");
}

#[actix_web::test]
async fn a_thousand_needs_for_a_token_are_one_refresh() {
    let (app, wire, id) = connected("write").await;
    app.clock.advance(Duration::hours(2));
    let needs = (0..1_000).map(|_| app.services().open_account(id));
    for opened in futures_util::future::join_all(needs).await {
        assert!(opened.is_ok());
    }
    assert_eq!(wire.count("token"), 2, "the exchange, and one refresh");
}

#[actix_web::test]
async fn a_refresh_keeps_what_it_is_not_given_and_tells_a_failure_from_a_refusal() {
    let (app, wire, id) = connected("write").await;
    for _ in 0..2 {
        assert!(matches!(app.services().refresh_credential(id).await, RefreshEnd::Done { expires: Some(_) }));
    }
    wire.control("POST", "faults", &json!({ "operation": "token", "status": 503, "times": 1 }));
    assert_eq!(app.services().refresh_credential(id).await, RefreshEnd::Failed);
    assert_eq!(round(&app, id, Cause::Poll).await, Outcome::Ok, "the old one still serves");
    wire.control("POST", "revoke", &json!({ "email": ADA }));
    assert_eq!(app.services().refresh_credential(id).await, RefreshEnd::Refused);
    assert_eq!(round(&app, id, Cause::Poll).await, Outcome::Unauthorised);
}

#[actix_web::test]
async fn both_sides_come_together_and_a_round_without_changes_is_one_request() {
    let (app, wire, id) = connected("write").await;
    let token = elsewhere(&wire);
    let events = format!("/calendars/{ADA}/events");
    let (_, theirs) = wire.call("POST", &events, &token, &lunch("Theirs"));
    round(&app, id, Cause::Connected).await;
    assert_eq!(titles(&app).await, ["Theirs"]);
    let calendar = primary(&app, id).await["id"].clone();
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    let ours = json!({ "user_id": "ada", "calendar_id": calendar, "title": "Ours", "start": time("2026-03-05T09:00:00"),
        "end": time("2026-03-05T10:00:00"), "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"] });
    let ours = app.post("/v1/events", ours).await.ok();
    round(&app, id, Cause::LocalEdit).await;
    let (_, there) = wire.call("GET", &events, &token, &Value::Null);
    let found: Vec<_> = there["items"].as_array().expect("items").iter().map(|item| item["summary"].as_str()).collect();
    assert!(found.contains(&Some("Ours")) && found.len() == 2, "{found:?}");
    // One occurrence is changed there, another here, a third is deleted there.
    let series = there["items"].as_array().expect("items").iter().find(|item| item["summary"] == "Ours").expect("ours");
    let name = series["id"].as_str().expect("an id");
    let (_, instances) = wire.call("GET", &format!("{events}/{name}/instances"), &token, &Value::Null);
    let occurrence = |at: usize| instances["items"][at]["id"].as_str().expect("an id").to_owned();
    wire.call("PATCH", &format!("{events}/{}", occurrence(1)), &token, &json!({ "summary": "Moved there" }));
    wire.call("DELETE", &format!("{events}/{}", occurrence(2)), &token, &Value::Null);
    let path =
        format!("/v1/events/{}?scope=this&recurrence_id=2026-03-26T09:00:00", ours["id"].as_str().expect("an id"));
    app.patch(&path, json!({ "title": "Changed here" })).await.ok();
    for cause in [Cause::Notified, Cause::LocalEdit, Cause::Poll] {
        assert_eq!(round(&app, id, cause).await, Outcome::Ok);
    }
    let all = app.get("/v1/events?user_id=ada&expand=true&from=2026-03-01&to=2026-05-01").await.ok();
    let mut seen: Vec<_> =
        all["data"].as_array().expect("events").iter().map(|e| e["title"].as_str().expect("a title")).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["Changed here", "Moved there", "Ours", "Theirs"]);
    let (_, instances) = wire.call("GET", &format!("{events}/{name}/instances"), &token, &Value::Null);
    let mut there: Vec<_> =
        instances["items"].as_array().expect("items").iter().map(|i| i["summary"].as_str().expect("a title")).collect();
    there.sort_unstable();
    assert_eq!(there, ["Changed here", "Moved there", "Ours"]);
    wire.control("DELETE", "requests", &Value::Null);
    let report = app.services().round(id, Cause::Poll, &|_| {}).await.expect("a round");
    assert_eq!((report.tally.requests, wire.count("events.list")), (1, 1));
    // An update and a deletion, each way.
    wire.call(
        "PATCH",
        &format!("{events}/{}", theirs["id"].as_str().expect("an id")),
        &token,
        &json!({ "summary": "Theirs, later" }),
    );
    app.delete(&format!("/v1/events/{}", ours["id"].as_str().expect("an id"))).await;
    round(&app, id, Cause::Notified).await;
    assert_eq!(titles(&app).await, ["Theirs, later"]);
    let (_, there) = wire.call("GET", &events, &token, &Value::Null);
    assert_eq!(there["items"].as_array().expect("items").len(), 1);
}

#[actix_web::test]
async fn a_lost_answer_makes_no_second_event_and_fields_of_others_survive_our_writes() {
    let (app, wire, id) = connected("write").await;
    let events = format!("/calendars/{ADA}/events");
    let calendar = primary(&app, id).await["id"].clone();
    round(&app, id, Cause::Connected).await;
    wire.control("POST", "faults", &json!({ "operation": "events.insert", "apply": true, "drop": true, "times": 1 }));
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    let event = json!({ "user_id": "ada", "calendar_id": calendar, "title": "Once", "start": time("2026-03-05T09:00:00"), "end": time("2026-03-05T10:00:00") });
    let event = app.post("/v1/events", event).await.ok();
    round(&app, id, Cause::LocalEdit).await;
    app.clock.advance(Duration::hours(1));
    round(&app, id, Cause::Retry).await;
    let token = elsewhere(&wire);
    let (_, there) = wire.call("GET", &events, &token, &Value::Null);
    assert_eq!(there["items"].as_array().expect("items").len(), 1);
    let name = there["items"][0]["id"].as_str().expect("an id").to_owned();
    assert!(name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v')), "base32hex: {name}");
    let theirs = json!({ "colorId": "7", "guestsCanModify": true, "extendedProperties": { "shared": { "x": "y" } } });
    wire.call("PATCH", &format!("{events}/{name}"), &token, &theirs);
    round(&app, id, Cause::Notified).await;
    app.patch(&format!("/v1/events/{}", event["id"].as_str().expect("an id")), json!({ "title": "Still once" }))
        .await
        .ok();
    round(&app, id, Cause::LocalEdit).await;
    let (_, item) = wire.call("GET", &format!("{events}/{name}"), &token, &Value::Null);
    assert_eq!(
        (&item["summary"], &item["colorId"], &item["guestsCanModify"]),
        (&json!("Still once"), &json!("7"), &json!(true))
    );
    assert_eq!(item["extendedProperties"]["shared"]["x"], "y");
}

#[actix_web::test]
async fn our_own_write_that_comes_back_is_no_disagreement_with_a_later_edit() {
    let (app, wire, id) = connected("write").await;
    let calendar = primary(&app, id).await["id"].clone();
    round(&app, id, Cause::Connected).await;
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    let event = json!({ "user_id": "ada", "calendar_id": calendar, "title": "First", "start": time("2026-03-05T09:00:00"), "end": time("2026-03-05T10:00:00") });
    let event = app.post("/v1/events", event).await.ok();
    round(&app, id, Cause::LocalEdit).await;
    let path = format!("/v1/events/{}", event["id"].as_str().expect("an id"));
    // The second title is taken there, its answer is lost, and what is there cannot be looked at.
    app.patch(&path, json!({ "title": "Second" })).await.ok();
    wire.control("POST", "faults", &json!({ "operation": "events.patch", "apply": true, "drop": true, "times": 1 }));
    wire.control("POST", "faults", &json!({ "operation": "events.get", "status": 503, "times": 1 }));
    round(&app, id, Cause::LocalEdit).await;
    app.patch(&path, json!({ "title": "Third" })).await.ok();
    app.clock.advance(Duration::minutes(30));
    for cause in [Cause::Retry, Cause::Poll] {
        assert_eq!(round(&app, id, cause).await, Outcome::Ok);
    }
    assert_eq!(titles(&app).await, ["Third"]);
    assert_eq!(app.get("/v1/conflicts").await.ok()["data"], json!([]));
    let (_, there) = wire.call("GET", &format!("/calendars/{ADA}/events"), &elsewhere(&wire), &Value::Null);
    assert_eq!(there["items"][0]["summary"], "Third");
}

#[actix_web::test]
async fn an_edit_after_a_create_whose_answer_was_lost_is_no_disagreement_and_makes_no_second_event() {
    let (app, wire, id) = connected("write").await;
    let calendar = primary(&app, id).await["id"].clone();
    round(&app, id, Cause::Connected).await;
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    for (title, newer) in [("One", "One, newer"), ("Two", "Two, newer")] {
        let event = json!({ "user_id": "ada", "calendar_id": calendar, "title": title, "start": time("2026-03-05T09:00:00"), "end": time("2026-03-05T10:00:00") });
        let event = app.post("/v1/events", event).await.ok();
        wire.control(
            "POST",
            "faults",
            &json!({ "operation": "events.insert", "apply": true, "drop": true, "times": 1 }),
        );
        wire.control("POST", "faults", &json!({ "operation": "events.get", "status": 503, "times": 1 }));
        round(&app, id, Cause::LocalEdit).await;
        app.patch(&format!("/v1/events/{}", event["id"].as_str().expect("an id")), json!({ "title": newer }))
            .await
            .ok();
        // The list fails: the second attempt meets the first by its id alone.
        wire.control("POST", "faults", &json!({ "operation": "events.list", "status": 503, "times": 1 }));
        for cause in [Cause::Retry, Cause::Retry, Cause::Poll] {
            app.clock.advance(Duration::minutes(30));
            round(&app, id, cause).await;
        }
    }
    let (_, there) = wire.call("GET", &format!("/calendars/{ADA}/events"), &elsewhere(&wire), &Value::Null);
    let mut names: Vec<_> =
        there["items"].as_array().expect("items").iter().map(|item| item["summary"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["One, newer", "Two, newer"]);
    assert_eq!(titles(&app).await, ["One, newer", "Two, newer"]);
    assert_eq!(app.get("/v1/conflicts").await.ok()["data"], json!([]));
}

#[actix_web::test]
async fn what_was_made_and_deleted_there_before_we_heard_of_it_stays_deleted() {
    let (app, wire, id) = connected("write").await;
    let calendar = primary(&app, id).await["id"].clone();
    round(&app, id, Cause::Connected).await;
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    let event = json!({ "user_id": "ada", "calendar_id": calendar, "title": "Short-lived", "start": time("2026-03-05T09:00:00"), "end": time("2026-03-05T10:00:00") });
    app.post("/v1/events", event).await.ok();
    wire.control("POST", "faults", &json!({ "operation": "events.insert", "apply": true, "drop": true, "times": 1 }));
    wire.control("POST", "faults", &json!({ "operation": "events.get", "status": 503, "times": 1 }));
    round(&app, id, Cause::LocalEdit).await;
    let (token, events) = (elsewhere(&wire), format!("/calendars/{ADA}/events"));
    let (_, there) = wire.call("GET", &events, &token, &Value::Null);
    let made = there["items"][0]["id"].as_str().expect("an id").to_owned();
    wire.call("DELETE", &format!("{events}/{made}"), &token, &Value::Null);
    for cause in [Cause::Retry, Cause::Poll] {
        app.clock.advance(Duration::minutes(30));
        assert_eq!(round(&app, id, cause).await, Outcome::Ok);
    }
    let (_, there) = wire.call("GET", &events, &elsewhere(&wire), &Value::Null);
    assert_eq!((&there["items"], titles(&app).await), (&json!([]), Vec::<String>::new()));
}

/// `If-Match` guards the master alone: the exceptions are compared before a series is deleted, all pages of them.
#[actix_web::test]
async fn a_series_is_not_deleted_over_an_occurrence_that_was_edited_meanwhile() {
    let (app, wire, id) = connected("write").await;
    let (token, events) = (elsewhere(&wire), format!("/calendars/{ADA}/events"));
    let at = |hour: u8| json!({ "dateTime": format!("2026-03-05T{hour:02}:00:00+01:00"), "timeZone": "Europe/Paris" });
    let series =
        json!({ "summary": "Daily", "start": at(9), "end": at(10), "recurrence": ["RRULE:FREQ=DAILY;COUNT=6"] });
    let (_, series) = wire.call("POST", &events, &token, &series);
    let (_, days) = wire.call(
        "GET",
        &format!("{events}/{}/instances", series["id"].as_str().expect("an id")),
        &token,
        &Value::Null,
    );
    let day = |at: usize| format!("{events}/{}", days["items"][at]["id"].as_str().expect("an id"));
    for at in [1, 2, 3] {
        wire.call("PATCH", &day(at), &token, &json!({ "summary": format!("Day {at}") }));
    }
    wire.control("POST", "settings", &json!({ "page_max": 2 }));
    round(&app, id, Cause::Connected).await;
    let held = app.get("/v1/events?user_id=ada").await.ok()["data"][0].clone();
    assert_eq!(held["overrides"].as_array().map(Vec::len), Some(3), "from every page: {held}");
    // Somebody edits a day after our last look, and we delete the series before the next.
    wire.call("PATCH", &day(4), &token, &json!({ "summary": "Day 4, moved" }));
    app.delete(&format!("/v1/events/{}", held["id"].as_str().expect("an id"))).await;
    wire.control("POST", "faults", &json!({ "operation": "events.list", "status": 503, "times": 1 }));
    round(&app, id, Cause::LocalEdit).await;
    for _ in 0..2 {
        app.clock.advance(Duration::minutes(30));
        round(&app, id, Cause::Poll).await;
    }
    wire.control("POST", "settings", &json!({ "page_max": 250 }));
    let (_, there) = wire.call("GET", &format!("{events}?singleEvents=true"), &elsewhere(&wire), &Value::Null);
    assert!(there["items"].to_string().contains("Day 4, moved"), "{there}");
    let conflicts = app.get("/v1/conflicts").await.ok();
    assert_eq!(conflicts["data"].as_array().map(Vec::len), Some(1), "{conflicts}");
    let back = app.get("/v1/events?user_id=ada").await.ok();
    assert_eq!(back["data"][0]["overrides"].as_array().map(Vec::len), Some(4), "from every page: {back}");
}

#[actix_web::test]
async fn an_event_deleted_before_its_create_was_confirmed_is_not_left_behind() {
    let (app, wire, id) = connected("write").await;
    let calendar = primary(&app, id).await["id"].clone();
    round(&app, id, Cause::Connected).await;
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    let event = json!({ "user_id": "ada", "calendar_id": calendar, "title": "Regretted", "start": time("2026-03-05T09:00:00"), "end": time("2026-03-05T10:00:00") });
    let event = app.post("/v1/events", event).await.ok();
    wire.control("POST", "faults", &json!({ "operation": "events.insert", "apply": true, "drop": true, "times": 1 }));
    wire.control("POST", "faults", &json!({ "operation": "events.get", "status": 503, "times": 1 }));
    round(&app, id, Cause::LocalEdit).await;
    app.delete(&format!("/v1/events/{}", event["id"].as_str().expect("an id"))).await;
    // The lists fail too: nothing but the queue knows of it.
    wire.control("POST", "faults", &json!({ "operation": "events.list", "status": 503, "times": 1 }));
    app.clock.advance(Duration::minutes(30));
    for cause in [Cause::Retry, Cause::Retry, Cause::Poll] {
        round(&app, id, cause).await;
        app.clock.advance(Duration::minutes(30));
    }
    let (_, there) = wire.call("GET", &format!("/calendars/{ADA}/events"), &elsewhere(&wire), &Value::Null);
    assert_eq!(there["items"], json!([]));
    assert_eq!(titles(&app).await, Vec::<String>::new());
}

/// An event at home in the primary calendar, with a copy in the family's.
pub(super) struct Picnic {
    pub family: String,
    pub path: String,
    /// Where the family's events are, and a token to go there.
    pub there: String,
    pub token: String,
}

pub(super) async fn picnic(app: &App, wire: &Wire, id: AccountId) -> Picnic {
    let home = primary(app, id).await["id"].clone();
    let account = app.get(&format!("/v1/accounts/{id}")).await.ok();
    let family = account["calendars"].as_array().expect("calendars").iter().find(|held| held["name"] == "Family");
    let family = family.expect("the other one")["id"].as_str().expect("an id").to_owned();
    app.patch(&format!("/v1/calendars/{family}"), json!({ "selected": true })).await.ok();
    round(app, id, Cause::Connected).await;
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    let event = json!({ "user_id": "ada", "calendar_id": home, "title": "Picnic", "start": time("2026-03-05T09:00:00"), "end": time("2026-03-05T10:00:00") });
    let event = app.post("/v1/events", event).await.ok();
    let path = format!("/v1/events/{}", event["id"].as_str().expect("an id"));
    app.post(&format!("{path}/links"), json!({ "calendar_id": family })).await.ok();
    round(app, id, Cause::LocalEdit).await;
    let there = format!("/calendars/{}/events", "family-ada-at-example.com%40group.calendar.google.com");
    Picnic { family, path, there, token: elsewhere(wire) }
}

#[actix_web::test]
async fn what_a_refused_write_brings_in_is_told_to_the_events_other_copy() {
    let (app, wire, id) = connected("write").await;
    let Picnic { path, there, token, .. } = picnic(&app, &wire, id).await;
    let (_, copies) = wire.call("GET", &there, &token, &Value::Null);
    let copy = copies["items"][0]["id"].as_str().expect("a copy").to_owned();
    // The copy is given a place; before that is read, the title changes here, and the write of it is refused.
    wire.call("PATCH", &format!("{there}/{copy}"), &token, &json!({ "location": "The lake" }));
    app.patch(&path, json!({ "title": "Picnic, later" })).await.ok();
    wire.control("POST", "faults", &json!({ "operation": "events.list", "status": 503, "times": 2 }));
    round(&app, id, Cause::LocalEdit).await;
    for cause in [Cause::LocalEdit, Cause::Poll] {
        app.clock.advance(Duration::minutes(5));
        assert_eq!(round(&app, id, cause).await, Outcome::Ok);
    }
    for calendar in [there.as_str(), &format!("/calendars/{ADA}/events")] {
        let (_, held) = wire.call("GET", calendar, &token, &Value::Null);
        let item = &held["items"][0];
        assert_eq!((&item["summary"], &item["location"]), (&json!("Picnic, later"), &json!("The lake")), "{calendar}");
    }
}

#[actix_web::test]
async fn a_refused_write_is_not_sent_again_over_what_is_there() {
    let (app, wire, id) = connected("write").await;
    let Picnic { path, there, token, .. } = picnic(&app, &wire, id).await;
    let (_, copies) = wire.call("GET", &there, &token, &Value::Null);
    let copy = format!("{there}/{}", copies["items"][0]["id"].as_str().expect("a copy"));
    wire.call("PATCH", &copy, &token, &json!({ "summary": "Theirs" }));
    app.patch(&path, json!({ "title": "Ours" })).await.ok();
    wire.control("POST", "faults", &json!({ "operation": "events.list", "status": 503, "times": 2 }));
    round(&app, id, Cause::LocalEdit).await;
    let (_, held) = wire.call("GET", &copy, &token, &Value::Null);
    assert_eq!(held["summary"], "Theirs", "the account's rule lets the provider win");
    assert_eq!(app.get(&path).await.ok()["title"], "Theirs");
    let told = app.get("/v1/conflicts").await.ok();
    assert_eq!(told["data"].as_array().map(Vec::len), Some(1), "what was written here is in the history: {told}");
}

#[actix_web::test]
async fn a_copy_that_is_taken_away_goes_though_it_was_changed_there_meanwhile() {
    let (app, wire, id) = connected("write").await;
    let Picnic { family, path, there, token } = picnic(&app, &wire, id).await;
    let (_, copies) = wire.call("GET", &there, &token, &Value::Null);
    let copy = copies["items"][0]["id"].as_str().expect("a copy").to_owned();
    wire.call("PATCH", &format!("{there}/{copy}"), &token, &json!({ "location": "The lake" }));
    let link = format!("{path}/links?calendar_id={family}");
    app.delete(&link).await;
    let again = app.post(&format!("{path}/links"), json!({ "calendar_id": family })).await;
    let (status, _, field) = again.refused();
    assert_eq!((status, field.as_deref()), (422, Some("calendar_id")), "it is still going");
    // What was changed there is found when the taking away is refused.
    wire.control("POST", "faults", &json!({ "operation": "events.list", "status": 503, "times": 2 }));
    for cause in [Cause::LocalEdit, Cause::Retry, Cause::Poll] {
        round(&app, id, cause).await;
        app.clock.advance(Duration::minutes(5));
    }
    let (_, copies) = wire.call("GET", &there, &token, &Value::Null);
    assert_eq!(copies["items"], json!([]));
    let event = app.get(&path).await.ok();
    assert_eq!((&event["title"], &event["location"]), (&json!("Picnic"), &json!("The lake")), "nothing is lost");
    app.post(&format!("{path}/links"), json!({ "calendar_id": family })).await.ok();
    round(&app, id, Cause::LocalEdit).await;
    let (_, copies) = wire.call("GET", &there, &token, &Value::Null);
    assert_eq!(copies["items"][0]["location"], json!("The lake"), "it is there again");
}

#[actix_web::test]
async fn held_deletions_are_carried_out_once_somebody_says_so() {
    let (app, wire, id) = connected("write").await;
    wire.control("POST", "seed", &json!({ "email": ADA, "events": 12 }));
    round(&app, id, Cause::Connected).await;
    let token = elsewhere(&wire);
    let events = format!("/calendars/{ADA}/events");
    let (_, there) = wire.call("GET", &events, &token, &Value::Null);
    for item in there["items"].as_array().expect("items").iter().take(8) {
        wire.call("DELETE", &format!("{events}/{}", item["id"].as_str().expect("an id")), &token, &Value::Null);
    }
    for cause in [Cause::Notified, Cause::Poll] {
        assert_eq!(round(&app, id, cause).await, Outcome::Held);
        assert_eq!(titles(&app).await.len(), 12);
    }
    let holds = app.get(&format!("/v1/accounts/{id}/holds")).await.ok();
    let holds = holds["data"].as_array().expect("holds");
    assert_eq!(holds.len(), 1, "asked once");
    assert_eq!((holds[0]["removed"].as_u64(), holds[0]["events"].as_array().map(Vec::len)), (Some(8), Some(8)));
    assert!(holds[0]["reason"].as_str().is_some_and(|why| why.contains("reported as deleted there")), "{}", holds[0]);
    app.post(&format!("/v1/holds/{}/approve", holds[0]["id"].as_str().expect("an id")), Value::Null).await.ok();
    assert_eq!(round(&app, id, Cause::Requested).await, Outcome::Ok);
    assert_eq!(titles(&app).await.len(), 4);
}

#[actix_web::test]
async fn a_token_that_expired_is_answered_by_one_complete_list_and_nothing_changes() {
    let (app, wire, id) = connected("write").await;
    wire.control("POST", "seed", &json!({ "email": ADA, "events": 40 }));
    wire.control("POST", "settings", &json!({ "page_max": 7 }));
    round(&app, id, Cause::Connected).await;
    assert_eq!(titles(&app).await.len(), 40);
    wire.control("POST", "expire-sync-tokens", &json!({}));
    let report = app.services().round(id, Cause::Poll, &|_| {}).await.expect("a round");
    assert_eq!(
        (report.outcome, report.tally.created, report.tally.updated, report.tally.deleted),
        (Outcome::Ok, 0, 0, 0)
    );
}

#[actix_web::test]
async fn a_limit_is_told_from_a_refusal() {
    let (app, wire, id) = connected("write").await;
    round(&app, id, Cause::Connected).await;
    let fault = |reason: &str| json!({ "operation": "events.list", "status": 403, "reason": reason, "times": 1, "retry_after": 90 });
    wire.control("POST", "faults", &fault("rateLimitExceeded"));
    let report = app.services().round(id, Cause::Poll, &|_| {}).await.expect("a round");
    let failure = report.failure.expect("a failure");
    assert_eq!(failure.class, calwarden::domain::failure::FailureClass::RateLimited);
    assert_eq!(failure.retry_after, Some(std::time::Duration::from_secs(90)));
    wire.control("POST", "faults", &fault("forbidden"));
    let report = app.services().round(id, Cause::Poll, &|_| {}).await.expect("a round");
    assert_eq!(report.failure.expect("a failure").class, calwarden::domain::failure::FailureClass::Forbidden);
}

#[actix_web::test]
async fn busy_time_is_kept_for_selected_calendars_and_goes_with_the_selection() {
    let (app, wire, id) = connected("write").await;
    let token = elsewhere(&wire);
    wire.call("POST", &format!("/calendars/{ADA}/events"), &token, &lunch("Lunch"));
    let free = json!({ "transparency": "transparent", "summary": "Free", "start": { "date": "2026-03-06" }, "end": { "date": "2026-03-07" } });
    wire.call("POST", &format!("/calendars/{ADA}/events"), &token, &free);
    round(&app, id, Cause::Connected).await;
    let blocks = "/v1/availability/blocks?user_id=ada&from=2026-03-01T00:00:00Z&to=2026-03-31T00:00:00Z";
    let told = app.get(blocks).await.ok();
    assert_eq!(told["data"].as_array().expect("blocks").len(), 1, "{told}");
    assert_eq!(told["data"][0]["start"], "2026-03-04T11:00:00Z");
    let calendar = primary(&app, id).await["id"].as_str().expect("an id").to_owned();
    app.patch(&format!("/v1/calendars/{calendar}"), json!({ "selected": false })).await.ok();
    assert_eq!(app.get(blocks).await.ok()["data"], json!([]));
}

/// The notifications that are due, as they come to our door.
fn notifications(wire: &Wire, app: &App) -> Vec<Push> {
    app.clock.advance(Duration::seconds(5));
    let now = app.services().world.now();
    wire.google().take_due(now)
}

async fn deliver(app: &App, push: &Push) -> Reply {
    let mut request = actix_web::test::TestRequest::post().uri("/sync/providers/google/webhook");
    for (name, value) in &push.headers {
        request = request.insert_header((*name, value.as_str()));
    }
    app.send(request).await
}

#[actix_web::test]
async fn notifications_are_proven_kept_and_told_from_forged_ones_by_nobody_outside() {
    let (app, wire, id) = connected("write").await;
    let address = "https://calendars.example.org/sync/providers/google/webhook";
    round(&app, id, Cause::Connected).await;
    let until = app.services().keep_channels(id).await.expect("kept");
    assert!(matches!(until, ChannelEnd::Open { .. }));
    assert_eq!(app.services().keep_channels(id).await.expect("kept"), until, "again changes nothing");
    assert_eq!(wire.count("events.watch"), 1);
    let opened = notifications(&wire, &app);
    assert_eq!(opened[0].address, address);
    let token = elsewhere(&wire);
    wire.call("POST", &format!("/calendars/{ADA}/events"), &token, &lunch("Lunch"));
    let changed = notifications(&wire, &app);
    let channel = changed[0].headers.iter().find(|(name, _)| *name == "X-Goog-Channel-ID").expect("an id").1.clone();
    let resource = changed[0].headers.iter().find(|(name, _)| *name == "X-Goog-Resource-ID").expect("an id").1.clone();
    let forged = json!({ "address": address, "channel": channel, "resource": resource, "token": "guessed" });
    wire.control("POST", "forge", &forged);
    let forged = notifications(&wire, &app);
    let stranger =
        json!({ "address": address, "channel": "00000000-0000-4000-8000-000000000000", "resource": "x", "token": "y" });
    wire.control("POST", "forge", &stranger);
    let stranger = notifications(&wire, &app);
    app.actors.wakes.lock().expect("no panic").clear();
    let later = app.services().world.now() + Duration::hours(6);
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    tx.set_account_state(id, AccountStatus::Active, None, 0, Some(later), None).await.expect("set");
    tx.commit().await.expect("committed");
    for push in [&opened[0], &forged[0], &stranger[0], &changed[0]] {
        let answer = deliver(&app, push).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "alike");
        let told = app.actors.told.lock().expect("no panic").pop().expect("taken");
        let verdict = app.services().hear(&[told]).await.expect("heard");
        let woken = !std::mem::take(&mut *app.actors.wakes.lock().expect("no panic")).is_empty();
        assert_eq!(woken, push.headers == changed[0].headers, "{verdict:?}");
    }
    let mut tx = app.services().store.begin(Mode::Read, &Scope::Whole).await.expect("a transaction");
    let account = tx.account(&Scope::Whole, id).await.expect("read").expect("there");
    tx.commit().await.expect("read");
    assert!(account.next_round_at.is_some_and(|at| at <= app.services().world.now()), "owed, whatever happens to us");
    assert!(push::parse(|_| None).is_err());
}

#[actix_web::test]
async fn a_channel_whose_opening_was_never_answered_is_heard() {
    let (app, wire, id) = connected("write").await;
    round(&app, id, Cause::Connected).await;
    wire.control("POST", "faults", &json!({ "operation": "events.watch", "apply": true, "drop": true, "times": 1 }));
    assert_eq!(app.services().keep_channels(id).await.expect("kept"), ChannelEnd::Failed);
    wire.call("POST", &format!("/calendars/{ADA}/events"), &elsewhere(&wire), &lunch("Lunch"));
    let told = notifications(&wire, &app);
    assert_eq!(told.len(), 2, "its opening, and the change");
    for (push, expected) in told.iter().zip([Verdict::Opened, Verdict::Genuine]) {
        assert_eq!(deliver(&app, push).await.status, 204);
        let told = app.actors.told.lock().expect("no panic").pop().expect("taken");
        assert_eq!(app.services().hear(&[told]).await.expect("heard"), [expected]);
    }
}

#[actix_web::test]
async fn a_channel_that_tells_nothing_is_found_by_the_poll_and_replaced() {
    let (app, wire, id) = connected("write").await;
    round(&app, id, Cause::Connected).await;
    app.services().keep_channels(id).await.expect("kept");
    wire.control("POST", "settings", &json!({ "notifications": "drop" }));
    app.clock.advance(Duration::minutes(10));
    let token = elsewhere(&wire);
    wire.call("POST", &format!("/calendars/{ADA}/events"), &token, &lunch("Unheard"));
    app.clock.advance(Duration::minutes(5));
    let report = app.services().round(id, Cause::Poll, &|_| {}).await.expect("a round");
    assert!(report.unwatched, "the change is five minutes old and nobody told");
    app.services().keep_channels(id).await.expect("kept");
    let channels = wire.control("GET", "channels", &Value::Null);
    assert_eq!(channels["channels"].as_array().expect("channels").len(), 1, "the old one is stopped");
    assert_eq!((wire.count("events.watch"), wire.count("channels.stop")), (2, 1));
    let report = app.services().round(id, Cause::Poll, &|_| {}).await.expect("a round");
    assert!(!report.unwatched);
}

#[actix_web::test]
async fn a_channel_is_replaced_before_its_end_and_the_old_one_listened_to_until_then() {
    let (app, wire, id) = connected("write").await;
    let first = app.services().keep_channels(id).await.expect("kept");
    app.clock.advance(Duration::days(6) + Duration::hours(2));
    wire.control("POST", "faults", &json!({ "operation": "events.watch", "status": 503, "times": 1 }));
    assert_eq!(app.services().keep_channels(id).await.expect("kept"), ChannelEnd::Failed);
    assert_eq!(wire.count("channels.stop"), 0, "the old one stays until another is there");
    let second = app.services().keep_channels(id).await.expect("kept");
    assert_ne!(first, second);
    assert_eq!(wire.count("channels.stop"), 1);
}

#[actix_web::test]
async fn a_disconnected_account_leaves_no_channel_and_no_grant() {
    let (app, wire, id) = connected("write").await;
    round(&app, id, Cause::Connected).await;
    app.services().keep_channels(id).await.expect("kept");
    app.delete(&format!("/v1/accounts/{id}")).await.ok();
    app.services().clean_up(id, false).await.expect("cleaned up");
    assert_eq!(wire.control("GET", "channels", &Value::Null)["channels"], json!([]));
    assert_eq!((wire.count("channels.stop"), wire.count("revoke")), (1, 1));
    assert_eq!(app.get(&format!("/v1/accounts/{id}")).await.status, 404);
}

#[actix_web::test]
async fn an_account_that_goes_is_not_connected_again_and_leaves_the_grant_to_another() {
    let (app, wire, id) = connected("write").await;
    app.delete(&format!("/v1/accounts/{id}")).await.ok();
    assert_eq!(connect(&app, &wire, json!({ "user_id": "ada" })).await.status, 200);
    let accounts = app.get("/v1/accounts").await.ok();
    assert_eq!(accounts["data"].as_array().expect("accounts").len(), 2, "the one that goes, and a new one");
    app.services().clean_up(id, false).await.expect("cleaned up");
    assert_eq!(wire.count("revoke"), 0, "the new one stands on it");
    let left = app.get("/v1/accounts").await.ok()["data"][0]["id"].as_str().expect("an id").parse().expect("an id");
    assert_eq!(round(&app, left, Cause::Connected).await, Outcome::Ok);
}

#[actix_web::test]
async fn after_a_revocation_the_same_account_goes_on_and_nothing_is_doubled() {
    let (app, wire, id) = connected("write").await;
    wire.control("POST", "seed", &json!({ "email": ADA, "events": 30 }));
    round(&app, id, Cause::Connected).await;
    let calendar = primary(&app, id).await["id"].clone();
    wire.control("POST", "revoke", &json!({ "email": ADA }));
    let time = |text: &str| json!({ "date_time": text, "time_zone": "Europe/Paris" });
    let event = json!({ "user_id": "ada", "calendar_id": calendar, "title": "Meanwhile", "start": time("2026-03-05T09:00:00"), "end": time("2026-03-05T10:00:00") });
    app.post("/v1/events", event).await.ok();
    assert_eq!(round(&app, id, Cause::LocalEdit).await, Outcome::Unauthorised);
    assert_eq!(connect(&app, &wire, json!({ "user_id": "ada" })).await.status, 200);
    assert_eq!(app.get(&format!("/v1/accounts/{id}")).await.ok()["status"], AccountStatus::Active.as_str());
    round(&app, id, Cause::Requested).await;
    assert_eq!(titles(&app).await.len(), 31);
    let token = elsewhere(&wire);
    let (_, there) = wire.call("GET", &format!("/calendars/{ADA}/events?maxResults=250"), &token, &Value::Null);
    assert_eq!(there["items"].as_array().expect("items").len(), 31);
}
