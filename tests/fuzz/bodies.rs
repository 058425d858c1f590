//! What reads text from outside, one function each: whatever the bytes, no panic, and what is read stays what it is.
//!
//! `tests/run fuzz` feeds them by coverage; `tests/it/hostile.rs` by changing what is in the corpora, on every run.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use calwarden::{
    domain::{
        account::{ConflictPolicy, PrivacyLevel, ProviderKind, SealedSecret, SecretKind},
        conflict::Winner,
        event::{EventContent, Facts, Recurrence},
        ids::{AccountId, RemoteCalendarId, Uid},
        ports::{Clock, Random, World},
        secret::Secret,
        time::{EventTime, Window},
    },
    engine::{
        privacy::project,
        recurrence::{Bounds, expand},
        series::{EditScope, delete, edit},
        sync::{
            merge::{merge, overlay},
            plan::{Local, Remote, plan},
        },
    },
    ical::{self, TextLimits, decode, encode},
    provider::{
        Next, Provider, Pull,
        caldav::{Caldav, CaldavConfig},
        change::Nothing,
        feed::{Feed, FeedConfig},
        google::{Google, GoogleConfig, push},
    },
    transport::{
        Http, OutgoingRequest, Response,
        guard::{AddressPolicy, check_url},
        retry_after,
    },
    vault::KeyRing,
};
use chrono::{DateTime, Duration, Utc};
use chrono_tz::{Europe::Paris, Tz};
use url::Url;

/// A body and its name.
pub type Body = (&'static str, fn(&[u8]));

/// All of them.
pub const BODIES: [Body; 12] = [
    ("ics", ics),
    ("subscribed", subscribed),
    ("zone", zone),
    ("rule", rule),
    ("multistatus", multistatus),
    ("google", google),
    ("feed", feed),
    ("waits", waits),
    ("notification", notification),
    ("address", address),
    ("sealed", sealed),
    ("merging", merging),
];

struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_774_000_000, 0).unwrap_or_default()
    }
}

impl Random for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().zip(7_u8..=255).for_each(|(byte, value)| *byte = value);
    }
}

fn world() -> World {
    World { clock: Arc::new(Still), random: Arc::new(Still) }
}

/// A server that answers everything with the same bytes.
struct Parrot(Vec<u8>, u16, &'static str);

#[async_trait]
impl Http for Parrot {
    async fn send(&self, request: OutgoingRequest) -> calwarden::provider::Result<Response> {
        let headers = vec![("content-type".into(), self.2.into()), ("etag".into(), "\"1\"".into())];
        Ok(Response { status: self.1, headers, body: self.0.clone().into(), url: request.url })
    }
}

fn now<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(work)
}

fn window() -> Window {
    Window { from: Still.now(), to: Still.now() + Duration::days(400) }
}

/// What was read says the same after it was written and read again, and expands within its bounds.
fn survives(uid: &Uid, content: &EventContent) {
    let bounds = Bounds { instances_max: 200, steps_max: 20_000 };
    let _ = expand(content, window(), Paris, &bounds);
    let written = encode::create(uid, content, Still.now());
    let again = decode::resource(&written, &TextLimits::default()).expect("what we wrote can be read");
    assert_eq!(again.content, ical::canonical(content), "it says the same");
}

pub fn ics(data: &[u8]) {
    if let Ok(read) = decode::resource(data, &TextLimits::default()) {
        survives(&read.uid, &read.content);
        let mut edited = read.content;
        edited.facts.title.push_str(" edited");
        if let Ok(written) = encode::edit(data, &edited, Still.now()) {
            let again = decode::resource(&written, &TextLimits::default()).expect("what we edited can be read");
            assert_eq!(again.content.facts.title, ical::canonical(&edited).facts.title, "the edit is in it");
        }
    }
}

pub fn subscribed(data: &[u8]) {
    if let Ok(feed) = decode::feed(data, &TextLimits::default()) {
        for event in feed.events.iter().take(20) {
            let _ = expand(&event.content, window(), Paris, &Bounds { instances_max: 200, steps_max: 20_000 });
        }
    }
}

pub fn zone(data: &[u8]) {
    let zone = String::from_utf8_lossy(data);
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Own\r\n{zone}\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Own:20260329T023000\r\nDTEND;TZID=Own:20260329T033000\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    ics(text.as_bytes());
}

pub fn rule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let start = EventTime::zoned(Still.now().naive_utc(), Paris);
    let end = EventTime::zoned(Still.now().naive_utc() + Duration::hours(1), Paris);
    let mut content = EventContent::single(Facts::new("x", start, end));
    content.recurrence =
        Recurrence { rules: text.lines().take(3).map(str::to_owned).collect(), ..Recurrence::default() };
    let bounds = Bounds { instances_max: 50, steps_max: 20_000 };
    let Ok(found) = expand(&content, window(), Paris, &bounds) else { return };
    if let Some(at) = found.occurrences.get(2).and_then(|one| one.recurrence_id) {
        let facts = Facts::new("y", at, at);
        for scope in [EditScope::This, EditScope::Following, EditScope::All] {
            let _ = edit(&content, Some(&at), scope, &facts, None, Paris);
            let _ = delete(&content, Some(&at), scope, Paris);
        }
    }
}

