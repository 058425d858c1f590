//! Edits of every kind, made on each side and on both.

use serde_json::{Value, json};

use super::world::{World, object};
use crate::support::{
    middleman::Fate,
    strangers::{Kind, Points},
};

const PARIS: &str = "Europe/Paris";

fn at(text: &str) -> Value {
    json!({"date_time": text, "time_zone": PARIS})
}

fn day(text: &str) -> Value {
    json!({"date": text})
}

/// A row of what both sides show: title, start, end.
fn row(title: &str, start: &str, end: &str) -> [String; 3] {
    [title, start, end].map(str::to_owned)
}

fn ics(name: &str, lines: &[&str]) -> (String, String) {
    (format!("{name}.ics"), object(&format!("{name}@strangers"), lines))
}

/// What the rows of these titles are, in order of time.
fn of<'r>(rows: &'r [[String; 3]], titles: &[&str]) -> Vec<&'r [String; 3]> {
    let mut found: Vec<_> = rows.iter().filter(|row| titles.contains(&row[0].as_str())).collect();
    found.sort_by_key(|row| &row[1]);
    found
}

pub async fn edits_of_every_kind_travel_both_ways(kind: Kind) {
    let objects = [
        ics("single", &["SUMMARY:Single", "DTSTART:20261202T090000Z", "DTEND:20261202T100000Z"]),
        ics("gone", &["SUMMARY:Gone", "DTSTART:20261202T110000Z", "DTEND:20261202T120000Z"]),
        ics("day", &["SUMMARY:Becomes timed", "DTSTART;VALUE=DATE:20261209", "DTEND;VALUE=DATE:20261210"]),
        ics("row", &["SUMMARY:Row", "DTSTART:20261214T090000Z", "DTEND:20261214T093000Z", "RRULE:FREQ=DAILY;COUNT=5"]),
    ];
    let mut world = World::with(kind, &objects).await;
    assert_eq!(world.rest().await.len(), 8);

    // Here: title, time, whole day and back, an occurrence changed and one left out, a series moved, a split, a deletion.
    world.make("Ours", json!({})).await;
    world.make("Becomes a day", json!({})).await;
    let rule = json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=6"], "start": at("2027-01-11T10:00:00"), "end": at("2027-01-11T11:00:00")});
    world.make("Series", rule.clone()).await;
    world.make("Split", rule).await;
    world.rest().await;
    world.edit("Ours", "", json!({"title": "Ours, renamed", "start": at("2026-12-01T14:00:00")})).await;
    world.edit("Becomes a day", "", json!({"start": day("2026-12-03"), "end": day("2026-12-04")})).await;
    world
        .edit("Becomes timed", "", json!({"start": at("2026-12-09T08:00:00"), "end": at("2026-12-09T09:00:00")}))
        .await;
    world.edit("Series", "?scope=this&recurrence_id=2027-01-12T10:00:00", json!({"title": "One of it"})).await;
    world.delete("Series", "?scope=this&recurrence_id=2027-01-13T10:00:00").await;
    world.edit("Split", "?scope=following&recurrence_id=2027-01-14T10:00:00", json!({"title": "The rest"})).await;
    world.delete("Gone", "").await;
    let rows = world.rest().await;
    assert_eq!(of(&rows, &["Ours, renamed"]), [&row("Ours, renamed", "2026-12-01T13:00:00Z", "2026-12-01T14:00:00Z")]);
    assert_eq!(of(&rows, &["Becomes a day"]), [&row("Becomes a day", "2026-12-03", "2026-12-04")]);
    assert_eq!(of(&rows, &["Becomes timed"]), [&row("Becomes timed", "2026-12-09T07:00:00Z", "2026-12-09T08:00:00Z")]);
    assert_eq!((of(&rows, &["Series"]).len(), of(&rows, &["One of it"]).len()), (4, 1));
    assert_eq!((of(&rows, &["Split"]).len(), of(&rows, &["The rest"]).len()), (3, 3));
    assert!(of(&rows, &["Gone"]).is_empty());
    world
        .edit("Series", "?scope=all", json!({"start": at("2027-01-11T15:00:00"), "end": at("2027-01-11T16:30:00")}))
        .await;
    let rows = world.rest().await;
    let first = row("Series", "2027-01-11T14:00:00Z", "2027-01-11T15:30:00Z");
    assert_eq!(of(&rows, &["Series"]).first(), Some(&&first));

    // There: title, time, a rule that is shorter, a deletion, something new.
    world.edit_there("Single", "SUMMARY:Single", "SUMMARY:Single there").await;
    world.edit_there("Ours, renamed", "T150000", "T180000").await;
    world.edit_there("Ours, renamed", "T140000", "T170000").await;
    world.edit_there("Row", "COUNT=5", "COUNT=3").await;
    world.delete_there("Becomes timed").await;
    let (name, text) = ics("new", &["SUMMARY:New there", "DTSTART:20261216T090000Z", "DTEND:20261216T100000Z"]);
    world.dav.put(&format!("{}{name}", world.path), &text).await;
    let rows = world.rest().await;
    assert_eq!(of(&rows, &["Single there"]).len(), 1);
    assert_eq!(of(&rows, &["Row"]).len(), 3);
    assert_eq!(of(&rows, &["Becomes timed", "Single"]).len(), 0);
    assert_eq!(of(&rows, &["New there"]), [&row("New there", "2026-12-16T09:00:00Z", "2026-12-16T10:00:00Z")]);
    assert_eq!(of(&rows, &["Ours, renamed"])[0][1], "2026-12-01T16:00:00Z");
    // What we made a moment ago may be missing from a list that lags behind.
    world.delete_there("Becomes a day").await;
    world.a_day_passes().await;
    assert_eq!(of(&world.rest().await, &["Becomes a day"]).len(), 0);
}

