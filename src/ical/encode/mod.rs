//! Content to text.

mod edit;
mod rename;
mod vevent;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime, Utc};

pub use edit::edit;
pub use rename::rename;

use super::{canonical, vtimezone, zone};
use crate::domain::{
    event::EventContent,
    ids::Uid,
    time::{EventTime, Zone},
};

/// What made the text (RFC 5545 §3.7.3); our own feeds are known by it.
pub const PRODID: &str = "-//Calwarden//Calwarden//EN";

/// Writes one CalDAV object: lines of at most 75 octets ended by CRLF, a `VTIMEZONE` for each named zone, `DTEND` always.
#[must_use]
pub fn create(uid: &Uid, content: &EventContent, stamp: DateTime<Utc>) -> Vec<u8> {
    let content = canonical::canonical(content);
    let mut out = Vec::with_capacity(1024);
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0", &format!("PRODID:{PRODID}"), "CALSCALE:GREGORIAN"] {
        super::text::fold(line, CRLF, &mut out);
    }
    let years = years(&content);
    for tzid in zones(&content) {
        if let Some(zone) = zone::resolve(&tzid) {
            vtimezone::write(zone, years, CRLF, &mut out);
        }
    }
    let author = vevent::Author { uid, stamp, line_break: CRLF };
    match content.detached_from {
        Some(first) => author.write(&content.facts, None, Some(&first), &mut out),
        None => author.write(&content.facts, Some(&content.recurrence), None, &mut out),
    }
    for over in &content.overrides {
        author.write(&over.facts, None, Some(&over.recurrence_id), &mut out);
    }
    super::text::fold("END:VCALENDAR", CRLF, &mut out);
    out
}

const CRLF: &str = "\r\n";

/// Every time that is written for a content.
fn times(content: &EventContent) -> impl Iterator<Item = EventTime> {
    let facts = std::iter::once(&content.facts).chain(content.overrides.iter().map(|over| &over.facts));
    let recurrence = &content.recurrence;
    let added = recurrence.added.iter().flat_map(|date| std::iter::once(date.start).chain(date.end));
    facts
        .flat_map(|facts| [facts.start, facts.end])
        .chain(added)
        .chain(recurrence.excluded.iter().copied())
        .chain(content.overrides.iter().map(|over| over.recurrence_id))
        .chain(content.detached_from)
}

/// The `TZID`s that a content needs.
fn zones(content: &EventContent) -> BTreeSet<String> {
    times(content).filter_map(|time| zone::tzid(time.zone())).collect()
}

/// The years that the zones of a content must be right for.
fn years(content: &EventContent) -> (i32, i32) {
    let zoned = times(content).filter(|time| matches!(time.zone(), Zone::Named(_)));
    let walls: Vec<NaiveDateTime> = zoned.map(|time| time.wall()).collect();
    vtimezone::years_of(walls.into_iter(), !content.recurrence.rules.is_empty())
}

#[cfg(test)]
mod tests;
