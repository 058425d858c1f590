//! Why a task is not, not wholly or not in time done, and what may be done about it: the planner's numbers as instants, minutes
//! and ids.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::ids::{AccountId, BlockId, TaskId},
    engine::scheduling::{Misfit, SuggestedAction, Tick, UnplacedReason},
    service::planning::make_plan::Planned,
};

/// Tasks without a place that are listed in one answer; how many there are is shown beside.
const UNPLACED_MAX: usize = 100;
/// Tasks, blocks or ways out that are named in one reason.
const NAMED_MAX: usize = 20;

/// A task that is not, not wholly or not in time done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Unplaced)]
pub struct UnplacedView {
    /// The task.
    #[schema(value_type = uuid::Uuid)]
    task_id: TaskId,
    /// Minutes that have no place.
    rest_min: u32,
    /// Whether it misses its deadline.
    late: bool,
    /// Why.
    reason: ReasonView,
    /// What may be done about it, the mildest first.
    actions: Vec<ActionView>,
}

/// Why a task is not, not wholly or not in time done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
#[schema(as = UnplacedReason)]
pub enum ReasonView {
    /// Nobody has said how long it takes.
    NoEstimate,
    /// It may not begin before what is planned ahead ends.
    StartsAfterHorizon {
        /// When it may begin.
        release: DateTime<Utc>,
        /// Until when is planned.
        horizon: DateTime<Utc>,
    },
    /// It is due before it may begin, or was before now.
    DeadlinePassed {
        /// When it is due.
        due: DateTime<Utc>,
        /// When it may begin.
        earliest: DateTime<Utc>,
    },
    /// It waits for a task that is not done, or not early enough.
    WaitsFor {
        /// The task.
        #[schema(value_type = Option<uuid::Uuid>)]
        task_id: Option<TaskId>,
    },
    /// Its hours have no free time at all.
    NoAllowedHours,
    /// It would fit, were all accounts heard.
    AvailabilityUnknown {
        /// The account that is not.
        #[schema(value_type = Option<uuid::Uuid>)]
        account_id: Option<AccountId>,
    },
    /// It would fit, were it not for blocks that may not move.
    LockedBlocks {
        /// The blocks, by time: the first 20 of them.
        #[schema(value_type = Vec<uuid::Uuid>)]
        block_ids: Vec<BlockId>,
        /// How many there are.
        block_count: usize,
    },
    /// Even alone it does not fit: the gaps are too small for its pieces.
    LargestGapTooSmall {
        /// Minutes of the largest gap.
        gap_min: u32,
        /// Minutes of its shortest piece.
        min_chunk_min: u32,
        /// Minutes of it that could be placed.
        placeable_min: u32,
    },
    /// It and others need more time than there is.
    Overloaded {
        /// Begin of the time in question.
        from: DateTime<Utc>,
        /// End of it.
        to: DateTime<Utc>,
        /// Free minutes in it.
        supply_min: u32,
        /// Minutes of work.
        demand_min: u32,
        /// The tasks: the first 20 of them.
        #[schema(value_type = Vec<uuid::Uuid>)]
        task_ids: Vec<TaskId>,
        /// How many there are.
        task_count: usize,
    },
    /// Others have the time it would need.
    Outranked {
        /// The tasks, those that matter most first: 20 of them at most.
        #[schema(value_type = Vec<uuid::Uuid>)]
        task_ids: Vec<TaskId>,
        /// How many there are.
        task_count: usize,
    },
}

/// What a person may do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
#[schema(as = UnplacedAction)]
pub enum ActionView {
    /// Say how long it takes.
    GiveEstimate,
    /// Plan further ahead.
    LookFurther,
    /// Give it until then.
    ExtendDeadline {
        /// A deadline that the plan keeps; `null`: later than now.
        to: Option<DateTime<Utc>>,
    },
    /// Allow it to begin earlier.
    StartEarlier,
    /// Allow it other hours.
    AllowHours,
    /// Allow it shorter pieces.
    ShortenChunk {
        /// Minutes that fit.
        to_min: u32,
    },
    /// Ask less of it.
    ShortenEstimate {
        /// Minutes too many.
        by_min: u32,
    },
    /// Let another task be late, or leave it out.
    LetSlip {
        /// The task.
        #[schema(value_type = Option<uuid::Uuid>)]
        task_id: Option<TaskId>,
    },
    /// See to it that another task is done.
    FinishFirst {
        /// The task.
        #[schema(value_type = Option<uuid::Uuid>)]
        task_id: Option<TaskId>,
    },
    /// Let a block move.
    Unlock {
        /// The block.
        #[schema(value_type = Option<uuid::Uuid>)]
        block_id: Option<BlockId>,
    },
    /// Connect an account again.
    Reconnect {
        /// The account.
        #[schema(value_type = Option<uuid::Uuid>)]
        account_id: Option<AccountId>,
    },
    /// Make it matter more.
    RaisePriority,
    /// Put the block back, and hold it there.
    PutBack,
    /// Hold the block where it is now.
    HoldHere,
}

