//! `kill -9` of the release binary, again and again: nothing lost, nothing doubled.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::two_way::{Connected, object};
use crate::support::{peers::Kind, postgres::fresh_database, service::Service, setting};

/// Events at the server when writes are interrupted.
const THEIRS: usize = 50;
/// Events at the server when the first round is interrupted.
const THEIRS_MANY: usize = 2_000;
/// Kills per test and database; two tests make fifty. `KILLS` in the environment makes them more.
const KILLS: u64 = 25;
/// As many as a test beside a real server is good for: most of the time it is the server that works.
const KILLS_MAX: u64 = 100;

/// How many kills were asked for (`tests/run kill`).
pub fn kills_in_all() -> Option<u64> {
    setting("KILLS").and_then(|text| text.parse().ok())
}

/// How often each of these tests kills.
pub fn kills(without: u64) -> u64 {
    kills_in_all().map_or(without, |kills| kills.min(KILLS_MAX))
}

/// Says what came of it, for `tests/run kill` to add up.
pub fn report(kills: u64, expected: usize, here: &BTreeMap<String, usize>, there: &BTreeMap<String, usize>) {
    let missing = |side: &BTreeMap<String, usize>| expected.saturating_sub(side.len());
    let doubled = |side: &BTreeMap<String, usize>| side.values().filter(|count| **count > 1).count();
    say(kills, missing(here) + missing(there), doubled(here) + doubled(there));
}

/// The line that `tests/run kill` adds up.
pub fn say(kills: u64, lost: usize, doubled: usize) {
    println!("kills: {kills}, lost: {lost}, doubled: {doubled}");
}

/// Kills it; every third time after it was stopped for a while in the middle of whatever it did.
pub fn kill(service: &mut Service, turn: u64) {
    if turn.is_multiple_of(3) {
        service.signal("STOP");
        std::thread::park_timeout(Duration::from_millis(50));
        service.signal("CONT");
    }
    service.kill();
}

/// How many events bear each title, on one side.
fn census<'t>(titles: impl Iterator<Item = &'t str>) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for title in titles {
        *found.entry(title.to_owned()).or_default() += 1;
    }
    found
}

/// The titles on both sides, each with how many events bear it.
pub async fn both_sides(world: &Connected) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let here = world.service.events(false).await;
    let there = world.dav.everything(&world.path).await;
    let summaries =
        there.iter().filter_map(|(_, text)| text.lines().find_map(|line| line.trim_end().strip_prefix("SUMMARY:")));
    (census(here.iter().filter_map(|event| event["title"].as_str())), census(summaries))
}

fn theirs(count: usize) -> Vec<(String, String)> {
    let one = |n: usize| {
        let start = format!("DTSTART:2026{:02}{:02}T{:02}0000Z", 1 + n / 28 % 12, 1 + n % 28, n / 336);
        (format!("{n}.ics"), object(&format!("{n}@test"), &[&format!("SUMMARY:theirs {n}"), &start]))
    };
    (0..count).map(one).collect()
}

/// Both sides hold the same, and every event once.
async fn nothing_lost_nothing_doubled(world: &Connected, kills: u64, expected: usize) {
    let (here, there) = both_sides(world).await;
    report(kills, expected, &here, &there);
    assert_eq!(here, there, "both sides hold the same");
    assert_eq!(here.len(), expected);
    assert!(here.values().all(|count| *count == 1), "nothing doubled");
}

async fn killed_while_writing(database_url: Option<String>) {
    let service = Service::on(database_url, &[]);
    let mut world = Connected::with(Kind::Radicale, service, &theirs(THEIRS)).await;
    let mut made = 0;
    let kills = kills(KILLS);
    for turn in 0..kills {
        for _ in 0..4 {
            world.make(&format!("ours {made}"), json!({})).await;
            made += 1;
        }
        tokio::time::sleep(Duration::from_millis(5 + turn * 17 % 200)).await;
        kill(&mut world.service, turn);
        world.service.run();
    }
    world.sync().await;
    world.sync().await;
    nothing_lost_nothing_doubled(&world, kills, THEIRS + made).await;
}

async fn killed_while_reading(database_url: Option<String>) {
    let service = Service::on(database_url, &[]);
    let mut world = Connected::before_its_first_round(Kind::Radicale, service, &theirs(THEIRS_MANY)).await;
    let kills = kills(KILLS);
    for turn in 0..kills {
        tokio::time::sleep(Duration::from_millis(5 + turn * 13 % 150)).await;
        kill(&mut world.service, turn);
        world.service.run();
    }
    world.sync().await;
    nothing_lost_nothing_doubled(&world, kills, THEIRS_MANY).await;
}

#[tokio::test]
async fn kills_during_outbound_writes_lose_and_double_nothing_on_sqlite() {
    killed_while_writing(None).await;
}

#[tokio::test]
async fn kills_during_a_first_round_lose_and_double_nothing_on_sqlite() {
    killed_while_reading(None).await;
}

#[tokio::test]
async fn kills_during_outbound_writes_lose_and_double_nothing_on_postgres() {
    killed_while_writing(Some(fresh_database().await)).await;
}

#[tokio::test]
async fn kills_during_a_first_round_lose_and_double_nothing_on_postgres() {
    killed_while_reading(Some(fresh_database().await)).await;
}
