//! Single events: get, patch, update, delete, move.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    GoogleLookAlike, MAY_READ, SandboxAnswer, SavedWorld, TokenHolder, checks,
    conference::Reach,
    errors::SandboxRefusal,
    expand,
    mails::Audience,
    shape::{self, View},
};
use crate::sandbox::reply::{Reply, SandboxRequest};

/// What a caller may say of an event; everything else is ignored, as Google does.
const WRITABLE: &[&str] = &[
    "anyoneCanAddSelf",
    "attachments",
    "attendees",
    "attendeesOmitted",
    "colorId",
    "conferenceData",
    "description",
    "end",
    "extendedProperties",
    "focusTimeProperties",
    "gadget",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
    "location",
    "outOfOfficeProperties",
    "recurrence",
    "reminders",
    "sequence",
    "source",
    "start",
    "status",
    "summary",
    "transparency",
    "visibility",
    "workingLocationProperties",
];

/// What an occurrence has from its series, whoever changes it.
const OF_SERIES: &[&str] =
    &["kind", "iCalUID", "created", "creator", "organizer", "eventType", "htmlLink", "sequence", "reminders"];

impl GoogleLookAlike {
    pub(super) fn get(
        &mut self,
        caller: &TokenHolder,
        calendar: &str,
        id: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        caller.needs(MAY_READ)?;
        let item = self.find(caller, calendar, id)?;
        let view = View::read(asked, self.calendar(&caller.email, calendar)?)?;
        shape::answer(asked, view.event(item))
    }

    /// An event that is stored, or an occurrence that follows from one.
    pub(super) fn find(
        &self,
        caller: &TokenHolder,
        calendar: &str,
        id: &str,
    ) -> Result<Map<String, Value>, SandboxRefusal> {
        let held = self.calendar(&caller.email, calendar)?;
        if let Some(stored) = held.events.get(id) {
            return Ok(stored.item.clone());
        }
        let master =
            id.rsplit_once('_').and_then(|(master, _)| held.events.get(master)).filter(|master| !master.cancelled());
        let found = master.and_then(|master| {
            expand::occurrences(held, &master.item, None)
                .into_iter()
                .find(|one| one.get("id").and_then(Value::as_str) == Some(id))
        });
        found.ok_or_else(|| SandboxRefusal::new(404, "global", "notFound"))
    }

    pub(super) fn change(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        id: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        self.writable(caller, calendar)?;
        let (audience, reach, given) = (Audience::read(asked)?, Reach::read(asked)?, checks::body(asked)?);
        checks::given(&given)?;
        let before = self.find(caller, calendar, id)?;
        checks::guard(asked, before.get("etag"))?;
        if before.get("locked") == Some(&Value::Bool(true)) {
            return Err(SandboxRefusal::new(403, "calendar", "forbidden"));
        }
        no_older(&before, &given)?;
        if given.get("eventType").is_some_and(|kind| Some(kind) != before.get("eventType")) {
            return Err(
                SandboxRefusal::new(400, "calendar", "eventTypeRestriction").saying("Event type cannot be changed.")
            );
        }
        let organized = before.get("organizer").is_none_or(|held| held.get("self") == Some(&Value::Bool(true)));
        if asked.method == "PUT" && !organized {
            return Err(SandboxRefusal::new(403, "calendar", "forbiddenForNonOrganizer")
                .saying("Shared properties can only be changed by the organizer of the event."));
        }
        // Who takes an event out of the bin gets it as it was.
        let back = given.get("status").is_some_and(|status| status == "confirmed");
        let binned = self.calendar(&caller.email, calendar)?.events.get(id).and_then(|one| one.bin.as_ref());
        let mut item = binned.filter(|_| back).unwrap_or(&before).clone();
        let master = before.get("recurringEventId").and_then(Value::as_str);
        if let Some(master) = master.and_then(|id| self.calendar(&caller.email, calendar).ok()?.events.get(id)) {
            // An occurrence that was cancelled and is back is one of its series, as any other.
            for name in OF_SERIES {
                if let Some(value) = master.item.get(*name).filter(|_| !item.contains_key(*name)) {
                    item.insert((*name).to_owned(), value.clone());
                }
            }
        }
        if asked.method == "PUT" {
            bare(&mut item, &reach);
        }
        merge(&mut item, &given, &reach);
        let held = self.calendar(&caller.email, calendar)?;
        let (place, zone, view) = (held.id.clone(), held.time_zone.clone(), View::read(asked, held)?);
        let operation = if asked.method == "PUT" { "events.update" } else { "events.patch" };
        if item.get("status").and_then(Value::as_str) == Some("cancelled") {
            let left = self.remove(now, caller, calendar, &before)?;
            self.remember_mail(operation, &place, audience, &[&before]);
            return shape::answer(asked, view.event(left));
        }
        self.confer(Some(&before), &mut item)?;
        settle(&mut item, &place, &zone)?;
        let differs = |name: &str| item.get(name) != before.get(name);
        let moved = differs("start") || differs("recurrence");
        if (moved || differs("end")) && !given.contains_key("sequence") {
            let sequence = before.get("sequence").and_then(Value::as_i64).unwrap_or(0) + 1;
            item.insert("sequence".to_owned(), json!(sequence));
        }
        let kept = self.keep(now, &caller.email, calendar, item)?;
        if moved && !self.settings.keeps_exceptions && kept.contains_key("recurrence") {
            self.drop_strays(now, caller, calendar, &kept)?;
        }
        self.remember_mail(operation, &place, audience, &[&before, &kept]);
        shape::answer(asked, view.event(kept))
    }