pub async fn whole_days_end_after_they_begin(kind: Kind) {
    let objects = [
        ics("end", &["SUMMARY:With an end", "DTSTART;VALUE=DATE:20261207", "DTEND;VALUE=DATE:20261208"]),
        ics("bare", &["SUMMARY:Without an end", "DTSTART;VALUE=DATE:20261208"]),
        ics("long", &["SUMMARY:With a length", "DTSTART;VALUE=DATE:20261209", "DURATION:P2D"]),
        ics(
            "row",
            &[
                "SUMMARY:Birthday",
                "DTSTART;VALUE=DATE:20261210",
                "DTEND;VALUE=DATE:20261211",
                "RRULE:FREQ=WEEKLY;COUNT=4",
            ],
        ),
        ics("timed", &["SUMMARY:Timed", "DTSTART:20261211T090000Z", "DTEND:20261211T100000Z"]),
    ];
    let world = World::with(kind, &objects).await;
    world.rest().await;
    // `both`, which every rest asks, fails at any DTEND that is not after its DTSTART.
    world.edit("With an end", "", json!({"start": day("2026-12-21"), "end": day("2026-12-22")})).await;
    world.edit("Without an end", "", json!({"start": day("2026-12-22"), "end": day("2026-12-23")})).await;
    world.edit("With a length", "", json!({"start": day("2026-12-23"), "end": day("2026-12-26")})).await;
    world.edit("Birthday", "?scope=this&recurrence_id=2026-12-17", json!({"title": "The second"})).await;
    let rows = world.rest().await;
    assert_eq!(of(&rows, &["With an end"]), [&row("With an end", "2026-12-21", "2026-12-22")]);
    assert_eq!(of(&rows, &["Without an end"]), [&row("Without an end", "2026-12-22", "2026-12-23")]);
    assert_eq!(of(&rows, &["With a length"]), [&row("With a length", "2026-12-23", "2026-12-26")]);
    assert_eq!(of(&rows, &["The second"]), [&row("The second", "2026-12-17", "2026-12-18")]);

    world.edit("With an end", "", json!({"title": "Only renamed"})).await;
    world
        .edit(
            "Birthday",
            "?scope=this&recurrence_id=2026-12-24",
            json!({"start": day("2026-12-28"), "end": day("2026-12-29")}),
        )
        .await;
    world.edit("Timed", "", json!({"start": day("2026-12-30"), "end": day("2026-12-31")})).await;
    let rows = world.rest().await;
    assert_eq!(of(&rows, &["Only renamed"]), [&row("Only renamed", "2026-12-21", "2026-12-22")]);
    assert!(rows.contains(&row("Birthday", "2026-12-28", "2026-12-29")), "{rows:#?}");
    assert_eq!(of(&rows, &["Timed"]), [&row("Timed", "2026-12-30", "2026-12-31")]);

    world.edit("Birthday", "?scope=all", json!({"start": day("2026-12-11"), "end": day("2026-12-12")})).await;
    world.edit("Timed", "", json!({"start": at("2026-12-30T08:00:00"), "end": at("2026-12-30T09:00:00")})).await;
    world.edit_there("Without an end", "SUMMARY:Without an end", "SUMMARY:Renamed there").await;
    let rows = world.rest().await;
    assert!(rows.contains(&row("Birthday", "2026-12-11", "2026-12-12")), "{rows:#?}");
    assert_eq!(of(&rows, &["Timed"]), [&row("Timed", "2026-12-30T07:00:00Z", "2026-12-30T08:00:00Z")]);
    assert_eq!(of(&rows, &["Renamed there"]), [&row("Renamed there", "2026-12-22", "2026-12-23")]);
}