pub fn multistatus(data: &[u8]) {
    let http = Arc::new(Parrot(data.to_vec(), 207, "application/xml"));
    let start = Url::parse("https://cal.example/home/office/").expect("an address");
    let config = CaldavConfig { kind: ProviderKind::Caldav, home: Some(vec![start.clone()]), start, credential: None };
    let account = Caldav::new(http, world(), config);
    now(async {
        let _ = account.calendars().await;
        pulled(&account, "/home/office/").await;
    });
}

pub fn google(data: &[u8]) {
    let config = GoogleConfig {
        api: Url::parse("https://api.example/v3").expect("an address"),
        access_token: Secret::new("x"),
        may_write: true,
    };
    let account = Google::new(Arc::new(Parrot(data.to_vec(), 200, "application/json")), world(), config);
    now(async {
        let _ = account.calendars().await;
        pulled(&account, "primary").await;
    });
}

pub fn feed(data: &[u8]) {
    let config = FeedConfig { url: Secret::new("https://feeds.example/x.ics") };
    let account = Feed::new(Arc::new(Parrot(data.to_vec(), 200, "text/calendar")), &config).expect("an address");
    now(async { pulled(&account, "feed").await });
}

/// The first pages of a pull.
async fn pulled(account: &dyn Provider, calendar: &str) {
    let calendar = RemoteCalendarId::from(calendar);
    let mut reading = account.pull(Pull { calendar: &calendar, cursor: None, reconcile: true });
    for _ in 0..3 {
        match reading.next(&Nothing).await {
            Ok(page) if page.next == Next::More => {}
            _ => return,
        }
    }
}

pub fn waits(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let wait = retry_after(text, Still.now());
        assert!(wait.is_none_or(|wait| wait.as_secs() <= 86_400), "a day at most");
    }
}

pub fn notification(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let fields: Vec<_> = text.lines().filter_map(|line| line.split_once(':')).collect();
    let _ = push::parse(|name| {
        fields.iter().find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    });
}

pub fn address(data: &[u8]) {
    let Some(url) = std::str::from_utf8(data).ok().and_then(|text| Url::parse(text).ok()) else { return };
    let policy = AddressPolicy { allow_private: false, allow_hosts: Vec::new() };
    if check_url(&url, &policy).is_ok() {
        assert_eq!((url.scheme(), url.username(), url.password()), ("https", "", None), "{url}");
        assert!(!matches!(url.host(), Some(url::Host::Ipv4(ip)) if ip.is_loopback() || ip.is_private()), "{url}");
    }
}

pub fn sealed(data: &[u8]) {
    static RING: OnceLock<(KeyRing, SealedSecret)> = OnceLock::new();
    let (ring, good) = RING.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder").keep();
        let ring = KeyRing::load(&folder, None, world()).expect("a ring");
        let account = AccountId(uuid::Uuid::nil());
        let good = ring.seal(account, SecretKind::Password, &Secret::new("x")).expect("sealed");
        (ring, good)
    });
    let opened = ring.open(&SealedSecret { sealed: data.to_vec(), ..good.clone() });
    assert_eq!(opened.is_ok(), data == good.sealed, "only what was sealed opens");
}

/// Three versions of one event meet, whatever they say.
pub fn merging(data: &[u8]) {
    let versions: Vec<EventContent> = data
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .map(|mut content: EventContent| {
            content.normalise();
            content
        })
        .collect();
    let [base, full, remote, ..] = versions.as_slice() else { return };
    let told = project(full, PrivacyLevel::Normal);
    let was = project(base, PrivacyLevel::Normal);
    for prefer in [Winner::Local, Winner::Remote] {
        assert_eq!(merge(base, base, remote, prefer).content.facts, remote.facts, "one side's change is no dispute");
        let _ = merge(base, full, remote, prefer);
    }
    let _ = overlay(full, &told, remote);
    let at = Still.now();
    for policy in [ConflictPolicy::Ask, ConflictPolicy::LocalWins, ConflictPolicy::MostRecentWins] {
        let local = Local::Here { full, outbound: &told, was: &was, changed_at: at };
        let _ = plan(base, local, Remote::Here { content: remote, changed_at: Some(at) }, policy);
    }
    let zone: Tz = Paris;
    let _ = expand(full, window(), zone, &Bounds { instances_max: 50, steps_max: 20_000 });
}
