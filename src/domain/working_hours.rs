//! When a user may be planned: hours by name and weekday, exceptions by date, and the planner's own settings.
//!
//! Terms. A *time map* is one named set of hours (`work`, `evening`). A span that does not end after it begins goes on past
//! midnight, and belongs to the date it begins on.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveTime, Timelike};
use serde::{Deserialize, Serialize};

use super::person::{Weekday, WorkingHours};
use crate::words;

/// The hours of a task that names none.
pub const USUAL_HOURS: &str = "work";
/// Minutes of a wall clock's day.
const DAY_MIN: u16 = 24 * 60;

/// From and to on the wall clock, `["09:00","17:00"]`, `["22:00","06:00"]`, `["18:00","24:00"]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(String, String)", into = "(String, String)")]
pub struct HourSpan {
    from_min: u16,
    to_min: u16,
}

impl HourSpan {
    /// A span between two minutes of the day, `from` in `0..1440`, `to` in `0..=1440`; `to` at or before `from` is on the
    /// next day.
    #[must_use]
    pub fn new(from_min: u16, to_min: u16) -> Option<Self> {
        (from_min < DAY_MIN && to_min <= DAY_MIN).then_some(Self { from_min, to_min })
    }

    /// Minutes from its date's midnight to its begin.
    #[must_use]
    pub fn from_min(self) -> u16 {
        self.from_min
    }

    /// Minutes on the wall clock from its date's midnight to its end, at most two days.
    #[must_use]
    pub fn to_min(self) -> u16 {
        if self.to_min > self.from_min { self.to_min } else { self.to_min + DAY_MIN }
    }
}

impl TryFrom<(String, String)> for HourSpan {
    type Error = String;
    fn try_from((from, to): (String, String)) -> Result<Self, Self::Error> {
        let read = |text: &str| {
            let time = NaiveTime::parse_from_str(text, "%H:%M").ok();
            let minute = time.and_then(|time| u16::try_from(time.hour() * 60 + time.minute()).ok());
            minute.ok_or_else(|| format!("`{text}` is not a time such as 09:00"))
        };
        let (from_min, to_min) = (read(&from)?, if to == "24:00" { DAY_MIN } else { read(&to)? });
        Self::new(from_min, to_min).ok_or_else(|| format!("`{from}` to `{to}` is no span of a day"))
    }
}

impl From<HourSpan> for (String, String) {
    fn from(span: HourSpan) -> Self {
        let spell = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        (spell(span.from_min), spell(span.to_min))
    }
}

/// One named set of hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeMap {
    /// Spans of each weekday; a day left out is free.
    #[serde(default)]
    pub weekly: BTreeMap<Weekday, Vec<HourSpan>>,
    /// Spans of single dates, in place of the weekday's and of a holiday's; none at all: a day off.
    #[serde(default)]
    pub exceptions: BTreeMap<NaiveDate, Vec<HourSpan>>,
}

impl TimeMap {
    /// The spans that begin on a date.
    #[must_use]
    pub fn spans(&self, date: NaiveDate, holidays: &BTreeSet<NaiveDate>) -> &[HourSpan] {
        match self.exceptions.get(&date) {
            Some(spans) => spans,
            None if holidays.contains(&date) => &[],
            None => self.weekly.get(&weekday(date)).map_or(&[], Vec::as_slice),
        }
    }
}

impl From<&WorkingHours> for TimeMap {
    fn from(hours: &WorkingHours) -> Self {
        let minute = |time: NaiveTime| u16::try_from(time.hour() * 60 + time.minute()).unwrap_or(0);
        let span = |span: &super::person::WorkSpan| {
            let to = minute(span.to);
            // Those hours cannot say 24:00 and write the minute before.
            HourSpan { from_min: minute(span.from), to_min: if to == DAY_MIN - 1 { DAY_MIN } else { to } }
        };
        let weekly = hours.0.iter().map(|(day, spans)| (*day, spans.iter().map(span).collect())).collect();
        Self { weekly, exceptions: BTreeMap::new() }
    }
}

