//! Reading a recurrence rule (`RECUR`, RFC 5545 §3.3.10; `RSCALE` and `SKIP`, RFC 7529 §4).
//!
//! **Invariant:** reading is total: any text gives a [`Rule`] or a [`RuleRefused`], and a [`Rule`] holds only values inside the
//! ranges of the RFC, combined as its table of `BYxxx` against `FREQ` allows.

use chrono::{NaiveDate, NaiveDateTime, Weekday};

/// Longest rule read, in bytes; a `BYYEARDAY` of every day of a year, both ways, fits.
pub const RULE_BYTES_MAX: usize = 8_192;

/// Longest stretch between two periods of a rule, in years: the calendar ends with the year 9999.
const YEARS_MAX: u32 = 9_999;

/// Why a rule is not expanded. Holds no text of the rule itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {why}")]
pub struct RuleRefused {
    /// The part of the rule (RFC 5545 §3.3.10) or the property at fault.
    pub part: &'static str,
    /// What is wrong, and what would be right.
    pub why: &'static str,
}

/// `FREQ`, from the longest period to the shortest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Freq {
    Yearly,
    Monthly,
    Weekly,
    Daily,
    Hourly,
    Minutely,
    Secondly,
}

impl Freq {
    /// The period's length in seconds; none for months and years, which vary.
    pub(crate) const fn seconds(self) -> Option<i64> {
        match self {
            Self::Yearly | Self::Monthly => None,
            Self::Weekly => Some(7 * 86_400),
            Self::Daily => Some(86_400),
            Self::Hourly => Some(3_600),
            Self::Minutely => Some(60),
            Self::Secondly => Some(1),
        }
    }

    const fn interval_max(self) -> u32 {
        match self {
            Self::Yearly => YEARS_MAX,
            Self::Monthly => YEARS_MAX * 12,
            Self::Weekly => YEARS_MAX * 53,
            Self::Daily => YEARS_MAX * 366,
            Self::Hourly => YEARS_MAX * 366 * 24,
            Self::Minutely | Self::Secondly => u32::MAX,
        }
    }
}

/// `UNTIL` as written; what it means depends on `DTSTART`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Date(NaiveDate),
    Local(NaiveDateTime),
    Utc(NaiveDateTime),
}

/// `SKIP` of RFC 7529 §4.1: what becomes of 30 February.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Skip {
    #[default]
    Omit,
    Backward,
    Forward,
}

/// One `BYDAY` entry: a weekday, and which one of its month or year (0: every one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByDay {
    pub nth: i16,
    pub from_monday: u8,
}

/// A rule as read: lists sorted, without repeats; nothing filled in from `DTSTART` yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub freq: Freq,
    pub interval: u32,
    pub count: Option<u32>,
    pub until: Option<Until>,
    pub week_start: Weekday,
    pub skip: Skip,
    pub months: Vec<i16>,
    pub week_numbers: Vec<i16>,
    pub year_days: Vec<i16>,
    pub month_days: Vec<i16>,
    pub days: Vec<ByDay>,
    pub hours: Vec<i16>,
    pub minutes: Vec<i16>,
    pub seconds: Vec<i16>,
    pub positions: Vec<i16>,
}

