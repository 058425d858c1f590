//! Planned work in a calendar on a real server: shared work is shown there and nothing private is, a block that moves stays one
//! event, what somebody does to the event is heeded, and the clock of focused work is seen in it.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDateTime, SubsecRound, Utc};
use chrono_tz::{Europe::Paris, Tz};
use serde_json::{Value, json};

use super::two_way::{Connected, object};
use crate::support::{
    peers::{CalendarServer, Kind},
    postgres::fresh_database,
    service::Service,
    wire::{Request, Wire},
};
use calwarden::{app::world, domain::person::Scope, store::Mode};

/// Tasks that come faster than they can be planned.
const TASKS: usize = 20;
/// Nobody at the server is to read this.
pub const SECRET: &str = "Divorce lawyer";

/// Ada, who plans, and the wire between her account and its server.
struct Planning {
    world: Connected,
    wire: Wire,
    shared: Value,
    private: Value,
}

pub fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no instant"))
}

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

/// Nine to five on every day of the week.
pub async fn works_every_day(service: &Service) {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let weekly: serde_json::Map<_, _> =
        days.map(|day| (day.to_owned(), json!([["09:00", "17:00"]]))).into_iter().collect();
    service.ok("PUT", "/v1/users/ada/planning", Some(json!({"hours": {"work": {"weekly": weekly}}}))).await;
}

/// A context whose work is shown in a calendar, or would be if it were not private; answers its id.
pub async fn context(service: &Service, name: &str, visibility: &str, calendar: &str) -> Value {
    let body = json!({"user_id": "ada", "name": name, "visibility": visibility, "calendar_id": calendar});
    service.ok("POST", "/v1/contexts", Some(body)).await["id"].clone()
}

/// A task that is done in one piece, not before tomorrow.
pub async fn task(service: &Service, title: &str, context: &Value, minutes: u32) -> String {
    let body = json!({
        "user_id": "ada", "title": title, "context_id": context, "estimate_min": minutes, "splittable": false
    });
    let made = service.ok("POST", "/v1/tasks", Some(body)).await;
    let tomorrow = instant(&made["created_at"]).with_timezone(&Paris).date_naive().succ_opt().expect("a day");
    let path = format!("/v1/tasks/{}", id(&made));
    service.ok("PATCH", &path, Some(json!({"not_before": {"date": tomorrow}}))).await;
    id(&made).to_owned()
}

/// Two tasks that may be shown and one that may not, with the offer of places for them.
pub async fn offered(service: &Service, shared: &Value, private: &Value) -> (Vec<String>, Value) {
    let report = task(service, "Report", shared, 120).await;
    let secret = task(service, SECRET, private, 60).await;
    let slides = task(service, "Slides", shared, 60).await;
    let planned = service.ok("POST", "/v1/schedule", Some(json!({"user_id": "ada"}))).await;
    assert_eq!(planned["unplaced"], json!([]));
    (vec![report, slides, secret], planned["proposal"].clone())
}

/// Waits for the offer that a meeting on a block brings: to move the block of this task.
pub async fn offer_to_move(service: &Service, task: &str) -> Value {
    let newest = "/v1/proposals?user_id=ada&limit=1";
    let told = service.until(newest, |told| told["data"][0]["cause"] == "collision").await;
    let proposal = &told["data"][0];
    let changes = proposal["changes"].as_array().expect("changes");
    assert_eq!((proposal["state"].as_str(), changes.len()), (Some("open"), 1), "{proposal}");
    assert_eq!((&changes[0]["do"], &changes[0]["task_id"]), (&json!("move"), &json!(task)), "{proposal}");
    proposal.clone()
}

/// The one block of a task.
pub async fn block(service: &Service, task: &str) -> Value {
    let told = service.ok("GET", &format!("/v1/tasks/{task}/blocks"), None).await;
    let blocks = told["data"].as_array().expect("rows");
    assert_eq!(blocks.len(), 1, "{told}");
    blocks[0].clone()
}

/// Whether this block waits for a yes to where it was dragged, and its user was asked once.
pub async fn waits_for_a_yes(service: &Service, block: &Value) {
    assert_eq!((&block["state"], &block["lock"]), (&json!("tentative"), &json!("external")));
    let notices = service.ok("GET", "/v1/notices?user_id=ada", None).await;
    let asks = |notice: &&Value| notice["kind"] == "block_moved" && notice["event_id"] == block["event_id"];
    assert_eq!(notices["data"].as_array().expect("rows").iter().filter(asks).count(), 1, "{notices}");
}

