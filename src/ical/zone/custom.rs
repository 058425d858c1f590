//! The rules of a `VTIMEZONE` (RFC 5545 §3.6.5), compared with the zone database.

use chrono::{Datelike, Duration, Months, NaiveDate, NaiveDateTime, Offset, TimeZone, Weekday};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::windows;
use crate::ical::{
    component::{Component, ComponentKind},
    line::ContentLine,
    value::{self, UnzonedTime},
};

/// Onsets of one `VTIMEZONE` that are kept.
const ONSETS_MAX: usize = 2_000;

/// From when on an offset holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CustomOnset {
    /// In UTC.
    at: NaiveDateTime,
    /// Seconds east of UTC before.
    from: i32,
    /// Seconds east of UTC from then on.
    to: i32,
}

/// A zone by its own rules, over some years.
#[derive(Debug)]
pub(super) struct CustomZone {
    /// By time.
    onsets: Vec<CustomOnset>,
    years: (i32, i32),
}

impl CustomZone {
    /// Reads the rules of a `VTIMEZONE` over some years; `None` when it has none.
    pub fn read(definition: &Component<'_>, years: (i32, i32)) -> Option<Self> {
        let mut onsets = Vec::new();
        for observance in definition.all(&ComponentKind::Observance) {
            read_observance(observance, years, &mut onsets);
        }
        onsets.sort_unstable();
        onsets.dedup_by_key(|onset| onset.at);
        (!onsets.is_empty()).then_some(Self { onsets, years })
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_at_utc(&self, at: NaiveDateTime) -> Option<i32> {
        let after = self.onsets.partition_point(|onset| onset.at <= at);
        match after.checked_sub(1) {
            Some(before) => self.onsets.get(before).map(|onset| onset.to),
            None => self.onsets.first().map(|onset| onset.from),
        }
    }

    /// Seconds east of UTC at a wall time.
    pub fn offset_at(&self, wall: NaiveDateTime) -> i32 {
        let begun = |onset: &CustomOnset| onset.at + Duration::seconds(i64::from(onset.from.max(onset.to))) <= wall;
        let after = self.onsets.partition_point(begun);
        let before = after.checked_sub(1).and_then(|at| self.onsets.get(at)).map(|onset| onset.to);
        before.or_else(|| self.onsets.first().map(|onset| onset.from)).unwrap_or(0)
    }

    /// The zone of the database that agrees at every onset and every month of the years; a well-known one if several do.
    pub fn same_as(&self) -> Option<Tz> {
        let samples = self.samples();
        let agrees = |tz: &Tz| {
            samples.iter().all(|(at, offset)| tz.offset_from_utc_datetime(at).fix().local_minus_utc() == *offset)
        };
        windows::well_known().chain(TZ_VARIANTS).find(agrees)
    }

    /// Instants and the offset that holds at each: both sides of every onset, the middle of every month.
    fn samples(&self) -> Vec<(NaiveDateTime, i32)> {
        let inside = |at: &NaiveDateTime| (self.years.0..=self.years.1).contains(&at.year());
        let onsets = self.onsets.iter().flat_map(|onset| [onset.at - Duration::seconds(1), onset.at]);
        let first = NaiveDate::from_ymd_opt(self.years.0, 1, 15).and_then(|day| day.and_hms_opt(12, 0, 0));
        let months = u32::try_from((self.years.1 - self.years.0 + 1) * 12).unwrap_or(12);
        let middles = (0..months).filter_map(|month| first?.checked_add_months(Months::new(month)));
        let instants = onsets.filter(inside).chain(middles);
        instants.filter_map(|at| self.offset_at_utc(at).map(|offset| (at, offset))).collect()
    }
}

fn read_observance(observance: &Component<'_>, years: (i32, i32), onsets: &mut Vec<CustomOnset>) {
    let offset = |name| observance.line(name).and_then(|line| read_offset(line.value()));
    let Some(to) = offset("TZOFFSETTO") else { return };
    let from = offset("TZOFFSETFROM").unwrap_or(to);
    let Some(start) = observance.line("DTSTART").and_then(wall) else { return };
    let mut walls = vec![start];
    for line in observance.lines.iter().filter(|line| line.is("RDATE")) {
        walls.extend(line.value().split(',').take(ONSETS_MAX).filter_map(|text| wall_of(value::stamp(text)?)));
    }
    for line in observance.lines.iter().filter(|line| line.is("RRULE")) {
        if let Some(rule) = YearlyRule::read(line.value(), start) {
            let first = start.year().max(years.0 - 1);
            walls.extend((first..=years.1 + 1).filter_map(|year| rule.in_year(year, start, from)));
        }
    }
    let shift = Duration::seconds(i64::from(from));
    let room = ONSETS_MAX.saturating_sub(onsets.len());
    let read = walls.into_iter().filter_map(|wall| Some(CustomOnset { at: wall.checked_sub_signed(shift)?, from, to }));
    onsets.extend(read.take(room));
}

fn wall(line: &ContentLine<'_>) -> Option<NaiveDateTime> {
    wall_of(value::stamp(line.value())?)
}

fn wall_of(stamp: UnzonedTime) -> Option<NaiveDateTime> {
    match stamp {
        UnzonedTime::Local(wall) | UnzonedTime::Utc(wall) => Some(wall),
        UnzonedTime::Date(day) => day.and_hms_opt(0, 0, 0),
    }
}

/// A UTC-OFFSET (RFC 5545 §3.3.14) in seconds.
fn read_offset(text: &str) -> Option<i32> {
    let text = text.trim();
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let pair = |at: usize| digits.get(at..at + 2).and_then(|two| two.parse::<i32>().ok());
    let seconds = pair(0)? * 3600 + pair(2)? * 60 + if digits.len() == 6 { pair(4)? } else { 0 };
    let sensible = matches!(digits.len(), 4 | 6) && seconds < 86_400;
    sensible.then_some(if negative { -seconds } else { seconds })
}

/// The rules that zones use: once a year, on a day of a month or a weekday counted within it.
struct YearlyRule {
    months: Vec<u32>,
    weekday: Option<(i32, Weekday)>,
    month_days: Vec<u32>,
    until: Option<NaiveDateTime>,
}

impl YearlyRule {
    fn read(text: &str, start: NaiveDateTime) -> Option<Self> {
        let mut rule = Self { months: Vec::new(), weekday: None, month_days: Vec::new(), until: None };
        for part in text.trim().split(';').take(16) {
            let (name, value) = part.split_once('=')?;
            match name.to_ascii_uppercase().as_str() {
                "FREQ" if !value.eq_ignore_ascii_case("YEARLY") => return None,
                "INTERVAL" if value != "1" => return None,
                "BYMONTH" => rule.months = value.split(',').take(12).filter_map(|month| month.parse().ok()).collect(),
                "BYMONTHDAY" => {
                    rule.month_days = value.split(',').take(31).filter_map(|day| day.parse().ok()).collect();
                }
                "BYDAY" => rule.weekday = Some(read_weekday(value)?),
                "UNTIL" => rule.until = wall_of(value::stamp(value)?),
                "COUNT" => return None,
                _ => {}
            }
        }
        if rule.months.is_empty() {
            rule.months.push(start.month());
        }
        Some(rule)
    }

