//! `VTIMEZONE` components (RFC 5545 §3.6.5), made from the zone database for the years that matter.
//!
//! - **run**: transitions of successive years that one yearly rule describes.
//!
//! **Invariant:** within the years asked for, what is written gives the offset of the database at every instant.

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{OffsetComponents, OffsetName, Tz};

use super::{text, zone};
use crate::domain::time::Zone;

/// Transitions are looked for at this distance: none in use since 1970 undo one another within it.
const STEP_DAYS: i64 = 7;
/// A rule is trusted, and left open at the end of the years, when it held for so many of them.
const RULE_YEARS_MIN: usize = 4;
/// Years that are looked at beyond the last one asked for, so that a rule can show.
const YEARS_AHEAD: i32 = 5;
/// The zone database knows rules up to about here.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2090;
/// Years that a series without end is taken to matter for; a zone with a yearly rule stays right beyond.
const RECURRING_YEARS: i32 = 10;
/// Most years that are written out.
const SPAN_YEARS_MAX: i32 = 80;

/// Writes the component that explains a zone's `TZID`; nothing for a zone that has none.
pub(super) fn write(zone: Zone, years: (i32, i32), line_break: &str, out: &mut Vec<u8>) {
    let Some(tzid) = zone::tzid(zone) else { return };
    let mut lines = vec!["BEGIN:VTIMEZONE".to_owned(), format!("TZID:{}", text::escape(&tzid))];
    match zone {
        Zone::Named(tz) => named(tz, years, &mut lines),
        Zone::Fixed(seconds) => {
            let start =
                NaiveDate::from_ymd_opt(1970, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0)).unwrap_or_default();
            observance(&Onset { start, from: seconds, to: seconds, daylight: false, name: None }, None, &mut lines);
        }
        Zone::Utc | Zone::Floating => {}
    }
    lines.push("END:VTIMEZONE".to_owned());
    for line in lines {
        text::fold(&line, line_break, out);
    }
}

/// From when on an offset holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Onset {
    /// The wall time by the clock before.
    start: NaiveDateTime,
    from: i32,
    to: i32,
    daylight: bool,
    name: Option<String>,
}

fn named(tz: Tz, years: (i32, i32), lines: &mut Vec<String>) {
    let first = years.0.saturating_sub(1).clamp(*YEARS.start(), *YEARS.end() - YEARS_AHEAD);
    let last = years.1.clamp(first, *YEARS.end() - YEARS_AHEAD).min(first + SPAN_YEARS_MAX) + YEARS_AHEAD;
    let Some(begin) = year_begins(first) else { return };
    let Some(end) = year_begins(last) else { return };
    let before = state(tz, begin);
    let initial = Onset { start: begin.naive_utc(), from: before.0, to: before.0, daylight: before.1, name: before.2 };
    observance(&initial, None, lines);
    for run in runs(transitions(tz, begin, end)) {
        run.write(last - 1, lines);
    }
}

fn year_begins(year: i32) -> Option<DateTime<Utc>> {
    NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0).map(|at| at.and_utc())
}

/// The offset, whether it is daylight time, and its name.
fn state(tz: Tz, at: DateTime<Utc>) -> (i32, bool, Option<String>) {
    let offset = tz.offset_from_utc_datetime(&at.naive_utc());
    (offset.fix().local_minus_utc(), offset.dst_offset() != Duration::zero(), offset.abbreviation().map(str::to_owned))
}

fn transitions(tz: Tz, begin: DateTime<Utc>, end: DateTime<Utc>) -> Vec<Onset> {
    let mut found = Vec::new();
    let mut at = begin;
    let mut here = state(tz, at);
    while at < end {
        let next = at + Duration::days(STEP_DAYS);
        let there = state(tz, next);
        if there == here {
            at = next;
        } else {
            let (mut before, mut after) = (at, next);
            while after - before > Duration::seconds(1) {
                let middle = before + (after - before) / 2;
                if state(tz, middle) == here { before = middle } else { after = middle }
            }
            let after = whole_second(after);
            let there = state(tz, after);
            let start = after.naive_utc() + Duration::seconds(i64::from(here.0));
            found.push(Onset { start, from: here.0, to: there.0, daylight: there.1, name: there.2.clone() });
            (at, here) = (after, there);
        }
    }
    found
}

