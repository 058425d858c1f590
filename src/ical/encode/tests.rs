mod ends;

use icalendar::Component as _;
use proptest::prelude::*;

use super::*;
use crate::{
    domain::{
        event::{EventContent, EventStatus, Facts, Override, Transparency},
        ids::Uid,
        time::EventTime,
    },
    ical::{
        TextLimits, decode,
        samples::{calendar, content, date, paris, stamp, vevent},
    },
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn read(bytes: &[u8]) -> EventContent {
    decode::resource(bytes, &TextLimits::default()).unwrap_or_else(|why| panic!("{why}:\n{}", text(bytes))).content
}

fn one() -> Uid {
    Uid("one".to_owned())
}

#[test]
fn a_new_event_is_written_whole() {
    let facts = Facts::new("Tea, with milk", paris("2026-03-01T09:00:00"), paris("2026-03-01T10:00:00"));
    let written = text(&create(&one(), &EventContent::single(facts), stamp()));
    let expected = "BEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20270115T080000Z\r\nLAST-MODIFIED:20270115T080000Z\r\nSEQUENCE:0\r\n\
                    DTSTART;TZID=Europe/Paris:20260301T090000\r\nDTEND;TZID=Europe/Paris:20260301T100000\r\n\
                    SUMMARY:Tea\\, with milk\r\nTRANSP:OPAQUE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    assert!(written.ends_with(expected), "{written}");
    assert!(written.contains("BEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\n"), "{written}");
}

#[test]
fn an_independent_reader_agrees_with_what_is_written() {
    let mut facts = Facts::new("Tea; \\ é".repeat(20), date("2026-03-01"), date("2026-03-03"));
    facts.description = Some("one\ntwo, three".to_owned());
    facts.status = EventStatus::Tentative;
    let written = text(&create(&one(), &EventContent::single(facts.clone()), stamp()));
    let unfolded = icalendar::parser::unfold(&written);
    let read = icalendar::Calendar::from(icalendar::parser::read_calendar(&unfolded).expect("a calendar"));
    let event = read.components.first().and_then(|component| component.as_event()).expect("an event");
    assert_eq!(event.get_summary(), Some(facts.title.as_str()));
    assert_eq!(event.get_description(), facts.description.as_deref());
    assert_eq!(event.get_status(), Some(icalendar::EventStatus::Tentative));
    assert_eq!(event.get_start(), Some(icalendar::DatePerhapsTime::Date(facts.start.wall().date())));
    assert_eq!(event.get_end(), Some(icalendar::DatePerhapsTime::Date(facts.end.wall().date())));
}

const FOREIGN: &str = "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR;X=\"a:b\":AUTO\nATTENDEE;SCHEDULE-AGENT=CLIENT;CN=\"Doe, J\":mailto:j\n x@example.org\nX-ALT-DESC;FMTTYPE=text/html:<b>\nBEGIN:VALARM\nUID:alarm\nDESCRIPTION:Wake up\nTRIGGER:-PT5M\nEND:VALARM";

fn lived_in() -> String {
    let master = vevent(&format!(
        "SEQUENCE:4\nSUMMARY;LANGUAGE=en:Old\nDTSTART;X-P=1;TZID=\"W. Europe Standard Time\":20260302T090000\nDURATION:PT1H\n\
         RRULE:FREQ=WEEKLY\nEXDATE;TZID=\"W. Europe Standard Time\":20260309T090000,20260316T090000\nEXDATE:20260323T080000Z\n{FOREIGN}"
    ));
    let over = vevent(&format!(
        "RECURRENCE-ID:20260330T070000Z\nDTSTART;TZID=Europe/Berlin:20260330T110000\nDTEND;TZID=Europe/Berlin:20260330T120000\n\
         SUMMARY:Later\nX-ONLY-HERE:1\n{FOREIGN}"
    ));
    calendar(&format!("{master}{over}"))
}

/// The lines of `after` that are not in `before`, and the other way round.
fn difference(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let lines = |text: &str| text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(before), lines(after));
    let only = |these: &[String], those: &[String]| {
        let mut left = those.to_vec();
        let missing = these.iter().filter(|line| match left.iter().position(|other| other == *line) {
            Some(at) => {
                left.remove(at);
                false
            }
            None => true,
        });
        let mut missing: Vec<_> = missing.map(|line| line.trim_end().to_owned()).collect();
        missing.sort();
        missing
    };
    (only(&before, &after), only(&after, &before))
}