/// The weekday of a date.
#[must_use]
pub fn weekday(date: NaiveDate) -> Weekday {
    use chrono::Datelike;
    match date.weekday() {
        chrono::Weekday::Mon => Weekday::Mon,
        chrono::Weekday::Tue => Weekday::Tue,
        chrono::Weekday::Wed => Weekday::Wed,
        chrono::Weekday::Thu => Weekday::Thu,
        chrono::Weekday::Fri => Weekday::Fri,
        chrono::Weekday::Sat => Weekday::Sat,
        chrono::Weekday::Sun => Weekday::Sun,
    }
}

words! {
    /// What the planner does with a plan that it made by itself.
    PlanMode {
        /// It offers it.
        Propose = "propose",
        /// It carries it out, and says how to take it back.
        Auto = "auto",
        /// It makes none.
        Off = "off",
    }
}

words! {
    /// What is taken for granted when a block is over and nobody said anything.
    PastPolicy {
        /// Nobody worked: the block is missed, and its work planned again.
        Missed = "missed",
        /// It was worked as planned.
        AssumeDone = "assume_done",
    }
}

/// When a user's day begins: midnight, or a later time before noon for who works into the night.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DayStart(NaiveTime);

impl DayStart {
    /// Midnight.
    pub const MIDNIGHT: Self = Self(NaiveTime::MIN);

    /// A time before noon: a day that began later would be named after its wrong half.
    #[must_use]
    pub fn new(time: NaiveTime) -> Option<Self> {
        (time.hour() < 12 && time.second() == 0).then_some(Self(time))
    }

    /// The time on the wall clock.
    #[must_use]
    pub fn time(self) -> NaiveTime {
        self.0
    }
}

impl Default for DayStart {
    fn default() -> Self {
        Self::MIDNIGHT
    }
}

impl TryFrom<String> for DayStart {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let time = NaiveTime::parse_from_str(&text, "%H:%M").ok();
        time.and_then(Self::new).ok_or_else(|| format!("`{text}` is not a time before noon such as 04:00"))
    }
}

impl From<DayStart> for String {
    fn from(start: DayStart) -> Self {
        start.0.format("%H:%M").to_string()
    }
}

/// How a user wants to be planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanningRules {
    /// Hours by name; [`USUAL_HOURS`] for what names none.
    pub hours: BTreeMap<String, TimeMap>,
    /// Dates on which no hours apply, unless a time map has an exception of its own.
    pub holidays: BTreeSet<NaiveDate>,
    /// How many days ahead are planned, today included.
    pub look_ahead_days: u16,
    /// What starts within so many minutes stays where it is.
    pub freeze_min: u16,
    /// Minutes kept free between blocks, and the slack below which a block's event says busy.
    pub buffer_min: u16,
    /// Most minutes of planned work in one day; a block counts for the day that it starts in.
    pub daily_cap_min: Option<u16>,
    /// What is done with a plan.
    pub mode: PlanMode,
    /// When a day begins.
    pub day_starts_at: DayStart,
    /// What a past block means when nobody said anything.
    pub past: PastPolicy,
}

impl Default for PlanningRules {
    fn default() -> Self {
        Self {
            hours: BTreeMap::new(),
            holidays: BTreeSet::new(),
            look_ahead_days: 14,
            freeze_min: 30,
            buffer_min: 0,
            daily_cap_min: None,
            mode: PlanMode::Propose,
            day_starts_at: DayStart::MIDNIGHT,
            past: PastPolicy::Missed,
        }
    }
}

/// Furthest that is planned ahead, in days.
pub const LOOK_AHEAD_DAYS_MAX: u16 = 60;
/// Most exceptions of one time map, holidays, time maps, and spans of one day.
pub const ENTRIES_MAX: usize = 1_000;

impl PlanningRules {
    /// The hours of a name; the usual ones without a name, which are the user's working hours until others are given. None: no
    /// hours have that name.
    #[must_use]
    pub fn hours_named(&self, name: Option<&str>, working: &WorkingHours) -> Option<TimeMap> {
        let name = name.unwrap_or(USUAL_HOURS);
        self.hours.get(name).cloned().or_else(|| (name == USUAL_HOURS).then(|| TimeMap::from(working)))
    }

