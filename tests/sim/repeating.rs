//! Tasks that come again, and tasks that come from a calendar, over a midnight beside a Google calendar.

use std::time::Duration;

use calwarden::{
    domain::{
        ids::TaskId,
        notice::NoticeKind,
        person::Scope,
        task::{MissedPolicy, Repeats, Task, TaskFacts, TaskStatus},
        time::Window,
    },
    service::{change_calendar::CalendarChange, planning::tasks::TasksWanted},
};
use serde_json::json;

use super::{
    days::{GIL, story},
    planning::{AppState, at, until},
};

const FEW_MINUTES: Duration = Duration::from_mins(5);

fn span(from: &str, to: &str) -> Window {
    Window { from: at(from), to: at(to) }
}

impl AppState<'_> {
    async fn repeating(&self, title: &str, rule: &str, missed: Option<MissedPolicy>) -> TaskId {
        let repeats = Some(Repeats { rule: rule.to_owned(), missed });
        self.task(TaskFacts { repeats, estimate_min: Some(60), ..TaskFacts::new(title) }).await
    }

    /// The open instances of a title, as the dates they are for.
    async fn open(&self, title: &str) -> Vec<(TaskId, String)> {
        let wanted = TasksWanted {
            user_id: self.person.user.clone(),
            open_only: true,
            context_id: None,
            after: None,
            limit: 99,
        };
        let all = self.alive.services.tasks(&Scope::Whole, &wanted).await.expect("tasks");
        let named = all.into_iter().filter(|task| task.facts.title == title);
        named.map(|task| (task.id, task.series.map_or(String::new(), |series| series.date.to_string()))).collect()
    }

    async fn get(&self, task: TaskId) -> Task {
        self.alive.services.task(&Scope::Whole, task).await.expect("a task")
    }

    async fn set(&self, task: TaskId, status: TaskStatus) {
        let facts = TaskFacts { status, ..self.get(task).await.facts };
        self.alive.services.change_task(&Scope::Whole, task, None, |_| facts.clone()).await.expect("changed");
    }
}

fn dates(open: &[(TaskId, String)]) -> Vec<&str> {
    open.iter().map(|(_, date)| date.as_str()).collect()
}

#[test]
fn what_repeats_is_there_once_and_comes_again_when_it_is_over() {
    story(5, async |alive, outside, person, _| {
        let desk = AppState { alive, outside, person };
        until(alive, "2026-03-28T08:00:00Z").await;
        let habit = desk.repeating("Stretch", "FREQ=DAILY", None).await;
        let report = desk.repeating("Report", "FREQ=WEEKLY", None).await;
        let diary = desk.repeating("Diary", "FREQ=DAILY", Some(MissedPolicy::Stack)).await;
        for (task, from, to) in [
            (habit, "2026-03-28T15:00:00Z", "2026-03-28T16:00:00Z"),
            (report, "2026-03-28T16:00:00Z", "2026-03-28T17:00:00Z"),
            (diary, "2026-03-28T17:00:00Z", "2026-03-28T18:00:00Z"),
        ] {
            alive.services.create_block(&Scope::Whole, task, span(from, to)).await.expect("a block");
        }
        until(alive, "2026-03-28T23:05:00Z").await;

        // The habit was missed and is not owed twice; the report goes on; of the diary there are two.
        assert_eq!(desk.get(habit).await.facts.status, TaskStatus::Skipped);
        let today = desk.open("Stretch").await;
        assert_eq!(dates(&today), ["2026-03-29"]);
        let carried = desk.open("Report").await;
        assert_eq!((dates(&carried), desk.get(carried[0].0).await.carried_from), (vec!["2026-03-28"], Some(report)));
        let mut diaries = desk.open("Diary").await;
        diaries.sort_by(|one, other| one.1.cmp(&other.1));
        assert_eq!(dates(&diaries), ["2026-03-28", "2026-03-29"]);

        // Done, opened again and done once more: the next one comes once.
        for status in [TaskStatus::Done, TaskStatus::Open, TaskStatus::Done] {
            desk.set(today[0].0, status).await;
        }
        assert_eq!(dates(&desk.open("Stretch").await), ["2026-03-30"]);

        // Yesterday's report was written after all: today's is not wanted, next week's is.
        desk.set(report, TaskStatus::Done).await;
        assert_eq!(desk.get(carried[0].0).await.facts.status, TaskStatus::Cancelled);
        assert_eq!(dates(&desk.open("Report").await), ["2026-04-04"]);
        let facts = TaskFacts { status: TaskStatus::Open, ..desk.get(habit).await.facts };
        alive
            .services
            .change_task(&Scope::Whole, habit, None, |_| facts.clone())
            .await
            .expect("what was skipped may be done late");

        // Two midnights, once each, and the first night had an hour less.
        until(alive, "2026-03-29T22:05:00Z").await;
        let turned = alive.services.rollovers(&Scope::Whole, &person.user, None, 9).await.expect("rollovers");
        let days: Vec<_> = turned.iter().map(|one| one.date.to_string()).collect();
        assert_eq!(days, ["2026-03-30", "2026-03-29"]);
    });
}

