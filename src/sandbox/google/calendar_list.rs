//! A person's view of calendars: `calendarList`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    GoogleLookAlike, Person, SandboxAnswer, TokenHolder, calendars::SandboxCalendar, checks, colors,
    errors::SandboxRefusal, shape, tokens,
};
use crate::sandbox::reply::{Reply, SandboxRequest};

/// Scopes that may list calendars.
pub(super) const MAY_LIST: &[&str] =
    &["calendar", "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly"];
/// Scopes that may change entries.
const MAY_CHANGE: &[&str] = &["calendar", "calendar.app.created", "calendar.calendarlist"];
/// Scopes that may put a calendar into the list.
const MAY_INSERT: &[&str] = &["calendar", "calendar.calendarlist"];
/// Roles, the lowest first.
const ROLES: [&str; 5] = ["freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner"];
/// How the ids of calendars end that anybody may put into the list.
const PUBLIC: &str = "#holiday@group.v.calendar.google.com";
/// What a caller may say of an entry.
const WRITABLE: [&str; 8] = [
    "backgroundColor",
    "colorId",
    "defaultReminders",
    "foregroundColor",
    "hidden",
    "notificationSettings",
    "selected",
    "summaryOverride",
];

/// What a list says of a calendar beyond the calendar itself.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    fields: Map<String, Value>,
    /// The list's change number when it last changed.
    pub change: u64,
    /// Whether it was taken out of the list.
    removed: bool,
}

impl Entry {
    pub(super) fn new(change: u64) -> Self {
        let fields = json!({ "selected": true, "colorId": "14", "backgroundColor": "#9fe1e7", "foregroundColor": "#000000",
            "defaultReminders": [{ "method": "popup", "minutes": 30 }] });
        Self { fields: fields.as_object().cloned().unwrap_or_default(), change, removed: false }
    }

    pub(super) fn default_reminders(&self) -> Value {
        self.fields.get("defaultReminders").cloned().unwrap_or_else(|| json!([]))
    }

    fn hidden(&self) -> bool {
        self.fields.get("hidden") == Some(&Value::Bool(true))
    }

