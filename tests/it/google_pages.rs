//! Lists of events that are larger than one answer may be.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use calwarden::{
    domain::{
        ids::{RemoteCalendarId, SyncCursor},
        ports::{Clock, Random, World},
        secret::Secret,
    },
    provider::{
        Next, Provider, ProviderError, Pull, Result, Unreadable,
        change::Nothing,
        google::{Google, GoogleConfig},
    },
    transport::{Http, OutgoingRequest, Response, client::ClientConfig},
};
use serde_json::{Value, json};

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

/// A calendar whose events have sizes, behind a door that lets ten megabytes through.
struct Large {
    sizes: Vec<usize>,
    asked: Mutex<Vec<(u32, bool)>>,
}

impl Large {
    fn item(&self, at: usize, outline: bool) -> Value {
        let mut item = json!({ "id": format!("event{at}"), "etag": format!("\"{at}\""), "status": "confirmed", "iCalUID": format!("event{at}@x") });
        if !outline {
            item["summary"] = json!(format!("Event {at}"));
            item["description"] = json!("x".repeat(self.sizes[at]));
            item["start"] = json!({ "date": "2026-08-03" });
            item["end"] = json!({ "date": "2026-08-04" });
        }
        item
    }
}

#[async_trait]
impl Http for Large {
    async fn send(&self, request: OutgoingRequest) -> Result<Response> {
        let query: BTreeMap<_, _> = request.url.query_pairs().into_owned().collect();
        let number = |name: &str| query.get(name).map_or(0, |text| text.parse::<usize>().expect("a number"));
        let (size, from, outline) = (number("maxResults"), number("pageToken"), query.contains_key("fields"));
        self.asked.lock().expect("no panic").push((u32::try_from(size).expect("a size"), outline));
        let to = self.sizes.len().min(from + size);
        let mut page = json!({ "kind": "calendar#events", "items": (from..to).map(|at| self.item(at, outline)).collect::<Vec<_>>() });
        if to < self.sizes.len() {
            page["nextPageToken"] = json!(to.to_string());
        } else {
            page["nextSyncToken"] = json!("end");
        }
        let body = page.to_string().into_bytes();
        if body.len() > ClientConfig::default().body_max {
            return Err(ProviderError::too_large());
        }
        Ok(Response { status: 200, headers: Vec::new(), body: body.into(), url: request.url })
    }
}

/// Everything that a calendar tells, and how it was asked.
async fn listed(sizes: Vec<usize>) -> (usize, Vec<Unreadable>, Next, Vec<(u32, bool)>) {
    let large = Arc::new(Large { sizes, asked: Mutex::default() });
    let world = World { clock: Arc::new(Fixed), random: Arc::new(Fixed) };
    let config = GoogleConfig {
        api: "https://google.test/calendar/v3".parse().expect("a URL"),
        access_token: Secret::new("ya29.x"),
        may_write: true,
    };
    let http: Arc<dyn Http> = large.clone();
    let account = Google::new(http, world, config);
    let calendar = RemoteCalendarId::from("testuser@example.test");
    let (mut found, mut unreadable, mut next) = (0, Vec::new(), Next::More);
    let mut reading = account.pull(Pull { calendar: &calendar, cursor: None, reconcile: true });
    while next == Next::More {
        let page = reading.next(&Nothing).await.expect("a page");
        found += page.changed.len();
        unreadable.extend(page.unreadable);
        next = page.next;
    }
    let asked = large.asked.lock().expect("no panic").clone();
    (found, unreadable, next, asked)
}

#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_again_in_smaller_ones() {
    let (found, unreadable, next, asked) = listed(vec![4_400; 2_500]).await;
    assert_eq!((found, unreadable.len()), (2_500, 0));
    assert_eq!(next, Next::Done(Some(SyncCursor("g1:end".into()))));
    let sizes: Vec<_> = asked.iter().map(|(size, _)| *size).collect();
    assert_eq!(sizes[..2], [2_500, 1_250]);
    assert!(asked.len() <= 4, "{asked:?}");
    // What was not too large is asked for as before.
    let (found, _, _, asked) = listed(vec![400; 2_600]).await;
    assert_eq!((found, asked.len()), (2_600, 2));
}

#[tokio::test]
async fn one_event_that_is_too_large_is_told_as_that_and_stands_in_nobodys_way() {
    let mut sizes = vec![400; 3_000];
    sizes[700] = 11_000_000;
    let (found, unreadable, next, asked) = listed(sizes).await;
    assert_eq!(found, 2_999);
    assert_eq!(next, Next::Done(Some(SyncCursor("g1:end".into()))));
    let [told] = unreadable.as_slice() else { panic!("{unreadable:?}") };
    assert_eq!((told.id.as_str(), told.revision.as_ref().map(|it| it.0.as_str())), ("event700", Some("\"700\"")));
    assert!(!told.may_pass && told.why.contains("larger"), "{}", told.why);
    assert_eq!(asked.iter().filter(|(_, outline)| *outline).count(), 1);
    // Down to one, and back by twice as many at a time.
    assert!(asked.len() <= 60, "{} requests", asked.len());
}
