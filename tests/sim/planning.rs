//! A weekend of planned work beside a Google calendar: offered, accepted, pushed aside, dragged, worked on longer than planned,
//! and carried over a midnight that loses an hour.

use std::time::Duration;

use calwarden::{
    domain::{
        block::{BlockLock, BlockState, TimeBlock},
        context::ContextVisibility,
        ids::TaskId,
        notice::NoticeKind,
        person::Scope,
        proposal::{Change, PlanCause, ProposalState},
        task::{Priority, TaskFacts, TaskStatus},
        working_hours::PlanningRules,
    },
    service::planning::{contexts::ContextFacts, run_focus::FocusAct, tasks::TasksWanted},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    cast::Person,
    days::{GIL, story},
    life::Alive,
    serve::Shared,
};

const MINUTE: Duration = Duration::from_mins(1);

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// Sleeps until an instant of the story's clock.
pub async fn until(alive: &Alive, text: &str) {
    let wait = (at(text) - alive.world.now()).to_std().expect("an instant ahead");
    tokio::time::sleep(wait).await;
}

pub fn task(title: &str, minutes: u32, context: Option<calwarden::domain::ids::ContextId>) -> TaskFacts {
    TaskFacts {
        context_id: context,
        priority: Priority::High,
        estimate_min: Some(minutes),
        splittable: false,
        ..TaskFacts::new(title)
    }
}

/// The story's person, at work.
pub struct AppState<'a> {
    pub alive: &'a Alive,
    pub outside: &'a Shared,
    pub person: &'a Person,
}

impl AppState<'_> {
    async fn context(&self, name: &str, visibility: ContextVisibility) -> calwarden::domain::ids::ContextId {
        let facts = ContextFacts { name: name.to_owned(), visibility, calendar_id: Some(self.person.calendars[0].0) };
        self.alive.services.create_context(&Scope::Whole, &self.person.user, facts).await.expect("a context").id
    }

    pub async fn task(&self, facts: TaskFacts) -> TaskId {
        self.alive.services.create_task(&Scope::Whole, &self.person.user, facts).await.expect("a task").id
    }

    pub async fn block_of(&self, task: TaskId) -> TimeBlock {
        let blocks = self.alive.services.blocks_of_task(&Scope::Whole, task).await.expect("blocks");
        blocks.into_iter().next_back().expect("a block")
    }

    /// What the calendar there says of an event.
    pub fn there(&self, title: &str) -> Option<Value> {
        let all = self.outside.borrow_mut().google.events(self.alive.world.now(), GIL);
        let mut found = all.into_iter().filter(|item| item["summary"] == title && item["status"] != "cancelled");
        let one = found.next();
        assert!(found.next().is_none(), "{title} is there twice");
        one
    }

    /// Writes to events that the calendar there has taken: made, changed, deleted.
    pub fn writes(&self) -> [u64; 3] {
        let counts = self.outside.borrow_mut().google.control(self.alive.world.now(), "GET", "requests", &Value::Null);
        ["events.insert", "events.patch", "events.delete"].map(|name| counts[name].as_u64().unwrap_or(0))
    }

    /// The one offer that waits for an answer.
    async fn offer(&self) -> calwarden::domain::proposal::Proposal {
        let all = self.alive.services.proposals(&Scope::Whole, &self.person.user, None, 50).await.expect("proposals");
        let mut open = all.into_iter().filter(|one| one.state == ProposalState::Open);
        let one = open.next().expect("an offer");
        assert!(open.next().is_none(), "one offer at a time");
        one
    }

    async fn accept(&self) {
        let offer = self.offer().await;
        self.alive.services.accept_proposal(&Scope::Whole, offer.id, None).await.expect("accepted");
        tokio::time::sleep(MINUTE).await;
    }

    pub async fn told(&self, kind: NoticeKind) -> usize {
        let all = self.alive.services.notices(&Scope::Whole, Some(&self.person.user), false, None, 100).await;
        all.expect("notices").iter().filter(|notice| notice.subject.kind() == kind.as_str()).count()
    }
}

