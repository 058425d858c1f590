//! Tasks: what is to be done, and the blocks of one.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{emptied, events::Time};
use crate::{
    domain::{
        ids::{ContextId, EventId, TaskId, UserId},
        task::{Due, Firmness, MissedPolicy, PartOfDay, Priority, Repeats, Task, TaskFacts, TaskSeries, TaskStatus},
        time::EventTime,
    },
    service::planning::tasks::TasksWanted,
    web::{
        etag::etag,
        paging::Page,
        problem::Problem,
        request::{ApiRequest, json, nothing, versioned},
        route::HandlerResult,
    },
};

/// When a task is due.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DueBody {
    /// When; a date means the end of that day.
    at: Time,
    /// `hard`: the work is of no use afterwards; `soft` (without it): late is better than never.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    firmness: Option<Firmness>,
}

/// How a task repeats.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepeatsBody {
    /// An `RRULE` value of RFC 5545, without the property name.
    rule: String,
    /// What becomes of a missed instance: `carry`, `skip` or `stack`; without it, a daily one is skipped and others are carried.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    missed: Option<MissedPolicy>,
}

impl RepeatsBody {
    fn read(self) -> Repeats {
        Repeats { rule: self.rule, missed: self.missed }
    }
}

impl DueBody {
    fn read(&self) -> Result<Due, Problem> {
        Ok(Due { at: self.at.read("due.at")?, firmness: self.firmness.unwrap_or(Firmness::Soft) })
    }
}

/// A new task.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskBody {
    /// Whose.
    #[schema(value_type = String)]
    user_id: UserId,
    /// What it is called.
    title: String,
    /// The context it belongs to.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    context_id: Option<ContextId>,
    /// More about it.
    #[serde(default)]
    description: Option<String>,
    /// A word of your own.
    #[serde(default)]
    project: Option<String>,
    /// `none` (without it), `low`, `medium`, `high` or `urgent`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    priority: Option<Priority>,
    /// Minutes it takes in all; without it, it cannot be planned.
    #[serde(default)]
    estimate_min: Option<u32>,
    /// When it is due.
    #[serde(default)]
    due: Option<DueBody>,
    /// Not before this; a date means the begin of that day.
    #[serde(default)]
    not_before: Option<Time>,
    /// The name of the hours it may be done in, of the user's planning rules; `work` without it.
    #[serde(default)]
    hours: Option<String>,
    /// Shortest useful piece, in minutes.
    #[serde(default)]
    min_chunk_min: Option<u32>,
    /// Longest piece without a break, in minutes.
    #[serde(default)]
    max_chunk_min: Option<u32>,
    /// Whether it may be done in several pieces (so without it).
    #[serde(default)]
    splittable: Option<bool>,
    /// What must be done before.
    #[serde(default)]
    #[schema(value_type = Option<Vec<uuid::Uuid>>)]
    after: Option<Vec<TaskId>>,
    /// When in the day it is best done: `morning`, `afternoon` or `evening`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    prefer: Option<PartOfDay>,
    /// Minutes kept free after each of its blocks; the user's own buffer without it.
    #[serde(default)]
    buffer_after_min: Option<u32>,
    /// How it repeats.
    #[serde(default)]
    repeats: Option<RepeatsBody>,
    /// `open` (without it), `in_progress`, `done` or `cancelled`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    status: Option<TaskStatus>,
    /// Its blocks stay where they are.
    #[serde(default)]
    pinned: Option<bool>,
}

/// What is to change in a task; what is left out stays, `null` empties.
#[expect(clippy::option_option, reason = "left out, emptied and set are three things to a patch")]
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskPatch {
    /// What it is called.
    #[serde(default)]
    title: Option<String>,
    /// The context it belongs to.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<uuid::Uuid>)]
    context_id: Option<Option<ContextId>>,
    /// More about it.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// A word of your own.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<String>)]
    project: Option<Option<String>>,
    /// `none` (without it), `low`, `medium`, `high` or `urgent`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    priority: Option<Priority>,
    /// Minutes it takes in all; without it, it cannot be planned.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<u32>)]
    estimate_min: Option<Option<u32>>,
    /// When it is due.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<DueBody>)]
    due: Option<Option<DueBody>>,
    /// Not before this; a date means the begin of that day.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<Time>)]
    not_before: Option<Option<Time>>,
    /// The name of the hours it may be done in, of the user's planning rules; `work` without it.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<String>)]
    hours: Option<Option<String>>,
    /// Shortest useful piece, in minutes.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<u32>)]
    min_chunk_min: Option<Option<u32>>,
    /// Longest piece without a break, in minutes.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<u32>)]
    max_chunk_min: Option<Option<u32>>,
    /// Whether it may be done in several pieces (so without it).
    #[serde(default)]
    splittable: Option<bool>,
    /// What must be done before.
    #[serde(default)]
    #[schema(value_type = Option<Vec<uuid::Uuid>>)]
    after: Option<Vec<TaskId>>,
    /// When in the day it is best done: `morning`, `afternoon` or `evening`.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<String>)]
    prefer: Option<Option<PartOfDay>>,
    /// Minutes kept free after each of its blocks; the user's own buffer without it.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<u32>)]
    buffer_after_min: Option<Option<u32>>,
    /// How it repeats.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<RepeatsBody>)]
    repeats: Option<Option<RepeatsBody>>,
    /// `open` (without it), `in_progress`, `done` or `cancelled`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    status: Option<TaskStatus>,
    /// Its blocks stay where they are.
    #[serde(default)]
    pinned: Option<bool>,
}