    /// Takes over what a caller says; `replace`: what is left out is as in the beginning.
    fn take(&mut self, given: &Map<String, Value>, rgb: bool, replace: bool) -> Result<(), SandboxRefusal> {
        checks::reminders(given.get("defaultReminders"))?;
        checks::notifications(given.get("notificationSettings"))?;
        if replace {
            for name in ["defaultReminders", "hidden", "notificationSettings", "selected", "summaryOverride"] {
                self.fields.remove(name);
            }
        }
        for (name, value) in given.iter().filter(|(name, _)| WRITABLE.contains(&name.as_str())) {
            let text = value.as_str();
            match (name.as_str(), text) {
                ("colorId", Some(id)) => {
                    let color =
                        colors::calendar_color(id).ok_or_else(|| SandboxRefusal::invalid("Invalid color id."))?;
                    self.fields.insert("backgroundColor".to_owned(), json!(color));
                    self.fields.insert(name.clone(), value.clone());
                }
                ("backgroundColor" | "foregroundColor", _) if !rgb => {}
                ("backgroundColor" | "foregroundColor", Some(color)) => {
                    let near =
                        colors::nearest(color).ok_or_else(|| SandboxRefusal::invalid(format!("Invalid {name}.")))?;
                    if name == "backgroundColor" {
                        self.fields.insert("colorId".to_owned(), json!(near));
                    }
                    self.fields.insert(name.clone(), value.clone());
                }
                ("selected" | "hidden", None) if !value.is_boolean() && !value.is_null() => {
                    return Err(SandboxRefusal::invalid(format!("Invalid value for: {name}")));
                }
                _ if value.is_null() => {
                    self.fields.remove(name);
                }
                _ => {
                    self.fields.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(())
    }
}

impl Person {
    /// The number of one more change to the list.
    pub(super) fn next_list_change(&mut self) -> u64 {
        self.list_changes += 1;
        self.list_changes
    }
}

fn shown(held: &SandboxCalendar) -> Value {
    let etag = format!("\"{}\"", 1_784_000_000_000_000_u64 + held.entry.change);
    if held.deleted || held.entry.removed {
        return json!({ "kind": "calendar#calendarListEntry", "etag": etag, "id": held.id, "deleted": true });
    }
    let mut body = json!({
        "kind": "calendar#calendarListEntry", "etag": etag, "id": held.id, "summary": held.summary,
        "timeZone": held.time_zone, "accessRole": held.role,
        "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
    });
    if let Some(fields) = body.as_object_mut() {
        fields.extend(held.entry.fields.clone());
        fields.insert("defaultReminders".to_owned(), held.entry.default_reminders());
        if !held.entry.hidden() {
            fields.remove("hidden");
        }
        for (name, text) in [("description", &held.description), ("location", &held.location)] {
            fields.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
        }
        if held.primary {
            fields.insert("primary".to_owned(), json!(true));
        }
    }
    body
}

impl GoogleLookAlike {
    pub(super) fn calendar_list(&self, caller: &TokenHolder, asked: &SandboxRequest) -> SandboxAnswer {
        caller.needs(MAY_LIST)?;
        let person = self.person(&caller.email)?;
        let least = match asked.param("minAccessRole") {
            Some(role) => {
                let refused = || SandboxRefusal::parameter("minAccessRole", format!("Invalid string value: '{role}'."));
                Some(ROLES.iter().position(|held| *held == role).ok_or_else(refused)?)
            }
            None => None,
        };
        let since = asked.param("syncToken");
        let since =
            since.map(|token| tokens::since("list", person.list_epoch, person.list_changes, token)).transpose()?;
        if since.is_some() {
            if ["minAccessRole", "showOwnOrganizationOnly"].iter().any(|name| asked.param(name).is_some()) {
                return Err(SandboxRefusal::invalid("Sync token cannot be used together with these parameters."));
            }
            if ["showDeleted", "showHidden"].iter().any(|name| asked.param(name) == Some("false")) {
                return Err(SandboxRefusal::invalid("Deleted and hidden entries always come with a sync token."));
            }
        }
        let rows: Vec<_> = person
            .calendars
            .values()
            .filter(|held| since.is_none_or(|since| held.entry.change > since))
            .filter(|held| since.is_some() || asked.flag("showDeleted") || !(held.deleted || held.entry.removed))
            .filter(|held| since.is_some() || asked.flag("showHidden") || !held.entry.hidden())
            .filter(|held| least.is_none_or(|least| ROLES.iter().position(|role| *role == held.role) >= Some(least)))
            .map(shown)
            .collect();
        let next = tokens::sync_token("list", person.list_epoch, person.list_changes);
        shape::answer(asked, tokens::small_page(asked, "calendar#calendarList", &rows, &next)?)
    }

    pub(super) fn calendar_entry(&self, caller: &TokenHolder, id: &str, asked: &SandboxRequest) -> SandboxAnswer {
        caller.needs(MAY_LIST)?;
        shape::answer(asked, shown(self.listed(&caller.email, id)?))
    }

    /// A calendar that is in the list.
    fn listed(&self, email: &str, id: &str) -> Result<&SandboxCalendar, SandboxRefusal> {
        let held = self.calendar(email, id)?;
        if held.entry.removed { Err(SandboxRefusal::new(404, "global", "notFound")) } else { Ok(held) }
    }

    pub(super) fn insert_entry(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        caller.needs(MAY_INSERT)?;
        let given = checks::body(asked)?;
        let id =
            given.get("id").and_then(Value::as_str).ok_or_else(|| SandboxRefusal::required("Missing calendar id."))?;
        if self.calendar(&caller.email, id).is_err() {
            let name = id.strip_suffix(PUBLIC).ok_or_else(|| SandboxRefusal::new(404, "global", "notFound"))?;
            let zone = self.calendar(&caller.email, "primary")?.time_zone.clone();
            let held = SandboxCalendar::new(id, &format!("Holidays {name}"), &zone, "reader", &caller.email, 0);
            self.add_calendar(now, &caller.email, held)?;
        }
        self.take_entry(now, caller, id, &given, asked)
    }

    pub(super) fn change_entry(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        id: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        caller.needs(MAY_CHANGE)?;
        let given = checks::body(asked)?;
        checks::guard(asked, shown(self.listed(&caller.email, id)?).get("etag"))?;
        self.take_entry(now, caller, id, &given, asked)
    }

    fn take_entry(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        id: &str,
        given: &Map<String, Value>,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        let mut entry = self.calendar(&caller.email, id)?.entry.clone();
        entry.take(given, asked.flag("colorRgbFormat"), asked.method == "PUT")?;
        entry.removed = false;
        entry.change = self.person_mut(&caller.email)?.next_list_change();
        let held = self.calendar_mut(&caller.email, id)?;
        held.entry = entry;
        let body = shown(held);
        self.notify_list(now, &caller.email);
        shape::answer(asked, body)
    }

    pub(super) fn delete_entry(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        id: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        caller.needs(MAY_CHANGE)?;
        let held = self.listed(&caller.email, id)?;
        checks::guard(asked, shown(held).get("etag"))?;
        if held.primary {
            return Err(SandboxRefusal::invalid("The primary calendar cannot be taken out of the list."));
        }
        let change = self.person_mut(&caller.email)?.next_list_change();
        let held = self.calendar_mut(&caller.email, id)?;
        held.entry.removed = true;
        held.entry.change = change;
        self.notify_list(now, &caller.email);
        Ok(Reply::empty(204))
    }
}
