//! What Google refuses in the body of a request.

use serde_json::{Map, Value};

use super::{colors, errors::SandboxRefusal};
use crate::sandbox::reply::SandboxRequest;

/// Longest body of a request to the API, in bytes.
const BODY_MAX: usize = 1024 * 1024;
/// Most reminders of an event or of a calendar.
const REMINDERS_MAX: usize = 5;
/// Longest time from a reminder to the event, in minutes: four weeks.
const REMINDER_MINUTES_MAX: i64 = 40_320;
/// Most attachments of an event.
const ATTACHMENTS_MAX: usize = 25;
/// Most guests of an event.
const ATTENDEES_MAX: usize = 300;
/// Types of events that somebody may make.
const KINDS: [&str; 5] = ["birthday", "default", "focusTime", "outOfOffice", "workingLocation"];
/// Fields with a fixed set of values.
const CHOICES: [(&str, &[&str]); 3] = [
    ("status", &["confirmed", "tentative", "cancelled"]),
    ("transparency", &["opaque", "transparent"]),
    ("visibility", &["default", "public", "private", "confidential"]),
];
const TEXTS: [&str; 8] = ["summary", "description", "location", "colorId", "iCalUID", "id", "status", "eventType"];
const YES_OR_NO: [&str; 5] =
    ["anyoneCanAddSelf", "attendeesOmitted", "guestsCanInviteOthers", "guestsCanModify", "guestsCanSeeOtherGuests"];
const OBJECTS: [&str; 6] = ["start", "end", "reminders", "extendedProperties", "conferenceData", "source"];
const LISTS: [&str; 3] = ["attendees", "attachments", "recurrence"];

/// The body as an object.
pub(super) fn body(asked: &SandboxRequest) -> Result<Map<String, Value>, SandboxRefusal> {
    if asked.body.len() > BODY_MAX {
        return Err(SandboxRefusal::new(413, "global", "uploadTooLarge").saying("Request is too large."));
    }
    match asked.json() {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err(SandboxRefusal::new(400, "global", "parseError")),
    }
}

/// Refuses when the caller's `If-Match` names another version.
pub(super) fn guard(asked: &SandboxRequest, etag: Option<&Value>) -> Result<(), SandboxRefusal> {
    match asked.header("if-match") {
        Some(wanted) if wanted != "*" && Some(wanted) != etag.and_then(Value::as_str) => {
            Err(SandboxRefusal::new(412, "global", "conditionNotMet"))
        }
        _ => Ok(()),
    }
}

/// What a caller says of an event, by itself.
pub(super) fn given(given: &Map<String, Value>) -> Result<(), SandboxRefusal> {
    let wrong = |name: &str| SandboxRefusal::invalid(format!("Invalid value for: {name}"));
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let name = name.as_str();
        let fits = (!TEXTS.contains(&name) || value.is_string())
            && (!YES_OR_NO.contains(&name) || value.is_boolean())
            && (!OBJECTS.contains(&name) || value.is_object())
            && (!LISTS.contains(&name) || value.is_array());
        if !fits {
            return Err(wrong(name));
        }
    }
    for (name, choices) in CHOICES {
        if given.get(name).and_then(Value::as_str).is_some_and(|said| !choices.contains(&said)) {
            return Err(wrong(name));
        }
    }
    if given.get("colorId").and_then(Value::as_str).is_some_and(|id| !colors::is_event_color(id)) {
        return Err(SandboxRefusal::invalid("Invalid color id."));
    }
    Ok(())
}

/// The type of a new event.
pub(super) fn kind(given: &Map<String, Value>) -> Result<&str, SandboxRefusal> {
    match given.get("eventType").and_then(Value::as_str).unwrap_or("default") {
        "fromGmail" => Err(SandboxRefusal::new(400, "calendar", "eventTypeRestriction")),
        kind if KINDS.contains(&kind) => Ok(kind),
        _ => Err(SandboxRefusal::invalid("Invalid value for: eventType")),
    }
}

