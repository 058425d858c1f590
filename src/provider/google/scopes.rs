//! What Google is asked to allow, and what it then allows.

/// Makes the answer say whose account it is.
const OPENID: &str = "openid";
/// Lists calendars; reading events alone does not.
const LIST: &str = "https://www.googleapis.com/auth/calendar.calendarlist.readonly";
const READ: &str = "https://www.googleapis.com/auth/calendar.events.readonly";
const WRITE: &str = "https://www.googleapis.com/auth/calendar.events";
const BUSY: &str = "https://www.googleapis.com/auth/calendar.freebusy";

/// Google's own parameters of a consent: a refresh token, each time, and what was granted before stays granted.
pub const EXTRA: &[(&str, &str)] =
    &[("access_type", "offline"), ("prompt", "consent"), ("include_granted_scopes", "true")];

/// The scopes for reading, or for reading and writing.
#[must_use]
pub fn wanted(write: bool) -> Vec<&'static str> {
    vec![OPENID, LIST, if write { WRITE } else { READ }, BUSY]
}

/// What granted scopes allow. Wider scopes than ours, granted to the same project before, count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Listing calendars.
    pub list: bool,
    /// Reading events.
    pub read: bool,
    /// Changing events.
    pub write: bool,
}

/// Reads granted scopes.
#[must_use]
pub fn allowed(granted: &[String]) -> Allowed {
    let any = |names: &[&str]| {
        granted.iter().any(|scope| {
            let name = scope.strip_prefix("https://www.googleapis.com/auth/");
            name.is_some_and(|name| names.contains(&name))
        })
    };
    let write = any(&["calendar", "calendar.events"]);
    Allowed {
        list: any(&["calendar", "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly"]),
        read: write || any(&["calendar.readonly", "calendar.events.readonly"]),
        write,
    }
}
