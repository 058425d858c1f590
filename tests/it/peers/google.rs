//! The release binary beside the sandbox of the release binary; and the sandbox beside Google's own client.

use std::{collections::BTreeMap, process::Command, time::Duration};

use reqwest::{Client, Method, redirect::Policy};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::crashes::{kill, kills, report};
use crate::support::{
    peers_python,
    postgres::fresh_database,
    process::{Process, calwarden, free_port},
    service::Service,
};

const ADA: &str = "ada@example.com";
/// Events on each side when two worlds come together.
const EVENTS: usize = 500;
/// What each answer of the sandbox takes, in milliseconds.
const LATENCY_MS: u64 = 50;
/// How often the process is killed between a create and its answer.
const KILLS: u64 = 50;

/// The sandbox in a process of its own.
pub struct Sandbox {
    pub port: u16,
    client: Client,
    _process: Process,
    _folder: TempDir,
}

impl Sandbox {
    pub fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let mut command = Command::new(calwarden());
        command.args(["sandbox", "--listen", &format!("127.0.0.1:{port}")]);
        let mut process = Process::start("calwarden sandbox", &mut command, &folder.path().join("log"));
        process.wait_for_port(port);
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client");
        Self { port, client, _process: process, _folder: folder }
    }

    /// The settings that point a service to a sandbox, as the command prints them.
    fn settings(sandbox: u16, service: u16) -> Vec<(String, String)> {
        let address = format!("127.0.0.1:{sandbox}").parse().expect("an address");
        let mut all: Vec<_> =
            calwarden::app::look_alike::settings(address).map(|(name, value)| (name.to_owned(), value)).into();
        all.push(("API_BASE_URL".to_owned(), format!("http://127.0.0.1:{service}")));
        // Private networks are not opened up: what the operator named is reached all the same.
        all.push(("CALWARDEN_ALLOW_PRIVATE_NETWORKS".to_owned(), "false".to_owned()));
        all
    }

    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("http://127.0.0.1:{}/control/{path}", self.port);
        let request = self.client.request(method.parse().expect("a method"), url).json(&body);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("JSON")
    }

    /// A token with which Ada's calendar is read and edited beside the service.
    pub async fn token(&self) -> String {
        let made = self.control("POST", "users", json!({ "email": ADA })).await;
        made["access_token"].as_str().expect("a token").to_owned()
    }

    /// A request about the events of Ada's calendar; answers the body, if there is one.
    pub async fn calendar(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Value {
        let url = format!("http://127.0.0.1:{}/google/calendar/v3/calendars/primary/events{path}", self.port);
        let mut request = self.client.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_slice(&answer.bytes().await.expect("a body")).unwrap_or_default()
    }

    /// Everything in Ada's calendar, by title.
    pub async fn titles(&self) -> BTreeMap<String, usize> {
        let told = self.calendar(Method::GET, "?maxResults=2500", &self.token().await, None).await;
        assert!(told["nextPageToken"].is_null(), "one page");
        census(told["items"].as_array().expect("items").iter().filter_map(|item| item["summary"].as_str()))
    }
}

fn census<'t>(titles: impl Iterator<Item = &'t str>) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for title in titles {
        *found.entry(title.to_owned()).or_default() += 1;
    }
    found
}

/// The id of what was answered.
pub fn id(of: &Value) -> String {
    of["id"].as_str().expect("an id").to_owned()
}

/// A service with Ada's account at the sandbox.
pub struct World {
    pub sandbox: Sandbox,
    pub service: Service,
    pub account: String,
    pub calendar: String,
}

impl World {
    pub async fn start(database_url: Option<String>, events: usize) -> Self {
        let sandbox = Sandbox::start();
        let port = sandbox.port;
        Self::beside(sandbox, port, database_url, events).await
    }

    /// The same, with the sandbox reached by way of a port before it.
    pub async fn beside(sandbox: Sandbox, way: u16, database_url: Option<String>, events: usize) -> Self {
        sandbox.control("POST", "settings", json!({ "auto_approve": true })).await;
        sandbox.control("POST", "users", json!({ "email": ADA, "time_zone": "Europe/Paris" })).await;
        if events > 0 {
            sandbox.control("POST", "seed", json!({ "email": ADA, "events": events })).await;
        }
        let port = free_port();
        let settings = Sandbox::settings(way, port);
        let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let service = Service::on_port(port, database_url, &settings);
        service.make_user().await;
        let mut world = Self { sandbox, service, account: String::new(), calendar: String::new() };
        world.connect().await;
        let accounts = world.service.ok("GET", "/v1/accounts?user_id=ada", None).await;
        world.account = id(&accounts["data"][0]);
        let calendars = accounts["data"][0]["calendars"].as_array().expect("calendars");
        let primary = calendars.iter().find(|held| held["selected"] == true).expect("the primary one");
        world.calendar = id(primary);
        world
    }

