//! A disk that takes nothing more: nothing is acknowledged that is not kept, the service says that it is not ready, and it goes
//! on by itself when there is room again.

use std::{collections::BTreeSet, time::Duration};

use reqwest::StatusCode;
use serde_json::json;

use super::{
    crashes::both_sides,
    two_way::{Connected, object},
};
use crate::support::{peers::Kind, service::Service, sqlite};

/// Edits tried while the disk takes nothing.
const TRIED: usize = 40;

/// Tries to make events, whatever comes of it; answers the titles that were acknowledged.
async fn attempts(world: &Connected, room: &str) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    for n in 0..TRIED {
        let title = format!("{room} {n}");
        let body = world.draft(&title, &json!({ "description": "x".repeat(2_000) }));
        let (status, answer) = world.service.send("POST", "/v1/events", Some(body)).await;
        if status.is_success() {
            taken.insert(title);
        } else {
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
            assert_eq!(answer["code"], "unavailable", "{answer}");
        }
    }
    taken
}

async fn answers(world: &Connected, path: &str, wanted: StatusCode) {
    for _ in 0..1_000 {
        if world.service.send("GET", path, None).await.0 == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{path} never answered {wanted}\n{}", world.service.logged());
}

/// Lives through a disk on which no file grows beyond `room` bytes, told as `not_ready` where nothing can be written; answers
/// how many edits were taken meanwhile.
async fn survived(room: u64, not_ready: bool) -> usize {
    let theirs: Vec<_> = (0..5)
        .map(|n| {
            (
                format!("{n}.ics"),
                object(&format!("{n}@test"), &[&format!("SUMMARY:theirs {n}"), "DTSTART:20261201T090000Z"]),
            )
        })
        .collect();
    let world = Connected::with(Kind::Radicale, Service::start(), &theirs).await;
    world.make("before", json!({})).await;
    world.sync().await;

    // Counted from an empty write-ahead log, however much the service wrote before.
    sqlite::empty_log(&world.service.folder.path().join("data/calwarden.db"));
    world.service.limit_files(Some(room));
    let taken = attempts(&world, "tried").await;
    if not_ready {
        answers(&world, "/health/ready", StatusCode::SERVICE_UNAVAILABLE).await;
    }
    answers(&world, "/health/live", StatusCode::OK).await;
    assert!(world.find("before").await.is_some(), "what is kept can be read");

    world.service.limit_files(None);
    answers(&world, "/health/ready", StatusCode::OK).await;
    world.make("after", json!({})).await;
    world.sync().await;
    world.sync().await;
    let (here, there) = both_sides(&world).await;
    assert_eq!(here, there, "both sides hold the same");
    assert!(here.values().all(|count| *count == 1), "{here:?}");
    for title in taken.iter().map(String::as_str).chain(["before", "after", "theirs 4"]) {
        assert!(here.contains_key(title), "{title} was acknowledged and is lost");
    }
    let violations = world.service.ok("GET", "/metrics", None).await;
    let violations = violations
        .as_str()
        .unwrap_or_default()
        .lines()
        .find(|line| line.contains("invariant_violations") && !line.starts_with('#') && !line.ends_with(" 0"));
    assert_eq!(violations, None);
    taken.len()
}

#[tokio::test]
async fn a_disk_that_takes_no_byte_acknowledges_nothing_and_is_survived() {
    assert_eq!(survived(0, true).await, 0);
}

#[tokio::test]
async fn a_disk_that_fills_up_keeps_what_it_acknowledged() {
    // Room for some of them in the write-ahead log, and in the end for what is smaller than they are.
    let taken = survived(600_000, false).await;
    assert!(0 < taken && taken < TRIED, "{taken} of {TRIED} were taken");
}
