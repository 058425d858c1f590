//! Every request this adapter makes, as a value: method, headers and body are fixed here and nowhere else.
//!
//! **Invariant:** no `limit` in a sync report unless its answer is too large without one, no `If-Match: *`, no weak `ETag` in `If-Match`: some servers lose changes
//! or overwrite on them.

use std::fmt::Write as _;

use bytes::Bytes;
use quick_xml::escape::escape;
use url::Url;

use super::href::Etag;
use crate::{domain::ids::Uid, transport::OutgoingRequest};

const XML: &str = "application/xml; charset=utf-8";
const ICALENDAR: &str = "text/calendar; charset=utf-8";
const PROLOGUE: &str = r#"<?xml version="1.0" encoding="utf-8"?>"#;

/// How far a request reaches (RFC 4918 §10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// The resource itself.
    Zero,
    /// It and its members.
    One,
}

/// What a `PROPFIND` asks for. Always by name: `allprop` need not answer (RFC 4791 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PropfindQuery {
    /// Who we are, where the calendars are, and whether this is one (RFC 5397, RFC 4791 §6.2.1).
    Discovery,
    /// What a calendar says of itself, its sync token left out: some servers work long for one.
    Calendars,
    /// The same with its sync token.
    CalendarsAndTokens,
    /// When a calendar was last touched.
    Touched,
    /// The members of a calendar and their versions.
    Members,
    /// The version of one resource.
    Version,
    /// The `ctag` of a calendar.
    Ctag,
}

impl PropfindQuery {
    fn properties(self) -> &'static str {
        match self {
            Self::Discovery => "<d:resourcetype/><d:current-user-principal/><c:calendar-home-set/>",
            Self::Calendars => concat!(
                "<d:resourcetype/><d:displayname/><d:getlastmodified/><d:supported-report-set/>",
                "<d:current-user-privilege-set/><c:supported-calendar-component-set/><c:calendar-timezone/>",
                "<s:getctag/><a:calendar-color/>"
            ),
            Self::CalendarsAndTokens => concat!(
                "<d:resourcetype/><d:displayname/><d:sync-token/><d:supported-report-set/>",
                "<d:current-user-privilege-set/><c:supported-calendar-component-set/><c:calendar-timezone/>",
                "<s:getctag/><a:calendar-color/>"
            ),
            Self::Touched => "<d:resourcetype/><d:getlastmodified/>",
            Self::Members => "<d:getetag/><d:resourcetype/><d:getcontenttype/>",
            Self::Version => "<d:getetag/>",
            Self::Ctag => "<s:getctag/>",
        }
    }
}

/// `PROPFIND` (RFC 4918 §9.1).
pub(super) fn propfind(url: Url, depth: Depth, ask: PropfindQuery) -> OutgoingRequest {
    let body = format!(
        concat!(
            "{}<d:propfind xmlns:d=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\"",
            " xmlns:s=\"http://calendarserver.org/ns/\" xmlns:a=\"http://apple.com/ns/ical/\">",
            "<d:prop>{}</d:prop></d:propfind>"
        ),
        PROLOGUE,
        ask.properties()
    );
    xml("PROPFIND", url, depth, body)
}

/// `sync-collection` (RFC 6578 §3.2): `Depth: 0`, level 1, versions only. An empty token asks for everything. `limit`: see above.
pub(super) fn sync_collection(url: Url, token: &str, limit: Option<usize>) -> OutgoingRequest {
    let limit = limit.map(|rows| format!("<d:limit><d:nresults>{rows}</d:nresults></d:limit>")).unwrap_or_default();
    let body = format!(
        concat!(
            "{}<d:sync-collection xmlns:d=\"DAV:\"><d:sync-token>{}</d:sync-token><d:sync-level>1</d:sync-level>",
            "{}<d:prop><d:getetag/></d:prop></d:sync-collection>"
        ),
        PROLOGUE,
        escape(token),
        limit
    );
    xml("REPORT", url, Depth::Zero, body)
}

/// `calendar-multiget` (RFC 4791 §7.9). Its `Depth` is to be ignored; some servers want 1.
pub(super) fn multiget<'a>(url: Url, hrefs: impl Iterator<Item = &'a str>) -> OutgoingRequest {
    let mut body = format!(
        concat!(
            "{}<c:calendar-multiget xmlns:d=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\">",
            "<d:prop><d:getetag/><c:calendar-data/></d:prop>"
        ),
        PROLOGUE
    );
    for href in hrefs {
        let _ = write!(body, "<d:href>{}</d:href>", escape(href));
    }
    body.push_str("</c:calendar-multiget>");
    xml("REPORT", url, Depth::One, body)
}

/// `calendar-query` for one `UID` (RFC 4791 §7.8.6). The match may be by substring: the caller compares again.
pub(super) fn query_uid(url: Url, uid: &Uid) -> OutgoingRequest {
    let body = format!(
        concat!(
            "{}<c:calendar-query xmlns:d=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\">",
            "<d:prop><d:getetag/><c:calendar-data/></d:prop><c:filter><c:comp-filter name=\"VCALENDAR\">",
            "<c:comp-filter name=\"VEVENT\"><c:prop-filter name=\"UID\">",
            "<c:text-match collation=\"i;octet\">{}</c:text-match>",
            "</c:prop-filter></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"
        ),
        PROLOGUE,
        escape(uid.as_str())
    );
    xml("REPORT", url, Depth::One, body)
}

/// `GET`. Unencoded, because proxies that compress also weaken the `ETag`.
pub(super) fn get(url: Url) -> OutgoingRequest {
    plain("GET", url, vec![("Accept", "text/calendar".to_owned()), ("Accept-Encoding", "identity".to_owned())])
}

/// `PUT` of an object that must not be there yet.
pub(super) fn put_new(url: Url, body: Vec<u8>) -> OutgoingRequest {
    put(url, ("If-None-Match", "*".to_owned()), body)
}

/// `PUT` over exactly this version.
pub(super) fn put_over(url: Url, version: &Etag, body: Vec<u8>) -> OutgoingRequest {
    put(url, ("If-Match", version.as_str().to_owned()), body)
}

/// `DELETE` of exactly this version, without notifying an organizer (RFC 6638 §8.1).
pub(super) fn delete(url: Url, version: &Etag) -> OutgoingRequest {
    let headers = vec![("If-Match", version.as_str().to_owned()), ("Schedule-Reply", "F".to_owned())];
    OutgoingRequest { writes: true, ..plain("DELETE", url, headers) }
}

fn put(url: Url, condition: (&'static str, String), body: Vec<u8>) -> OutgoingRequest {
    let headers = vec![("Content-Type", ICALENDAR.to_owned()), condition];
    OutgoingRequest { body: Bytes::from(body), writes: true, ..plain("PUT", url, headers) }
}

fn xml(method: &'static str, url: Url, depth: Depth, body: String) -> OutgoingRequest {
    let depth = match depth {
        Depth::Zero => "0",
        Depth::One => "1",
    };
    let headers = vec![("Content-Type", XML.to_owned()), ("Depth", depth.to_owned())];
    OutgoingRequest { body: Bytes::from(body), ..plain(method, url, headers) }
}

fn plain(method: &'static str, url: Url, headers: Vec<(&'static str, String)>) -> OutgoingRequest {
    OutgoingRequest { headers, ..OutgoingRequest::new(method, url) }
}
