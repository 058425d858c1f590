use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;
use crate::domain::event::AddedDate;
use crate::domain::time::Zone;

pub(in crate::engine) fn wall(text: &str) -> NaiveDateTime {
    text.parse().expect("a wall time")
}

pub(in crate::engine) fn at(text: &str) -> DateTime<Utc> {
    wall(text).and_utc()
}

pub(in crate::engine) fn paris(text: &str) -> EventTime {
    EventTime::zoned(wall(text), Tz::Europe__Paris)
}

pub(in crate::engine) fn day(text: &str) -> EventTime {
    EventTime::Date(text.parse().expect("a date"))
}

/// A series from one start to one end, by one rule.
pub(in crate::engine) fn series(start: EventTime, end: EventTime, rule: &str) -> EventContent {
    let mut content = EventContent::single(Facts::new("A", start, end));
    content.recurrence.rules.push(rule.to_owned());
    content
}

fn paris_hour(start: &str, rule: &str) -> EventContent {
    let end = wall(start) + Duration::hours(1);
    series(paris(start), EventTime::zoned(end, Tz::Europe__Paris), rule)
}

pub(in crate::engine) fn moved(id: EventTime, start: EventTime, end: EventTime) -> Override {
    Override { recurrence_id: id, facts: Facts::new("B", start, end) }
}

fn window(from: &str, to: &str) -> Window {
    Window { from: at(from), to: at(to) }
}

pub(in crate::engine) fn starts(content: &EventContent, from: &str, to: &str) -> Vec<String> {
    let found = expand(content, window(from, to), Tz::Europe__Paris, &Bounds::default()).expect("an expansion");
    assert!(!found.truncated, "truncated");
    found.occurrences.iter().map(|found| found.start.format("%m-%dT%H:%M").to_string()).collect()
}

#[test]
fn an_hour_stays_when_the_clocks_change() {
    let weekly = paris_hour("2026-03-23T09:00:00", "FREQ=WEEKLY;COUNT=2");
    assert_eq!(starts(&weekly, "2026-01-01T00:00:00", "2027-01-01T00:00:00"), ["03-23T08:00", "03-30T07:00"]);
}

#[test]
fn an_occurrence_in_a_gap_takes_place_an_hour_late_and_lasts_as_long() {
    let daily = paris_hour("2026-03-28T02:30:00", "FREQ=DAILY;COUNT=3");
    let year = window("2026-01-01T00:00:00", "2027-01-01T00:00:00");
    let found = expand(&daily, year, Tz::UTC, &Bounds::default()).expect("an expansion");
    let spans: Vec<_> = found.occurrences.iter().map(|o| (o.start, (o.end - o.start).num_minutes())).collect();
    assert_eq!(
        spans,
        [(at("2026-03-28T01:30:00"), 60), (at("2026-03-29T01:30:00"), 60), (at("2026-03-30T00:30:00"), 60)]
    );
}

#[test]
fn an_hourly_rule_names_no_instant_twice_over_a_gap() {
    let hourly = paris_hour("2026-03-29T01:00:00", "FREQ=HOURLY;COUNT=4");
    let found = starts(&hourly, "2026-03-28T00:00:00", "2026-03-30T00:00:00");
    assert_eq!(found, ["03-29T00:00", "03-29T01:00", "03-29T02:00"]);
}

#[test]
fn a_start_that_its_rule_does_not_name_is_the_first_and_counts() {
    let mondays = paris_hour("2026-01-07T09:00:00", "FREQ=WEEKLY;BYDAY=MO;COUNT=3");
    let found = starts(&mondays, "2026-01-01T00:00:00", "2027-01-01T00:00:00");
    assert_eq!(found, ["01-07T08:00", "01-12T08:00", "01-19T08:00"]);
}

#[test]
fn until_is_inclusive_in_each_of_its_forms() {
    let forms = ["20260716T070000Z", "20260716T090000", "20260716", "20260716T085959", "20260716T065959Z", "20260715"];
    let counts = forms.map(|until| {
        let daily = paris_hour("2026-07-14T09:00:00", &format!("FREQ=DAILY;UNTIL={until}"));
        starts(&daily, "2026-01-01T00:00:00", "2027-01-01T00:00:00").len()
    });
    assert_eq!(counts, [3, 3, 3, 2, 2, 2]);
}

#[test]
fn an_all_day_series_ends_on_the_date_of_its_until() {
    for until in ["20260716", "20260716T000000Z", "20260716T235959"] {
        let daily = series(day("2026-07-14"), day("2026-07-15"), &format!("FREQ=DAILY;UNTIL={until}"));
        let found = starts(&daily, "2026-01-01T00:00:00", "2027-01-01T00:00:00");
        assert_eq!(found, ["07-13T22:00", "07-14T22:00", "07-15T22:00"], "{until}");
    }
}

