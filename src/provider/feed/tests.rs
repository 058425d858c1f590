//! The adapter against a scripted publisher.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use url::Url;

use super::*;
use crate::{
    domain::ids::{RemoteEventId, Revision},
    provider::{Covers, PageKind, change::Nothing},
    transport::{OutgoingRequest, Response},
};

const SCHOOL: &str = include_str!("../../../tests/fixtures/feed/school.ics");
const ONE_BROKEN: &str = include_str!("../../../tests/fixtures/feed/one_broken.ics");
const LOGIN_PAGE: &str = include_str!("../../../tests/fixtures/feed/login_page.html");

/// A publisher that gives prepared answers, in order, and keeps what it was asked.
#[derive(Default)]
struct Publisher {
    answers: Mutex<VecDeque<Result<Response>>>,
    asked: Mutex<Vec<OutgoingRequest>>,
}

#[async_trait]
impl Http for Publisher {
    async fn send(&self, request: OutgoingRequest) -> Result<Response> {
        self.asked.lock().expect("lock").push(request);
        self.answers.lock().expect("lock").pop_front().expect("a request that was expected")
    }
}

impl Publisher {
    fn then(&self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = Url::parse("https://school.example/").expect("a URL");
        self.answers.lock().expect("lock").push_back(Ok(Response { status, headers, body: body.into(), url }));
    }

    /// The value of a header of the last request.
    fn last_asked(&self, header: &str) -> Option<String> {
        let asked = self.asked.lock().expect("lock");
        let headers = &asked.last().expect("a request").headers;
        headers.iter().find(|(name, _)| *name == header).map(|(_, value)| value.clone())
    }

    fn requests(&self) -> usize {
        self.asked.lock().expect("lock").len()
    }
}

/// A caller that commits every page.
#[derive(Default)]
struct Copy {
    cursor: Option<SyncCursor>,
    revisions: BTreeMap<RemoteEventId, Revision>,
    changed: usize,
    removed: usize,
}

impl Known for Copy {
    fn revision(&self, id: &RemoteEventId) -> Option<&Revision> {
        self.revisions.get(id)
    }
}

impl Copy {
    async fn round(&mut self, feed: &Feed) -> ChangePage {
        let page = pull(feed, self.cursor.as_ref(), self, false).await.expect("a page");
        self.changed = page.changed.len();
        self.removed = 0;
        if page.kind == PageKind::Snapshot {
            let named = |id: &RemoteEventId| {
                let read = page.changed.iter().map(|event| &event.id).chain(&page.present);
                read.chain(page.unreadable.iter().map(|event| &event.id)).any(|named| named == id)
            };
            let before = self.revisions.len();
            self.revisions.retain(|id, _| named(id));
            self.removed = before - self.revisions.len();
        }
        for event in &page.changed {
            self.revisions.insert(event.id.clone(), event.revision.clone().expect("a revision"));
        }
        let Next::Done(cursor) = page.next.clone() else { panic!("one page") };
        self.cursor = cursor;
        page
    }
}

async fn pull(feed: &Feed, cursor: Option<&SyncCursor>, known: &dyn Known, reconcile: bool) -> Result<ChangePage> {
    let calendar = RemoteCalendarId::from(CALENDAR);
    feed.pull(Pull { calendar: &calendar, cursor, reconcile }).next(known).await
}

fn set_up() -> (Arc<Publisher>, Feed) {
    let publisher = Arc::new(Publisher::default());
    let config = FeedConfig { url: Secret::new("webcal://school.example/cal.ics?key=secret") };
    let feed = Feed::new(Arc::clone(&publisher) as Arc<dyn Http>, &config).expect("a feed");
    (publisher, feed)
}

fn event(uid: &str, day: u32, title: &str) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:202610{day:02}\r\nSUMMARY:{title}\r\n\
         END:VEVENT\r\n"
    )
}

fn calendar(events: &[String]) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//T//EN\r\n{}END:VCALENDAR\r\n", events.concat())
}

