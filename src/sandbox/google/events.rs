//! Single events: get, insert, import, patch, update, delete, move.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::{Answer, Caller, Google, MAY_READ, Stored, errors::Refusal, expand};
use crate::sandbox::reply::{Asked, Reply};

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

impl Google {
    pub(super) fn get(&mut self, caller: &Caller, calendar: &str, id: &str, asked: &Asked) -> Answer {
        caller.needs(MAY_READ)?;
        let item = self.find(caller, calendar, id)?;
        if asked.header("if-none-match").is_some_and(|etag| Some(etag) == item.get("etag").and_then(Value::as_str)) {
            return Ok(Reply::empty(304));
        }
        Ok(Reply::json(200, &Value::Object(item)))
    }

    /// An event that is stored, or an occurrence that follows from one.
    pub(super) fn find(&self, caller: &Caller, calendar: &str, id: &str) -> Result<Map<String, Value>, Refusal> {
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
        found.ok_or_else(|| Refusal::new(404, "global", "notFound"))
    }

    pub(super) fn insert(
        &mut self,
        now: DateTime<Utc>,
        caller: &Caller,
        calendar: &str,
        asked: &Asked,
        import: bool,
    ) -> Answer {
        self.writable(caller, calendar)?;
        let given = asked
            .json()
            .and_then(|value| value.as_object().cloned())
            .ok_or_else(|| Refusal::new(400, "global", "parseError"))?;
        let uid = given.get("iCalUID").and_then(Value::as_str);
        let id = match given.get("id").and_then(Value::as_str) {
            Some(_) if uid.is_some() && !import => return Err(Refusal::invalid("id and iCalUID cannot both be given")),
            Some(id) => id.to_owned(),
            None => self.invent("event"),
        };
        let fits = (5..=1024).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'));
        if !fits {
            return Err(Refusal::invalid("Invalid resource id value."));
        }
        if import && uid.is_none() {
            return Err(Refusal::required("Missing iCalUID."));
        }
        let kind = given.get("eventType").and_then(Value::as_str).unwrap_or("default");
        if kind == "fromGmail" || (import && kind != "default") {
            return Err(Refusal::new(400, "calendar", "eventTypeRestriction"));
        }
        let held = self.calendar(&caller.email, calendar)?;
        if held.events.contains_key(&id) {
            return Err(Refusal::new(409, "global", "duplicate"));
        }
        let (place, zone) = (held.id.clone(), held.time_zone.clone());
        let mut item = Map::new();
        let uid = uid.map_or_else(|| format!("{id}@google.com"), str::to_owned);
        let base = json!({
            "kind": "calendar#event", "id": id, "status": "confirmed", "created": now.to_rfc3339_opts(SecondsFormat::Millis, true),
            "htmlLink": format!("https://www.google.com/calendar/event?eid={id}"), "iCalUID": uid, "sequence": 0,
            "creator": { "email": caller.email, "self": true }, "organizer": { "email": place, "self": true },
            "reminders": { "useDefault": true }, "eventType": kind,
        });
        item.extend(base.as_object().cloned().unwrap_or_default());
        if import && let Some(organizer) = given.get("organizer") {
            item.insert("organizer".to_owned(), organizer.clone());
        }
        merge(&mut item, &given);
        settle(&mut item, &zone)?;
        let kept = self.keep(now, &caller.email, calendar, item)?;
        Ok(Reply::json(200, &Value::Object(kept)))
    }

