//! Lists: calendars, events by page and by sync token, instances.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Answer, Calendar, Caller, Google, MAY_LIST, MAY_READ, errors::Refusal, expand};
use crate::{
    domain::time::Window,
    sandbox::reply::{Asked, Reply},
};

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

impl Google {
    pub(super) fn calendar_list(&self, caller: &Caller, asked: &Asked) -> Answer {
        caller.needs(MAY_LIST)?;
        let person = self.people.get(&caller.email).ok_or_else(|| Refusal::new(404, "global", "notFound"))?;
        let size = asked.param("maxResults").and_then(|text| text.parse().ok()).unwrap_or(100_usize).clamp(1, 250);
        let from = asked.param("pageToken").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
        let items: Vec<_> = person.calendars.values().skip(from).take(size).map(entry).collect();
        let mut body = json!({ "kind": "calendar#calendarList", "etag": "\"list\"", "items": items });
        if let Some(fields) = body.as_object_mut() {
            if from + size < person.calendars.len() {
                fields.insert("nextPageToken".to_owned(), json!((from + size).to_string()));
            } else {
                fields.insert("nextSyncToken".to_owned(), json!(format!("list-{}", person.calendars.len())));
            }
        }
        Ok(Reply::json(200, &body))
    }

    pub(super) fn calendar_entry(&self, caller: &Caller, id: &str) -> Answer {
        caller.needs(MAY_LIST)?;
        Ok(Reply::json(200, &entry(self.calendar(&caller.email, id)?)))
    }

    pub(super) fn calendar_resource(&self, caller: &Caller, id: &str) -> Answer {
        caller.needs(&["calendar", "calendar.readonly", "calendar.calendars", "calendar.calendars.readonly"])?;
        let held = self.calendar(&caller.email, id)?;
        let body = json!({ "kind": "calendar#calendar", "etag": "\"c1\"", "id": held.id, "summary": held.summary, "timeZone": held.time_zone });
        Ok(Reply::json(200, &body))
    }

    pub(super) fn list_events(&mut self, caller: &Caller, id: &str, asked: &Asked) -> Answer {
        caller.needs(MAY_READ)?;
        let size = asked.param("maxResults").and_then(|text| text.parse().ok()).unwrap_or(250_usize);
        let size = size.clamp(1, 2_500).min(self.settings.page_max.max(1));
        let held = self.calendar(&caller.email, id)?;
        let page = asked
            .param("pageToken")
            .map(|text| Page::read(text).ok_or_else(|| Refusal::invalid("Invalid page token.")))
            .transpose()?;
        let since = asked.param("syncToken").map(|token| since(held, token)).transpose()?;
        if since.is_some() && NOT_WITH_TOKEN.iter().any(|name| asked.param(name).is_some()) {
            return Err(Refusal::invalid("Sync token cannot be used together with these parameters."));
        }
        if since.is_some() && asked.param("showDeleted") == Some("false") {
            return Err(Refusal::invalid("showDeleted must be true with a sync token."));
        }
        let mut filter = Filter::read(asked, since)?;
        // A page of changes begins after the last change that was told: one that changes again meanwhile moves to the end, and
        // nothing may slip into a page that was read.
        let by_change = since.is_some() && !filter.single;
        if let Some(page) = page.as_ref().filter(|_| by_change) {
            filter.since = u64::try_from(page.from).ok();
        }
        // Changes made while paging come with the next token: it is as old as the first page.
        let as_of = page.as_ref().map_or(held.changes, |page| page.as_of);
        let mut rows = filter.rows(held);
        if asked.param("orderBy") == Some("startTime") {
            rows.sort_by_key(|item| expand::bounds(item, &held.time_zone).map(|(start, _)| start));
        }
        let from = page.filter(|_| !by_change).map_or(0, |page| page.from);
        let items: Vec<Value> = rows.iter().skip(from).take(size).cloned().map(Value::Object).collect();
        let mut body = json!({
            "kind": "calendar#events", "etag": format!("\"p{}\"", held.changes), "summary": held.summary, "timeZone": held.time_zone,
            "accessRole": held.role, "updated": "2026-01-01T00:00:00.000Z", "defaultReminders": [], "items": items,
        });
        if let Some(fields) = body.as_object_mut() {
            if from + size < rows.len() {
                let last = items.last().and_then(|item| held.events.get(item.get("id")?.as_str()?));
                let told = last.filter(|_| by_change).and_then(|last| usize::try_from(last.change).ok());
                let next = Page { from: told.unwrap_or(from + size), as_of };
                fields.insert("nextPageToken".to_owned(), json!(next.text()));
            } else if !asked.flag("singleEvents") || asked.param("orderBy").is_none() {
                fields.insert("nextSyncToken".to_owned(), json!(sync_token(held, as_of)));
            }
        }
        Ok(Reply::json(200, &body))
    }