/// Objects as calendars have them: singles, days, series with exceptions, other zones, long texts.
fn mixed(count: usize) -> Vec<(String, String)> {
    let one = |n: usize| {
        let (date, hour) = (1 + n % 28, 7 + n / 28 % 12);
        let title = format!("SUMMARY:Mixed {n}, with a comma; and more \u{e9}\u{4f1a}")
            .replace(", ", "\\, ")
            .replace("; ", "\\; ");
        let start = format!("202612{date:02}");
        let words: Vec<String> = match n % 6 {
            0 => vec![format!("DTSTART:{start}T{hour:02}0000Z"), format!("DTEND:{start}T{hour:02}4500Z")],
            1 => vec![format!("DTSTART;VALUE=DATE:{start}"), format!("DTEND;VALUE=DATE:202701{date:02}")],
            2 => vec![
                format!("DTSTART:{start}T{hour:02}0000Z"),
                "DURATION:PT1H30M".to_owned(),
                format!("DESCRIPTION:{}", "long text ".repeat(60)),
            ],
            3 => vec![
                format!("DTSTART:{start}T{hour:02}0000Z"),
                format!("DTEND:{start}T{hour:02}3000Z"),
                "RRULE:FREQ=WEEKLY;COUNT=6".to_owned(),
                format!("EXDATE:202701{:02}T{hour:02}0000Z", if date + 7 > 31 { date + 7 - 31 } else { 31 }),
            ],
            4 => vec![format!("DTSTART;VALUE=DATE:{start}"), "RRULE:FREQ=MONTHLY;COUNT=4".to_owned()],
            _ => vec![
                format!("DTSTART:{start}T{hour:02}0000Z"),
                format!("DTEND:{start}T{hour:02}1500Z"),
                "LOCATION:Room 1\\, left".to_owned(),
                "CATEGORIES:one,two".to_owned(),
                "X-UNKNOWN;X-P=\"a:b\":kept".to_owned(),
            ],
        };
        let mut lines = vec![title.as_str()];
        lines.extend(words.iter().map(String::as_str));
        // Lines of 75 octets at most, or some server may refuse the object.
        let text = object(&format!("mixed-{n}@strangers"), &lines);
        (format!("mixed-{n}.ics"), folded(&text))
    };
    (0..count).map(one).collect()
}

fn folded(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_terminator("\r\n") {
        let mut length = 0;
        for letter in line.chars() {
            if length + letter.len_utf8() > 74 {
                out.push_str("\r\n ");
                length = 1;
            }
            out.push(letter);
            length += letter.len_utf8();
        }
        out.push_str("\r\n");
    }
    out
}

