//! Planned work over HTTP: contexts, tasks, blocks, plans and proposals, focus, changes of day, availability.

use actix_web::http::Method;
use calwarden::{
    domain::{
        account::Account,
        block::BlockState,
        calendar::Calendar,
        ids::{BlockId, ContextId, ProposalId, RolloverId, TaskId},
        person::Scope,
        rollover::{OldBlock, RolledTask, Rollover},
        task::TaskStatus,
        time::Window,
    },
    store::Mode,
};
use chrono::{Duration, NaiveDate, NaiveTime};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::app::{App, Reply};

/// A part of every kind of planned work that a path can name.
pub struct Work {
    pub context: ContextId,
    pub task: TaskId,
    pub block: BlockId,
    pub proposal: ProposalId,
    pub rollover: RolloverId,
}

fn id<T: std::str::FromStr>(value: &Value) -> T
where
    T::Err: std::fmt::Debug,
{
    value["id"].as_str().expect("an id").parse().expect("an id")
}

/// Hours, a context, a task with a block, one without that is offered a place, and a change of day.
pub async fn leave(app: &App, account: &Account) -> Work {
    let user = account.user_id.as_str();
    hours(app, user).await;
    let context = app.post("/v1/contexts", json!({"user_id": user, "name": "Garden"})).await.ok();
    let task = app.post("/v1/tasks", json!({"user_id": user, "title": "Weeds", "estimate_min": 60})).await.ok();
    let span = json!({"start": "2026-03-02T10:00:00Z", "end": "2026-03-02T11:00:00Z"});
    let block = app.post(&format!("/v1/tasks/{}/blocks", id::<TaskId>(&task)), span).await.ok();
    app.post("/v1/tasks", json!({"user_id": user, "title": "Roses", "estimate_min": 45})).await.ok();
    let planned = app.post("/v1/schedule", json!({"user_id": user})).await.ok();
    let rollover = rolled(app, account, id(&task), id(&block)).await;
    Work { context: id(&context), task: id(&task), block: id(&block), proposal: id(&planned["proposal"]), rollover }
}

/// Nine to five, from Monday to Friday.
async fn hours(app: &App, user: &str) {
    let days = ["mon", "tue", "wed", "thu", "fri"].map(|day| (day.to_owned(), json!([["09:00", "17:00"]])));
    let weekly = Value::Object(days.into_iter().collect());
    app.put(&format!("/v1/users/{user}/planning"), json!({"hours": {"work": {"weekly": weekly}}})).await.ok();
}

async fn rolled(app: &App, account: &Account, task: TaskId, block: BlockId) -> RolloverId {
    let world = &app.services().world;
    let now = world.now();
    let span = Window { from: now - Duration::hours(20), to: now - Duration::hours(19) };
    let rollover = Rollover {
        id: world.new_id(),
        space_id: account.space_id.clone(),
        user_id: account.user_id.clone(),
        date: now.date_naive(),
        skipped: None,
        tasks: vec![RolledTask {
            from: task,
            to: None,
            to_version: 0,
            status: TaskStatus::Open,
            blocks: vec![OldBlock { id: block, span, state: BlockState::Confirmed }],
        }],
        waiting: Vec::new(),
        ran_at: now.date_naive().and_time(NaiveTime::MIN).and_utc(),
        undone_at: None,
    };
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    assert!(tx.insert_rollover(&rollover).await.expect("stored"));
    tx.commit().await.expect("durable");
    rollover.id
}

fn field(reply: &Reply) -> (u16, String) {
    let (status, _, field) = reply.refused();
    (status, field.unwrap_or_default())
}

async fn with_tag(app: &App, method: Method, path: &str, tag: &str, body: Value) -> Reply {
    app.send(app.request(method, path).insert_header(("If-Match", tag.to_owned())).set_json(body)).await
}

