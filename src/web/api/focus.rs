//! Focus: somebody works on a task, and the clock runs.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::blocks::SpanView;
use crate::{
    domain::{
        focus::{Focus, FocusState},
        ids::{BlockId, FocusId, TaskId, UserId},
    },
    engine::playlist::PlaylistPiece,
    service::planning::run_focus::{FocusAct, FocusFacts},
    web::{
        problem::Problem,
        request::{ApiRequest, json},
        route::HandlerResult,
    },
    words,
};

words! {
    /// What somebody does with their clock.
    Act {
        /// Begins.
        Start = "start",
        /// Takes a break.
        Pause = "pause",
        /// Goes on.
        Resume = "resume",
        /// Has finished the task.
        Finish = "finish",
        /// Does something else first.
        Skip = "skip",
        /// Stops for now.
        Stop = "stop",
    }
}

/// What somebody does with their clock.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FocusBody {
    /// Whose clock.
    #[schema(value_type = String)]
    user_id: UserId,
    /// `start`, `pause`, `resume`, `finish` (the task is done), `skip` (something else first) or `stop` (for now).
    #[schema(value_type = String)]
    act: Act,
    /// With `start`: what to work on; the playlist's first piece without it.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    task_id: Option<TaskId>,
}

/// A user's clock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Focus)]
pub struct FocusView {
    /// The open focus session; `null`: nobody works.
    session: Option<FocusSessionView>,
    /// Minutes worked in it.
    worked_min: u32,
    /// What comes next.
    playlist: Vec<PieceView>,
}

/// One focus session on one task.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FocusSession)]
pub struct FocusSessionView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: FocusId,
    /// What is worked on.
    #[schema(value_type = uuid::Uuid)]
    task_id: TaskId,
    /// The block that shows it; `null` while something else is there.
    #[schema(value_type = Option<uuid::Uuid>)]
    block_id: Option<BlockId>,
    /// `running` or `paused`.
    #[schema(value_type = String)]
    state: FocusState,
    /// When it came to this state.
    since: DateTime<Utc>,
    /// The stretches of work that are over.
    worked: Vec<SpanView>,
    /// It ran into something that does not yield.
    overrun: bool,
    /// When it began.
    started_at: DateTime<Utc>,
}

/// A piece of the playlist.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Piece)]
pub struct PieceView {
    /// What to work on.
    #[schema(value_type = uuid::Uuid)]
    task_id: TaskId,
    /// In which block.
    #[schema(value_type = uuid::Uuid)]
    block_id: BlockId,
    /// It is planned for a later day.
    borrowed: bool,
}

/// What a user worked, by date.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Worked)]
pub struct WorkedView {
    /// The dates on which anything was worked, in order.
    days: Vec<WorkedDayView>,
}

/// What was worked on one date.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WorkedDay)]
pub struct WorkedDayView {
    /// The user's date.
    date: NaiveDate,
    /// Minutes of elapsed time, to the nearest.
    worked_min: i64,
}

impl From<Focus> for FocusSessionView {
    fn from(focus: Focus) -> Self {
        Self {
            id: focus.id,
            task_id: focus.task_id,
            block_id: focus.block_id,
            state: focus.state,
            since: focus.since,
            worked: focus.worked.into_iter().map(SpanView::from).collect(),
            overrun: focus.overrun,
            started_at: focus.started_at,
        }
    }
}

impl From<FocusFacts> for FocusView {
    fn from(facts: FocusFacts) -> Self {
        let piece =
            |piece: PlaylistPiece| PieceView { task_id: piece.task, block_id: piece.block, borrowed: piece.borrowed };
        Self {
            session: facts.focus.map(FocusSessionView::from),
            worked_min: facts.minutes,
            playlist: facts.playlist.into_iter().map(piece).collect(),
        }
    }
}

/// `GET /v1/focus`
pub async fn get(request: ApiRequest) -> HandlerResult {
    let user = request.user()?.ok_or_else(|| Problem::invalid("user_id", "say whose clock you ask for"))?;
    json(200, &FocusView::from(request.services().focus(request.scope(), &user).await?))
}

/// `GET /v1/focus/days`
pub async fn days(request: ApiRequest) -> HandlerResult {
    let user = request.user()?.ok_or_else(|| Problem::invalid("user_id", "say whose days you ask for"))?;
    let asked = (request.param("from")?, request.param("to")?);
    let worked = request.services().worked_by_day(request.scope(), &user, asked).await?.into_iter();
    let day = |(date, worked): (_, Duration)| WorkedDayView { date, worked_min: (worked.num_seconds() + 30) / 60 };
    json(200, &WorkedView { days: worked.map(day).collect() })
}

/// `POST /v1/focus`
pub async fn act(request: ApiRequest) -> HandlerResult {
    let body: FocusBody = request.body()?;
    let act = match body.act {
        Act::Start => FocusAct::Start(body.task_id),
        _ if body.task_id.is_some() => {
            return Err(Problem::invalid("task_id", "only `start` names a task; the rest is about the open session"));
        }
        Act::Pause => FocusAct::Pause,
        Act::Resume => FocusAct::Resume,
        Act::Finish => FocusAct::Finish,
        Act::Skip => FocusAct::Skip,
        Act::Stop => FocusAct::Stop,
    };
    json(200, &FocusView::from(request.services().act_on_focus(request.scope(), &body.user_id, act).await?))
}