    /// Goes through the consent as a browser does: ticket, cookie, the sandbox's page, back.
    async fn connect(&self) {
        let begun = self.service.ok("POST", "/v1/connect/google/start", Some(json!({ "user_id": "ada" }))).await;
        let client = &self.sandbox.client;
        let there = begun["browser_url"].as_str().expect("a URL");
        let cookie_of = |answer: &reqwest::Response| {
            answer.headers()["set-cookie"].to_str().expect("text").split(';').next().expect("a cookie").to_owned()
        };
        let shown = client.get(there).send().await.expect("an answer");
        let (place, ticket) = there.split_once('?').expect("a ticket");
        let form = client.post(place).header("cookie", cookie_of(&shown)).body(ticket.to_owned());
        let form = form.header("content-type", "application/x-www-form-urlencoded");
        let sent = form.send().await.expect("an answer");
        let cookie = cookie_of(&sent);
        let asked = client.get(sent.headers()["location"].to_str().expect("text")).send().await.expect("an answer");
        let back = asked.headers()["location"].to_str().expect("text").to_owned();
        let page = client.get(back).header("cookie", cookie).send().await.expect("an answer");
        let status = page.status();
        assert!(status.is_success(), "{status} {}", page.text().await.expect("a page"));
    }

    /// An event of Ada's as the API takes it.
    pub fn event(&self, title: &str) -> Value {
        let time =
            |hour: u32| json!({ "date_time": format!("2026-03-05T{hour:02}:00:00"), "time_zone": "Europe/Paris" });
        json!({ "user_id": "ada", "calendar_id": self.calendar, "title": title, "start": time(9), "end": time(10) })
    }

    pub async fn make(&self, title: &str) -> Value {
        self.service.ok("POST", "/v1/events", Some(self.event(title))).await
    }

    /// Waits until nothing is queued and nothing runs.
    pub async fn settles(&self) {
        let outbox = format!("/v1/accounts/{}/outbox", self.account);
        self.service.until(&outbox, |queue| queue["data"].as_array().is_some_and(Vec::is_empty)).await;
        self.service.until(&format!("/v1/ops/actors/{}", self.account), |actor| actor["state"] == "idle").await;
    }

    pub async fn here(&self) -> BTreeMap<String, usize> {
        let all = self.service.ok("GET", "/v1/events?user_id=ada&limit=500", None).await;
        let mut found: Vec<Value> = all["data"].as_array().expect("events").clone();
        let mut cursor = all["next_cursor"].as_str().map(str::to_owned);
        while let Some(next) = cursor {
            let page = self.service.ok("GET", &format!("/v1/events?user_id=ada&limit=500&cursor={next}"), None).await;
            found.extend(page["data"].as_array().expect("events").iter().cloned());
            cursor = page["next_cursor"].as_str().map(str::to_owned);
        }
        census(found.iter().filter_map(|event| event["title"].as_str()))
    }

    /// Both sides hold the same, so many, and each once.
    async fn converged(&self, events: usize) {
        let (here, there) = (self.here().await, self.sandbox.titles().await);
        assert_eq!(here, there);
        assert_eq!(here.len(), events);
        assert!(here.values().all(|count| *count == 1), "nothing doubled");
    }

    async fn rounds(&self) -> usize {
        self.service.rounds(&self.account).await
    }
}

async fn two_worlds_come_together(database_url: Option<String>) {
    let world = World::start(database_url, EVENTS).await;
    world.sandbox.control("POST", "settings", json!({ "latency_ms": LATENCY_MS })).await;
    for n in 0..EVENTS {
        world.make(&format!("Ours {n}")).await;
    }
    world.settles().await;
    world.service.sync(&world.account).await;
    world.settles().await;
    world.converged(2 * EVENTS).await;
    // What changes there is heard of and is here, without anybody asking.
    let before = world.rounds().await;
    let event = json!({ "summary": "Told", "start": { "dateTime": "2026-03-06T09:00:00Z" }, "end": { "dateTime": "2026-03-06T10:00:00Z" } });
    world.sandbox.control("POST", "events", json!({ "email": ADA, "event": event })).await;
    let found = "/v1/events?user_id=ada&from=2026-03-06&to=2026-03-07&limit=500";
    world
        .service
        .until(found, |page| page["data"].as_array().is_some_and(|all| all.iter().any(|e| e["title"] == "Told")))
        .await;
    world.service.round_after(&world.account, before).await;
    let rounds = world.service.ok("GET", &format!("/v1/accounts/{}/rounds?limit=1", world.account), None).await;
    assert_eq!(rounds["data"][0]["cause"], "notified");
}

