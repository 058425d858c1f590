//! Which events of a calendar a list holds, and in which order.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{SavedWorld, calendars::SandboxCalendar, errors::SandboxRefusal, expand};
use crate::{domain::time::Window, sandbox::reply::SandboxRequest};

/// Types that events have.
const KINDS: [&str; 6] = ["birthday", "default", "focusTime", "fromGmail", "outOfOffice", "workingLocation"];
/// Most events that one list looks at, its series expanded.
const ROWS_MAX: usize = 200_000;

/// What of a calendar is listed.
pub(super) struct Filter {
    pub since: Option<u64>,
    pub single: bool,
    pub updated: Option<DateTime<Utc>>,
    deleted: bool,
    uid: Option<String>,
    /// Extended properties: `private` or `shared`, name, value.
    marks: Vec<(&'static str, String, String)>,
    kinds: Vec<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    words: Vec<String>,
}

impl Filter {
    pub(super) fn read(asked: &SandboxRequest, since: Option<u64>) -> Result<Self, SandboxRefusal> {
        let at = |name: &str| -> Result<Option<DateTime<Utc>>, SandboxRefusal> {
            let read = |text| {
                DateTime::parse_from_rfc3339(text)
                    .map(|at| at.with_timezone(&Utc))
                    .map_err(|_| SandboxRefusal::new(400, "global", "badRequest"))
            };
            asked.param(name).map(read).transpose()
        };
        let single = asked.flag("singleEvents");
        match asked.param("orderBy") {
            Some("startTime") if !single => {
                return Err(SandboxRefusal::invalid(
                    "The requested ordering is not available for the particular query.",
                ));
            }
            Some("startTime" | "updated") | None => {}
            Some(other) => {
                let message = format!("Invalid string value: '{other}'. Allowed values: [starttime, updated]");
                return Err(SandboxRefusal::parameter("orderBy", message));
            }
        }
        let mut marks = Vec::new();
        for (name, kind) in [("privateExtendedProperty", "private"), ("sharedExtendedProperty", "shared")] {
            for text in asked.params(name) {
                let (key, value) = text
                    .split_once('=')
                    .ok_or_else(|| SandboxRefusal::parameter(name, "It must be propertyName=value."))?;
                marks.push((kind, key.to_owned(), value.to_owned()));
            }
        }
        let kinds = asked.params("eventTypes");
        if let Some(stranger) = kinds.iter().find(|kind| !KINDS.contains(kind)) {
            return Err(SandboxRefusal::parameter("eventTypes", format!("Invalid string value: '{stranger}'.")));
        }
        let filter = Self {
            since,
            single,
            updated: at("updatedMin")?,
            deleted: asked.flag("showDeleted"),
            uid: asked.param("iCalUID").map(str::to_owned),
            marks,
            kinds: kinds.into_iter().map(str::to_owned).collect(),
            from: at("timeMin")?,
            to: at("timeMax")?,
            words: asked.param("q").into_iter().flat_map(str::split_whitespace).map(str::to_lowercase).collect(),
        };
        match (filter.from, filter.to) {
            (Some(from), Some(to)) if from >= to => Err(SandboxRefusal::new(400, "calendar", "timeRangeEmpty")),
            _ => Ok(filter),
        }
    }

    pub(super) fn window(&self) -> Option<Window> {
        if self.from.is_none() && self.to.is_none() {
            return None;
        }
        Some(Window {
            from: self.from.unwrap_or(DateTime::<Utc>::MIN_UTC),
            to: self.to.unwrap_or(DateTime::<Utc>::MAX_UTC),
        })
    }

