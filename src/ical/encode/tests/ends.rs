//! When an event begins and ends, judged on the bytes by a reader of its own: nothing here repairs anything.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::*;

/// What a line of time says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Date(NaiveDate),
    Floating(NaiveDateTime),
    At(DateTime<Utc>),
}

/// The properties of each `VEVENT`, alarms left out: name with parameters, and value.
fn events(bytes: &[u8]) -> Vec<Vec<(String, String)>> {
    let unfolded = text(bytes).replace("\r\n ", "").replace("\n ", "");
    let (mut events, mut open) = (Vec::new(), Vec::<String>::new());
    for line in unfolded.lines() {
        let (name, value) = line.split_once(':').expect("a content line");
        match name {
            "BEGIN" => {
                open.push(value.to_owned());
                if value == "VEVENT" {
                    events.push(Vec::new());
                }
            }
            "END" => assert_eq!(open.pop().as_deref(), Some(value)),
            _ if open.last().is_some_and(|inner| inner == "VEVENT") => {
                events.last_mut().expect("an event").push((name.to_owned(), value.to_owned()));
            }
            _ => {}
        }
    }
    events
}

fn said((name, value): &(String, String)) -> Said {
    let params: Vec<_> = name.split(';').skip(1).collect();
    if params.contains(&"VALUE=DATE") {
        assert!(value.len() == 8, "{name}:{value}");
        return Said::Date(NaiveDate::parse_from_str(value, "%Y%m%d").expect("a date"));
    }
    let wall = |text: &str| NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").expect("a date and time");
    if let Some(utc) = value.strip_suffix('Z') {
        return Said::At(wall(utc).and_utc());
    }
    match params.iter().find_map(|param| param.strip_prefix("TZID=")) {
        None => Said::Floating(wall(value)),
        Some(tzid) => {
            let tz: Tz = tzid.parse().expect("a zone of the database");
            Said::At(tz.from_local_datetime(&wall(value)).earliest().expect("no gap").with_timezone(&Utc))
        }
    }
}

/// What is wrong with an event's times.
fn wrong(event: &[(String, String)]) -> Option<&'static str> {
    let all = |wanted: &'static str| event.iter().filter(move |(name, _)| name.split(';').next() == Some(wanted));
    let (starts, ends, durations) = (all("DTSTART").count(), all("DTEND").count(), all("DURATION").count());
    if starts != 1 || ends + durations > 1 {
        return Some("one DTSTART, one of DTEND and DURATION at most");
    }
    let start = all("DTSTART").next().map(said)?;
    if let Some((_, duration)) = all("DURATION").next() {
        let days = matches!(start, Said::Date(_));
        return (duration.contains(['0', '-']) || (days && duration.contains('T'))).then_some("DURATION");
    }
    match (start, all("DTEND").next().map(said)) {
        (_, None) => None,
        (Said::Date(start), Some(Said::Date(end))) => (end <= start).then_some("a day that ends before it begins"),
        (Said::Floating(start), Some(Said::Floating(end))) => (end <= start).then_some("DTEND is not later"),
        (Said::At(start), Some(Said::At(end))) => (end <= start).then_some("DTEND is not later"),
        _ => Some("DTSTART and DTEND of two types"),
    }
}

fn judge(bytes: &[u8]) {
    let events = events(bytes);
    assert!(!events.is_empty());
    for event in &events {
        assert_eq!(wrong(event), None, "{}", text(bytes));
    }
    let kind = |event: &[(String, String)], wanted: &str| {
        let line = event.iter().find(|(name, _)| name.split(';').next() == Some(wanted));
        line.map(|line| matches!(said(line), Said::Date(_)))
    };
    let master = events.iter().find(|event| kind(event, "RECURRENCE-ID").is_none());
    for event in &events {
        if let (Some(id), Some(master)) = (kind(event, "RECURRENCE-ID"), master) {
            assert_eq!(Some(id), kind(master, "DTSTART"), "{}", text(bytes));
        }
    }
}

/// The bytes after an edit, which reads as wanted and is right to the letter.
fn after(raw: &str, change: impl FnOnce(&mut EventContent)) -> String {
    let mut wanted = read(raw.as_bytes());
    change(&mut wanted);
    let result = edit(raw.as_bytes(), &wanted, stamp()).expect("edited");
    assert_eq!(read(&result), canonical::canonical(&wanted));
    judge(&result);
    text(&result)
}

fn later(time: &EventTime, by: Duration) -> EventTime {
    time.with_wall(time.wall() + by)
}

