//! Where the dates of awkward zones begin: the shared cases, each checked as a begin, as a day's length, as a night shift and as
//! a change of day that happens once.

use calwarden::domain::time::Window;
use calwarden::engine::{
    day::{Days, reached},
    rollover::{due, next_alarm},
};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::support::corpora;

#[derive(Deserialize)]
struct Shared {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    tz: Tz,
    date: NaiveDate,
    why: String,
    rollover_utc: Option<DateTime<Utc>>,
    local: Option<DateTime<chrono::FixedOffset>>,
    date_change_instants: Vec<String>,
    day_hours: Option<f64>,
    night_shift_22_06_hours: Option<f64>,
}

fn cases() -> Vec<Case> {
    let path = corpora().join("../planning/rollover_cases.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let shared: Shared = serde_json::from_str(&text).expect("the shared cases");
    assert_eq!(shared.cases.len(), 26, "all of them");
    shared.cases
}

#[expect(clippy::cast_possible_truncation, reason = "some hours")]
fn minutes(hours: f64) -> i64 {
    (hours * 60.0) as i64
}

#[test]
fn a_date_begins_where_the_shared_cases_say_and_only_once() {
    for case in cases() {
        let (days, name) = (Days::of(case.tz), format!("{} {}: {}", case.tz, case.date, case.why));
        let begin = days.start(case.date);
        assert_eq!(begin, case.rollover_utc, "{name}");
        let Some(begin) = begin else { continue };
        let local = case.local.expect("a begin has a clock");
        assert_eq!(days.wall(begin), local.naive_local(), "{name}");
        // The day before may not exist, so it is looked for.
        let before = days.date(begin - TimeDelta::seconds(1));
        assert!(before < case.date, "{name}");
        assert_eq!(next_alarm(days, before), Some(begin), "{name}");
        assert_eq!(due(days, before, begin - TimeDelta::seconds(1)), None, "{name}: a second early");
        assert_eq!(due(days, before, begin).map(|turn| (turn.to, turn.began)), Some((case.date, begin)), "{name}");
        for change in &case.date_change_instants {
            let time = NaiveTime::parse_from_str(change, "%H:%M:%SZ").expect("a time");
            let again = begin.date_naive().and_time(time).and_utc();
            assert_eq!(due(days, case.date, again), None, "{name}: a second time at {again}");
        }
    }
}

#[test]
fn days_and_nights_are_as_long_as_the_shared_cases_say() {
    let mut nights = 0;
    for case in cases() {
        let (days, name) = (Days::of(case.tz), format!("{} {}: {}", case.tz, case.date, case.why));
        let length = days.span(case.date).map(|day| day.length().num_minutes());
        assert_eq!(length, case.day_hours.map(minutes), "{name}");
        let Some(hours) = case.night_shift_22_06_hours else { continue };
        let at =
            |date: NaiveDate, hour| reached(date.and_hms_opt(hour, 0, 0).expect("a time"), case.tz).expect("reached");
        let evening = case.date.pred_opt().expect("a date");
        let night = Window { from: at(evening, 22), to: at(case.date, 6) };
        assert_eq!(night.length().num_minutes(), minutes(hours), "{name}");
        nights += 1;
    }
    assert_eq!(nights, 24);
}