    /// The events that are listed, in order.
    pub(super) fn rows(&self, calendar: &SandboxCalendar, order: Option<&str>) -> Vec<Map<String, Value>> {
        let mut stored: Vec<&SavedWorld> = calendar
            .events
            .values()
            .filter(|one| self.since.is_none_or(|since| one.change > since))
            .filter(|one| self.updated.is_none_or(|least| one.at >= least))
            .collect();
        if self.since.is_some() || order == Some("updated") {
            stored.sort_by_key(|one| one.change);
        }
        let mut rows = Vec::new();
        for one in stored {
            if rows.len() >= ROWS_MAX {
                break;
            }
            let exception = one.item.contains_key("recurringEventId");
            if self.single && one.item.contains_key("recurrence") {
                rows.extend(
                    expand::occurrences(calendar, &one.item, self.window())
                        .into_iter()
                        .filter(|item| self.wants(calendar, item, one)),
                );
            } else if !(self.single && exception && self.since.is_none() && self.living(calendar, one))
                && self.wants(calendar, &one.item, one)
            {
                rows.push(one.item.clone());
            }
        }
        if order == Some("startTime") {
            rows.sort_by_key(|item| expand::bounds(item, &calendar.time_zone).map(|(start, _)| start));
        }
        rows
    }

    /// Whether the series of an exception is listed by its occurrences, the exception among them.
    fn living(&self, calendar: &SandboxCalendar, one: &SavedWorld) -> bool {
        let master = calendar.events.get(one.text("recurringEventId"));
        master.is_some_and(|master| !master.cancelled() && self.updated.is_none_or(|least| master.at >= least))
    }

    fn wants(&self, calendar: &SandboxCalendar, item: &Map<String, Value>, stored: &SavedWorld) -> bool {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        // A deleted event has lost its type; what is kept beside it has not.
        if !self.kinds.is_empty() && !self.kinds.contains(&stored.kind) {
            return false;
        }
        if text("status") == "cancelled" {
            let master = calendar.events.get(text("recurringEventId"));
            let whose = self.uid.as_ref().is_none_or(|uid| master.is_some_and(|m| m.text("iCalUID") == uid));
            // Cancelled occurrences of a living series are listed even when deleted events are not.
            let hole = master.is_some_and(|master| !master.cancelled()) && !self.single;
            let series = stored.series && !item.contains_key("recurringEventId");
            let all = self.since.is_some() || self.updated.is_some() || (self.deleted && !(self.single && series));
            return self.marks.is_empty() && self.words.is_empty() && whose && (all || hole);
        }
        self.inside(calendar, item)
            && self.marks.iter().all(|(kind, key, value)| {
                item.get("extendedProperties").and_then(|p| p.get(kind)?.get(key)?.as_str()) == Some(value.as_str())
            })
            && self.says(item)
            && self.uid.as_ref().is_none_or(|uid| text("iCalUID") == uid)
    }

    /// Whether an event, or some occurrence of a series, is within the asked time.
    fn inside(&self, calendar: &SandboxCalendar, item: &Map<String, Value>) -> bool {
        let Some(window) = self.window() else { return true };
        let within = |item: &Map<String, Value>| expand::overlaps(item, &calendar.time_zone, window);
        if item.contains_key("recurrence") {
            return expand::occurrences(calendar, item, Some(window)).iter().any(within);
        }
        within(item)
    }

    /// Whether every word stands somewhere in what `q` searches.
    fn says(&self, item: &Map<String, Value>) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let mut said = String::new();
        let mut hear = |value: Option<&Value>| {
            said.extend(value.and_then(Value::as_str).map(str::to_lowercase));
            said.push('\n');
        };
        for name in ["summary", "description", "location"] {
            hear(item.get(name));
        }
        let attendees = item.get("attendees").and_then(Value::as_array).into_iter().flatten();
        for person in attendees.chain(item.get("organizer")) {
            hear(person.get("displayName"));
            hear(person.get("email"));
        }
        if let Some(place) = item.get("workingLocationProperties") {
            let office = place.get("officeLocation");
            for name in ["buildingId", "deskId", "label"] {
                hear(office.and_then(|office| office.get(name)));
            }
            hear(place.get("customLocation").and_then(|custom| custom.get("label")));
        }
        self.words.iter().all(|word| said.contains(word))
    }
}
