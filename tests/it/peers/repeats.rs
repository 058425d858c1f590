//! `kill -9` between the work of a request that may be repeated and its answer: a repetition makes nothing twice, and is answered
//! alike. The moment is made long from outside, by a trigger in the database that takes its time over each answer that is kept.

use std::{collections::BTreeMap, time::Duration};

use diesel::connection::SimpleConnection as _;
use serde_json::{Value, json};

use super::crashes::{kills_in_all, say};
use crate::support::{
    numbers::Numbers,
    postgres::{execute, fresh_database},
    service::Service,
    sqlite,
};

/// Kills on each database; `tests/run kill` asks for more.
const KILLS: u64 = 10;
const KILLS_MAX: u64 = 200;
/// The longest time from a request to the kill, in milliseconds: work and the keeping of its answer both lie within.
const AIM_MS: u64 = 90;

/// Some hundredths of a second, in either database's words.
const SLOW_ON_SQLITE: &str = "CREATE TRIGGER slow BEFORE INSERT ON idempotency_keys BEGIN
    SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n);
    END";
const SLOW_ON_POSTGRES: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.06); RETURN NEW; END $$;
    CREATE TRIGGER slow BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION slow()";

fn event(title: &str) -> Value {
    let time = |hour: u32| json!({ "date_time": format!("2026-03-05T{hour:02}:00:00"), "time_zone": "Europe/Paris" });
    json!({ "user_id": "ada", "title": title, "start": time(9), "end": time(10) })
}

async fn killed_between_work_and_answer(database_url: Option<String>) {
    let mut service = Service::on(database_url.clone(), &[]);
    service.make_user().await;
    if let Some(url) = &database_url {
        execute(url, SLOW_ON_POSTGRES).await;
    } else {
        let path = service.folder.path().join("data/calwarden.db");
        sqlite::open(&path).batch_execute(SLOW_ON_SQLITE).expect("a trigger");
    }
    let kills = kills_in_all().map_or(KILLS, |kills| kills.min(KILLS_MAX));
    let mut numbers = Numbers(7);
    let (mut answered, mut wrong) = (0, Vec::new());
    for turn in 0..kills {
        let (key, body) = (format!("key {turn}"), event(&format!("event {turn}")));
        let after = Duration::from_millis(numbers.below(AIM_MS));
        let dies = async {
            tokio::time::sleep(after).await;
            service.signal("KILL");
        };
        let (first, ()) = tokio::join!(service.try_keyed(&key, "/v1/events", &body), dies);
        service.kill();
        service.run();
        let (status, again) = service.try_keyed(&key, "/v1/events", &body).await.expect("an answer");
        if status != 201 {
            wrong.push(format!("{turn}: {status} {again}"));
        }
        if let Ok((_, text)) = first {
            answered += 1;
            if text != again {
                wrong.push(format!("{turn}: first {text}, then {again}"));
            }
        }
    }
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    for event in service.events(false).await {
        *found.entry(event["title"].as_str().expect("a title").to_owned()).or_default() += 1;
    }
    let doubled = found.values().filter(|count| **count > 1).count();
    let lost = usize::try_from(kills).expect("few").saturating_sub(found.len());
    println!("{answered} of {kills} were answered before the kill");
    say(kills, lost, doubled);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((lost, doubled), (0, 0), "{found:?}");
}

#[tokio::test]
async fn kills_between_work_and_answer_double_nothing_on_sqlite() {
    killed_between_work_and_answer(None).await;
}

#[tokio::test]
async fn kills_between_work_and_answer_double_nothing_on_postgres() {
    killed_between_work_and_answer(Some(fresh_database().await)).await;
}
