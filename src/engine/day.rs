//! Whose day it is: where a user's dates begin and end as instants.
//!
//! Terms. A *date* here is a date of the user's own clock, from the hour their day begins at ([`DayStart`]). A wall time is
//! *reached* at the first instant at which the clock shows it or a later one.
//!
//! **Invariant:** a date begins once, at the first instant that is in it: where clocks go back over midnight the second
//! midnight is the same day's, and where they jump over it the day begins with the jump. A date that a zone leaves out begins
//! never.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::domain::{
    task::Due,
    time::{EventTime, Window, Zone},
    working_hours::DayStart,
};

/// No zone is, or was, further from UTC than this.
const OFFSET_MAX: TimeDelta = TimeDelta::hours(17);
/// How far apart the offset is looked at; no zone changed it twice in an hour.
const PROBE: TimeDelta = TimeDelta::hours(1);
/// Most dates in a row that a zone left out, with room to spare.
const MISSING_MAX: u32 = 3;
/// Days that one span is split into at most: two years, longer than anybody's clock runs.
const SPLIT_MAX: usize = 732;

/// The days of one user: their zone, and when a day begins in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// The user's zone, whatever zone their calendars are in.
    pub zone: Tz,
    /// When a day begins.
    pub starts_at: DayStart,
}

/// The first instant at which a zone's clock shows `wall` or a later time; none beyond the calendar's end.
///
/// The zone database gives offsets and not when they change, so the changes around are found by looking every hour and
/// halving; between two of them the clock runs evenly.
#[must_use]
pub fn reached(wall: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let (from, to) = (wall.checked_sub_signed(OFFSET_MAX)?, wall.checked_add_signed(OFFSET_MAX)?);
    let mut begin = from;
    while begin < to {
        let (end, offset) = even_run(zone, begin, to);
        let candidate = begin.max(wall.checked_sub_signed(offset)?);
        if candidate < end {
            return Some(candidate.and_utc());
        }
        begin = end;
    }
    None
}

/// The offset at `begin`, and where it changes; `to` when it does not before.
fn even_run(zone: Tz, begin: NaiveDateTime, to: NaiveDateTime) -> (NaiveDateTime, TimeDelta) {
    let offset = east(zone, begin);
    let mut known = begin;
    while known < to {
        let next = known.checked_add_signed(PROBE).unwrap_or(to).min(to);
        if east(zone, next) != offset {
            return (change(zone, known, next, offset), offset);
        }
        known = next;
    }
    (to, offset)
}

/// The first second at which the offset is no longer `offset`: it is at `same` and is not at `other`.
fn change(zone: Tz, mut same: NaiveDateTime, mut other: NaiveDateTime, offset: TimeDelta) -> NaiveDateTime {
    while other - same > TimeDelta::seconds(1) {
        let middle = same + TimeDelta::seconds((other - same).num_seconds() / 2);
        if east(zone, middle) == offset {
            same = middle;
        } else {
            other = middle;
        }
    }
    other
}

fn east(zone: Tz, at: NaiveDateTime) -> TimeDelta {
    TimeDelta::seconds(i64::from(zone.offset_from_utc_datetime(&at).fix().local_minus_utc()))
}

impl Days {
    /// Days that begin at midnight.
    #[must_use]
    pub fn of(zone: Tz) -> Self {
        Self { zone, starts_at: DayStart::MIDNIGHT }
    }

    /// The first instant of a date; none where the zone has no such date.
    #[must_use]
    pub fn start(self, date: NaiveDate) -> Option<DateTime<Utc>> {
        let begin = reached(date.and_time(self.starts_at.time()), self.zone)?;
        (self.wall(begin).date() == date).then_some(begin)
    }

    /// The next date that exists, and its first instant.
    #[must_use]
    pub fn after(self, date: NaiveDate) -> Option<(NaiveDate, DateTime<Utc>)> {
        let mut next = date;
        for _ in 0..=MISSING_MAX {
            next = next.succ_opt()?;
            if let Some(begin) = self.start(next) {
                return Some((next, begin));
            }
        }
        None
    }

    /// The date that an instant is in: the latest that has begun. It never goes back, also where the clock does.
    #[must_use]
    pub fn date(self, at: DateTime<Utc>) -> NaiveDate {
        let shown = self.wall(at).date();
        // After a step back over midnight the clock shows the day before; before the day's hour it shows the day after.
        let mut date = shown.succ_opt().unwrap_or(shown);
        while self.start(date).is_none_or(|begin| begin > at) {
            match date.pred_opt() {
                Some(before) if shown - before <= Duration::days(i64::from(MISSING_MAX)) => date = before,
                _ => return shown,
            }
        }
        date
    }

