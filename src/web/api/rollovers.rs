//! Changes of day: what became of unfinished work, and taking it back.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        block::BlockState,
        ids::{BlockId, RolloverId, TaskId, UserId},
        rollover::{OldBlock, RolledTask, Rollover},
        task::TaskStatus,
    },
    engine::rollover::{Undone, WhyKept},
    web::{
        paging::Page,
        problem::Problem,
        request::{ApiRequest, json},
        route::HandlerResult,
    },
};

/// A change of day of one user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rollover)]
pub struct RolloverView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: RolloverId,
    /// Whose day it was.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The date that began.
    date: NaiveDate,
    /// First of the dates before that had no change of their own; `null`: none was left out.
    skipped_from: Option<NaiveDate>,
    /// Last of them.
    skipped_to: Option<NaiveDate>,
    /// What became of each task.
    tasks: Vec<RolledView>,
    /// Tasks whose clock ran: each is carried when it stops.
    #[schema(value_type = Vec<uuid::Uuid>)]
    waiting: Vec<TaskId>,
    /// When it ran.
    ran_at: DateTime<Utc>,
    /// When it was taken back.
    undone_at: Option<DateTime<Utc>>,
}

/// What a change of day did with one task.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolledTask)]
pub struct RolledView {
    /// The instance of the day that ended.
    #[schema(value_type = uuid::Uuid)]
    from_task_id: TaskId,
    /// The instance that goes on with it; `null`: it is stale, or skipped.
    #[schema(value_type = Option<uuid::Uuid>)]
    to_task_id: Option<TaskId>,
    /// How the old instance stood before.
    #[schema(value_type = String)]
    status: TaskStatus,
    /// Its blocks, as they were.
    blocks: Vec<OldBlockView>,
}

/// A block as it was before the change of day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OldBlock)]
pub struct OldBlockView {
    /// Which.
    #[schema(value_type = uuid::Uuid)]
    id: BlockId,
    /// First instant.
    start: DateTime<Utc>,
    /// First instant after it.
    end: DateTime<Utc>,
    /// How it stood.
    #[schema(value_type = String)]
    state: BlockState,
}

/// What taking a change of day back did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoneRollover)]
pub struct UndoneView {
    /// The change of day, as it is now.
    rollover: RolloverView,
    /// What became of each of its tasks.
    tasks: Vec<UndoneTaskView>,
}

/// What taking a change of day back did with one task.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UndoneTask)]
pub struct UndoneTaskView {
    /// The old instance.
    #[schema(value_type = uuid::Uuid)]
    task_id: TaskId,
    /// Whether it stands again.
    back: bool,
    /// The new instance, which went.
    #[schema(value_type = Option<uuid::Uuid>)]
    removed_task_id: Option<TaskId>,
    /// Why the new instance stays: it was `worked` on, it was `changed`, or a block of it was `placed` by somebody.
    kept: Option<&'static str>,
}

impl From<OldBlock> for OldBlockView {
    fn from(block: OldBlock) -> Self {
        Self { id: block.id, start: block.span.from, end: block.span.to, state: block.state }
    }
}

impl From<RolledTask> for RolledView {
    fn from(rolled: RolledTask) -> Self {
        Self {
            from_task_id: rolled.from,
            to_task_id: rolled.to,
            status: rolled.status,
            blocks: rolled.blocks.into_iter().map(OldBlockView::from).collect(),
        }
    }
}

impl From<Rollover> for RolloverView {
    fn from(rollover: Rollover) -> Self {
        Self {
            id: rollover.id,
            user_id: rollover.user_id,
            date: rollover.date,
            skipped_from: rollover.skipped.map(|(first, _)| first),
            skipped_to: rollover.skipped.map(|(_, last)| last),
            tasks: rollover.tasks.into_iter().map(RolledView::from).collect(),
            waiting: rollover.waiting,
            ran_at: rollover.ran_at,
            undone_at: rollover.undone_at,
        }
    }
}

impl From<Undone> for UndoneTaskView {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Back { old, new, .. } => Self { task_id: old, back: true, removed_task_id: new, kept: None },
            Undone::Kept { old, why } => {
                let why = match why {
                    WhyKept::Worked => "worked",
                    WhyKept::Changed => "changed",
                    WhyKept::Placed => "placed",
                };
                Self { task_id: old, back: false, removed_task_id: None, kept: Some(why) }
            }
        }
    }
}

/// `GET /v1/rollovers`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let user = request.user()?.ok_or_else(|| Problem::invalid("user_id", "say whose changes of day you ask for"))?;
    let limit = request.limit()?;
    let rows = request.services().rollovers(request.scope(), &user, request.cursor()?, limit).await?;
    json(200, &Page::cut(rows, limit, |row| row.id).map(RolloverView::from))
}

/// `POST /v1/rollovers/{id}/undo`
pub async fn undo(request: ApiRequest) -> HandlerResult {
    let (rollover, tasks) = request.services().undo_rollover(request.scope(), request.id("id", "rollover")?).await?;
    let tasks = tasks.into_iter().map(UndoneTaskView::from).collect();
    json(200, &UndoneView { rollover: rollover.into(), tasks })
}
