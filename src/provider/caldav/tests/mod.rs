//! The adapter against a server that is a script: each expected request with its answer, in order, and nothing else.

mod digest;
mod discovery;
mod hrefs;
mod large;
mod looks;
mod pulling;
mod requests;
mod reviving;
mod writing;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use url::Url;

use super::{Caldav, CaldavConfig};
use crate::{
    domain::{
        account::ProviderKind,
        event::{EventContent, Facts},
        ids::{RemoteCalendarId, RemoteEventId, Revision, SyncCursor},
        ports::{Clock, Random, World},
        secret::Secret,
        time::EventTime,
    },
    provider::{ChangePage, Known, Next, Provider, Pull, Result},
    transport::{Credential, Http, OutgoingRequest, Response},
};

/// One expected request and what it is answered with.
struct Step {
    method: &'static str,
    /// The whole URL, or its path.
    place: String,
    /// What must be in the body or among the headers (`name: value`).
    holds: Vec<String>,
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    /// Where the answer came from, when the port followed a redirect.
    from: Option<Url>,
}

impl Step {
    fn holding(mut self, text: &str) -> Self {
        self.holds.push(text.to_owned());
        self
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn from(mut self, url: &str) -> Self {
        self.from = Some(Url::parse(url).expect("a URL"));
        self
    }
}

fn on(method: &'static str, place: &str, status: u16, body: impl Into<Bytes>) -> Step {
    Step {
        method,
        place: place.to_owned(),
        holds: Vec::new(),
        status,
        headers: Vec::new(),
        body: body.into(),
        from: None,
    }
}

struct Script {
    steps: Mutex<VecDeque<Step>>,
    sent: Mutex<Vec<OutgoingRequest>>,
}

/// The body of an answer that the port refuses as too large.
const TOO_LARGE: &str = "too large";

#[async_trait]
impl Http for Script {
    async fn send(&self, request: OutgoingRequest) -> Result<Response> {
        let asked = format!("{} {}", request.method, request.url);
        let step = self.steps.lock().expect("steps").pop_front();
        let step = step.unwrap_or_else(|| panic!("nothing more was expected, but: {asked}"));
        assert!(
            request.method == step.method && (request.url.as_str() == step.place || request.url.path() == step.place),
            "expected {} {}, got {asked}",
            step.method,
            step.place
        );
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let whole = format!("{}\n\n{}", headers.join("\n"), String::from_utf8_lossy(&request.body));
        for text in &step.holds {
            assert!(whole.contains(text), "{asked} lacks `{text}`:\n{whole}");
        }
        let url = step.from.unwrap_or_else(|| request.url.clone());
        self.sent.lock().expect("sent").push(request);
        if step.body == TOO_LARGE {
            return Err(crate::provider::ProviderError::too_large());
        }
        Ok(Response { status: step.status, headers: step.headers, body: step.body, url })
    }
}

impl Script {
    fn finished(&self) {
        let left: Vec<_> =
            self.steps.lock().expect("steps").iter().map(|s| format!("{} {}", s.method, s.place)).collect();
        assert!(left.is_empty(), "never asked for: {left:?}");
    }

    fn sent(&self) -> Vec<OutgoingRequest> {
        self.sent.lock().expect("sent").clone()
    }
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse().expect("an instant")
    }
}

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn account(kind: ProviderKind, start: &str, home: Option<&str>, steps: Vec<Step>) -> (Caldav, Arc<Script>) {
    let script = Arc::new(Script { steps: Mutex::new(steps.into()), sent: Mutex::default() });
    let config = CaldavConfig {
        kind,
        start: Url::parse(start).expect("a URL"),
        credential: Some(Credential::Basic { username: Secret::new("ada"), password: Secret::new("secret") }),
        home: home.map(|home| vec![Url::parse(home).expect("a URL")]),
    };
    let world = World { clock: Arc::new(Fixed), random: Arc::new(Fixed) };
    (Caldav::new(script.clone(), world, config), script)
}

const HOME: &str = "https://dav.example.org/home/ada/";
const OFFICE: &str = "/home/ada/office/";

/// An account whose home is known.
fn settled(steps: Vec<Step>) -> (Caldav, Arc<Script>) {
    account(ProviderKind::Caldav, "https://dav.example.org/", Some(HOME), steps)
}

/// The same, on a server that was seen to keep what it is given.
fn trusted(steps: Vec<Step>) -> (Caldav, Arc<Script>) {
    let (account, script) = settled(steps);
    account.manners.read_back(true);
    (account, script)
}

fn office() -> RemoteCalendarId {
    OFFICE.into()
}

/// What we hold, by name.
#[derive(Default)]
struct Held(BTreeMap<RemoteEventId, Revision>);

impl Known for Held {
    fn revision(&self, id: &RemoteEventId) -> Option<&Revision> {
        self.0.get(id)
    }
}

fn holding(pairs: &[(&str, &str)]) -> Held {
    Held(pairs.iter().map(|(id, revision)| ((*id).into(), (*revision).into())).collect())
}

async fn pull(account: &Caldav, cursor: Option<&str>, reconcile: bool, known: &Held) -> Result<ChangePage> {
    let cursor = cursor.map(SyncCursor::from);
    let calendar = office();
    account.pull(Pull { calendar: &calendar, cursor: cursor.as_ref(), reconcile }).next(known).await
}

fn done(page: &ChangePage) -> Option<&str> {
    match &page.next {
        Next::Done(cursor) => cursor.as_ref().map(SyncCursor::as_str),
        Next::More => panic!("the pull goes on"),
    }
}

fn ids<'a>(ids: impl IntoIterator<Item = &'a RemoteEventId>) -> Vec<&'a str> {
    ids.into_iter().map(RemoteEventId::as_str).collect()
}

fn changed(page: &ChangePage) -> Vec<&str> {
    ids(page.changed.iter().map(|event| &event.id))
}

/// A whole `multistatus` of some rows.
fn multi(rows: &[String], token: Option<&str>) -> String {
    let token = token.map(|token| format!("<d:sync-token>{token}</d:sync-token>")).unwrap_or_default();
    format!(
        r#"<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:s="http://calendarserver.org/ns/">{}{token}</d:multistatus>"#,
        rows.concat()
    )
}

/// A row with properties.
fn row(href: &str, props: &str) -> String {
    format!(
        "<d:response><d:href>{href}</d:href><d:propstat><d:prop>{props}</d:prop>\
         <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )
}

fn version(href: &str, etag: &str) -> String {
    row(href, &format!("<d:getetag>{}</d:getetag>", etag.replace('"', "&quot;")))
}

fn with_status(href: &str, status: u16) -> String {
    format!("<d:response><d:href>{href}</d:href><d:status>HTTP/1.1 {status} So</d:status></d:response>")
}

fn with_data(href: &str, etag: &str, text: &str) -> String {
    row(href, &format!("<d:getetag>{etag}</d:getetag><c:calendar-data>{text}</c:calendar-data>"))
}

fn event(uid: &str, title: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART:20261201T100000Z\r\nDTEND:20261201T110000Z\r\nSUMMARY:{title}\r\nX-KEPT:as it is\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn todo(uid: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VTODO\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n\
         SUMMARY:Wash up\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    )
}

fn content(title: &str) -> EventContent {
    let at = |text| EventTime::parse(text, None).expect("a time");
    EventContent::single(Facts::new(title, at("2026-12-01T10:00:00Z"), at("2026-12-01T11:00:00Z")))
}