    /// First instant of a date, and first instant after it.
    #[must_use]
    pub fn span(self, date: NaiveDate) -> Option<Window> {
        Some(Window { from: self.start(date)?, to: self.after(date)?.1 })
    }

    /// A span by date, each part as elapsed time; empty for a span without length.
    #[must_use]
    pub fn split(self, span: Window) -> Vec<(NaiveDate, Duration)> {
        let mut parts = Vec::new();
        let (mut from, mut date) = (span.from, self.date(span.from));
        while from < span.to && parts.len() < SPLIT_MAX {
            let (next, begin) = self.after(date).unwrap_or((date, span.to));
            let to = begin.clamp(from, span.to);
            parts.push((date, to - from));
            (from, date) = (to, next);
        }
        parts
    }

    /// When a deadline is over. A date is due when the next one begins. A wall time in a gap moves forward, one in an
    /// overlap is the earlier (`EventTime::instant`).
    #[must_use]
    pub fn deadline(self, due: &Due) -> DateTime<Utc> {
        match due.at {
            EventTime::Date(date) => self.after(date).map_or(DateTime::<Utc>::MAX_UTC, |(_, begin)| begin),
            time @ EventTime::DateTime { .. } => time.instant(self.zone),
        }
    }

    /// When something that is not to begin before a time may begin. A date that does not exist is the next one.
    #[must_use]
    pub fn release(self, not_before: &EventTime) -> DateTime<Utc> {
        match not_before {
            EventTime::Date(date) => {
                let begin = self.start(*date).or_else(|| self.after(*date).map(|(_, begin)| begin));
                begin.unwrap_or(DateTime::<Utc>::MAX_UTC)
            }
            time @ EventTime::DateTime { .. } => time.instant(self.zone),
        }
    }

    /// What the user's clock shows.
    #[must_use]
    pub fn wall(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }
}