fn edited(change: impl FnOnce(&mut EventContent)) -> (Vec<String>, Vec<String>) {
    let raw = lived_in();
    let mut wanted = read(raw.as_bytes());
    change(&mut wanted);
    let result = edit(raw.as_bytes(), &wanted, stamp()).expect("edited");
    assert_eq!(read(&result), canonical::canonical(&wanted));
    difference(&raw, &text(&result))
}

#[test]
fn a_new_title_changes_its_line_and_the_stamp() {
    let (gone, new) = edited(|content| content.facts.title = "New; title".to_owned());
    assert_eq!(gone, ["DTSTAMP:20260101T000000Z", "SUMMARY;LANGUAGE=en:Old"]);
    assert_eq!(new, ["DTSTAMP:20270115T080000Z", "SUMMARY;LANGUAGE=en:New\\; title"]);
}

#[test]
fn a_longer_event_takes_an_end_for_its_duration_and_a_higher_sequence() {
    let (gone, new) = edited(|content| {
        content.facts.end = content.facts.end.with_wall(crate::ical::samples::wall("2026-03-02T11:00:00"));
    });
    assert_eq!(gone, ["DTSTAMP:20260101T000000Z", "DURATION:PT1H", "SEQUENCE:4"]);
    let end = "DTEND;TZID=W. Europe Standard Time:20260302T110000";
    assert_eq!(new, [end, "DTSTAMP:20270115T080000Z", "SEQUENCE:5"]);
}

#[test]
fn a_restored_occurrence_leaves_its_line_and_the_others_stay() {
    let (gone, new) = edited(|content| {
        content.recurrence.excluded.remove(1);
    });
    assert_eq!(gone[1..2], ["EXDATE;TZID=\"W. Europe Standard Time\":20260309T090000,20260316T090000"]);
    assert_eq!(new[1..2], ["EXDATE;TZID=\"W. Europe Standard Time\":20260309T090000"]);
}

#[test]
fn one_more_excluded_occurrence_is_one_more_line() {
    let (gone, new) = edited(|content| {
        let at = content.facts.start.with_wall(crate::ical::samples::wall("2026-04-13T09:00:00"));
        content.recurrence.excluded.push(at);
    });
    assert_eq!(gone, ["DTSTAMP:20260101T000000Z", "SEQUENCE:4"]);
    assert_eq!(new[1..2], ["EXDATE;TZID=W. Europe Standard Time:20260413T090000"]);
}

#[test]
fn a_new_override_is_a_copy_of_the_master_with_its_alarms() {
    let raw = lived_in();
    let mut wanted = read(raw.as_bytes());
    let at = wanted.facts.start.with_wall(crate::ical::samples::wall("2026-04-06T09:00:00"));
    let mut facts = wanted.facts.clone();
    (facts.start, facts.end) = (at, at.with_wall(crate::ical::samples::wall("2026-04-06T10:00:00")));
    facts.title = "Only then".to_owned();
    wanted.overrides.push(Override { recurrence_id: at, facts });
    let result = text(&edit(raw.as_bytes(), &wanted, stamp()).expect("edited"));
    assert_eq!(read(result.as_bytes()), wanted);
    assert!(result.starts_with(raw.trim_end().trim_end_matches("END:VCALENDAR")), "only something added:\n{result}");
    let added = &result[raw.len() - "END:VCALENDAR\r\n".len()..];
    assert!(added.contains("RECURRENCE-ID;TZID=W. Europe Standard Time:20260406T090000\r\n"), "{added}");
    assert!(added.contains(&FOREIGN.replace('\n', "\r\n")), "{added}");
    assert!(!added.contains("RRULE") && !added.contains("EXDATE"), "{added}");
}

#[test]
fn a_removed_override_goes_with_its_component_alone() {
    let raw = lived_in();
    let mut wanted = read(raw.as_bytes());
    wanted.overrides.clear();
    let result = text(&edit(raw.as_bytes(), &wanted, stamp()).expect("edited"));
    let begin = raw.rfind("BEGIN:VEVENT").expect("the override");
    assert_eq!(result, format!("{}END:VCALENDAR\r\n", &raw[..begin]));
}

