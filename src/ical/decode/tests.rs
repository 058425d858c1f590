use proptest::prelude::*;

use super::*;
use crate::{
    domain::{
        event::{EventContent, EventStatus, Transparency, Visibility},
        time::{EventTime, Zone},
    },
    ical::{
        FeedSnapshot,
        samples::{calendar, content, date, paris, stamp, vevent, wall},
    },
};

fn read(inside: &str) -> EventContent {
    let text = calendar(inside);
    resource(text.as_bytes(), &TextLimits::default()).unwrap_or_else(|why| panic!("{why}:\n{text}")).content
}

fn refusal(inside: &str) -> String {
    resource(calendar(inside).as_bytes(), &TextLimits::default()).expect_err("refused").0
}

fn read_feed(inside: &str) -> FeedSnapshot {
    feed(calendar(inside).as_bytes(), &TextLimits::default()).expect("a feed")
}

fn utc(text: &str) -> EventTime {
    EventTime::DateTime { local: wall(text), zone: Zone::Utc }
}

#[test]
fn an_event_is_read_with_everything_we_model() {
    let content = read(&vevent(
        "SUMMARY:Tea\\, milk\nDESCRIPTION:one\\ntwo\nLOCATION:Here\nURL:https://example.org/?a,b\nSTATUS:tentative\n\
         TRANSP:TRANSPARENT\nCLASS:SECRET-ISH\nDTSTART;TZID=Europe/Paris:20260301T090000\nDURATION:PT1H",
    ));
    let facts = content.facts;
    assert_eq!((facts.title.as_str(), facts.description.as_deref()), ("Tea, milk", Some("one\ntwo")));
    assert_eq!((facts.location.as_deref(), facts.url.as_deref()), (Some("Here"), Some("https://example.org/?a,b")));
    assert_eq!((facts.status, facts.transparency), (EventStatus::Tentative, Transparency::Transparent));
    assert_eq!(facts.visibility, Visibility::Private, "an unknown class is private");
    assert_eq!((facts.start, facts.end), (paris("2026-03-01T09:00:00"), paris("2026-03-01T10:00:00")));
}

#[test]
fn times_mean_what_their_form_says() {
    let start = |line: &str| read(&vevent(line)).facts.start;
    assert_eq!(start("DTSTART:20260301T090000Z"), utc("2026-03-01T09:00:00"));
    assert_eq!(start("DTSTART;TZID=Europe/Paris:20260301T090000Z"), utc("2026-03-01T09:00:00"));
    assert_eq!(start("DTSTART:20260301T090000").zone(), Zone::Floating);
    assert_eq!(start("DTSTART;TZID=Nowhere:20260301T090000").zone(), Zone::Floating);
    for day in
        ["DTSTART:20260301", "DTSTART;VALUE=DATE:20260301", "DTSTART;TZID=Europe/Paris;VALUE=DATE:20260301T000000"]
    {
        assert_eq!(start(day), date("2026-03-01"), "{day}");
    }
}

#[test]
fn an_alarm_lends_the_event_nothing() {
    let alarm = "BEGIN:VALARM\nUID:other\nDESCRIPTION:Alarm\nDURATION:PT5M\nSUMMARY:Alarm\nEND:VALARM";
    let content = read(&vevent(&format!("{alarm}\nDTSTART:20260301T090000Z")));
    assert_eq!((content.facts.title.as_str(), content.facts.description), ("", None));
    assert_eq!(content.facts.end, content.facts.start);
}

#[test]
fn overrides_and_exceptions_have_the_form_of_the_masters_own_starts() {
    let master = vevent(
        "DTSTART;TZID=Europe/Paris:20260302T090000\nDTEND;TZID=Europe/Paris:20260302T100000\nRRULE:freq=weekly; byday=mo\n\
         EXDATE:20260309T080000Z\nEXDATE;VALUE=DATE:20260316\nRDATE;VALUE=PERIOD:20260305T080000Z/PT2H",
    );
    let over = vevent("RECURRENCE-ID:20260323T080000Z\nDTSTART;TZID=Europe/Paris:20260323T110000\nSTATUS:CANCELLED");
    let content = read(&format!("{over}{master}"));
    assert_eq!(content.recurrence.rules, ["FREQ=WEEKLY;BYDAY=MO"]);
    assert_eq!(content.recurrence.excluded, [paris("2026-03-09T09:00:00"), paris("2026-03-16T09:00:00")]);
    assert_eq!(content.recurrence.added[0].end, Some(paris("2026-03-05T11:00:00")));
    assert_eq!(content.overrides[0].recurrence_id, paris("2026-03-23T09:00:00"));
    assert_eq!(content.overrides[0].facts.status, EventStatus::Cancelled);
}

