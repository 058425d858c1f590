//! Occurrences of a series: what follows from its rule, with its exceptions in their places.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::calendars::SandboxCalendar;
use crate::{
    domain::{
        event::{EventContent, Facts},
        time::{EventTime, Window, Zone},
    },
    engine::recurrence::{Bounds, expand},
    ical,
};

/// A `start`, an `end` or an `originalStartTime`.
pub(super) fn read_time(value: &Value) -> Option<EventTime> {
    if let Some(date) = value.get("date").and_then(Value::as_str) {
        return date.parse().ok().map(EventTime::Date);
    }
    EventTime::parse(value.get("dateTime")?.as_str()?, value.get("timeZone").and_then(Value::as_str)).ok()
}

/// A time of day with its offset in a zone.
pub(super) fn spelt(time: &EventTime, zone: &str) -> String {
    let tz: Tz = zone.parse().unwrap_or(Tz::UTC);
    time.instant(tz).with_timezone(&tz).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The series that an item is; `None`: it is none, or its rule cannot be read.
pub(super) fn content(item: &Map<String, Value>) -> Option<EventContent> {
    let (start, end) = (read_time(item.get("start")?)?, read_time(item.get("end")?)?);
    let lines: Vec<String> =
        item.get("recurrence")?.as_array()?.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect();
    let recurrence = ical::parse_recurrence_lines(&lines, &start).ok()?;
    let facts = Facts::new("", start, end);
    Some(EventContent { facts, recurrence, overrides: Vec::new(), detached_from: None })
}

/// The occurrences of a master within a window, exceptions included (cancelled ones too), by original start. Without a
/// window: two years from its start, which is as far as this world looks.
pub(super) fn occurrences(
    calendar: &SandboxCalendar,
    master: &Map<String, Value>,
    window: Option<Window>,
) -> Vec<Map<String, Value>> {
    let Some(content) = content(master) else { return vec![master.clone()] };
    let tz: Tz = calendar.time_zone.parse().unwrap_or(Tz::UTC);
    let first = content.facts.start.instant(tz);
    let window = window.unwrap_or(Window { from: first - Duration::days(1), to: first + Duration::days(731) });
    let id = master.get("id").and_then(Value::as_str).unwrap_or_default();
    let expansion = expand(&content, window, tz, &Bounds::default()).unwrap_or_default();
    let mut found: Vec<Map<String, Value>> = expansion
        .occurrences
        .iter()
        .map(|one| {
            let original = one.recurrence_id.unwrap_or(one.facts.start);
            let name = format!("{id}_{}", stamp(&original, tz));
            calendar
                .events
                .get(&name)
                .map_or_else(|| instance(master, &name, &original, &one.facts), |held| held.item.clone())
        })
        .collect();
    // Exceptions may have been moved into the window from outside it.
    let known: Vec<String> = found.iter().filter_map(|one| Some(one.get("id")?.as_str()?.to_owned())).collect();
    found.extend(
        calendar
            .events
            .values()
            .filter(|one| one.text("recurringEventId") == id)
            .filter(|one| !known.contains(&one.text("id").to_owned()))
            .map(|one| one.item.clone()),
    );
    found
}

/// What occurrences are called: the original start in UTC, or its date.
fn stamp(original: &EventTime, tz: Tz) -> String {
    match original {
        EventTime::Date(day) => day.format("%Y%m%d").to_string(),
        EventTime::DateTime { .. } => original.instant(tz).format("%Y%m%dT%H%M%SZ").to_string(),
    }
}

fn instance(master: &Map<String, Value>, name: &str, original: &EventTime, facts: &Facts) -> Map<String, Value> {
    let mut one = master.clone();
    one.remove("recurrence");
    one.insert("id".to_owned(), json!(name));
    one.insert("recurringEventId".to_owned(), master.get("id").cloned().unwrap_or_default());
    one.insert("originalStartTime".to_owned(), written(original));
    one.insert("start".to_owned(), written(&facts.start));
    one.insert("end".to_owned(), written(&facts.end));
    one
}

fn written(time: &EventTime) -> Value {
    match time {
        EventTime::Date(day) => json!({ "date": day.to_string() }),
        EventTime::DateTime { zone, .. } => {
            let name = match zone {
                Zone::Named(tz) => tz.name().to_owned(),
                Zone::Utc | Zone::Fixed(_) | Zone::Floating => "UTC".to_owned(),
            };
            json!({ "dateTime": spelt(time, &name), "timeZone": name })
        }
    }
}

/// First and last instant of an item in a calendar's zone.
pub(super) fn bounds(item: &Map<String, Value>, zone: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let tz: Tz = zone.parse().unwrap_or(Tz::UTC);
    Some((read_time(item.get("start")?)?.instant(tz), read_time(item.get("end")?)?.instant(tz)))
}

/// Whether an item is within a time: it ends after its beginning and begins before its end.
pub(super) fn overlaps(item: &Map<String, Value>, zone: &str, window: Window) -> bool {
    bounds(item, zone).is_some_and(|(start, end)| end > window.from && start < window.to)
}