#[test]
fn exceptions_are_matched_by_instant_whatever_their_spelling() {
    let spellings = [
        paris("2026-07-15T09:00:00"),
        EventTime::utc(at("2026-07-15T07:00:00")),
        EventTime::zoned(wall("2026-07-15T03:00:00"), Tz::America__New_York),
        EventTime::DateTime { local: wall("2026-07-15T09:00:00"), zone: Zone::Floating },
        day("2026-07-15"),
    ];
    for spelling in spellings {
        let mut daily = paris_hour("2026-07-14T09:00:00", "FREQ=DAILY;COUNT=3");
        daily.recurrence.excluded.push(spelling);
        let found = starts(&daily, "2026-01-01T00:00:00", "2027-01-01T00:00:00");
        assert_eq!(found, ["07-14T07:00", "07-16T07:00"], "EXDATE {spelling:?}");
        daily.recurrence.excluded.clear();
        daily.overrides.push(moved(spelling, paris("2026-08-01T09:00:00"), paris("2026-08-01T10:00:00")));
        let found = starts(&daily, "2026-01-01T00:00:00", "2027-01-01T00:00:00");
        assert_eq!(found, ["07-14T07:00", "07-16T07:00", "08-01T07:00"], "RECURRENCE-ID {spelling:?}");
        assert!(is_occurrence(&daily, &spelling, Tz::UTC, &Bounds::default()));
    }
}

#[test]
fn an_override_is_where_it_was_moved_to() {
    let mut daily = paris_hour("2026-07-01T09:00:00", "FREQ=DAILY;COUNT=9");
    daily.overrides = vec![
        moved(paris("2026-07-02T09:00:00"), paris("2026-09-02T09:00:00"), paris("2026-09-02T10:00:00")),
        moved(paris("2026-07-08T09:00:00"), paris("2026-07-03T15:00:00"), paris("2026-07-03T16:00:00")),
    ];
    let july = starts(&daily, "2026-07-02T00:00:00", "2026-07-04T00:00:00");
    assert_eq!(july, ["07-03T07:00", "07-03T13:00"]);
    assert_eq!(starts(&daily, "2026-09-01T00:00:00", "2026-10-01T00:00:00"), ["09-02T07:00"]);
    assert!(starts(&daily, "2026-07-08T00:00:00", "2026-07-09T00:00:00").is_empty());
}

#[test]
fn a_cancelled_override_removes_and_one_without_occurrence_is_shown() {
    let mut daily = paris_hour("2026-07-01T09:00:00", "FREQ=DAILY;COUNT=2");
    daily.overrides = vec![
        moved(paris("2026-07-02T09:00:00"), paris("2026-07-02T09:00:00"), paris("2026-07-02T10:00:00")),
        moved(paris("2026-07-20T09:00:00"), paris("2026-07-20T09:00:00"), paris("2026-07-20T10:00:00")),
    ];
    assert_eq!(starts(&daily, "2026-07-01T00:00:00", "2026-08-01T00:00:00").len(), 3);
    daily.overrides[0].facts.status = EventStatus::Cancelled;
    assert_eq!(starts(&daily, "2026-07-01T00:00:00", "2026-08-01T00:00:00"), ["07-01T07:00", "07-20T07:00"]);
    assert!(!is_occurrence(&daily, &paris("2026-07-02T09:00:00"), Tz::UTC, &Bounds::default()));
}

#[test]
fn a_period_brings_its_own_end() {
    let mut daily = paris_hour("2026-07-01T09:00:00", "FREQ=DAILY;COUNT=1");
    daily.recurrence.added = vec![
        AddedDate { start: paris("2026-07-05T09:00:00"), end: Some(paris("2026-07-05T12:00:00")) },
        AddedDate { start: EventTime::utc(at("2026-07-06T07:00:00")), end: None },
    ];
    let july = window("2026-07-01T00:00:00", "2026-08-01T00:00:00");
    let found = expand(&daily, july, Tz::UTC, &Bounds::default()).expect("an expansion");
    let ends: Vec<_> = found.occurrences.iter().map(|found| found.facts.end).collect();
    assert_eq!(ends, [paris("2026-07-01T10:00:00"), paris("2026-07-05T12:00:00"), paris("2026-07-06T10:00:00")]);
}

