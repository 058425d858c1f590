//! The API in this process, with a clock that stands still and scripted servers. Its database is SQLite in a folder of its own;
//! PostgreSQL where a test or `CALWARDEN_HTTP_ON_POSTGRES` asks for it.

use std::{
    cell::Cell,
    path::PathBuf,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use actix_web::{
    App as ActixApp,
    http::{Method, StatusCode, header::HeaderMap},
    test::{self, TestRequest},
};
use async_trait::async_trait;
use bytes::Bytes;
use calwarden::{
    actor::ActorHealth,
    domain::{
        account::{Account, AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, Schedule},
        calendar::{Calendar, Direction},
        failure::FailureClass,
        ids::AccountId,
        person::{KeyScope, Scope},
        ports::{Clock, Random, World},
        round::Cause,
    },
    engine::sync::brake::BrakeRules,
    provider::{ProviderError, oauth, push::Notification, registry::Endpoints},
    service::{Services, Settings, Wakes, api_keys, connections::Connections, consent::ReturnHosts},
    store::{self, Blocking, Mode, Store, StoreConfig},
    transport::{Http, OutgoingRequest, Response},
    vault::KeyRing,
    web::{ActorOrder, Actors, AppState, WebSettings, configure, problem::Problem},
};
use chrono::{DateTime, Duration, Utc};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    google::{self, Port, Wire},
    postgres::fresh_database,
};

/// When the tests take place.
pub const NOW: &str = "2026-03-02T08:00:00Z";

/// A clock that moves when told to.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.num_microseconds().expect("a short while"), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).expect("a time")
    }
}

struct Seeded(Mutex<StdRng>);

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("no panic").fill_bytes(bytes);
    }
}

/// Servers: each host has one habit.
struct Net;

/// A feed that can be read.
pub const FEED: &str = "https://feed.example.org/office.ics";
const FEED_TEXT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nX-WR-CALNAME:Work\r\nBEGIN:VEVENT\r\nUID:1\r\n\
    DTSTAMP:20260101T000000Z\r\nDTSTART:20260303T100000Z\r\nDTEND:20260303T110000Z\r\nSUMMARY:Planning\r\nEND:VEVENT\r\n\
    END:VCALENDAR\r\n";

#[async_trait]
impl Http for Net {
    async fn send(&self, request: OutgoingRequest) -> Result<Response, ProviderError> {
        let answer = |status, body: &'static str| {
            let headers = vec![("content-type".to_owned(), "text/calendar; charset=utf-8".to_owned())];
            Ok(Response { status, headers, body: Bytes::from_static(body.as_bytes()), url: request.url.clone() })
        };
        match request.url.host_str().unwrap_or_default() {
            "feed.example.org" => answer(200, FEED_TEXT),
            "locked.example.org" => answer(401, ""),
            "inside.example.org" => Err(ProviderError::new(FailureClass::AddressNotAllowed, "a private address")),
            _ => Err(ProviderError::new(FailureClass::Transient, "nobody answers")),
        }
    }
}

/// Actors that only listen.
#[derive(Default)]
pub struct Listening {
    pub rows: Mutex<Vec<ActorHealth>>,
    pub orders: Mutex<Vec<(AccountId, ActorOrder)>>,
    pub wakes: Mutex<Vec<(AccountId, Cause)>>,
    pub told: Mutex<Vec<Notification>>,
    /// How often the planner was woken.
    pub plans: AtomicUsize,
}

#[async_trait]
impl Actors for Listening {
    fn all(&self) -> Vec<ActorHealth> {
        self.rows.lock().expect("no panic").clone()
    }

    fn of(&self, account: AccountId) -> Option<ActorHealth> {
        self.all().into_iter().find(|row| row.account_id == account)
    }

    fn alive(&self) -> bool {
        true
    }

    async fn notify(&self, told: Notification) -> Result<(), Problem> {
        self.told.lock().expect("no panic").push(told);
        Ok(())
    }

    async fn order(&self, account: AccountId, order: ActorOrder) -> Result<(), Problem> {
        self.orders.lock().expect("no panic").push((account, order));
        Ok(())
    }
}

/// What the use cases wake.
struct Wakened(Arc<Listening>);

impl Wakes for Wakened {
    fn wake(&self, account: AccountId, cause: Cause) {
        self.0.wakes.lock().expect("no panic").push((account, cause));
    }

    fn adopt(&self, account: AccountId) {
        self.wake(account, Cause::Connected);
    }

    fn plan(&self) {
        self.0.plans.fetch_add(1, Ordering::SeqCst);
    }
}