impl UnplacedView {
    /// The first tasks that do not fit.
    pub(super) fn first(planned: &Planned) -> Vec<Self> {
        let view = |misfit: &Misfit| {
            Some(Self {
                task_id: planned.task(misfit.task)?,
                rest_min: planned.minutes(misfit.rest),
                late: misfit.late,
                reason: reason(planned, &misfit.reason),
                actions: misfit.actions.iter().take(NAMED_MAX).map(|one| action(planned, one)).collect(),
            })
        };
        planned.plan.misfits.iter().take(UNPLACED_MAX).filter_map(view).collect()
    }
}

fn reason(planned: &Planned, reason: &UnplacedReason) -> ReasonView {
    let at = |tick: Tick| planned.instant(tick);
    let minutes = |ticks: Tick| planned.minutes(ticks);
    let tasks = |indices: &[usize]| indices.iter().take(NAMED_MAX).filter_map(|index| planned.task(*index)).collect();
    match reason {
        UnplacedReason::NoEstimate => ReasonView::NoEstimate,
        UnplacedReason::StartsAfterHorizon { release, horizon } => {
            ReasonView::StartsAfterHorizon { release: at(*release), horizon: at(*horizon) }
        }
        UnplacedReason::DeadlinePassed { due, earliest } => {
            ReasonView::DeadlinePassed { due: at(*due), earliest: at(*earliest) }
        }
        UnplacedReason::WaitsFor { task } => ReasonView::WaitsFor { task_id: planned.task(*task) },
        UnplacedReason::NoAllowedHours => ReasonView::NoAllowedHours,
        UnplacedReason::AvailabilityUnknown { source } => {
            ReasonView::AvailabilityUnknown { account_id: planned.account(*source) }
        }
        UnplacedReason::LockedBlocks { ids } => {
            let block_ids = ids.iter().take(NAMED_MAX).filter_map(|id| planned.held(*id)).collect();
            ReasonView::LockedBlocks { block_ids, block_count: ids.len() }
        }
        UnplacedReason::LargestGapTooSmall { gap, chunk_min, placeable } => ReasonView::LargestGapTooSmall {
            gap_min: minutes(*gap),
            min_chunk_min: minutes(*chunk_min),
            placeable_min: minutes(*placeable),
        },
        UnplacedReason::Overloaded(overload) => ReasonView::Overloaded {
            from: at(overload.within.start),
            to: at(overload.within.end),
            supply_min: minutes(overload.supply),
            demand_min: minutes(overload.demand),
            task_ids: tasks(&overload.tasks),
            task_count: overload.tasks.len(),
        },
        UnplacedReason::Outranked { by } => ReasonView::Outranked { task_ids: tasks(by), task_count: by.len() },
    }
}

fn action(planned: &Planned, action: &SuggestedAction) -> ActionView {
    match action {
        SuggestedAction::GiveEstimate => ActionView::GiveEstimate,
        SuggestedAction::LookFurther => ActionView::LookFurther,
        SuggestedAction::ExtendDeadline { to } => {
            ActionView::ExtendDeadline { to: to.map(|tick| planned.instant(tick)) }
        }
        SuggestedAction::StartEarlier => ActionView::StartEarlier,
        SuggestedAction::AllowHours => ActionView::AllowHours,
        SuggestedAction::ShortenChunk { to } => ActionView::ShortenChunk { to_min: planned.minutes(*to) },
        SuggestedAction::ShortenEstimate { by } => ActionView::ShortenEstimate { by_min: planned.minutes(*by) },
        SuggestedAction::LetSlip { task } => ActionView::LetSlip { task_id: planned.task(*task) },
        SuggestedAction::FinishFirst { task } => ActionView::FinishFirst { task_id: planned.task(*task) },
        SuggestedAction::Unlock { id } => ActionView::Unlock { block_id: planned.held(*id) },
        SuggestedAction::Reconnect { source } => ActionView::Reconnect { account_id: planned.account(*source) },
        SuggestedAction::RaisePriority => ActionView::RaisePriority,
        SuggestedAction::PutBack => ActionView::PutBack,
        SuggestedAction::HoldHere => ActionView::HoldHere,
    }
}