/// A task, or one instance of a task that repeats or was carried to another day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: TaskId,
    /// Whose.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The context it belongs to.
    #[schema(value_type = Option<uuid::Uuid>)]
    context_id: Option<ContextId>,
    /// What it is called.
    title: String,
    /// More about it.
    description: Option<String>,
    /// A word of your own.
    project: Option<String>,
    /// `none`, `low`, `medium`, `high` or `urgent`.
    #[schema(value_type = String)]
    priority: Priority,
    /// Minutes it takes in all; `null`: unknown, so it cannot be planned.
    estimate_min: Option<u32>,
    /// Minutes worked in all, on the instances before this one too.
    actual_min: u32,
    /// When it is due.
    due: Option<DueView>,
    /// Not before this.
    #[schema(value_type = Option<Time>)]
    not_before: Option<EventTime>,
    /// The name of the hours it may be done in; `null`: the usual ones.
    hours: Option<String>,
    /// Shortest useful piece, in minutes.
    min_chunk_min: Option<u32>,
    /// Longest piece without a break, in minutes.
    max_chunk_min: Option<u32>,
    /// Whether it may be done in several pieces.
    splittable: bool,
    /// What must be done before.
    #[schema(value_type = Vec<uuid::Uuid>)]
    after: Vec<TaskId>,
    /// `morning`, `afternoon` or `evening`: when in the day it is best done.
    #[schema(value_type = Option<String>)]
    prefer: Option<PartOfDay>,
    /// Minutes kept free after each of its blocks; `null`: the user's own buffer.
    buffer_after_min: Option<u32>,
    /// How it repeats.
    repeats: Option<RepeatsView>,
    /// `open`, `in_progress`, `done`, `cancelled`, or by the change of day `skipped`, `carried` or `stale`.
    #[schema(value_type = String)]
    status: TaskStatus,
    /// Its blocks stay where they are.
    pinned: bool,
    /// The imported event it was made from.
    #[schema(value_type = Option<uuid::Uuid>)]
    made_from: Option<EventId>,
    /// The instance that this one goes on with.
    #[schema(value_type = Option<uuid::Uuid>)]
    carried_from: Option<TaskId>,
    /// How often it was carried to another day.
    carry_count: u32,
    /// When it was finished.
    completed_at: Option<DateTime<Utc>>,
    /// When this instance was made.
    created_at: DateTime<Utc>,
    /// When somebody last changed it.
    updated_at: DateTime<Utc>,
    /// For `If-Match`.
    etag: String,
}

/// When a task is due.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Due)]
pub struct DueView {
    /// When; a date means the end of that day.
    #[schema(value_type = Time)]
    at: EventTime,
    /// `hard` or `soft`.
    #[schema(value_type = String)]
    firmness: Firmness,
}

/// How a task repeats.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Repeats)]
pub struct RepeatsView {
    /// The first instance, which names the series.
    #[schema(value_type = uuid::Uuid)]
    series: TaskId,
    /// An `RRULE` value of RFC 5545.
    rule: String,
    /// The date of the first instance.
    first: NaiveDate,
    /// The date that this instance was made for.
    date: NaiveDate,
    /// `carry`, `skip` or `stack`; `null`: a daily one is skipped, others are carried.
    #[schema(value_type = Option<String>)]
    missed: Option<MissedPolicy>,
}

impl RepeatsView {
    fn of(series: TaskSeries, repeats: Repeats) -> Self {
        let (TaskSeries { id, first, date }, Repeats { rule, missed }) = (series, repeats);
        Self { series: id, rule, first, date, missed }
    }
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        let actual_min = task.total_actual_min();
        let facts = task.facts;
        Self {
            actual_min,
            id: task.id,
            user_id: task.user_id,
            context_id: facts.context_id,
            title: facts.title,
            description: facts.description,
            project: facts.project,
            priority: facts.priority,
            estimate_min: facts.estimate_min,
            due: facts.due.map(|due| DueView { at: due.at, firmness: due.firmness }),
            not_before: facts.not_before,
            hours: facts.hours,
            min_chunk_min: facts.min_chunk_min,
            max_chunk_min: facts.max_chunk_min,
            splittable: facts.splittable,
            after: facts.after,
            prefer: facts.prefer,
            buffer_after_min: facts.buffer_after_min,
            repeats: task.series.zip(facts.repeats).map(|(series, repeats)| RepeatsView::of(series, repeats)),
            status: facts.status,
            pinned: facts.pinned,
            made_from: task.made_from,
            carried_from: task.carried_from,
            carry_count: task.carry_count,
            completed_at: task.completed_at,
            created_at: task.created_at,
            updated_at: task.updated_at,
            etag: etag(task.version),
        }
    }
}