pub async fn three_hundred_mixed_events_are_the_same_on_both_sides(kind: Kind) {
    let mut world = World::with(kind, &mixed(300)).await;
    let rows = world.rest().await;
    assert_eq!(world.here().await.len(), 300);
    assert!(rows.len() > 600, "{}", rows.len());
    let before = world.dav.everything(&world.path).await;
    world.a_day_passes().await;
    assert_eq!(world.rest().await, rows);
    assert_eq!(world.dav.everything(&world.path).await, before, "nothing is written that nobody changed");
    for n in (0..300).step_by(15) {
        let title = format!("Mixed {n}, with a comma; and more \u{e9}\u{4f1a}");
        world.edit(&title, "", json!({"location": format!("Hall {n}")})).await;
    }
    assert_eq!(world.rest().await, rows, "another place is another time for nobody");
    let places =
        world.dav.everything(&world.path).await.iter().filter(|(_, text)| text.contains("LOCATION:Hall ")).count();
    assert_eq!(places, 20);
}

pub async fn an_event_without_length_has_no_end_before_it_begins(kind: Kind) {
    let points = kind.habits().points;
    let mut objects = vec![ics("hour", &["SUMMARY:Hour", "DTSTART:20261202T090000Z", "DTEND:20261202T100000Z"])];
    if points != Points::Refused {
        objects.push(ics("point", &["SUMMARY:Point", "DTSTART:20261202T090000Z"]));
        objects.push(ics("zero", &["SUMMARY:Zero", "DTSTART:20261203T090000Z", "DURATION:PT0S"]));
    }
    let world = World::with(kind, &objects).await;
    world.make("Ours", json!({"end": at("2026-12-01T10:00:00")})).await;
    if points == Points::Refused {
        // It is only here; everything else goes on.
        world.sync().await;
        world.edit("Hour", "", json!({"title": "Hour, renamed"})).await;
        let account = world.sync().await;
        assert_eq!(account["status"], "active", "{account}");
        world.object("Hour, renamed").await;
        return;
    }
    let begins = |rows: &[[String; 3]], title: &str| {
        let row = rows.iter().find(|row| row[0] == title).unwrap_or_else(|| panic!("{title} is not among {rows:#?}"));
        if points == Points::Kept {
            assert_eq!(row[1], row[2], "{title}");
        }
        row[1].clone()
    };
    let rows = world.rest().await;
    assert_eq!(begins(&rows, "Ours"), "2026-12-01T09:00:00Z");
    world.edit("Point", "", json!({"title": "Point, renamed"})).await;
    world.edit("Zero", "", json!({"start": at("2026-12-04T10:00:00"), "end": at("2026-12-04T10:00:00")})).await;
    let rows = world.rest().await;
    assert_eq!(begins(&rows, "Point, renamed"), "2026-12-02T09:00:00Z");
    assert_eq!(begins(&rows, "Zero"), "2026-12-04T09:00:00Z");
    world.edit("Ours", "", json!({"start": at("2026-12-05T10:00:00"), "end": at("2026-12-05T11:00:00")})).await;
    let rows = world.rest().await;
    assert!(rows.contains(&row("Ours", "2026-12-05T09:00:00Z", "2026-12-05T10:00:00Z")), "{rows:#?}");
}

/// The conflicts of the account that were settled or wait.
async fn conflicts(world: &World) -> Vec<Value> {
    let found = world.service.ok("GET", &format!("/v1/conflicts?account_id={}", world.account), None).await;
    found["data"].as_array().cloned().expect("rows")
}

