//! The same planned work as in [`planned`](super::planned), in a calendar at the Google sandbox: nobody asks for a round here, the
//! notifications bring what happens there.

use chrono::{DateTime, Duration, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    google::{Sandbox, World, id},
    planned::{
        SECRET, begins, block, confirm, context, instant, offer_to_move, offered, runs_over, span, task,
        waits_for_a_yes, works_every_day,
    },
};
use crate::support::wire::Wire;

/// Ada, who plans, and the wire between her account and the sandbox.
struct Planning {
    world: World,
    wire: Wire,
    shared: Value,
    private: Value,
    token: String,
}

/// From when to when, of an event there.
fn shown_span(event: &Value) -> (DateTime<Utc>, DateTime<Utc>) {
    (instant(&event["start"]["dateTime"]), instant(&event["end"]["dateTime"]))
}

/// Times of an event as the API of Google takes them.
fn times((start, end): (DateTime<Utc>, DateTime<Utc>)) -> Value {
    json!({ "start": { "dateTime": start }, "end": { "dateTime": end } })
}

impl Planning {
    async fn begun() -> Self {
        let sandbox = Sandbox::start();
        let wire = Wire::before(sandbox.port);
        let world = World::beside(sandbox, wire.port(), None, 0).await;
        world.settles().await;
        works_every_day(&world.service).await;
        let shared = context(&world.service, "Work", "shared", &world.calendar).await;
        let private = context(&world.service, "Life", "private", &world.calendar).await;
        let token = world.sandbox.token().await;
        Self { world, wire, shared, private, token }
    }

    /// The writes of events since the last asking: method, conditional or not.
    fn writes(&self) -> Vec<(String, bool)> {
        let mut seen = self.wire.changes();
        seen.retain(|request| request.path.contains("/events") && !request.path.contains("/watch"));
        seen.into_iter().map(|request| (request.method, request.conditional)).collect()
    }

    /// Answers how the events were written.
    async fn accept(&self, proposal: &Value) -> Vec<(String, bool)> {
        self.writes();
        let path = format!("/v1/proposals/{}/accept", id(proposal));
        assert_eq!(self.world.service.ok("POST", &path, Some(json!({}))).await["state"], "accepted");
        self.world.settles().await;
        self.writes()
    }

    /// Two tasks that are shown and one that is not.
    async fn accepted(&self) -> Vec<String> {
        let (tasks, proposal) = offered(&self.world.service, &self.shared, &self.private).await;
        assert_eq!(self.world.sandbox.titles().await.len(), 0, "nobody has accepted yet");
        let made = self.accept(&proposal).await;
        assert_eq!(made, [("POST".to_owned(), false), ("POST".to_owned(), false)]);
        tasks
    }

    /// The one event of this title there.
    async fn shown(&self, title: &str) -> Value {
        let told = self.world.sandbox.calendar(Method::GET, "", &self.token, None).await;
        let mut found = told["items"].as_array().expect("items").clone();
        found.retain(|item| item["summary"] == title);
        assert_eq!(found.len(), 1, "{title}: {told}");
        found.remove(0)
    }

    /// Somebody edits an event there.
    async fn edits(&self, event: &Value, change: Value) {
        self.world.sandbox.calendar(Method::PATCH, &format!("/{}", id(event)), &self.token, Some(change)).await;
    }
}

fn one_conditional_update() -> Vec<(String, bool)> {
    vec![("PATCH".to_owned(), true)]
}

#[tokio::test]
async fn a_meeting_there_brings_an_offer_and_the_block_moves_by_one_conditional_update() {
    let ada = Planning::begun().await;
    let service = &ada.world.service;
    let tasks = ada.accepted().await;
    let before = ada.shown("Report").await;
    let (from, to) = span(&block(service, &tasks[0]).await);
    assert_eq!(shown_span(&before), (from, to));
    assert_eq!(shown_span(&ada.shown("Slides").await), span(&block(service, &tasks[1]).await));
    let everything = ada.world.sandbox.calendar(Method::GET, "", &ada.token, None).await.to_string();
    assert!(everything.contains("Slides") && !everything.contains(SECRET) && !everything.contains("Life"));

    let mut meeting = times((from, to));
    meeting["summary"] = json!("Audit");
    ada.world.sandbox.calendar(Method::POST, "", &ada.token, Some(meeting)).await;
    let proposal = offer_to_move(service, &tasks[0]).await;
    assert_eq!(ada.writes(), [], "an offer changes nothing");
    assert_eq!(ada.accept(&proposal).await, one_conditional_update());
    let after = ada.shown("Report").await;
    assert_eq!(after["id"], before["id"]);
    assert_eq!(shown_span(&after), span(&proposal["changes"][0]["to"]));
    assert_eq!(shown_span(&after), span(&block(service, &tasks[0]).await));
    assert!(shown_span(&after).0 >= to || shown_span(&after).1 <= from, "it lies on the meeting: {after}");
}

#[tokio::test]
async fn a_block_that_is_dragged_there_follows_and_waits_for_a_yes() {
    let ada = Planning::begun().await;
    let service = &ada.world.service;
    let tasks = ada.accepted().await;
    let (from, to) = span(&block(service, &tasks[0]).await);
    let there = (from + Duration::hours(5), to + Duration::hours(5));
    ada.edits(&ada.shown("Report").await, times(there)).await;
    let path = format!("/v1/tasks/{}/blocks", tasks[0]);
    service.until(&path, |blocks| instant(&blocks["data"][0]["start"]) == there.0).await;
    let moved = block(service, &tasks[0]).await;
    assert_eq!(span(&moved), there);
    waits_for_a_yes(service, &moved).await;
    ada.world.settles().await;
    assert_eq!(ada.writes(), [], "what they did there is not answered with a write");
    confirm(service, &moved).await;
    ada.world.settles().await;
    assert!(ada.writes().iter().all(|write| *write == ("PATCH".to_owned(), true)));
    assert_eq!(shown_span(&ada.shown("Report").await), there);
}

#[tokio::test]
async fn work_that_takes_longer_lengthens_its_event_there() {
    let ada = Planning::begun().await;
    let service = &ada.world.service;
    let task = task(service, "Report", &ada.shared, 60).await;
    let (planned, now) = begins(service, &task).await;
    ada.world.settles().await;
    let before = ada.shown("Report").await;
    assert_eq!(block(service, &task).await["state"], "in_progress");
    ada.writes();
    let (longer, _) = runs_over(service, &planned, now).await;
    ada.world.settles().await;
    let writes = ada.writes();
    assert!(!writes.is_empty() && writes.iter().all(|write| *write == ("PATCH".to_owned(), true)), "{writes:?}");
    let after = ada.shown("Report").await;
    assert_eq!(after["id"], before["id"]);
    assert_eq!(shown_span(&after).1.timestamp(), instant(&longer["end"]).timestamp());
}