#[test]
fn a_moved_series_keeps_what_its_overrides_hold() {
    let raw = lived_in();
    let mut wanted = read(raw.as_bytes());
    let later = |time: &EventTime| time.with_wall(time.wall() + chrono::Duration::hours(1));
    wanted.facts.start = later(&wanted.facts.start);
    wanted.facts.end = later(&wanted.facts.end);
    wanted.recurrence.excluded.iter_mut().for_each(|time| *time = later(time));
    wanted.overrides[0].recurrence_id = later(&wanted.overrides[0].recurrence_id);
    let result = text(&edit(raw.as_bytes(), &wanted, stamp()).expect("edited"));
    assert_eq!(read(result.as_bytes()), wanted);
    assert!(result.contains("\r\nX-ONLY-HERE:1\r\n"), "{result}");
    assert!(result.contains("\r\nDURATION:PT1H\r\n"), "a length that stays is not rewritten:\n{result}");
}

#[test]
fn a_zone_new_to_the_text_comes_with_its_definition() {
    let raw = lived_in();
    let mut wanted = read(raw.as_bytes());
    wanted.facts.start = EventTime::zoned(wanted.facts.start.wall(), chrono_tz::Tz::Asia__Tokyo);
    wanted.facts.end = EventTime::zoned(wanted.facts.end.wall(), chrono_tz::Tz::Asia__Tokyo);
    let result = text(&edit(raw.as_bytes(), &wanted, stamp()).expect("edited"));
    assert_eq!(read(result.as_bytes()), canonical::canonical(&wanted));
    assert!(result.contains("BEGIN:VTIMEZONE\r\nTZID:Asia/Tokyo\r\n"), "{result}");
    assert!(result.contains("DTSTART;X-P=1;TZID=Asia/Tokyo:20260302T090000\r\n"), "{result}");
}

#[test]
fn outlooks_flag_follows_the_kind_of_time() {
    let raw = calendar(&vevent(
        "DTSTART:20260301T000000\nDTEND:20260302T000000\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE\nX-MICROSOFT-CDO-BUSYSTATUS:FREE",
    ));
    let mut wanted = read(raw.as_bytes());
    assert_eq!((wanted.facts.start, wanted.facts.transparency), (date("2026-03-01"), Transparency::Transparent));
    wanted.facts.start = EventTime::DateTime { local: wanted.facts.start.wall(), zone: Zone::Floating };
    wanted.facts.end = EventTime::DateTime { local: wanted.facts.end.wall(), zone: Zone::Floating };
    wanted.facts.transparency = Transparency::Opaque;
    let result = text(&edit(raw.as_bytes(), &wanted, stamp()).expect("edited"));
    assert_eq!(read(result.as_bytes()), wanted);
    assert!(result.contains("X-MICROSOFT-CDO-ALLDAYEVENT:FALSE\r\n"), "{result}");
    assert!(result.contains("X-MICROSOFT-CDO-BUSYSTATUS:FREE\r\nTRANSP:OPAQUE\r\n"), "{result}");
}

#[test]
fn a_text_of_bare_line_feeds_stays_one() {
    let raw = lived_in().replace("\r\n", "\n");
    let mut wanted = read(raw.as_bytes());
    wanted.facts.title = "New".to_owned();
    let result = text(&edit(raw.as_bytes(), &wanted, stamp()).expect("edited"));
    assert!(!result.contains('\r'), "{result}");
}