#[tokio::test]
async fn two_worlds_of_google_and_ours_come_together_on_sqlite() {
    two_worlds_come_together(None).await;
}

#[tokio::test]
async fn two_worlds_of_google_and_ours_come_together_on_postgres() {
    two_worlds_come_together(Some(fresh_database().await)).await;
}

#[tokio::test]
async fn a_hundred_notifications_at_once_are_two_rounds_and_a_forged_one_is_none() {
    let world = World::start(None, 10).await;
    world.settles().await;
    let channels = world.sandbox.control("GET", "channels", json!({})).await;
    let channel = &channels["channels"][0];
    let before = world.rounds().await;
    let forged = json!({ "address": channel["address"], "channel": channel["id"], "resource": channel["resourceId"], "token": "guessed" });
    world.sandbox.control("POST", "forge", forged).await;
    let counted = |verdict: &'static str| {
        let service = &world.service;
        async move {
            let wanted = format!("calwarden_notifications_total{{verdict=\"{verdict}\"}} ");
            let figures = service.until("/metrics", |text| text.as_str().is_some_and(|t| t.contains(&wanted))).await;
            let line = figures.as_str().expect("text").lines().find(|line| line.starts_with(&wanted)).expect("a line");
            line.trim_start_matches(&wanted).parse::<u64>().expect("a number")
        }
    };
    assert_eq!(counted("forged").await, 1);
    assert_eq!(world.rounds().await, before);
    // A hundred changes in one go are a hundred notifications.
    world.sandbox.control("POST", "seed", json!({ "email": ADA, "events": 100 })).await;
    let all = "/v1/events?user_id=ada&limit=500";
    world.service.until(all, |page| page["data"].as_array().is_some_and(|held| held.len() == 110)).await;
    let figures = "/metrics";
    let genuine = "calwarden_notifications_total{verdict=\"genuine\"} 100";
    world.service.until(figures, |text| text.as_str().is_some_and(|t| t.lines().any(|line| line == genuine))).await;
    world.settles().await;
    let rounds = world.rounds().await - before;
    assert!(rounds <= 2, "{rounds} rounds\n{}", world.service.logged());
}

#[tokio::test]
async fn kills_between_a_create_and_its_answer_make_no_second_event() {
    let mut world = World::start(None, 0).await;
    world.settles().await;
    world.sandbox.control("POST", "settings", json!({ "latency_ms": LATENCY_MS })).await;
    let kills = kills(KILLS);
    for turn in 0..kills {
        world.make(&format!("Once {turn}")).await;
        // The sandbox has it and the answer is on its way: every answer takes a while.
        let wanted = usize::try_from(turn).expect("few") + 1;
        while world.sandbox.titles().await.len() < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        kill(&mut world.service, turn);
        world.service.run();
    }
    world.service.sync(&world.account).await;
    world.settles().await;
    let made = usize::try_from(kills).expect("few");
    report(kills, made, &world.here().await, &world.sandbox.titles().await);
    world.converged(made).await;
}

#[tokio::test]
async fn a_revoked_account_asks_once_and_goes_on_where_it_was_when_connected_again() {
    let world = World::start(None, 40).await;
    world.settles().await;
    world.sandbox.control("POST", "revoke", json!({ "email": ADA })).await;
    world.make("Meanwhile").await;
    let path = format!("/v1/accounts/{}", world.account);
    world.service.until(&path, |account| account["status"] == "reconnect_required").await;
    let notices = world.service.ok("GET", "/v1/notices?user_id=ada", None).await;
    let asked =
        notices["data"].as_array().expect("notices").iter().filter(|n| n["kind"] == "reconnect_required").count();
    assert_eq!(asked, 1);
    world.connect().await;
    world.service.until(&path, |account| account["status"] == "active").await;
    world.settles().await;
    world.converged(41).await;
    let accounts = world.service.ok("GET", "/v1/accounts?user_id=ada", None).await;
    assert_eq!(accounts["data"].as_array().expect("accounts").len(), 1);
}

#[test]
fn googles_own_client_finds_nothing_wrong_with_the_sandbox() {
    let sandbox = Sandbox::start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/google_client.py");
    let root = format!("http://127.0.0.1:{}", sandbox.port);
    let output = Command::new(peers_python()).arg(script).arg(root).output().expect("python runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("all held"), "{out}\n{err}");
}
