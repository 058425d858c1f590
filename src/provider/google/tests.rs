//! The adapter reads what Google really answered; every captured answer has its test, and a new one without is noticed.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::*;
use crate::{
    domain::{
        event::{EventStatus, Transparency},
        ids::{RemoteEventId, Revision, SyncCursor},
        mapping::RemoteEvent,
        ports::{Clock, Random},
        time::EventTime,
    },
    provider::{ChangePage, Known, Next, PageKind},
};

fn folder() -> PathBuf {
    let root = std::env::var_os("CALWARDEN_CORPORA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora")), PathBuf::from);
    root.join("provider_answers/google")
}

fn captured(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why} (CALWARDEN_CORPORA names the corpora)", path.display()))
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        "2026-07-18T11:58:00Z".parse().expect("a time")
    }
}

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// Answers in their order, whatever is asked.
struct Script(Mutex<VecDeque<(u16, Vec<u8>)>>);

#[async_trait]
impl Http for Script {
    async fn send(&self, request: OutgoingRequest) -> Result<Response> {
        let (status, body) = self.0.lock().expect("no panic").pop_front().expect("nothing more was expected");
        Ok(Response { status, headers: Vec::new(), body: body.into(), url: request.url })
    }
}

/// What we hold: revisions and bytes.
#[derive(Default)]
struct Held(BTreeMap<RemoteEventId, (Revision, Vec<u8>)>);

#[async_trait]
impl Known for Held {
    fn revision(&self, id: &RemoteEventId) -> Option<&Revision> {
        self.0.get(id).map(|(revision, _)| revision)
    }

    async fn raw(&self, id: &RemoteEventId) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(id).map(|(_, raw)| raw.clone()))
    }
}

fn google(answers: Vec<(u16, Vec<u8>)>) -> Google {
    let world = World { clock: Arc::new(Fixed), random: Arc::new(Fixed) };
    let config = GoogleConfig {
        api: "https://google.test/calendar/v3".parse().expect("a URL"),
        access_token: Secret::new("ya29.x"),
        may_write: true,
    };
    Google::new(Arc::new(Script(Mutex::new(answers.into()))), world, config)
}

async fn pulled(answers: Vec<(u16, Vec<u8>)>, cursor: Option<&str>, known: &Held) -> Result<ChangePage> {
    let calendar = RemoteCalendarId::from("testuser@example.test");
    let cursor = cursor.map(|text| SyncCursor(text.to_owned()));
    let pull = Pull { calendar: &calendar, cursor: cursor.as_ref(), reconcile: cursor.is_none() };
    google(answers).pull(pull).next(known).await
}

/// One captured event, as a list of its own would show it.
async fn event(name: &str) -> RemoteEvent {
    let item: Value = serde_json::from_slice(&captured(name)).expect("JSON");
    let list = json!({ "items": [item], "nextSyncToken": "t" }).to_string().into_bytes();
    let page = pulled(vec![(200, list)], None, &Held::default()).await.expect("a page");
    assert_eq!(page.unreadable, []);
    page.changed.into_iter().next().expect("an event")
}

#[test]
fn every_captured_answer_has_a_test_here() {
    let source = include_str!("tests.rs");
    let mut names = BTreeSet::new();
    for part in ["calendar", "error"] {
        for entry in std::fs::read_dir(folder().join(part)).expect("the answers").flatten() {
            names.insert(format!("{part}/{}", entry.file_name().to_string_lossy()));
        }
    }
    assert!(names.len() >= 13, "{names:?}");
    for name in names {
        assert!(source.contains(&format!("\"{name}\"")), "{name}: say what it is to us");
    }
}

#[tokio::test]
async fn the_calendars_of_an_account() {
    let listed = google(vec![(200, captured("calendar/calendars.json"))]).calendars().await.expect("calendars");
    let calendars: Vec<_> = listed.iter().map(|held| (held.id.as_str(), held.name.as_str(), held.read_only)).collect();
    assert_eq!(
        calendars,
        [
            ("testuser@example.test", "testuser@example.test", false),
            ("nl.dutch#holiday@group.v.calendar.google.com", "Feestdagen in Nederland", true)
        ]
    );
}

#[tokio::test]
async fn a_whole_list_is_a_snapshot_and_a_later_one_shows_changes_and_deletions() {
    let list = (200, captured("calendar/events_list.json"));
    let page = pulled(vec![list], None, &Held::default()).await.expect("a page");
    let titles: Vec<_> = page.changed.iter().map(|event| event.content.facts.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "Sample event with Meet",
            "Fixture: single meeting",
            "Fixture: all day",
            "Fixture: meet call",
            "Fixture: weekly standup"
        ]
    );
    assert_eq!((page.kind, page.unreadable.len(), page.removed.len()), (PageKind::Snapshot, 0, 0));
    assert_eq!(page.next, Next::Done(Some(SyncCursor("g1:events-sync-token-1".into()))));
    let held = page.changed.into_iter().map(|event| {
        let revision = event.revision.expect("a version");
        (event.id, (revision, event.raw.expect("bytes")))
    });
    let held = Held(held.collect());
    let delta = (200, captured("calendar/events_delta.json"));
    let page = pulled(vec![delta], Some("g1:events-sync-token-1"), &held).await.expect("a page");
    let titles: Vec<_> = page.changed.iter().map(|event| event.content.facts.title.as_str()).collect();
    assert_eq!((page.kind, titles), (PageKind::Delta, vec!["Fixture: single meeting (updated)"]));
    assert_eq!(page.removed, [RemoteEventId::from("862fgtojfi0njod4k2ll6rt8oc")]);
    // The same list again, held as it is, changes nothing.
    let page = pulled(vec![(200, captured("calendar/events_list.json"))], None, &held).await.expect("a page");
    assert_eq!((page.changed.len(), page.present.len()), (0, 5));
}