    pub(super) fn instances(&mut self, caller: &Caller, id: &str, event: &str, asked: &Asked) -> Answer {
        caller.needs(MAY_READ)?;
        let held = self.calendar(&caller.email, id)?;
        let master = held.events.get(event).ok_or_else(|| Refusal::new(404, "global", "notFound"))?;
        let original = asked.param("originalStart").and_then(|text| {
            DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|at| at.with_timezone(&Utc).format("%Y%m%dT%H%M%SZ").to_string())
                .or_else(|| Some(text.replace('-', "")))
        });
        let filter = Filter::read(asked, None)?;
        let rows: Vec<Value> = expand::occurrences(held, &master.item, filter.window())
            .into_iter()
            .filter(|one| asked.flag("showDeleted") || one.get("status").and_then(Value::as_str) != Some("cancelled"))
            .filter(|one| {
                let name = one.get("id").and_then(Value::as_str).unwrap_or_default();
                original.as_ref().is_none_or(|original| name.ends_with(&format!("_{original}")))
            })
            .map(Value::Object)
            .collect();
        let size = asked.param("maxResults").and_then(|text| text.parse().ok()).unwrap_or(250_usize).clamp(1, 2_500);
        let from = asked.param("pageToken").and_then(Page::read).map_or(0, |page| page.from);
        let items: Vec<_> = rows.iter().skip(from).take(size).cloned().collect();
        let mut body = json!({
            "kind": "calendar#events", "etag": "\"i\"", "summary": held.summary, "timeZone": held.time_zone, "accessRole": held.role,
            "updated": "2026-01-01T00:00:00.000Z", "defaultReminders": [], "items": items,
        });
        if from + size < rows.len()
            && let Some(fields) = body.as_object_mut()
        {
            fields.insert("nextPageToken".to_owned(), json!(Page { from: from + size, as_of: 0 }.text()));
        }
        Ok(Reply::json(200, &body))
    }
}

/// What of a calendar is listed.
struct Filter {
    since: Option<u64>,
    single: bool,
    deleted: bool,
    uid: Option<String>,
    mark: Vec<(String, String)>,
    kinds: Vec<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    words: Option<String>,
}

impl Filter {
    fn read(asked: &Asked, since: Option<u64>) -> Result<Self, Refusal> {
        let at = |name: &str| -> Result<Option<DateTime<Utc>>, Refusal> {
            asked
                .param(name)
                .map(|text| {
                    DateTime::parse_from_rfc3339(text)
                        .map(|at| at.with_timezone(&Utc))
                        .map_err(|_| Refusal::new(400, "global", "badRequest"))
                })
                .transpose()
        };
        let single = asked.flag("singleEvents");
        if asked.param("orderBy") == Some("startTime") && !single {
            return Err(Refusal::invalid("The requested ordering is not available for the particular query."));
        }
        let marks = asked.params("privateExtendedProperty");
        Ok(Self {
            since,
            single,
            deleted: asked.flag("showDeleted") || since.is_some(),
            uid: asked.param("iCalUID").map(str::to_owned),
            mark: marks
                .iter()
                .filter_map(|text| text.split_once('='))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
            kinds: asked.params("eventTypes").into_iter().map(str::to_owned).collect(),
            from: at("timeMin")?,
            to: at("timeMax")?,
            words: asked.param("q").map(str::to_lowercase),
        })
    }

    fn window(&self) -> Option<Window> {
        if self.from.is_none() && self.to.is_none() {
            return None;
        }
        Some(Window {
            from: self.from.unwrap_or(DateTime::<Utc>::MIN_UTC),
            to: self.to.unwrap_or(DateTime::<Utc>::MAX_UTC),
        })
    }