/// Says yes to it.
pub async fn confirm(service: &Service, block: &Value) {
    let path = format!("/v1/blocks/{}/confirm", id(block));
    let settled = service.ok("POST", &path, Some(json!({}))).await;
    assert_eq!((&settled["state"], &settled["lock"]), (&json!("confirmed"), &json!("user")));
}

/// Begins to work on a task in the middle of an hour that is planned for it; answers the block, and when this was.
pub async fn begins(service: &Service, task: &str) -> (Value, DateTime<Utc>) {
    let now = instant(&service.ok("GET", &format!("/v1/tasks/{task}"), None).await["updated_at"]);
    let planned = json!({"start": now - Duration::minutes(30), "end": now + Duration::minutes(30)});
    let block = service.ok("POST", &format!("/v1/tasks/{task}/blocks"), Some(planned)).await;
    service.ok("POST", "/v1/focus", Some(json!({"user_id": "ada", "act": "start"}))).await;
    (block, now)
}

/// Lets the block of what is worked on be over while the clock runs on; answers the block as it goes on, and when it was over.
pub async fn runs_over(service: &Service, block: &Value, now: DateTime<Utc>) -> (Value, DateTime<Utc>) {
    let path = format!("/v1/blocks/{}", id(block));
    // However long it took to come here: a block that was over before the work began is not lengthened.
    let over = (now.max(world::system().now()) + Duration::seconds(2)).trunc_subsecs(0);
    service.ok("PATCH", &path, Some(json!({"start": now - Duration::minutes(30), "end": over}))).await;
    let longer = service.until(&path, |block| instant(&block["end"]) > over).await;
    assert_eq!(instant(&longer["end"]), over + Duration::minutes(15));
    (longer, over)
}

/// From when to when, of a block.
pub fn span(block: &Value) -> (DateTime<Utc>, DateTime<Utc>) {
    (instant(&block["start"]), instant(&block["end"]))
}

/// One property of an object's only event: what is before its value, and the value.
fn line<'t>(text: &'t str, name: &str) -> (&'t str, &'t str) {
    let (_, event) = text.split_once("BEGIN:VEVENT").expect("an event");
    let found = event.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
    found.trim_end().rsplit_once(':').expect("a value")
}

const STAMP: &str = "%Y%m%dT%H%M%S";

/// From when to when, of an object's only event.
fn shown_span(text: &str) -> (DateTime<Utc>, DateTime<Utc>) {
    let read = |name: &str| {
        let (head, value) = line(text, name);
        let zone = if head.ends_with("TZID=Europe/Paris") { Paris } else { Tz::UTC };
        assert_eq!(zone == Tz::UTC, value.ends_with('Z'), "{text}");
        let wall = NaiveDateTime::parse_from_str(value.trim_end_matches('Z'), STAMP).expect("a time");
        wall.and_local_timezone(zone).single().expect("no change of the clocks").to_utc()
    };
    (read("DTSTART"), read("DTEND"))
}

/// The object as a client writes it that was used to drag its event so far.
fn dragged(text: &str, by: Duration) -> String {
    let (before, mut event) = text.split_once("BEGIN:VEVENT").map(|(b, e)| (b, e.to_owned())).expect("an event");
    for name in ["DTSTART", "DTEND"] {
        let (head, value) = line(text, name);
        let (digits, utc) = value.split_at(15);
        let wall = NaiveDateTime::parse_from_str(digits, STAMP).expect("a time") + by;
        event = event.replace(&format!("{head}:{value}"), &format!("{head}:{}{utc}", wall.format(STAMP)));
    }
    format!("{before}BEGIN:VEVENT{event}")
}

impl Planning {
    /// An account whose requests are seen, a context that is shown in its calendar, and a private one that is mapped to the
    /// same calendar all the same.
    async fn begun() -> Self {
        let server = CalendarServer::start(Kind::Radicale);
        let wire = Wire::before(server.port);
        let world = Connected::by_way_of(&wire.url(), server, Service::start(), &[]).await;
        world.service.round_after(&world.account, 0).await;
        works_every_day(&world.service).await;
        let shared = context(&world.service, "Work", "shared", &world.calendar).await;
        let private = context(&world.service, "Life", "private", &world.calendar).await;
        Self { world, wire, shared, private }
    }

