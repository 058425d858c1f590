use super::*;
use crate::ical::samples::{date, paris, wall};

fn parse(lines: &[&str], start: &EventTime) -> Result<Recurrence, TextRefused> {
    let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
    parse_recurrence_lines(&lines, start)
}

fn utc(text: &str) -> EventTime {
    EventTime::DateTime { local: wall(text), zone: Zone::Utc }
}

#[test]
fn every_spelling_of_one_occurrence_is_aligned_to_one_time() {
    let start = paris("2026-03-02T09:00:00");
    let monday = paris("2026-03-09T09:00:00");
    let tokyo = EventTime::zoned(wall("2026-03-09T17:00:00"), Tz::Asia__Tokyo);
    let floating = EventTime::DateTime { local: monday.wall(), zone: Zone::Floating };
    for spelling in [monday, utc("2026-03-09T08:00:00"), tokyo, floating, date("2026-03-09")] {
        assert_eq!(align(spelling, &start), monday, "{spelling:?}");
    }
    assert_eq!(align(utc("2026-03-09T08:00:00"), &date("2026-03-02")), date("2026-03-09"));
    assert_eq!(align(monday, &utc("2026-03-02T08:00:00")), utc("2026-03-09T08:00:00"));
}

#[test]
fn a_time_at_the_end_of_the_calendar_stays_as_it_is() {
    let last = utc("9999-12-31T23:30:00");
    assert_eq!(align(last, &paris("2026-03-02T09:00:00")), last);
}

#[test]
fn lines_are_written_and_read_again() {
    let start = paris("2026-03-02T09:00:00");
    let lines = [
        "RRULE:FREQ=WEEKLY;BYDAY=MO",
        "EXRULE:FREQ=MONTHLY",
        "RDATE;TZID=Europe/Paris:20260303T090000,20260304T090000",
        "RDATE;TZID=Europe/Paris;VALUE=PERIOD:20260305T090000/20260305T103000",
        "EXDATE;TZID=Europe/Paris:20260309T090000",
    ];
    let recurrence = parse(&lines, &start).expect("recurrence");
    let facts = crate::domain::event::Facts::new("", start, start);
    let content = EventContent { recurrence, ..EventContent::single(facts) };
    assert_eq!(recurrence_lines(&content), lines);
}

#[test]
fn periods_take_a_length_or_an_end() {
    let start = utc("2026-03-02T08:00:00");
    let read =
        parse(&["RDATE;VALUE=PERIOD:20260303T080000Z/PT1H,20260304T080000Z/20260304T093000Z"], &start).expect("read");
    let ends: Vec<_> = read.added.iter().filter_map(|date| date.end).collect();
    assert_eq!(ends, [utc("2026-03-03T09:00:00"), utc("2026-03-04T09:30:00")]);
}

#[test]
fn a_long_list_is_written_in_lines_that_a_reader_takes() {
    let start = utc("2026-01-01T00:00:00");
    let days = (0..1_000).map(|day| start.with_wall(start.wall() + chrono::Duration::days(day))).collect();
    let facts = crate::domain::event::Facts::new("", start, start);
    let recurrence = Recurrence { excluded: days, ..Recurrence::default() };
    let lines = recurrence_lines(&EventContent { recurrence: recurrence.clone(), ..EventContent::single(facts) });
    assert!(lines.len() == 5 && lines.iter().all(|line| line.len() < 4_000));
    assert_eq!(parse_recurrence_lines(&lines, &start), Ok(recurrence));
}

#[test]
fn the_line_at_fault_is_named_and_not_quoted() {
    let start = paris("2026-03-02T09:00:00");
    let faults = [
        ("RRULE:FREQ=DAILY;INTERVAL=0", "RRULE: INTERVAL"),
        ("RRULE:FREQ=DAILY;COUNT=1;UNTIL=20260101", "RRULE: COUNT and UNTIL"),
        ("RRULE:SECRET", "RRULE: every part"),
        ("EXDATE:SECRET", "EXDATE: a value that is no time"),
        ("RDATE;TZID=SECRET/Place:20260101T000000", "TZID"),
        ("SUMMARY:SECRET", "neither RRULE"),
        ("SECRET", "not a property"),
        ("RRULE:FREQ=DAILY\nSUMMARY:SECRET", "not a property"),
    ];
    for (line, why) in faults {
        let TextRefused(reason) = parse(&["RRULE:FREQ=DAILY", line], &start).expect_err(line);
        assert!(
            reason.starts_with("line 2: ") && reason.contains(why) && !reason.contains("SECRET"),
            "{line}: {reason}"
        );
    }
}

#[test]
fn dates_are_bounded() {
    let start = utc("2026-01-01T00:00:00");
    let line = format!("EXDATE:{}", vec!["20260101T000000Z"; 3_000].join(","));
    let TextRefused(reason) = parse_recurrence_lines(&vec![line; 7], &start).expect_err("refused");
    assert!(reason.contains("more than 20000 dates"), "{reason}");
}