    fn rows(&self, calendar: &Calendar) -> Vec<Map<String, Value>> {
        let mut stored: Vec<_> =
            calendar.events.values().filter(|one| self.since.is_none_or(|since| one.change > since)).collect();
        if self.since.is_some() {
            stored.sort_by_key(|one| one.change);
        }
        let mut rows = Vec::new();
        for one in stored {
            let exception = one.item.contains_key("recurringEventId");
            if self.single && one.item.contains_key("recurrence") {
                rows.extend(
                    expand::occurrences(calendar, &one.item, self.window())
                        .into_iter()
                        .filter(|item| self.wants(calendar, item)),
                );
            } else if !(self.single && exception && self.since.is_none()) && self.wants(calendar, &one.item) {
                rows.push(one.item.clone());
            }
        }
        rows
    }

    fn wants(&self, calendar: &Calendar, item: &Map<String, Value>) -> bool {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("status") == "cancelled" {
            // Cancelled occurrences of a living series are told even when deleted events are not.
            let living = calendar.events.get(text("recurringEventId")).is_some_and(|master| !master.cancelled());
            let whose = self.uid.as_ref().is_none_or(|uid| {
                calendar.events.get(text("recurringEventId")).is_some_and(|m| m.text("iCalUID") == uid)
            });
            let plain = self.mark.is_empty() && self.words.is_none();
            return plain && whose && (self.deleted || (living && !self.single));
        }
        let inside = self.window().is_none_or(|window| {
            item.contains_key("recurrence")
                || expand::bounds(item, &calendar.time_zone)
                    .is_some_and(|(start, end)| end > window.from && start < window.to)
        });
        let marked = self.mark.iter().all(|(key, value)| {
            item.get("extendedProperties").and_then(|p| p.get("private")?.get(key)?.as_str()) == Some(value.as_str())
        });
        let said = self.words.as_ref().is_none_or(|words| {
            ["summary", "description", "location"].iter().any(|name| text(name).to_lowercase().contains(words))
        });
        let kind = self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == text("eventType"));
        inside && marked && said && kind && self.uid.as_ref().is_none_or(|uid| text("iCalUID") == uid)
    }
}

/// Where a page begins.
struct Page {
    from: usize,
    as_of: u64,
}

impl Page {
    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.from, self.as_of))
    }

    fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (from, as_of) = text.split_once('.')?;
        Some(Self { from: from.parse().ok()?, as_of: as_of.parse().ok()? })
    }
}

fn sync_token(calendar: &Calendar, as_of: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("sync.{}.{as_of}", calendar.epoch))
}

/// The change number of a sync token; an old one is 410.
fn since(calendar: &Calendar, token: &str) -> Result<u64, Refusal> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (epoch, number) = text.strip_prefix("sync.")?.split_once('.')?;
        Some((epoch.parse::<u64>().ok()?, number.parse::<u64>().ok()?))
    };
    match read() {
        Some((epoch, number)) if epoch == calendar.epoch && number <= calendar.changes => Ok(number),
        Some(_) => Err(Refusal::new(410, "calendar", "fullSyncRequired")),
        None => Err(Refusal::invalid("Invalid sync token value.")),
    }
}

impl Google {
    /// Single events and masters, and their versions, that whoever holds this sync token has been told of: for those who
    /// judge a reader.
    #[must_use]
    pub fn read_past(&self, calendar: &str, token: &str) -> Vec<(String, String)> {
        let held = self.people.values().find_map(|person| person.calendars.get(calendar));
        let Some((held, past)) = held.and_then(|held| Some((held, since(held, token).ok()?))) else {
            return Vec::new();
        };
        let told = held.events.values().filter(|one| one.change <= past && !one.cancelled());
        let whole = told.filter(|one| one.text("recurringEventId").is_empty());
        whole.map(|one| (one.text("id").to_owned(), one.text("etag").to_owned())).collect()
    }
}

fn entry(calendar: &Calendar) -> Value {
    let mut entry = json!({
        "kind": "calendar#calendarListEntry", "etag": "\"e1\"", "id": calendar.id, "summary": calendar.summary,
        "timeZone": calendar.time_zone, "accessRole": calendar.role, "selected": true, "colorId": "14",
        "backgroundColor": "#9fe1e7", "foregroundColor": "#000000", "defaultReminders": [{ "method": "popup", "minutes": 30 }],
        "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
    });
    if calendar.primary
        && let Some(fields) = entry.as_object_mut()
    {
        fields.insert("primary".to_owned(), json!(true));
    }
    entry
}
