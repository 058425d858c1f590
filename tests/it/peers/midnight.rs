//! `kill -9` in the middle of the change of day, again and again: a date begins once for each user, what is unfinished is carried
//! once and with all its minutes, and no block and no event is lost or there twice.
//!
//! Nobody waits for midnight here: a crowd lives where it is earliest in the world, with a day that was turned to today, and moves
//! to where it is tomorrow already.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use calwarden::{
    domain::{
        focus::FocusState,
        ids::{RolloverId, UserId},
        person::Scope,
        rollover::Rollover,
        time::Window,
    },
    store::{Mode, Tx},
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use super::crashes::{kill, kills, say};
use crate::support::{
    dav::Dav,
    peers::{CalendarServer, Kind, PASSWORD, other},
    postgres::fresh_database,
    service::Service,
};

/// Kills for each database, three to a crowd. `KILLS` in the environment makes them more.
const KILLS: u64 = 21;
/// People whose day turns together.
const CROWD: usize = 8;
/// The one among them who has a calendar at a server.
const SHOWN: usize = 3;
/// Where every date begins last.
const BEHIND: Tz = Tz::Etc__GMTPlus12;
/// More than a day ahead of that.
const AHEAD: [Tz; 4] = [Tz::Pacific__Kiritimati, Tz::Pacific__Tongatapu, Tz::Pacific__Fakaofo, Tz::Etc__GMTMinus13];
/// What each of them has worked on the hedge, and not finished.
const WORKED_MIN: i64 = 25;

/// What each of them has to do: minutes, and whether it was planned for a time that is over by now.
const WORK: [(&str, u32, bool); 4] =
    [("Weeds", 60, true), ("Roses", 45, true), ("Hedge", 90, true), ("Someday", 30, false)];

struct Person {
    id: String,
    /// The tasks that they have made, in the order of [`WORK`], and the block of each that has one.
    tasks: Vec<(String, Option<String>)>,
    /// Their account and the path of its calendar.
    shown: Option<(String, String)>,
}

struct Garden {
    service: Service,
    server: CalendarServer,
    people: Vec<Person>,
}

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

fn rows(page: &Value) -> &[Value] {
    page["data"].as_array().expect("rows")
}

/// Whether a change of day has found something to carry.
fn turned(rollovers: &Value) -> bool {
    rows(rollovers).iter().any(|one| one["tasks"] != json!([]))
}

impl Garden {
    async fn lives(&self, person: &str, zone: Tz) -> DateTime<Utc> {
        let body = json!({"name": person, "time_zone": zone.name()});
        let made = self.service.ok("PUT", &format!("/v1/users/{person}"), Some(body)).await;
        made["created_at"].as_str().and_then(|text| text.parse().ok()).expect("an instant")
    }

    /// An account at the server, and the context that is shown in its calendar.
    async fn connect(&self, person: &str, turn: u64) -> (String, String, String) {
        let name = other(turn);
        let path = format!("/{name}/planned/");
        Dav::as_user(&self.server.url(), &name).make_calendar(&path).await;
        let body = json!({
            "user_id": person, "provider": "caldav", "url": self.server.url(), "username": name, "password": PASSWORD
        });
        let account = self.service.ok("POST", "/v1/accounts", Some(body)).await;
        self.service.round_after(&id(&account), 0).await;
        let calendar = &account["calendars"][0]["id"];
        let body = json!({"user_id": person, "name": "Work", "visibility": "shared", "calendar_id": calendar});
        (id(&account), path, id(&self.service.ok("POST", "/v1/contexts", Some(body)).await))
    }

