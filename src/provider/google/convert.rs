//! Between Google's items and our content.
//!
//! **Invariant:** content that went out through [`facts`] and came back through [`read`] is equal, for content in the form
//! that [`canonical`] gives.

use chrono::{DateTime, Duration, FixedOffset, NaiveDate, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::{
    item::Item,
    series::{same, unnamed},
};
use crate::{
    domain::{
        calendar::RemoteCalendar,
        event::{EventContent, EventStatus, Facts, Override, Recurrence, Transparency, Visibility},
        ids::RemoteCalendarId,
        time::{EventTime, Zone},
    },
    ical,
};

/// Longest description that Google keeps, in characters.
const DESCRIPTION_MAX: usize = 8_192;
/// Longest title that Google keeps, in characters.
const TITLE_MAX: usize = 1_024;

/// A calendar of the list, and whether it is the primary one; `None`: not ours to read.
pub(super) fn calendar(entry: &Item) -> Option<(bool, RemoteCalendar)> {
    let role = entry.text("accessRole").unwrap_or_default();
    let gone = entry.flag("deleted") == Some(true) || entry.flag("hidden") == Some(true);
    // Who sees busy time alone sees no events.
    if gone || entry.id().is_empty() || role == "freeBusyReader" {
        return None;
    }
    let name = entry.text("summaryOverride").or_else(|| entry.text("summary")).unwrap_or_else(|| entry.id());
    let color = entry.text("backgroundColor").map(str::to_ascii_lowercase);
    let calendar = RemoteCalendar {
        id: RemoteCalendarId::from(entry.id()),
        name: name.to_owned(),
        color: color.filter(|text| text.len() == 7 && text.starts_with('#')),
        time_zone: entry.text("timeZone").map(str::to_owned),
        // A role that is not known is taken for the least.
        read_only: !matches!(role, "writer" | "owner" | "writerWithoutPrivateAccess"),
        stamp: None,
    };
    Some((entry.flag("primary") == Some(true), calendar))
}

/// What one item says. `Err`: why it cannot be read, without any of its text.
pub(super) fn read_facts(item: &Item) -> Result<Facts, String> {
    let start = time(item, "start")?;
    let end = match time(item, "end") {
        Ok(end) if end.is_all_day() == start.is_all_day() => end,
        _ => start,
    };
    let mut facts = Facts::new(item.text("summary").unwrap_or_default(), start, end);
    facts.description = item.text("description").map(str::to_owned);
    facts.location = item.text("location").map(str::to_owned);
    facts.status = match item.text("status") {
        Some("tentative") => EventStatus::Tentative,
        Some("cancelled") => EventStatus::Cancelled,
        _ => EventStatus::Confirmed,
    };
    // What a person declined takes none of their time, whatever the meeting says.
    let free = item.text("transparency") == Some("transparent") || declined(item);
    facts.transparency = if free { Transparency::Transparent } else { Transparency::Opaque };
    facts.visibility = match item.text("visibility") {
        Some("private") => Visibility::Private,
        Some("confidential") => Visibility::Confidential,
        _ => Visibility::Public,
    };
    facts.url = item.inside("source").and_then(|source| source.get("url")?.as_str().map(str::to_owned));
    Ok(facts)
}

/// Whether the owner of the calendar declined this invitation.
pub(super) fn declined(item: &Item) -> bool {
    let attendees = item.0.get("attendees").and_then(Value::as_array).into_iter().flatten();
    attendees
        .filter(|one| one.get("self") == Some(&Value::Bool(true)))
        .any(|one| one.get("responseStatus").and_then(Value::as_str) == Some("declined"))
}

/// A master or a single event without its exceptions.
pub(super) fn read(item: &Item) -> Result<EventContent, String> {
    let facts = read_facts(item)?;
    let lines = item.texts("recurrence");
    let recurrence = if lines.is_empty() {
        Recurrence::default()
    } else {
        ical::parse_recurrence_lines(&lines, &facts.start).map_err(|refused| refused.to_string())?
    };
    Ok(EventContent { facts, recurrence, overrides: Vec::new(), detached_from: None })
}

/// `start`, `end` or `originalStartTime`.
pub(super) fn time(item: &Item, name: &str) -> Result<EventTime, String> {
    let held = item.inside(name).ok_or_else(|| format!("it has no {name}"))?;
    if let Some(date) = held.get("date").and_then(Value::as_str) {
        return date.parse::<NaiveDate>().map(EventTime::Date).map_err(|_| format!("{name}: not a date"));
    }
    let text = held.get("dateTime").and_then(Value::as_str).ok_or_else(|| format!("it has no {name}"))?;
    let at = DateTime::parse_from_rfc3339(text).map_err(|_| format!("{name}: not a time"))?;
    let zone = held.get("timeZone").and_then(Value::as_str).and_then(ical::zone::resolve);
    Ok(placed(at, zone))
}

fn placed(at: DateTime<FixedOffset>, zone: Option<Zone>) -> EventTime {
    let local = match zone {
        Some(Zone::Named(tz)) => at.with_timezone(&tz).naive_local(),
        // Without a zone an offset gives the instant and nothing about other days.
        Some(Zone::Utc | Zone::Floating | Zone::Fixed(_)) | None => at.naive_utc(),
    };
    let zone = match zone {
        Some(Zone::Named(tz)) => Zone::Named(tz),
        Some(Zone::Utc | Zone::Floating | Zone::Fixed(_)) | None => Zone::Utc,
    };
    EventTime::DateTime { local: chrono::SubsecRound::trunc_subsecs(local, 0), zone }
}

/// A time as Google takes it. A patch merges, so the other kind of time, where `held` has one, is taken away by name.
pub(super) fn write_time(time: &EventTime, held: Option<&EventTime>) -> Value {
    let switches = held.is_some_and(|held| held.is_all_day() != time.is_all_day());
    let mut fields = match time {
        EventTime::Date(day) if switches => json!({ "date": day.to_string(), "dateTime": null, "timeZone": null }),
        EventTime::Date(day) => json!({ "date": day.to_string() }),
        EventTime::DateTime { zone, .. } => {
            let at = time.instant(Tz::UTC);
            let (text, name) = match zone {
                Zone::Named(tz) => (at.with_timezone(tz).to_rfc3339_opts(SecondsFormat::Secs, true), tz.name()),
                Zone::Utc | Zone::Fixed(_) | Zone::Floating => (at.to_rfc3339_opts(SecondsFormat::Secs, true), "UTC"),
            };
            json!({ "dateTime": text, "timeZone": name })
        }
    };
    if switches && let (EventTime::DateTime { .. }, Some(fields)) = (time, fields.as_object_mut()) {
        fields.insert("date".to_owned(), Value::Null);
    }
    fields
}

/// The instant an occurrence began at, as `originalStart` asks for it.
pub(super) fn original_start(time: &EventTime) -> String {
    match time {
        EventTime::Date(day) => day.to_string(),
        EventTime::DateTime { .. } => time.instant(Tz::UTC).to_rfc3339_opts(SecondsFormat::Secs, true),
    }
}

/// The fields of `wanted`, those that differ from `held` alone when there is one.
pub(super) fn facts(wanted: &Facts, held: Option<&Facts>) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, changed: bool, value: Value| {
        // What is not there is said only to take something away.
        if changed && !(held.is_none() && value.is_null()) {
            fields.insert(name.to_owned(), value);
        }
    };
    let differs = |same: fn(&Facts, &Facts) -> bool| held.is_none_or(|held| !same(held, wanted));
    put("summary", differs(|a, b| a.title == b.title), json!(wanted.title));
    put("description", differs(|a, b| a.description == b.description), json!(wanted.description));
    put("location", differs(|a, b| a.location == b.location), json!(wanted.location));
    put(
        "start",
        differs(|a, b| a.start == b.start && a.end == b.end),
        write_time(&wanted.start, held.map(|held| &held.start)),
    );
    put(
        "end",
        differs(|a, b| a.start == b.start && a.end == b.end),
        write_time(&wanted.end, held.map(|held| &held.end)),
    );
    put("status", differs(|a, b| a.status == b.status), json!(status(wanted.status)));
    let busy = if wanted.transparency == Transparency::Opaque { "opaque" } else { "transparent" };
    put("transparency", differs(|a, b| a.transparency == b.transparency), json!(busy));
    let visibility = match wanted.visibility {
        Visibility::Public => "default",
        Visibility::Private => "private",
        Visibility::Confidential => "confidential",
    };
    put("visibility", differs(|a, b| a.visibility == b.visibility), json!(visibility));
    let source = wanted.url.as_ref().map(|url| json!({ "url": url, "title": url }));
    put("source", differs(|a, b| a.url == b.url), json!(source));
    fields
}

