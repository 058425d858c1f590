//! Plans as they are asked for, and what is offered: accepted, refused, put back.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{blocks::SpanView, unplaced::UnplacedView};
use crate::{
    domain::{
        ids::{AccountId, BlockId, ProposalId, TaskId, UserId},
        proposal::{BlockChange, Change, ChangeState, PlanCause, Proposal, ProposalState},
    },
    service::planning::make_plan::Planned,
    web::{
        etag::etag,
        paging::Page,
        problem::Problem,
        request::{ApiRequest, json, versioned},
        route::HandlerResult,
    },
};

/// Whose plan is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanBody {
    /// Whose.
    #[schema(value_type = String)]
    user_id: UserId,
}

/// Which changes of a proposal are meant.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChoiceBody {
    /// Those of these blocks; all of them without it.
    #[serde(default)]
    #[schema(value_type = Option<Vec<uuid::Uuid>>)]
    blocks: Option<BTreeSet<BlockId>>,
}

/// A plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanView {
    /// What would change, or was changed; `null`: the plan in force is the best there is.
    proposal: Option<ProposalView>,
    /// Weight of what misses its deadline, weight of what has no place, and cost: less is better, from left to right.
    score: [u64; 3],
    /// What is not, not wholly or not in time done, and why: the first 100 of them.
    unplaced: Vec<UnplacedView>,
    /// How many of them there are.
    unplaced_count: usize,
    /// Whether the search was ended early because it took too long: a later plan may be better.
    ended_early: bool,
    /// Accounts that cannot be heard: their calendars may be fuller than known.
    #[schema(value_type = Vec<uuid::Uuid>)]
    unheard_accounts: Vec<AccountId>,
}

/// A schedule that is offered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Proposal)]
pub struct ProposalView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: ProposalId,
    /// Whose.
    #[schema(value_type = String)]
    user_id: UserId,
    /// Why it was made, in one word: `asked`, `collision`, `task_edited`, `rollover`, …
    #[schema(value_type = String)]
    cause: PlanCause,
    /// What would change, by time.
    changes: Vec<ChangeView>,
    /// `open`, `accepted` (as a whole or in parts), `rejected`, or `expired`: what it was made from has changed.
    #[schema(value_type = String)]
    state: ProposalState,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was accepted, refused, or found to be out of date.
    decided_at: Option<DateTime<Utc>>,
    /// Changes with every decision.
    etag: String,
}

/// What is to be done with one block.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BlockChange)]
pub struct ChangeView {
    /// The block; for a new one, the id it will have.
    #[schema(value_type = uuid::Uuid)]
    block_id: BlockId,
    /// What is worked on.
    #[schema(value_type = uuid::Uuid)]
    task_id: TaskId,
    /// `add`, `move` or `remove`.
    #[serde(rename = "do")]
    what: &'static str,
    /// Where it is; `null` for a new one.
    from: Option<SpanView>,
    /// Where it would be; `null` for one that goes.
    to: Option<SpanView>,
    /// Why, in one word: `placed`, `time_taken`, `better_time`, …
    reason: String,
    /// `open`, `accepted`, `rejected` or `put_back`.
    #[schema(value_type = String)]
    state: ChangeState,
}

impl From<BlockChange> for ChangeView {
    fn from(change: BlockChange) -> Self {
        let (what, from, to) = match change.change {
            Change::Add { to } => ("add", None, Some(to)),
            Change::Move { from, to } => ("move", Some(from), Some(to)),
            Change::Remove { from } => ("remove", Some(from), None),
        };
        Self {
            block_id: change.block_id,
            task_id: change.task_id,
            what,
            from: from.map(SpanView::from),
            to: to.map(SpanView::from),
            reason: change.reason,
            state: change.state,
        }
    }
}

impl From<Proposal> for ProposalView {
    fn from(proposal: Proposal) -> Self {
        Self {
            id: proposal.id,
            user_id: proposal.user_id,
            cause: proposal.cause,
            changes: proposal.changes.into_iter().map(ChangeView::from).collect(),
            state: proposal.state,
            created_at: proposal.created_at,
            decided_at: proposal.decided_at,
            etag: etag(proposal.version),
        }
    }
}

impl From<Planned> for PlanView {
    fn from(planned: Planned) -> Self {
        let score = planned.plan.score;
        Self {
            unplaced: UnplacedView::first(&planned),
            unplaced_count: planned.plan.misfits.len(),
            ended_early: planned.plan.stopped,
            proposal: planned.proposal.map(ProposalView::from),
            score: [score.missed, score.unplaced, score.cost],
            unheard_accounts: planned.unheard,
        }
    }
}

/// `POST /v1/schedule`
pub async fn plan(request: ApiRequest) -> HandlerResult {
    let body: PlanBody = request.body()?;
    let planned =
        request.services().plan_while(request.scope(), &body.user_id, PlanCause::Asked, &request.gone).await?;
    json(200, &PlanView::from(planned))
}

/// `GET /v1/proposals`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let user = request.user()?.ok_or_else(|| Problem::invalid("user_id", "say whose proposals you ask for"))?;
    let limit = request.limit()?;
    let rows = request.services().proposals(request.scope(), &user, request.cursor()?, limit).await?;
    json(200, &Page::cut(rows, limit, |row| row.id).map(ProposalView::from))
}

fn proposal_view(proposal: Proposal) -> HandlerResult {
    versioned(200, proposal.version, &ProposalView::from(proposal))
}

/// `GET /v1/proposals/{id}`
pub async fn get(request: ApiRequest) -> HandlerResult {
    proposal_view(request.services().proposal(request.scope(), request.id("id", "proposal")?).await?)
}

/// The proposal in the path, and the blocks of it that the body names.
fn chosen(request: &ApiRequest) -> Result<(ProposalId, Option<BTreeSet<BlockId>>), Problem> {
    let id = request.id("id", "proposal")?;
    let body: ChoiceBody = if request.has_body() { request.body()? } else { ChoiceBody::default() };
    Ok((id, body.blocks))
}

/// `POST /v1/proposals/{id}/accept`
pub async fn accept(request: ApiRequest) -> HandlerResult {
    let (id, only) = chosen(&request)?;
    proposal_view(request.services().accept_proposal(request.scope(), id, only.as_ref()).await?)
}

/// `POST /v1/proposals/{id}/reject`
pub async fn reject(request: ApiRequest) -> HandlerResult {
    proposal_view(request.services().reject_proposal(request.scope(), request.id("id", "proposal")?).await?)
}

/// `POST /v1/proposals/{id}/put-back`
pub async fn put_back(request: ApiRequest) -> HandlerResult {
    let (id, only) = chosen(&request)?;
    proposal_view(request.services().put_back(request.scope(), id, only.as_ref()).await?)
}
