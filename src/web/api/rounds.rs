//! The sync log, and the round that is running.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        ids::{AccountId, RoundId},
        round::{Cause, Outcome, Round},
    },
    web::{
        paging::Page,
        request::{ApiRequest, json},
        route::HandlerResult,
    },
};

/// One round.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Round)]
pub struct RoundView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: RoundId,
    /// Why it ran.
    #[schema(value_type = String)]
    cause: Cause,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// `ok`, `partial`, `held`, `failed` or `unauthorised`.
    #[schema(value_type = Option<String>)]
    outcome: Option<Outcome>,
    /// Events created, here or there.
    created: u32,
    /// Events changed, here or there.
    updated: u32,
    /// Events deleted, here or there.
    deleted: u32,
    /// Conflicts met.
    conflicts: u32,
    /// Remote events that could not be read; nothing here was changed for that.
    unreadable: u32,
    /// Deletions held until you approve them.
    held: u32,
    /// Writes sent to the provider.
    writes: u32,
    /// Requests made to the provider.
    requests: u32,
    /// Why it failed or what was skipped, in words.
    note: Option<String>,
}

/// The newest round of an account that came to its end.
pub type LastRound = RoundView;

impl From<Round> for RoundView {
    fn from(round: Round) -> Self {
        let tally = round.tally;
        Self {
            id: round.id,
            cause: round.cause,
            started_at: round.started_at,
            finished_at: round.finished_at,
            outcome: round.outcome,
            created: tally.created,
            updated: tally.updated,
            deleted: tally.deleted,
            conflicts: tally.conflicts,
            unreadable: tally.unreadable,
            held: tally.held,
            writes: tally.writes,
            requests: tally.requests,
            note: round.note,
        }
    }
}

/// How far an account has come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Progress)]
pub struct ProgressView {
    /// The account.
    #[schema(value_type = uuid::Uuid)]
    account_id: AccountId,
    /// What its actor is doing: `idle`, `running`, `backing_off`, …
    state: String,
    /// Whether a round is running.
    running: bool,
    /// Since when.
    since: Option<DateTime<Utc>>,
    /// Events handled in this round.
    done: Option<u32>,
    /// Events expected in this round, once known.
    total: Option<u32>,
}

/// `GET /v1/accounts/{id}/rounds`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let limit = request.limit()?;
    let id = request.id("id", "account")?;
    let rows = request.services().rounds(request.scope(), id, request.cursor()?, limit + 1).await?;
    json(200, &Page::cut(rows, limit, |row| row.id).map(RoundView::from))
}

/// `GET /v1/accounts/{id}/progress`
pub async fn progress(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "account")?;
    request.services().account(request.scope(), id).await?;
    let health = request.app.actors.of(id);
    let state = health.as_ref().map_or_else(|| "starting".to_owned(), |health| health.state.to_string());
    let (current, progress) = health.map(|health| (health.current, health.progress)).unwrap_or_default();
    json(
        200,
        &ProgressView {
            account_id: id,
            state,
            running: current.is_some(),
            since: current.map(|current| current.since),
            done: progress.map(|progress| progress.done),
            total: progress.and_then(|progress| progress.total),
        },
    )
}