    /// Exceptions of occurrences that a changed rule no longer has go.
    fn drop_strays(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        master: &Map<String, Value>,
    ) -> Result<(), SandboxRefusal> {
        let held = self.calendar(&caller.email, calendar)?;
        let plain = super::SandboxCalendar { events: std::collections::BTreeMap::new(), ..held.clone() };
        let ids: Vec<String> = expand::occurrences(&plain, master, None)
            .iter()
            .filter_map(|one| Some(one.get("id")?.as_str()?.to_owned()))
            .collect();
        let name = master.get("id").and_then(Value::as_str).unwrap_or_default();
        let strays: Vec<_> = held
            .events
            .values()
            .filter(|one| {
                one.text("recurringEventId") == name && !one.cancelled() && !ids.contains(&one.text("id").to_owned())
            })
            .map(|one| one.item.clone())
            .collect();
        for stray in strays {
            self.keep(now, &caller.email, calendar, cancelled(&stray))?;
        }
        Ok(())
    }

    pub(super) fn delete(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        id: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        self.writable(caller, calendar)?;
        let audience = Audience::read(asked)?;
        let before = self.find(caller, calendar, id)?;
        if before.get("status").and_then(Value::as_str) == Some("cancelled") {
            return Err(SandboxRefusal::new(410, "global", "deleted"));
        }
        checks::guard(asked, before.get("etag"))?;
        self.remove(now, caller, calendar, &before)?;
        let place = self.calendar(&caller.email, calendar)?.id.clone();
        self.remember_mail("events.delete", &place, audience, &[&before]);
        Ok(Reply::empty(204))
    }

    /// Cancels an event; a series goes with its exceptions.
    fn remove(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        item: &Map<String, Value>,
    ) -> Result<Map<String, Value>, SandboxRefusal> {
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
        let held = self.calendar(&caller.email, calendar)?;
        let exceptions: Vec<_> = held
            .events
            .values()
            .filter(|one: &&SavedWorld| one.text("recurringEventId") == id && !one.cancelled())
            .map(|one| one.item.clone())
            .collect();
        for exception in exceptions {
            self.keep(now, &caller.email, calendar, cancelled(&exception))?;
            let name = exception.get("id").and_then(Value::as_str).unwrap_or_default();
            if let Some(one) = self.calendar_mut(&caller.email, calendar)?.events.get_mut(name) {
                one.with_series = true;
            }
        }
        self.keep(now, &caller.email, calendar, cancelled(item))
    }

