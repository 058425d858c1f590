//! Lists of events: by page and by sync token, and the instances of a series.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};

use super::{
    GoogleLookAlike, MAY_READ, SandboxAnswer, TokenHolder,
    calendars::{SandboxCalendar, stamp},
    errors::SandboxRefusal,
    expand,
    filter::Filter,
    shape::{self, View},
    tokens::{self, PageStart},
};
use crate::sandbox::reply::SandboxRequest;

/// What may not come with a sync token.
const NOT_WITH_TOKEN: &[&str] = &[
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
];
/// What a list with one of these gives no sync token for: no later list could ask for the same.
const NO_TOKEN_AFTER: &[&str] =
    &["iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "updatedMin"];
/// How far back `updatedMin` may lie.
const UPDATED_MIN_AGE: Duration = Duration::days(30);
/// Most events on a page, and how many there are when nobody says.
const PAGE_MAX: usize = 2_500;
const PAGE: usize = 250;

impl GoogleLookAlike {
    pub(super) fn list_events(
        &self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        id: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        caller.needs(MAY_READ)?;
        let size = tokens::max_results(asked, PAGE, PAGE_MAX)?.min(self.settings.page_max.max(1));
        let held = self.calendar(&caller.email, id)?;
        let view = View::read(asked, held)?;
        let page = PageStart::asked(asked)?;
        let since = asked.param("syncToken");
        let since = since.map(|token| since_of(held, token)).transpose()?;
        if since.is_some() && NOT_WITH_TOKEN.iter().any(|name| asked.param(name).is_some()) {
            return Err(SandboxRefusal::invalid("Sync token cannot be used together with these parameters."));
        }
        if since.is_some() && asked.param("showDeleted") == Some("false") {
            return Err(SandboxRefusal::invalid("showDeleted must be true with a sync token."));
        }
        let mut filter = Filter::read(asked, since)?;
        if filter.updated.is_some_and(|least| least < now - UPDATED_MIN_AGE) {
            return Err(SandboxRefusal::new(410, "calendar", "updatedMinTooLongAgo"));
        }
        // A page of changes begins after the last change that was listed: one that changes again meanwhile moves to the end, and
        // nothing may slip into a page that was read.
        let by_change = since.is_some() && !filter.single;
        if let Some(page) = page.as_ref().filter(|_| by_change) {
            filter.since = u64::try_from(page.from).ok();
        }
        // Changes made while paging come with the next token: it is as old as the first page.
        let as_of = page.as_ref().map_or(held.changes, |page| page.as_of);
        let rows = filter.rows(held, asked.param("orderBy"));
        let from = page.filter(|_| !by_change).map_or(0, |page| page.from);
        let items: Vec<Value> = rows.iter().skip(from).take(size).cloned().map(|item| view.event(item)).collect();
        let last = items.last().and_then(|item| held.events.get(item.get("id")?.as_str()?));
        let last = last.filter(|_| by_change).and_then(|last| usize::try_from(last.change).ok());
        let mut body = collection(held, &view, items);
        if let Some(fields) = body.as_object_mut() {
            if from.saturating_add(size) < rows.len() {
                let next = PageStart { from: last.unwrap_or(from.saturating_add(size)), as_of };
                fields.insert("nextPageToken".to_owned(), json!(next.text()));
            } else if NO_TOKEN_AFTER.iter().all(|name| asked.param(name).is_none()) {
                fields.insert("nextSyncToken".to_owned(), json!(tokens::sync_token("sync", held.epoch, as_of)));
            }
        }
        shape::answer(asked, body)
    }

    pub(super) fn instances(
        &self,
        caller: &TokenHolder,
        id: &str,
        event: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        caller.needs(MAY_READ)?;
        let held = self.calendar(&caller.email, id)?;
        let view = View::read(asked, held)?;
        let master = held.events.get(event).ok_or_else(|| SandboxRefusal::new(404, "global", "notFound"))?;
        let original = asked.param("originalStart").and_then(|text| {
            DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|at| at.with_timezone(&Utc).format("%Y%m%dT%H%M%SZ").to_string())
                .or_else(|| Some(text.replace('-', "")))
        });
        let window = Filter::read(asked, None)?.window();
        let rows: Vec<Map<String, Value>> = expand::occurrences(held, &master.item, window)
            .into_iter()
            .filter(|one| asked.flag("showDeleted") || one.get("status").and_then(Value::as_str) != Some("cancelled"))
            .filter(|one| {
                let name = one.get("id").and_then(Value::as_str).unwrap_or_default();
                original.as_ref().is_none_or(|original| name.ends_with(&format!("_{original}")))
            })
            .filter(|one| window.is_none_or(|window| expand::overlaps(one, &held.time_zone, window)))
            .collect();
        let size = tokens::max_results(asked, PAGE, PAGE_MAX)?;
        let from = PageStart::asked(asked)?.map_or(0, |page| page.from);
        let items = rows.iter().skip(from).take(size).cloned().map(|item| view.event(item)).collect();
        let mut body = collection(held, &view, items);
        if from.saturating_add(size) < rows.len()
            && let Some(fields) = body.as_object_mut()
        {
            fields.insert(
                "nextPageToken".to_owned(),
                json!(PageStart { from: from.saturating_add(size), as_of: 0 }.text()),
            );
        }
        shape::answer(asked, body)
    }
}

fn collection(held: &SandboxCalendar, view: &View, items: Vec<Value>) -> Value {
    let mut body = json!({
        "kind": "calendar#events", "etag": format!("\"p{}\"", held.changes), "summary": held.summary, "timeZone": view.name,
        "accessRole": held.role, "updated": stamp(held.updated), "defaultReminders": held.entry.default_reminders(),
    });
    if let Some(fields) = body.as_object_mut() {
        fields.extend(held.description.as_ref().map(|text| ("description".to_owned(), json!(text))));
        fields.insert("items".to_owned(), Value::Array(items));
    }
    body
}

fn since_of(calendar: &SandboxCalendar, token: &str) -> Result<u64, SandboxRefusal> {
    tokens::since("sync", calendar.epoch, calendar.changes, token)
}

impl GoogleLookAlike {
    /// Single events and masters, and their versions, that the holder of this sync token has received: for those who
    /// judge a reader.
    #[must_use]
    pub fn read_past(&self, calendar: &str, token: &str) -> Vec<(String, String)> {
        let held = self.people.values().find_map(|person| person.calendars.get(calendar));
        let Some((held, past)) = held.and_then(|held| Some((held, since_of(held, token).ok()?))) else {
            return Vec::new();
        };
        let known = held.events.values().filter(|one| one.change <= past && !one.cancelled());
        let whole = known.filter(|one| one.text("recurringEventId").is_empty());
        whole.map(|one| (one.text("id").to_owned(), one.text("etag").to_owned())).collect()
    }
}