#[actix_web::test]
async fn a_context_is_made_listed_changed_and_deleted() {
    let (app, _, calendar) = App::with_ada().await;
    let made = app.post("/v1/contexts", json!({"user_id": "ada", "name": "Garden"})).await;
    assert_eq!((made.status.as_u16(), made.header("etag")), (201, "\"v1\""));
    assert_eq!(made.ok()["visibility"], "private");
    let path = format!("/v1/contexts/{}", id::<ContextId>(&made.json()));
    assert_eq!(app.get("/v1/contexts?user_id=ada").await.ok()["data"], json!([made.json()]));
    let mapped = app.patch(&path, json!({"calendar_id": calendar.id})).await.ok();
    assert_eq!((&mapped["calendar_id"], &mapped["name"]), (&json!(calendar.id), &json!("Garden")));
    assert_eq!(with_tag(&app, Method::PATCH, &path, "\"v1\"", json!({"name": "x"})).await.refused().1, "stale");
    let emptied = with_tag(&app, Method::PATCH, &path, "\"v2\"", json!({"calendar_id": null})).await.ok();
    assert_eq!(emptied["calendar_id"], Value::Null);
    assert_eq!(field(&app.patch(&path, json!({"name": " "})).await), (422, "name".into()));
    assert_eq!(field(&app.patch(&path, json!({"visibility": "open"})).await), (422, "visibility".into()));
    assert_eq!(app.delete(&path).await.status, 204);
    assert_eq!(app.get(&path).await.status, 404);
}

/// Without `If-Match`, concurrent patches of different fields all succeed, and each of them is stored.
#[actix_web::test]
async fn patches_of_one_task_at_once_all_stand() {
    let (app, _, _) = App::with_ada().await;
    let made = app.post("/v1/tasks", json!({"user_id": "ada", "title": "Report", "estimate_min": 90})).await.ok();
    let path = format!("/v1/tasks/{}", id::<TaskId>(&made));
    let patches = [json!({"title": "Annual report"}), json!({"priority": "high"}), json!({"project": "Board"})];
    let replies = join_all(patches.iter().cycle().take(12).map(|patch| app.patch(&path, patch.clone()))).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "each is taken");
    let held = app.get(&path).await.ok();
    let says =
        ["title", "priority", "project", "etag"].map(|field| held[field].as_str().unwrap_or_default().to_owned());
    assert_eq!(says, ["Annual report", "high", "Board", "\"v13\""]);
}

#[actix_web::test]
async fn a_task_says_what_was_said_of_it() {
    let (app, _, _) = App::with_ada().await;
    let body = json!({
        "user_id": "ada", "title": "Report", "priority": "high", "estimate_min": 90,
        "due": {"at": {"date": "2026-03-06"}, "firmness": "hard"}, "prefer": "morning",
        "repeats": {"rule": "FREQ=WEEKLY"},
    });
    let made = app.post("/v1/tasks", body).await.ok();
    assert_eq!(made["due"], json!({"at": {"date": "2026-03-06"}, "firmness": "hard"}));
    assert_eq!((&made["status"], &made["splittable"], &made["actual_min"]), (&json!("open"), &json!(true), &json!(0)));
    let path = format!("/v1/tasks/{}", id::<TaskId>(&made));
    let patch = json!({"due": null, "estimate_min": 30});
    let changed = with_tag(&app, Method::PATCH, &path, "\"v1\"", patch.clone()).await.ok();
    assert_eq!((&changed["due"], &changed["estimate_min"]), (&Value::Null, &json!(30)));
    for kept in ["title", "priority", "prefer", "repeats"] {
        assert_eq!(changed[kept], made[kept], "{kept}");
    }
    assert_eq!(with_tag(&app, Method::PATCH, &path, "\"v1\"", patch).await.refused().1, "stale");
    assert_eq!(app.get(&path).await.ok(), changed);
    assert_eq!(app.get("/v1/tasks?user_id=ada&open=true").await.ok()["data"], json!([changed]));
    assert_eq!(app.patch(&path, json!({"status": "done"})).await.ok()["status"], "done");
    // It repeats every week: the next one is there, and says what this one said.
    let open = app.get("/v1/tasks?user_id=ada&open=true").await.ok()["data"].take();
    let next = &open[0];
    assert_eq!((open.as_array().map(Vec::len), &next["repeats"]["date"]), (Some(1), &json!("2026-03-09")));
    assert_eq!((&next["title"], &next["repeats"]["series"]), (&changed["title"], &changed["id"]));
    assert_eq!(app.delete(&path).await.status, 204);
    assert_eq!(app.get(&path).await.status, 404);
}

