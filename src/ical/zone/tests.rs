use chrono_tz::TZ_VARIANTS;

use super::*;
use crate::ical::{
    component,
    samples::{calendar, wall},
};

#[test]
fn names_are_found_however_they_are_spelt() {
    let found = [
        ("Europe/Paris", Tz::Europe__Paris),
        ("europe/paris", Tz::Europe__Paris),
        ("\"US/Eastern\"", Tz::US__Eastern),
        ("TZID=Europe/Paris", Tz::Europe__Paris),
        ("/mozilla.org/20050126_1/Europe/Berlin", Tz::Europe__Berlin),
        ("/freeassociation.sourceforge.net/Tzfile/America/Argentina/Salta", Tz::America__Argentina__Salta),
        ("America/New York", Tz::America__New_York),
        ("W. Europe Standard Time", Tz::Europe__Berlin),
        ("eastern standard time", Tz::America__New_York),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", Tz::Europe__Berlin),
        ("Canberra, Melbourne, Sydney", Tz::Australia__Sydney),
        ("Etc/GMT-2", Tz::Etc__GMTMinus2),
        ("freeassociation.sourceforge.net/Europe/Paris", Tz::Europe__Paris),
        ("/citadel.org/20210210_1/America/New York", Tz::America__New_York),
        ("(UTC+01:00) Amsterdam\\, Berlin\\, Bern\\, Rome\\, Stockholm\\, Vienna", Tz::Europe__Berlin),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien", Tz::Europe__Berlin),
        ("(UTC+01:00) Bruxelles, Copenhague, Madrid, Paris", Tz::Europe__Paris),
        ("(UTC) Dublin, Edinburgh, Lissabon, London", Tz::Europe__London),
        ("(UTC-03:00) Buenos Aires (Stadt), Salta", Tz::America__Argentina__Salta),
        ("UTC-11", Tz::Etc__GMTPlus11),
    ];
    for (name, tz) in found {
        assert_eq!(resolve(name), Some(Zone::Named(tz)), "{name}");
    }
    for name in ["UTC", "Etc/UTC", "zulu", "tzone://Microsoft/Utc", "GMT+0000", "(UTC) Coordinated Universal Time"] {
        assert_eq!(resolve(name), Some(Zone::Utc), "{name}");
    }
    let offsets =
        [("GMT+0200", 7200), ("UTC-5", -18_000), ("+01:30", 5400), ("UTC+11", 39_600), ("(GMT-03:00)", -10_800)];
    for (name, seconds) in offsets {
        assert_eq!(resolve(name), Some(Zone::Fixed(seconds)), "{name}");
    }
    let unknown =
        ["", " ", "1", "Customized Time Zone 1", "Europe/Germany", "UTC+99", "UTC+1x", "é", "UTC+0é", "/", "+"];
    for name in unknown {
        assert_eq!(resolve(name), None, "{name}");
    }
}

#[test]
fn every_zone_is_found_under_the_name_it_is_written_with() {
    for tz in TZ_VARIANTS {
        let zone = canonical(Zone::Named(tz));
        assert_eq!(tzid(zone).map_or(Some(Zone::Utc), |name| resolve(&name)), Some(zone), "{tz}");
    }
    for seconds in (-86_399..86_400).step_by(37) {
        let zone = canonical(Zone::Fixed(seconds));
        assert_eq!(tzid(zone).map_or(Some(Zone::Utc), |name| resolve(&name)), Some(zone), "{seconds}");
    }
}

const RULES: &str = "BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
                     RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\n\
                     TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT";

fn zone_of(definition: &str, tzid: &str, start: &str) -> Zone {
    let event = "BEGIN:VEVENT\nDTSTART:20260101T000000Z\nEND:VEVENT";
    let text = calendar(&format!("BEGIN:VTIMEZONE\nTZID:{tzid}\n{definition}\nEND:VTIMEZONE\n{event}"));
    let calendars = component::calendars(text.as_bytes(), &TextLimits::default()).expect("a calendar");
    let mut zones = Zones::new(&calendars, &TextLimits::default());
    zones.time(UnzonedTime::Local(wall(start)), Some(tzid)).zone()
}

