//! People, calendars and events that `/control` makes.

use chrono::{DateTime, Duration, Timelike, Utc};
use serde_json::{Map, Value, json};

use super::{
    GoogleLookAlike, Person, SandboxAnswer,
    calendars::{SandboxCalendar, stamp},
    errors::SandboxRefusal,
    oauth::CONTROL,
};
use crate::sandbox::reply::Reply;

/// Scopes of tokens that are handed out without a consent.
const ALL: [&str; 2] = ["https://www.googleapis.com/auth/calendar", "openid"];
/// Most people of one world.
const PEOPLE_MAX: usize = 100_000;

impl GoogleLookAlike {
    pub(super) fn make_person(&mut self, now: DateTime<Utc>, email: &str, zone: Option<&str>) -> SandboxAnswer {
        if !email.contains('@') {
            return Err(SandboxRefusal::invalid("email: an address"));
        }
        let zone = zone.unwrap_or("Europe/Paris");
        if zone.parse::<chrono_tz::Tz>().is_err() {
            return Err(SandboxRefusal::invalid("time_zone: an IANA name"));
        }
        if self.people.len() >= PEOPLE_MAX && !self.people.contains_key(email) {
            return Err(SandboxRefusal::invalid(format!("email: a sandbox has {PEOPLE_MAX} people at most")));
        }
        self.add_person(email, zone);
        let scopes: Vec<String> = ALL.iter().map(|scope| (*scope).to_owned()).collect();
        let refresh = format!("1//{}", self.invent("refresh"));
        self.add_grant(&refresh, email, CONTROL, &scopes);
        let access = self.make_token(now, email, &scopes, Some(&refresh), CONTROL);
        let held = self.people.get(email).into_iter().flat_map(|person| person.calendars.values());
        let calendars: Vec<_> = held.filter(|held| !held.deleted).map(|held| &held.id).collect();
        Ok(Reply::json(
            200,
            &json!({ "email": email, "access_token": access, "refresh_token": refresh, "client_id": "control",
            "calendars": calendars }),
        ))
    }

    /// A person with a primary calendar and one more; known people stay as they are.
    pub fn add_person(&mut self, email: &str, zone: &str) {
        let calendar = |id: &str, summary: &str| SandboxCalendar::new(id, summary, zone, "owner", email, 0);
        let family = format!("family-{}@group.calendar.google.com", email.replace('@', "-at-"));
        self.people.entry(email.to_owned()).or_insert_with(|| Person {
            calendars: [(email.to_owned(), calendar(email, email)), (family.clone(), calendar(&family, "Family"))]
                .into(),
            list_changes: 0,
            list_epoch: 1,
        });
    }

    pub(super) fn make_calendar(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        summary: &str,
        role: Option<&str>,
    ) -> SandboxAnswer {
        let id = format!("{}@group.calendar.google.com", self.invent("calendar"));
        let zone = self.calendar(email, "primary")?.time_zone.clone();
        let held = SandboxCalendar::new(&id, summary, &zone, role.unwrap_or("owner"), email, 0);
        self.add_calendar(now, email, held)?;
        Ok(Reply::json(200, &json!({ "id": id })))
    }

    /// A busy fortnight and beyond: meetings through the weeks, one series in every ten.
    pub(super) fn seed_events(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        calendar: &str,
        events: u64,
    ) -> SandboxAnswer {
        const TITLES: [&str; 8] = [
            "Stand-up",
            "School run",
            "Dentist",
            "Piano lesson",
            "Review",
            "Lunch with Sam",
            "Swimming",
            "Parents' evening",
        ];
        let zone = self.calendar(email, calendar)?.time_zone.clone();
        let morning = now
            .with_hour(7)
            .and_then(|at| at.with_minute(0))
            .and_then(|at| at.with_second(0))
            .and_then(|at| at.with_nanosecond(0))
            .unwrap_or(now);
        for n in 0..events {
            let start = morning
                + Duration::days(i64::try_from(n / 6).unwrap_or(0) % 300)
                + Duration::minutes(i64::try_from(n % 6).unwrap_or(0) * 100);
            let id = self.invent("event");
            let title = TITLES.get(usize::try_from(n).unwrap_or(0) % TITLES.len()).copied().unwrap_or_default();
            let time = |at: DateTime<Utc>| {
                let tz: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
                json!({ "dateTime": at.with_timezone(&tz).to_rfc3339_opts(chrono::SecondsFormat::Secs, true), "timeZone": zone })
            };
            let mut item = complete(now, email, &id);
            item.insert("summary".to_owned(), json!(format!("{title} {n}")));
            item.insert("start".to_owned(), time(start));
            item.insert("end".to_owned(), time(start + Duration::minutes(45)));
            if n % 10 == 9 {
                item.insert("recurrence".to_owned(), json!(["RRULE:FREQ=WEEKLY;COUNT=12"]));
            }
            self.keep(now, email, calendar, item)?;
        }
        Ok(Reply::json(200, &json!({ "events": events })))
    }

    /// Puts an item there as it is, for kinds of events that nobody can make by request. What it lacks is filled in.
    pub(super) fn put_raw(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        calendar: Option<&str>,
        body: &Value,
    ) -> SandboxAnswer {
        let item =
            body.get("event").and_then(Value::as_object).ok_or_else(|| SandboxRefusal::required("Missing event."))?;
        let id = match item.get("id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => self.invent("event"),
        };
        let mut whole = complete(now, email, &id);
        whole.extend(item.clone());
        let kept = self.keep(now, email, calendar.unwrap_or("primary"), whole)?;
        Ok(Reply::json(200, &Value::Object(kept)))
    }
}

impl GoogleLookAlike {
    /// A person takes an event out of the bin. The exceptions that went with a series are back with it, and no list of changes
    /// names them: they are as old as they were.
    pub(super) fn restore(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        calendar: Option<&str>,
        id: &str,
    ) -> SandboxAnswer {
        let calendar = calendar.unwrap_or("primary");
        let held = self.calendar_mut(email, calendar)?;
        let deleted = held.events.get(id).and_then(|one| one.bin.clone());
        let item = deleted.ok_or_else(|| SandboxRefusal::new(404, "global", "notFound"))?;
        for one in held.events.values_mut().filter(|one| one.text("recurringEventId") == id && one.with_series) {
            if let Some(before) = one.bin.take() {
                (one.item, one.change, one.with_series) = (before, 0, false);
            }
        }
        let kept = self.keep(now, email, calendar, item)?;
        Ok(Reply::json(200, &Value::Object(kept)))
    }
}

/// What every event has that a person made.
fn complete(now: DateTime<Utc>, email: &str, id: &str) -> Map<String, Value> {
    let item = json!({
        "kind": "calendar#event", "id": id, "status": "confirmed",
        "created": stamp(now),
        "htmlLink": format!("https://www.google.com/calendar/event?eid={id}"), "iCalUID": format!("{id}@google.com"),
        "sequence": 0, "creator": { "email": email, "self": true }, "organizer": { "email": email, "self": true },
        "reminders": { "useDefault": true }, "eventType": "default",
    });
    item.as_object().cloned().unwrap_or_default()
}
