//! Events flow both ways, unchanged in meaning, and what we do not model survives.

use serde_json::{Value, json};

use crate::support::{
    dav::Dav,
    peers::{CalendarServer, Kind, PASSWORD, USER},
    service::Service,
};

/// A running service with one connected CalDAV account.
pub struct Connected {
    pub server: CalendarServer,
    pub dav: Dav,
    pub service: Service,
    pub account: String,
    pub calendar: String,
    pub path: String,
}

impl Connected {
    pub async fn to(kind: Kind) -> Self {
        Self::with(kind, Service::start(), &[]).await
    }

    pub async fn with(kind: Kind, service: Service, objects: &[(String, String)]) -> Self {
        let connected = Self::before_its_first_round(kind, service, objects).await;
        connected.service.round_after(&connected.account, 0).await;
        connected
    }

    pub async fn before_its_first_round(kind: Kind, service: Service, objects: &[(String, String)]) -> Self {
        let server = CalendarServer::start(kind);
        let url = server.url();
        Self::by_way_of(&url, server, service, objects).await
    }

    /// The same with a server that the account knows under this address.
    pub async fn by_way_of(url: &str, server: CalendarServer, service: Service, objects: &[(String, String)]) -> Self {
        let dav = Dav::new(&server.url());
        let path = server.calendar_path("work");
        dav.make_calendar(&path).await;
        for (name, text) in objects {
            dav.put(&format!("{path}{name}"), text).await;
        }
        service.make_user().await;
        let body = json!({
            "user_id": "ada", "provider": "caldav", "url": url, "username": USER, "password": PASSWORD
        });
        let made = service.ok("POST", "/v1/accounts", Some(body)).await;
        let account = made["id"].as_str().expect("an id").to_owned();
        let calendars = made["calendars"].as_array().expect("calendars");
        let work = calendars.iter().find(|held| held["name"] == "work" || calendars.len() == 1);
        let calendar = work.or(calendars.last()).expect("a calendar")["id"].as_str().expect("an id").to_owned();
        Self { server, dav, service, account, calendar, path }
    }

    /// A round after which nothing waits to be written.
    pub async fn sync(&self) -> Value {
        let account = self.service.sync(&self.account).await;
        let waiting = self.service.ok("GET", &format!("/v1/accounts/{}/outbox", self.account), None).await;
        assert_eq!(waiting["data"], json!([]), "{account}\n{}", self.service.logged());
        account
    }

    pub async fn make(&self, title: &str, more: Value) -> Value {
        self.service.ok("POST", "/v1/events", Some(self.draft(title, &more))).await
    }