impl Rule {
    /// Reads the value of an `RRULE` or `EXRULE`. Names are read in any case, and a stray `;` is forgiven.
    pub(crate) fn parse(text: &str) -> Result<Self, RuleRefused> {
        if text.len() > RULE_BYTES_MAX {
            return refuse("RRULE", "is longer than 8192 bytes");
        }
        if !text.is_ascii() {
            return refuse("RRULE", "holds a character that is not ASCII");
        }
        let mut parts = RuleParts::default();
        for part in text.trim().to_ascii_uppercase().split(';').filter(|part| !part.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return refuse("RRULE", "has a part without `=`; a rule reads FREQ=WEEKLY;BYDAY=MO");
            };
            parts.take(name, value)?;
        }
        parts.into_rule()
    }

    /// Whether the rule says nothing but how often: each period then has exactly one occurrence.
    pub(crate) fn is_plain(&self) -> bool {
        [
            &self.months,
            &self.week_numbers,
            &self.year_days,
            &self.month_days,
            &self.hours,
            &self.minutes,
            &self.seconds,
            &self.positions,
        ]
        .iter()
        .all(|list| list.is_empty())
            && self.days.is_empty()
    }

    fn check_table(&self) -> Result<(), RuleRefused> {
        if self.interval > self.freq.interval_max() {
            return refuse("INTERVAL", "leaves no second occurrence before the year 9999");
        }
        if !self.week_numbers.is_empty() && self.freq != Freq::Yearly {
            return refuse("BYWEEKNO", "goes with FREQ=YEARLY only (RFC 5545 §3.3.10)");
        }
        if !self.year_days.is_empty() && matches!(self.freq, Freq::Monthly | Freq::Weekly | Freq::Daily) {
            return refuse("BYYEARDAY", "does not go with FREQ=DAILY, WEEKLY or MONTHLY (RFC 5545 §3.3.10)");
        }
        if !self.month_days.is_empty() && self.freq == Freq::Weekly {
            return refuse("BYMONTHDAY", "does not go with FREQ=WEEKLY (RFC 5545 §3.3.10)");
        }
        // A week has one of each weekday, so the first and the last are that one: only other numbers make no sense there.
        let by_week = self.freq == Freq::Weekly || !self.week_numbers.is_empty();
        let counted = matches!(self.freq, Freq::Monthly | Freq::Yearly) && !by_week;
        if self.days.iter().any(|day| day.nth != 0 && !counted && !(by_week && day.nth.abs() == 1)) {
            return refuse("BYDAY", "has a number, which goes with FREQ=MONTHLY or YEARLY and no BYWEEKNO");
        }
        Ok(())
    }
}

#[derive(Default)]
struct RuleParts {
    seen: Vec<&'static str>,
    rscale: bool,
    freq: Option<Freq>,
    interval: Option<u32>,
    count: Option<u32>,
    until: Option<Until>,
    week_start: Option<Weekday>,
    skip: Option<Skip>,
    months: Vec<i16>,
    week_numbers: Vec<i16>,
    year_days: Vec<i16>,
    month_days: Vec<i16>,
    days: Vec<ByDay>,
    hours: Vec<i16>,
    minutes: Vec<i16>,
    seconds: Vec<i16>,
    positions: Vec<i16>,
}

impl RuleParts {
    fn take(&mut self, name: &str, value: &str) -> Result<(), RuleRefused> {
        let name = known(name.trim())?;
        if self.seen.contains(&name) {
            return refuse(name, "appears twice");
        }
        self.seen.push(name);
        let value = value.trim();
        match name {
            "FREQ" => self.freq = Some(freq(value)?),
            "INTERVAL" => self.interval = Some(positive(name, value)?),
            "COUNT" => self.count = Some(positive(name, value)?),
            "UNTIL" => self.until = Some(until(value)?),
            "WKST" => self.week_start = Some(weekday(name, value)?),
            "RSCALE" if value == "GREGORIAN" => self.rscale = true,
            "RSCALE" => return refuse(name, "names a calendar other than GREGORIAN"),
            "SKIP" => self.skip = Some(skip(value)?),
            "BYMONTH" => self.months = numbers(name, value, 1, 12, Sign::Plain)?,
            "BYWEEKNO" => self.week_numbers = numbers(name, value, 1, 53, Sign::Either)?,
            "BYYEARDAY" => self.year_days = numbers(name, value, 1, 366, Sign::Either)?,
            "BYMONTHDAY" => self.month_days = numbers(name, value, 1, 31, Sign::Either)?,
            "BYDAY" => self.days = days(value)?,
            "BYHOUR" => self.hours = numbers(name, value, 0, 23, Sign::Plain)?,
            "BYMINUTE" => self.minutes = numbers(name, value, 0, 59, Sign::Plain)?,
            "BYSECOND" => self.seconds = numbers(name, value, 0, 60, Sign::Plain)?,
            _ => self.positions = numbers(name, value, 1, 366, Sign::Either)?,
        }
        Ok(())
    }

    fn into_rule(self) -> Result<Rule, RuleRefused> {
        let Some(freq) = self.freq else {
            return refuse("FREQ", "is missing");
        };
        if self.skip.is_some() && !self.rscale {
            return refuse("SKIP", "goes with RSCALE=GREGORIAN only (RFC 7529 §4.1)");
        }
        let mut seconds = self.seconds;
        // RFC 5545 §3.3.12: where there are no leap seconds, second 60 is second 59.
        for second in &mut seconds {
            *second = (*second).min(59);
        }
        seconds.dedup();
        let rule = Rule {
            freq,
            interval: self.interval.unwrap_or(1),
            count: self.count,
            until: self.until,
            week_start: self.week_start.unwrap_or(Weekday::Mon),
            skip: self.skip.unwrap_or_default(),
            months: self.months,
            week_numbers: self.week_numbers,
            year_days: self.year_days,
            month_days: self.month_days,
            days: self.days,
            hours: self.hours,
            minutes: self.minutes,
            seconds,
            positions: self.positions,
        };
        rule.check_table()?;
        Ok(rule)
    }
}

