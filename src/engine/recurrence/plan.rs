//! A rule made ready to walk: what it leaves unsaid is filled in from `DTSTART` (RFC 5545 §3.3.10), on wall clock.
//!
//! **Invariant:** a [`CompleteRule`] alone decides whether a day or a time belongs; it knows no zone.

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};

use super::rule::{ByDay, Freq, Rule, RuleRefused, Skip};

/// A rule with nothing left unsaid.
#[derive(Clone, Debug)]
pub(crate) struct CompleteRule {
    pub freq: Freq,
    pub interval: i64,
    pub week_start: Weekday,
    pub start: NaiveDateTime,
    pub positions: Vec<i64>,
    pub hours: Vec<u32>,
    pub minutes: Vec<u32>,
    pub seconds: Vec<u32>,
    pub by_week: bool,
    skip: Skip,
    months: Vec<i16>,
    week_numbers: Vec<i16>,
    year_days: Vec<i16>,
    month_days: Vec<i16>,
    days: Vec<ByDay>,
}

impl CompleteRule {
    /// `all_day` drops the `BYHOUR`, `BYMINUTE` and `BYSECOND` that a date has no use for, as the RFC asks.
    pub(crate) fn new(rule: &Rule, start: NaiveDateTime, all_day: bool) -> Result<Self, RuleRefused> {
        if all_day && rule.freq > Freq::Daily {
            return Err(RuleRefused { part: "FREQ", why: "is shorter than a day, and the event is all day" });
        }
        let times = |list: &[i16], below: bool, from_start: u32| match list {
            _ if all_day => vec![0],
            [] if below => vec![from_start],
            list => list.iter().filter_map(|value| u32::try_from(*value).ok()).collect(),
        };
        let mut plan = Self {
            freq: rule.freq,
            interval: i64::from(rule.interval),
            week_start: rule.week_start,
            start,
            positions: rule.positions.iter().map(|position| i64::from(*position)).collect(),
            hours: times(&rule.hours, rule.freq < Freq::Hourly, start.hour()),
            minutes: times(&rule.minutes, rule.freq < Freq::Minutely, start.minute()),
            seconds: times(&rule.seconds, rule.freq < Freq::Secondly, start.second()),
            by_week: !rule.week_numbers.is_empty(),
            skip: rule.skip,
            months: rule.months.clone(),
            week_numbers: rule.week_numbers.clone(),
            year_days: rule.year_days.clone(),
            month_days: rule.month_days.clone(),
            days: rule.days.clone(),
        };
        plan.fill_days();
        Ok(plan)
    }

    fn fill_days(&mut self) {
        if !self.year_days.is_empty() || !self.month_days.is_empty() || !self.days.is_empty() {
            return;
        }
        let weekday = ByDay { nth: 0, from_monday: from_monday(self.start.date()) };
        match self.freq {
            Freq::Yearly if self.by_week => self.days.push(weekday),
            Freq::Weekly => self.days.push(weekday),
            Freq::Yearly | Freq::Monthly => {
                if self.freq == Freq::Yearly && self.months.is_empty() {
                    self.months.push(small(self.start.month()));
                }
                self.month_days.push(small(self.start.day()));
            }
            _ => {}
        }
    }

    /// Whether the rule holds on this day, `SKIP` aside.
    pub(crate) fn admits(&self, day: NaiveDate) -> bool {
        self.admits_month(day)
            && self.admits_week(day)
            && both_ends(&self.year_days, small(day.ordinal()), year_length(day))
            && both_ends(&self.month_days, small(day.day()), month_length(day))
            && self.admits_weekday(day)
    }

    fn admits_month(&self, day: NaiveDate) -> bool {
        self.months.is_empty() || self.months.contains(&small(day.month()))
    }

    fn admits_week(&self, day: NaiveDate) -> bool {
        if !self.by_week {
            return true;
        }
        let year = week_year(day, self.week_start);
        let Some(first) = first_week(year, self.week_start) else {
            return false;
        };
        let number = i16::try_from((day - first).num_days() / 7 + 1).unwrap_or(i16::MAX);
        both_ends(&self.week_numbers, number, weeks_in(year, self.week_start))
    }

    fn admits_weekday(&self, day: NaiveDate) -> bool {
        if self.days.is_empty() {
            return true;
        }
        let weekday = from_monday(day);
        self.days.iter().any(|by| by.from_monday == weekday && (by.nth == 0 || self.is_nth(by.nth, day)))
    }

    /// Counts weekdays in the month for `MONTHLY` or where `BYMONTH` narrows the year, else in the year.
    fn is_nth(&self, nth: i16, day: NaiveDate) -> bool {
        if self.by_week || self.freq == Freq::Weekly {
            return true;
        }
        let (at, length) = if self.freq == Freq::Yearly && self.months.is_empty() {
            (small(day.ordinal()), year_length(day))
        } else {
            (small(day.day()), month_length(day))
        };
        if nth > 0 { (at - 1) / 7 + 1 == nth } else { (length - at) / 7 + 1 == -nth }
    }