    /// An event to make, with more fields.
    pub fn draft(&self, title: &str, more: &Value) -> Value {
        let mut body = json!({
            "user_id": "ada", "calendar_id": self.calendar, "title": title,
            "start": {"date_time": "2026-12-01T10:00:00", "time_zone": "Europe/Paris"},
            "end": {"date_time": "2026-12-01T11:00:00", "time_zone": "Europe/Paris"}
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        body
    }

    pub async fn find(&self, title: &str) -> Option<Value> {
        self.service.events(false).await.into_iter().find(|event| event["title"] == title)
    }

    /// The server's object with this title.
    pub async fn object(&self, title: &str) -> Option<(String, String)> {
        let wanted = format!("SUMMARY:{title}");
        self.dav.everything(&self.path).await.into_iter().find(|(_, text)| text.contains(&wanted))
    }
}

/// A calendar object with lines of its own.
pub fn object(uid: &str, lines: &[&str]) -> String {
    let mut text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261101T000000Z\r\n"
    );
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text + "END:VEVENT\r\nEND:VCALENDAR\r\n"
}

const TIMES: [&str; 2] = ["DTSTART:20261202T090000Z", "DTEND:20261202T100000Z"];

async fn edits_and_deletions_travel_both_ways(kind: Kind) {
    let first = object("one@test", &["SUMMARY:Theirs", TIMES[0], TIMES[1]]);
    let all_day = object("two@test", &["SUMMARY:Holiday", "DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"]);
    let objects = [("one.ics".to_owned(), first), ("two.ics".to_owned(), all_day)];
    let world = Connected::with(kind, Service::start(), &objects).await;

    let theirs = world.find("Theirs").await.expect("imported");
    assert_eq!(theirs["start"], json!({"date_time": "2026-12-02T09:00:00Z", "time_zone": "UTC"}));
    let holiday = world.find("Holiday").await.expect("imported");
    assert_eq!((&holiday["start"], &holiday["end"]), (&json!({"date": "2026-12-24"}), &json!({"date": "2026-12-27"})));

    let ours = world.make("Ours", json!({"location": "Room 2"})).await;
    let account = world.sync().await;
    assert_eq!(account["status"], "active", "{account}");
    let (_, text) = world.object("Ours").await.expect("it is at the server");
    assert!(text.contains("DTSTART;TZID=Europe/Paris:20261201T100000"), "{text}");
    assert!(text.contains("LOCATION:Room 2"), "{text}");

    let path = format!("/v1/events/{}", theirs["id"].as_str().expect("an id"));
    world.service.ok("PATCH", &path, Some(json!({"title": "Edited here"}))).await;
    world.sync().await;
    assert!(world.object("Edited here").await.is_some());
    assert!(world.object("Theirs").await.is_none());

    let (href, text) = world.object("Ours").await.expect("it is at the server");
    world.dav.put(&href, &text.replace("SUMMARY:Ours", "SUMMARY:Edited there")).await;
    world.sync().await;
    let edited = world.find("Edited there").await.expect("taken over");
    assert_eq!(edited["id"], ours["id"], "the same event, not another");

    world.dav.delete(&format!("{}two.ics", world.path)).await;
    world.service.ok("DELETE", &format!("/v1/events/{}", ours["id"].as_str().expect("an id")), None).await;
    world.sync().await;
    assert!(world.find("Holiday").await.is_none());
    assert_eq!(world.dav.list(&world.path).await.len(), 1);
    assert_eq!(world.service.events(false).await.len(), 1);
}

async fn what_we_do_not_model_survives_our_edit(kind: Kind) {
    let lines = [
        "SUMMARY:Kept",
        TIMES[0],
        TIMES[1],
        "X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE=\"Caf\u{e9}, Paris\":geo:48.85,2.35",
        "CATEGORIES:one,two",
        "ATTENDEE;CN=\"Doe, J\";SCHEDULE-AGENT=CLIENT:mailto:j@example.org",
        "ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:ada@example.org",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "DESCRIPTION:ring",
        "TRIGGER:-PT15M",
        "X-WR-ALARMUID:abc",
        "END:VALARM",
    ];
    let world = Connected::with(kind, Service::start(), &[("kept.ics".to_owned(), object("kept@test", &lines))]).await;
    let before = world.dav.get(&format!("{}kept.ics", world.path)).await.expect("there");
    let event = world.find("Kept").await.expect("imported");
    let path = format!("/v1/events/{}", event["id"].as_str().expect("an id"));
    world.service.ok("PATCH", &path, Some(json!({"title": "Changed", "description": "new"}))).await;
    world.sync().await;
    let after = world.dav.get(&format!("{}kept.ics", world.path)).await.expect("there");
    assert!(after.contains("SUMMARY:Changed"), "{after}");
    for line in unfolded(&before) {
        let ours = ["SUMMARY", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE"].iter().any(|name| line.starts_with(name));
        assert!(ours || unfolded(&after).contains(&line), "lost: {line}\n{after}");
    }
}

fn unfolded(text: &str) -> Vec<String> {
    text.replace("\r\n ", "").replace("\n ", "").lines().map(|line| line.trim_end().to_owned()).collect()
}

async fn an_exception_of_a_series_stays_an_exception(kind: Kind) {
    let world = Connected::to(kind).await;
    let made = world.make("Stand-up", json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=5"]})).await;
    world.sync().await;
    let id = made["id"].as_str().expect("an id");
    let one = "2026-12-03T10:00:00";
    let path = format!("/v1/events/{id}?scope=this&recurrence_id={one}");
    world.service.ok("PATCH", &path, Some(json!({"title": "Moved stand-up"}))).await;
    let path = format!("/v1/events/{id}?scope=this&recurrence_id=2026-12-04T10:00:00");
    world.service.ok("DELETE", &path, None).await;
    world.sync().await;
    let (href, text) = world.object("Stand-up").await.expect("at the server");
    let flat = unfolded(&text).join("\n");
    assert!(flat.contains("RECURRENCE-ID;TZID=Europe/Paris:20261203T100000"), "{flat}");
    assert!(flat.contains("EXDATE;TZID=Europe/Paris:20261204T100000"), "{flat}");
    assert_eq!(world.dav.list(&world.path).await.len(), 1, "one resource");

    world.dav.put(&href, &text.replace("SUMMARY:Moved stand-up", "SUMMARY:Moved again")).await;
    world.sync().await;
    let titles: Vec<_> = world.service.events(true).await.iter().map(|event| event["title"].clone()).collect();
    assert_eq!(titles, ["Stand-up", "Stand-up", "Moved again", "Stand-up"]);
}

async fn a_second_round_over_an_unchanged_world_writes_nothing(kind: Kind) {
    let world = Connected::to(kind).await;
    for n in 0..5 {
        world.make(&format!("Event {n}"), json!({})).await;
    }
    world.sync().await;
    let before = world.dav.everything(&world.path).await;
    for _ in 0..2 {
        let account = world.sync().await;
        let last = &account["last_round"];
        assert_eq!((&last["created"], &last["updated"], &last["deleted"]), (&json!(0), &json!(0), &json!(0)));
    }
    let rounds = world.service.ok("GET", &format!("/v1/accounts/{}/rounds?limit=1", world.account), None).await;
    let last = &rounds["data"][0];
    assert_eq!(last["writes"], 0, "{last}");
    assert!(last["requests"].as_u64().is_some_and(|requests| (1..=3).contains(&requests)), "{last}");
    assert_eq!(world.dav.everything(&world.path).await, before);
}

macro_rules! on_both_servers {
    ($($name:ident)*) => {
        mod radicale {$(
            #[tokio::test]
            async fn $name() {
                super::$name(super::Kind::Radicale).await;
            }
        )*}
        mod xandikos {$(
            #[tokio::test]
            async fn $name() {
                super::$name(super::Kind::Xandikos).await;
            }
        )*}
    };
}

on_both_servers! {
    edits_and_deletions_travel_both_ways
    what_we_do_not_model_survives_our_edit
    an_exception_of_a_series_stays_an_exception
    a_second_round_over_an_unchanged_world_writes_nothing
}