#[test]
fn a_weekend_of_planned_work() {
    story(4, async |alive, outside, person, _| {
        let desk = AppState { alive, outside, person };
        let hours: PlanningRules = serde_json::from_value(json!({
            "hours": { "work": { "weekly": { "sat": [["09:00", "17:00"]], "sun": [["09:00", "17:00"]] } } }
        }))
        .expect("rules");
        alive.services.set_planning_rules(&Scope::Whole, &person.user, None, hours).await.expect("rules are set");
        let work = desk.context("Work", ContextVisibility::Shared).await;
        let own = desk.context("Own", ContextVisibility::Private).await;
        let report = desk.task(task("Report", 120, Some(work))).await;
        let review = desk.task(task("Review", 60, Some(work))).await;
        let diary = desk.task(task("Diary", 60, Some(own))).await;

        // An offer writes nothing; accepting it does, and nothing private leaves (S9).
        alive.services.plan(&Scope::Whole, &person.user, PlanCause::Asked).await.expect("a plan");
        tokio::time::sleep(MINUTE).await;
        assert!(desk.there("Report").is_none(), "only offered");
        desk.accept().await;
        assert!(desk.there("Report").is_some() && desk.there("Review").is_some());
        assert!(desk.there("Diary").is_none(), "private");
        assert_eq!(desk.block_of(diary).await.event_id, None);

        // A meeting takes a block's time: an offer, and once it is accepted one conditional update of each event that moves.
        let first = desk.block_of(report).await.start.min(desk.block_of(review).await.start);
        let meeting = json!({ "summary": "Meeting", "colorId": "7",
            "start": { "dateTime": first.to_rfc3339() }, "end": { "dateTime": (first + chrono::Duration::hours(1)).to_rfc3339() } });
        outside.borrow_mut().google.write_event(alive.world.now(), GIL, "POST", "", &meeting);
        tokio::time::sleep(5 * MINUTE).await;
        let offer = desk.offer().await;
        assert_eq!(offer.cause, PlanCause::Collision);
        let moved =
            offer.changes.iter().filter(|one| matches!(one.change, Change::Move { .. }) && one.task_id != diary);
        let moved = moved.count() as u64;
        assert!(moved > 0 && offer.changes.iter().all(|one| matches!(one.change, Change::Move { .. })), "{offer:?}");
        let [made, changed, deleted] = desk.writes();
        desk.accept().await;
        assert_eq!(desk.writes(), [made, changed + moved, deleted], "one update each");

        // Somebody drags a block there: it follows, and waits for a yes.
        let event = desk.there("Review").expect("an event");
        let dragged = json!({ "start": { "dateTime": "2026-03-28T15:00:00+01:00" }, "end": { "dateTime": "2026-03-28T16:00:00+01:00" } });
        let path = format!("/{}", event["id"].as_str().expect("an id"));
        outside.borrow_mut().google.write_event(alive.world.now(), GIL, "PATCH", &path, &dragged);
        tokio::time::sleep(5 * MINUTE).await;
        let block = desk.block_of(review).await;
        assert_eq!((block.start, block.end), (at("2026-03-28T14:00:00Z"), at("2026-03-28T15:00:00Z")));
        assert_eq!((block.state, block.lock), (BlockState::Tentative, BlockLock::External));
        assert_eq!(desk.told(NoticeKind::BlockMoved).await, 1);
        alive.services.confirm_block(&Scope::Whole, block.id, None).await.expect("confirmed");
        assert_eq!(desk.block_of(review).await.lock, BlockLock::User);

        // Work that takes longer lengthens the block, and its event there, a quarter of an hour at a time.
        until(alive, "2026-03-28T14:00:10Z").await;
        let started = alive.services.act_on_focus(&Scope::Whole, &person.user, FocusAct::Start(Some(review))).await;
        assert!(started.expect("started").focus.is_some());
        until(alive, "2026-03-28T15:20:00Z").await;
        let end = desk.there("Review").expect("an event")["end"]["dateTime"].as_str().expect("an end").to_owned();
        assert_eq!(
            DateTime::parse_from_rfc3339(&end).expect("an instant"),
            at("2026-03-28T15:15:00Z").max(desk.block_of(review).await.end)
        );
        assert_eq!(desk.block_of(review).await.end, at("2026-03-28T15:30:00Z"));
        let done = alive.services.act_on_focus(&Scope::Whole, &person.user, FocusAct::Finish).await.expect("finished");
        assert!(done.focus.is_none());
        let review = alive.services.task(&Scope::Whole, review).await.expect("the task");
        assert_eq!((review.facts.status, review.actual_min), (TaskStatus::Done, 80));

        // What was not done is carried over the midnight, once; in this night an hour is missing.
        until(alive, "2026-03-28T23:01:00Z").await;
        let turned = alive.services.rollovers(&Scope::Whole, &person.user, None, 10).await.expect("rollovers");
        let dates: Vec<_> = turned.iter().map(|one| one.date.to_string()).collect();
        assert_eq!(dates.first().map(String::as_str), Some("2026-03-29"), "{dates:?}");
        let wanted =
            TasksWanted { user_id: person.user.clone(), open_only: true, context_id: None, after: None, limit: 50 };
        let open = alive.services.tasks(&Scope::Whole, &wanted).await.expect("tasks");
        let heirs: Vec<_> = open.iter().filter(|task| task.carried_from == Some(report)).collect();
        assert_eq!(heirs.len(), 1, "{open:?}");
        assert_eq!((heirs[0].carry_count, heirs[0].facts.title.as_str()), (1, "Report"));
        until(alive, "2026-03-29T10:00:00Z").await;
        let again = alive.services.rollovers(&Scope::Whole, &person.user, None, 10).await.expect("rollovers");
        assert_eq!(again.len(), turned.len(), "once");
    });
}
