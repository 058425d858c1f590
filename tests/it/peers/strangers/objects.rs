//! Objects out of the ordinary: big ones, many big ones, zones by any name, odd addresses.

use serde_json::json;

use super::world::{World, numbered, object, unfolded};
use crate::support::strangers::Kind;

/// An attachment of so many bytes inside the object, in one line: Radicale and Xandikos read a folded one for minutes.
fn attachment(bytes: usize) -> String {
    let mut text = String::from("ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=application/pdf:");
    let line = "QUJD".repeat(256);
    while text.len() < bytes {
        text.push_str(&line);
    }
    text
}

pub async fn an_object_of_eleven_megabytes_stops_nothing(kind: Kind) {
    let mut world = World::alone(kind, &numbered(5, 0)).await;
    world.rest().await;
    let big = attachment(11 * 1024 * 1024);
    let text = object("big@strangers", &["SUMMARY:Big", "DTSTART:20261202T090000Z", "DTEND:20261202T100000Z", &big]);
    let status = world.dav.try_put(&format!("{}big.ics", world.path), &text).await;
    if let Some(refused) = kind.habits().refuses_big {
        assert_eq!(status.as_u16(), refused, "the table of the servers says so");
        return;
    }
    assert!(status.is_success(), "{status}");
    for (name, text) in numbered(3, 10) {
        world.dav.put(&format!("{}{name}", world.path), &text).await;
    }
    world.edit("Number 1", "", json!({"title": "Renamed"})).await;
    for _ in 0..2 {
        world.sync().await;
        let account = world.a_day_passes().await;
        assert_eq!(account["status"], "active", "{account}");
        let mut titles = world.titles().await;
        titles.retain(|title| title != "Big");
        assert_eq!(
            titles,
            ["Number 0", "Number 10", "Number 11", "Number 12", "Number 2", "Number 3", "Number 4", "Renamed"]
        );
    }
    world.object("Renamed").await;
    // The edits and deletions beside it go on.
    world.delete_there("Number 10").await;
    world.edit_there("Number 11", "SUMMARY:Number 11", "SUMMARY:Renamed there").await;
    for _ in 0..2 {
        world.sync().await;
    }
    assert!(world.find("Number 10").await.is_none());
    assert!(world.find("Renamed there").await.is_some());
}

pub async fn a_hundred_and_sixty_objects_of_eighty_kilobytes_are_all_read(kind: Kind) {
    let filling = attachment(80 * 1024);
    let one = |n: usize| {
        let day = 1 + n % 28;
        let lines = [
            format!("SUMMARY:Filled {n}"),
            format!("DTSTART:202612{day:02}T090000Z"),
            format!("DTEND:202612{day:02}T100000Z"),
            filling.clone(),
        ];
        (format!("f{n}.ics"), object(&format!("f{n}@strangers"), &lines.each_ref().map(String::as_str)))
    };
    let objects: Vec<_> = (0..160).map(one).collect();
    let world = World::with(kind, &objects).await;
    assert_eq!(world.rest().await.len(), 160);
    world.edit("Filled 80", "", json!({"title": "Renamed"})).await;
    world.rest().await;
    let (_, text) = world.object("Renamed").await;
    assert!(text.len() > 70 * 1024, "what it is filled with stays: {}", text.len());
}

/// Central European rules under any name.
fn zoned(tzid_property: &str, tzid_parameter: &str, title: &str, uid: &str) -> (String, String) {
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VTIMEZONE\r\nTZID:{tzid_property}\r\n\
         BEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n\
         RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n\
         BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
         RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n\
         BEGIN:VEVENT\r\nUID:{uid}@strangers\r\nDTSTAMP:20261101T000000Z\r\nSUMMARY:{title}\r\n\
         DTSTART;TZID={tzid_parameter}:20270705T100000\r\nDTEND;TZID={tzid_parameter}:20270705T110000\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    (format!("{uid}.ics"), text)
}

/// The instant at which the event here begins.
async fn begins(world: &World, title: &str) -> String {
    let (here, _) = world.both().await;
    let row = here.iter().find(|row| row[0] == title);
    row.unwrap_or_else(|| panic!("{title} is not among {here:#?}"))[1].clone()
}