    pub(super) fn move_event(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        id: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        self.writable(caller, calendar)?;
        let audience = Audience::read(asked)?;
        let to = asked.param("destination").ok_or_else(|| SandboxRefusal::required("Missing destination."))?.to_owned();
        let target = self.writable(caller, &to)?;
        let (place, view) = (target.id.clone(), View::read(asked, target)?);
        let item = self.find(caller, calendar, id)?;
        if item.get("status").and_then(Value::as_str) == Some("cancelled") {
            return Err(SandboxRefusal::new(404, "global", "notFound"));
        }
        if item.get("eventType").and_then(Value::as_str) != Some("default") || item.contains_key("recurringEventId") {
            return Err(SandboxRefusal::new(400, "calendar", "cannotChangeOrganizer")
                .saying("Cannot change the organizer of an instance, or of this type of event."));
        }
        let from = self.calendar(&caller.email, calendar)?;
        if from.id == place {
            return Err(SandboxRefusal::invalid("The event is in this calendar already."));
        }
        let exceptions: Vec<_> =
            from.events.values().filter(|one| one.text("recurringEventId") == id).map(|one| one.item.clone()).collect();
        self.remove(now, caller, calendar, &item)?;
        let organizer = json!({ "email": place, "self": true });
        let mut moved = Map::new();
        for mut one in std::iter::once(item).chain(exceptions) {
            if one.get("status").and_then(Value::as_str) != Some("cancelled") {
                one.insert("organizer".to_owned(), organizer.clone());
            }
            let kept = self.keep(now, &caller.email, &to, one)?;
            if moved.is_empty() {
                moved = kept;
            }
        }
        self.remember_mail("events.move", &place, audience, &[&moved]);
        shape::answer(asked, view.event(moved))
    }
}

/// Refuses a sequence number that is lower than the one that is there.
pub(super) fn no_older(before: &Map<String, Value>, given: &Map<String, Value>) -> Result<(), SandboxRefusal> {
    let number = |item: &Map<String, Value>| item.get("sequence").and_then(Value::as_i64);
    match number(given) {
        Some(said) if Some(said) < number(before) => Err(SandboxRefusal::invalid("Invalid sequence value.")),
        _ => Ok(()),
    }
}

/// Takes away what an update replaces.
pub(super) fn bare(item: &mut Map<String, Value>, reach: &Reach) {
    for name in WRITABLE.iter().filter(|name| reach.covers(name) && **name != "sequence") {
        item.remove(*name);
    }
    item.insert("reminders".to_owned(), json!({ "useDefault": true }));
    item.insert("status".to_owned(), json!("confirmed"));
}

