//! One person with one calendar at one server, and a service that keeps it in step.

use std::ops::Deref;

use calwarden::{
    domain::{mapping::Mapping, person::Scope},
    store::Mode,
};
use chrono::{NaiveDateTime, TimeDelta, TimeZone, Utc};
use serde_json::{Value, json};

use crate::support::{
    dav::Dav,
    middleman::Middleman,
    peers::PASSWORD,
    service::Service,
    strangers::{Kind, Stranger, read_objects},
};

/// Rounds until both sides must say the same.
const ROUNDS: usize = 4;

/// A day, and the hour that no clock of a day needs.
const A_DAY: TimeDelta = TimeDelta::hours(25);
/// Rows that are read at once.
const PAGE: u32 = 100;

/// The server of a world: shared with others, or its own.
pub enum Held {
    Shared(&'static Stranger),
    Own(Stranger),
}

impl Deref for Held {
    type Target = Stranger;

    fn deref(&self) -> &Stranger {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }
}

pub struct World {
    pub server: Held,
    pub person: String,
    /// The calendar's path.
    pub path: String,
    pub dav: Dav,
    pub wire: Middleman,
    pub service: Service,
    pub account: String,
    pub calendar: String,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the last exchanges with {:?}:\n{}", self.server.kind, self.wire.recent());
        }
    }
}

impl World {
    /// With objects in the calendar before it is connected.
    pub async fn with(kind: Kind, objects: &[(String, String)]) -> Self {
        let server = if kind.habits().one_person {
            Held::Own(Stranger::start(kind))
        } else {
            Held::Shared(Stranger::shared(kind))
        };
        Self::at(server, objects).await
    }

    /// At a server of its own, which may be stopped.
    pub async fn alone(kind: Kind, objects: &[(String, String)]) -> Self {
        Self::at(Held::Own(Stranger::start(kind)), objects).await
    }

    async fn at(server: Held, objects: &[(String, String)]) -> Self {
        let mut world = Self::unconnected(server).await;
        for (name, text) in objects {
            world.dav.put(&format!("{}{name}", world.path), text).await;
        }
        let made = world.connect(&format!("{}/", world.wire.url())).await;
        world.account = made["id"].as_str().expect("an id").to_owned();
        world.calendar = calendar_named(&made, "work");
        world.service.round_after(&world.account, 0).await;
        world
    }

    /// Everything but the account.
    pub async fn unconnected(server: Held) -> Self {
        let habits = server.kind.habits();
        let person = server.person();
        let path = format!("{}work/", habits.home.replace("{}", &person));
        let dav = Dav::as_user(&format!("http://127.0.0.1:{}", server.port), &person);
        // Some make a person's home when it is first asked for.
        dav.list(&habits.home.replace("{}", &person)).await;
        dav.make_calendar(&path).await;
        let wire = Middleman::before(server.port);
        let service = Service::on(None, &[("CALWARDEN_LIMITS_SYNC_REQUESTS_PER_HOUR", "3600")]);
        service.make_user().await;
        Self { server, person, path, dav, wire, service, account: String::new(), calendar: String::new() }
    }

    /// The body that connects the account by this address.
    pub fn account_at(&self, url: &str, password: &str) -> Value {
        // SOGo has no page at its root that would lead on.
        let url = match self.server.kind {
            Kind::Sogo if url == format!("{}/", self.wire.url()) => format!("{url}SOGo/dav/"),
            _ => url.to_owned(),
        };
        json!({
            "user_id": "ada", "provider": "caldav", "url": url, "username": self.person, "password": password
        })
    }

    /// Connects it.
    pub async fn connect(&self, url: &str) -> Value {
        self.service.ok("POST", "/v1/accounts", Some(self.account_at(url, PASSWORD))).await
    }

    pub async fn sync(&self) -> Value {
        self.service.sync(&self.account).await
    }

