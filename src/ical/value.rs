//! Dates, times and durations as RFC 5545 spells them (§3.3.4 to §3.3.6), read tolerantly.

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};

use crate::domain::time::{EventTime, Zone};

/// A date or time before its zone is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnzonedTime {
    /// `20260301`
    Date(NaiveDate),
    /// `20260301T090000`
    Local(NaiveDateTime),
    /// `20260301T090000Z`
    Utc(NaiveDateTime),
}

/// Reads a DATE or DATE-TIME: blanks around, lower case, dashes, colons and missing seconds are tolerated; `24:00:00` is
/// the next midnight and second 60 the one before. Years are 1 to 9999.
pub(super) fn stamp(text: &str) -> Option<UnzonedTime> {
    let text = text.trim();
    if text.contains(['-', ':']) {
        let plain: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
        return plain_stamp(plain.as_bytes());
    }
    plain_stamp(text.as_bytes())
}

fn plain_stamp(bytes: &[u8]) -> Option<UnzonedTime> {
    let year = i32::try_from(number(bytes.get(..4)?)?).ok().filter(|year| *year >= 1)?;
    let day = NaiveDate::from_ymd_opt(year, number(bytes.get(4..6)?)?, number(bytes.get(6..8)?)?)?;
    match bytes.get(8..)? {
        [] => Some(UnzonedTime::Date(day)),
        [b'T' | b't', time @ .., b'Z' | b'z'] => Some(UnzonedTime::Utc(at_time(day, time)?)),
        [b'T' | b't', time @ ..] => Some(UnzonedTime::Local(at_time(day, time)?)),
        _ => None,
    }
}

fn at_time(day: NaiveDate, time: &[u8]) -> Option<NaiveDateTime> {
    let (hour, minute) = (number(time.get(..2)?)?, number(time.get(2..4)?)?);
    let second = match time.get(4..)? {
        [] => 0,
        seconds @ [_, _] => number(seconds)?,
        _ => return None,
    };
    if (hour, minute, second) == (24, 0, 0) {
        return day.checked_add_days(Days::new(1)).filter(|day| in_years(*day))?.and_hms_opt(0, 0, 0);
    }
    day.and_hms_opt(hour, minute, if second == 60 { 59 } else { second })
}

fn in_years(day: NaiveDate) -> bool {
    use chrono::Datelike;
    (1..=9999).contains(&day.year())
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// An instant written in UTC, as `DTSTAMP` and `LAST-MODIFIED` are; a local one is taken for UTC. Before 1970: none, for
/// such dates are placeholders.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let wall = match stamp(text)? {
        UnzonedTime::Utc(wall) | UnzonedTime::Local(wall) => wall,
        UnzonedTime::Date(day) => day.and_time(NaiveTime::MIN),
    };
    (wall.and_utc().timestamp() >= 0).then(|| wall.and_utc())
}

/// A DURATION: days are nominal, seconds exact (RFC 5545 §3.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IcalDuration {
    /// Calendar days.
    pub days: u32,
    /// Exact seconds.
    pub seconds: u32,
}

/// Reads a DURATION that is not negative: `P1D`, `PT1H30M`, `P1W`; `PT`, `P1DT` and lower case are tolerated.
pub(super) fn span(text: &str) -> Option<IcalDuration> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let mut span = IcalDuration { days: 0, seconds: 0 };
    let mut count: Option<u32> = None;
    let mut in_time = false;
    let body = text.strip_prefix(['P', 'p'])?;
    for letter in body.bytes() {
        if letter.is_ascii_digit() {
            count = Some(count.unwrap_or(0).checked_mul(10)?.checked_add(u32::from(letter - b'0'))?);
            continue;
        }
        let letter = letter.to_ascii_uppercase();
        if letter == b'T' && count.is_none() {
            in_time = true;
            continue;
        }
        let (days, seconds) = match letter {
            b'W' => (7, 0),
            b'D' => (1, 0),
            b'H' => (0, 3600),
            b'M' if in_time => (0, 60),
            b'S' => (0, 1),
            _ => return None,
        };
        let count = count.take()?;
        span.days = span.days.checked_add(count.checked_mul(days)?)?;
        span.seconds = span.seconds.checked_add(count.checked_mul(seconds)?)?;
    }
    (count.is_none() && !body.is_empty()).then_some(span)
}

impl IcalDuration {
    /// What it comes to in seconds, a day counted as 24 hours.
    pub fn total_s(self) -> u64 {
        u64::from(self.days) * 86_400 + u64::from(self.seconds)
    }

    /// `start` and this much later; `None` when that is past the year 9999.
    pub fn after(self, start: &EventTime) -> Option<EventTime> {
        let days = Days::new(u64::from(self.days));
        if let EventTime::Date(day) = start {
            let whole = Days::new(u64::from(self.seconds / 86_400));
            let end = day.checked_add_days(days)?.checked_add_days(whole).filter(|day| in_years(*day))?;
            return Some(EventTime::Date(end));
        }
        let wall = start.wall().checked_add_days(days)?;
        let seconds = Duration::seconds(i64::from(self.seconds));
        let wall = match start.zone() {
            Zone::Named(tz) if self.seconds > 0 => {
                let at = crate::domain::time::resolve_wall(wall, tz).checked_add_signed(seconds)?;
                tz.from_utc_datetime(&at.naive_utc()).naive_local()
            }
            _ => wall.checked_add_signed(seconds)?,
        };
        in_years(wall.date()).then(|| start.with_wall(wall))
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let wall: NaiveDateTime = "2026-03-01T09:00:00".parse().expect("a wall time");
        for text in ["20260301T090000", " 20260301t0900 ", "2026-03-01T09:00:00"] {
            assert_eq!(stamp(text), Some(UnzonedTime::Local(wall)), "{text}");
        }
        assert_eq!(stamp("20260301T090000z"), Some(UnzonedTime::Utc(wall)));
        assert_eq!(stamp("20260228T240000"), stamp("20260301T000000"));
        assert_eq!(stamp("20260228T235960"), stamp("20260228T235959"));
        let refused =
            ["", "2026", "20261301", "20260230", "00001231", "20260301T", "20260301T25", "20260301X", "é0260301"];
        for text in refused.into_iter().chain(["20260301T0900000", "99991231T240000"]) {
            assert_eq!(stamp(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        let read = |text| span(text).map(|span| (span.days, span.seconds));
        assert_eq!(read("P1DT2H3M4S"), Some((1, 7384)));
        assert_eq!(read("+p2w"), Some((14, 0)));
        assert_eq!(read("PT"), Some((0, 0)));
        assert_eq!(read("P1DT"), Some((1, 0)));
        for text in ["", "P", "-PT1H", "PT1", "P1M", "PTH", "P99999999999D", "P4294967295W"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_is_nominal_and_an_hour_exact_over_a_clock_change() {
        let start = EventTime::zoned("2026-03-28T12:00:00".parse().expect("a wall time"), Tz::Europe__Paris);
        let later = |text| span(text).and_then(|span| span.after(&start)).expect("an end").wall().to_string();
        assert_eq!(later("P1D"), "2026-03-29 12:00:00");
        assert_eq!(later("PT24H"), "2026-03-29 13:00:00");
    }
}
