//! Dates, wall times and zones of events (RFC 5545 §3.3.4, §3.3.5), and their instants.
//!
//! **Invariant:** an all-day date never becomes an instant in storage, and a zoned local time keeps its wall
//! time when a zone's rules change (I-9): instants are derived, never kept.

use std::{fmt, str::FromStr};

use chrono::{
    DateTime, Datelike as _, Duration, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// What a wall time is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Zone {
    /// `…Z`
    Utc,
    /// An IANA zone.
    Named(Tz),
    /// A fixed offset east of UTC, in seconds: the last resort for a custom `VTIMEZONE`.
    Fixed(i32),
    /// No zone at all: the same wall time wherever the reader is. Not UTC.
    Floating,
}

/// A zone's name that names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IANA time zone, `UTC` or an offset such as `+02:00`")]
pub struct UnknownZone(pub String);

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.eq_ignore_ascii_case("utc") || name == "Z" {
            return Ok(Self::Utc);
        }
        if name.starts_with(['+', '-']) {
            return FixedOffset::from_str(name)
                .map(|offset| Self::Fixed(offset.local_minus_utc()))
                .map_err(|_| UnknownZone(name.to_owned()));
        }
        Tz::from_str_insensitive(name).map(Self::Named).map_err(|_| UnknownZone(name.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Named(tz) => f.write_str(tz.name()),
            Self::Fixed(seconds) => match FixedOffset::east_opt(*seconds) {
                Some(offset) => offset.fmt(f),
                None => f.write_str("+00:00"),
            },
            Self::Floating => Ok(()),
        }
    }
}

/// When an event starts or ends: a date (all day) or a wall time with its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "WireTime", into = "WireTime")]
pub enum EventTime {
    /// All day; an end date is exclusive.
    Date(NaiveDate),
    /// A wall time, to the second.
    DateTime {
        /// The wall time.
        local: NaiveDateTime,
        /// What it is measured against.
        zone: Zone,
    },
}

impl EventTime {
    /// A time in UTC.
    #[must_use]
    pub fn utc(at: DateTime<Utc>) -> Self {
        Self::DateTime { local: at.naive_utc(), zone: Zone::Utc }
    }

    /// A wall time in an IANA zone.
    #[must_use]
    pub fn zoned(local: NaiveDateTime, tz: Tz) -> Self {
        Self::DateTime { local, zone: Zone::Named(tz) }
    }

    /// Whether this is a date without a time.
    #[must_use]
    pub fn is_all_day(&self) -> bool {
        matches!(self, Self::Date(_))
    }

    /// The wall time; midnight for a date.
    #[must_use]
    pub fn wall(&self) -> NaiveDateTime {
        match self {
            Self::Date(day) => day.and_time(chrono::NaiveTime::MIN),
            Self::DateTime { local, .. } => *local,
        }
    }

    /// The zone; a date floats.
    #[must_use]
    pub fn zone(&self) -> Zone {
        match self {
            Self::Date(_) => Zone::Floating,
            Self::DateTime { zone, .. } => *zone,
        }
    }

    /// The same kind of time (date or zone) at another wall time.
    #[must_use]
    pub fn with_wall(&self, wall: NaiveDateTime) -> Self {
        match self {
            Self::Date(_) => Self::Date(wall.date()),
            Self::DateTime { zone, .. } => Self::DateTime { local: wall, zone: *zone },
        }
    }

    /// The instant, dates and floating times read in `floating_in` (the calendar's zone, then the user's).
    #[must_use]
    pub fn instant(&self, floating_in: Tz) -> DateTime<Utc> {
        match self.zone() {
            Zone::Utc => self.wall().and_utc(),
            Zone::Named(tz) => resolve_wall(self.wall(), tz),
            Zone::Fixed(seconds) => earlier(self.wall(), seconds).and_utc(),
            Zone::Floating => resolve_wall(self.wall(), floating_in),
        }
    }
}

/// The years that are accepted, from callers and from calendars: beyond them no calendar format goes, and arithmetic could
/// overflow.
pub const YEARS: std::ops::RangeInclusive<i32> = 1..=9_999;

/// What is said of a time outside [`YEARS`].
pub const YEARS_WORDS: &str = "a time in the years 1 to 9999";

/// Whether an instant is in [`YEARS`].
#[must_use]
pub fn is_in_years(at: DateTime<Utc>) -> bool {
    YEARS.contains(&at.year())
}

/// The instant of a wall time in a zone: the first of two in an overlap; in a gap, the offset before the gap
/// (RFC 5545 §3.3.5).
#[must_use]
pub fn resolve_wall(wall: NaiveDateTime, tz: Tz) -> DateTime<Utc> {
    match tz.from_local_datetime(&wall) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
        LocalResult::None => {
            // No gap in the database is longer than a day, so the offset a day earlier is the one before the gap.
            let day_before = wall.checked_sub_signed(Duration::days(1)).unwrap_or(wall);
            let offset = tz.offset_from_utc_datetime(&day_before).fix();
            earlier(wall, offset.local_minus_utc()).and_utc()
        }
    }
}

/// So many seconds earlier; at the end of what can be computed, the same.
fn earlier(wall: NaiveDateTime, seconds: i32) -> NaiveDateTime {
    wall.checked_sub_signed(Duration::seconds(i64::from(seconds))).unwrap_or(wall)
}

/// A half-open span of instants: `from` is in it, `to` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// First instant inside.
    pub from: DateTime<Utc>,
    /// First instant after.
    pub to: DateTime<Utc>,
}