    /// Somebody with work that was planned for yesterday, work that was never planned, and work that they have begun.
    async fn arrives(&self, turn: u64, n: usize) -> Person {
        let person = format!("{turn:04}-{n:02}");
        let now = self.lives(&person, BEHIND).await;
        let hours = |hours: i64| now + chrono::Duration::hours(hours);
        let connected = if n == SHOWN { Some(self.connect(&person, turn).await) } else { None };
        let context = connected.as_ref().map(|(_, _, context)| context.clone());
        let mut tasks: Vec<(String, Option<String>)> = Vec::new();
        for (title, minutes, planned) in WORK {
            // The roses wait for the weeds.
            let after: Vec<_> =
                tasks.first().filter(|_| title == "Roses").iter().map(|(weeds, _)| weeds.clone()).collect();
            let body = json!({
                "user_id": person, "title": title, "estimate_min": minutes, "context_id": context, "splittable": false,
                "after": after,
            });
            let task = id(&self.service.ok("POST", "/v1/tasks", Some(body)).await);
            let (from, to) = if title == "Hedge" { (hours(-1), hours(1)) } else { (hours(-30), hours(-29)) };
            let mut block = None;
            if planned {
                let span = json!({"start": from, "end": to});
                let made = self.service.ok("POST", &format!("/v1/tasks/{task}/blocks"), Some(span)).await;
                block = Some(id(&made));
            }
            tasks.push((task, block));
        }
        let act = async |act: Value| self.service.ok("POST", "/v1/focus", Some(act)).await;
        act(json!({"user_id": person, "act": "start", "task_id": tasks[2].0})).await;
        act(json!({"user_id": person, "act": "pause"})).await;
        Person { id: person, tasks, shown: connected.map(|(account, path, _)| (account, path)) }
    }

    /// While the process is dead: today has begun for them, and they have worked for a while.
    async fn have_lived(&self, crowd: &[Person]) {
        let mut tx = self.writing().await;
        for (n, person) in crowd.iter().enumerate() {
            let user: UserId = person.id.parse().expect("an id");
            let mut session = tx.open_focus(&user).await.expect("read").expect("a focus session");
            assert_eq!(session.state, FocusState::Paused);
            let now = session.since;
            session.worked = vec![Window { from: now - chrono::Duration::minutes(WORKED_MIN), to: now }];
            tx.put_focus(&session).await.expect("stored");
            let home = tx.user(&user).await.expect("read").expect("a user").home_space;
            let today = Rollover {
                // Older than whatever follows.
                id: RolloverId(Uuid::from_u128((self.people.len() + n + 1).try_into().expect("a number"))),
                space_id: home,
                user_id: user,
                date: now.with_timezone(&BEHIND).date_naive(),
                skipped: None,
                tasks: Vec::new(),
                waiting: Vec::new(),
                ran_at: now,
                undone_at: None,
            };
            assert!(tx.insert_rollover(&today).await.expect("stored"));
        }
        tx.commit().await.expect("durable");
    }

    async fn writing(&self) -> Tx {
        self.service.store().await.begin(Mode::Write, &Scope::Whole).await.expect("a transaction")
    }

    /// While the process is dead: for how many of them the new day has begun.
    async fn begun_for(&self, crowd: &[Person]) -> usize {
        let mut tx = self.writing().await;
        let mut begun = 0;
        for person in crowd {
            let user = person.id.parse().expect("an id");
            let latest = tx.rollovers_of(&Scope::Whole, &user, None, 1).await.expect("read");
            begun += usize::from(latest.iter().any(|latest| !latest.tasks.is_empty()));
        }
        begun
    }

