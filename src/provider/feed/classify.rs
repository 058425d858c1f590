//! What an answer to the one request means.
//!
//! **Invariant:** `Whole` is a calendar that was read from its first to its last line; nothing less may delete.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::bookmark::Bookmark;
use crate::{
    domain::failure::FailureClass,
    ical,
    provider::{ProviderError, Result},
    transport::{Response, retry_after},
};

/// Shortest and longest time between polls that a publisher may ask for, in seconds.
const INTERVAL_S: std::ops::RangeInclusive<u32> = 900..=86_400;

/// Longest calendar name kept, in characters.
const NAME_CHARS_MAX: usize = 200;

/// A good answer.
pub(super) enum FeedAnswer {
    /// 304: as it was when the bookmark was made.
    Unchanged,
    /// A calendar.
    Whole(Box<WholeFeed>),
}

/// A calendar as published, and what the answer's header says of it.
pub(super) struct WholeFeed {
    /// The calendar.
    pub(super) feed: ical::FeedSnapshot,
    /// `ETag`.
    pub(super) etag: Option<String>,
    /// `Last-Modified`.
    pub(super) last_modified: Option<String>,
    /// Seconds between polls: `REFRESH-INTERVAL`, else `max-age`, within bounds.
    pub(super) interval_s: Option<u32>,
}

impl WholeFeed {
    /// The calendar's name, bounded.
    pub(super) fn name(&self) -> Option<String> {
        self.feed.name.as_ref().map(|name| name.chars().take(NAME_CHARS_MAX).collect())
    }

    /// IANA name of the zone of its floating times.
    pub(super) fn time_zone(&self) -> Option<String> {
        self.feed.time_zone.map(|tz| tz.name().to_owned())
    }
}

/// Reads an answer; `conditional`: it was asked for changes only, so 304 makes sense.
pub(super) fn read(response: &Response, conditional: bool) -> Result<FeedAnswer> {
    match response.status {
        200 => whole(response).map(Box::new).map(FeedAnswer::Whole),
        304 if conditional => Ok(FeedAnswer::Unchanged),
        status => Err(failed(status, response)),
    }
}

fn failed(status: u16, response: &Response) -> ProviderError {
    let (class, why) = match status {
        401 => (FailureClass::Unauthorised, "the publisher refuses access; its owner may have made a new address"),
        403 => (FailureClass::Forbidden, "the publisher forbids access to this address"),
        404 => (FailureClass::Gone, "there is no calendar at this address any more"),
        410 => (FailureClass::Gone, "the publisher has taken this calendar down for good"),
        429 => (FailureClass::RateLimited, "the publisher is asked too often"),
        408 | 425 | 500..=599 => (FailureClass::Transient, "the publisher cannot answer now"),
        400..=499 => (FailureClass::Refused, "the publisher does not accept the request"),
        _ => (FailureClass::Malformed, "the address answers with neither a calendar nor an error"),
    };
    // A date is measured by the publisher's own clock, which is the one that it was written by.
    let sent_at = response.header("date").and_then(http_date).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let wait = response.header("retry-after").and_then(|text| retry_after(text, sent_at));
    ProviderError::new(class, format!("{why} (HTTP {status})")).retry_after(wait.filter(|wait| *wait > Duration::ZERO))
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|at| at.with_timezone(&Utc))
}

fn whole(response: &Response) -> Result<WholeFeed> {
    let announced = response.header("content-length").and_then(|text| text.trim().parse::<usize>().ok());
    if announced.is_some_and(|length| length != response.body.len()) {
        return Err(malformed("the answer is not as long as it says: it was cut off on the way"));
    }
    looks_like_a_calendar(&response.body)?;
    let feed = ical::decode::feed(&response.body, &ical::TextLimits::default())
        .map_err(|why| malformed(&format!("the calendar at the address cannot be read: {why}")))?;
    let asked = feed.interval_s.or_else(|| response.header("cache-control").and_then(max_age));
    Ok(WholeFeed {
        interval_s: asked.map(|seconds| seconds.clamp(*INTERVAL_S.start(), *INTERVAL_S.end())),
        etag: Bookmark::validator(response.header("etag")),
        last_modified: Bookmark::validator(response.header("last-modified")),
        feed,
    })
}

/// Decides by the first line, for `Content-Type` is often wrong.
fn looks_like_a_calendar(body: &[u8]) -> Result<()> {
    const FIRST: &[u8] = b"BEGIN:VCALENDAR";
    let mut text = body;
    while let Some(rest) = text.strip_prefix(b"\xef\xbb\xbf").or_else(|| match text {
        [first, rest @ ..] if first.is_ascii_whitespace() => Some(rest),
        _ => None,
    }) {
        text = rest;
    }
    match text.first() {
        None => Err(malformed("the address answers with nothing, not with a calendar")),
        Some(b'<') => Err(malformed("the address answers with a web page, not a calendar")),
        Some(b'{' | b'[') => Err(malformed("the address answers with JSON, not a calendar")),
        Some(_) if text.get(..FIRST.len()).is_some_and(|start| start.eq_ignore_ascii_case(FIRST)) => Ok(()),
        Some(_) => Err(malformed("the address answers with something that is not a calendar")),
    }
}

/// `Cache-Control: max-age` (RFC 9111 §5.2.2.1), unless the answer is not to be kept at all.
fn max_age(text: &str) -> Option<u32> {
    let words = || text.split(',').map(|word| word.trim().to_ascii_lowercase());
    if words().any(|word| word == "no-store" || word == "no-cache") {
        return None;
    }
    let seconds = words().find_map(|word| word.strip_prefix("max-age=")?.trim_matches('"').parse::<u32>().ok())?;
    (seconds > 0).then_some(seconds)
}

fn malformed(why: &str) -> ProviderError {
    ProviderError::new(FailureClass::Malformed, why)
}