#[test]
fn without_a_master_only_what_was_given_is_shown() {
    let mut detached = paris_hour("2026-07-02T11:00:00", "FREQ=DAILY");
    detached.detached_from = Some(paris("2026-07-02T09:00:00"));
    detached.overrides =
        vec![moved(paris("2026-07-05T09:00:00"), paris("2026-07-05T12:00:00"), paris("2026-07-05T13:00:00"))];
    let found = starts(&detached, "2026-01-01T00:00:00", "2027-01-01T00:00:00");
    assert_eq!(found, ["07-02T09:00", "07-05T10:00"]);
    assert!(is_occurrence(&detached, &paris("2026-07-02T09:00:00"), Tz::UTC, &Bounds::default()));
    assert!(!is_occurrence(&detached, &paris("2026-07-03T09:00:00"), Tz::UTC, &Bounds::default()));
}

#[test]
fn an_occurrence_that_began_before_the_window_is_in_it() {
    let long = series(day("2026-01-01"), day("2026-01-11"), "FREQ=MONTHLY");
    assert_eq!(starts(&long, "2026-06-05T00:00:00", "2026-06-06T00:00:00"), ["05-31T22:00"]);
    assert!(starts(&long, "2026-06-12T00:00:00", "2026-06-13T00:00:00").is_empty());
}

#[test]
fn hostile_rules_stop_at_a_bound() {
    let year = window("2026-01-01T00:00:00", "2027-01-01T00:00:00");
    let upto = |last: u32| (0..=last).map(|value| value.to_string()).collect::<Vec<_>>().join(",");
    let every = format!("BYHOUR={};BYMINUTE={};BYSECOND={}", upto(23), upto(59), upto(59));
    for (rule, truncated, some) in [
        ("FREQ=SECONDLY".to_owned(), true, true),
        ("FREQ=SECONDLY;COUNT=4000000000".to_owned(), true, true),
        ("FREQ=SECONDLY;BYDAY=MO;COUNT=4000000000".to_owned(), true, false),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30".to_owned(), false, false),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3".to_owned(), false, false),
        ("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30".to_owned(), false, false),
        ("FREQ=SECONDLY;INTERVAL=2;BYSECOND=1".to_owned(), true, false),
        (format!("FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;{every}"), true, true),
        (format!("FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;{every};BYSETPOS=-1"), false, true),
    ] {
        let start = EventTime::utc(at("1970-01-01T00:00:00"));
        let found = series(start, start, &rule);
        let found = expand(&found, year, Tz::UTC, &Bounds::default()).expect(&rule);
        assert_eq!((found.truncated, !found.occurrences.is_empty()), (truncated, some), "{rule}");
        assert!(found.occurrences.len() <= Bounds::default().instances_max);
    }
}

