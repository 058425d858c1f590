//! Many deletions at once wait for a person, and life goes on for days after the answer.

use std::collections::BTreeSet;

use serde_json::json;

use super::world::{World, numbered};
use crate::support::strangers::Kind;

const ALL: usize = 40;
const GONE: std::ops::Range<usize> = 5..35;

/// Deletes or makes these there.
async fn delete_there(world: &World, numbers: std::ops::Range<usize>) {
    let hrefs = world.dav.list(&world.path).await;
    for n in numbers {
        let href = hrefs.iter().find(|href| href.ends_with(&format!("/n{n}.ics"))).expect("it is there");
        world.dav.delete(href).await;
    }
}

async fn put_there(world: &World, count: usize, from: usize) {
    for (name, text) in numbered(count, from) {
        world.dav.put(&format!("{}{name}", world.path), &text).await;
    }
}

/// Rounds until a hold of so many deletions waits, and everything is still here.
async fn held(world: &World, removed: usize) -> serde_json::Value {
    for _ in 0..3 {
        world.sync().await;
        let holds = world.holds().await;
        if let [hold] = holds.as_slice()
            && hold["removed"] == removed
        {
            return hold.clone();
        }
        assert!(holds.len() <= 1, "one question at a time: {holds:#?}");
    }
    panic!(
        "{removed} deletions do not wait: {:#?}\n{:#?}\n{}",
        world.holds().await,
        world.titles().await,
        world.service.logged()
    );
}

pub async fn an_approval_is_used_up(kind: Kind) {
    let mut world = World::with(kind, &numbered(ALL, 0)).await;
    assert_eq!(world.rest().await.len(), ALL);
    delete_there(&world, GONE).await;
    let hold = held(&world, GONE.len()).await;
    assert_eq!(world.here().await.len(), ALL, "nothing goes before the word");
    world.a_day_passes().await;
    assert_eq!((world.here().await.len(), world.holds().await.len()), (ALL, 1), "and not after a day");
    let hold = world.holds().await.pop().unwrap_or(hold);
    world.answer(&hold, "approve").await;
    assert_eq!(world.rest().await.len(), ALL - GONE.len());

    put_there(&world, GONE.len(), GONE.start).await;
    assert_eq!(world.rest().await.len(), ALL, "they are back");
    world.a_day_passes().await;
    assert_eq!(world.rest().await.len(), ALL, "a day later too");
    delete_there(&world, GONE).await;
    held(&world, GONE.len()).await;
    assert_eq!(world.here().await.len(), ALL, "the earlier word was for the earlier deletion");
    world.a_day_passes().await;
    assert_eq!((world.here().await.len(), world.holds().await.len()), (ALL, 1));

    // What is back before the word makes the question go.
    put_there(&world, GONE.len(), GONE.start).await;
    assert_eq!(world.rest().await.len(), ALL);
    world.a_day_passes().await;
    assert_eq!(world.rest().await.len(), ALL);
    assert_eq!(world.holds().await, Vec::<serde_json::Value>::new(), "nothing is left to ask");
}

pub async fn a_refusal_lasts_for_days(kind: Kind) {
    let mut world = World::with(kind, &numbered(ALL, 0)).await;
    world.rest().await;
    delete_there(&world, GONE).await;
    let hold = held(&world, GONE.len()).await;
    world.answer(&hold, "refuse").await;
    world.sync().await;
    let all: BTreeSet<_> = (0..ALL).map(|n| format!("Number {n}")).collect();
    let lost = |titles: &[String]| all.iter().filter(|title| !titles.contains(title)).cloned().collect::<Vec<_>>();
    for day in 0..3 {
        assert_eq!(lost(&world.titles().await), Vec::<String>::new(), "day {day}");
        world.a_day_passes().await;
    }
    // The calendar grows, so that what is kept is a smaller part of it.
    put_there(&world, 60, 100).await;
    world.sync().await;
    world.a_day_passes().await;
    world.sync().await;
    assert_eq!(lost(&world.titles().await), Vec::<String>::new(), "after it grew");
    assert_eq!(world.here().await.len(), ALL + 60);
    // What was kept is an event like any other: it can be edited, and the edit lasts.
    world.edit("Number 7", "", json!({"location": "Kept here"})).await;
    world.sync().await;
    for _ in 0..2 {
        world.a_day_passes().await;
    }
    assert_eq!(lost(&world.titles().await), Vec::<String>::new(), "after an edit");
    let kept = world.find("Number 7").await.expect("it is kept");
    assert_eq!(kept["location"], "Kept here");
    let path = format!("/v1/events/{}/explain", kept["id"].as_str().expect("an id"));
    world.service.ok("GET", &path, None).await;
    assert_eq!(world.holds().await, Vec::<serde_json::Value>::new(), "what was answered is not asked again");
    // What is deleted there from now on is a new picture.
    delete_there(&world, 100..110).await;
    world.sync().await;
    assert_eq!(world.here().await.len(), ALL + 50, "ten of a hundred need no word");
    assert_eq!(lost(&world.titles().await), Vec::<String>::new());
}

pub async fn a_deletion_of_less_than_half_needs_no_word(kind: Kind) {
    let world = World::with(kind, &numbered(ALL, 0)).await;
    world.rest().await;
    delete_there(&world, 0..15).await;
    assert_eq!(world.rest().await.len(), ALL - 15);
    assert_eq!(world.holds().await, Vec::<serde_json::Value>::new());
}