    /// A crowd comes, moves to where it is tomorrow, and the process dies three times meanwhile. Answers whether it died with
    /// the day turned for some of them.
    async fn turn(&mut self, turn: u64) -> bool {
        let mut crowd = Vec::new();
        for n in 0..CROWD {
            crowd.push(self.arrives(turn, n).await);
        }
        kill(&mut self.service, turn);
        self.have_lived(&crowd).await;
        self.service.run();

        let zone = AHEAD[usize::try_from(turn).expect("few") % AHEAD.len()];
        // They move one after the other, and it dies as soon as the day of one of the first has begun.
        let one_of_the_first = usize::try_from(turn).expect("few") % 3;
        let path = format!("/v1/rollovers?user_id={}", crowd[one_of_the_first].id);
        tokio::select! {
            () = self.move_to(&crowd, zone) => {}
            () = async { while !turned(&self.service.ok("GET", &path, None).await) {} } => {}
        }
        self.service.kill();
        let begun = self.begun_for(&crowd).await;
        self.service.run();

        // Who had not been heard says so again; who had is turned by the start.
        self.move_to(&crowd, zone).await;
        tokio::time::sleep(Duration::from_millis(turn * 7 % 30)).await;
        kill(&mut self.service, turn + 1);
        self.service.run();
        for person in &crowd {
            self.service.until(&format!("/v1/rollovers?user_id={}", person.id), turned).await;
        }
        self.people.extend(crowd);
        (1..CROWD).contains(&begun)
    }

    async fn move_to(&self, crowd: &[Person], zone: Tz) {
        for person in crowd {
            self.lives(&person.id, zone).await;
        }
    }

    /// How many of somebody's tasks are missing, and how many are there once too often.
    async fn counted(&self, person: &Person) -> (usize, usize) {
        let tasks = self.service.ok("GET", &format!("/v1/tasks?user_id={}", person.id), None).await;
        let found = |title: &str| rows(&tasks).iter().filter(|held| held["title"] == title).count();
        let each = WORK.map(|(title, _, planned)| (found(title), 1 + usize::from(planned)));
        let sum = |of: fn(&(usize, usize)) -> usize| each.iter().map(of).sum();
        (sum(|(found, wanted)| wanted.saturating_sub(*found)), sum(|(found, wanted)| found.saturating_sub(*wanted)))
    }

    /// Each unfinished task was carried once, with what was worked on it; what was not planned has stayed.
    async fn everything_went_on_once(&self, person: &Person) {
        let who = &person.id;
        let rollovers = self.service.ok("GET", &format!("/v1/rollovers?user_id={who}"), None).await;
        let dates: BTreeSet<_> = rows(&rollovers).iter().filter_map(|one| one["date"].as_str()).collect();
        assert_eq!(dates.len(), rows(&rollovers).len(), "a date has begun twice: {rollovers}");
        let carried: Vec<_> = rows(&rollovers).iter().filter(|one| one["tasks"] != json!([])).collect();
        assert_eq!(carried.len(), 1, "carried once: {rollovers}");
        assert_eq!(carried[0]["tasks"].as_array().map(Vec::len), Some(3), "{rollovers}");

        let tasks = self.service.ok("GET", &format!("/v1/tasks?user_id={who}"), None).await;
        assert_eq!(rows(&tasks).len(), 7, "{tasks}");
        let mut new = BTreeMap::new();
        for ((task, block), (title, minutes, planned)) in person.tasks.iter().zip(WORK) {
            let of_title = rows(&tasks).iter().filter(|held| held["title"] == title);
            let (old, heirs): (Vec<_>, Vec<_>) = of_title.partition(|held| held["id"] == json!(task));
            assert_eq!((old.len(), heirs.len()), (1, usize::from(planned)), "{who}: {title} in {tasks}");
            assert_eq!(old[0]["status"], if planned { "carried" } else { "open" }, "{tasks}");
            let blocks = self.service.ok("GET", &format!("/v1/tasks/{task}/blocks"), None).await;
            let (ids, over): (Vec<_>, Vec<_>) = rows(&blocks)
                .iter()
                .map(|one| (id(one), matches!(one["state"].as_str(), Some("missed" | "done"))))
                .unzip();
            assert_eq!(
                (ids, over),
                (block.iter().cloned().collect(), vec![true; block.iter().len()]),
                "{title}: {blocks}"
            );
            for heir in heirs {
                let worked = if title == "Hedge" { WORKED_MIN } else { 0 };
                let facts = json!([
                    heir["status"],
                    heir["carried_from"],
                    heir["carry_count"],
                    heir["estimate_min"],
                    heir["actual_min"]
                ]);
                assert_eq!(facts, json!(["open", task, 1, minutes, worked]), "{title}: {heir}");
                new.insert(title, heir);
            }
        }
        assert_eq!(new["Roses"]["after"], json!([new["Weeds"]["id"]]), "the roses still wait for the weeds");
    }

