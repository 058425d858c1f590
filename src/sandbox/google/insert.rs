//! New events: `insert`, `import`, `quickAdd`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    GoogleLookAlike, SandboxAnswer, TokenHolder,
    calendars::stamp,
    checks,
    conference::Reach,
    errors::SandboxRefusal,
    events,
    mails::Audience,
    quick_add,
    shape::{self, View},
};
use crate::sandbox::reply::SandboxRequest;

/// A request that makes an event.
#[derive(Clone, Copy)]
struct InsertRequest<'a> {
    now: DateTime<Utc>,
    caller: &'a TokenHolder,
    calendar: &'a str,
    asked: &'a SandboxRequest,
    operation: &'static str,
}

impl GoogleLookAlike {
    pub(super) fn insert(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        self.writable(caller, calendar)?;
        let given = checks::body(asked)?;
        let uid = given.get("iCalUID").and_then(Value::as_str);
        if uid.is_some() && given.contains_key("id") {
            return Err(SandboxRefusal::invalid("id and iCalUID cannot both be given"));
        }
        let id = self.new_id(&given)?;
        let held = self.calendar(&caller.email, calendar)?;
        let taken = |uid: &str| held.events.values().any(|one| !one.cancelled() && one.text("iCalUID") == uid);
        if held.events.contains_key(&id) || uid.is_some_and(taken) {
            return Err(SandboxRefusal::new(409, "global", "duplicate"));
        }
        let base = self.base(now, caller, calendar, &id, uid, checks::kind(&given)?)?;
        self.place(&InsertRequest { now, caller, calendar, asked, operation: "events.insert" }, base, &given)
    }

    /// A private copy of an event that exists elsewhere; the same one again changes the copy.
    pub(super) fn import(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        self.writable(caller, calendar)?;
        let given = checks::body(asked)?;
        let uid = given.get("iCalUID").and_then(Value::as_str).filter(|uid| !uid.is_empty());
        let uid = uid.ok_or_else(|| SandboxRefusal::required("Missing iCalUID."))?;
        if checks::kind(&given)? != "default" {
            return Err(SandboxRefusal::new(400, "calendar", "eventTypeRestriction"));
        }
        let held = self.calendar(&caller.email, calendar)?;
        let before = held
            .events
            .values()
            .find(|one| one.text("iCalUID") == uid && one.text("recurringEventId").is_empty() && !one.cancelled());
        let mut base = if let Some(mut before) = before.map(|one| one.item.clone()) {
            events::no_older(&before, &given)?;
            events::bare(&mut before, &Reach { conference: true, attachments: true });
            before
        } else {
            let id = self.new_id(&given)?;
            if self.calendar(&caller.email, calendar)?.events.contains_key(&id) {
                return Err(SandboxRefusal::new(409, "global", "duplicate"));
            }
            self.base(now, caller, calendar, &id, Some(uid), "default")?
        };
        if let Some(organizer) = given.get("organizer") {
            base.insert("organizer".to_owned(), organizer.clone());
        }
        self.place(&InsertRequest { now, caller, calendar, asked, operation: "events.import" }, base, &given)
    }

    pub(super) fn quick_add(
        &mut self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        asked: &SandboxRequest,
    ) -> SandboxAnswer {
        let zone = self.writable(caller, calendar)?.time_zone.clone();
        let text = asked.param("text").filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| SandboxRefusal::required("Missing text."))?;
        if text.len() > quick_add::TEXT_MAX {
            return Err(SandboxRefusal::invalid("The text is too long."));
        }
        let given = quick_add::read(text, now, &zone);
        let id = self.new_id(&given)?;
        let base = self.base(now, caller, calendar, &id, None, "default")?;
        self.place(&InsertRequest { now, caller, calendar, asked, operation: "events.quickAdd" }, base, &given)
    }

    /// The id that a caller wants, or a new one.
    fn new_id(&mut self, given: &Map<String, Value>) -> Result<String, SandboxRefusal> {
        let id = match given.get("id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => self.invent("event"),
        };
        let fits = (5..=1024).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'));
        if fits { Ok(id) } else { Err(SandboxRefusal::invalid("Invalid resource id value.")) }
    }

    /// What every event has before a caller says anything.
    fn base(
        &self,
        now: DateTime<Utc>,
        caller: &TokenHolder,
        calendar: &str,
        id: &str,
        uid: Option<&str>,
        kind: &str,
    ) -> Result<Map<String, Value>, SandboxRefusal> {
        let held = self.calendar(&caller.email, calendar)?;
        let uid = uid.map_or_else(|| format!("{id}@google.com"), str::to_owned);
        let mut organizer = json!({ "email": held.id, "self": true });
        if let (false, Some(fields)) = (held.primary, organizer.as_object_mut()) {
            fields.insert("displayName".to_owned(), json!(held.summary));
        }
        let base = json!({
            "kind": "calendar#event", "id": id, "status": "confirmed", "created": stamp(now),
            "htmlLink": format!("https://www.google.com/calendar/event?eid={id}"), "iCalUID": uid, "sequence": 0,
            "creator": { "email": caller.email, "self": true }, "organizer": organizer,
            "reminders": { "useDefault": true }, "eventType": kind,
        });
        Ok(base.as_object().cloned().unwrap_or_default())
    }

    fn place(&mut self, write: &InsertRequest, base: Map<String, Value>, given: &Map<String, Value>) -> SandboxAnswer {
        let InsertRequest { now, caller, calendar, asked, operation } = *write;
        let audience = if operation == "events.import" { Audience::Nobody } else { Audience::read(asked)? };
        let reach = Reach::read(asked)?;
        checks::given(given)?;
        let held = self.calendar(&caller.email, calendar)?;
        let (place, zone, view) = (held.id.clone(), held.time_zone.clone(), View::read(asked, held)?);
        let mut item = base;
        events::merge(&mut item, given, &reach);
        self.confer(None, &mut item)?;
        events::settle(&mut item, &place, &zone)?;
        let kept = self.keep(now, &caller.email, calendar, item)?;
        self.remember_mail(operation, &place, audience, &[&kept]);
        shape::answer(asked, view.event(kept))
    }
}
