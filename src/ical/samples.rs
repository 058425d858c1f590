//! Content and texts that tests share.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use chrono_tz::Tz;
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::domain::{
    event::{AddedDate, EventContent, EventStatus, Facts, Override, Recurrence, Transparency, Visibility},
    time::{EventTime, Zone},
};

pub fn stamp() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("an instant")
}

pub fn wall(text: &str) -> NaiveDateTime {
    text.parse().expect("a wall time")
}

pub fn paris(text: &str) -> EventTime {
    EventTime::zoned(wall(text), Tz::Europe__Paris)
}

pub fn date(text: &str) -> EventTime {
    EventTime::Date(text.parse().expect("a date"))
}

/// A calendar around components, CRLF at each line's end.
pub fn calendar(inside: &str) -> String {
    let lines = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Test//EN\n{}\nEND:VCALENDAR\n", inside.trim());
    lines.replace('\n', "\r\n")
}

/// A `VEVENT` with a `UID` and a stamp.
pub fn vevent(inside: &str) -> String {
    format!("BEGIN:VEVENT\nUID:one\nDTSTAMP:20260101T000000Z\n{}\nEND:VEVENT\n", inside.trim())
}

fn zone() -> impl Strategy<Value = Zone> {
    let named = [
        Tz::Europe__Paris,
        Tz::America__New_York,
        Tz::Etc__UTC,
        Tz::Asia__Kolkata,
        Tz::US__Pacific,
        Tz::Africa__Casablanca,
        Tz::Australia__Lord_Howe,
        Tz::Pacific__Apia,
        Tz::Etc__GMTPlus5,
    ];
    prop_oneof![
        4 => select(named.to_vec()).prop_map(Zone::Named),
        2 => Just(Zone::Utc),
        2 => Just(Zone::Floating),
        1 => (-50_400..=50_400).prop_map(Zone::Fixed),
    ]
}

fn time() -> impl Strategy<Value = EventTime> {
    let wall = (0_i64..3_600_000_000).prop_map(|s| DateTime::from_timestamp(s, 0).unwrap_or_default().naive_utc());
    (wall, option::weighted(0.75, zone())).prop_map(|(local, zone)| match zone {
        Some(zone) => EventTime::DateTime { local, zone },
        None => EventTime::Date(local.date()),
    })
}

fn text() -> impl Strategy<Value = String> {
    "[ -~\n\r\té€😀\\\\,;:\"^\u{7}]{0,120}"
}

fn facts() -> impl Strategy<Value = Facts> {
    let length = prop_oneof![Just(0_i64), -7_200_i64..400_000];
    let texts = (text(), option::of(text()), option::of(text()), option::of("https://[a-z./?&=,;%]{0,90}"));
    let words = (
        select(vec![EventStatus::Confirmed, EventStatus::Tentative, EventStatus::Cancelled]),
        select(vec![Transparency::Opaque, Transparency::Transparent]),
        select(vec![Visibility::Public, Visibility::Private, Visibility::Confidential]),
    );
    (texts, words, time(), length, option::weighted(0.2, time())).prop_map(
        |(texts, words, start, length, other_end)| {
            let end = other_end.unwrap_or_else(|| start.with_wall(start.wall() + Duration::seconds(length)));
            let (title, description, location, url) = texts;
            let (status, transparency, visibility) = words;
            Facts { title, description, location, start, end, status, transparency, visibility, url }
        },
    )
}

fn recurrence() -> impl Strategy<Value = Recurrence> {
    let rules = select(vec![
        "FREQ=WEEKLY;BYDAY=MO",
        "freq=daily; count=3",
        "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20301231T000000Z",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    ]);
    let added = (time(), option::of(-3_600_i64..90_000)).prop_map(|(start, length)| AddedDate {
        start,
        end: length.map(|length| start.with_wall(start.wall() + Duration::seconds(length))),
    });
    let rules = vec(rules.prop_map(str::to_owned), 0..3);
    (rules.clone(), rules, vec(added, 0..4), vec(time(), 0..4)).prop_map(|(rules, excluded_rules, added, excluded)| {
        let excluded_rules = excluded_rules.into_iter().take(1).collect();
        Recurrence { rules, excluded_rules, added, excluded }
    })
}

/// Any content that a domain event may have.
pub fn content() -> impl Strategy<Value = EventContent> {
    let overrides = vec((time(), facts()).prop_map(|(recurrence_id, facts)| Override { recurrence_id, facts }), 0..4);
    (facts(), recurrence(), overrides, option::weighted(0.15, time())).prop_map(
        |(facts, recurrence, overrides, detached_from)| EventContent { facts, recurrence, overrides, detached_from },
    )
}