#[actix_web::test]
async fn a_task_that_cannot_be_meant_is_refused_by_its_field() {
    let (app, account, _) = App::with_ada().await;
    let path = format!("/v1/tasks/{}", leave(&app, &account).await.task);
    for (patch, wanted) in [
        (json!({"title": ""}), "title"),
        (json!({"estimate_min": 0}), "estimate_min"),
        (json!({"due": {"at": {"date": "soon"}}}), "due.at.date"),
        (json!({"due": {"at": {"date": "2026-03-06"}, "firmness": "x"}}), "due.firmness"),
        (json!({"not_before": {}}), "not_before"),
        (json!({"hours": "nights"}), "hours"),
        (json!({"min_chunk_min": 60, "max_chunk_min": 30}), "max_chunk_min"),
        (json!({"after": [uuid::Uuid::nil()]}), "after"),
        (json!({"repeats": {"rule": "FREQ=SOMETIMES"}}), "repeats"),
        (json!({"status": "carried"}), "status"),
        (json!({"colour": "red"}), "colour"),
    ] {
        assert_eq!(field(&app.patch(&path, patch.clone()).await), (422, wanted.into()), "{patch}");
    }
}

#[actix_web::test]
async fn tasks_come_in_pages() {
    let (app, _, _) = App::with_ada().await;
    for title in ["a", "b", "c"] {
        app.post("/v1/tasks", json!({"user_id": "ada", "title": title})).await.ok();
    }
    let first = app.get("/v1/tasks?user_id=ada&limit=2").await.ok();
    assert_eq!(first["data"].as_array().map(Vec::len), Some(2));
    let cursor = first["next_cursor"].as_str().expect("more");
    let last = app.get(&format!("/v1/tasks?user_id=ada&limit=2&cursor={cursor}")).await.ok();
    assert_eq!(last["next_cursor"], Value::Null);
    let rows = [&first, &last].into_iter().flat_map(|page| page["data"].as_array().expect("rows"));
    let mut titles: Vec<_> = rows.map(|row| row["title"].as_str().expect("a title")).collect();
    titles.sort_unstable();
    assert_eq!(titles, ["a", "b", "c"]);
}

#[actix_web::test]
async fn a_block_is_moved_released_and_taken_away() {
    let (app, account, _) = App::with_ada().await;
    let work = leave(&app, &account).await;
    let path = format!("/v1/blocks/{}", work.block);
    let held = app.get(&path).await.ok();
    assert_eq!(
        (&held["lock"], &held["state"], &held["time_zone"]),
        (&json!("user"), &json!("confirmed"), &json!("Europe/Paris"))
    );
    let list = app.get("/v1/blocks?user_id=ada&from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z").await.ok();
    assert_eq!(list["data"], json!([held]));
    assert_eq!(app.get(&format!("/v1/tasks/{}/blocks", work.task)).await.ok()["data"], json!([held]));
    let noon = json!({"start": "2026-03-02T12:00:00Z", "end": "2026-03-02T13:00:00Z"});
    let moved = with_tag(&app, Method::PATCH, &path, "\"v1\"", noon.clone()).await.ok();
    assert_eq!((&moved["start"], &moved["id"]), (&noon["start"], &held["id"]));
    assert_eq!(with_tag(&app, Method::PATCH, &path, "\"v1\"", noon).await.refused().1, "stale");
    assert_eq!(app.patch(&path, json!({"lock": "none"})).await.ok()["lock"], "none");
    for (patch, wanted) in [
        (json!({}), "start"),
        (json!({"start": "2026-03-02T12:00:00Z"}), "end"),
        (json!({"start": "2026-03-02T12:00:00Z", "end": "2026-03-02T12:00:00Z"}), "end"),
        (json!({"start": "noon", "end": "2026-03-02T12:00:00Z"}), "start"),
        (json!({"lock": "user"}), "lock"),
        (json!({"lock": "none", "start": "2026-03-02T12:00:00Z"}), "lock"),
    ] {
        assert_eq!(field(&app.patch(&path, patch.clone()).await), (422, wanted.into()), "{patch}");
    }
    assert_eq!(field(&app.post(&format!("{path}/confirm"), json!({})).await), (422, "state".into()));
    assert_eq!(
        field(&app.get("/v1/blocks?user_id=ada&from=2026-03-02T00:00:00Z&to=2027-03-02T00:00:00Z").await),
        (422, "to".into())
    );
    assert_eq!(app.delete(&path).await.status, 204);
    assert_eq!(app.get(&path).await.status, 404);
}

