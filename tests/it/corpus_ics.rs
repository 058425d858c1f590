//! Every calendar of the corpus, as a feed and as CalDAV objects; and when its events begin, beside `dateutil`.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use calwarden::{
    domain::{
        event::{EventContent, EventStatus, Override},
        ids::Uid,
    },
    ical::{self, Resource, TextLimits, decode, encode},
};
use chrono::{DateTime, Utc};

use crate::support::{corpora, peers_python};

fn files() -> Vec<(String, Vec<u8>)> {
    let folder = corpora().join("ics");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(paths.len() >= 200, "the corpus is there: {} files", paths.len());
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read(path).expect("a file"))).collect()
}

fn stamp() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("an instant")
}

/// The unfolded lines.
fn unfolded(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    text.replace("\n ", "").replace("\n\t", "").lines().map(str::to_owned).collect()
}

fn read_again(file: &str, bytes: &[u8]) -> Resource {
    decode::resource(bytes, &TextLimits::default())
        .unwrap_or_else(|why| panic!("{file}: not read again: {why}\n{}", String::from_utf8_lossy(bytes)))
}

#[test]
fn what_parses_survives_being_written_and_read_again() {
    let mut survived = 0;
    for (file, bytes) in files() {
        let Ok(feed) = decode::feed(&bytes, &TextLimits::default()) else { continue };
        for (at, event) in feed.events.into_iter().enumerate() {
            let uid = event.uid.unwrap_or_else(|| Uid(format!("made-{at}")));
            let canonical = ical::canonical(&event.content);
            assert_eq!(canonical, event.content, "{file}: what is read is canonical");
            let written = encode::create(&uid, &event.content, stamp());
            let read = read_again(&file, &written);
            assert_eq!((read.uid, &read.content), (uid, &event.content), "{file}");
            assert!(written.split(|b| *b == b'\n').all(|line| line.len() <= 76), "{file}: folded");
            survived += 1;
        }
    }
    println!("{survived} events survive being written");
    assert!(survived > 500, "{survived}");
}

#[test]
fn an_edit_to_the_same_content_changes_no_byte_and_a_real_one_changes_no_other_line() {
    let (mut same, mut edited) = (0, 0);
    for (file, bytes) in files() {
        let Ok(resource) = decode::resource(&bytes, &TextLimits::default()) else { continue };
        let unchanged = encode::edit(&bytes, &resource.content, stamp()).unwrap_or_else(|why| panic!("{file}: {why}"));
        assert!(unchanged == bytes, "{file}: bytes changed");
        same += 1;
        for wanted in edits(&resource.content) {
            let result = encode::edit(&bytes, &wanted, stamp()).unwrap_or_else(|why| panic!("{file}: {why}"));
            assert_eq!(read_again(&file, &result).content, ical::canonical(&wanted), "{file}");
            assert_foreign_lines_survive(&file, &bytes, &result);
            edited += 1;
        }
    }
    println!("{same} resources unchanged by an edit to themselves; {edited} edits read as wanted");
    assert!(same > 100, "{same}");
}

/// When events of these calendars begin by the VTIMEZONE of their own file: `UID`, wall time, seconds since 1970.
fn by_their_own_zones(texts: &[String]) -> Vec<Vec<(String, String, i64)>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/zone_oracle.py");
    let mut oracle = Command::new(peers_python());
    let mut oracle = oracle
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python (tests/run installs it)");
    let asked = serde_json::to_vec(texts).expect("JSON");
    oracle.stdin.take().expect("a pipe").write_all(&asked).expect("python listens");
    let answer = oracle.wait_with_output().expect("python ends");
    serde_json::from_slice(&answer.stdout).expect("python answers")
}

#[test]
fn an_event_begins_when_the_zone_of_its_own_file_says() {
    let files = files();
    let texts: Vec<_> = files.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
    let mut compared = 0;
    for ((file, bytes), rows) in files.iter().zip(by_their_own_zones(&texts)) {
        let Ok(feed) = decode::feed(bytes, &TextLimits::default()) else { continue };
        for (uid, wall, instant) in rows {
            let Some(event) = feed.events.iter().find(|event| event.uid.as_ref().is_some_and(|held| held.0 == uid))
            else {
                continue;
            };
            let ours = event.content.facts.start.instant(chrono_tz::UTC);
            assert_eq!(ours.timestamp(), instant, "{file}: {uid} at {wall}");
            compared += 1;
        }
    }
    println!("{compared} events begin when the zone of their file says");
    assert!(compared >= 40, "{compared}");
}

/// Edits that a person makes.
fn edits(content: &EventContent) -> Vec<EventContent> {
    let mut titled = content.clone();
    titled.facts.title = "Another, title; with \\ and\nmore".repeat(4);
    titled.facts.location = None;
    let mut moved = content.clone();
    let days = chrono::Duration::days(7);
    moved.facts.start = moved.facts.start.with_wall(moved.facts.start.wall() + days);
    moved.facts.end = moved.facts.end.with_wall(moved.facts.end.wall() + days);
    let mut cancelled = content.clone();
    cancelled.facts.status = EventStatus::Cancelled;
    let mut edits = vec![titled, moved, cancelled];
    if !content.recurrence.is_empty() {
        let at = content.facts.start.with_wall(content.facts.start.wall() + days);
        let mut skipped = content.clone();
        skipped.recurrence.excluded.push(at);
        edits.push(skipped);
        let mut facts = content.facts.clone();
        "This time only".clone_into(&mut facts.title);
        let mut differing = content.clone();
        differing.overrides.push(Override { recurrence_id: at, facts });
        edits.push(differing);
        let mut once = content.clone();
        once.recurrence = calwarden::domain::event::Recurrence::default();
        once.overrides.clear();
        edits.push(once);
    }
    edits
}