#[test]
fn a_whole_day_that_moves_takes_its_end_along() {
    let raw = calendar(&vevent("DTSTART;VALUE=DATE:20260301\nDTEND;VALUE=DATE:20260302\nSUMMARY:Fair"));
    let moved = after(&raw, |content| {
        content.facts.start = later(&content.facts.start, Duration::days(3));
        content.facts.end = later(&content.facts.end, Duration::days(3));
    });
    assert!(moved.contains("DTSTART;VALUE=DATE:20260304\r\nDTEND;VALUE=DATE:20260305\r\n"), "{moved}");
}

#[test]
fn an_occurrence_of_a_whole_day_series_ends_after_it_begins() {
    let raw =
        calendar(&vevent("DTSTART;VALUE=DATE:20260301\nDTEND;VALUE=DATE:20260302\nRRULE:FREQ=DAILY\nSUMMARY:Fair"));
    let renamed = after(&raw, |content| {
        let (start, end) = (date("2026-03-08"), date("2026-03-09"));
        let facts = Facts { start, end, title: "Last day".to_owned(), ..content.facts.clone() };
        content.overrides.push(Override { recurrence_id: start, facts });
    });
    let line = "RECURRENCE-ID;VALUE=DATE:20260308\r\nDTSTART;VALUE=DATE:20260308\r\nDTEND;VALUE=DATE:20260309\r\n";
    assert!(renamed.contains(line), "{renamed}");
    let moved = after(&renamed, |content| {
        let later = |time: &EventTime| later(time, Duration::days(20));
        (content.facts.start, content.facts.end) = (later(&content.facts.start), later(&content.facts.end));
    });
    assert!(moved.contains("DTSTART;VALUE=DATE:20260321\r\nDTEND;VALUE=DATE:20260322\r\n"), "{moved}");
}

#[test]
fn a_moment_has_no_end_and_keeps_the_one_it_came_with() {
    let moment = Facts::new("Call", paris("2026-03-01T09:00:00"), paris("2026-03-01T09:00:00"));
    let made = create(&one(), &EventContent::single(moment), stamp());
    judge(&made);
    assert!(!text(&made).contains("DTEND") && !text(&made).contains("DURATION"), "{}", text(&made));
    let raw = calendar(&vevent("DTSTART:20260301T090000Z\nDTEND:20260301T090000Z\nSUMMARY:Call"));
    let mut wanted = read(raw.as_bytes());
    wanted.facts.title = "Later".to_owned();
    let renamed = text(&edit(raw.as_bytes(), &wanted, stamp()).expect("edited"));
    assert!(renamed.contains("DTSTART:20260301T090000Z\r\nDTEND:20260301T090000Z\r\n"), "not ours to mend:\n{renamed}");
    let moved = after(&raw, |content| {
        content.facts.start = later(&content.facts.start, Duration::hours(1));
        content.facts.end = content.facts.start;
    });
    assert!(!moved.contains("DTEND"), "{moved}");
    let longer = after(&moved, |content| content.facts.end = later(&content.facts.end, Duration::hours(2)));
    assert!(longer.contains("DTEND:20260301T120000Z\r\n"), "{longer}");
    let shorter = after(&longer, |content| content.facts.end = content.facts.start);
    assert!(!shorter.contains("DTEND"), "{shorter}");
}

#[test]
fn an_end_that_another_start_makes_wrong_is_written_anew() {
    for lines in [
        "DTSTART:20260301\nDTEND:20260302",
        "DTSTART;VALUE=DATE:20260301\nDTEND:20260302T000000",
        "DTSTART;VALUE=DATE:20260301\nDURATION:PT24H",
        "DTSTART;VALUE=DATE:20260301\nDTEND;VALUE=DATE:20260301",
        "DTSTART;VALUE=DATE:20260301\nDTEND;VALUE=DATE:20260302\nDURATION:P1D",
        "DTSTART;TZID=Europe/Paris:20260301T090000\nDTEND:20260301T100000",
        "DTSTART:20260301T090000Z\nDURATION:PT0S",
    ] {
        let raw = calendar(&vevent(&format!("{lines}\nSUMMARY:x")));
        after(&raw, |content| {
            content.facts.start = later(&content.facts.start, Duration::days(40));
            content.facts.end = later(&content.facts.end, Duration::days(40));
        });
        after(&raw, |content| content.facts.end = later(&content.facts.end, Duration::days(2)));
    }
}

/// One change of an event's times.
#[derive(Clone, Debug)]
enum Change {
    Move(i64),
    Grow(i64),
    Moment,
    WholeDay,
    Timed(i64),
    Rename(i64),
    Restore,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (-40_i64..40).prop_map(Change::Move),
        (-5_i64..5).prop_map(Change::Grow),
        Just(Change::Moment),
        Just(Change::WholeDay),
        (0_i64..20).prop_map(Change::Timed),
        (0_i64..9).prop_map(Change::Rename),
        Just(Change::Restore),
    ]
}