#[tokio::test]
async fn a_feed_is_one_read_only_calendar_and_one_request_serves_list_and_pull() {
    let (publisher, feed) = set_up();
    publisher.then(200, &[("etag", "\"1\"")], SCHOOL);
    let calendars = feed.calendars().await.expect("calendars");
    let [only] = calendars.as_slice() else { panic!("{calendars:?}") };
    assert_eq!((only.id.as_str(), only.name.as_str(), only.read_only), ("feed", "Lakeside School", true));
    assert_eq!(only.time_zone.as_deref(), Some("Europe/Paris"));
    assert_eq!((feed.label(), feed.writer().is_none()), ("school.example", true));

    let page = Copy::default().round(&feed).await;
    assert_eq!((page.kind, page.expected, page.interval_s), (PageKind::Snapshot, Some(3), Some(7_200)));
    assert_eq!((publisher.requests(), feed.requests_made()), (1, 1));
    assert_eq!(publisher.last_asked("accept").as_deref(), Some("text/calendar, */*;q=0.1"));
    let assembly = page.changed.iter().find(|event| event.uid.as_str() == "assembly@school.example").expect("assembly");
    assert_eq!((assembly.content.overrides.len(), assembly.id.clone()), (1, identity::own_id(&assembly.uid)));
    assert!(page.changed.iter().any(|event| event.id.as_str().starts_with("content:")), "the one without a UID");
}

#[tokio::test]
async fn an_unchanged_feed_is_asked_with_its_validators_and_changes_nothing() {
    let (publisher, feed) = set_up();
    publisher.then(200, &[("etag", "W/\"1\""), ("last-modified", "Tue, 01 Sep 2026 06:00:00 GMT")], SCHOOL);
    let mut copy = Copy::default();
    copy.round(&feed).await;
    assert_eq!(publisher.last_asked("if-none-match"), None);

    publisher.then(304, &[], "");
    let before = copy.cursor.clone();
    let page = copy.round(&feed).await;
    assert_eq!(publisher.last_asked("if-none-match").as_deref(), Some("W/\"1\""));
    assert_eq!(publisher.last_asked("if-modified-since").as_deref(), Some("Tue, 01 Sep 2026 06:00:00 GMT"));
    assert_eq!((page.kind, page.changed.len(), page.interval_s), (PageKind::Delta, 0, Some(7_200)));
    assert_eq!(copy.cursor, before);
}