fn refuse<T>(part: &'static str, why: &'static str) -> Result<T, RuleRefused> {
    Err(RuleRefused { part, why })
}

fn known(name: &str) -> Result<&'static str, RuleRefused> {
    const NAMES: [&str; 17] = [
        "FREQ",
        "INTERVAL",
        "COUNT",
        "UNTIL",
        "WKST",
        "RSCALE",
        "SKIP",
        "BYMONTH",
        "BYWEEKNO",
        "BYYEARDAY",
        "BYMONTHDAY",
        "BYDAY",
        "BYHOUR",
        "BYMINUTE",
        "BYSECOND",
        "BYSETPOS",
        "BYEASTER",
    ];
    match NAMES.into_iter().find(|known| *known == name) {
        Some("BYEASTER") => refuse("BYEASTER", "is not of RFC 5545; list the dates as RDATE"),
        Some(name) => Ok(name),
        None => refuse("RRULE", "has a part that RFC 5545 §3.3.10 and RFC 7529 do not know"),
    }
}

fn freq(value: &str) -> Result<Freq, RuleRefused> {
    Ok(match value {
        "YEARLY" => Freq::Yearly,
        "MONTHLY" => Freq::Monthly,
        "WEEKLY" => Freq::Weekly,
        "DAILY" => Freq::Daily,
        "HOURLY" => Freq::Hourly,
        "MINUTELY" => Freq::Minutely,
        "SECONDLY" => Freq::Secondly,
        _ => return refuse("FREQ", "is none of YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY"),
    })
}

fn skip(value: &str) -> Result<Skip, RuleRefused> {
    Ok(match value {
        "OMIT" => Skip::Omit,
        "BACKWARD" => Skip::Backward,
        "FORWARD" => Skip::Forward,
        _ => return refuse("SKIP", "is none of OMIT, BACKWARD, FORWARD"),
    })
}

fn positive(part: &'static str, value: &str) -> Result<u32, RuleRefused> {
    match value.parse::<u32>() {
        Ok(number) if number > 0 => Ok(number),
        _ => refuse(part, "is not a whole number from 1 to 4294967295"),
    }
}

fn until(value: &str) -> Result<Until, RuleRefused> {
    let read = |text: &str| NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok();
    let found = match value.len() {
        8 => NaiveDate::parse_from_str(value, "%Y%m%d").ok().map(Until::Date),
        15 => read(value).map(Until::Local),
        16 => value.strip_suffix('Z').and_then(read).map(Until::Utc),
        _ => None,
    };
    found.map_or_else(|| refuse("UNTIL", "is not of the form 20260331, 20260331T100000 or 20260331T080000Z"), Ok)
}

fn weekday(part: &'static str, value: &str) -> Result<Weekday, RuleRefused> {
    Ok(match value {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return refuse(part, "has a weekday that is none of MO, TU, WE, TH, FR, SA, SU"),
    })
}

fn days(value: &str) -> Result<Vec<ByDay>, RuleRefused> {
    let mut found = Vec::new();
    for entry in value.split(',') {
        let (nth, name) = entry.trim().split_at_checked(entry.trim().len().saturating_sub(2)).unwrap_or(("", ""));
        let nth = if nth.is_empty() { 0 } else { number("BYDAY", nth, 1, 53, Sign::Either)? };
        let from_monday = u8::try_from(weekday("BYDAY", name)?.num_days_from_monday()).unwrap_or(0);
        found.push(ByDay { nth, from_monday });
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plain,
    Either,
}

fn numbers(part: &'static str, value: &str, min: i16, max: i16, sign: Sign) -> Result<Vec<i16>, RuleRefused> {
    let mut found =
        value.split(',').map(|entry| number(part, entry.trim(), min, max, sign)).collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn number(part: &'static str, value: &str, min: i16, max: i16, sign: Sign) -> Result<i16, RuleRefused> {
    let read = value.parse::<i16>().ok().filter(|number| *number >= 0 || sign == Sign::Either);
    match read {
        Some(number) if (min..=max).contains(&number.saturating_abs()) => Ok(number),
        _ => refuse(part, "has a number outside the range of RFC 5545 §3.3.10"),
    }
}