    pub(super) fn change(
        &mut self,
        now: DateTime<Utc>,
        caller: &Caller,
        calendar: &str,
        id: &str,
        asked: &Asked,
    ) -> Answer {
        self.writable(caller, calendar)?;
        let given = asked
            .json()
            .and_then(|value| value.as_object().cloned())
            .ok_or_else(|| Refusal::new(400, "global", "parseError"))?;
        let before = self.find(caller, calendar, id)?;
        guard(asked, &before)?;
        if before.get("locked") == Some(&Value::Bool(true)) {
            return Err(Refusal::new(403, "calendar", "forbidden"));
        }
        if given.get("sequence").and_then(Value::as_i64) < before.get("sequence").and_then(Value::as_i64)
            && given.contains_key("sequence")
        {
            return Err(Refusal::invalid("Invalid sequence value."));
        }
        let mut item = before.clone();
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
            for name in WRITABLE {
                item.remove(*name);
            }
            item.insert("reminders".to_owned(), json!({ "useDefault": true }));
            item.insert("status".to_owned(), json!("confirmed"));
        }
        merge(&mut item, &given);
        if item.get("status").and_then(Value::as_str) == Some("cancelled") {
            return self.remove(now, caller, calendar, &before).map(|item| Reply::json(200, &Value::Object(item)));
        }
        let zone = self.calendar(&caller.email, calendar)?.time_zone.clone();
        settle(&mut item, &zone)?;
        let moved = item.get("start") != before.get("start") || item.get("recurrence") != before.get("recurrence");
        let kept = self.keep(now, &caller.email, calendar, item)?;
        if moved && !self.settings.keeps_exceptions && kept.contains_key("recurrence") {
            self.drop_strays(now, caller, calendar, &kept)?;
        }
        Ok(Reply::json(200, &Value::Object(kept)))
    }

    /// Exceptions of occurrences that a changed rule no longer has go.
    fn drop_strays(
        &mut self,
        now: DateTime<Utc>,
        caller: &Caller,
        calendar: &str,
        master: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        let held = self.calendar(&caller.email, calendar)?;
        let plain = super::Calendar { events: std::collections::BTreeMap::new(), ..held.clone() };
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
        caller: &Caller,
        calendar: &str,
        id: &str,
        asked: &Asked,
    ) -> Answer {
        self.writable(caller, calendar)?;
        let before = self.find(caller, calendar, id)?;
        if before.get("status").and_then(Value::as_str) == Some("cancelled") {
            return Err(Refusal::new(410, "global", "deleted"));
        }
        guard(asked, &before)?;
        self.remove(now, caller, calendar, &before)?;
        Ok(Reply::empty(204))
    }

    /// Cancels an event; a series goes with its exceptions.
    fn remove(
        &mut self,
        now: DateTime<Utc>,
        caller: &Caller,
        calendar: &str,
        item: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Refusal> {
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
        let held = self.calendar(&caller.email, calendar)?;
        let exceptions: Vec<_> = held
            .events
            .values()
            .filter(|one: &&Stored| one.text("recurringEventId") == id && !one.cancelled())
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
        caller: &Caller,
        calendar: &str,
        id: &str,
        asked: &Asked,
    ) -> Answer {
        self.writable(caller, calendar)?;
        let to = asked.param("destination").ok_or_else(|| Refusal::required("Missing destination."))?.to_owned();
        self.writable(caller, &to)?;
        let mut item = self.find(caller, calendar, id)?;
        if item.get("eventType").and_then(Value::as_str) != Some("default") || item.contains_key("recurringEventId") {
            return Err(Refusal::new(400, "calendar", "cannotChangeOrganizer"));
        }
        self.remove(now, caller, calendar, &item)?;
        let place = self.calendar(&caller.email, &to)?.id.clone();
        item.insert("organizer".to_owned(), json!({ "email": place, "self": true }));
        let kept = self.keep(now, &caller.email, &to, item)?;
        Ok(Reply::json(200, &Value::Object(kept)))
    }
}

fn guard(asked: &Asked, item: &Map<String, Value>) -> Result<(), Refusal> {
    let etag = item.get("etag").and_then(Value::as_str);
    match asked.header("if-match") {
        Some(wanted) if wanted != "*" && Some(wanted) != etag => Err(Refusal::new(412, "global", "conditionNotMet")),
        _ => Ok(()),
    }
}

/// What is left of an event that is cancelled.
fn cancelled(item: &Map<String, Value>) -> Map<String, Value> {
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
fn merge(item: &mut Map<String, Value>, given: &Map<String, Value>) {
    for (name, value) in given.iter().filter(|(name, _)| WRITABLE.contains(&name.as_str())) {
        put(item, name, value);
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
fn settle(item: &mut Map<String, Value>, zone: &str) -> Result<(), Refusal> {
    let recurs = item.get("recurrence").and_then(Value::as_array).is_some_and(|lines| !lines.is_empty());
    if !recurs {
        item.remove("recurrence");
    }
    for name in ["start", "end"] {
        let Some(Value::Object(time)) = item.get_mut(name) else {
            return Err(Refusal::required(format!("Missing {name} time.")));
        };
        match (time.contains_key("date"), time.contains_key("dateTime")) {
            (true, false) => {
                time.remove("timeZone");
            }
            (false, true) => {
                if recurs && !time.contains_key("timeZone") {
                    return Err(Refusal::required(format!("Missing time zone definition for {name} time.")));
                }
                let read = expand::read_time(&Value::Object(time.clone()))
                    .ok_or_else(|| Refusal::invalid(format!("Invalid {name} time.")))?;
                let named = time.get("timeZone").and_then(Value::as_str).unwrap_or(zone).to_owned();
                time.insert("dateTime".to_owned(), json!(expand::spelt(&read, &named)));
                time.insert("timeZone".to_owned(), json!(named));
            }
            _ => return Err(Refusal::invalid(format!("{name}: either date or dateTime"))),
        }
    }
    let (start, end) = (item.get("start").and_then(expand::read_time), item.get("end").and_then(expand::read_time));
    let (Some(start), Some(end)) = (start, end) else { return Err(Refusal::invalid("Invalid time.")) };
    if start.is_all_day() != end.is_all_day() {
        return Err(Refusal::invalid("Invalid start or end time."));
    }
    if end.instant(chrono_tz::UTC) < start.instant(chrono_tz::UTC) || (start.is_all_day() && end.wall() <= start.wall())
    {
        return Err(Refusal::new(400, "calendar", "timeRangeEmpty"));
    }
    if recurs && expand::content(item).is_none() {
        return Err(Refusal::invalid("Invalid recurrence rule."));
    }
    Ok(())
}
