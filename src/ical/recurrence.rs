//! `RRULE`, `EXRULE`, `RDATE`, `EXDATE` to and from [`Recurrence`] (RFC 5545 §3.8.5).
//!
//! - **aligned**: a time in the form of the series' own starts: a date for dates, else a wall time in the series' zone.
//!
//! **Invariant:** aligned times compare equal exactly when they mean the same occurrence.

use chrono::{Datelike, TimeZone};
use chrono_tz::Tz;
use icalendar::Property;

use super::{
    TextLimits, TextRefused,
    line::ContentLine,
    property,
    rule::{self, Rigour},
    value::{self, UnzonedTime},
    zone::{self, Zones},
};
use crate::domain::{
    event::{AddedDate, EventContent, Recurrence},
    time::{EventTime, Zone},
};

/// Times on one line: the longest line stays well under the limit of a reader.
const TIMES_PER_LINE: usize = 200;
/// Lines a caller may send.
const LINES_MAX: usize = 1_000;

/// A time of a series in the form of `start`: for a timed series a date is that day's occurrence, an instant takes the series'
/// zone, a floating time takes it too; a floating or all-day series takes the wall time as it stands.
pub(super) fn align(time: EventTime, start: &EventTime) -> EventTime {
    let aligned = match (start, time) {
        (EventTime::Date(_), _) => EventTime::Date(time.wall().date()),
        (EventTime::DateTime { local, .. }, EventTime::Date(day)) => start.with_wall(day.and_time(local.time())),
        (EventTime::DateTime { zone: to, .. }, EventTime::DateTime { local, zone: from }) => {
            if from == *to || from == Zone::Floating {
                start.with_wall(local)
            } else {
                let at = time.instant(Tz::UTC).naive_utc();
                match to {
                    Zone::Utc => start.with_wall(at),
                    Zone::Named(tz) => start.with_wall(tz.from_utc_datetime(&at).naive_local()),
                    Zone::Fixed(seconds) => start.with_wall(at + chrono::Duration::seconds(i64::from(*seconds))),
                    Zone::Floating => start.with_wall(local),
                }
            }
        }
    };
    if (1..=9999).contains(&aligned.wall().year()) { aligned } else { time }
}

/// An added date aligned with its series; an end that does not follow the start is none.
pub(super) fn align_added(added: AddedDate, start: &EventTime) -> AddedDate {
    let from = align(added.start, start);
    let to = added.end.map(|end| align(end, start));
    let follows = |to: &EventTime| !from.is_all_day() && to.instant(Tz::UTC) > from.instant(Tz::UTC);
    AddedDate { start: from, end: to.filter(follows) }
}

/// Reads recurrence properties one by one.
pub(super) struct RecurrenceReader<'r, 'd> {
    pub zones: &'r mut Zones<'d>,
    pub start: &'r EventTime,
    /// The key of the name of the series' own zone when only its `VTIMEZONE` explains it: such times compare as wall times.
    pub own_zone: Option<&'r str>,
    pub dates_max: usize,
    pub rigour: Rigour,
    pub read: Recurrence,
}

impl RecurrenceReader<'_, '_> {
    /// Takes one line.
    ///
    /// # Errors
    /// Names the property and what is wrong with it.
    pub fn take(&mut self, line: &ContentLine<'_>) -> Result<(), TextRefused> {
        let name = line.name().to_ascii_uppercase();
        if line.cut {
            return Err(super::line_too_long(&name, &TextLimits::default()));
        }
        match name.as_str() {
            "RRULE" | "EXRULE" => {
                let tidied = rule::tidy(line.value());
                rule::check(&tidied, self.rigour).map_err(|why| TextRefused::because(format!("{name}: {why}")))?;
                let rules = if name == "RRULE" { &mut self.read.rules } else { &mut self.read.excluded_rules };
                rules.push(tidied);
            }
            "RDATE" => {
                let tzid = line.param("TZID");
                for item in items(line) {
                    let added = self.added(tzid.as_deref(), item).ok_or_else(|| no_time("RDATE"))?;
                    self.read.added.push(align_added(added, self.start));
                }
            }
            "EXDATE" => {
                let tzid = line.param("TZID");
                for item in items(line) {
                    let time = self.time(tzid.as_deref(), item).ok_or_else(|| no_time("EXDATE"))?;
                    self.read.excluded.push(align(time, self.start));
                }
            }
            _ => return Err(TextRefused::because("neither RRULE, EXRULE, RDATE nor EXDATE")),
        }
        if self.read.added.len() > self.dates_max || self.read.excluded.len() > self.dates_max {
            return Err(TextRefused::because(format!("{name}: more than {} dates", self.dates_max)));
        }
        Ok(())
    }

    fn time(&mut self, tzid: Option<&str>, item: &str) -> Option<EventTime> {
        Some(match (value::stamp(item)?, tzid) {
            (UnzonedTime::Local(local), Some(name)) if self.own_zone.is_some_and(|own| zone::key(name) == own) => {
                self.start.with_wall(local)
            }
            (stamp, tzid) => self.zones.time(stamp, tzid),
        })
    }

    fn added(&mut self, tzid: Option<&str>, item: &str) -> Option<AddedDate> {
        let Some((from, to)) = item.split_once('/') else {
            return self.time(tzid, item).map(|start| AddedDate { start, end: None });
        };
        let start = self.time(tzid, from)?;
        let end = match value::span(to) {
            Some(span) => span.after(&start)?,
            None => self.time(tzid, to)?,
        };
        Some(AddedDate { start, end: Some(end) })
    }
}