/// Properties that an edit may change.
const OURS: [&str; 17] = [
    "SUMMARY",
    "DESCRIPTION",
    "LOCATION",
    "URL",
    "STATUS",
    "TRANSP",
    "CLASS",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "EXRULE",
    "RDATE",
    "EXDATE",
    "SEQUENCE",
    "DTSTAMP",
    "LAST-MODIFIED",
];

/// Lines before the first override are of the master, the zones and the calendar: none that we do not model may go.
fn assert_foreign_lines_survive(file: &str, before: &[u8], after: &[u8]) {
    let is_ours = |line: &str| {
        let name = line.split([':', ';']).next().unwrap_or_default().trim().to_ascii_uppercase();
        OURS.contains(&name.as_str()) || name == "RECURRENCE-ID" || name == "X-MICROSOFT-CDO-ALLDAYEVENT"
    };
    let foreign = |bytes| {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for line in unfolded(bytes).into_iter().filter(|line| !is_ours(line)) {
            *counts.entry(line).or_default() += 1;
        }
        counts
    };
    let (before, after) = (foreign(before), foreign(after));
    let removed_overrides = after.get("BEGIN:VEVENT") < before.get("BEGIN:VEVENT");
    for (line, count) in &before {
        let left = after.get(line).copied().unwrap_or(0);
        assert!(left >= *count || (removed_overrides && left >= 0), "{file}: lost {line}");
    }
}

/// Why a file of the corpus need not be read: it is not a whole calendar, or a template that a test suite fills in.
fn excused(text: &str) -> bool {
    let begins = text.trim_start_matches('\u{feff}').trim_start();
    let placeholder = ["$now", "{", "%"]
        .iter()
        .any(|mark| text.lines().any(|line| line.starts_with("DTSTART") && line.contains(mark)));
    !begins.starts_with("BEGIN:VCALENDAR") || placeholder
}

#[test]
fn what_is_refused_is_refused_with_a_reason() {
    let limits = TextLimits::default();
    let (mut asked, mut excused_files, mut whole, mut events, mut unreadable) = (0, 0, 0, 0, 0);
    for (file, bytes) in files() {
        let text = String::from_utf8_lossy(&bytes);
        if let Err(why) = decode::resource(&bytes, &limits) {
            assert!(!why.0.is_empty(), "{file}");
        }
        let asks = text.to_ascii_uppercase().contains("BEGIN:VEVENT");
        let is_excused = excused(&text);
        excused_files += usize::from(asks && is_excused);
        asked += usize::from(asks && !is_excused);
        match decode::feed(&bytes, &limits) {
            Ok(feed) => {
                whole += usize::from(asks && !is_excused && feed.unreadable.is_empty());
                events += feed.events.len();
                unreadable += feed.unreadable.len();
                for event in feed.unreadable {
                    assert!(!event.why.is_empty(), "{file}");
                    println!("{}{file}: unreadable: {}", if is_excused { "(template) " } else { "" }, event.why);
                }
            }
            Err(why) => {
                assert!(!why.0.is_empty(), "{file}");
                println!("{}{file}: refused: {why}", if is_excused { "(fragment) " } else { "" });
            }
        }
    }
    println!(
        "{asked} whole calendars with events, {whole} read without loss ({excused_files} templates and fragments aside)"
    );
    println!("{events} events read, {unreadable} unreadable");
    assert!(whole * 100 >= asked * 85, "{whole} of {asked}: the rest is broken on purpose, in a way we name");
}

/// Damage of a fixed seed: bytes overwritten, doubled, cut out, and pieces of other files let in.
fn damaged(bytes: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or(0) % below.max(1)
    };
    let mut bytes = bytes.to_vec();
    for _ in 0..=next(6) {
        let (from, length) = (next(bytes.len()), next(40));
        let to = (from + length).min(bytes.len());
        match next(5) {
            0 => bytes[from..to].fill(b":;=,\"\n \xff"[next(8)]),
            1 => drop(bytes.drain(from..to)),
            2 => bytes.extend_from_within(from..to),
            3 => bytes.truncate(from.max(1)),
            _ => {
                let at = next(other.len());
                let piece = other[at..(at + length).min(other.len())].to_vec();
                bytes.splice(from..from, piece);
            }
        }
    }
    bytes
}

#[test]
fn no_damage_to_a_calendar_panics_or_spoils_an_edit() {
    let files = files();
    let limits = TextLimits::default();
    let mut still_read = 0;
    for (at, (file, bytes)) in files.iter().enumerate() {
        for seed in 0..12 {
            let other = &files[(at + 7) % files.len()].1;
            let bytes = damaged(bytes, other, seed * 1_000 + at as u64);
            let _ = decode::feed(&bytes, &limits);
            let Ok(resource) = decode::resource(&bytes, &limits) else { continue };
            still_read += 1;
            let unchanged = encode::edit(&bytes, &resource.content, stamp());
            assert!(unchanged.is_ok_and(|unchanged| unchanged == bytes), "{file} {seed}: bytes changed");
            let mut wanted = resource.content;
            wanted.facts.title.push('x');
            if let Ok(edited) = encode::edit(&bytes, &wanted, stamp()) {
                assert_eq!(read_again(file, &edited).content, ical::canonical(&wanted), "{file} {seed}");
            }
        }
    }
    println!("{still_read} damaged calendars were still read");
    assert!(still_read > 100, "{still_read}");
}
