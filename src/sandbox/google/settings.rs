//! `settings` of a person: what Google documents, all of it only read.

use serde_json::{Value, json};

use super::{GoogleLookAlike, SandboxAnswer, TokenHolder, errors::SandboxRefusal, shape, tokens};
use crate::sandbox::reply::SandboxRequest;

/// Scopes that may read settings.
pub(super) const MAY_READ_SETTINGS: &[&str] =
    &["calendar", "calendar.readonly", "calendar.settings", "calendar.settings.readonly"];
/// Ids and values; the zone is that of the primary calendar.
const VALUES: [(&str, &str); 11] = [
    ("autoAddHangouts", "false"),
    ("dateFieldOrder", "DMY"),
    ("defaultEventLength", "60"),
    ("format24HourTime", "true"),
    ("hideInvitations", "false"),
    ("hideWeekends", "false"),
    ("locale", "en_GB"),
    ("remindOnRespondedEventsOnly", "false"),
    ("showDeclinedEvents", "true"),
    ("useKeyboardShortcuts", "true"),
    ("weekStart", "1"),
];

impl GoogleLookAlike {
    pub(super) fn list_settings(&self, caller: &TokenHolder, asked: &SandboxRequest) -> SandboxAnswer {
        caller.needs(MAY_READ_SETTINGS)?;
        let zone = &self.calendar(&caller.email, "primary")?.time_zone;
        let person = self.person(&caller.email)?;
        // The zone is the only one that changes: with the number of changes of the list, to be simple.
        let since = asked.param("syncToken");
        let since = since.map(|token| tokens::since("settings", person.list_epoch, person.list_changes, token));
        let rows = match since.transpose()? {
            Some(number) if number >= person.list_changes => Vec::new(),
            Some(_) => vec![setting("timezone", zone)],
            None => {
                let mut rows: Vec<Value> = VALUES.iter().map(|(id, value)| setting(id, value)).collect();
                rows.push(setting("timezone", zone));
                rows
            }
        };
        let next = tokens::sync_token("settings", person.list_epoch, person.list_changes);
        shape::answer(asked, tokens::small_page(asked, "calendar#settings", &rows, &next)?)
    }

    pub(super) fn get_setting(&self, caller: &TokenHolder, id: &str, asked: &SandboxRequest) -> SandboxAnswer {
        caller.needs(MAY_READ_SETTINGS)?;
        let zone = self.calendar(&caller.email, "primary")?.time_zone.as_str();
        let value = VALUES.iter().chain([&("timezone", zone)]).find(|(held, _)| *held == id).map(|(_, value)| *value);
        let value = value.ok_or_else(|| SandboxRefusal::new(404, "global", "notFound"))?;
        shape::answer(asked, setting(id, value))
    }
}

fn setting(id: &str, value: &str) -> Value {
    json!({ "kind": "calendar#setting", "etag": format!("\"{id}-{value}\""), "id": id, "value": value })
}