    fn in_year(&self, year: i32, start: NaiveDateTime, from: i32) -> Option<NaiveDateTime> {
        let month = *self.months.first()?;
        let first = NaiveDate::from_ymd_opt(year, month, 1)?;
        let last = first.checked_add_months(Months::new(1))?.pred_opt()?;
        let mut days = first.iter_days().take_while(|day| *day <= last);
        let day = match self.weekday {
            None => {
                let wanted = self.month_days.first().copied().unwrap_or(start.day());
                days.find(|day| day.day() == wanted)
            }
            Some((_, weekday)) if !self.month_days.is_empty() => {
                days.find(|day| day.weekday() == weekday && self.month_days.contains(&day.day()))
            }
            Some((nth, weekday)) => {
                let all: Vec<_> = days.filter(|day| day.weekday() == weekday).collect();
                let place = if nth < 0 { i32::try_from(all.len()).ok()? + nth } else { nth.max(1) - 1 };
                usize::try_from(place).ok().and_then(|place| all.get(place).copied())
            }
        }?;
        let wall = day.and_time(start.time());
        let in_utc = wall.checked_sub_signed(Duration::seconds(i64::from(from)))?;
        (wall >= start && self.until.is_none_or(|until| in_utc <= until)).then_some(wall)
    }
}

fn read_weekday(text: &str) -> Option<(i32, Weekday)> {
    let (nth, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let weekday = match day.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    };
    Some((if nth.is_empty() { 0 } else { nth.trim_start_matches('+').parse().ok()? }, weekday))
}
