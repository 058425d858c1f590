//! Who would have been mailed: `sendUpdates` of every write to an event that has guests.

use serde_json::{Map, Value, json};

use super::{GoogleLookAlike, errors::SandboxRefusal};
use crate::sandbox::reply::SandboxRequest;

/// Most writes remembered; older ones are forgotten first.
const REMEMBERED_MAX: usize = 10_000;

/// What `sendUpdates` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    All,
    ExternalOnly,
    Nobody,
}

impl Audience {
    /// Reads `sendUpdates`, or the older `sendNotifications`; without either nobody is mailed.
    pub(super) fn read(asked: &SandboxRequest) -> Result<Self, SandboxRefusal> {
        match asked.param("sendUpdates") {
            Some("all") => Ok(Self::All),
            Some("externalOnly") => Ok(Self::ExternalOnly),
            Some("none") => Ok(Self::Nobody),
            Some(other) => {
                let message = format!("Invalid string value: '{other}'. Allowed values: [all, externalonly, none]");
                Err(SandboxRefusal::parameter("sendUpdates", message))
            }
            None if asked.flag("sendNotifications") => Ok(Self::All),
            None => Ok(Self::Nobody),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::ExternalOnly => "externalOnly",
            Self::Nobody => "none",
        }
    }
}

impl GoogleLookAlike {
    /// Remembers a write to an event with guests, before or after it, and whom of them Google would mail.
    pub(super) fn remember_mail(
        &mut self,
        operation: &str,
        calendar: &str,
        audience: Audience,
        versions: &[&Map<String, Value>],
    ) {
        let mut guests: Vec<String> = Vec::new();
        let attendees = versions.iter().filter_map(|item| item.get("attendees")?.as_array()).flatten();
        for one in attendees.filter(|one| one.get("self") != Some(&Value::Bool(true))) {
            if let Some(email) = one.get("email").and_then(Value::as_str)
                && !guests.iter().any(|held| held == email)
            {
                guests.push(email.to_owned());
            }
        }
        if guests.is_empty() {
            return;
        }
        match audience {
            Audience::All => {}
            Audience::ExternalOnly => guests.retain(|email| !self.people.contains_key(email)),
            Audience::Nobody => guests.clear(),
        }
        let event = versions.iter().find_map(|item| item.get("id")).cloned().unwrap_or_default();
        if self.mails.len() >= REMEMBERED_MAX {
            self.mails.pop_front();
        }
        self.mails.push_back(json!({ "operation": operation, "calendar": calendar, "event": event,
            "sendUpdates": audience.name(), "to": guests }));
    }
}
