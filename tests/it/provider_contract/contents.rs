//! What events say that is not easily kept.

use calwarden::domain::{
    event::{EventContent, EventStatus, Facts, Override, Recurrence, Transparency, Visibility},
    time::{EventTime, Zone},
};
use chrono::NaiveDateTime;
use chrono_tz::{America::New_York, Europe::Berlin, Tz};

fn wall(text: &str) -> NaiveDateTime {
    text.parse().expect("a time")
}

fn date(text: &str) -> EventTime {
    EventTime::Date(text.parse().expect("a date"))
}

fn zoned(text: &str, zone: Tz) -> EventTime {
    EventTime::zoned(wall(text), zone)
}

fn utc(text: &str) -> EventTime {
    EventTime::utc(wall(text).and_utc())
}

fn hour(title: &str) -> Facts {
    Facts::new(title, zoned("2026-12-01T10:00:00", Berlin), zoned("2026-12-01T11:00:00", Berlin))
}

/// An hour with a title.
pub fn lunch(title: &str) -> EventContent {
    EventContent::single(hour(title))
}

fn linked(url: &str) -> EventContent {
    EventContent::single(Facts { url: Some(url.to_owned()), ..hour("Linked") })
}

/// One that ends when it begins.
pub fn moment() -> EventContent {
    let at = zoned("2026-12-03T09:30:00", Berlin);
    EventContent::single(Facts::new("A moment", at, at))
}

fn weekly() -> EventContent {
    let facts = Facts::new("Every week", zoned("2026-10-05T09:00:00", Berlin), zoned("2026-10-05T10:30:00", Berlin));
    let moved = Facts {
        title: "Every week, but later".to_owned(),
        start: zoned("2026-10-27T15:00:00", Berlin),
        end: zoned("2026-10-27T16:00:00", Berlin),
        ..facts.clone()
    };
    let recurrence = Recurrence {
        rules: vec!["FREQ=WEEKLY;COUNT=8;BYDAY=MO".to_owned()],
        excluded: vec![zoned("2026-10-19T09:00:00", Berlin)],
        ..Recurrence::default()
    };
    let overrides = vec![Override { recurrence_id: zoned("2026-10-26T09:00:00", Berlin), facts: moved }];
    EventContent { facts, recurrence, overrides, detached_from: None }
}

fn yearly() -> EventContent {
    let recurrence = Recurrence { rules: vec!["FREQ=YEARLY".to_owned()], ..Recurrence::default() };
    let facts = Facts::new("Every year", date("2026-02-28"), date("2026-03-01"));
    EventContent { recurrence, ..EventContent::single(facts) }
}

/// Each with a name.
pub fn all() -> Vec<(&'static str, EventContent)> {
    let text = |title: &str| lunch(title);
    let single = |title, start, end| EventContent::single(Facts::new(title, start, end));
    let floating = |text| EventTime::DateTime { local: wall(text), zone: Zone::Floating };
    vec![
        ("an hour", text("Lunch")),
        ("whole days", single("Away", date("2026-12-24"), date("2026-12-29"))),
        ("one whole day", single("Off", date("2026-12-24"), date("2026-12-25"))),
        (
            "a night in which clocks go forward",
            single("Night", zoned("2027-03-27T23:00:00", Berlin), zoned("2027-03-28T04:00:00", Berlin)),
        ),
        (
            "an hour that comes twice",
            single("Twice", zoned("2026-10-25T02:30:00", Berlin), zoned("2026-10-25T05:00:00", Berlin)),
        ),
        ("two zones", single("Flight", zoned("2026-12-05T10:00:00", Berlin), zoned("2026-12-05T13:00:00", New_York))),
        ("UTC", single("Call", utc("2026-12-06T10:00:00"), utc("2026-12-06T10:25:00"))),
        ("no zone", single("Somewhere", floating("2026-12-07T08:00:00"), floating("2026-12-07T09:00:00"))),
        ("a series with an excluded day and a moved occurrence", weekly()),
        ("a series of whole days", yearly()),
        ("a moment", moment()),
        ("marks that a format uses", text(r#"One, two; three \ four \n "five": <six> & %7 =3D"#)),
        ("lines in a title", text("One\nTwo\n\nThree")),
        ("emoji and scripts", text("🎂 Zoë’s 生日 — עברית e\u{301} 👩‍👩‍👧‍👦")),
        ("a long title", text("Long 🎂 title, ".repeat(100).trim())),
        (
            "a long description",
            EventContent::single(Facts {
                description: Some(
                    "Line, with; marks \\ and ümläuts 🎂\n\n\tindented\n".chars().cycle().take(8_000).collect(),
                ),
                ..hour("Described")
            }),
        ),
        (
            "everything else",
            EventContent::single(Facts {
                location: Some("Room 5, 2nd floor; Building C\\D".to_owned()),
                status: EventStatus::Tentative,
                transparency: Transparency::Transparent,
                visibility: Visibility::Private,
                url: Some("https://example.org/meeting".to_owned()),
                ..hour("Everything")
            }),
        ),
        ("no title", text("")),
        ("blanks around a title", text("  Lunch  ")),
        ("an address with marks", linked("https://example.org/meeting?id=1,2;3&x=%20#part")),
    ]
}
