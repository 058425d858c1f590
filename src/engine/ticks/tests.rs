use chrono::{NaiveTime, TimeDelta};
use chrono_tz::Tz;

use super::*;
use crate::{domain::working_hours::HourSpan, engine::scheduling::without};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// The ticks of open days as one list.
fn window_set(open: &[OpenDay]) -> Vec<TickSpan> {
    merged(open.iter().flat_map(|day| day.spans.iter().copied()))
}

/// The same hours on every day.
fn daily(from: &str, to: &str) -> TimeMap {
    let span = HourSpan::try_from((from.to_owned(), to.to_owned())).expect("a span");
    let weekly = crate::domain::person::Weekday::ALL.iter().map(|day| (*day, vec![span])).collect();
    TimeMap { weekly, ..TimeMap::default() }
}

fn quarters(zone: Tz, now: &str, look_ahead_days: u16) -> (Days, Axis) {
    let days = Days::of(zone);
    (days, Axis::ahead(days, at(now), look_ahead_days, Grid::Quarter))
}

fn hours_of_night(zone: Tz, evening: &str) -> TimeDelta {
    let days = Days::of(zone);
    let noon = date(evening).and_time(NaiveTime::from_hms_opt(12, 0, 0).expect("noon"));
    let from = reached(noon, zone).expect("noon is reached");
    let found =
        work_days(days, &daily("22:00", "06:00"), &BTreeSet::new(), Window { from, to: from + TimeDelta::hours(24) });
    let [night] = found.as_slice() else { panic!("one night: {found:?}") };
    assert_eq!(night.date, date(evening), "a night belongs to the date it begins on");
    night.windows.iter().fold(TimeDelta::zero(), |sum, window| sum + window.length())
}

#[test]
fn a_night_shift_is_as_long_as_it_really_is() {
    let nights = [
        (Tz::Europe__Berlin, "2026-03-28", 7 * 60),
        (Tz::Europe__Berlin, "2026-10-24", 9 * 60),
        (Tz::Europe__Berlin, "2026-06-24", 8 * 60),
        (Tz::Africa__Cairo, "2026-04-23", 7 * 60),
        (Tz::Africa__Cairo, "2026-10-29", 9 * 60),
        (Tz::America__Nuuk, "2026-03-28", 7 * 60),
        (Tz::Australia__Lord_Howe, "2026-04-04", 8 * 60 + 30),
        (Tz::Australia__Lord_Howe, "2026-10-03", 7 * 60 + 30),
        (Tz::Pacific__Apia, "2011-12-29", 2 * 60),
    ];
    for (zone, evening, minutes) in nights {
        assert_eq!(hours_of_night(zone, evening).num_minutes(), minutes, "{zone} {evening}");
    }
}

#[test]
fn a_night_of_ticks_has_four_less_in_spring_and_four_more_in_autumn() {
    for (now, ticks) in [("2026-03-28T08:00:00Z", 28), ("2026-10-24T08:00:00Z", 36), ("2026-06-24T08:00:00Z", 32)] {
        let (days, axis) = quarters(Tz::Europe__Berlin, now, 2);
        let open = axis.open(days, &daily("22:00", "06:00"), &PlanningRules::default());
        let night = open.iter().find(|day| day.date == days.date(at(now))).expect("tonight");
        assert_eq!(night.spans.iter().map(|span| span.len()).sum::<u32>(), ticks, "{now}");
        assert_eq!(night.spans.first().map(|span| span.start), Some(88), "22:00 is 88 quarters after midnight");
    }
}

#[test]
fn a_day_of_23_or_25_hours_has_so_many_ticks_and_its_office_hours_keep_their_clock() {
    for (now, ticks, nine) in [("2026-03-29T00:30:00Z", 92, 32), ("2026-10-25T00:30:00Z", 100, 40)] {
        let (days, axis) = quarters(Tz::Europe__Berlin, now, 1);
        assert_eq!(axis.ticks(), ticks);
        let open = axis.open(days, &daily("09:00", "17:00"), &PlanningRules::default());
        assert_eq!(window_set(&open), [TickSpan { start: nine, end: nine + 32 }], "{now}");
        assert_eq!(days.wall(axis.instant(nine)).time(), NaiveTime::from_hms_opt(9, 0, 0).expect("nine"));
    }
}

#[test]
fn hours_that_begin_or_end_in_a_gap_begin_or_end_with_it() {
    let (days, axis) = quarters(Tz::Europe__Berlin, "2026-03-28T23:30:00Z", 1);
    let rules = PlanningRules::default();
    let set = |from, to| window_set(&axis.open(days, &daily(from, to), &rules));
    let gap = 8;
    assert_eq!(set("01:00", "02:30"), [TickSpan { start: 4, end: gap }]);
    assert_eq!(set("02:30", "04:00"), [TickSpan { start: gap, end: gap + 4 }]);
    assert_eq!(set("02:10", "02:50"), [], "the clock shows none of it");
}

