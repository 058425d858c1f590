//! Between a series' wall clock and instants.
//!
//! Terms. A *wall* is a local time of the series' own zone. A *key* is what an `EXDATE` or a `RECURRENCE-ID` points at: an
//! instant, or a whole day where it is a date (RFC 5545 §3.8.4.4, §3.8.5.1).
//!
//! **Invariant:** two spellings of one moment have one key.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::domain::event::Facts;
use crate::domain::time::{EventTime, Zone};

use super::rule::RuleRefused;
use super::walk::YEAR_LAST;

/// Where a series starts, and what a floating time of it means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub start: EventTime,
    pub floating_in: Tz,
}

/// What an `EXDATE` or a `RECURRENCE-ID` points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceKey {
    Moment(DateTime<Utc>),
    Day(NaiveDate),
}

/// How long each occurrence lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// All day: nominal, so that a clock change inside does not matter.
    Days(i64),
    /// Exact, as RFC 5545 §3.8.5.3 asks of an event that has `DTEND`.
    Exact(Duration),
}

/// Whether a time is inside the years that are computed with; outside of them arithmetic could overflow.
pub(crate) fn is_computable(time: &EventTime) -> bool {
    (1..=YEAR_LAST).contains(&time.wall().year())
}

impl Frame {
    pub(crate) fn new(start: EventTime, floating_in: Tz) -> Result<Self, RuleRefused> {
        if is_computable(&start) {
            return Ok(Self { start, floating_in });
        }
        Err(RuleRefused { part: "DTSTART", why: "is not in the years 1 to 9999" })
    }

    pub(crate) fn is_all_day(&self) -> bool {
        self.start.is_all_day()
    }

    pub(crate) fn at(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        self.start.with_wall(wall).instant(self.floating_in)
    }

    pub(crate) fn wall(&self, at: DateTime<Utc>) -> NaiveDateTime {
        wall_in(self.start.zone(), at, self.floating_in)
    }

    /// A wall that none of those at or after an instant comes before. Where clocks just went forward, a wall in the gap is
    /// an earlier wall of a later instant.
    pub(crate) fn wall_before(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let wall = self.wall(at);
        wall.checked_sub_signed(self.clock_change(at).max(Duration::zero())).unwrap_or(wall)
    }

    /// A wall that none of those before an instant comes after. Where clocks just went back, a wall of the hour that is
    /// repeated is a later wall of an earlier instant.
    pub(crate) fn wall_after(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let wall = self.wall(at);
        wall.checked_sub_signed(self.clock_change(at).min(Duration::zero())).unwrap_or(wall)
    }

    /// Whether a wall does not exist, and shares its instant with a later one.
    pub(crate) fn is_in_gap(&self, wall: NaiveDateTime, at: DateTime<Utc>) -> bool {
        !self.is_all_day() && self.wall(at) != wall
    }

    /// How far clocks were put forward in the day up to an instant; no zone ever skipped or repeated more than a day.
    fn clock_change(&self, at: DateTime<Utc>) -> Duration {
        let day = Duration::days(1);
        at.checked_sub_signed(day).map_or(Duration::zero(), |before| self.wall(at) - self.wall(before) - day)
    }

    /// The wall that another spelling of a time means in this series.
    pub(crate) fn wall_of(&self, time: &EventTime) -> NaiveDateTime {
        match time {
            _ if !is_computable(time) => time.wall(),
            _ if self.is_all_day() => time.wall().date().and_time(chrono::NaiveTime::MIN),
            EventTime::Date(day) => day.and_time(self.start.wall().time()),
            EventTime::DateTime { local, zone } if *zone == self.start.zone() || *zone == Zone::Floating => *local,
            EventTime::DateTime { .. } => self.wall(time.instant(self.floating_in)),
        }
    }

    pub(crate) fn key(&self, time: &EventTime) -> InstanceKey {
        match time {
            _ if self.is_all_day() || !is_computable(time) => InstanceKey::Day(time.wall().date()),
            EventTime::Date(day) => InstanceKey::Day(*day),
            // A floating time beside a zoned series is read in the series' zone.
            EventTime::DateTime { local, zone: Zone::Floating } => InstanceKey::Moment(self.at(*local)),
            EventTime::DateTime { .. } => InstanceKey::Moment(time.instant(self.floating_in)),
        }
    }

    pub(crate) fn length(&self, facts: &Facts) -> Length {
        if self.is_all_day() {
            // A DTEND on the day of DTSTART is met in feeds and means that one day.
            return Length::Days((facts.end.wall().date() - facts.start.wall().date()).num_days().max(1));
        }
        if !is_computable(&facts.end) {
            return Length::Exact(Duration::zero());
        }
        let exact = facts.end.instant(self.floating_in) - facts.start.instant(self.floating_in);
        Length::Exact(exact.max(Duration::zero()))
    }

    /// The end of an occurrence that starts at `wall`, expressed in the zone of the master's end.
    pub(crate) fn end(&self, wall: NaiveDateTime, length: Length, like: &EventTime) -> (EventTime, DateTime<Utc>) {
        match length {
            Length::Days(days) => {
                let end = Duration::try_days(days).and_then(|days| wall.checked_add_signed(days)).unwrap_or(wall);
                (EventTime::Date(end.date()), self.at(end))
            }
            Length::Exact(exact) => {
                let at = self.at(wall);
                let end = at.checked_add_signed(exact).unwrap_or(at);
                let like = if like.is_all_day() { &self.start } else { like };
                (like.with_wall(wall_in(like.zone(), end, self.floating_in)), end)
            }
        }
    }
}

fn wall_in(zone: Zone, at: DateTime<Utc>, floating_in: Tz) -> NaiveDateTime {
    match zone {
        Zone::Utc => at.naive_utc(),
        Zone::Named(tz) => at.with_timezone(&tz).naive_local(),
        Zone::Fixed(east) => {
            at.naive_utc().checked_add_signed(Duration::seconds(i64::from(east))).unwrap_or(at.naive_utc())
        }
        Zone::Floating => at.with_timezone(&floating_in).naive_local(),
    }
}

/// A set of keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    moments: BTreeSet<DateTime<Utc>>,
    days: BTreeSet<NaiveDate>,
}

impl Keys {
    pub(crate) fn new<'a>(frame: &Frame, times: impl Iterator<Item = &'a EventTime>) -> Self {
        let mut keys = Self::default();
        for time in times.filter(|time| is_computable(time)) {
            match frame.key(time) {
                InstanceKey::Moment(at) => keys.moments.insert(at),
                InstanceKey::Day(day) => keys.days.insert(day),
            };
        }
        keys
    }

    pub(crate) fn covers(&self, wall: NaiveDateTime, at: DateTime<Utc>) -> bool {
        self.days.contains(&wall.date()) || self.moments.contains(&at)
    }
}
