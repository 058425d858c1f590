//! Partial answers: the `fields` parameter, such as `items(id,start/dateTime),nextPageToken`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::errors::SandboxRefusal;

/// Deepest nesting of a selection.
const DEPTH_MAX: usize = 16;
/// Longest selection, in bytes.
const LENGTH_MAX: usize = 4_096;
/// Every field that some resource of the API has.
const KNOWN: &str = "accessCode accessRole addOnParameters additionalGuests address allowedConferenceSolutionTypes anyoneCanAddSelf \
    asyncOperation attachments attendees attendeesOmitted autoAcceptInvitations autoDeclineMode availableTimes background \
    backgroundColor birthdayProperties buildingId busy calendar calendarExpansionMax calendars chatStatus colorId comment \
    conferenceData conferenceId conferenceProperties conferenceSolution conferenceSolutionKey contact createRequest created \
    creator customLocation customTypeName dataOwner date dateTime dayOfWeek declineMessage defaultReminders deleted description \
    deskId display displayName domain email end endTimeUnspecified entryPointFeatures entryPointType entryPoints errors etag \
    event eventLabelId eventLabels eventType expiration extendedProperties fileId fileUrl floorId floorSectionId \
    focusTimeProperties foreground foregroundColor gadget groupExpansionMax groups guestsCanInviteOthers guestsCanModify \
    guestsCanSeeOtherGuests hangoutLink height hidden homeOffice htmlLink iCalUID iconLink iconUri id items key kind label \
    labelProperties link location locked meetingCode method mimeType minutes name nextPageToken nextSyncToken notes \
    notificationSettings notifications officeLocation optional organizer originalStartTime outOfOfficeProperties overrides \
    parameters params passcode password payload periodEnd periodStart pin preferences primary private privateCopy reason \
    recurrence recurringEventId regionCode reminders requestId resource resourceId resourceUri responseStatus role scope \
    selected self sequence shared signature source start status statusCode summary summaryOverride timeMax timeMin timeZone \
    title token transparency type updated uri url useDefault value visibility width workingHours workingHoursEnabled \
    workingLocationProperties";

/// What of an object is selected; nothing inside: all of it.
#[derive(Default)]
struct FieldTree(BTreeMap<String, FieldTree>);

/// The selected part of an answer.
pub(super) fn select(text: &str, body: Value) -> Result<Value, SandboxRefusal> {
    let refused = |what: &str| SandboxRefusal::parameter("fields", format!("Invalid field selection {what}"));
    if text.len() > LENGTH_MAX {
        return Err(refused("that long"));
    }
    let mut rest = text;
    let tree = read(&mut rest, 0).filter(|_| rest.is_empty()).ok_or_else(|| refused(text))?;
    // Maps whose keys are data (colours, calendars of a free/busy answer, extended properties) stand deeper.
    if let Some(stranger) =
        tree.0.keys().find(|name| *name != "*" && !KNOWN.split_whitespace().any(|known| known == *name))
    {
        return Err(refused(stranger));
    }
    Ok(apply(&tree, body))
}

/// Reads `a,b/c,d(e,f)` up to its end or a closing bracket.
fn read(rest: &mut &str, depth: usize) -> Option<FieldTree> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut tree = FieldTree::default();
    loop {
        let end = rest.find(['/', ',', '(', ')']).unwrap_or(rest.len());
        let (name, tail) = rest.split_at_checked(end)?;
        let name = name.trim();
        if name.is_empty() {
            return None;
        }
        *rest = tail;
        let inside = if let Some(tail) = rest.strip_prefix('/') {
            *rest = tail;
            one(rest, depth + 1)?
        } else {
            bracket(rest, depth + 1)?
        };
        tree.0.entry(name.to_owned()).or_default().0.extend(inside.0);
        match rest.strip_prefix(',') {
            Some(tail) => *rest = tail,
            None => return Some(tree),
        }
    }
}

/// What follows a `/`: one name, with what is inside it.
fn one(rest: &mut &str, depth: usize) -> Option<FieldTree> {
    if depth > DEPTH_MAX {
        return None;
    }
    let end = rest.find(['/', ',', '(', ')']).unwrap_or(rest.len());
    let (name, tail) = rest.split_at_checked(end)?;
    if name.trim().is_empty() {
        return None;
    }
    *rest = tail;
    let inside = if let Some(tail) = rest.strip_prefix('/') {
        *rest = tail;
        one(rest, depth + 1)?
    } else {
        bracket(rest, depth + 1)?
    };
    Some(FieldTree([(name.trim().to_owned(), inside)].into()))
}

fn bracket(rest: &mut &str, depth: usize) -> Option<FieldTree> {
    let Some(tail) = rest.strip_prefix('(') else { return Some(FieldTree::default()) };
    *rest = tail;
    let inside = read(rest, depth)?;
    *rest = rest.strip_prefix(')')?;
    Some(inside)
}

fn apply(tree: &FieldTree, body: Value) -> Value {
    if tree.0.is_empty() || tree.0.contains_key("*") {
        return body;
    }
    match body {
        Value::Object(held) => {
            let kept: Map<_, _> = held
                .into_iter()
                .filter_map(|(name, value)| tree.0.get(&name).map(|inside| (name, apply(inside, value))))
                .collect();
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| apply(tree, item)).collect()),
        other => other,
    }
}
