//! Calendars as their owner describes them: `calendars`.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::{
    GoogleLookAlike, Person, SandboxAnswer, SavedWorld, TokenHolder, acl::AclRules, calendar_list::Entry, checks,
    errors::SandboxRefusal, shape,
};
use crate::sandbox::reply::{Reply, SandboxRequest};

/// Scopes that may make and change calendars.
const MAY_SHAPE: &[&str] = &["calendar", "calendar.app.created", "calendar.calendars"];
/// Scopes that may clear a primary calendar.
const MAY_CLEAR: &[&str] = &["calendar", "calendar.calendars"];
/// Scopes that may read what a calendar is.
const MAY_READ_CALENDAR: &[&str] =
    &["calendar", "calendar.app.created", "calendar.calendars", "calendar.calendars.readonly", "calendar.readonly"];
/// Most calendars that one person has, deleted ones included.
pub(super) const CALENDARS_MAX: usize = 1_000;

/// A calendar of one person, its events included.
#[derive(Clone, Debug)]
pub(super) struct SandboxCalendar {
    pub id: String,
    pub summary: String,
    pub description: Option<String>,
    pub location: Option<String>,
    pub time_zone: String,
    pub role: String,
    pub primary: bool,
    pub events: BTreeMap<String, SavedWorld>,
    /// Grows with every write to an event.
    pub changes: u64,
    /// Grows when its sync tokens expire.
    pub epoch: u64,
    /// When an event was last written.
    pub updated: DateTime<Utc>,
    /// What stands in the person's calendar list.
    pub entry: Entry,
    pub rules: AclRules,
    /// Grows with every change to what the calendar says of itself.
    pub version: u64,
    /// Whether it is gone for good.
    pub deleted: bool,
}

impl SandboxCalendar {
    /// An empty calendar, in its owner's list with the change number `listed`.
    pub(super) fn new(id: &str, summary: &str, zone: &str, role: &str, owner: &str, listed: u64) -> Self {
        Self {
            id: id.to_owned(),
            summary: summary.to_owned(),
            description: None,
            location: None,
            time_zone: zone.to_owned(),
            role: role.to_owned(),
            primary: id == owner,
            events: BTreeMap::new(),
            changes: 0,
            epoch: 1,
            updated: DateTime::UNIX_EPOCH,
            entry: Entry::new(listed),
            rules: AclRules::new(owner),
            version: 0,
            deleted: false,
        }
    }

    fn resource(&self, owner: &str) -> Value {
        let mut body = json!({
            "kind": "calendar#calendar", "etag": format!("\"c{}\"", self.version), "id": self.id, "summary": self.summary,
            "timeZone": self.time_zone, "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
        });
        if let Some(fields) = body.as_object_mut() {
            for (name, text) in [("description", &self.description), ("location", &self.location)] {
                fields.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
            }
            if !self.primary && self.role == "owner" {
                fields.insert("dataOwner".to_owned(), json!(owner));
            }
        }
        body
    }

    /// Takes over what a caller says; `replace`: what is left out is taken away.
    fn take(&mut self, given: &Map<String, Value>, replace: bool) -> Result<(), SandboxRefusal> {
        let text = |name: &str| match given.get(name) {
            Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
            Some(Value::Null) => Ok(Some(None)),
            None => Ok(replace.then_some(None)),
            Some(_) => Err(SandboxRefusal::invalid(format!("Invalid value for: {name}"))),
        };
        match text("summary")? {
            Some(Some(summary)) if !summary.is_empty() => self.summary = summary,
            Some(_) => return Err(SandboxRefusal::required("Missing title.")),
            None => {}
        }
        if let Some(Some(zone)) = text("timeZone")? {
            zone.parse::<chrono_tz::Tz>().map_err(|_| SandboxRefusal::invalid("Invalid time zone."))?;
            self.time_zone = zone;
        }
        if let Some(description) = text("description")? {
            self.description = description;
        }
        if let Some(location) = text("location")? {
            self.location = location;
        }
        self.version += 1;
        Ok(())
    }
}

impl GoogleLookAlike {
    pub(super) fn calendar_resource(&self, caller: &TokenHolder, id: &str, asked: &SandboxRequest) -> SandboxAnswer {
        caller.needs(MAY_READ_CALENDAR)?;
        shape::answer(asked, self.calendar(&caller.email, id)?.resource(&caller.email))
    }

    pub(super) fn insert_calendar(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        caller.needs(MAY_SHAPE)?;
        let given = checks::body(asked)?;
        let zone = self.calendar(&caller.email, "primary")?.time_zone.clone();
        let id = format!("{}@group.calendar.google.com", self.invent("calendar"));
        let mut held = SandboxCalendar::new(&id, "", &zone, "owner", &caller.email, 0);
        held.take(&given, true)?;
        let body = held.resource(&caller.email);
        self.add_calendar(now, &caller.email, held)?;
        shape::answer(asked, body)
    }