#[test]
fn rules_that_a_known_zone_has_are_that_zone() {
    assert_eq!(zone_of(RULES, "Customized Time Zone", "2026-07-01T00:00:00"), Zone::Named(Tz::Europe__Berlin));
    let london = RULES.replace("+0100", "+0000").replace("+0200", "+0100").replace("T030000", "T020000");
    let london =
        london.replace("DTSTART:16010101T020000\nTZOFFSETFROM:+0000", "DTSTART:16010101T010000\nTZOFFSETFROM:+0000");
    assert_eq!(zone_of(&london, " 1", "2026-07-01T00:00:00"), Zone::Named(Tz::Europe__London));
}

#[test]
fn rules_that_no_zone_has_are_the_offset_they_give() {
    let odd = RULES.replace("+0100", "+0117").replace("+0200", "+0217");
    assert_eq!(zone_of(&odd, "Mine", "2026-07-01T00:00:00"), Zone::Fixed(8220));
    assert_eq!(zone_of(&odd, "Mine", "2026-01-01T00:00:00"), Zone::Fixed(4620));
    assert_eq!(zone_of(&odd, "Mine", "2026-03-29T02:30:00"), Zone::Fixed(4620), "a gap takes the offset before it");
    assert_eq!(zone_of(&odd, "Mine", "2026-10-25T02:30:00"), Zone::Fixed(8220), "an overlap takes the first");
}

#[test]
fn a_definition_is_found_however_its_name_is_spelt() {
    let spelt = |definition: &str, param: &str| {
        let event = format!("BEGIN:VEVENT\nDTSTART;TZID={param}:20260701T090000\nEND:VEVENT");
        let text = calendar(&format!("BEGIN:VTIMEZONE\nTZID:{definition}\n{RULES}\nEND:VTIMEZONE\n{event}"));
        let calendars = component::calendars(text.as_bytes(), &TextLimits::default()).expect("a calendar");
        let mut zones = Zones::new(&calendars, &TextLimits::default());
        let event = calendars[0].all(&ComponentKind::Event).next().expect("an event");
        zones.time_of(event.line("DTSTART").expect("a start")).expect("a time").zone()
    };
    for (definition, param) in [
        ("Mitteleurop\u{e4}ische Zeit\\, Wien", "\"Mitteleurop\u{e4}ische Zeit, Wien\""),
        ("Hier\\, dort\\; daneben", "\"Hier, dort; daneben\""),
        ("Hier, dort", "Hier\\, dort"),
        ("\"Hier und dort\"", "Hier und dort"),
        ("HIER", "hier "),
        ("(UTC+01:00) Anderswo\\, Irgendwo", "\"(UTC+01:00) Anderswo, Irgendwo\""),
        ("(UTC+01:00) Anderswo, Irgendwo", "\"(UTC+01:00) Anderswo, Irgendwo\""),
    ] {
        assert_eq!(spelt(definition, param), Zone::Named(Tz::Europe__Berlin), "{definition} for {param}");
    }
}

#[test]
fn a_city_counts_only_with_the_offset_in_front_of_it() {
    assert_eq!(resolve("(UTC+09:00) Berlin, Paris"), Some(Zone::Fixed(32_400)));
    assert_eq!(resolve("(UTC+01:00) Nirgendwo"), Some(Zone::Fixed(3600)));
}

#[test]
fn a_known_name_wins_over_its_own_definition() {
    let wrong = RULES.replace("+0100", "-0500").replace("+0200", "-0400");
    assert_eq!(zone_of(&wrong, "Europe/Paris", "2026-07-01T00:00:00"), Zone::Named(Tz::Europe__Paris));
}

#[test]
fn a_place_named_in_the_definition_counts() {
    let placed = format!("X-LIC-LOCATION:Asia/Tokyo\n{RULES}");
    assert_eq!(zone_of(&placed, "Here", "2026-07-01T00:00:00"), Zone::Named(Tz::Asia__Tokyo));
}

#[test]
fn a_zone_that_nothing_explains_floats() {
    assert_eq!(zone_of("", "Here", "2026-07-01T00:00:00"), Zone::Floating);
    assert_eq!(zone_of("BEGIN:STANDARD\nTZOFFSETTO:+01\nEND:STANDARD", "Here", "2026-07-01T00:00:00"), Zone::Floating);
}