/// An event as it would be.
pub(super) fn event(item: &Map<String, Value>) -> Result<(), SandboxRefusal> {
    let reminders = item.get("reminders");
    let overrides = reminders.and_then(|held| held.get("overrides"));
    if reminders.and_then(|held| held.get("useDefault")) == Some(&Value::Bool(true))
        && overrides.and_then(Value::as_array).is_some_and(|all| !all.is_empty())
    {
        return Err(SandboxRefusal::new(400, "calendar", "cannotUseDefaultRemindersAndSpecifyOverride")
            .saying("Cannot specify both default reminders and overrides at the same time."));
    }
    self::reminders(overrides)?;
    let attendees = item.get("attendees").and_then(Value::as_array);
    if attendees.is_some_and(|all| all.len() > ATTENDEES_MAX) {
        return Err(SandboxRefusal::new(400, "calendar", "tooManyAttendees").saying("Too many attendees."));
    }
    attendees.into_iter().flatten().try_for_each(attendee)?;
    let attachments = item.get("attachments").and_then(Value::as_array);
    if attachments.is_some_and(|all| all.len() > ATTACHMENTS_MAX) {
        return Err(SandboxRefusal::invalid("Too many attachments."));
    }
    if attachments.into_iter().flatten().any(|one| one.get("fileUrl").and_then(Value::as_str).is_none()) {
        return Err(SandboxRefusal::required("Missing attachment fileUrl."));
    }
    match item.get("recurrence") {
        Some(Value::Array(lines)) if lines.iter().any(|line| !recurs(line)) => {
            return Err(SandboxRefusal::invalid("Invalid recurrence rule."));
        }
        _ => {}
    }
    let kind = item.get("eventType").and_then(Value::as_str).unwrap_or("default");
    let all_day = item.get("start").is_some_and(|start| start.get("date").is_some());
    match kind {
        "workingLocation" if !item.contains_key("workingLocationProperties") => {
            Err(SandboxRefusal::required("Missing workingLocationProperties."))
        }
        "focusTime" | "outOfOffice" if all_day => {
            Err(SandboxRefusal::invalid("Events of this type cannot be all-day."))
        }
        "birthday" if !all_day => Err(SandboxRefusal::invalid("A birthday must be all-day.")),
        _ => Ok(()),
    }
}

/// Lines other than these do not belong into `recurrence`.
fn recurs(line: &Value) -> bool {
    line.as_str().is_some_and(|line| ["RRULE", "EXRULE", "RDATE", "EXDATE"].iter().any(|name| line.starts_with(name)))
}

fn attendee(one: &Value) -> Result<(), SandboxRefusal> {
    let email =
        one.get("email").and_then(Value::as_str).ok_or_else(|| SandboxRefusal::required("Missing attendee email."))?;
    let formed = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    if !formed || email.contains([' ', ',', '<', '>']) {
        return Err(SandboxRefusal::invalid("Invalid attendee email."));
    }
    match one.get("responseStatus").and_then(Value::as_str) {
        Some("needsAction" | "declined" | "tentative" | "accepted") | None => Ok(()),
        Some(_) => Err(SandboxRefusal::invalid("Invalid value for: responseStatus")),
    }
}

/// A list of reminders.
pub(super) fn reminders(list: Option<&Value>) -> Result<(), SandboxRefusal> {
    let Some(list) = list.filter(|list| !list.is_null()) else { return Ok(()) };
    let list = list.as_array().ok_or_else(|| SandboxRefusal::invalid("Invalid value for: reminders"))?;
    if list.len() > REMINDERS_MAX {
        return Err(
            SandboxRefusal::new(400, "calendar", "tooManyReminders").saying("Too many reminders: the maximum is 5.")
        );
    }
    for one in list {
        match one.get("method").and_then(Value::as_str) {
            Some("email" | "popup") => {}
            Some(_) => return Err(SandboxRefusal::invalid("Invalid value for: method")),
            None => return Err(SandboxRefusal::required("Missing reminder method.")),
        }
        match one.get("minutes").map(Value::as_i64) {
            Some(Some(minutes)) if (0..=REMINDER_MINUTES_MAX).contains(&minutes) => {}
            Some(_) => return Err(SandboxRefusal::invalid("Invalid reminder minutes: from 0 to 40320.")),
            None => return Err(SandboxRefusal::required("Missing reminder minutes.")),
        }
    }
    Ok(())
}

/// The notification settings of a calendar list entry.
pub(super) fn notifications(settings: Option<&Value>) -> Result<(), SandboxRefusal> {
    const KINDS: [&str; 5] = ["eventCreation", "eventChange", "eventCancellation", "eventResponse", "agenda"];
    let list = settings.and_then(|held| held.get("notifications")).and_then(Value::as_array);
    for one in list.into_iter().flatten() {
        if one.get("method").and_then(Value::as_str) != Some("email") {
            return Err(SandboxRefusal::invalid("Invalid value for: method"));
        }
        if !one.get("type").and_then(Value::as_str).is_some_and(|kind| KINDS.contains(&kind)) {
            return Err(SandboxRefusal::invalid("Invalid value for: type"));
        }
    }
    Ok(())
}