#[test]
fn occurrences_without_their_master_are_detached() {
    let second = vevent("RECURRENCE-ID:20260309T080000Z\nDTSTART:20260309T090000Z\nSUMMARY:second");
    let first = vevent("RECURRENCE-ID:20260302T080000Z\nDTSTART:20260302T090000Z\nSUMMARY:first\nRRULE:FREQ=DAILY");
    let content = read(&format!("{second}{first}"));
    assert_eq!(content.detached_from, Some(utc("2026-03-02T08:00:00")));
    assert_eq!((content.facts.title.as_str(), content.overrides.len()), ("first", 1));
    assert!(content.recurrence.rules.is_empty());
}

#[test]
fn of_several_copies_the_highest_sequence_counts() {
    let copy = |sequence: u32, title: &str, id: &str| {
        vevent(&format!("{id}DTSTART:20260302T090000Z\nSEQUENCE:{sequence}\nSUMMARY:{title}\nRRULE:FREQ=DAILY"))
    };
    let id = "RECURRENCE-ID:20260303T090000Z\n";
    let content = read(&[copy(1, "old", ""), copy(2, "new", ""), copy(3, "later", id), copy(0, "sooner", id)].concat());
    assert_eq!((content.facts.title.as_str(), content.overrides.len()), ("new", 1));
    assert_eq!(content.overrides[0].facts.title, "later");
}

#[test]
fn what_cannot_be_read_is_refused_by_the_name_of_its_property() {
    let refused = [
        ("BEGIN:VTODO\nUID:one\nEND:VTODO".to_owned(), "holds no VEVENT"),
        ("BEGIN:VEVENT\nDTSTART:20260301\nEND:VEVENT".to_owned(), "UID is missing"),
        (vevent("SUMMARY:x"), "DTSTART is missing"),
        (vevent("DTSTART:tomorrow"), "DTSTART: not a time"),
        (vevent("DTSTART:20260301\nRECURRENCE-ID:x"), "RECURRENCE-ID: not a time"),
        (vevent("DTSTART:20260301\nRRULE:FREQ=DAILY;INTERVAL=0"), "RRULE: INTERVAL"),
        (vevent("DTSTART:20260301\nRRULE:FREQ=WEEKLY;BYDAY=\u{e9}O"), "RRULE: only ASCII"),
        (vevent("DTSTART:20260301\nEXDATE:2026030"), "EXDATE: a value"),
        (format!("{}{}", vevent("DTSTART:20260301"), vevent("DTSTART:20260301").replace("one", "two")), "UID: several"),
        ("BEGIN:VEVENT\nUID:one\nDTSTART:20260301".to_owned(), "END:VEVENT is missing"),
        (
            vevent(&format!("DTSTART:20260301\nUID:{}", "x".repeat(600_000))).replace("UID:one\n", ""),
            "UID: longer than",
        ),
    ];
    for (text, why) in refused {
        let reason = refusal(&text);
        assert!(reason.contains(why), "{reason} is not {why}");
    }
    let dates = "20260302T090000Z,".repeat(40_000);
    let reason = refusal(&vevent(&format!("DTSTART:20260301T090000Z\nEXDATE:{dates}20260303T090000Z")));
    assert!(reason.starts_with("EXDATE: longer than 524288 bytes"), "{reason}");
    let attached = vevent(&format!("DTSTART:20260301\nATTACH;ENCODING=BASE64;VALUE=BINARY:{}", "x".repeat(70_000)));
    assert_eq!(read(&attached).facts.start, date("2026-03-01"), "a long line that is not ours is no matter");
}

#[test]
fn one_bad_event_loses_no_other_and_is_not_lost_itself() {
    let event = |at: usize| {
        let rule = if at == 50 { "RRULE:FREQ=NEVER\n" } else { "" };
        format!("BEGIN:VEVENT\nUID:{at}\n{rule}DTSTART:20260301T090000Z\nEND:VEVENT\n")
    };
    let feed = read_feed(&(0..100).map(event).collect::<String>());
    assert_eq!((feed.events.len(), feed.unreadable.len()), (99, 1));
    assert_eq!(feed.unreadable[0].uid, Some("50".into()));
    assert!(feed.unreadable[0].why.starts_with("RRULE: FREQ"), "{}", feed.unreadable[0].why);
}

#[test]
fn a_series_with_a_bad_override_is_unreadable_as_a_whole() {
    let master = vevent("DTSTART:20260301T090000Z\nRRULE:FREQ=DAILY");
    let bad = vevent("RECURRENCE-ID:20260302T090000Z\nDTSTART:never");
    let feed = read_feed(&format!("{master}{bad}"));
    assert_eq!((feed.events.len(), feed.unreadable.len()), (0, 1));
    assert_eq!(feed.unreadable[0].recurrence_id, Some(utc("2026-03-02T09:00:00")));
}