#[tokio::test]
async fn a_list_that_found_nothing_new_serves_the_pull_from_the_same_cursor_only() {
    let (publisher, feed) = set_up();
    publisher.then(200, &[("etag", "\"1\"")], SCHOOL);
    let mut copy = Copy::default();
    copy.round(&feed).await;

    let config = FeedConfig { url: Secret::new("webcal://school.example/cal.ics?key=secret") };
    let port = Arc::clone(&publisher) as Arc<dyn Http>;
    let feed = Feed::new(port, &config).expect("a feed").resume(copy.cursor.clone());
    publisher.then(304, &[], "");
    assert_eq!(feed.calendars().await.expect("calendars")[0].name, "Lakeside School");
    assert_eq!(copy.round(&feed).await.kind, PageKind::Delta);
    assert_eq!(publisher.requests(), 2);

    publisher.then(304, &[], "");
    feed.calendars().await.expect("calendars");
    publisher.then(200, &[("etag", "\"1\"")], SCHOOL);
    let page = pull(&feed, copy.cursor.as_ref(), &copy, true).await.expect("a page");
    assert_eq!((page.kind, page.present.len()), (PageKind::Snapshot, 3), "reconciliation lists everything");
    assert_eq!(publisher.last_asked("if-none-match"), None);

    publisher.then(304, &[], "");
    feed.calendars().await.expect("calendars");
    publisher.then(200, &[("etag", "\"1\"")], SCHOOL);
    let page = pull(&feed, None, &Nothing, false).await.expect("a page");
    assert_eq!(page.changed.len(), 3, "a lost cursor reads everything");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_not_held_for_a_pull_that_comes_later() {
    let (publisher, feed) = set_up();
    publisher.then(200, &[], calendar(&[event("a", 1, "Old")]));
    feed.calendars().await.expect("calendars");
    tokio::time::sleep(Duration::from_secs(61)).await;
    publisher.then(200, &[], calendar(&[event("a", 1, "New")]));
    assert_eq!(Copy::default().round(&feed).await.changed[0].content.facts.title, "New");
}

#[tokio::test]
async fn what_a_publisher_stamps_at_each_fetch_changes_nothing() {
    let (publisher, feed) = set_up();
    publisher.then(200, &[("etag", "\"1\"")], SCHOOL);
    let mut copy = Copy::default();
    copy.round(&feed).await;

    let stamped =
        SCHOOL.replace("DTSTAMP:20260901T060000Z", "DTSTAMP:20261121T121212Z\r\nLAST-MODIFIED:20261121T121212Z");
    publisher.then(200, &[("etag", "\"2\"")], stamped.replace("//School//EN", "//School 2//EN"));
    let page = copy.round(&feed).await;
    assert_eq!((page.kind, page.changed.len()), (PageKind::Delta, 0));
    publisher.then(304, &[], "");
    copy.round(&feed).await;
    assert_eq!(publisher.last_asked("if-none-match").as_deref(), Some("\"2\""), "the newer validator is kept");
}

#[tokio::test]
async fn an_edit_an_addition_and_a_loss_are_distinguished() {
    let (publisher, feed) = set_up();
    publisher.then(200, &[], calendar(&[event("a", 1, "A"), event("b", 2, "B"), event("c", 3, "C")]));
    let mut copy = Copy::default();
    assert_eq!(copy.round(&feed).await.changed.len(), 3);
    publisher.then(200, &[], calendar(&[event("d", 4, "D"), event("a", 1, "A"), event("b", 2, "Bee")]));
    let page = copy.round(&feed).await;
    let mut titles: Vec<_> = page.changed.iter().map(|event| event.content.facts.title.as_str()).collect();
    titles.sort_unstable();
    assert_eq!((titles, page.present.len(), copy.removed), (vec!["Bee", "D"], 1, 1));
}

#[tokio::test]
async fn fresh_uids_at_every_fetch_cause_nothing_and_an_edit_among_them_one_change() {
    let (publisher, feed) = set_up();
    let fetch = |round: u32, title: &str| {
        let others = (1..20).map(|day| event(&format!("{day}-{round}"), day, "Holiday"));
        calendar(&others.chain([event(&format!("x-{round}"), 25, title)]).collect::<Vec<_>>())
    };
    let mut copy = Copy::default();
    publisher.then(200, &[], fetch(0, "Trip"));
    assert_eq!(copy.round(&feed).await.changed.len(), 20);
    for round in 1..5 {
        publisher.then(200, &[], fetch(round, "Trip"));
        copy.round(&feed).await;
        assert_eq!((copy.changed, copy.removed), (0, 0), "fetch {round}");
    }
    publisher.then(200, &[], fetch(5, "Longer trip"));
    copy.round(&feed).await;
    assert_eq!((copy.changed, copy.removed), (1, 1));
}

#[tokio::test]
async fn an_unreadable_event_is_reported_and_never_lost() {
    let (publisher, feed) = set_up();
    let mut copy = Copy::default();
    publisher.then(200, &[], SCHOOL.replace("BEGIN:VEVENT\r\nDTSTAMP", "BEGIN:VEVENT\r\nUID:e\r\nDTSTAMP"));
    copy.round(&feed).await;
    assert_eq!(copy.revisions.len(), 3);
    publisher.then(200, &[], ONE_BROKEN);
    let page = copy.round(&feed).await;
    assert_eq!((page.kind, page.unreadable.len()), (PageKind::Snapshot, 1));
    assert_eq!(page.unreadable[0].uid.as_ref().map(crate::domain::ids::Uid::as_str), Some("assembly@school.example"));
    assert_eq!((copy.revisions.len(), copy.removed), (2, 1), "the broken one stays, the missing one goes");
}

#[tokio::test]
async fn an_unreadable_event_without_a_name_stops_all_deletion() {
    let (publisher, feed) = set_up();
    let mut copy = Copy::default();
    publisher.then(200, &[], SCHOOL);
    copy.round(&feed).await;
    let nameless = ONE_BROKEN.replace("UID:assembly@school.example\r\n", "");
    publisher.then(200, &[], nameless);
    let page = copy.round(&feed).await;
    assert_eq!((page.kind, page.unreadable.len(), copy.revisions.len()), (PageKind::Delta, 1, 3));
    publisher.then(200, &[], calendar(&[event("a", 1, "A")]));
    assert_eq!(
        (copy.round(&feed).await.kind, copy.removed),
        (PageKind::Snapshot, 3),
        "and only for as long as it is there"
    );
}

#[tokio::test]
async fn what_is_not_a_whole_calendar_is_refused_in_words() {
    let cut_off = &SCHOOL[..SCHOOL.len() - 20];
    let wrong_length = (SCHOOL.len() + 1).to_string();
    for (headers, body, words) in [
        (vec![], LOGIN_PAGE, "web page, not a calendar"),
        (vec![], "\u{feff}\r\n <html>", "web page, not a calendar"),
        (vec![], "", "nothing"),
        (vec![], "{\"error\":\"expired\"}", "JSON"),
        (vec![], "Too many requests", "not a calendar"),
        (vec![], cut_off, "cannot be read"),
        (vec![("content-length", wrong_length.as_str())], SCHOOL, "cut off"),
        (vec![], "BEGIN:VCALENDAR\r\nVERSION:1.0\r\nEND:VCALENDAR\r\n", "vCalendar"),
    ] {
        let (publisher, feed) = set_up();
        publisher.then(200, &headers, body.to_owned());
        let why = pull(&feed, None, &Nothing, false).await.expect_err(words);
        assert_eq!(why.class, FailureClass::Malformed, "{words}");
        assert!(why.detail.contains(words), "{why} does not say {words}");
    }
}

#[tokio::test]
async fn a_status_is_classed() {
    for (status, class) in [
        (401, FailureClass::Unauthorised),
        (403, FailureClass::Forbidden),
        (404, FailureClass::Gone),
        (410, FailureClass::Gone),
        (406, FailureClass::Refused),
        (408, FailureClass::Transient),
        (429, FailureClass::RateLimited),
        (500, FailureClass::Transient),
        (503, FailureClass::Transient),
        (204, FailureClass::Malformed),
        (206, FailureClass::Malformed),
        (302, FailureClass::Malformed),
        (304, FailureClass::Malformed),
    ] {
        let (publisher, feed) = set_up();
        publisher.then(status, &[], SCHOOL);
        let why = pull(&feed, None, &Nothing, false).await.expect_err("no calendar");
        assert_eq!(why.class, class, "{status}");
        assert!(!why.detail.contains("secret") && !why.detail.contains("school"), "{why}");
    }
}

#[tokio::test]
async fn a_publisher_says_how_long_to_wait_in_seconds_or_by_its_own_clock() {
    let date = ("date", "Sat, 21 Nov 2026 12:00:00 GMT");
    let at = ("retry-after", "Sat, 21 Nov 2026 12:05:00 GMT");
    for (headers, wait) in [
        (vec![("retry-after", "120")], Some(120)),
        (vec![date, at], Some(300)),
        (vec![at], None),
        (vec![("retry-after", "soon")], None),
        (vec![("retry-after", "999999999")], Some(86_400)),
    ] {
        for status in [429, 503] {
            let (publisher, feed) = set_up();
            publisher.then(status, &headers, "");
            let why = pull(&feed, None, &Nothing, false).await.expect_err("no calendar");
            assert_eq!(why.retry_after, wait.map(Duration::from_secs), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn the_interval_that_a_publisher_asks_for_is_bounded() {
    let with = |line: &str| SCHOOL.replace("REFRESH-INTERVAL;VALUE=DURATION:PT2H\r\n", line);
    for (body, cache, interval_s) in [
        (with("REFRESH-INTERVAL:PT2H\r\n"), "max-age=3600", Some(7_200)),
        (with("X-PUBLISHED-TTL:PT1M\r\n"), "", Some(900)),
        (with("REFRESH-INTERVAL;VALUE=DURATION:P4W\r\n"), "", Some(86_400)),
        (with(""), "private, max-age=3600", Some(3_600)),
        (with(""), "max-age=3600, no-cache", None),
        (with(""), "max-age=0", None),
        (with("REFRESH-INTERVAL:often\r\n"), "", None),
    ] {
        let (publisher, feed) = set_up();
        publisher.then(200, &[("cache-control", cache)], body);
        let page = Copy::default().round(&feed).await;
        assert_eq!(page.interval_s, interval_s, "{cache}");
    }
}

#[tokio::test]
async fn a_bookmark_of_another_address_is_not_used() {
    let (publisher, feed) = set_up();
    publisher.then(200, &[("etag", "\"1\"")], SCHOOL);
    let mut copy = Copy::default();
    copy.round(&feed).await;
    let config = FeedConfig { url: Secret::new("https://school.example/other.ics") };
    let other = Feed::new(Arc::clone(&publisher) as Arc<dyn Http>, &config).expect("a feed");
    publisher.then(200, &[("etag", "\"1\"")], SCHOOL);
    let page = copy.round(&other).await;
    assert_eq!((page.kind, page.covers), (PageKind::Snapshot, Covers::NotOver));
    assert_eq!(publisher.last_asked("if-none-match"), None);
}

#[tokio::test]
async fn there_is_one_calendar() {
    let (_, feed) = set_up();
    let other = RemoteCalendarId::from("other");
    let pull = Pull { calendar: &other, cursor: None, reconcile: false };
    assert_eq!(feed.pull(pull).next(&Nothing).await.expect_err("no such calendar").class, FailureClass::Gone);
    assert!(!format!("{feed:?}").contains("secret"));
}
