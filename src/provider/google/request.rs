//! Every request this adapter makes, as a value.
//!
//! **Invariant:** every write says `sendUpdates=none`: nobody is e-mailed by a sync.

use serde_json::Value;
use url::Url;

use super::body;
use crate::transport::OutgoingRequest;

/// What of each event is asked for where all of it is too much: who it is, and no text.
const OUTLINE: &str = "kind,nextPageToken,nextSyncToken,items(id,etag,status,iCalUID,recurringEventId)";
/// What is mirrored. Birthdays and working locations are not appointments.
const EVENT_TYPES: [&str; 4] = ["default", "focusTime", "fromGmail", "outOfOffice"];

/// An address under a root; each piece of the path is escaped (`#` of holiday calendars too).
pub(super) fn at(root: &Url, path: &[&str]) -> Url {
    let mut url = root.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

fn get(mut url: Url, query: &[(&str, &str)]) -> OutgoingRequest {
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    OutgoingRequest { headers: vec![("Accept", "application/json".to_owned())], ..OutgoingRequest::new("GET", url) }
}

fn write(
    method: &'static str,
    mut url: Url,
    query: &[(&str, &str)],
    guard: Option<&str>,
    value: Option<&Value>,
) -> OutgoingRequest {
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let mut headers = vec![("Accept", "application/json".to_owned())];
    if value.is_some() {
        headers.push(("Content-Type", "application/json".to_owned()));
    }
    if let Some(etag) = guard {
        headers.push(("If-Match", etag.to_owned()));
    }
    OutgoingRequest {
        headers,
        body: value.map(body).unwrap_or_default(),
        writes: true,
        ..OutgoingRequest::new(method, url)
    }
}

/// `calendarList.list`.
pub(super) fn calendar_list(url: Url, page: Option<&str>) -> OutgoingRequest {
    let mut query = vec![("maxResults", "250")];
    query.extend(page.map(|page| ("pageToken", page)));
    get(url, &query)
}

/// How much of a list is asked for at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion {
    /// Objects.
    pub size: u32,
    /// Who they are, and nothing else.
    pub outline: bool,
}

/// `events.list` of changes since a token, or of everything. The same parameters each time: Google leaves open what a token
/// does with others; the size of a page is free.
pub(super) fn events(url: Url, sync_token: Option<&str>, page: Option<&str>, portion: Portion) -> OutgoingRequest {
    let size = portion.size.to_string();
    let mut query = vec![("maxResults", size.as_str()), ("showDeleted", "true"), ("singleEvents", "false")];
    query.extend(portion.outline.then_some(("fields", OUTLINE)));
    query.extend(EVENT_TYPES.iter().map(|kind| ("eventTypes", *kind)));
    query.extend(sync_token.map(|token| ("syncToken", token)));
    query.extend(page.map(|page| ("pageToken", page)));
    get(url, &query)
}

/// `events.list` of one `iCalUID`: a master and all its exceptions.
pub(super) fn family(url: Url, uid: &str, page: Option<&str>, portion: Portion) -> OutgoingRequest {
    let size = portion.size.to_string();
    let mut query =
        vec![("iCalUID", uid), ("maxResults", size.as_str()), ("showDeleted", "true"), ("singleEvents", "false")];
    query.extend(portion.outline.then_some(("fields", OUTLINE)));
    query.extend(page.map(|page| ("pageToken", page)));
    get(url, &query)
}

/// `events.get`.
pub(super) fn event(url: Url) -> OutgoingRequest {
    get(url, &[])
}

/// `events.instances` of one original start.
pub(super) fn instance(url: Url, original_start: &str) -> OutgoingRequest {
    get(url, &[("originalStart", original_start), ("showDeleted", "true"), ("maxResults", "10")])
}

/// `events.insert`.
pub(super) fn insert(url: Url, event: &Value) -> OutgoingRequest {
    write("POST", url, &[("sendUpdates", "none")], None, Some(event))
}

/// What an event that is made again may hold has to be asked for, or Google leaves it out.
const WHOLE: &[(&str, &str)] =
    &[("sendUpdates", "none"), ("conferenceDataVersion", "1"), ("supportsAttachments", "true")];

/// `events.insert` of everything that an event was.
pub(super) fn insert_whole(url: Url, event: &Value) -> OutgoingRequest {
    write("POST", url, WHOLE, None, Some(event))
}

/// `events.patch` of exactly this version, with everything that an event was.
pub(super) fn patch_whole(url: Url, etag: &str, event: &Value) -> OutgoingRequest {
    write("PATCH", url, WHOLE, Some(etag), Some(event))
}

/// `events.patch` of exactly this version.
pub(super) fn patch(url: Url, etag: &str, changes: &Value) -> OutgoingRequest {
    write("PATCH", url, &[("sendUpdates", "none")], Some(etag), Some(changes))
}

/// `events.delete` of exactly this version.
pub(super) fn delete(url: Url, etag: &str) -> OutgoingRequest {
    write("DELETE", url, &[("sendUpdates", "none")], Some(etag), None)
}

/// `events.watch`. A lost answer leaves a channel that nobody knows, and that ends by itself: it may be repeated.
pub(super) fn watch(url: Url, channel: &Value) -> OutgoingRequest {
    // `eventTypes` narrows what is notified to what is read.
    let query: Vec<_> = EVENT_TYPES.iter().map(|kind| ("eventTypes", *kind)).collect();
    OutgoingRequest { writes: false, ..write("POST", url, &query, None, Some(channel)) }
}

/// `channels.stop`.
pub(super) fn stop(url: Url, channel: &Value) -> OutgoingRequest {
    OutgoingRequest { writes: false, ..write("POST", url, &[], None, Some(channel)) }
}

/// `freebusy.query`.
pub(super) fn free_busy(url: Url, question: &Value) -> OutgoingRequest {
    OutgoingRequest { writes: false, ..write("POST", url, &[], None, Some(question)) }
}