/// The unit in which an event's times move.
fn unit(facts: &Facts) -> Duration {
    if facts.start.is_all_day() { Duration::days(1) } else { Duration::hours(1) }
}

fn make(change: &Change, content: &mut EventContent) {
    let (start, end) = (content.facts.start, content.facts.end);
    let one = unit(&content.facts);
    match change {
        Change::Move(by) => {
            let by = one * i32::try_from(*by).expect("small");
            (content.facts.start, content.facts.end) = (later(&start, by), later(&end, by));
        }
        Change::Grow(by) => content.facts.end = later(&end, one * i32::try_from(*by).expect("small")),
        Change::Moment => content.facts.end = start,
        Change::WholeDay => {
            content.facts.start = EventTime::Date(start.wall().date());
            content.facts.end = EventTime::Date(start.wall().date() + Duration::days(1));
            content.overrides.clear();
        }
        Change::Timed(hour) => {
            let at = EventTime::utc(
                (start.wall().date().and_time(chrono::NaiveTime::MIN) + Duration::hours(*hour)).and_utc(),
            );
            (content.facts.start, content.facts.end) = (at, later(&at, Duration::hours(1)));
            content.overrides.clear();
        }
        Change::Rename(day) if !content.recurrence.rules.is_empty() => {
            let at = |time: &EventTime| later(time, Duration::days(*day));
            let id = at(&start);
            content.overrides.retain(|over| over.recurrence_id != id);
            let facts = Facts { start: id, end: at(&end), title: format!("day {day}"), ..content.facts.clone() };
            content.overrides.push(Override { recurrence_id: id, facts });
        }
        Change::Rename(_) => content.facts.title.push('!'),
        Change::Restore => content.overrides.clear(),
    }
}

fn source() -> impl Strategy<Value = String> {
    let times = prop_oneof![
        (1_i64..4, 0..3).prop_map(|(days, form)| {
            let end = NaiveDate::from_ymd_opt(2026, 3, 1).expect("a date") + Duration::days(days);
            let end = match form {
                0 => format!("\nDTEND;VALUE=DATE:{}", end.format("%Y%m%d")),
                1 => format!("\nDURATION:P{days}D"),
                _ => String::new(),
            };
            format!("DTSTART;VALUE=DATE:20260301{end}")
        }),
        (1_i64..9, 0..3, proptest::sample::select(vec![("", "Z"), (";TZID=Asia/Tokyo", ""), ("", "")])).prop_map(
            |(hours, form, (zone, utc))| {
                let end = match form {
                    0 => format!("\nDTEND{zone}:20260301T{:02}0000{utc}", 9 + hours),
                    1 => format!("\nDURATION:PT{hours}H"),
                    _ => String::new(),
                };
                format!("DTSTART{zone}:20260301T090000{utc}{end}")
            }
        ),
    ];
    (times, any::<bool>()).prop_map(|(times, series)| {
        let rule = if series { "\nRRULE:FREQ=DAILY" } else { "" };
        calendar(&vevent(&format!("SEQUENCE:1\n{times}{rule}\nSUMMARY:x\n{FOREIGN}")))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_edit_leaves_times_that_are_right_to_the_letter(raw in source(), changes in proptest::collection::vec(change(), 1..6)) {
        let mut raw = raw;
        judge(raw.as_bytes());
        for change in &changes {
            raw = after(&raw, |content| make(change, content));
        }
    }

    #[test]
    fn every_new_event_has_times_that_are_right_to_the_letter(content in content()) {
        let content = without_offsets(content);
        judge(&create(&one(), &content, stamp()));
    }

    #[test]
    fn every_text_brought_to_any_content_has_times_that_are_right_to_the_letter(before in content(), then in content()) {
        let raw = create(&one(), &without_offsets(before), stamp());
        judge(&edit(&raw, &without_offsets(then), stamp()).expect("edited"));
    }
}

/// The same in zones that this reader knows and that have no gaps.
fn without_offsets(mut content: EventContent) -> EventContent {
    let plain = |time: &mut EventTime| {
        if let EventTime::DateTime { local, zone: Zone::Fixed(_) | Zone::Named(_) } = *time {
            *time = EventTime::zoned(local, Tz::Asia__Tokyo);
        }
    };
    let facts = std::iter::once(&mut content.facts).chain(content.overrides.iter_mut().map(|over| &mut over.facts));
    for facts in facts {
        plain(&mut facts.start);
        plain(&mut facts.end);
    }
    content.overrides.iter_mut().for_each(|over| plain(&mut over.recurrence_id));
    content.detached_from.iter_mut().for_each(plain);
    content
}
