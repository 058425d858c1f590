//! What an event's lines of time say to the letter (RFC 5545 §3.6.1, §3.8.2.2): nothing is repaired here.
//!
//! [`repair`](super::repair) finds an end whatever a text says, so it must not judge what is written: a `DTEND` before its
//! `DTSTART` reads there as if it were right.

use chrono_tz::Tz;

use super::{
    line::ContentLine,
    value::{self, IcalDuration, UnzonedTime},
    zone::{self, Zones},
};
use crate::domain::time::{EventTime, Zone};

/// The lines that say when an event is.
#[derive(Clone, Copy, Default)]
pub(super) struct TimeLines<'l, 'd> {
    pub start: Option<&'l ContentLine<'d>>,
    pub end: Option<&'l ContentLine<'d>>,
    pub duration: Option<&'l ContentLine<'d>>,
}

impl TimeLines<'_, '_> {
    /// The end that the lines give for a start; `None`: none that the RFC allows.
    pub fn end_for(&self, start: &EventTime, zones: &mut Zones<'_>) -> Option<EventTime> {
        match (self.end, self.duration) {
            (Some(line), None) => time(line, zones).filter(|end| follows(start, end)),
            (None, Some(line)) => {
                let span = value::span(line.value()).filter(|span| span.total_s() > 0)?;
                if start.is_all_day() && span.seconds > 0 { None } else { span.after(start) }
            }
            (None, None) if start.is_all_day() => IcalDuration { days: 1, seconds: 0 }.after(start),
            (None, None) => Some(*start),
            (Some(_), Some(_)) => None,
        }
    }

    /// Whether start and end are what the RFC allows.
    pub fn are_right(&self, zones: &mut Zones<'_>) -> bool {
        self.start.and_then(|line| time(line, zones)).is_some_and(|start| self.end_for(&start, zones).is_some())
    }
}

/// Whether an end may be written as a `DTEND`: it must be later than the start.
pub(super) fn is_later(start: &EventTime, end: &EventTime) -> bool {
    end.instant(Tz::UTC) > start.instant(Tz::UTC)
}

/// Whether a `DTEND` may stand beside a `DTSTART`: of the same type, floating like it or not, and later.
fn follows(start: &EventTime, end: &EventTime) -> bool {
    let floats = |time: &EventTime| time.zone() == Zone::Floating;
    start.is_all_day() == end.is_all_day() && floats(start) == floats(end) && is_later(start, end)
}

/// A time whose spelling and `VALUE` agree.
fn time(line: &ContentLine<'_>, zones: &mut Zones<'_>) -> Option<EventTime> {
    let stamp = value::stamp(line.value())?;
    let (length, is_date) = match stamp {
        UnzonedTime::Date(_) => ("20260301".len(), true),
        UnzonedTime::Local(_) => ("20260301T090000".len(), false),
        UnzonedTime::Utc(_) => ("20260301T090000Z".len(), false),
    };
    let to_the_letter = line.value().len() == length && zone::is_date(line) == is_date;
    to_the_letter.then(|| zones.time(stamp, line.param("TZID").as_deref()))
}