impl TaskBody {
    fn read(self) -> Result<TaskFacts, Problem> {
        Ok(TaskFacts {
            due: self.due.as_ref().map(DueBody::read).transpose()?,
            not_before: self.not_before.map(|time| time.read("not_before")).transpose()?,
            context_id: self.context_id,
            title: self.title,
            description: self.description,
            project: self.project,
            priority: self.priority.unwrap_or(Priority::None),
            estimate_min: self.estimate_min,
            hours: self.hours,
            min_chunk_min: self.min_chunk_min,
            max_chunk_min: self.max_chunk_min,
            splittable: self.splittable.unwrap_or(true),
            after: self.after.unwrap_or_default(),
            prefer: self.prefer,
            buffer_after_min: self.buffer_after_min,
            repeats: self.repeats.map(RepeatsBody::read),
            status: self.status.unwrap_or(TaskStatus::Open),
            pinned: self.pinned.unwrap_or(false),
        })
    }
}

impl TaskPatch {
    /// What becomes of what a task says.
    fn read(self) -> Result<impl Fn(TaskFacts) -> TaskFacts, Problem> {
        let due = self.due.map(|due| due.as_ref().map(DueBody::read).transpose()).transpose()?;
        let not_before =
            self.not_before.map(|time| time.map(|time| time.read("not_before")).transpose()).transpose()?;
        let repeats = self.repeats.map(|repeats| repeats.map(RepeatsBody::read));
        Ok(move |held: TaskFacts| TaskFacts {
            context_id: self.context_id.unwrap_or(held.context_id),
            title: self.title.clone().unwrap_or(held.title),
            description: self.description.clone().unwrap_or(held.description),
            project: self.project.clone().unwrap_or(held.project),
            priority: self.priority.unwrap_or(held.priority),
            estimate_min: self.estimate_min.unwrap_or(held.estimate_min),
            due: due.unwrap_or(held.due),
            not_before: not_before.unwrap_or(held.not_before),
            hours: self.hours.clone().unwrap_or(held.hours),
            min_chunk_min: self.min_chunk_min.unwrap_or(held.min_chunk_min),
            max_chunk_min: self.max_chunk_min.unwrap_or(held.max_chunk_min),
            splittable: self.splittable.unwrap_or(held.splittable),
            after: self.after.clone().unwrap_or(held.after),
            prefer: self.prefer.unwrap_or(held.prefer),
            buffer_after_min: self.buffer_after_min.unwrap_or(held.buffer_after_min),
            repeats: repeats.clone().unwrap_or(held.repeats),
            status: self.status.unwrap_or(held.status),
            pinned: self.pinned.unwrap_or(held.pinned),
        })
    }
}

/// `GET /v1/tasks`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let user_id = request.user()?.ok_or_else(|| Problem::invalid("user_id", "say whose tasks you ask for"))?;
    let limit = request.limit()?;
    let wanted = TasksWanted {
        user_id,
        open_only: request.param("open")?.unwrap_or(false),
        context_id: request.param("context_id")?,
        after: request.cursor()?,
        limit,
    };
    let rows = request.services().tasks(request.scope(), &wanted).await?;
    json(200, &Page::cut(rows, limit, |row| row.id).map(TaskView::from))
}

/// `POST /v1/tasks`
pub async fn create(request: ApiRequest) -> HandlerResult {
    let body: TaskBody = request.body()?;
    let user = body.user_id.clone();
    let made = request.services().create_task(request.scope(), &user, body.read()?).await?;
    versioned(201, made.version, &TaskView::from(made))
}

/// `GET /v1/tasks/{id}`
pub async fn get(request: ApiRequest) -> HandlerResult {
    let found = request.services().task(request.scope(), request.id("id", "task")?).await?;
    versioned(200, found.version, &TaskView::from(found))
}

/// `PATCH /v1/tasks/{id}`
pub async fn patch(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "task")?;
    let body: TaskPatch = request.body()?;
    let expected = request.if_match();
    let changed = request.services().change_task(request.scope(), id, expected, body.read()?).await?;
    versioned(200, changed.version, &TaskView::from(changed))
}

/// `DELETE /v1/tasks/{id}`
pub async fn delete(request: ApiRequest) -> HandlerResult {
    request.services().delete_task(request.scope(), request.id("id", "task")?).await?;
    Ok(nothing())
}
