//! `kill -9` in great number, at moments by chance, while people act on both sides: what was acknowledged is there, on both sides,
//! once. The sandbox bears more of it than a real server; `crashes` kills beside those.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    crashes::{kills_in_all, say},
    google::{World, id},
};
use crate::support::{numbers::Numbers, postgres::fresh_database};

/// Kills on SQLite and on PostgreSQL; asked for more, PostgreSQL gets a fifth.
const KILLS: u64 = 24;
const POSTGRES_PART: u64 = 5;
/// Kills in one world, before its calendar grows too long; and worlds side by side.
const LIFE: u64 = 100;
const LANES: u64 = 4;
/// What each answer of the sandbox takes, and the longest life of a process, in milliseconds.
const LATENCY_MS: u64 = 10;
const LIFE_MS: u64 = 120;
/// Every third time it is stopped for a while before.
const STOPPED_FOR: Duration = Duration::from_millis(50);

/// One event that somebody has made.
struct Entry {
    /// What it is called on the side where people edit it.
    id: String,
    /// What it may say: more than one title where an edit was not answered.
    titles: Vec<String>,
    /// Whether its deletion was asked for and not answered.
    may_be_gone: bool,
}

impl Entry {
    fn new(id: String, title: String) -> Self {
        Self { id, titles: vec![title], may_be_gone: false }
    }

    /// Where our API has it.
    fn path(&self) -> String {
        format!("/v1/events/{}", self.id)
    }
}

/// What is asked of our API when the process is about to die; an event by its place in [`Book::ours`].
enum Wish {
    Make,
    Rename(usize),
    Delete(usize),
}

/// What there must be.
#[derive(Default)]
struct Book {
    ours: Vec<Entry>,
    theirs: Vec<Entry>,
    /// Creates that were not answered: there once, or not at all.
    unsure: BTreeSet<String>,
    made: u64,
}

/// What came of a world.
#[derive(Default)]
struct Tally {
    lost: usize,
    doubled: usize,
    wrong: Vec<String>,
}

impl Book {
    fn next(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what} {}", self.made)
    }

    /// Compares it with both sides.
    fn judge(&self, here: &BTreeMap<String, usize>, there: &BTreeMap<String, usize>) -> Tally {
        let mut tally = Tally::default();
        let unsure = self.unsure.iter().map(|title| (vec![title.clone()], true));
        let sure = self.ours.iter().chain(&self.theirs).map(|entry| (entry.titles.clone(), entry.may_be_gone));
        let mut known = BTreeSet::new();
        for (titles, may_be_missing) in sure.chain(unsure) {
            let found = |side: &BTreeMap<String, usize>| -> Vec<(String, usize)> {
                titles.iter().filter_map(|title| Some((title.clone(), *side.get(title)?))).collect()
            };
            let (on_ours, on_theirs) = (found(here), found(there));
            let twice = |side: &[(String, usize)]| side.iter().map(|(_, count)| count).sum::<usize>() > 1;
            let doubled = twice(&on_ours) || twice(&on_theirs);
            let lost = on_ours != on_theirs || (on_ours.is_empty() && !may_be_missing);
            tally.lost += usize::from(lost);
            tally.doubled += usize::from(doubled);
            if lost || doubled {
                tally.wrong.push(format!("{titles:?}: here {on_ours:?}, there {on_theirs:?}"));
            }
            known.extend(titles);
        }
        // What was deleted or renamed is there again: one too many.
        let titles: BTreeSet<_> = here.keys().chain(there.keys()).collect();
        for title in titles.into_iter().filter(|title| !known.contains(*title)) {
            tally.doubled += 1;
            tally.wrong.push(format!("{title}: nobody wants it any more"));
        }
        tally
    }
}

/// A world that is killed again and again.
struct Life {
    world: World,
    book: Book,
    numbers: Numbers,
    token: String,
}

impl Life {
    async fn begin(database_url: Option<String>, seed: u64) -> Self {
        let world = World::start(database_url, 0).await;
        world.settles().await;
        world.sandbox.control("POST", "settings", json!({ "latency_ms": LATENCY_MS })).await;
        let token = world.sandbox.token().await;
        Self { world, book: Book::default(), numbers: Numbers(seed), token }
    }

    /// Somebody acts, here or there, and is answered.
    async fn act(&mut self) {
        let Self { world, book, numbers, token } = self;
        let (service, there) = (&world.service, &world.sandbox);
        match numbers.below(9) {
            0..=2 => {
                let title = book.next("ours");
                let made = world.make(&title).await;
                book.ours.push(Entry::new(id(&made), title));
            }
            3 | 4 => {
                let Some(at) = chosen(&book.ours, numbers) else { return };
                let title = book.next("ours again");
                service.ok("PATCH", &book.ours[at].path(), Some(json!({ "title": title }))).await;
                book.ours[at].titles = vec![title];
            }
            5 => {
                let Some(at) = chosen(&book.ours, numbers) else { return };
                service.ok("DELETE", &book.ours.remove(at).path(), None).await;
            }
            6 => {
                let title = book.next("theirs");
                let (start, end) = ("2026-03-06T09:00:00Z", "2026-03-06T10:00:00Z");
                let event = json!({ "summary": title, "start": { "dateTime": start }, "end": { "dateTime": end } });
                let made = there.calendar(Method::POST, "", token, Some(event)).await;
                book.theirs.push(Entry::new(id(&made), title));
            }
            7 => {
                let Some(at) = chosen(&book.theirs, numbers) else { return };
                let title = book.next("theirs again");
                let path = format!("/{}", book.theirs[at].id);
                there.calendar(Method::PATCH, &path, token, Some(json!({ "summary": title }))).await;
                book.theirs[at].titles = vec![title];
            }
            _ => {
                let Some(at) = chosen(&book.theirs, numbers) else { return };
                let path = format!("/{}", book.theirs.remove(at).id);
                there.calendar(Method::DELETE, &path, token, None).await;
            }
        }
    }