/// Where a span belongs that was stored with the wall time its user saw, now that a zone's rules may be others: the clock
/// stays, the instants move, the length is kept. `None`: nothing has changed.
#[must_use]
pub fn restated(span: Window, wall: NaiveDateTime, zone: Tz) -> Option<Window> {
    // Compared by what the clock shows, so that the second of two equal wall times is not taken for a change of rules.
    if span.from.with_timezone(&zone).naive_local() == wall {
        return None;
    }
    let from = EventTime::DateTime { local: wall, zone: Zone::Named(zone) }.instant(zone);
    (from != span.from).then(|| Window { from, to: from + span.length() })
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::domain::task::Firmness;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn wall(text: &str) -> NaiveDateTime {
        text.parse().expect("a wall time")
    }

    /// Zones with every kind of trouble, and the years it is in.
    const HARD: &[(Tz, i32)] = &[
        (Tz::Europe__Berlin, 2026),
        (Tz::Africa__Cairo, 2026),
        (Tz::America__Havana, 2026),
        (Tz::America__Nuuk, 2026),
        (Tz::Atlantic__Azores, 2026),
        (Tz::Australia__Lord_Howe, 2026),
        (Tz::Africa__Casablanca, 2026),
        (Tz::America__St_Johns, 2010),
        (Tz::Pacific__Apia, 2011),
        (Tz::Pacific__Kwajalein, 1993),
        (Tz::Africa__Monrovia, 1972),
        (Tz::America__Santiago, 2026),
    ];

    #[test]
    fn a_date_begins_at_the_first_minute_whose_clock_shows_it() {
        for (zone, year) in HARD {
            let days = Days::of(*zone);
            let first = NaiveDate::from_ymd_opt(*year, 1, 1).expect("a date");
            let mut minute = first.and_time(chrono::NaiveTime::MIN).and_utc() - Duration::days(2);
            let mut seen = days.wall(minute).date();
            let end = minute + Duration::days(370);
            while minute < end {
                minute += Duration::minutes(1);
                let shown = days.wall(minute).date();
                if shown > seen {
                    let begin = days.start(shown).expect("a date that was seen");
                    let early = minute - begin;
                    assert!(early < Duration::minutes(1) && early >= Duration::zero(), "{zone} {shown}: {begin}");
                    for missing in seen.iter_days().skip(1).take_while(|day| *day < shown) {
                        assert_eq!(days.start(missing), None, "{zone}: {missing} does not exist");
                    }
                    seen = shown;
                }
            }
        }
    }

    #[test]
    fn an_instant_is_in_one_date_and_dates_never_go_back() {
        for (zone, year) in HARD {
            for starts_at in ["00:00", "04:00"] {
                let days = Days { zone: *zone, starts_at: DayStart::try_from(starts_at.to_owned()).expect("a start") };
                let mut now = NaiveDate::from_ymd_opt(*year, 1, 1)
                    .expect("a date")
                    .and_hms_opt(0, 7, 0)
                    .expect("a time")
                    .and_utc();
                let mut last = days.date(now);
                // An odd step, so that every minute of the hour has its turn.
                for _ in 0..366 * 24 / 2 {
                    now += Duration::minutes(119);
                    let date = days.date(now);
                    assert!(date >= last, "{zone} {starts_at} {now}: {date} after {last}");
                    let span = days.span(date).expect("a date that something is in");
                    assert!(span.from <= now && now < span.to, "{zone} {starts_at} {now}: {date} is {span:?}");
                    last = date;
                }
            }
        }
    }

    #[test]
    fn a_day_that_begins_at_four_in_a_place_without_that_date_lasts_until_the_next_four() {
        let days =
            Days { zone: Tz::Pacific__Apia, starts_at: DayStart::try_from("04:00".to_owned()).expect("a start") };
        assert_eq!(days.start(date("2011-12-30")), None);
        assert_eq!(days.span(date("2011-12-29")).expect("it exists").length(), Duration::hours(24));
    }

    #[test]
    fn a_clock_that_goes_back_over_midnight_ends_no_day() {
        // 00:01 became 23:01 of the day before.
        let days = Days::of(Tz::America__St_Johns);
        for (now, shown) in [("02:29:59", 6), ("02:30:30", 7), ("02:31:30", 6), ("03:29:59", 6), ("03:30:00", 7)] {
            let now = at(&format!("2010-11-07T{now}Z"));
            assert_eq!(days.wall(now).date(), date(&format!("2010-11-0{shown}")), "{now}: what the clock shows");
            let begun = now >= at("2010-11-07T02:30:00Z");
            assert_eq!(days.date(now), date(if begun { "2010-11-07" } else { "2010-11-06" }), "{now}");
        }
    }

    #[test]
    fn a_due_date_ends_where_the_next_date_begins_also_without_a_midnight() {
        let due = |day| Due { at: EventTime::Date(date(day)), firmness: Firmness::Hard };
        let cairo = Days::of(Tz::Africa__Cairo);
        assert_eq!(cairo.deadline(&due("2026-04-23")), at("2026-04-23T22:00:00Z"), "01:00 on the clock of the 24th");
        let apia = Days::of(Tz::Pacific__Apia);
        assert_eq!(apia.deadline(&due("2011-12-29")), at("2011-12-30T10:00:00Z"), "the 30th does not exist");
    }

    #[test]
    fn a_due_time_in_a_gap_moves_forward_and_one_in_an_overlap_is_the_earlier() {
        let berlin = Days::of(Tz::Europe__Berlin);
        let due = |text| Due { at: EventTime::zoned(wall(text), Tz::Europe__Berlin), firmness: Firmness::Soft };
        assert_eq!(berlin.deadline(&due("2026-03-29T02:30:00")), at("2026-03-29T01:30:00Z"), "03:30 on the clock");
        assert_eq!(berlin.deadline(&due("2026-10-25T02:30:00")), at("2026-10-25T00:30:00Z"));
    }

    #[test]
    fn a_span_over_midnight_is_split_there_in_elapsed_time() {
        let days = Days::of(Tz::Europe__Berlin);
        let span = Window { from: at("2026-10-24T21:00:00Z"), to: at("2026-10-25T23:30:00Z") };
        let parts: Vec<_> =
            days.split(span).into_iter().map(|(day, part)| (day.to_string(), part.num_minutes())).collect();
        let expected = [("2026-10-24", 60), ("2026-10-25", 25 * 60), ("2026-10-26", 30)];
        assert_eq!(parts, expected.map(|(day, part)| (day.to_owned(), part)));
        assert_eq!(days.split(Window { from: span.to, to: span.from }), []);
    }

    #[test]
    fn new_rules_of_a_zone_move_the_instants_and_keep_the_clock() {
        let zone = Tz::America__Asuncion;
        // Stored by a database that still had winter time in Paraguay.
        let stale = Window { from: at("2026-07-01T13:00:00Z"), to: at("2026-07-01T14:00:00Z") };
        let fresh = restated(stale, wall("2026-07-01T09:00:00"), zone).expect("moved");
        assert_eq!(fresh, Window { from: at("2026-07-01T12:00:00Z"), to: at("2026-07-01T13:00:00Z") });
        assert_eq!(restated(fresh, wall("2026-07-01T09:00:00"), zone), None);
        let second = Window { from: at("2026-10-25T01:30:00Z"), to: at("2026-10-25T02:00:00Z") };
        assert_eq!(restated(second, wall("2026-10-25T02:30:00"), Tz::Europe__Berlin), None, "the second half past two");
    }
}