impl Window {
    /// The part of it that is in [`YEARS`].
    #[must_use]
    pub fn within_years(self) -> Self {
        let (first, end) = (-62_135_596_800, 253_402_300_800);
        let edge = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::UNIX_EPOCH);
        let (first, end) = (edge(first), edge(end));
        Self { from: self.from.clamp(first, end), to: self.to.clamp(first, end) }
    }

    /// Whether a span shares an instant with this window; a span without length counts at its start.
    #[must_use]
    pub fn touches(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        start < self.to && (end > self.from || (end <= start && start >= self.from))
    }

    /// Whether two spans share an instant; one without length shares none.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from.max(other.from) < self.to.min(other.to)
    }

    /// Elapsed time from first to last, never negative.
    #[must_use]
    pub fn length(&self) -> Duration {
        (self.to - self.from).max(Duration::zero())
    }
}

/// The JSON form: `{"date"}` or `{"date_time","time_zone"}`; a floating time has no `time_zone`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum WireTime {
    Date {
        date: NaiveDate,
    },
    DateTime {
        date_time: String,
        #[serde(default)]
        time_zone: Option<String>,
    },
}

impl From<EventTime> for WireTime {
    fn from(time: EventTime) -> Self {
        match time {
            EventTime::Date(date) => Self::Date { date },
            EventTime::DateTime { local, zone } => {
                let wall = local.format("%Y-%m-%dT%H:%M:%S");
                let date_time = if zone == Zone::Utc { format!("{wall}Z") } else { wall.to_string() };
                Self::DateTime { date_time, time_zone: (zone != Zone::Floating).then(|| zone.to_string()) }
            }
        }
    }
}

impl TryFrom<WireTime> for EventTime {
    type Error = String;

    fn try_from(wire: WireTime) -> Result<Self, Self::Error> {
        match wire {
            WireTime::Date { date } => Ok(Self::Date(date)),
            WireTime::DateTime { date_time, time_zone } => Self::parse(&date_time, time_zone.as_deref()),
        }
    }
}

impl EventTime {
    /// Reads `2026-03-29T10:00:00` (a wall time in `time_zone`, floating without one) or the same with `Z` or an
    /// offset (an instant, then expressed in `time_zone` when that is given).
    ///
    /// # Errors
    /// Says which part is not a time or not a zone.
    pub fn parse(date_time: &str, time_zone: Option<&str>) -> Result<Self, String> {
        let zone = time_zone.filter(|name| !name.is_empty()).map(Zone::from_str).transpose();
        let zone = zone.map_err(|unknown| format!("time_zone: {unknown}"))?;
        if let Ok(at) = DateTime::parse_from_rfc3339(date_time) {
            let (local, zone) = match zone {
                None if at.offset().local_minus_utc() == 0 => (at.naive_utc(), Zone::Utc),
                None => (at.naive_local(), Zone::Fixed(at.offset().local_minus_utc())),
                Some(Zone::Named(tz)) => (at.with_timezone(&tz).naive_local(), Zone::Named(tz)),
                Some(Zone::Fixed(s)) => (at.naive_utc() + Duration::seconds(i64::from(s)), Zone::Fixed(s)),
                Some(Zone::Utc | Zone::Floating) => (at.naive_utc(), Zone::Utc),
            };
            return Ok(Self::DateTime { local: whole_seconds(local), zone });
        }
        let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(date_time, form).ok())
            .ok_or_else(|| format!("date_time: `{date_time}` is not a time such as 2026-03-29T10:00:00"))?;
        Ok(Self::DateTime { local: whole_seconds(local), zone: zone.unwrap_or(Zone::Floating) })
    }
}

/// iCalendar has no fractions of a second, so none are kept.
fn whole_seconds(at: NaiveDateTime) -> NaiveDateTime {
    use chrono::Timelike;
    at.with_nanosecond(0).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> NaiveDateTime {
        text.parse().expect("a wall time")
    }

    #[test]
    fn a_time_in_a_gap_takes_the_offset_before_it() {
        let at = resolve_wall(wall("2026-03-29T02:30:00"), Tz::Europe__Paris);
        assert_eq!(at.to_rfc3339(), "2026-03-29T01:30:00+00:00");
    }

    #[test]
    fn a_time_in_an_overlap_is_the_first_of_the_two() {
        let at = resolve_wall(wall("2026-10-25T02:30:00"), Tz::Europe__Paris);
        assert_eq!(at.to_rfc3339(), "2026-10-25T00:30:00+00:00");
    }

    #[test]
    fn every_form_of_time_survives_its_json() {
        for json in [
            r#"{"date":"2026-03-29"}"#,
            r#"{"date_time":"2026-03-29T10:00:00","time_zone":"Europe/Paris"}"#,
            r#"{"date_time":"2026-03-29T10:00:00Z","time_zone":"UTC"}"#,
            r#"{"date_time":"2026-03-29T10:00:00","time_zone":null}"#,
            r#"{"date_time":"2026-03-29T10:00:00","time_zone":"+02:00"}"#,
        ] {
            let time: EventTime = serde_json::from_str(json).expect(json);
            assert_eq!(serde_json::to_string(&time).expect("json"), json);
        }
    }

    #[test]
    fn an_instant_is_expressed_in_the_zone_that_was_asked() {
        let time = EventTime::parse("2026-07-01T08:00:00Z", Some("Europe/Paris")).expect("a time");
        assert_eq!(time, EventTime::zoned(wall("2026-07-01T10:00:00"), Tz::Europe__Paris));
    }

    #[test]
    fn a_wrong_zone_is_named() {
        let why = EventTime::parse("2026-07-01T08:00:00", Some("Mars/Olympus")).expect_err("refused");
        assert!(why.contains("Mars/Olympus"), "{why}");
    }
}