pub async fn zones_by_any_name_keep_their_clock(kind: Kind) {
    let names = [
        (
            "Exchange",
            "(UTC+01:00) Amsterdam\\, Berlin\\, Bern\\, Rom\\, Stockholm\\, Wien",
            "\"(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien\"",
        ),
        ("Windows", "W. Europe Standard Time", "W. Europe Standard Time"),
        ("Local", "Mitteleurop\u{e4}ische Zeit", "Mitteleurop\u{e4}ische Zeit"),
        (
            "Evolution",
            "/freeassociation.sourceforge.net/Europe/Berlin",
            "/freeassociation.sourceforge.net/Europe/Berlin",
        ),
        ("Plain", "Europe/Berlin", "Europe/Berlin"),
    ];
    let objects: Vec<_> =
        names.iter().map(|(title, property, parameter)| zoned(property, parameter, title, title)).collect();
    let world = World::with(kind, &objects).await;
    world.sync().await;
    for (title, _, _) in names {
        assert_eq!(begins(&world, title).await, "2027-07-05T08:00:00Z", "{title}");
    }
    for (title, _, _) in names {
        world.edit(title, "", json!({"title": format!("{title}, renamed")})).await;
    }
    for _ in 0..2 {
        world.sync().await;
    }
    for (title, _, _) in names {
        let title = format!("{title}, renamed");
        assert_eq!(begins(&world, &title).await, "2027-07-05T08:00:00Z", "{title}");
        let text = unfolded(&world.object(&title).await.1);
        // The wall time, or its instant, where the server writes it so.
        assert!(text.contains("20270705T100000") || text.contains("20270705T080000Z"), "{text}");
    }
}

pub async fn objects_at_odd_addresses_are_read_edited_and_deleted(kind: Kind) {
    let names = [
        "plain",
        "a%20space",
        "per%25cent",
        "plus+plus",
        "at@sign",
        "%C3%BCn%C3%AFcode",
        "semi;colon",
        "com,ma",
        "quote'quote",
        "hash%23hash",
        "question%3Fmark",
        "tilde~",
        "brackets%5B1%5D",
        "equals=equals",
        "amp&amp",
    ];
    // A calendar that is emptied is another matter.
    let kept = numbered(20, 0);
    let world = World::with(kind, &kept).await;
    let mut taken = Vec::new();
    for (n, name) in names.into_iter().enumerate().filter(|(_, name)| !kind.habits().hides_names.contains(name)) {
        let refused = kind.habits().refuses_names.iter().find(|(refused, _)| *refused == name);
        let text = object(
            &format!("odd{n}@strangers"),
            &[&format!("SUMMARY:Odd {n}"), "DTSTART:20261202T090000Z", "DTEND:20261202T100000Z"],
        );
        let status = world.dav.try_put(&format!("{}{name}.ics", world.path), &text).await;
        if let Some((_, with)) = refused {
            assert_eq!(status.as_u16(), *with, "{name}: the table of the servers says so");
        } else {
            assert!(status.is_success(), "{name}: {status}");
            taken.push(format!("Odd {n}"));
        }
    }
    assert_eq!(world.rest().await.len(), kept.len() + taken.len());
    for title in &taken {
        world.edit(title, "", json!({"location": "Here"})).await;
    }
    world.rest().await;
    let mut all = world.dav.everything(&world.path).await;
    all.retain(|(_, text)| text.contains("SUMMARY:Odd "));
    assert!(all.iter().all(|(_, text)| text.contains("LOCATION:Here")), "{all:#?}");
    assert_eq!(all.len(), taken.len(), "no copies: {all:#?}");
    for (n, title) in taken.iter().enumerate() {
        if n % 2 == 0 {
            world.delete(title, "").await;
        } else {
            world.delete_there(title).await;
        }
    }
    let rows = world.rest().await;
    assert_eq!(rows.len(), kept.len());
    assert!(rows.iter().all(|row| row[0].starts_with("Number ")), "{rows:#?}");
}