    /// What is wrong with settings that somebody gave, with the field's name.
    ///
    /// # Errors
    /// The first fault, in words for who gave them.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=LOOK_AHEAD_DAYS_MAX).contains(&self.look_ahead_days) {
            return Err(format!("look_ahead_days: is not in 1 to {LOOK_AHEAD_DAYS_MAX}"));
        }
        if self.daily_cap_min == Some(0) {
            return Err(
                "daily_cap_min: is nothing; leave it out for no cap, or turn planning off with `mode`".to_owned()
            );
        }
        let spans = |map: &TimeMap| map.weekly.values().chain(map.exceptions.values()).map(Vec::len).max();
        let many = |map: &TimeMap| map.exceptions.len().max(spans(map).unwrap_or(0)) > ENTRIES_MAX;
        if self.hours.len() > ENTRIES_MAX || self.hours.values().any(many) {
            return Err(format!("hours: more than {ENTRIES_MAX} entries"));
        }
        if self.holidays.len() > ENTRIES_MAX {
            return Err(format!("holidays: more than {ENTRIES_MAX} entries"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: &str, to: &str) -> Result<HourSpan, String> {
        HourSpan::try_from((from.to_owned(), to.to_owned()))
    }

    #[test]
    fn a_span_may_end_at_midnight_or_go_on_past_it() {
        assert_eq!(span("18:00", "24:00").map(HourSpan::to_min), Ok(1440));
        assert_eq!(span("22:00", "06:00").map(HourSpan::to_min), Ok(1440 + 360));
        assert_eq!(span("00:00", "00:00").map(HourSpan::to_min), Ok(1440));
        assert!(span("24:00", "25:00").is_err());
    }

    #[test]
    fn an_exception_stands_above_a_holiday_and_a_holiday_above_the_weekday() {
        let nine = span("09:00", "17:00").expect("a span");
        let monday = "2026-05-25".parse().expect("a date");
        let mut map = TimeMap { weekly: [(Weekday::Mon, vec![nine])].into(), ..TimeMap::default() };
        assert_eq!(map.spans(monday, &BTreeSet::new()), [nine]);
        assert_eq!(map.spans(monday, &[monday].into()), []);
        map.exceptions.insert(monday, vec![nine, nine]);
        assert_eq!(map.spans(monday, &[monday].into()).len(), 2);
    }

    #[test]
    fn the_settings_have_defaults_and_survive_their_json() {
        let rules: PlanningRules = serde_json::from_str("{}").expect("defaults");
        assert_eq!((rules.look_ahead_days, rules.freeze_min, rules.mode), (14, 30, PlanMode::Propose));
        let json = serde_json::to_string(&rules).expect("json");
        assert_eq!(serde_json::from_str::<PlanningRules>(&json).expect("again"), rules);
    }

    #[test]
    fn working_hours_until_a_minute_before_midnight_mean_midnight() {
        let hours: WorkingHours = serde_json::from_str(r#"{"mon":[["18:00","23:59"]]}"#).expect("hours");
        let map = TimeMap::from(&hours);
        assert_eq!(map.weekly.get(&Weekday::Mon), Some(&vec![span("18:00", "24:00").expect("a span")]));
    }

    #[test]
    fn hours_without_a_name_are_the_working_hours_until_others_are_given() {
        let working: WorkingHours = serde_json::from_str(r#"{"mon":[["09:00","17:00"]]}"#).expect("hours");
        let mut rules = PlanningRules::default();
        assert_eq!(rules.hours_named(None, &working), Some(TimeMap::from(&working)));
        assert_eq!(rules.hours_named(Some("evening"), &working), None);
        rules.hours.insert(USUAL_HOURS.to_owned(), TimeMap::default());
        assert_eq!(rules.hours_named(None, &working), Some(TimeMap::default()));
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused_by_name() {
        let fault = |rules: PlanningRules| rules.check().err().and_then(|why| Some(why.split_once(':')?.0.to_owned()));
        let plain = PlanningRules::default;
        assert_eq!(fault(plain()), None);
        assert_eq!(fault(PlanningRules { look_ahead_days: 0, ..plain() }).as_deref(), Some("look_ahead_days"));
        assert_eq!(fault(PlanningRules { daily_cap_min: Some(0), ..plain() }).as_deref(), Some("daily_cap_min"));
    }

    #[test]
    fn a_day_begins_before_noon() {
        assert!(DayStart::try_from("04:00".to_owned()).is_ok());
        assert!(DayStart::try_from("12:00".to_owned()).is_err());
    }
}