fn status(status: EventStatus) -> &'static str {
    match status {
        EventStatus::Confirmed => "confirmed",
        EventStatus::Tentative => "tentative",
        EventStatus::Cancelled => "cancelled",
    }
}

/// `recurrence`: `RRULE`, `RDATE`, `EXDATE` lines; occurrences in `but` are taken out by other means.
pub(super) fn recurrence(content: &EventContent, but: &[EventTime]) -> Value {
    let mut content = content.clone();
    content.recurrence.excluded.retain(|time| !but.iter().any(|other| same(time, other)));
    json!(ical::recurrence_lines(&content))
}

/// What Google will give back for this content.
pub(super) fn canonical(content: &EventContent, floating_in: Tz) -> EventContent {
    let mut content = content.clone();
    plain(&mut content.facts, floating_in);
    for time in &mut content.recurrence.excluded {
        *time = known(*time, floating_in);
    }
    for added in &mut content.recurrence.added {
        added.start = known(added.start, floating_in);
        // A period's own length is not kept.
        added.end = None;
    }
    // An occurrence that was cancelled is one that is left out.
    let mut excluded = Vec::new();
    content.overrides.retain_mut(|one| {
        one.recurrence_id = known(one.recurrence_id, floating_in);
        plain(&mut one.facts, floating_in);
        if one.facts.status == EventStatus::Cancelled {
            excluded.push(one.recurrence_id);
        }
        one.facts.status != EventStatus::Cancelled
    });
    content.recurrence.excluded.extend(excluded);
    drop_plain_overrides(&mut content);
    content.normalise();
    content
}

