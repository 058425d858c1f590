//! What answers look like: times in the asked zone, shortened guest lists, partial answers, ETags.

use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::{SandboxAnswer, calendars::SandboxCalendar, errors::SandboxRefusal, expand, fields};
use crate::sandbox::reply::{Reply, SandboxRequest};

/// An answer of success: 304 when the caller has this version, and only the fields it asks for.
pub(super) fn answer(asked: &SandboxRequest, body: Value) -> SandboxAnswer {
    let etag = body.get("etag").and_then(Value::as_str).map(str::to_owned);
    let header = |etag: String| ("etag".to_owned(), etag);
    if asked.method == "GET" && etag.is_some() && asked.header("if-none-match") == etag.as_deref() {
        return Ok(Reply { headers: etag.into_iter().map(header).collect(), ..Reply::empty(304) });
    }
    let body = match asked.param("fields") {
        Some(text) => fields::select(text, body)?,
        None => body,
    };
    let mut reply = Reply::json(200, &body);
    reply.headers.extend(etag.map(header));
    Ok(reply)
}

/// What somebody sees of an event whose details are none of theirs.
const BARE: [&str; 14] = [
    "created",
    "end",
    "etag",
    "eventType",
    "iCalUID",
    "id",
    "kind",
    "originalStartTime",
    "recurrence",
    "recurringEventId",
    "start",
    "status",
    "transparency",
    "updated",
];

/// How an answer shows events.
pub(super) struct View {
    zone: Tz,
    /// The zone's name, as asked for or as the calendar has it.
    pub name: String,
    attendees_max: Option<usize>,
    role: String,
}

impl View {
    /// Reads `timeZone` and `maxAttendees`; the calendar's zone is the default.
    pub(super) fn read(asked: &SandboxRequest, calendar: &SandboxCalendar) -> Result<Self, SandboxRefusal> {
        let name = asked.param("timeZone").unwrap_or(&calendar.time_zone);
        let zone = match name.parse() {
            Ok(zone) => zone,
            Err(_) if asked.param("timeZone").is_none() => Tz::UTC,
            Err(_) => return Err(SandboxRefusal::parameter("timeZone", "Invalid time zone.")),
        };
        let attendees_max = asked.param("maxAttendees").map(|text| match text.parse() {
            Ok(most) if most > 0 => Ok(most),
            _ => Err(SandboxRefusal::parameter("maxAttendees", format!("Invalid integer value: '{text}'."))),
        });
        Ok(Self { zone, name: name.to_owned(), attendees_max: attendees_max.transpose()?, role: calendar.role.clone() })
    }

    /// An event as it is sent: offsets are those of the answer's zone, whatever zone the event is in.
    pub(super) fn event(&self, mut item: Map<String, Value>) -> Value {
        let private = matches!(item.get("visibility").and_then(Value::as_str), Some("private" | "confidential"));
        if (self.role == "freeBusyReader" || (private && self.role == "reader")) && item.contains_key("start") {
            item.retain(|name, _| BARE.contains(&name.as_str()));
            item.insert("visibility".to_owned(), json!("private"));
        }
        for name in ["start", "end", "originalStartTime"] {
            let Some(held) = item.get_mut(name) else { continue };
            let Some(text) = held.get("dateTime").and_then(Value::as_str) else { continue };
            let at = DateTime::parse_from_rfc3339(text)
                .map(|at| at.with_timezone(&self.zone))
                .ok()
                .or_else(|| Some(expand::read_time(held)?.instant(self.zone).with_timezone(&self.zone)));
            if let (Some(at), Some(fields)) = (at, held.as_object_mut()) {
                fields.insert("dateTime".to_owned(), json!(at.to_rfc3339_opts(SecondsFormat::Secs, true)));
            }
        }
        if let Some(most) = self.attendees_max
            && let Some(Value::Array(attendees)) = item.get_mut("attendees")
            && attendees.len() > most
        {
            attendees.retain(|one| one.get("self") == Some(&Value::Bool(true)));
            item.insert("attendeesOmitted".to_owned(), json!(true));
        }
        Value::Object(item)
    }
}