#[test]
fn a_feed_describes_itself() {
    let about = "X-WR-CALNAME:Old name\nNAME:Tea\\, more\nX-WR-TIMEZONE:Europe/Paris\nX-PUBLISHED-TTL:PT1H\nREFRESH-INTERVAL:P1D";
    let feed = read_feed(about);
    assert_eq!((feed.name.as_deref(), feed.interval_s), (Some("Tea, more"), Some(86_400)));
    assert_eq!(feed.time_zone, Some(chrono_tz::Tz::Europe__Paris));
    for bad in ["REFRESH-INTERVAL:PT0S", "REFRESH-INTERVAL:-PT1H", "REFRESH-INTERVAL:often"] {
        assert_eq!(read_feed(bad).interval_s, None, "{bad}");
    }
}

#[test]
fn several_calendars_and_byte_order_marks_make_one_feed() {
    let text =
        format!("\u{feff}{}\u{feff}{}", calendar(&vevent("DTSTART:20260301")), calendar(&vevent("DTSTART:20260302")));
    let feed = feed(text.as_bytes(), &TextLimits::default()).expect("a feed");
    assert_eq!(feed.events.len(), 2, "equal in rank and different: both are there");
}

#[test]
fn events_without_uid_stand_alone_and_twins_are_one() {
    let nameless = "BEGIN:VEVENT\nDTSTART:20260301\nEND:VEVENT\n";
    let twin = vevent("DTSTART:20260301");
    let older = vevent("DTSTART:20260302").replace("20260101T", "20250101T");
    let feed = read_feed(&format!("{nameless}{nameless}{older}{twin}{twin}"));
    let uids: Vec<_> = feed.events.iter().map(|event| event.uid.is_some()).collect();
    assert_eq!(uids, [false, false, true]);
    assert_eq!(feed.events[2].content.facts.start, date("2026-03-01"), "the later stamp counts");
}

#[test]
fn a_series_in_a_zone_of_its_own_keeps_its_wall_times_through_the_year() {
    let definition = "BEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0217\nTZOFFSETTO:+0117\n\
                      RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\n\
                      TZOFFSETFROM:+0117\nTZOFFSETTO:+0217\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n";
    let master = vevent("DTSTART;TZID=Mine:20260102T090000\nRRULE:FREQ=DAILY\nEXDATE;TZID=Mine:20260702T090000");
    let over = vevent("RECURRENCE-ID;TZID=Mine:20260703T090000\nDTSTART;TZID=Mine:20260703T100000");
    let content = read(&format!("{definition}{master}{over}"));
    assert_eq!(content.recurrence.excluded[0].wall(), wall("2026-07-02T09:00:00"));
    assert_eq!(content.overrides[0].recurrence_id, content.facts.start.with_wall(wall("2026-07-03T09:00:00")));
}

/// Nothing here may panic, and an edit of what can be read to itself gives its bytes back.
fn poke(bytes: &[u8]) {
    let limits = TextLimits::default();
    let _ = feed(bytes, &limits);
    if let Ok(resource) = resource(bytes, &limits) {
        let edited = crate::ical::encode::edit(bytes, &resource.content, stamp());
        assert!(edited.is_ok_and(|edited| edited == bytes));
        let mut other = resource.content;
        other.facts.title.push('x');
        let _ = crate::ical::encode::edit(bytes, &other, stamp());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        poke(&bytes);
        poke(&[b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n".as_slice(), &bytes, b"\nEND:VEVENT\nEND:VCALENDAR\n"].concat());
    }

    #[test]
    fn no_mutation_of_a_calendar_panics(
        content in content(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..12),
    ) {
        let mut bytes = crate::ical::encode::create(&"one".into(), &content, stamp());
        for (at, byte, kind) in cuts {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.extend_from_within(at..),
            }
        }
        poke(&bytes);
    }

    #[test]
    fn no_value_panics(value in "[-+A-Z0-9;=,/:TZP\"é ]{0,40}") {
        for name in ["DTSTART;TZID=Europe/Paris", "DTEND", "DURATION", "RRULE", "EXDATE", "RDATE;VALUE=PERIOD", "RECURRENCE-ID", "DTSTAMP"] {
            poke(calendar(&vevent(&format!("DTSTART:20260301T090000\n{name}:{value}"))).as_bytes());
            poke(calendar(&vevent(&format!("{name};{value}\nDTSTART:20260301T090000"))).as_bytes());
        }
        let zone = format!("BEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:{value}\nTZOFFSETTO:+0117\nRRULE:FREQ=YEARLY;BYDAY={value}\nRDATE:{value}\nEND:STANDARD\nEND:VTIMEZONE\n");
        poke(calendar(&format!("{zone}{}", vevent("DTSTART;TZID=Mine:20260102T090000"))).as_bytes());
    }
}