#[test]
fn events_of_a_calendar_that_makes_tasks_are_tasks_and_stay_as_they_are() {
    story(6, async |alive, outside, person, _| {
        let desk = AppState { alive, outside, person };
        let write = |method: &str, path: &str, body: serde_json::Value| {
            outside.borrow_mut().google.write_event(alive.world.now(), GIL, method, path, &body);
        };
        let timed = |from: &str, to: &str| json!({ "start": { "dateTime": from }, "end": { "dateTime": to } });
        let mut dentist = timed("2026-03-28T14:00:00Z", "2026-03-28T15:00:00Z");
        dentist["summary"] = json!("Dentist");
        write("POST", "", dentist);
        tokio::time::sleep(FEW_MINUTES).await;
        assert!(desk.open("Dentist").await.is_empty(), "nobody asked for tasks");

        let calendar = person.calendars[0].0;
        let change = CalendarChange { makes_tasks: Some(true), ..CalendarChange::default() };
        alive.services.change_calendar(&Scope::Whole, calendar, None, change).await.expect("it makes tasks");
        let made = desk.open("Dentist").await;
        assert_eq!(made.len(), 1, "what is ahead already");
        write(
            "POST",
            "",
            json!({ "summary": "Taxes", "start": { "date": "2026-03-31" }, "end": { "date": "2026-04-01" } }),
        );
        tokio::time::sleep(FEW_MINUTES).await;
        let taxes = desk.open("Taxes").await;
        assert_eq!(taxes.len(), 1, "and what comes");
        let [inserted, changed, deleted] = desk.writes();

        // The block is the event: it follows without a question, and is not to be moved from here.
        let dentist = desk.get(made[0].0).await;
        let block = desk.block_of(dentist.id).await;
        assert_eq!(
            (block.span(), dentist.facts.estimate_min),
            (span("2026-03-28T14:00:00Z", "2026-03-28T15:00:00Z"), Some(60))
        );
        let there = |title: &str| format!("/{}", desk.there(title).expect("an event")["id"].as_str().expect("an id"));
        write("PATCH", &there("Dentist"), timed("2026-03-28T16:00:00Z", "2026-03-28T16:30:00Z"));
        tokio::time::sleep(FEW_MINUTES).await;
        assert_eq!(desk.block_of(dentist.id).await.span(), span("2026-03-28T16:00:00Z", "2026-03-28T16:30:00Z"));
        assert_eq!(desk.told(NoticeKind::BlockMoved).await, 0);
        let elsewhere = span("2026-03-28T17:00:00Z", "2026-03-28T18:00:00Z");
        assert!(alive.services.move_block(&Scope::Whole, block.id, None, elsewhere).await.is_err());

        // Whatever becomes of the tasks, the calendar stays as it is; what is deleted there is given up here.
        desk.set(taxes[0].0, TaskStatus::Done).await;
        alive.services.delete_task(&Scope::Whole, taxes[0].0).await.expect("deleted");
        write("DELETE", &there("Dentist"), serde_json::Value::Null);
        tokio::time::sleep(FEW_MINUTES).await;
        assert_eq!(desk.get(dentist.id).await.facts.status, TaskStatus::Cancelled);
        assert!(desk.there("Taxes").is_some());
        assert_eq!(desk.writes(), [inserted, changed + 1, deleted + 1], "nothing was written there but by its owner");
    });
}