    async fn offered(&self) -> (Vec<String>, Value) {
        offered(&self.world.service, &self.shared, &self.private).await
    }

    /// The same, accepted and shown.
    async fn accepted(&self) -> Vec<String> {
        let (tasks, proposal) = self.offered().await;
        self.accept(&proposal).await;
        tasks
    }

    /// Answers what was changed at the server.
    async fn accept(&self, proposal: &Value) -> Vec<Request> {
        let path = format!("/v1/proposals/{}/accept", id(proposal));
        assert_eq!(self.world.service.ok("POST", &path, Some(json!({}))).await["state"], "accepted");
        self.world.sync().await;
        self.wire.changes()
    }

    async fn block(&self, task: &str) -> Value {
        block(&self.world.service, task).await
    }

    /// Where the server has the one event of this title, and its object.
    async fn shown(&self, title: &str) -> (String, String) {
        let mut found = self.world.dav.everything(&self.world.path).await;
        found.retain(|(_, text)| line(text, "SUMMARY").1 == title);
        assert_eq!(found.len(), 1, "{title}: {found:?}");
        found.remove(0)
    }
}

/// Each of these was one update of what is at this address, and only of the version that was known.
fn updates_of(changes: &[Request], href: &str) -> usize {
    for change in changes {
        let known = ("PUT", href, true);
        assert_eq!((change.method.as_str(), change.path.as_str(), change.conditional), known, "{changes:?}");
    }
    changes.len()
}

#[tokio::test]
async fn shared_work_is_shown_at_the_server_and_private_work_is_nowhere_there() {
    let ada = Planning::begun().await;
    let (tasks, proposal) = ada.offered().await;
    ada.world.sync().await;
    assert_eq!(ada.world.dav.list(&ada.world.path).await, Vec::<String>::new(), "nobody has accepted yet");
    let made = ada.accept(&proposal).await;
    assert_eq!(made.iter().map(|change| change.method.as_str()).collect::<Vec<_>>(), ["PUT", "PUT"], "{made:?}");
    for (task, title) in tasks.iter().zip(["Report", "Slides"]) {
        let (_, text) = ada.shown(title).await;
        assert_eq!(shown_span(&text), span(&ada.block(task).await), "{text}");
    }
    assert_eq!(ada.world.dav.list(&ada.world.path).await.len(), 2);
    assert_eq!(ada.block(&tasks[2]).await["event_id"], Value::Null);
    assert!(ada.world.server.holds("Slides"));
    assert!(!ada.world.server.holds(SECRET));
    assert!(!ada.world.server.holds("Life"));
}

#[tokio::test]
async fn a_meeting_on_a_block_brings_an_offer_and_the_block_moves_as_the_same_event() {
    let ada = Planning::begun().await;
    let tasks = ada.accepted().await;
    let (href, before) = ada.shown("Report").await;
    let (from, to) = span(&ada.block(&tasks[0]).await);
    let time = |name: &str, at: DateTime<Utc>| format!("{name}:{}Z", at.format(STAMP));
    let meeting = object("meeting@test", &["SUMMARY:Audit", &time("DTSTART", from), &time("DTEND", to)]);
    ada.world.dav.put(&format!("{}meeting.ics", ada.world.path), &meeting).await;
    ada.world.sync().await;
    let proposal = &offer_to_move(&ada.world.service, &tasks[0]).await;
    assert_eq!(ada.wire.changes(), [], "an offer changes nothing");

    let listed = ada.world.dav.list(&ada.world.path).await;
    assert_eq!(updates_of(&ada.accept(proposal).await, &href), 1);
    assert_eq!(ada.world.dav.list(&ada.world.path).await, listed);
    let (same, after) = ada.shown("Report").await;
    assert_eq!((same, line(&after, "UID")), (href, line(&before, "UID")));
    assert_eq!(shown_span(&after), span(&proposal["changes"][0]["to"]));
    assert_eq!(shown_span(&after), span(&ada.block(&tasks[0]).await));
    assert!(shown_span(&after).0 >= to || shown_span(&after).1 <= from, "it lies on the meeting: {after}");
}

