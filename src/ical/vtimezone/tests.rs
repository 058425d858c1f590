use super::*;
use crate::ical::{TextLimits, component, zone::explained_offset};

/// The offsets that what is written gives, compared with the database's at every hour of the years and at every second
/// around a change.
fn assert_right(tz: Tz, years: (i32, i32)) {
    let mut text = b"BEGIN:VCALENDAR\r\n".to_vec();
    write(Zone::Named(tz), years, "\r\n", &mut text);
    text.extend_from_slice(b"END:VCALENDAR\r\n");
    let calendars = component::calendars(&text, &TextLimits::default()).expect("a calendar");
    let definition = &calendars[0].children[0];
    assert!(definition.whole);
    let offset = explained_offset(definition, years);
    let begin = year_begins(years.0).expect("a year");
    let hours = (begin - year_begins(years.1 + 1).expect("a year")).num_hours().abs();
    for hour in 0..hours {
        let at = begin + Duration::hours(hour);
        for at in [at, at - Duration::seconds(1)] {
            let right = tz.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
            assert_eq!(offset(at.naive_utc()), Some(right), "{tz} {at}\n{}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn what_is_written_gives_the_offsets_of_the_database() {
    assert_right(Tz::Europe__Paris, (1994, 2030));
    assert_right(Tz::America__New_York, (2004, 2012));
    assert_right(Tz::Australia__Lord_Howe, (2020, 2030));
    assert_right(Tz::Africa__Casablanca, (2017, 2030));
    assert_right(Tz::Asia__Jerusalem, (2010, 2030));
    assert_right(Tz::Pacific__Apia, (2009, 2023));
    assert_right(Tz::America__Sao_Paulo, (2015, 2022));
    assert_right(Tz::Asia__Kolkata, (2026, 2027));
    assert_right(Tz::Europe__Dublin, (2020, 2027));
}

#[test]
fn a_yearly_rule_is_written_as_one_and_left_open() {
    let mut text = Vec::new();
    write(Zone::Named(Tz::Europe__Paris), (2026, 2026), "\n", &mut text);
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(
        text.contains("DTSTART:20250330T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nTZOFFSETFROM:+0100"),
        "{text}"
    );
    assert!(
        text.contains("DTSTART:20251026T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nTZOFFSETFROM:+0200"),
        "{text}"
    );
}

#[test]
fn an_offset_is_written_without_rules() {
    let mut text = Vec::new();
    write(Zone::Fixed(-16_200), (2026, 2026), "\n", &mut text);
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(text.starts_with("BEGIN:VTIMEZONE\nTZID:UTC-0430\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"), "{text}");
    assert!(text.contains("TZOFFSETFROM:-0430\nTZOFFSETTO:-0430\n"), "{text}");
    for zone in [Zone::Utc, Zone::Floating] {
        let mut nothing = Vec::new();
        write(zone, (2026, 2026), "\n", &mut nothing);
        assert!(nothing.is_empty());
    }
}

#[test]
fn absurd_years_cost_little_and_break_nothing() {
    for years in [(1, 9999), (9999, 1), (i32::MIN, i32::MAX - 100)] {
        let mut text = Vec::new();
        write(Zone::Named(Tz::Africa__Casablanca), years, "\n", &mut text);
        assert!(text.ends_with(b"END:VTIMEZONE\n") && text.len() < 100_000, "{years:?}");
    }
}