#[test]
fn rules_that_cannot_be_right_are_refused_and_say_where() {
    for (rule, part) in [
        ("", "FREQ"),
        ("INTERVAL=1", "FREQ"),
        ("FREQ=FORTNIGHTLY", "FREQ"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=99999999999999999999", "INTERVAL"),
        ("FREQ=YEARLY;INTERVAL=10000", "INTERVAL"),
        ("FREQ=DAILY;COUNT=0", "COUNT"),
        ("FREQ=DAILY;COUNT=-1", "COUNT"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20260230", "UNTIL"),
        ("FREQ=WEEKLY;BYDAY=éO", "RRULE"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=2MO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=99999MO", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=MO=;COUNT=3", "BYDAY"),
        ("FREQ=MONTHLY;BYYEARDAY=14", "BYYEARDAY"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR"),
        ("FREQ=DAILY;BYHOUR=-1", "BYHOUR"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ"),
        ("FREQ=YEARLY;BYEASTER=0", "BYEASTER"),
        ("FREQ=YEARLY;X-SECRET=Ada", "RRULE"),
        ("RSCALE=HEBREW;FREQ=YEARLY", "RSCALE"),
        ("FREQ=MONTHLY;SKIP=FORWARD", "SKIP"),
    ] {
        let refused = validate_rule(rule).expect_err(rule);
        assert_eq!(refused.part, part, "{rule}");
        assert!(!refused.to_string().contains("Ada"));
    }
    assert_eq!(validate_rule(" freq=weekly;byday=mo,+1tu; "), Ok(()));
    let shown = series(day("2026-01-01"), day("2026-01-02"), "FREQ=HOURLY");
    let refused = expand(&shown, calendar(), Tz::UTC, &Bounds::default()).expect_err("an all-day event by the hour");
    assert_eq!(refused.part, "FREQ");
}

#[test]
fn a_span_holds_every_occurrence_and_is_open_where_the_rule_is() {
    let open = paris_hour("2026-07-01T09:00:00", "FREQ=DAILY");
    assert_eq!(span(&open, Tz::UTC), (at("2026-07-01T07:00:00"), None));
    let mut ended = paris_hour("2026-07-01T09:00:00", "FREQ=MONTHLY;BYDAY=1WE;COUNT=3");
    ended.overrides.push(moved(
        paris("2026-08-05T09:00:00"),
        paris("2026-06-01T09:00:00"),
        paris("2026-06-01T10:00:00"),
    ));
    let (first, last) = span(&ended, Tz::UTC);
    assert_eq!(first, at("2026-06-01T07:00:00"));
    let last = last.expect("an end");
    assert!(last >= at("2026-09-02T08:00:00") && last <= at("2026-09-04T08:00:00"), "{last}");
    let single = EventContent::single(open.facts.clone());
    assert_eq!(span(&single, Tz::UTC), (at("2026-07-01T07:00:00"), Some(at("2026-07-01T08:00:00"))));
}

#[test]
fn a_count_that_the_calendar_cuts_short_is_reported() {
    let rule = "FREQ=YEARLY;INTERVAL=5000;COUNT=3";
    let content = paris_hour("2026-07-01T09:00:00", rule);
    let all = expand(&content, calendar(), Tz::UTC, &Bounds::default()).expect("an expansion");
    assert_eq!((all.occurrences.len(), all.truncated), (2, true));
    let year = window("2026-01-01T00:00:00", "2027-01-01T00:00:00");
    let near = expand(&content, year, Tz::UTC, &Bounds::default()).expect("an expansion");
    assert_eq!((near.occurrences.len(), near.truncated), (1, false));
}

#[test]
fn a_time_at_the_end_of_time_is_refused_not_computed() {
    let far = EventTime::utc(DateTime::<Utc>::MAX_UTC);
    let beyond = series(far, far, "FREQ=DAILY");
    let found = expand(&beyond, calendar(), Tz::UTC, &Bounds::default());
    assert_eq!(found.expect_err("too far").part, "DTSTART");
    let mut near = paris_hour("2026-07-01T09:00:00", "FREQ=DAILY;COUNT=2");
    near.recurrence.excluded.push(far);
    near.recurrence.added.push(AddedDate { start: far, end: Some(far) });
    near.overrides.push(moved(far, far, far));
    let all = Window { from: DateTime::<Utc>::MIN_UTC, to: DateTime::<Utc>::MAX_UTC };
    assert_eq!(expand(&near, all, Tz::Europe__Paris, &Bounds::default()).expect("an expansion").occurrences.len(), 2);
    assert!(!is_occurrence(&near, &EventTime::utc(DateTime::<Utc>::MIN_UTC), Tz::UTC, &Bounds::default()));
    span(&near, Tz::UTC);
}

/// Rules that the RFC allows, of every frequency and most combinations.
pub(in crate::engine) fn rules() -> impl Strategy<Value = String> {
    let list = |name: &'static str, values: std::ops::RangeInclusive<i32>| {
        prop::option::weighted(0.25, prop::collection::vec(values.prop_filter("no zero", |v| *v != 0), 1..4)).prop_map(
            move |values| match values {
                Some(values) => {
                    let values: Vec<_> = values.iter().map(ToString::to_string).collect();
                    format!(";{name}={}", values.join(","))
                }
                None => String::new(),
            },
        )
    };
    let days =
        prop::option::weighted(0.3, prop::collection::vec(prop::sample::select(vec!["MO", "TU", "WE", "SA"]), 1..3))
            .prop_map(|days| days.map_or_else(String::new, |days| format!(";BYDAY={}", days.join(","))));
    let end = prop_oneof![
        2 => Just(String::new()),
        2 => (1..40_u32).prop_map(|count| format!(";COUNT={count}")),
        1 => (1..13_u32).prop_map(|month| format!(";UNTIL=2027{month:02}15T120000Z")),
    ];
    let freq = prop::sample::select(vec!["YEARLY", "MONTHLY", "MONTHLY", "WEEKLY", "WEEKLY", "DAILY", "HOURLY"]);
    (
        freq,
        1..4_u32,
        days,
        list("BYMONTHDAY", -28..=28),
        list("BYMONTH", 1..=12),
        list("BYHOUR", 1..=23),
        list("BYSETPOS", -3..=3),
        end,
    )
        .prop_map(|(freq, interval, days, month_days, months, hours, positions, end)| {
            let month_days = if freq == "WEEKLY" { String::new() } else { month_days };
            format!("FREQ={freq};INTERVAL={interval}{days}{month_days}{months}{hours}{positions}{end}")
        })
}

/// Starts of every kind: a zone with clock changes, UTC, floating and all day.
pub(in crate::engine) fn times() -> impl Strategy<Value = (EventTime, EventTime)> {
    let wall = (0..730_i64, 0..96_i64).prop_map(|(days, quarters)| {
        wall("2025-01-01T00:00:00") + Duration::days(days) + Duration::minutes(quarters * 15)
    });
    (wall, 0..4_u8, 0..50_i64).prop_map(|(start, kind, hours)| {
        let like = match kind {
            0 => EventTime::Date(NaiveDate::default()),
            1 => EventTime::zoned(start, Tz::Europe__Paris),
            2 => EventTime::DateTime { local: start, zone: Zone::Floating },
            _ => EventTime::utc(start.and_utc()),
        };
        (like.with_wall(start), like.with_wall(start + Duration::hours(hours)))
    })
}

fn all_starts(content: &EventContent, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Vec<DateTime<Utc>>> {
    let found = expand(content, Window { from, to }, Tz::Europe__Paris, &Bounds::default()).ok()?;
    (!found.truncated).then(|| found.occurrences.iter().map(|found| found.start).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_rule_or_refused(text in "(FREQ=(DAILY|WEEKLY|YEARLY|SECONDLY);)?[A-Z0-9=;,é+\\-]{0,40}", any in ".{0,60}") {
        for rule in [text, any] {
            if validate_rule(&rule).is_ok() {
                let start = EventTime::utc(at("2020-02-29T12:00:00"));
                let bounds = Bounds { instances_max: 50, steps_max: 50_000 };
                let content = series(start, start, &rule);
                let spring = window("2026-01-01T00:00:00", "2026-03-01T00:00:00");
                prop_assert!(expand(&content, spring, Tz::UTC, &bounds).is_ok());
            }
        }
    }

    #[test]
    fn occurrences_are_ordered_and_in_the_window(rule in rules(), (start, end) in times(), from in 0..900_i64, days in 1..400_i64) {
        let content = series(start, end, &rule);
        let from = at("2024-12-01T00:00:00") + Duration::days(from);
        let window = Window { from, to: from + Duration::days(days) };
        if let Ok(found) = expand(&content, window, Tz::Europe__Paris, &Bounds::default()) {
            prop_assert!(found.occurrences.is_sorted_by(|one, next| one.start < next.start));
            for found in &found.occurrences {
                prop_assert!(window.touches(found.start, found.end));
                let id = found.recurrence_id.expect("a series has ids");
                prop_assert_eq!(found.facts.start, id);
                prop_assert!(is_occurrence(&content, &id, Tz::Europe__Paris, &Bounds::default()));
            }
            let (first, last) = span(&content, Tz::Europe__Paris);
            prop_assert!(found.occurrences.iter().all(|o| first <= o.start && last.is_none_or(|last| o.end <= last)));
        }
    }

    #[test]
    fn two_windows_hold_what_one_does(rule in rules(), (start, end) in times(), from in 0..900_i64, a in 1..200_i64, b in 1..200_i64) {
        let content = series(start, end, &rule);
        let from = at("2024-12-01T05:00:00") + Duration::days(from);
        let (middle, to) = (from + Duration::days(a), from + Duration::days(a + b));
        let parts = (all_starts(&content, from, middle), all_starts(&content, middle, to), all_starts(&content, from, to));
        if let (Some(before), Some(after), Some(whole)) = parts {
            let mut both = [before, after].concat();
            both.sort_unstable();
            both.dedup();
            prop_assert_eq!(both, whole);
        }
    }

    #[test]
    fn a_window_far_ahead_holds_what_walking_there_finds(rule in rules(), (start, end) in times(), ahead in 0..3_000_i64) {
        let content = series(start, end, &rule);
        let from = at("2026-12-01T05:00:00") + Duration::days(ahead);
        let bounds = Bounds { instances_max: 200_000, steps_max: 50_000_000 };
        let window = Window { from, to: from + Duration::days(60) };
        if let Ok(far) = expand(&content, window, Tz::Europe__Paris, &bounds) {
            let all = Window { from: at("2024-01-01T00:00:00"), to: window.to };
            let all = expand(&content, all, Tz::Europe__Paris, &bounds).expect("an expansion").occurrences;
            let all: Vec<_> = all.into_iter().filter(|found| window.touches(found.start, found.end)).collect();
            prop_assert_eq!(far.occurrences, all);
        }
    }
}