type Called = Pin<Box<dyn Future<Output = Reply>>>;

/// The API, and what stands behind it.
pub struct App {
    pub state: Arc<AppState>,
    pub clock: Arc<TestClock>,
    pub actors: Arc<Listening>,
    /// A key that may do everything.
    pub key: String,
    call: Box<dyn Fn(TestRequest) -> Called>,
    made: Cell<u32>,
    folder: TempDir,
    /// Where its PostgreSQL database is, if it is on one.
    pub url: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The body, when all went well.
    pub fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// Status, code and field of a refusal, which must be a whole problem document.
    pub fn refused(&self) -> (u16, String, Option<String>) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        for field in ["type", "title", "detail", "request_id"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {problem}");
        }
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        let text = |field: &str| problem[field].as_str().map(str::to_owned);
        (self.status.as_u16(), text("code").expect("a code"), text("field"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// What stands behind the API besides its store.
struct Outside {
    http: Arc<dyn Http>,
    endpoints: Endpoints,
    google: Option<oauth::App>,
}

impl App {
    /// With servers that have one habit each.
    pub async fn start() -> Self {
        Self::start_on(None).await
    }

    /// The same, on a PostgreSQL database or, without a URL, on SQLite.
    pub async fn start_on(url: Option<String>) -> Self {
        let outside = |_: &World| Outside {
            http: Arc::new(Net),
            endpoints: Endpoints {
                google_api: "https://www.googleapis.com/calendar/v3".parse().expect("an address"),
                http: None,
            },
            google: None,
        };
        Self::before(url, outside).await
    }

    /// With the look-alike of Google, where everybody consents.
    pub async fn with_google() -> (Self, Arc<Wire>) {
        Self::with_google_on(None).await
    }

    /// The same, on a PostgreSQL database or, without a URL, on SQLite.
    pub async fn with_google_on(url: Option<String>) -> (Self, Arc<Wire>) {
        let mut wire = None;
        let app = Self::before(url, |world| {
            let made = Wire::new(7, world.clone());
            wire = Some(Arc::clone(&made));
            Outside { http: Arc::new(Port(made)), endpoints: google::endpoints(), google: Some(google::app()) }
        })
        .await;
        let wire = wire.expect("made");
        wire.control("POST", "settings", &serde_json::json!({ "auto_approve": true }));
        app.put("/v1/users/ada", serde_json::json!({"name": "Ada", "time_zone": "Europe/Paris"})).await.ok();
        (app, wire)
    }

    async fn before(url: Option<String>, outside: impl FnOnce(&World) -> Outside) -> Self {
        let url = match url {
            None if std::env::var_os("CALWARDEN_HTTP_ON_POSTGRES").is_some() => Some(fresh_database().await),
            url => url,
        };
        let folder = tempfile::tempdir().expect("a folder");
        let now: DateTime<Utc> = NOW.parse().expect("a time");
        let clock = Arc::new(TestClock(AtomicI64::new(now.timestamp_micros())));
        let random = Arc::new(Seeded(Mutex::new(StdRng::seed_from_u64(7))));
        let world = World { clock: Arc::clone(&clock) as Arc<dyn Clock>, random };
        let config = StoreConfig {
            url: url.clone(),
            data_dir: folder.path().to_owned(),
            readers: 2,
            blocking: Blocking::Inline,
        };
        store::migrate(&config).await.expect("migrated");
        let store = Store::open(config).await.expect("a store");
        let vault = Arc::new(KeyRing::load(folder.path(), None, world.clone()).expect("keys"));
        let Outside { http, endpoints, google } = outside(&world);
        let connections = Connections::new(http, world.clone(), endpoints);
        let services = Arc::new(Services::new(store, world, vault, connections, settings(google)));
        let actors = Arc::new(Listening::default());
        services.set_wakes(Arc::new(Wakened(Arc::clone(&actors))));
        let front = Arc::clone(&actors) as Arc<dyn Actors>;
        let state = AppState::new(services, front, WebSettings::default(), Box::new(|| "calwarden_up 1\n".to_owned()));
        let service = Rc::new(test::init_service(ActixApp::new().configure(configure(&state))).await);
        let call = move |request: TestRequest| -> Called {
            let service = Rc::clone(&service);
            Box::pin(async move {
                let response = test::call_service(&*service, request.to_request()).await;
                let (status, headers) = (response.status(), response.headers().clone());
                let body = test::read_body(response).await;
                Reply { status, headers, text: String::from_utf8(body.to_vec()).expect("text") }
            })
        };
        let mut app =
            Self { state, clock, actors, key: String::new(), call: Box::new(call), made: Cell::new(0), folder, url };
        app.key = app.make_key(KeyScope::ALL, None).await;
        app
    }

    /// With the user `ada`, her account and her writable calendar.
    pub async fn with_ada() -> (Self, Account, Calendar) {
        Self::with_ada_on(None).await
    }

    /// The same, on a PostgreSQL database or, without a URL, on SQLite.
    pub async fn with_ada_on(url: Option<String>) -> (Self, Account, Calendar) {
        let app = Self::start_on(url).await;
        let (account, calendar) = app.make_person("ada").await;
        (app, account, calendar)
    }

    pub fn services(&self) -> &Services {
        &self.state.services
    }

    /// Its database, for a test that looks at it from outside or puts something in its way.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("calwarden.db")
    }

    pub async fn make_key(&self, scopes: &[KeyScope], expires_at: Option<DateTime<Utc>>) -> String {
        let (key, secret) = api_keys::mint(&self.services().world, "test", scopes.to_vec(), expires_at);
        let mut tx = self.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
        tx.insert_api_key(&key).await.expect("stored");
        tx.commit().await.expect("durable");
        secret.expose().to_owned()
    }

    /// A user in Paris with an account and a calendar that takes writes, as a connected CalDAV account would have left them.
    pub async fn make_person(&self, id: &str) -> (Account, Calendar) {
        let body = serde_json::json!({"name": "Ada", "time_zone": "Europe/Paris"});
        self.put(&format!("/v1/users/{id}"), body).await.ok();
        let world = &self.services().world;
        let account = Account {
            id: world.new_id(),
            space_id: id.parse().expect("an id"),
            user_id: id.parse().expect("an id"),
            provider: ProviderKind::Caldav,
            label: "dav.example.org".into(),
            url: "https://dav.example.org/".into(),
            writes_through: None,
            status: AccountStatus::Active,
            status_reason: None,
            delete_copies: false,
            policy: ConflictPolicy::ExternalWins,
            privacy: PrivacyLevel::Full,
            schedule: Schedule::default(),
            provider_interval_s: None,
            failures: 0,
            next_round_at: Some(world.now()),
            created_at: world.now(),
            updated_at: world.now(),
            version: 1,
        };
        let made = self.made.replace(self.made.get() + 1);
        let calendar = Calendar {
            id: world.new_id(),
            account_id: account.id,
            space_id: account.space_id.clone(),
            remote_id: format!("/cal/{made}/").into(),
            name: "Home".into(),
            color: None,
            time_zone: None,
            read_only: false,
            selected: true,
            direction: Direction::Both,
            makes_tasks: false,
            cursor: None,
            stamp: None,
            reconciled_at: None,
            gone_at: None,
            last_error: None,
            version: 1,
        };
        let mut tx = self.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
        tx.insert_account(&account).await.expect("stored");
        tx.put_calendars(std::slice::from_ref(&calendar)).await.expect("stored");
        tx.commit().await.expect("durable");
        (account, calendar)
    }

    /// A request with the key that may do everything.
    pub fn request(&self, method: Method, path: &str) -> TestRequest {
        TestRequest::default().method(method).uri(path).insert_header(("Authorization", format!("Bearer {}", self.key)))
    }

    pub async fn send(&self, request: TestRequest) -> Reply {
        (self.call)(request).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::PUT, path).set_json(body)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::POST, path).set_json(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::PATCH, path).set_json(body)).await
    }
}

fn settings(google: Option<oauth::App>) -> Settings {
    Settings {
        brake: BrakeRules::default(),
        reconcile_every_s: 86_400,
        rounds_kept_days: 90,
        deleted_kept_days: 30,
        conflicts_kept_days: 90,
        notices_kept_days: 90,
        audit_kept_days: 365,
        return_to: ReturnHosts::new(&"https://calwarden.test".parse().expect("a URL"), &["app.example.org".to_owned()]),
        plans_per_minute: 6,
        notified_under: google.as_ref().map(|app| app.redirect_uri.origin().ascii_serialization()),
        google,
    }
}

/// An hour in Paris, as the API takes it.
pub fn hour(calendar: &Calendar, title: &str, start: &str, end: &str) -> Value {
    let time = |text: &str| serde_json::json!({"date_time": text, "time_zone": "Europe/Paris"});
    serde_json::json!({
        "user_id": calendar.space_id.as_str(), "calendar_id": calendar.id, "title": title,
        "start": time(start), "end": time(end),
    })
}
