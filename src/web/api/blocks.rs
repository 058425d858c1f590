//! Time blocks: planned work, as people put it somewhere, move it, confirm it and take it away.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        block::{BlockLock, BlockOrigin, BlockState, TimeBlock},
        event::Transparency,
        ids::{BlockId, EventId, PlanRunId, TaskId, UserId},
        time::Window,
    },
    web::{
        etag::etag,
        paging::Page,
        problem::Problem,
        request::{ApiRequest, instant, json, nothing, versioned},
        route::HandlerResult,
    },
};

/// How far is looked ahead when nobody says.
const AHEAD: Duration = Duration::days(7);
/// Longest window that is answered at once.
const WINDOW_MAX: Duration = Duration::days(92);

/// From an instant to another, the last one not included.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Span)]
pub struct SpanView {
    /// First instant (RFC 3339).
    start: DateTime<Utc>,
    /// First instant after it.
    end: DateTime<Utc>,
}

impl From<Window> for SpanView {
    fn from(window: Window) -> Self {
        Self { start: window.from, end: window.to }
    }
}

impl SpanView {
    fn read(self) -> Result<Window, Problem> {
        Ok(Window { from: instant("start", self.start)?, to: instant("end", self.end)? })
    }
}

/// What is to change in a block: where it is, or that the planner may move it again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockPatch {
    /// Where it is to start; comes with `end`.
    #[serde(default)]
    start: Option<DateTime<Utc>>,
    /// Where it is to end; comes with `start`.
    #[serde(default)]
    end: Option<DateTime<Utc>>,
    /// `none`: the planner may move it again; comes alone.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    lock: Option<BlockLock>,
}

/// A time block.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TimeBlock)]
pub struct TimeBlockView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: BlockId,
    /// Whose.
    #[schema(value_type = String)]
    user_id: UserId,
    /// What is worked on.
    #[schema(value_type = uuid::Uuid)]
    task_id: TaskId,
    /// The event it is shown as; `null`: it stays here.
    #[schema(value_type = Option<uuid::Uuid>)]
    event_id: Option<EventId>,
    /// First instant.
    start: DateTime<Utc>,
    /// First instant after it.
    end: DateTime<Utc>,
    /// IANA name of the zone whose clock it keeps.
    time_zone: String,
    /// `auto`, `user` or `external`: who put it there.
    #[schema(value_type = String)]
    origin: BlockOrigin,
    /// `none`, `user`, `started` or `external`: why the planner may not move it.
    #[schema(value_type = String)]
    lock: BlockLock,
    /// `proposed`, `tentative`, `confirmed`, `in_progress`, `done` or `missed`.
    #[schema(value_type = String)]
    state: BlockState,
    /// `opaque` or `transparent`, as somebody chose at the provider; `null`: as the plan's room has it.
    #[schema(value_type = Option<String>)]
    shows: Option<Transparency>,
    /// Why it is there, in one word.
    reason: String,
    /// The run of the planner that placed it.
    #[schema(value_type = Option<uuid::Uuid>)]
    plan_run: Option<PlanRunId>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
    /// For `If-Match`.
    etag: String,
}

impl From<TimeBlock> for TimeBlockView {
    fn from(block: TimeBlock) -> Self {
        Self {
            id: block.id,
            user_id: block.user_id,
            task_id: block.task_id,
            event_id: block.event_id,
            start: block.start,
            end: block.end,
            time_zone: block.zone.name().to_owned(),
            origin: block.origin,
            lock: block.lock,
            state: block.state,
            shows: block.shows,
            reason: block.reason,
            plan_run: block.plan_run,
            created_at: block.created_at,
            updated_at: block.updated_at,
            etag: etag(block.version),
        }
    }
}

/// `GET /v1/blocks`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let user = request.user()?.ok_or_else(|| Problem::invalid("user_id", "say whose blocks you ask for"))?;
    let from = request.instant("from")?.unwrap_or_else(|| request.services().world.now());
    let to = request.instant("to")?.unwrap_or_else(|| from.checked_add_signed(AHEAD).unwrap_or(from));
    if to <= from || to - from > WINDOW_MAX {
        return Err(Problem::invalid("to", "an instant after `from`, by 92 days at most"));
    }
    let found = request.services().blocks_between(request.scope(), &user, from, to).await?;
    json(200, &Page::whole(found.into_iter().map(TimeBlockView::from).collect()))
}

/// `GET /v1/tasks/{id}/blocks`
pub async fn of_task(request: ApiRequest) -> HandlerResult {
    let found = request.services().blocks_of_task(request.scope(), request.id("id", "task")?).await?;
    json(200, &Page::whole(found.into_iter().map(TimeBlockView::from).collect()))
}

/// `POST /v1/tasks/{id}/blocks`
pub async fn create(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "task")?;
    let span: SpanView = request.body()?;
    let block = request.services().create_block(request.scope(), id, span.read()?).await?;
    versioned(201, block.version, &TimeBlockView::from(block))
}

/// `GET /v1/blocks/{id}`
pub async fn get(request: ApiRequest) -> HandlerResult {
    let found = request.services().block(request.scope(), request.id("id", "block")?).await?;
    versioned(200, found.version, &TimeBlockView::from(found))
}

/// `PATCH /v1/blocks/{id}`
pub async fn patch(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "block")?;
    let body: BlockPatch = request.body()?;
    let expected = request.if_match();
    let block = match (body.start, body.end, body.lock) {
        (Some(start), Some(end), None) => {
            let Window { from, to } = SpanView { start, end }.read()?;
            request.services().move_block(request.scope(), id, expected, Window { from, to }).await?
        }
        (None, None, Some(BlockLock::None)) => request.services().release_block(request.scope(), id, expected).await?,
        (None, None, Some(_)) => {
            return Err(Problem::invalid("lock", "`none`; to hold a block, move it or confirm it"));
        }
        (_, _, Some(_)) => return Err(Problem::invalid("lock", "give either a place or `lock`")),
        (None, ..) => return Err(Problem::invalid("start", "give both `start` and `end`")),
        (_, None, _) => return Err(Problem::invalid("end", "give both `start` and `end`")),
    };
    versioned(200, block.version, &TimeBlockView::from(block))
}

/// `DELETE /v1/blocks/{id}`
pub async fn delete(request: ApiRequest) -> HandlerResult {
    request.services().delete_block(request.scope(), request.id("id", "block")?).await?;
    Ok(nothing())
}

/// `POST /v1/blocks/{id}/confirm`
pub async fn confirm(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "block")?;
    let block = request.services().confirm_block(request.scope(), id, request.if_match()).await?;
    versioned(200, block.version, &TimeBlockView::from(block))
}