/// The search halves seconds; transitions fall on whole ones.
fn whole_second(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}

/// Transitions of successive years that one yearly rule describes.
struct YearlyRun {
    onsets: Vec<Onset>,
    /// What `BYDAY` may say: `-1SU`, `2SU`.
    days: Vec<String>,
}

fn runs(onsets: Vec<Onset>) -> Vec<YearlyRun> {
    let mut runs: Vec<YearlyRun> = Vec::new();
    for onset in onsets {
        let days = counted_weekdays(onset.start.date());
        let fitting = runs.iter_mut().find_map(|run| {
            let common: Vec<_> = run.days.iter().filter(|day| days.contains(day)).cloned().collect();
            (run.is_followed_by(&onset) && !common.is_empty()).then_some((run, common))
        });
        match fitting {
            Some((run, common)) => {
                run.onsets.push(onset);
                run.days = common;
            }
            None => runs.push(YearlyRun { onsets: vec![onset], days }),
        }
    }
    runs
}

fn counted_weekdays(day: NaiveDate) -> Vec<String> {
    let name = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].get(day.weekday().num_days_from_monday() as usize);
    let name = name.copied().unwrap_or("MO");
    let counted = (day.day() - 1) / 7 + 1;
    let is_last = (day + Duration::days(7)).month() != day.month();
    let last = is_last.then(|| format!("-1{name}"));
    let from_first = (counted < 5).then(|| format!("{counted}{name}"));
    last.into_iter().chain(from_first).collect()
}

impl YearlyRun {
    fn is_followed_by(&self, onset: &Onset) -> bool {
        self.onsets.last().is_some_and(|last| {
            let (here, there) = (last.start, onset.start);
            let alike =
                (last.from, last.to, last.daylight, &last.name) == (onset.from, onset.to, onset.daylight, &onset.name);
            alike && there.year() == here.year() + 1 && there.month() == here.month() && there.time() == here.time()
        })
    }

    fn write(&self, last_year: i32, lines: &mut Vec<String>) {
        let (Some(first), Some(last)) = (self.onsets.first(), self.onsets.last()) else { return };
        if self.onsets.len() < RULE_YEARS_MIN {
            for onset in &self.onsets {
                observance(onset, None, lines);
            }
            return;
        }
        let month = first.start.month();
        let day = self.days.first().map(String::as_str).unwrap_or_default();
        let until = last.start - Duration::seconds(i64::from(last.from));
        let until = if last.start.year() >= last_year { String::new() } else { format!(";UNTIL={}Z", spell(until)) };
        observance(first, Some(format!("RRULE:FREQ=YEARLY;BYMONTH={month};BYDAY={day}{until}")), lines);
    }
}

fn observance(onset: &Onset, rule: Option<String>, lines: &mut Vec<String>) {
    let kind = if onset.daylight { "DAYLIGHT" } else { "STANDARD" };
    lines.push(format!("BEGIN:{kind}"));
    lines.push(format!("DTSTART:{}", spell(onset.start)));
    lines.extend(rule);
    lines.push(format!("TZOFFSETFROM:{}", zone::spell_offset(onset.from)));
    lines.push(format!("TZOFFSETTO:{}", zone::spell_offset(onset.to)));
    lines.extend(onset.name.iter().map(|name| format!("TZNAME:{name}")));
    lines.push(format!("END:{kind}"));
}

fn spell(at: NaiveDateTime) -> String {
    at.format("%Y%m%dT%H%M%S").to_string()
}

/// The years that times of an event fall in, and more when it may recur for ever.
pub(super) fn years_of(times: impl Iterator<Item = NaiveDateTime>, recurs: bool) -> (i32, i32) {
    let (first, last) = times.fold((9999, 0), |(first, last), at| (at.year().min(first), at.year().max(last)));
    (first, last + if recurs { RECURRING_YEARS } else { 0 })
}

#[cfg(test)]
mod tests;