fn items<'l>(line: &'l ContentLine<'_>) -> impl Iterator<Item = &'l str> {
    line.value().split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn no_time(name: &str) -> TextRefused {
    TextRefused::because(format!("{name}: a value that is no time"))
}

/// The recurrence of an event as the HTTP API shows it: `RRULE:…`, `RDATE…`, `EXDATE;TZID=…:…`.
#[must_use]
pub fn recurrence_lines(content: &EventContent) -> Vec<String> {
    let properties = properties(&content.recurrence);
    properties.iter().map(|property| property::line(property.key(), &[], property)).collect()
}

/// The properties of a recurrence, in the order that [`recurrence_lines`] lists them.
pub(super) fn properties(recurrence: &Recurrence) -> Vec<Property> {
    let rules = recurrence.rules.iter().map(|rule| Property::new("RRULE", rule));
    let excluded_rules = recurrence.excluded_rules.iter().map(|rule| Property::new("EXRULE", rule));
    let mut all: Vec<_> = rules.chain(excluded_rules).collect();
    all.extend(added(&recurrence.added));
    all.extend(excluded(&recurrence.excluded));
    all
}

/// `EXDATE` properties for these times.
pub(super) fn excluded(times: &[EventTime]) -> Vec<Property> {
    by_zone(times, |time| *time).map(|times| list("EXDATE", times, property::spell)).collect()
}

/// `RDATE` properties for these dates; periods stand apart (RFC 5545 §3.8.5.2).
pub(super) fn added(dates: &[AddedDate]) -> Vec<Property> {
    let (periods, plain): (Vec<AddedDate>, Vec<AddedDate>) = dates.iter().partition(|date| date.end.is_some());
    let plain: Vec<_> = plain.iter().map(|date| date.start).collect();
    let mut all: Vec<_> = by_zone(&plain, |time| *time).map(|times| list("RDATE", times, property::spell)).collect();
    for periods in by_zone(&periods, |period| period.start) {
        let spell = |period: &AddedDate| {
            let end = period.end.map(|end| property::spell(&end)).unwrap_or_default();
            format!("{}/{end}", property::spell(&period.start))
        };
        let values: Vec<_> = periods.iter().map(spell).collect();
        let first = periods.first().map_or(Zone::Floating, |period| period.start.zone());
        let mut property = Property::new("RDATE", values.join(","));
        if let Some(tzid) = zone::tzid(first) {
            property.add_parameter("TZID", &tzid);
        }
        all.push(property.add_parameter("VALUE", "PERIOD").done());
    }
    all
}

fn by_zone<T>(items: &[T], time: impl Fn(&T) -> EventTime) -> impl Iterator<Item = &[T]> {
    let alike = move |a: &T, b: &T| {
        let (a, b) = (time(a), time(b));
        a.is_all_day() == b.is_all_day() && a.zone() == b.zone()
    };
    items.chunk_by(alike).flat_map(|alike| alike.chunks(TIMES_PER_LINE))
}

fn list(name: &str, times: &[EventTime], spell: impl Fn(&EventTime) -> String) -> Property {
    let first = times.first().copied().unwrap_or(EventTime::Date(chrono::NaiveDate::MIN));
    let mut property = Property::new(name, times.iter().map(spell).collect::<Vec<_>>().join(","));
    for param in property::time(name, &first).params().values() {
        property.add_parameter(param.key(), param.value());
    }
    property.done()
}

/// Reads what a caller of the HTTP API sends, strictly.
///
/// # Errors
/// Names the line by its number, the property, and what is wrong with it.
pub fn parse_recurrence_lines(lines: &[String], start: &EventTime) -> Result<Recurrence, TextRefused> {
    if lines.len() > LINES_MAX {
        return Err(TextRefused::because(format!("more than {LINES_MAX} lines")));
    }
    let limits = TextLimits::default();
    let mut zones = Zones::new(&[], &limits);
    let mut reader = RecurrenceReader {
        zones: &mut zones,
        start,
        own_zone: None,
        dates_max: limits.dates_max,
        rigour: Rigour::Standard,
        read: Recurrence::default(),
    };
    for (at, text) in lines.iter().enumerate() {
        let refuse = |why: &str| TextRefused::because(format!("line {}: {why}", at + 1));
        if text.len() > limits.line_bytes_max {
            return Err(refuse(&format!("longer than {} bytes", limits.line_bytes_max)));
        }
        let line = ContentLine::of(text.trim());
        if text.trim().contains(char::is_control) || !line.has_value() {
            return Err(refuse("not a property such as RRULE:FREQ=DAILY on one line"));
        }
        if line.param("TZID").is_some_and(|name| zone::resolve(&name).is_none()) {
            return Err(refuse("TZID is not an IANA time zone"));
        }
        reader.take(&line).map_err(|refused| refuse(&refused.0))?;
    }
    let mut read = reader.read;
    sort(&mut read);
    Ok(read)
}

/// Puts the dates in their one order, without repeats.
pub(super) fn sort(recurrence: &mut Recurrence) {
    recurrence.added.sort_by_cached_key(|date| (key(&date.start), date.end.as_ref().map(key)));
    recurrence.added.dedup();
    recurrence.excluded.sort_by_cached_key(key);
    recurrence.excluded.dedup();
}

/// What times are ordered by.
pub(super) fn key(time: &EventTime) -> (chrono::NaiveDateTime, String, bool) {
    (time.wall(), time.zone().to_string(), time.is_all_day())
}

#[cfg(test)]
mod tests;
