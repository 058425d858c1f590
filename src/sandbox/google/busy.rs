//! `freebusy.query`.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::{
    GoogleLookAlike, MAY_ASK_BUSY, SandboxAnswer, TokenHolder, calendars::SandboxCalendar, checks,
    errors::SandboxRefusal, expand, shape,
};
use crate::{domain::time::Window, sandbox::reply::SandboxRequest};

/// Most calendars that are answered for in one request.
const CALENDARS_MAX: usize = 50;
/// Most calendars that an answer names, those with an error included.
const ITEMS_MAX: usize = 1_000;

impl GoogleLookAlike {
    pub(super) fn free_busy(&mut self, caller: &TokenHolder, asked: &SandboxRequest) -> SandboxAnswer {
        caller.needs(MAY_ASK_BUSY)?;
        let body = checks::body(asked)?;
        let at = |name: &str| {
            let text = body
                .get(name)
                .and_then(Value::as_str)
                .ok_or_else(|| SandboxRefusal::required(format!("Missing {name}.")))?;
            DateTime::parse_from_rfc3339(text)
                .map(|at| at.with_timezone(&Utc))
                .map_err(|_| SandboxRefusal::new(400, "global", "badRequest"))
        };
        let window = Window { from: at("timeMin")?, to: at("timeMax")? };
        if window.from >= window.to {
            return Err(SandboxRefusal::new(400, "calendar", "timeRangeEmpty"));
        }
        let zone = body.get("timeZone").and_then(Value::as_str).unwrap_or("UTC");
        let zone: Tz = zone.parse().map_err(|_| SandboxRefusal::invalid("Invalid time zone."))?;
        let most = body.get("calendarExpansionMax").and_then(Value::as_u64).map(usize::try_from);
        let most = most.map_or(CALENDARS_MAX, |most| most.unwrap_or(usize::MAX));
        if most > CALENDARS_MAX {
            return Err(SandboxRefusal::invalid("Invalid value for: calendarExpansionMax. The maximum is 50."));
        }
        if window.to - window.from > chrono::Duration::days(92) {
            return Err(SandboxRefusal::new(400, "calendar", "timeRangeTooLong"));
        }
        let items = body.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut calendars = Map::new();
        for id in items.iter().filter_map(|item| item.get("id")?.as_str()) {
            let failed =
                |domain: &str, reason: &str| json!({ "errors": [{ "domain": domain, "reason": reason }], "busy": [] });
            // Each calendar fails by itself.
            let entry = match self.calendar(&caller.email, id) {
                _ if calendars.len() >= most => failed("calendar", "tooManyCalendarsRequested"),
                Ok(held) => json!({ "busy": spans(held, window, zone) }),
                Err(_) => failed("global", "notFound"),
            };
            if calendars.len() > ITEMS_MAX {
                break;
            }
            calendars.insert(id.to_owned(), entry);
        }
        let body = json!({ "kind": "calendar#freeBusy", "timeMin": stamp(window.from, Tz::UTC), "timeMax": stamp(window.to, Tz::UTC),
            "calendars": calendars });
        shape::answer(asked, body)
    }
}

fn spans(calendar: &SandboxCalendar, window: Window, zone: Tz) -> Vec<Value> {
    let mut spans: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for one in calendar.events.values().filter(|one| !one.item.contains_key("recurringEventId") && !one.cancelled()) {
        let items = if one.item.contains_key("recurrence") {
            expand::occurrences(calendar, &one.item, Some(window))
        } else {
            vec![one.item.clone()]
        };
        for item in items.iter().filter(|item| takes_time(item)) {
            if let Some((start, end)) = expand::bounds(item, &calendar.time_zone)
                && end > window.from
                && start < window.to
            {
                spans.push((start.max(window.from), end.min(window.to)));
            }
        }
    }
    spans.sort();
    let mut merged: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (start, end) in spans {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged.into_iter().map(|(start, end)| json!({ "start": stamp(start, zone), "end": stamp(end, zone) })).collect()
}

fn takes_time(item: &Map<String, Value>) -> bool {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let attendees = item.get("attendees").and_then(Value::as_array).into_iter().flatten();
    let declined = attendees
        .filter(|one| one.get("self") == Some(&Value::Bool(true)))
        .any(|one| one.get("responseStatus").and_then(Value::as_str) == Some("declined"));
    text("transparency") != Some("transparent") && text("status") != Some("cancelled") && !declined
}

fn stamp(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true)
}