    /// Puts a calendar among those of a person and into the list.
    pub(super) fn add_calendar(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        mut calendar: SandboxCalendar,
    ) -> Result<(), SandboxRefusal> {
        let person = self.person_mut(email)?;
        if person.calendars.len() >= CALENDARS_MAX {
            return Err(SandboxRefusal::new(403, "usageLimits", "quotaExceeded"));
        }
        calendar.entry.change = person.next_list_change();
        person.calendars.insert(calendar.id.clone(), calendar);
        self.notify_list(now, email);
        Ok(())
    }

    pub(super) fn change_calendar(&mut self, caller: &TokenHolder, id: &str, asked: &SandboxRequest) -> SandboxAnswer {
        caller.needs(MAY_SHAPE)?;
        self.owned(&caller.email, id)?;
        let given = checks::body(asked)?;
        let held = self.calendar_mut(&caller.email, id)?;
        let mut changed = SandboxCalendar { events: BTreeMap::new(), ..held.clone() };
        changed.take(&given, asked.method == "PUT")?;
        changed.events = std::mem::take(&mut held.events);
        *held = changed;
        let (primary, body) = (held.primary, held.resource(&caller.email));
        if primary {
            // The zone of the primary calendar is a setting of the person.
            self.person_mut(&caller.email)?.next_list_change();
        }
        shape::answer(asked, body)
    }

    pub(super) fn delete_calendar(&mut self, now: DateTime<Utc>, caller: &TokenHolder, id: &str) -> SandboxAnswer {
        caller.needs(MAY_SHAPE)?;
        self.owned(&caller.email, id)?;
        if self.calendar(&caller.email, id)?.primary {
            return Err(SandboxRefusal::invalid("A primary calendar cannot be deleted: clear it."));
        }
        let person = self.person_mut(&caller.email)?;
        let change = person.next_list_change();
        let held = person.find_mut(id)?;
        held.deleted = true;
        held.entry.change = change;
        let events = std::mem::take(&mut held.events);
        self.weight = self.weight.saturating_sub(events.values().map(|one| one.weight).sum());
        let id = id.to_owned();
        self.channels.retain(|_, held| held.email != caller.email || held.place != id);
        self.notify_list(now, &caller.email);
        Ok(Reply::empty(204))
    }

    pub(super) fn clear_calendar(&mut self, now: DateTime<Utc>, caller: &TokenHolder, id: &str) -> SandboxAnswer {
        caller.needs(MAY_CLEAR)?;
        self.owned(&caller.email, id)?;
        let held = self.calendar(&caller.email, id)?;
        if !held.primary {
            return Err(SandboxRefusal::invalid("Only a primary calendar can be cleared: delete this one."));
        }
        let living: Vec<_> = held.events.values().filter(|one| !one.cancelled()).map(|one| one.item.clone()).collect();
        for item in living {
            self.keep(now, &caller.email, id, super::events::cancelled(&item))?;
        }
        Ok(Reply::empty(204))
    }

    /// Refuses when the caller does not own a calendar.
    pub(super) fn owned(&self, email: &str, id: &str) -> Result<(), SandboxRefusal> {
        match self.calendar(email, id)?.role.as_str() {
            "owner" => Ok(()),
            _ => Err(SandboxRefusal::new(403, "global", "forbidden")),
        }
    }

    pub(super) fn person(&self, email: &str) -> Result<&Person, SandboxRefusal> {
        self.people.get(email).ok_or_else(|| SandboxRefusal::new(404, "global", "notFound"))
    }

    pub(super) fn person_mut(&mut self, email: &str) -> Result<&mut Person, SandboxRefusal> {
        self.people.get_mut(email).ok_or_else(|| SandboxRefusal::new(404, "global", "notFound"))
    }

    /// A calendar that somebody sees, by its id or as `primary`.
    pub(super) fn calendar(&self, email: &str, id: &str) -> Result<&SandboxCalendar, SandboxRefusal> {
        let id = if id == "primary" { email } else { id };
        let held = self.person(email)?.calendars.get(id).filter(|held| !held.deleted);
        held.ok_or_else(|| SandboxRefusal::new(404, "global", "notFound"))
    }

    pub(super) fn calendar_mut(&mut self, email: &str, id: &str) -> Result<&mut SandboxCalendar, SandboxRefusal> {
        let id = if id == "primary" { email } else { id };
        self.person_mut(email)?.find_mut(id)
    }
}

impl Person {
    /// A calendar by its id, unless it is gone.
    pub(super) fn find_mut(&mut self, id: &str) -> Result<&mut SandboxCalendar, SandboxRefusal> {
        let held = self.calendars.get_mut(id).filter(|held| !held.deleted);
        held.ok_or_else(|| SandboxRefusal::new(404, "global", "notFound"))
    }
}

/// An instant as Google writes those of its own doing.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