#[tokio::test]
async fn a_block_that_is_dragged_at_the_server_follows_and_waits_for_a_yes() {
    let ada = Planning::begun().await;
    let tasks = ada.accepted().await;
    let (href, text) = ada.shown("Report").await;
    let (from, to) = span(&ada.block(&tasks[0]).await);
    ada.world.dav.put(&href, &dragged(&text, Duration::hours(5))).await;
    ada.world.sync().await;
    let there = (from + Duration::hours(5), to + Duration::hours(5));
    let block = ada.block(&tasks[0]).await;
    assert_eq!(span(&block), there);
    waits_for_a_yes(&ada.world.service, &block).await;
    assert_eq!(updates_of(&ada.wire.changes(), &href), 0, "what they did there is not answered with a write");

    confirm(&ada.world.service, &block).await;
    ada.world.sync().await;
    updates_of(&ada.wire.changes(), &href);
    assert_eq!(shown_span(&ada.shown("Report").await.1), there);
    // The plan that the move asked for leaves the block alone.
    let planned = ada.world.service.ok("POST", "/v1/schedule", Some(json!({"user_id": "ada"}))).await;
    let moved = planned["proposal"]["changes"].as_array().into_iter().flatten();
    assert!(moved.into_iter().all(|change| change["block_id"] != block["id"]), "{planned}");
}

#[tokio::test]
async fn work_that_takes_longer_lengthens_its_event_and_work_that_ends_cuts_it() {
    let mut ada = Planning::begun().await;
    let task = task(&ada.world.service, "Report", &ada.shared, 60).await;
    let (block, now) = begins(&ada.world.service, &task).await;
    ada.world.sync().await;
    let (href, _) = ada.shown("Report").await;
    assert_eq!(ada.block(&task).await["state"], "in_progress");

    // Twenty minutes of work, while the process is away.
    ada.world.service.kill();
    let mut tx = ada.world.service.store().await.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    let mut session = tx.open_focus(&"ada".parse().expect("an id")).await.expect("read").expect("a focus session");
    session.since -= Duration::minutes(20);
    session.started_at = session.since;
    tx.put_focus(&session).await.expect("stored");
    tx.commit().await.expect("durable");
    ada.world.service.run();

    // The block is over, and the clock runs on.
    ada.wire.changes();
    let (longer, over) = runs_over(&ada.world.service, &block, now).await;
    ada.world.sync().await;
    assert!(updates_of(&ada.wire.changes(), &href) > 0);
    assert_eq!(shown_span(&ada.shown("Report").await.1).1.timestamp(), instant(&longer["end"]).timestamp());

    let service = &ada.world.service;
    service.ok("POST", "/v1/focus", Some(json!({"user_id": "ada", "act": "finish"}))).await;
    ada.world.sync().await;
    assert_eq!(updates_of(&ada.wire.changes(), &href), 1);
    let done = ada.block(&task).await;
    assert_eq!(done["state"], "done");
    let (_, cut) = span(&done);
    assert!(over <= cut && cut < instant(&longer["end"]), "{done}");
    assert_eq!(shown_span(&ada.shown("Report").await.1).1, cut);
    let task = ada.world.service.ok("GET", &format!("/v1/tasks/{task}"), None).await;
    assert_eq!((&task["status"], &task["actual_min"]), (&json!("done"), &json!(20)));
}

async fn all_that_came_is_offered(database_url: Option<String>) {
    let service = Service::on(database_url, &[]);
    service.make_user().await;
    works_every_day(&service).await;
    for n in 0..TASKS {
        let body = json!({"user_id": "ada", "title": format!("Task {n}"), "estimate_min": 30});
        service.ok("POST", "/v1/tasks", Some(body)).await;
    }
    // The end of a day may fall into a task, which then has two blocks.
    let tasks =
        |changes: &Vec<Value>| changes.iter().map(|change| change["task_id"].to_string()).collect::<BTreeSet<_>>();
    let whole = |told: &Value| told["data"][0]["changes"].as_array().is_some_and(|all| tasks(all).len() == TASKS);
    service.until("/v1/proposals?user_id=ada&limit=1", whole).await;
}

#[tokio::test]
async fn tasks_that_come_one_upon_another_are_all_offered_on_sqlite() {
    all_that_came_is_offered(None).await;
}

#[tokio::test]
async fn tasks_that_come_one_upon_another_are_all_offered_on_postgres() {
    all_that_came_is_offered(Some(fresh_database().await)).await;
}