pub async fn both_edit_one_event(kind: Kind) {
    let objects = [
        ics("one", &["SUMMARY:One", "DTSTART:20261202T090000Z", "DTEND:20261202T100000Z"]),
        ics("two", &["SUMMARY:Two", "DTSTART:20261203T090000Z", "DTEND:20261203T100000Z"]),
    ];
    let world = World::with(kind, &objects).await;
    world.service.ok("POST", &format!("/v1/accounts/{}/pause", world.account), None).await;
    // Different fields: both stay.
    world.edit_there("Two", "SUMMARY:Two", "SUMMARY:Two there").await;
    world.edit("Two", "", json!({"start": at("2026-12-03T12:00:00"), "end": at("2026-12-03T13:00:00")})).await;
    // The same field: one wins on both sides, and the other is in the history.
    world.edit_there("One", "SUMMARY:One", "SUMMARY:One there").await;
    world.edit("One", "", json!({"title": "One here"})).await;
    world.service.ok("POST", &format!("/v1/accounts/{}/resume", world.account), None).await;
    let rows = world.rest().await;
    assert!(rows.contains(&row("Two there", "2026-12-03T11:00:00Z", "2026-12-03T12:00:00Z")), "{rows:#?}");
    assert_eq!(rows.len(), 2, "{rows:#?}");
    let conflicts = conflicts(&world).await;
    assert_eq!(conflicts.len(), 1, "{conflicts:#?}");
    let sides = (&conflicts[0]["local"]["facts"]["title"], &conflicts[0]["remote"]["facts"]["title"]);
    assert_eq!(sides, (&json!("One here"), &json!("One there")), "both texts are kept");
}

pub async fn an_edit_comes_before_our_write(kind: Kind) {
    let objects = [ics("one", &["SUMMARY:One", "DTSTART:20261202T090000Z", "DTEND:20261202T100000Z"])];
    let world = World::with(kind, &objects).await;
    world.rest().await;
    let (href, text) = world.object("One").await;
    let theirs = text.replace("SUMMARY:One", "SUMMARY:One\r\nLOCATION:Theirs");
    // Between our reading and our writing somebody else writes: their edit is there when ours arrives.
    let (port, person) = (world.server.port, world.person.clone());
    let mut written = false;
    world.wire.judge(move |request| {
        if request.method == "PUT" && !written {
            written = true;
            let (theirs, href, person) = (theirs.clone(), href.clone(), person.clone());
            let put = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let dav = crate::support::dav::Dav::as_user(&format!("http://127.0.0.1:{port}"), &person);
                    dav.put(&href, &theirs).await;
                });
            });
            put.join().expect("their edit is there");
        }
        Fate::Pass
    });
    world.edit("One", "", json!({"title": "One here"})).await;
    world.rest().await;
    let event = world.find("One here").await.expect("our title");
    assert_eq!(event["location"], "Theirs", "their edit is not written over");
    let (_, text) = world.object("One here").await;
    assert!(text.contains("LOCATION:Theirs"), "{text}");
}

pub async fn what_is_deleted_here_while_it_is_edited_there(kind: Kind) {
    let objects = [
        ics("one", &["SUMMARY:One", "DTSTART:20261202T090000Z", "DTEND:20261202T100000Z"]),
        ics("two", &["SUMMARY:Two", "DTSTART:20261203T090000Z", "DTEND:20261203T100000Z"]),
        ics("three", &["SUMMARY:Three", "DTSTART:20261204T090000Z", "DTEND:20261204T100000Z"]),
    ];
    let mut world = World::with(kind, &objects).await;
    world.rest().await;
    // Neither side hears of the other meanwhile.
    world.service.ok("POST", &format!("/v1/accounts/{}/pause", world.account), None).await;
    world.edit_there("One", "SUMMARY:One", "SUMMARY:One there").await;
    world.delete("One", "").await;
    world.edit("Two", "", json!({"title": "Two here"})).await;
    world.delete_there("Two").await;
    world.service.ok("POST", &format!("/v1/accounts/{}/resume", world.account), None).await;
    let rows = world.rest().await;
    world.a_day_passes().await;
    assert_eq!(world.rest().await, rows, "it stays as it was decided");
    // Whoever won, no edit is lost: it is on both sides, or in the history.
    let (kept, history) = (json!(rows).to_string(), json!(conflicts(&world).await).to_string());
    for title in ["One there", "Two here"] {
        assert!(kept.contains(title) || history.contains(title), "{title}: {kept}\n{history}");
    }
}
