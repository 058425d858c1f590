//! Records of planning.

use std::collections::BTreeSet;

use calwarden::domain::{
    block::{BlockLock, BlockOrigin, BlockState, TimeBlock},
    calendar::Calendar,
    context::{Context, ContextVisibility},
    event::Transparency,
    focus::{Focus, FocusState},
    ids::{ContextId, EventId, TaskId},
    person::Weekday,
    proposal::{BlockChange, Change, ChangeState, Fingerprint, PlanCause, Proposal, ProposalState},
    rollover::{OldBlock, RolledTask, Rollover},
    task::{Due, Firmness, MissedPolicy, PartOfDay, Priority, Repeats, Task, TaskFacts, TaskSeries, TaskStatus},
    time::{EventTime, Window},
    working_hours::{DayStart, HourSpan, PastPolicy, PlanMode, PlanningRules, TimeMap},
};
use chrono::NaiveDate;

use super::{at, id, space_id, user_id};
use crate::store_contract::Base;

pub fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

pub fn window(from: i64, to: i64) -> Window {
    Window { from: at(from), to: at(to) }
}

pub fn context(number: u64, calendar: Option<&Calendar>) -> Context {
    Context {
        id: id(number),
        space_id: space_id("home"),
        user_id: user_id("ada"),
        name: "Gärten".into(),
        visibility: ContextVisibility::Shared,
        calendar_id: calendar.map(|calendar| calendar.id),
        created_at: at(20),
        updated_at: at(21),
        version: 4,
    }
}

pub fn planning_rules() -> PlanningRules {
    let span = |from, to| HourSpan::new(from, to).expect("a span");
    let map = TimeMap {
        weekly: [(Weekday::Tue, vec![span(540, 720), span(780, 1_440)]), (Weekday::Sun, vec![])].into(),
        exceptions: [(date("2026-05-01"), vec![span(1_320, 360)]), (date("2026-05-02"), vec![])].into(),
    };
    PlanningRules {
        hours: [("work".into(), map.clone()), ("evening \"late\"".into(), map)].into(),
        holidays: BTreeSet::from([date("2026-12-25"), date("2026-12-26")]),
        look_ahead_days: 7,
        freeze_min: 45,
        buffer_min: 10,
        daily_cap_min: Some(300),
        mode: PlanMode::Auto,
        day_starts_at: DayStart::try_from("04:30".to_owned()).expect("before noon"),
        past: PastPolicy::AssumeDone,
    }
}

pub fn task(number: u64, context: Option<ContextId>, made_from: Option<EventId>) -> Task {
    let facts = TaskFacts {
        context_id: context,
        title: "Write the \"report\" \u{1f600}".into(),
        description: Some("line one\nline two".into()),
        project: Some("Q2".into()),
        priority: Priority::Urgent,
        estimate_min: Some(90),
        due: Some(Due {
            at: EventTime::zoned("2026-03-29T02:30:00".parse().expect("a time"), chrono_tz::Europe::Paris),
            firmness: Firmness::Hard,
        }),
        not_before: Some(EventTime::Date(date("2026-03-27"))),
        hours: Some("evening".into()),
        min_chunk_min: Some(15),
        max_chunk_min: Some(60),
        splittable: true,
        after: vec![id(901), id(902)],
        prefer: Some(PartOfDay::Morning),
        buffer_after_min: Some(5),
        repeats: Some(Repeats { rule: "FREQ=WEEKLY;BYDAY=MO".into(), missed: Some(MissedPolicy::Stack) }),
        status: TaskStatus::InProgress,
        pinned: true,
    };
    Task {
        id: id(number),
        space_id: space_id("home"),
        user_id: user_id("ada"),
        facts,
        actual_min: 25,
        series: Some(TaskSeries { id: id(900), first: date("2026-03-02"), date: date("2026-03-09") }),
        made_from,
        carried_from: Some(id(903)),
        carry_count: 2,
        carried_actual_min: 35,
        completed_at: Some(at(30)),
        created_at: at(22),
        updated_at: at(23),
        version: 6,
    }
}

pub fn block(number: u64, task: TaskId, event: Option<EventId>, span: Window) -> TimeBlock {
    TimeBlock {
        id: id(number),
        space_id: space_id("home"),
        user_id: user_id("ada"),
        task_id: task,
        event_id: event,
        start: span.from,
        end: span.to,
        wall: "2026-03-29T03:30:07.000123".parse().expect("a time"),
        zone: chrono_tz::Europe::Paris,
        origin: BlockOrigin::External,
        lock: BlockLock::Started,
        state: BlockState::Tentative,
        shows: Some(Transparency::Transparent),
        reason: "before_its_deadline".into(),
        plan_run: Some(id(910)),
        created_at: at(24),
        updated_at: at(25),
        version: 7,
    }
}

pub fn proposal(number: u64) -> Proposal {
    let change = |block: u64, change, state| BlockChange {
        block_id: id(block),
        task_id: id(904),
        change,
        reason: "collision".into(),
        state,
    };
    Proposal {
        id: id(number),
        space_id: space_id("home"),
        user_id: user_id("ada"),
        plan_run: id(911),
        cause: PlanCause::RoomFreed,
        inputs: Fingerprint::of(&["tasks", "events"]),
        changes: vec![
            change(920, Change::Add { to: window(0, 30) }, ChangeState::Open),
            change(921, Change::Move { from: window(0, 30), to: window(60, 90) }, ChangeState::Accepted),
            change(922, Change::Remove { from: window(5, 6) }, ChangeState::PutBack),
        ],
        state: ProposalState::Open,
        created_at: at(26),
        decided_at: Some(at(27)),
        version: 8,
    }
}

pub fn focus(number: u64, block: &TimeBlock) -> Focus {
    Focus {
        id: id(number),
        space_id: block.space_id.clone(),
        user_id: block.user_id.clone(),
        task_id: block.task_id,
        block_id: Some(block.id),
        state: FocusState::Paused,
        since: at(50),
        worked: vec![window(40, 45), window(47, 50)],
        overrun: true,
        started_at: at(40),
        ended_at: None,
        version: 9,
    }
}

pub fn rollover(number: u64, day: &str) -> Rollover {
    let old = OldBlock { id: id(923), span: window(0, 30), state: BlockState::Confirmed };
    let rolled = |to| RolledTask { from: id(905), to, to_version: 3, status: TaskStatus::Open, blocks: vec![old, old] };
    Rollover {
        id: id(number),
        space_id: space_id("home"),
        user_id: user_id("ada"),
        date: date(day),
        skipped: Some((date("2026-03-07"), date("2026-03-08"))),
        tasks: vec![rolled(Some(id(906))), rolled(None)],
        waiting: vec![id(907)],
        ran_at: at(28),
        undone_at: Some(at(29)),
    }
}

/// Ada with an event (3), a context (20), a task made from the event (30), and its block from the hundredth minute to the
/// hundred and sixtieth (40), which is published as the event.
pub async fn ada_with_work(base: &Base) -> (Context, Task, TimeBlock) {
    let (_, calendar, event, _) = super::ada_with_an_event(base).await;
    let context = context(20, Some(&calendar));
    let task = task(30, Some(context.id), Some(event.id));
    let block = block(40, task.id, Some(event.id), window(100, 160));
    let mut tx = base.write().await;
    tx.put_context(&context).await.expect("context");
    tx.put_tasks(std::slice::from_ref(&task)).await.expect("task");
    tx.put_blocks(std::slice::from_ref(&block)).await.expect("block");
    tx.commit().await.expect("committed");
    (context, task, block)
}