#[test]
fn of_hours_that_the_clock_shows_twice_the_first_are_meant() {
    let (days, axis) = quarters(Tz::Europe__Berlin, "2026-10-24T22:30:00Z", 1);
    let rules = PlanningRules::default();
    let set = |from, to| window_set(&axis.open(days, &daily(from, to), &rules));
    assert_eq!(set("02:00", "02:30"), [TickSpan { start: 8, end: 10 }]);
    assert_eq!(set("02:30", "03:00"), [TickSpan { start: 10, end: 16 }], "an hour and a half until three");
}

#[test]
fn ticks_and_instants_map_onto_each_other_over_a_clock_change() {
    for zone in [Tz::Europe__Berlin, Tz::Australia__Lord_Howe, Tz::Asia__Kathmandu, Tz::America__Havana] {
        for grid in [Grid::Five, Grid::Quarter] {
            let axis = Axis::ahead(Days::of(zone), at("2026-10-20T09:07:00Z"), 14, grid);
            for tick in 0..=axis.ticks() {
                let instant = axis.instant(tick);
                assert_eq!((axis.down(instant), axis.up(instant)), (i64::from(tick), i64::from(tick)));
                let second = TimeDelta::seconds(1);
                assert_eq!(axis.down(instant - second), i64::from(tick) - 1);
                assert_eq!(axis.up(instant + second), i64::from(tick) + 1);
            }
            let span = TickSpan { start: 3, end: 70 };
            assert_eq!(axis.inwards(axis.window(span)), Some(span));
            assert_eq!(axis.outwards(axis.window(span)), Some(span));
        }
    }
}

#[test]
fn what_is_busy_is_rounded_outwards_and_what_is_free_inwards() {
    let (_, axis) = quarters(Tz::UTC, "2026-05-04T08:00:00Z", 1);
    let odd = Window { from: at("2026-05-04T09:05:00Z"), to: at("2026-05-04T10:10:00Z") };
    assert_eq!(axis.outwards(odd), Some(TickSpan { start: 36, end: 41 }));
    assert_eq!(axis.inwards(odd), Some(TickSpan { start: 37, end: 40 }));
    let moment = Window { from: odd.from, to: odd.from };
    assert_eq!(axis.outwards(moment), None);
    assert_eq!(axis.busy([moment].into_iter(), 30), [], "a moment keeps nothing free around it either");
}

#[test]
fn busy_time_is_cut_to_the_axis_joined_and_kept_apart_by_the_buffer() {
    let (_, axis) = quarters(Tz::UTC, "2026-05-04T08:00:00Z", 1);
    let stretch = |from, to| Window { from: at(from), to: at(to) };
    let stretches = [
        stretch("2026-05-04T12:00:00Z", "2026-05-04T13:00:00Z"),
        stretch("2026-05-03T22:00:00Z", "2026-05-04T01:00:00Z"),
        stretch("2026-05-04T12:30:00Z", "2026-05-04T14:00:00Z"),
        stretch("2026-05-06T12:30:00Z", "2026-05-06T14:00:00Z"),
    ];
    let plain = axis.busy(stretches.into_iter(), 0);
    assert_eq!(plain, [TickSpan { start: 0, end: 4 }, TickSpan { start: 48, end: 56 }]);
    let wide = axis.busy(stretches.into_iter(), 10);
    assert_eq!(wide, [TickSpan { start: 0, end: 5 }, TickSpan { start: 47, end: 57 }]);
}

#[test]
fn free_time_is_the_windows_without_what_is_busy() {
    let span = |start, end| TickSpan { start, end };
    let windows = [span(0, 10), span(20, 30), span(40, 44)];
    let busy = [span(2, 4), span(8, 22), span(29, 50)];
    assert_eq!(without(&windows, &busy), [span(0, 2), span(4, 8), span(22, 29)]);
    assert_eq!(without(&windows, &[]), windows);
}

#[test]
fn a_holiday_closes_its_own_date_and_not_the_night_that_began_before() {
    let (days, axis) = quarters(Tz::Europe__Berlin, "2026-05-04T08:00:00Z", 3);
    let rules = PlanningRules { holidays: [date("2026-05-05")].into(), ..PlanningRules::default() };
    let open = axis.open(days, &daily("22:00", "06:00"), &rules);
    let dates: Vec<_> = open.iter().map(|day| (day.date.to_string(), day.spans.clone())).collect();
    let span = |start, end| vec![TickSpan { start, end }];
    assert_eq!(
        dates,
        [
            ("2026-05-03".to_owned(), span(0, 24)),
            ("2026-05-04".to_owned(), span(88, 120)),
            ("2026-05-06".to_owned(), span(280, 288)),
        ]
    );
}

#[test]
fn an_exception_replaces_the_hours_of_its_date() {
    let (days, axis) = quarters(Tz::Europe__Berlin, "2026-05-04T08:00:00Z", 2);
    let mut map = daily("09:00", "17:00");
    let short = HourSpan::try_from(("10:00".to_owned(), "12:00".to_owned())).expect("a span");
    map.exceptions.insert(date("2026-05-05"), vec![short]);
    let set = window_set(&axis.open(days, &map, &PlanningRules::default()));
    assert_eq!(set, [TickSpan { start: 36, end: 68 }, TickSpan { start: 136, end: 144 }]);
}