    /// The days of one year, month, week or day that begins at `first` and has `length` days, in order.
    pub(crate) fn days_of(&self, first: NaiveDate, length: i64, into: &mut Vec<NaiveDate>) {
        into.clear();
        let days = (0..length).map_while(|offset| first.checked_add_signed(Duration::days(offset)));
        into.extend(days.filter(|day| self.admits(*day)));
        if self.skip != Skip::Omit && self.freq <= Freq::Monthly {
            self.add_skipped(first, into);
            into.sort_unstable();
            into.dedup();
        }
    }

    /// RFC 7529 §4.1: a day that its month or year does not have moves to the nearest one that exists.
    fn add_skipped(&self, first: NaiveDate, into: &mut Vec<NaiveDate>) {
        let (months, year_days): (Vec<u32>, &[i16]) = match self.freq {
            Freq::Yearly => ((1..=12).collect(), &self.year_days),
            _ => (vec![first.month()], &[]),
        };
        let starts = months.into_iter().filter_map(|month| NaiveDate::from_ymd_opt(first.year(), month, 1));
        let in_months = starts.filter(|start| self.admits_month(*start)).flat_map(|start| {
            self.month_days.iter().filter_map(move |day| moved(*day, start, month_length(start), self.skip))
        });
        let in_year = year_days.iter().filter_map(|day| moved(*day, first, year_length(first), self.skip));
        let found = in_months.chain(in_year).filter(|day| self.admits_weekday(*day) && self.admits_week(*day));
        into.extend(found);
    }

    /// How many times of day the rule names, when its period is a day or longer.
    pub(crate) fn times_in_day(&self) -> usize {
        self.hours.len().saturating_mul(self.minutes.len()).saturating_mul(self.seconds.len())
    }

    /// The time of day at a place in the order of all times.
    pub(crate) fn time_at(&self, place: usize) -> Option<NaiveTime> {
        let (rest, second) = (place.checked_div(self.seconds.len())?, place.checked_rem(self.seconds.len())?);
        let (hour, minute) = (rest.checked_div(self.minutes.len())?, rest.checked_rem(self.minutes.len())?);
        NaiveTime::from_hms_opt(*self.hours.get(hour)?, *self.minutes.get(minute)?, *self.seconds.get(second)?)
    }
}

/// Where a day that does not exist goes; `None` for a day that does.
fn moved(day: i16, start: NaiveDate, length: i16, skip: Skip) -> Option<NaiveDate> {
    if day.abs() <= length {
        return None;
    }
    let last = start.checked_add_signed(Duration::days(i64::from(length) - 1))?;
    match (skip, day > 0) {
        (Skip::Forward, true) => last.succ_opt(),
        (Skip::Backward, true) => Some(last),
        (Skip::Forward, false) => Some(start),
        (Skip::Backward, false) => start.pred_opt(),
        (Skip::Omit, _) => None,
    }
}

/// Whether a list holds a place counted from the front or, negative, from the back. An empty list holds all.
fn both_ends(list: &[i16], place: i16, length: i16) -> bool {
    list.is_empty() || list.contains(&place) || list.contains(&(place - length - 1))
}

fn small(value: u32) -> i16 {
    i16::try_from(value).unwrap_or(i16::MAX)
}

fn from_monday(day: NaiveDate) -> u8 {
    u8::try_from(day.weekday().num_days_from_monday()).unwrap_or(0)
}

fn year_length(day: NaiveDate) -> i16 {
    if day.leap_year() { 366 } else { 365 }
}

fn month_length(day: NaiveDate) -> i16 {
    i16::from(day.num_days_in_month())
}

/// The first day of week 1: the first week with four days in the year (RFC 5545 §3.3.10, `BYWEEKNO`).
pub(crate) fn first_week(year: i32, week_start: Weekday) -> Option<NaiveDate> {
    let fourth = NaiveDate::from_ymd_opt(year, 1, 4)?;
    let back = fourth.weekday().days_since(week_start);
    fourth.checked_sub_signed(Duration::days(i64::from(back)))
}

/// How many weeks a year of weeks has: 52 or 53.
pub(crate) fn weeks_in(year: i32, week_start: Weekday) -> i16 {
    match (first_week(year, week_start), first_week(year + 1, week_start)) {
        (Some(this), Some(next)) => i16::try_from((next - this).num_days() / 7).unwrap_or(52),
        _ => 52,
    }
}

/// The year that a day's week is counted in; differs from the calendar's at most around New Year.
pub(crate) fn week_year(day: NaiveDate, week_start: Weekday) -> i32 {
    let year = day.year();
    match (first_week(year, week_start), first_week(year + 1, week_start)) {
        (Some(first), _) if day < first => year - 1,
        (_, Some(next)) if day >= next => year + 1,
        _ => year,
    }
}