#[actix_web::test]
async fn rules_are_the_defaults_until_they_are_set() {
    let (app, _, _) = App::with_ada().await;
    let path = "/v1/users/ada/planning";
    let first = app.get(path).await;
    assert_eq!((first.header("etag"), &first.ok()["look_ahead_days"]), ("\"v0\"", &json!(14)));
    let evening = json!({"look_ahead_days": 7, "hours": {"evening": {"weekly": {"mon": [["18:00", "24:00"]]}}}});
    let set = with_tag(&app, Method::PUT, path, "\"v0\"", evening.clone()).await.ok();
    assert_eq!(set["hours"]["evening"]["weekly"], json!({"mon": [["18:00", "24:00"]]}));
    assert_eq!(app.get(path).await.ok(), set);
    assert_eq!(with_tag(&app, Method::PUT, path, "\"v0\"", evening).await.refused().1, "stale");
    for (body, wanted) in [
        (json!({"look_ahead_days": 0}), "look_ahead_days"),
        (json!({"daily_cap_min": 0}), "daily_cap_min"),
        (json!({"day_starts_at": "13:00"}), "day_starts_at"),
        (json!({"hours": {"work": {"weekly": {"mon": [["x", "y"]]}}}}), "hours.work.weekly.?[0]"),
    ] {
        assert_eq!(field(&app.put(path, body.clone()).await), (422, wanted.into()), "{body}");
    }
}

/// Two tasks planned, and what is offered.
async fn offered(app: &App, context: Option<ContextId>) -> Value {
    hours(app, "ada").await;
    for (title, estimate_min) in [("Weeds", 60), ("Roses", 45)] {
        let body = json!({"user_id": "ada", "title": title, "estimate_min": estimate_min, "context_id": context});
        app.post("/v1/tasks", body).await.ok();
    }
    app.post("/v1/schedule", json!({"user_id": "ada"})).await.ok()
}