#[tokio::test]
async fn a_single_meeting_with_its_zone_place_and_words() {
    let event = event("calendar/event_single.json").await;
    let facts = &event.content.facts;
    assert_eq!(event.uid.0, "e4n4cn7ekp59crc84vljaknin4@google.com");
    assert_eq!(event.revision, Some(Revision("\"3568771251472222\"".into())));
    assert_eq!((facts.title.as_str(), facts.location.as_deref()), ("Fixture: single meeting", Some("Room 1")));
    assert_eq!(facts.description.as_deref(), Some("A one-off meeting."));
    let wall = |text: &str| EventTime::zoned(text.parse().expect("a time"), chrono_tz::Europe::Amsterdam);
    assert_eq!((&facts.start, &facts.end), (&wall("2026-08-03T10:00:00"), &wall("2026-08-03T11:00:00")));
    assert_eq!((facts.status, facts.transparency), (EventStatus::Confirmed, Transparency::Opaque));
    assert_eq!(event.changed_at.map(|at| at.timestamp_subsec_millis()), Some(736));
}

#[tokio::test]
async fn a_day_a_series_a_call_and_an_invitation() {
    let day = event("calendar/event_allday.json").await;
    assert!(day.content.facts.start.is_all_day() && !day.content.is_series());
    let series = event("calendar/event_recurring_master.json").await;
    assert!(series.content.is_series() && series.content.detached_from.is_none());
    let call = event("calendar/event_meet.json").await;
    let raw = String::from_utf8(call.raw.expect("bytes")).expect("text");
    assert!(raw.contains("aaa-bbbb-ccc") && raw.contains("conferenceData"), "what we do not model is kept");
    let invited = event("calendar/event_invitation_answered.json").await;
    assert_eq!(invited.content.facts.transparency, Transparency::Opaque, "tentatively accepted takes time");
    assert_eq!(invited.uid.0, "fixture-invitation@example.test");
}

#[tokio::test]
async fn what_its_owner_declined_takes_no_time() {
    let event = event("calendar/event_organizer_declined.json").await;
    assert_eq!(event.content.facts.transparency, Transparency::Transparent);
    assert_eq!(event.content.facts.status, EventStatus::Confirmed);
}

#[tokio::test]
async fn refusals_are_distinguished() {
    let cases = [
        (401, "error/unauthorized.json", FailureClass::Unauthorised, None),
        (403, "error/forbidden.json", FailureClass::Forbidden, None),
        // The time is in the message alone.
        (403, "error/rate_limit.json", FailureClass::RateLimited, Some(Duration::from_mins(2))),
        (410, "error/sync_token_gone.json", FailureClass::CursorExpired, None),
    ];
    for (status, name, class, wait) in cases {
        let answers = vec![(status, captured(name))];
        let refused = pulled(answers, Some("g1:x"), &Held::default()).await.expect_err("a refusal");
        assert_eq!((refused.class, refused.retry_after), (class, wait), "{name}");
        assert!(!refused.detail.contains('@') && refused.detail.len() < 120, "{}", refused.detail);
    }
}

#[test]
fn an_id_is_base32hex_and_the_same_for_the_same_calendar_and_key() {
    let (one, other) = (RemoteCalendarId::from("a@example.com"), RemoteCalendarId::from("b@example.com"));
    let id = event_id(&one, "key");
    assert_eq!(id, event_id(&one, "key"));
    assert_ne!(id, event_id(&other, "key"));
    assert_ne!(id, event_id(&one, "another key"));
    // RFC 2938 §3.1.2 in Google's words: 5 to 1024 characters of a-v and 0-9.
    assert!(id.len() == 40 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v')), "{id}");
}

/// A weekly series, as it is held once it was read.
async fn weekly() -> (RemoteEvent, Held) {
    let master = json!({ "id": "s", "iCalUID": "s@x", "etag": "\"1\"", "status": "confirmed", "summary": "Weekly",
        "start": { "dateTime": "2026-08-03T09:00:00+02:00", "timeZone": "Europe/Amsterdam" },
        "end": { "dateTime": "2026-08-03T09:15:00+02:00", "timeZone": "Europe/Amsterdam" }, "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"] });
    let list = json!({ "items": [master], "nextSyncToken": "t" }).to_string().into_bytes();
    let page = pulled(vec![(200, list)], None, &Held::default()).await.expect("a page");
    let first = page.changed.into_iter().next().expect("a series");
    let held = (first.id.clone(), (first.revision.clone().expect("a version"), first.raw.clone().expect("bytes")));
    (first, Held(BTreeMap::from([held])))
}