    /// Makes an event here.
    pub async fn make(&self, title: &str, more: Value) -> Value {
        let mut body = json!({
            "user_id": "ada", "calendar_id": self.calendar, "title": title,
            "start": {"date_time": "2026-12-01T10:00:00", "time_zone": "Europe/Paris"},
            "end": {"date_time": "2026-12-01T11:00:00", "time_zone": "Europe/Paris"}
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        self.service.ok("POST", "/v1/events", Some(body)).await
    }

    /// The event here with this title.
    pub async fn find(&self, title: &str) -> Option<Value> {
        self.here().await.into_iter().find(|event| event["title"] == title)
    }

    /// Changes the event here with this title; `query` says how much of a series.
    pub async fn edit(&self, title: &str, query: &str, change: Value) {
        let event = self.find(title).await.unwrap_or_else(|| panic!("{title} is not here"));
        let path = format!("/v1/events/{}{query}", event["id"].as_str().expect("an id"));
        self.service.ok("PATCH", &path, Some(change)).await;
    }

    /// Deletes it.
    pub async fn delete(&self, title: &str, query: &str) {
        let event = self.find(title).await.unwrap_or_else(|| panic!("{title} is not here"));
        let path = format!("/v1/events/{}{query}", event["id"].as_str().expect("an id"));
        self.service.ok("DELETE", &path, None).await;
    }

    /// The events of this calendar here, series whole.
    pub async fn here(&self) -> Vec<Value> {
        self.of_calendar(false).await
    }

    async fn of_calendar(&self, expand: bool) -> Vec<Value> {
        let mut found = self.service.events(expand).await;
        found.retain(|event| event["calendar_id"] == self.calendar.as_str());
        found
    }

    /// The titles here, in order.
    pub async fn titles(&self) -> Vec<String> {
        let mut found: Vec<_> =
            self.here().await.iter().filter_map(|event| Some(event["title"].as_str()?.to_owned())).collect();
        found.sort();
        found
    }

    /// The server's object with this title: its path and its text.
    pub async fn object(&self, title: &str) -> (String, String) {
        let title = title.replace(',', "\\,").replace(';', "\\;");
        let wanted = format!("SUMMARY:{title}\n");
        let has = |text: &str| unfolded(text).contains(&wanted);
        let all = self.dav.everything(&self.path).await;
        let found = all.iter().find(|(_, text)| has(text)).cloned();
        found.unwrap_or_else(|| panic!("{title} is not at the server: {all:#?}"))
    }

    /// Changes the text of the server's object with this title, as another program does.
    pub async fn edit_there(&self, title: &str, from: &str, to: &str) {
        let (href, text) = self.object(title).await;
        assert!(text.contains(from), "{from} is not in {text}");
        self.dav.put(&href, &text.replace(from, to)).await;
    }

    /// Deletes the server's object with this title.
    pub async fn delete_there(&self, title: &str) {
        let (href, _) = self.object(title).await;
        self.dav.delete(&href).await;
    }

    /// What both sides show: ours by our API, theirs as an independent program reads the objects' bytes.
    pub async fn both(&self) -> (Vec<[String; 3]>, Vec<[String; 3]>) {
        let row = |event: &Value| {
            Some([event["title"].as_str()?.to_owned(), moment(&event["start"])?, moment(&event["end"])?])
        };
        let mut here: Vec<_> = self.of_calendar(true).await.iter().filter_map(row).collect();
        here.sort();
        let texts: Vec<_> = self.dav.everything(&self.path).await.into_iter().map(|(_, text)| text).collect();
        let (there, wrong) = read_objects(&texts);
        assert!(wrong.is_empty(), "{wrong:#?}\n{texts:#?}");
        (here, there)
    }

    /// Rounds until both sides say the same; panics when they never do.
    pub async fn rest(&self) -> Vec<[String; 3]> {
        let (mut last, mut seen) = ((Vec::new(), Vec::new()), String::new());
        for _ in 0..ROUNDS {
            let account = self.sync().await;
            let waiting = self.service.ok("GET", &format!("/v1/accounts/{}/outbox", self.account), None).await;
            last = self.both().await;
            if last.0 == last.1 && waiting["data"] == json!([]) && account["status"] == "active" {
                return last.0;
            }
            // What a server refused for the moment (Xandikos is locked while another program writes) waits for a minute and more,
            // or for somebody who does not.
            for entry in waiting["data"].as_array().into_iter().flatten() {
                let path =
                    format!("/v1/accounts/{}/outbox/{}/retry", self.account, entry["id"].as_str().expect("an id"));
                self.service.send("POST", &path, None).await;
            }
            seen = format!("{account:#}\nwaiting: {waiting:#}");
        }
        let only = |these: &[[String; 3]], those: &[[String; 3]]| {
            these.iter().filter(|row| !those.contains(row)).cloned().collect::<Vec<_>>()
        };
        panic!(
            "after {ROUNDS} rounds both sides do not say the same; only here: {:#?}\nonly there: {:#?}\n{} and {} rows\n{seen}\n{}",
            only(&last.0, &last.1),
            only(&last.1, &last.0),
            last.0.len(),
            last.1.len(),
            self.service.logged()
        );
    }

    /// A day goes by: the complete comparison of the account's calendars is due again, and made; what was young is not any more.
    pub async fn a_day_passes(&mut self) -> Value {
        self.service.kill();
        let store = self.service.store().await;
        let mut tx = store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
        let account = self.account.parse().expect("an id");
        for mut calendar in tx.calendars_of(account).await.expect("read") {
            calendar.reconciled_at = calendar.reconciled_at.map(|at| at - A_DAY);
            let id = calendar.id;
            tx.put_calendars(&[calendar]).await.expect("stored");
            let mut after = None;
            loop {
                let page = tx.mappings_of_calendar(id, after, PAGE).await.expect("read");
                let Some((last, _)) = page.last() else { break };
                after = Some(last.id);
                let older = |(mut mapping, _): (Mapping, _)| {
                    mapping.updated_at -= A_DAY;
                    mapping
                };
                let older: Vec<_> = page.into_iter().map(older).collect();
                tx.put_mappings(&older).await.expect("stored");
            }
        }
        tx.commit().await.expect("durable");
        drop(store);
        self.service.run();
        self.sync().await
    }

    /// The deletions that wait for a word.
    pub async fn holds(&self) -> Vec<Value> {
        let holds = self.service.ok("GET", &format!("/v1/accounts/{}/holds", self.account), None).await;
        let mut holds = holds["data"].as_array().cloned().expect("rows");
        holds.retain(|hold| hold["state"] == "held");
        holds
    }

    /// Says the word.
    pub async fn answer(&self, hold: &Value, word: &str) {
        self.service.ok("POST", &format!("/v1/holds/{}/{word}", hold["id"].as_str().expect("an id")), None).await;
    }
}

/// The id of the account's calendar with this name.
pub fn calendar_named(account: &Value, name: &str) -> String {
    let calendars = account["calendars"].as_array().expect("calendars");
    // Radicale calls a calendar without a name by its path.
    let found = calendars.iter().find(|held| held["name"].as_str().is_some_and(|held| held.ends_with(name)));
    found.unwrap_or_else(|| panic!("{name} is not among {calendars:#?}"))["id"].as_str().expect("an id").to_owned()
}

/// A time of our API as the independent reader shows it.
fn moment(time: &Value) -> Option<String> {
    if let Some(date) = time["date"].as_str() {
        return Some(date.to_owned());
    }
    let text = time["date_time"].as_str()?;
    if text.ends_with('Z') {
        return Some(text.to_owned());
    }
    let Some(zone) = time["time_zone"].as_str() else {
        return Some(text.to_owned());
    };
    let zone: chrono_tz::Tz = zone.parse().ok()?;
    let wall = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok()?;
    let at = zone.from_local_datetime(&wall).earliest()?.with_timezone(&Utc);
    Some(at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The lines of a calendar object, each whole and ended by `\n`.
pub fn unfolded(text: &str) -> String {
    text.replace("\r\n", "\n").replace("\n ", "")
}

/// A calendar object with one event of these lines.
pub fn object(uid: &str, lines: &[&str]) -> String {
    super::super::two_way::object(uid, lines)
}

/// So many events, one an hour, named by their number.
pub fn numbered(count: usize, from: usize) -> Vec<(String, String)> {
    let one = |n: usize| {
        let (day, hour) = (1 + n % 28, n / 28 % 24);
        let lines = [
            &format!("SUMMARY:Number {n}"),
            &format!("DTSTART:202612{day:02}T{hour:02}0000Z"),
            &format!("DTEND:202612{day:02}T{hour:02}3000Z"),
        ];
        (format!("n{n}.ics"), object(&format!("n{n}@strangers"), &lines.map(String::as_str)))
    };
    (from..from + count).map(one).collect()
}