#[actix_web::test]
async fn two_tasks_are_offered_places_within_hours_and_come_to_be_blocks() {
    let (app, _, _) = App::with_ada().await;
    let planned = offered(&app, None).await;
    assert_eq!((&planned["score"][0], &planned["score"][1], &planned["unplaced"]), (&json!(0), &json!(0), &json!([])));
    let proposal = &planned["proposal"];
    let changes = proposal["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 2);
    for change in changes {
        // It is nine in Paris; the hours end at five, an hour ahead of UTC.
        let (start, end) =
            (change["to"]["start"].as_str().expect("a time"), change["to"]["end"].as_str().expect("a time"));
        assert!(start >= "2026-03-02T08:00:00Z" && end <= "2026-03-02T16:00:00Z", "{change}");
        assert_eq!(
            (&change["do"], &change["from"], &change["reason"]),
            (&json!("add"), &Value::Null, &json!("placed"))
        );
    }
    let path = format!("/v1/proposals/{}", id::<ProposalId>(proposal));
    assert_eq!(app.get(&path).await.ok(), *proposal);
    assert_eq!(app.get("/v1/proposals?user_id=ada").await.ok()["data"], json!([proposal]));
    assert_eq!(
        app.get("/v1/blocks?user_id=ada").await.ok()["data"],
        json!([]),
        "nothing is done before somebody accepts"
    );
    let other = json!({"blocks": [uuid::Uuid::nil()]});
    assert_eq!(field(&app.post(&format!("{path}/accept"), other).await), (422, "blocks".into()));
    assert_eq!(app.post(&format!("{path}/accept"), json!({})).await.ok()["state"], "accepted");
    let blocks = app.get("/v1/blocks?user_id=ada").await.ok();
    let places = |rows: &Value, name: &str| -> Vec<Value> {
        rows.as_array().expect("rows").iter().map(|row| row[name].clone()).collect()
    };
    assert_eq!(places(&blocks["data"], "id"), places(&proposal["changes"], "block_id"));
    assert_eq!(app.post("/v1/schedule", json!({"user_id": "ada"})).await.ok()["proposal"], Value::Null);
    let back = app.post(&format!("{path}/put-back"), json!({"blocks": [changes[0]["block_id"]]})).await.ok();
    assert_eq!(places(&back["changes"], "state"), ["put_back", "accepted"]);
    assert_eq!(app.get("/v1/blocks?user_id=ada").await.ok()["data"].as_array().map(Vec::len), Some(1));
}

#[actix_web::test]
async fn a_refused_proposal_is_over_and_one_out_of_date_is_not_accepted() {
    let (app, _, _) = App::with_ada().await;
    let planned = offered(&app, None).await;
    let path = format!("/v1/proposals/{}", id::<ProposalId>(&planned["proposal"]));
    app.post("/v1/tasks", json!({"user_id": "ada", "title": "Hedge", "estimate_min": 30})).await.ok();
    assert_eq!(field(&app.post(&format!("{path}/accept"), json!({})).await), (422, "state".into()));
    assert_eq!(app.get(&path).await.ok()["state"], "expired");
    let next = app.post("/v1/schedule", json!({"user_id": "ada"})).await.ok();
    let path = format!("/v1/proposals/{}", id::<ProposalId>(&next["proposal"]));
    assert_eq!(app.send(app.request(Method::POST, &format!("{path}/reject"))).await.ok()["state"], "rejected");
    assert_eq!(field(&app.send(app.request(Method::POST, &format!("{path}/reject"))).await), (422, "state".into()));
}

#[actix_web::test]
async fn what_has_no_place_comes_with_its_reason_and_what_may_be_done() {
    let (app, _, _) = App::with_ada().await;
    hours(&app, "ada").await;
    let unsaid = app.post("/v1/tasks", json!({"user_id": "ada", "title": "Something"})).await.ok();
    let long = json!({"user_id": "ada", "title": "Wall", "estimate_min": 600, "splittable": false});
    let long = app.post("/v1/tasks", long).await.ok();
    let planned = app.post("/v1/schedule", json!({"user_id": "ada"})).await.ok();
    let rows = planned["unplaced"].as_array().expect("rows");
    let of = |task: &Value| rows.iter().find(|row| row["task_id"] == task["id"]).expect("told");
    assert_eq!(
        (&of(&unsaid)["reason"], &of(&unsaid)["actions"]),
        (&json!({"code": "no_estimate"}), &json!([{"code": "give_estimate"}]))
    );
    let wall = of(&long);
    let reason = json!({"code": "largest_gap_too_small", "gap_min": 480, "min_chunk_min": 600, "placeable_min": 0});
    assert_eq!((&wall["rest_min"], &wall["reason"]), (&json!(600), &reason));
    assert_eq!(wall["actions"][0], json!({"code": "shorten_chunk", "to_min": 480}));
    assert_eq!(planned["proposal"], Value::Null);
    assert_eq!(field(&app.post("/v1/schedule", json!({})).await), (422, "user_id".into()));
}

async fn garden(app: &App, calendar: &Calendar, visibility: &str) -> ContextId {
    let body = json!({"user_id": "ada", "name": "Garden", "visibility": visibility, "calendar_id": calendar.id});
    id(&app.post("/v1/contexts", body).await.ok())
}

/// The events that there are once two tasks of a context are planned.
async fn shown(app: &App, context: ContextId) -> Vec<Value> {
    let planned = offered(app, Some(context)).await;
    let path = format!("/v1/proposals/{}/accept", id::<ProposalId>(&planned["proposal"]));
    app.post(&path, json!({})).await.ok();
    assert_eq!(app.get("/v1/blocks?user_id=ada").await.ok()["data"].as_array().map(Vec::len), Some(2));
    app.get("/v1/events?user_id=ada").await.ok()["data"].as_array().expect("rows").clone()
}

#[actix_web::test]
async fn a_shared_context_shows_its_blocks_and_a_private_one_does_not() {
    let (app, account, calendar) = App::with_ada().await;
    let context = garden(&app, &calendar, "shared").await;
    let events = shown(&app, context).await;
    let mut titles: Vec<_> = events.iter().map(|event| event["title"].as_str().expect("a title")).collect();
    titles.sort_unstable();
    assert_eq!(titles, ["Roses", "Weeds"]);
    assert!(events.iter().all(|event| event["calendar_id"] == json!(calendar.id)));
    let owed = app.get(&format!("/v1/accounts/{}/outbox", account.id)).await.ok();
    assert_eq!(owed["data"].as_array().map(Vec::len), Some(2));
    let (app, account, calendar) = App::with_ada().await;
    let context = garden(&app, &calendar, "private").await;
    assert_eq!(shown(&app, context).await, Vec::<Value>::new());
    assert_eq!(app.get(&format!("/v1/accounts/{}/outbox", account.id)).await.ok()["data"], json!([]));
}

#[actix_web::test]
async fn what_is_planned_while_a_calendar_takes_nothing_is_shown_once_it_does() {
    let (app, account, calendar) = App::with_ada().await;
    let path = format!("/v1/calendars/{}", calendar.id);
    let turn = |direction: &'static str| app.patch(&path, json!({ "direction": direction }));
    let titles = async || {
        let events = app.get("/v1/events?user_id=ada").await.ok();
        let rows = events["data"].as_array().expect("rows");
        let mut titles: Vec<_> =
            rows.iter().map(|event| event["title"].as_str().expect("a title").to_owned()).collect();
        titles.sort_unstable();
        titles
    };
    let context = garden(&app, &calendar, "shared").await;
    turn("from_provider").await.ok();
    assert_eq!(shown(&app, context).await, Vec::<Value>::new());
    turn("both").await.ok();
    assert_eq!(titles().await, ["Roses", "Weeds"]);
    let owed = app.get(&format!("/v1/accounts/{}/outbox", account.id)).await.ok();
    assert_eq!(owed["data"].as_array().map(Vec::len), Some(2));
}

#[actix_web::test]
async fn a_clock_runs_from_start_to_stop() {
    let (app, account, _) = App::with_ada().await;
    let work = leave(&app, &account).await;
    let act = |act: &str| app.post("/v1/focus", json!({"user_id": "ada", "act": act}));
    assert_eq!(app.get("/v1/focus?user_id=ada").await.ok()["session"], Value::Null);
    assert_eq!(field(&act("pause").await).0, 422);
    assert_eq!(field(&act("dance").await), (422, "act".into()));
    let named = |act: &str| app.post("/v1/focus", json!({"user_id": "ada", "act": act, "task_id": work.task}));
    assert_eq!(field(&named("stop").await), (422, "task_id".into()));
    let begun = named("start").await.ok();
    assert_eq!((&begun["session"]["state"], &begun["session"]["task_id"]), (&json!("running"), &json!(work.task)));
    app.clock.advance(Duration::minutes(20));
    let held = app.get("/v1/focus?user_id=ada").await.ok();
    assert_eq!(held["worked_min"], 20);
    assert_eq!(act("pause").await.ok()["session"]["state"], "paused");
    assert_eq!(act("resume").await.ok()["session"]["state"], "running");
    assert_eq!(act("finish").await.ok()["session"], Value::Null);
    let task = app.get(&format!("/v1/tasks/{}", work.task)).await.ok();
    assert_eq!((&task["status"], &task["actual_min"]), (&json!("done"), &json!(20)));
}

#[actix_web::test]
async fn what_was_worked_over_midnight_is_told_by_date() {
    let (app, account, _) = App::with_ada().await;
    let work = leave(&app, &account).await;
    let today: NaiveDate = app.services().world.now().date_naive();
    // In Paris, where Ada lives.
    let midnight = today.and_hms_opt(23, 0, 0).expect("a time").and_utc();
    let tomorrow = today.succ_opt().expect("a date");
    app.clock.advance(midnight - Duration::minutes(20) - app.services().world.now());
    let named = json!({"user_id": "ada", "act": "start", "task_id": work.task});
    app.post("/v1/focus", named).await.ok();
    app.clock.advance(Duration::minutes(50));
    let days = app.get("/v1/focus/days?user_id=ada").await.ok();
    let day = |date: NaiveDate, minutes: i64| json!({"date": date, "worked_min": minutes});
    assert_eq!(days["days"], json!([day(today, 20), day(tomorrow, 30)]));
    let one = app.get(&format!("/v1/focus/days?user_id=ada&from={tomorrow}&to={tomorrow}")).await.ok();
    assert_eq!(one["days"], json!([day(tomorrow, 30)]));
    let back = app.get(&format!("/v1/focus/days?user_id=ada&from={tomorrow}&to={today}")).await;
    assert_eq!(field(&back), (422, "to".into()));
    let open = app.get(&format!("/v1/focus/days?user_id=ada&from={today}")).await.ok();
    assert_eq!(open["days"], days["days"], "up to today");
    assert_eq!(field(&app.get("/v1/focus/days?user_id=ada&from=2024-01-01").await), (422, "to".into()));
    assert_eq!(field(&app.get("/v1/focus/days?user_id=ada&from=soon").await), (422, "from".into()));
}

#[actix_web::test]
async fn a_change_of_day_is_told_and_taken_back_once() {
    let (app, account, _) = App::with_ada().await;
    let work = leave(&app, &account).await;
    let list = app.get("/v1/rollovers?user_id=ada").await.ok();
    assert_eq!(list["data"][0]["id"], json!(work.rollover));
    assert_eq!(
        (&list["data"][0]["date"], &list["data"][0]["tasks"][0]["from_task_id"]),
        (&json!("2026-03-02"), &json!(work.task))
    );
    let mut tx = app.services().store.begin(Mode::Write, &Scope::Whole).await.expect("a transaction");
    let mut task = tx.task(&Scope::Whole, work.task).await.expect("read").expect("a task");
    task.facts.status = TaskStatus::Skipped;
    tx.put_tasks(&[task]).await.expect("stored");
    tx.commit().await.expect("durable");
    let path = format!("/v1/rollovers/{}/undo", work.rollover);
    let undo = || app.post(&path, json!({}));
    let undone = undo().await;
    let back = json!({"task_id": work.task, "back": true, "removed_task_id": null, "kept": null});
    assert_eq!(undone.ok()["tasks"], json!([back]));
    assert!(undone.json()["rollover"]["undone_at"].is_string());
    assert_eq!(field(&undo().await), (422, "id".into()));
}

#[actix_web::test]
async fn a_day_that_has_begun_does_not_begin_again() {
    let (app, _, _) = App::with_ada().await;
    let yesterday = async |title: &str| {
        let task = app.post("/v1/tasks", json!({"user_id": "ada", "title": title, "estimate_min": 60})).await.ok();
        format!("/v1/tasks/{}/blocks", id::<TaskId>(&task))
    };
    let (weeds, roses) = (yesterday("Weeds").await, yesterday("Roses").await);
    let span = json!({"start": "2026-03-02T10:00:00Z", "end": "2026-03-02T11:00:00Z"});
    app.post(&weeds, span.clone()).await.ok();
    app.clock.advance(Duration::days(1));
    let rolled = async |zone| {
        app.services().roll_zone(zone).await.expect("rolled");
        let (days, tasks) =
            (app.get("/v1/rollovers?user_id=ada").await.ok(), app.get("/v1/tasks?user_id=ada").await.ok());
        let count = |list: &Value| list["data"].as_array().map(Vec::len);
        (count(&days), count(&tasks))
    };
    let paris = chrono_tz::Europe::Paris;
    assert_eq!(rolled(paris).await, (Some(1), Some(3)), "the weeds go on in a new instance");
    // What is entered of a day that is over is for the next change of day.
    app.post(&roses, span).await.ok();
    assert_eq!(rolled(paris).await, (Some(1), Some(3)));
    // Who moves to where it is the same day has begun it already.
    app.put("/v1/users/ada", json!({"name": "Ada", "time_zone": "Europe/Berlin"})).await.ok();
    let berlin = chrono_tz::Europe::Berlin;
    assert_eq!(rolled(berlin).await, (Some(1), Some(3)));
    app.clock.advance(Duration::days(1));
    assert_eq!(rolled(berlin).await, (Some(2), Some(4)));
}

#[actix_web::test]
async fn people_are_free_where_their_hours_are_and_their_blocks_are_not() {
    let (app, account, _) = App::with_ada().await;
    leave(&app, &account).await;
    let body = |users: Value, to: &str| json!({"users": users, "from": "2026-03-02T00:00:00Z", "to": to, "duration_min": 60, "suggestions": 2});
    let query = |body: Value| app.post("/v1/availability/query", body);
    let told = query(body(json!(["ada"]), "2026-03-03T00:00:00Z")).await.ok();
    let ada = &told["users"][0];
    let span = |start: &str, end: &str| json!({"start": format!("2026-03-02T{start}:00Z"), "end": format!("2026-03-02T{end}:00Z")});
    assert_eq!(ada["busy"], json!([span("10:00", "11:00")]));
    assert_eq!(ada["free"], json!([span("08:00", "10:00"), span("11:00", "16:00")]));
    assert_eq!(ada["accounts"][0], json!({"account_id": account.id, "status": "active", "read_at": null}));
    assert_eq!(told["suggestions"], json!([span("08:00", "09:00"), span("09:00", "10:00")]));
    assert_eq!(field(&query(body(json!([]), "2026-03-03T00:00:00Z")).await), (422, "users".into()));
    assert_eq!(field(&query(body(json!(["ada"]), "2026-03-01T00:00:00Z")).await), (422, "to".into()));
    let many = json!({"users": ["ada"], "from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z", "duration_min": 60, "suggestions": 101});
    assert_eq!(field(&query(many).await), (422, "suggestions".into()));
    assert_eq!(query(body(json!(["eve"]), "2026-03-03T00:00:00Z")).await.status, 404);
}

/// Tasks of a person with hardly any hours.
const MANY: usize = 130;

#[actix_web::test]
async fn the_answer_to_a_list_that_does_not_fit_is_bounded_and_counts_the_rest() {
    let (app, account, _) = App::with_ada().await;
    let user = account.user_id.as_str();
    let weekly = json!({"mon": [["09:00", "10:00"]]});
    app.put(&format!("/v1/users/{user}/planning"), json!({"hours": {"work": {"weekly": weekly}}})).await.ok();
    for at in 0..MANY {
        let task = json!({"user_id": user, "title": format!("Task {at}"), "estimate_min": 60, "due": {"at": {"date": "2026-03-04"}, "firmness": "soft"}});
        app.post("/v1/tasks", task).await.ok();
    }
    let plan = app.post("/v1/schedule", json!({ "user_id": user })).await.ok();
    let unplaced = plan["unplaced"].as_array().expect("a list");
    assert_eq!((unplaced.len(), &plan["ended_early"]), (100, &json!(false)));
    assert!(plan["unplaced_count"].as_u64().expect("a number") >= MANY as u64 - 5, "{}", plan["unplaced_count"]);
    let mut counted = 0;
    for one in unplaced {
        let reason = &one["reason"];
        if let Some(named) = reason["task_ids"].as_array() {
            assert!(named.len() <= 20 && reason["task_count"].as_u64() >= Some(named.len() as u64), "{reason}");
            counted += 1;
        }
    }
    assert!(counted > 0, "{plan}");
}

#[actix_web::test]
async fn a_chain_of_tasks_may_be_long_and_may_not_close() {
    let (app, account, _) = App::with_ada().await;
    let user = account.user_id.as_str();
    let mut chain: Vec<Value> = Vec::new();
    for at in 0..30 {
        let after: Vec<&Value> = chain.last().into_iter().collect();
        let task = app.post("/v1/tasks", json!({"user_id": user, "title": format!("Task {at}"), "after": after})).await;
        chain.push(task.ok()["id"].clone());
    }
    let close = async |first: &Value, last: &Value| {
        app.patch(&format!("/v1/tasks/{}", first.as_str().expect("an id")), json!({"after": [last]})).await
    };
    assert_eq!(field(&close(&chain[0], &chain[29]).await), (422, "after".into()));
    // Through what is over, too.
    let middle = format!("/v1/tasks/{}", chain[15].as_str().expect("an id"));
    app.patch(&middle, json!({"status": "done"})).await.ok();
    assert_eq!(field(&close(&chain[0], &chain[29]).await), (422, "after".into()));
    assert_eq!(field(&close(&chain[0], &json!(BlockId(uuid::Uuid::nil()))).await), (422, "after".into()));
}