    /// What is planned anew is shown beside what is history, each once, here and there.
    async fn everything_is_shown_once(&self, person: &Person, account: &str, path: &str) {
        let who = &person.id;
        let weekly: serde_json::Map<_, _> = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            .map(|day| (day.to_owned(), json!([["08:00", "20:00"]])))
            .into_iter()
            .collect();
        let rules = json!({"hours": {"work": {"weekly": weekly}}});
        self.service.ok("PUT", &format!("/v1/users/{who}/planning"), Some(rules)).await;
        let planned = self.service.ok("POST", "/v1/schedule", Some(json!({"user_id": who}))).await;
        let accept = format!("/v1/proposals/{}/accept", id(&planned["proposal"]));
        self.service.ok("POST", &accept, Some(json!({}))).await;
        self.service.sync(account).await;
        let outbox = self.service.ok("GET", &format!("/v1/accounts/{account}/outbox"), None).await;
        assert_eq!(outbox["data"], json!([]));

        let (mut there, mut places) = (Vec::new(), BTreeSet::new());
        let dav = Dav::as_user(&self.server.url(), path.split('/').nth(1).expect("a name"));
        for (_, text) in dav.everything(path).await {
            let (_, event) = text.split_once("BEGIN:VEVENT").expect("an event");
            let value = |name: &str| {
                event.lines().find_map(|line| line.trim_end().strip_prefix(name)).expect("a value").to_owned()
            };
            there.push(value("SUMMARY:"));
            places.insert((value("SUMMARY:"), value("DTSTART")));
        }
        there.sort();
        assert_eq!(there, ["Hedge", "Hedge", "Roses", "Roses", "Someday", "Weeds", "Weeds"], "{who}");
        assert_eq!(places.len(), there.len(), "{places:?}");
        let here = self.service.events_of(who, false).await;
        let mut here: Vec<_> = here.iter().filter_map(|event| event["title"].as_str()).collect();
        here.sort_unstable();
        assert_eq!(here, there);
    }
}

async fn killed_in_the_change_of_day(database_url: Option<String>) {
    let server = CalendarServer::start(Kind::Radicale);
    let mut garden = Garden { service: Service::on(database_url, &[]), server, people: Vec::new() };
    let turns = kills(KILLS).div_ceil(3);
    let mut in_the_middle = 0;
    for turn in 0..turns {
        in_the_middle += u64::from(garden.turn(turn).await);
    }
    let (mut lost, mut doubled) = (0, 0);
    for person in &garden.people {
        let (too_few, too_many) = garden.counted(person).await;
        (lost, doubled) = (lost + too_few, doubled + too_many);
    }
    say(turns * 3, lost, doubled);
    for person in &garden.people {
        garden.everything_went_on_once(person).await;
        if let Some((account, path)) = &person.shown {
            garden.everything_is_shown_once(person, account, path).await;
        }
    }
    println!("with the day turned for some and not for others: {in_the_middle} of {turns} crowds");
    assert!(in_the_middle > 0, "no kill has met a change of day");
}

#[tokio::test]
async fn kills_during_the_change_of_day_lose_and_double_nothing_on_sqlite() {
    killed_in_the_change_of_day(None).await;
}

#[tokio::test]
async fn kills_during_the_change_of_day_lose_and_double_nothing_on_postgres() {
    killed_in_the_change_of_day(Some(fresh_database().await)).await;
}