    /// One life of the process: people act, and it is killed in the middle of whatever it does, a request among it.
    async fn live(&mut self, turn: u64) {
        for _ in 0..=self.numbers.below(3) {
            self.act().await;
        }
        let wish = match (self.numbers.below(3), chosen(&self.book.ours, &mut self.numbers)) {
            (1, Some(at)) => Wish::Rename(at),
            (2, Some(at)) => Wish::Delete(at),
            _ => Wish::Make,
        };
        let title = self.book.next("hasty");
        let answered = self.asked_while_it_dies(&wish, &title, turn).await;
        let Book { ours, unsure, .. } = &mut self.book;
        match (wish, answered) {
            (Wish::Make, Some(made)) => ours.push(Entry::new(id(&made), title)),
            (Wish::Make, None) => drop(unsure.insert(title)),
            (Wish::Rename(at), Some(_)) => ours[at].titles = vec![title],
            (Wish::Rename(at), None) => ours[at].titles.push(title),
            (Wish::Delete(at), Some(_)) => drop(ours.remove(at)),
            (Wish::Delete(at), None) => ours[at].may_be_gone = true,
        }
        self.world.service.run();
    }

    /// Kills the process around the time of a request; what it answered, if it did.
    async fn asked_while_it_dies(&mut self, wish: &Wish, title: &str, turn: u64) -> Option<Value> {
        let service = &self.world.service;
        let (method, path, body) = match *wish {
            Wish::Make => ("POST", "/v1/events".to_owned(), Some(self.world.event(title))),
            Wish::Rename(at) => ("PATCH", self.book.ours[at].path(), Some(json!({ "title": title }))),
            Wish::Delete(at) => ("DELETE", self.book.ours[at].path(), None),
        };
        let after = Duration::from_millis(self.numbers.below(LIFE_MS));
        let asked = async {
            // Half of the time it comes at the last moment.
            tokio::time::sleep(if turn.is_multiple_of(2) { after } else { Duration::ZERO }).await;
            service.try_send(method, &path, body).await
        };
        let dies = async {
            tokio::time::sleep(after + Duration::from_millis(turn % 4)).await;
            if turn.is_multiple_of(3) {
                service.signal("STOP");
                tokio::time::sleep(STOPPED_FOR).await;
                service.signal("CONT");
            }
            service.signal("KILL");
        };
        let (answer, ()) = tokio::join!(asked, dies);
        self.world.service.kill();
        answer.ok().filter(|(status, _)| status.is_success()).map(|(_, body)| body)
    }

    /// It is left alone, and both sides are looked at.
    async fn end(self) -> Tally {
        for _ in 0..2 {
            self.world.service.sync(&self.world.account).await;
            let outbox = format!("/v1/accounts/{}/outbox", self.world.account);
            let settled = |queue: &Value| queue["data"].as_array().is_some_and(|left| left.iter().all(looks_again));
            self.world.service.until(&outbox, settled).await;
        }
        self.book.judge(&self.world.here().await, &self.world.sandbox.titles().await)
    }
}

/// Whether it is a create whose answer was lost and whose event was deleted since: it is looked after for some minutes, in case it
/// arrives late. At the sandbox nothing does.
fn looks_again(entry: &Value) -> bool {
    entry["operation"] == "delete" && entry["last_error"].as_str().is_some_and(|text| text.contains("looking again"))
}

/// One that may still be edited: nobody knows whether one is there whose deletion was not answered.
fn chosen(entries: &[Entry], numbers: &mut Numbers) -> Option<usize> {
    let at = usize::try_from(numbers.below(entries.len().max(1) as u64)).expect("few");
    entries.get(at).filter(|entry| !entry.may_be_gone).map(|_| at)
}

/// So many kills, a world after the other, several side by side.
async fn killed_at_any_moment(kills: u64, postgres: bool) {
    let worlds = kills.div_ceil(LIFE);
    let next = Arc::new(AtomicU64::new(0));
    let mut lanes = JoinSet::new();
    for _ in 0..LANES.min(worlds) {
        let next = next.clone();
        lanes.spawn(async move {
            let mut told = Tally::default();
            loop {
                let seed = next.fetch_add(1, Relaxed);
                if seed >= worlds {
                    return told;
                }
                let database = if postgres { Some(fresh_database().await) } else { None };
                let mut life = Life::begin(database, seed).await;
                for turn in 0..LIFE.min(kills - seed * LIFE) {
                    life.live(turn).await;
                }
                let one = life.end().await;
                told.lost += one.lost;
                told.doubled += one.doubled;
                told.wrong.extend(one.wrong.into_iter().map(|wrong| format!("world {seed}: {wrong}")));
            }
        });
    }
    let all = lanes.join_all().await;
    let sum = |part: fn(&Tally) -> usize| all.iter().map(part).sum::<usize>();
    say(kills, sum(|one| one.lost), sum(|one| one.doubled));
    let wrong: Vec<_> = all.into_iter().flat_map(|one| one.wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kills_at_any_moment_lose_and_double_nothing_on_sqlite() {
    killed_at_any_moment(kills_in_all().unwrap_or(KILLS), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kills_at_any_moment_lose_and_double_nothing_on_postgres() {
    killed_at_any_moment(kills_in_all().map_or(KILLS, |kills| kills.div_ceil(POSTGRES_PART)), true).await;
}