/// An occurrence that says what its series says is none of its own: so an exception is undone at Google, which has no other
/// way to forget one. Where the series has no place for it, it is a meeting all the same.
pub(super) fn drop_plain_overrides(content: &mut EventContent) {
    let master = content.facts.clone();
    let length = master.end.wall() - master.start.wall();
    let is_plain = |one: &Override| {
        let start = one.recurrence_id;
        let same_zone = start.zone() == master.start.zone() && start.is_all_day() == master.start.is_all_day();
        let end = master.end.with_wall(start.wall() + length);
        same_zone && one.facts == Facts { start, end, ..master.clone() }
    };
    let plain: Vec<_> = content.overrides.iter().filter(|one| is_plain(one)).map(|one| one.recurrence_id).collect();
    let strays = unnamed(content, &plain);
    content.overrides.retain(|one| !plain.contains(&one.recurrence_id) || strays.contains(&one.recurrence_id));
}

fn plain(facts: &mut Facts, floating_in: Tz) {
    facts.start = known(facts.start, floating_in);
    facts.end = known(facts.end, floating_in);
    if facts.end.is_all_day() && facts.end.wall() <= facts.start.wall() {
        facts.end = facts.start.with_wall(facts.start.wall() + Duration::days(1));
    }
    if facts.title.chars().count() > TITLE_MAX {
        facts.title = facts.title.chars().take(TITLE_MAX).collect();
    }
    if let Some(text) = facts.description.as_mut().filter(|text| text.chars().count() > DESCRIPTION_MAX) {
        *text = text.chars().take(DESCRIPTION_MAX).collect();
    }
    // Only a web address can be a source.
    facts.url = facts.url.take().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
}

/// Google knows IANA zones and UTC.
fn known(time: EventTime, floating_in: Tz) -> EventTime {
    match time.zone() {
        _ if time.is_all_day() => time,
        Zone::Utc => time,
        // `Etc/UTC` and its like come back as UTC.
        Zone::Named(tz) if ical::zone::resolve(tz.name()) == Some(Zone::Named(tz)) => time,
        Zone::Floating => EventTime::zoned(time.wall(), floating_in),
        Zone::Named(_) | Zone::Fixed(_) => EventTime::utc(instant(&time)),
    }
}

fn instant(time: &EventTime) -> DateTime<Utc> {
    time.instant(Tz::UTC)
}

/// An exception as an override of its series.
pub(super) fn exception(item: &Item) -> Result<Override, String> {
    Ok(Override { recurrence_id: time(item, "originalStartTime")?, facts: read_facts(item)? })
}