#[tokio::test]
async fn an_exception_alone_is_put_into_the_series_that_is_held() {
    let (first, held) = weekly().await;
    // A cancelled occurrence of a delta may be an id and little else.
    let gone = json!({ "id": "s_20260810T070000Z", "recurringEventId": "s", "status": "cancelled",
        "originalStartTime": { "dateTime": "2026-08-10T09:00:00+02:00", "timeZone": "Europe/Amsterdam" } });
    let moved = json!({ "id": "s_20260817T070000Z", "recurringEventId": "s", "status": "confirmed", "etag": "\"2\"", "iCalUID": "s@x",
        "summary": "Weekly, later", "originalStartTime": { "dateTime": "2026-08-17T09:00:00+02:00", "timeZone": "Europe/Amsterdam" },
        "start": { "dateTime": "2026-08-17T11:00:00+02:00", "timeZone": "Europe/Amsterdam" },
        "end": { "dateTime": "2026-08-17T11:15:00+02:00", "timeZone": "Europe/Amsterdam" } });
    let delta = json!({ "items": [gone, moved], "nextSyncToken": "u" }).to_string().into_bytes();
    let page = pulled(vec![(200, delta)], Some("g1:t"), &held).await.expect("a page");
    let whole = page.changed.into_iter().next().expect("the series");
    assert_eq!((whole.id.as_str(), whole.content.facts.title.as_str()), ("s", "Weekly"));
    assert_eq!((whole.content.recurrence.excluded.len(), whole.content.overrides.len()), (1, 1));
    assert_ne!(whole.revision, first.revision, "any part changes the version of the whole");
    assert_eq!(page.removed, [], "the series is not gone with its occurrence");
}

/// What became of the series that is held, and its one occurrence that went with it: on one page and on two, in either order. Each
/// time, what is removed and what is changed.
async fn listed_with_what_went_with_it(held: &Held, series: &Value) -> Vec<(Vec<RemoteEventId>, Vec<RemoteEvent>)> {
    let went_with_it = json!({ "id": "s_20260810T070000Z", "recurringEventId": "s", "status": "cancelled",
        "originalStartTime": { "dateTime": "2026-08-10T09:00:00+02:00", "timeZone": "Europe/Amsterdam" } });
    let page = |items: Vec<&Value>, end: &str| (200, json!({ "items": items, end: "x" }).to_string().into_bytes());
    let mut found = Vec::new();
    for pages in [
        vec![page(vec![series], "nextPageToken"), page(vec![&went_with_it], "nextSyncToken")],
        vec![page(vec![&went_with_it], "nextPageToken"), page(vec![series], "nextSyncToken")],
        vec![page(vec![series, &went_with_it], "nextSyncToken")],
    ] {
        let (mut removed, mut changed) = (Vec::new(), Vec::new());
        let (calendar, cursor) = (RemoteCalendarId::from("testuser@example.test"), SyncCursor("g1:t".to_owned()));
        let google = google(pages);
        let mut reading = google.pull(Pull { calendar: &calendar, cursor: Some(&cursor), reconcile: false });
        let mut next = Next::More;
        while next == Next::More {
            let page = reading.next(held).await.expect("a page");
            removed.extend(page.removed);
            changed.extend(page.changed);
            next = page.next;
        }
        found.push((removed, changed));
    }
    found
}

#[tokio::test]
async fn a_series_that_goes_is_not_brought_back_by_its_exceptions_on_a_later_page() {
    let (_, held) = weekly().await;
    let gone = json!({ "id": "s", "status": "cancelled" });
    for found in listed_with_what_went_with_it(&held, &gone).await {
        assert_eq!(found, (vec![RemoteEventId::from("s")], Vec::new()));
    }
}

#[tokio::test]
async fn a_series_that_became_a_single_event_is_not_made_one_again_by_its_exceptions() {
    let (_, held) = weekly().await;
    let single = json!({ "id": "s", "iCalUID": "s@x", "etag": "\"2\"", "status": "confirmed", "summary": "Once",
        "start": { "dateTime": "2026-08-03T09:00:00+02:00", "timeZone": "Europe/Amsterdam" },
        "end": { "dateTime": "2026-08-03T09:15:00+02:00", "timeZone": "Europe/Amsterdam" } });
    for (removed, changed) in listed_with_what_went_with_it(&held, &single).await {
        let said: Vec<_> = changed.iter().map(|event| (event.content.facts.title.as_str(), &event.content)).collect();
        let [("Once", content)] = said.as_slice() else { panic!("{said:?}") };
        assert!(removed.is_empty() && content.recurrence.is_empty() && content.overrides.is_empty());
    }
}