/// What is left of an event that is cancelled.
pub(super) fn cancelled(item: &Map<String, Value>) -> Map<String, Value> {
    let kept = ["kind", "id", "recurringEventId", "originalStartTime"];
    let mut left: Map<_, _> = item
        .iter()
        .filter(|(name, _)| kept.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    left.insert("status".to_owned(), json!("cancelled"));
    left
}

/// A patch: objects merge, lists are replaced, `null` takes away.
pub(super) fn merge(item: &mut Map<String, Value>, given: &Map<String, Value>, reach: &Reach) {
    for (name, value) in given.iter().filter(|(name, _)| WRITABLE.contains(&name.as_str()) && reach.covers(name)) {
        put(item, name, value);
    }
    // Who goes back to the calendar's reminders need not name those that end.
    let reminders = given.get("reminders");
    if reminders.and_then(|said| said.get("useDefault")) == Some(&Value::Bool(true))
        && reminders.is_some_and(|said| said.get("overrides").is_none())
        && let Some(Value::Object(held)) = item.get_mut("reminders")
    {
        held.remove("overrides");
    }
    // Defaults are not written out.
    for (name, default) in [("transparency", "opaque"), ("visibility", "default")] {
        if item.get(name).and_then(Value::as_str) == Some(default) {
            item.remove(name);
        }
    }
}

fn put(into: &mut Map<String, Value>, name: &str, value: &Value) {
    match (into.get_mut(name), value) {
        (_, Value::Null) => {
            into.remove(name);
        }
        (Some(Value::Object(held)), Value::Object(given)) => {
            for (name, value) in given {
                put(held, name, value);
            }
        }
        (_, Value::Object(given)) => {
            let mut fresh = Map::new();
            for (name, value) in given {
                put(&mut fresh, name, value);
            }
            into.insert(name.to_owned(), Value::Object(fresh));
        }
        _ => {
            into.insert(name.to_owned(), value.clone());
        }
    }
}

/// Checks an event as it would be, and spells its times as Google does.
pub(super) fn settle(item: &mut Map<String, Value>, place: &str, zone: &str) -> Result<(), SandboxRefusal> {
    checks::event(item)?;
    invite(item, place);
    let recurs = item.get("recurrence").and_then(Value::as_array).is_some_and(|lines| !lines.is_empty());
    if !recurs {
        item.remove("recurrence");
    }
    for name in ["start", "end"] {
        let Some(Value::Object(time)) = item.get_mut(name) else {
            return Err(SandboxRefusal::required(format!("Missing {name} time.")));
        };
        match (time.contains_key("date"), time.contains_key("dateTime")) {
            (true, false) => {
                time.remove("timeZone");
            }
            (false, true) => {
                let said = time.get("dateTime").and_then(Value::as_str).unwrap_or_default();
                let instant = DateTime::parse_from_rfc3339(said).is_ok();
                match time.get("timeZone").and_then(Value::as_str) {
                    None if recurs || !instant => {
                        return Err(SandboxRefusal::required(format!("Missing time zone definition for {name} time.")));
                    }
                    Some(named) if named.parse::<chrono_tz::Tz>().is_err() => {
                        return Err(SandboxRefusal::invalid(format!("Invalid time zone definition for {name} time.")));
                    }
                    _ => {}
                }
                let read = expand::read_time(&Value::Object(time.clone()))
                    .ok_or_else(|| SandboxRefusal::invalid(format!("Invalid {name} time.")))?;
                let named = time.get("timeZone").and_then(Value::as_str).unwrap_or(zone).to_owned();
                time.insert("dateTime".to_owned(), json!(expand::spelt(&read, &named)));
                time.insert("timeZone".to_owned(), json!(named));
            }
            _ => return Err(SandboxRefusal::invalid(format!("{name}: either date or dateTime"))),
        }
    }
    let (start, end) = (item.get("start").and_then(expand::read_time), item.get("end").and_then(expand::read_time));
    let (Some(start), Some(end)) = (start, end) else { return Err(SandboxRefusal::invalid("Invalid time.")) };
    if start.is_all_day() != end.is_all_day() {
        return Err(SandboxRefusal::invalid("Invalid start or end time."));
    }
    if end.instant(chrono_tz::UTC) < start.instant(chrono_tz::UTC) || (start.is_all_day() && end.wall() <= start.wall())
    {
        return Err(SandboxRefusal::new(400, "calendar", "timeRangeEmpty"));
    }
    if recurs && expand::content(item).is_none() {
        return Err(SandboxRefusal::invalid("Invalid recurrence rule."));
    }
    Ok(())
}

/// Fills in what Google says of guests: who has not answered, who is the organizer, whose calendar this is.
fn invite(item: &mut Map<String, Value>, place: &str) {
    let organizer = item.get("organizer").and_then(|held| held.get("email")?.as_str()).unwrap_or_default().to_owned();
    let Some(Value::Array(attendees)) = item.get_mut("attendees") else { return };
    for one in attendees.iter_mut().filter_map(Value::as_object_mut) {
        one.entry("responseStatus").or_insert_with(|| json!("needsAction"));
        let email = one.get("email").and_then(Value::as_str).unwrap_or_default().to_owned();
        for (name, whose) in [("self", place), ("organizer", organizer.as_str())] {
            if email == whose {
                one.insert(name.to_owned(), json!(true));
            } else {
                one.remove(name);
            }
        }
    }
    if attendees.is_empty() {
        item.remove("attendees");
    }
}