#[test]
fn a_text_of_any_length_hides_no_event_and_keeps_its_bytes() {
    let long = "Grüße, wie immer; ".repeat(60_000);
    let raw = calendar(&vevent(&format!(
        "DTSTART;VALUE=DATE:20260301\nDESCRIPTION:{}\nSUMMARY:x",
        long.replace([',', ';'], "")
    )));
    let mut wanted = read(raw.as_bytes());
    let shown = wanted.facts.description.clone().expect("a description");
    assert!(
        shown.chars().count() == crate::domain::event::TEXT_CHARS_MAX && shown.contains("too long"),
        "{}",
        shown.len()
    );
    assert!(shown.starts_with("Grüße wie immer Grüße"), "{}", &shown[..40]);
    wanted.facts.title = "y".to_owned();
    let result = edit(raw.as_bytes(), &wanted, stamp()).expect("edited");
    let (gone, new) = difference(&raw, &text(&result));
    assert_eq!(gone, ["DTSTAMP:20260101T000000Z", "SUMMARY:x"]);
    assert_eq!(new, ["DTSTAMP:20270115T080000Z", "SUMMARY:y"]);
    // What is shown may be copied elsewhere, and says there what it says here.
    assert_eq!(read(&create(&one(), &wanted, stamp())), wanted);
    wanted.facts.description = Some("😀,".repeat(50_000));
    assert_eq!(read(&create(&one(), &wanted, stamp())), wanted, "as long as a caller may make it");
}

#[test]
fn an_edit_of_what_cannot_be_read_is_refused() {
    let wanted = read(lived_in().as_bytes());
    for raw in ["", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR\n"] {
        assert!(edit(raw.as_bytes(), &wanted, stamp()).is_err(), "{raw}");
    }
}

#[test]
fn a_zone_that_only_its_text_explains_is_replaced_when_a_time_leaves_its_season() {
    let definition = "BEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0217\nTZOFFSETTO:+0117\n\
                      RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\n\
                      TZOFFSETFROM:+0117\nTZOFFSETTO:+0217\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n";
    let raw =
        calendar(&format!("{definition}{}", vevent("DTSTART;TZID=Mine:20260102T090000\nDURATION:PT1H\nSUMMARY:x")));
    let mut wanted = read(raw.as_bytes());
    assert_eq!(wanted.facts.start.zone(), Zone::Fixed(4620));
    let july = |time: &EventTime| time.with_wall(time.wall() + chrono::Duration::days(180));
    (wanted.facts.start, wanted.facts.end) = (july(&wanted.facts.start), july(&wanted.facts.end));
    let result = edit(raw.as_bytes(), &wanted, stamp()).expect("edited");
    assert_eq!(read(&result), wanted);
}

/// Foreign lines put into every component of a text.
fn furnish(bytes: &[u8]) -> String {
    text(bytes).replace("END:VEVENT\r\n", &format!("{}\r\nEND:VEVENT\r\n", FOREIGN.replace('\n', "\r\n")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_as_its_canonical_form(content in content()) {
        let canonical = canonical::canonical(&content);
        prop_assert_eq!(&canonical::canonical(&canonical), &canonical);
        let written = create(&one(), &content, stamp());
        prop_assert_eq!(&read(&written), &canonical);
        prop_assert!(text(&written).split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])));
        prop_assert_eq!(&edit(&written, &content, stamp()).expect("edited"), &written);
    }

    #[test]
    fn an_edit_says_what_is_wanted_and_keeps_what_is_not_ours(before in content(), after in content()) {
        let raw = furnish(&create(&one(), &before, stamp()));
        let result = text(&edit(raw.as_bytes(), &after, stamp()).expect("edited"));
        let canonical = canonical::canonical(&after);
        prop_assert_eq!(&read(result.as_bytes()), &canonical);
        if before.detached_from.is_none() && after.detached_from.is_none() {
            for line in FOREIGN.lines() {
                prop_assert!(result.contains(&format!("{line}\r\n")), "{}: {}", line, result);
            }
        }
    }

    #[test]
    fn a_text_edit_leaves_every_other_line(before in content(), title in "[a-z]{1,9}") {
        prop_assume!(before.facts.title != title);
        let raw = furnish(&create(&one(), &before, stamp()));
        let mut after = read(raw.as_bytes());
        after.facts.title = title;
        let result = edit(raw.as_bytes(), &after, stamp() + chrono::Duration::days(1)).expect("edited");
        let (gone, new) = difference(&raw, &text(&result));
        let ours = |line: &String| ["SUMMARY", "DTSTAMP", "LAST-MODIFIED", " "].iter().any(|name| line.starts_with(name));
        prop_assert!(gone.iter().all(|line| ours(line) || line.is_empty()), "{:?}", gone);
        prop_assert!(new.iter().all(ours), "{:?}", new);
    }
}
