//! The actors, for operators.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    actor::ActorHealth,
    domain::{
        ids::AccountId,
        round::{Cause, Outcome},
    },
    web::{
        actors::ActorOrder,
        api::accounts::pause_or_resume,
        paging::Page,
        problem::Problem,
        request::{ApiRequest, json},
        route::HandlerResult,
    },
};

/// One account's actor.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Actor)]
pub struct ActorView {
    /// Whose actor.
    #[schema(value_type = uuid::Uuid)]
    account_id: AccountId,
    /// `idle`, `running`, `backing_off`, `reconnect_required`, `paused`, `quarantined`, …
    state: String,
    /// The work in flight.
    current: Option<CurrentView>,
    /// The last round that ended.
    last: Option<LastView>,
    /// Rounds that ended since the process started.
    rounds: u64,
    /// Times it was rebuilt after a failure.
    restarts: u32,
    /// The last of them.
    last_restart: Option<RestartView>,
    /// When it moves by itself.
    next_alarm: Option<DateTime<Utc>>,
    /// Rounds failed in a row.
    failures: u32,
    /// When a failed round is tried again.
    backoff_until: Option<DateTime<Utc>>,
    /// Messages waiting.
    mailbox: usize,
    /// When its watch channel ends.
    channel_until: Option<DateTime<Utc>>,
    /// When its credential ends.
    token_expires: Option<DateTime<Utc>>,
}

/// Work in flight.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActorWork)]
pub struct CurrentView {
    /// `round`, `refresh`, `open_channel` or `clean_up`.
    work: &'static str,
    /// Why, for a round.
    #[schema(value_type = Option<String>)]
    cause: Option<Cause>,
    /// Since when.
    since: DateTime<Utc>,
}

/// The end of a round.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActorRound)]
pub struct LastView {
    /// How.
    #[schema(value_type = String)]
    outcome: Outcome,
    /// When.
    at: DateTime<Utc>,
    /// Why it failed or what was skipped.
    note: Option<String>,
}

/// A rebuilding after a failure.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActorRestart)]
pub struct RestartView {
    /// When the failure was seen.
    at: DateTime<Utc>,
    /// What failed, in one word.
    why: &'static str,
}

impl From<ActorHealth> for ActorView {
    fn from(health: ActorHealth) -> Self {
        let current = health.current;
        Self {
            account_id: health.account_id,
            state: health.state.to_string(),
            current: current.map(|now| CurrentView { work: now.work, cause: now.cause, since: now.since }),
            last: health.last.map(|last| LastView { outcome: last.outcome, at: last.at, note: last.note }),
            rounds: health.rounds,
            restarts: health.restarts,
            last_restart: health.last_restart.map(|restart| RestartView { at: restart.at, why: restart.why }),
            next_alarm: health.next_alarm,
            failures: health.failures,
            backoff_until: health.backoff_until,
            mailbox: health.mailbox,
            channel_until: health.channel_until,
            token_expires: health.token_expires,
        }
    }
}

/// `GET /v1/ops/actors`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let seen = request.services().visible_accounts(request.scope()).await?;
    let actors = request.app.actors.all();
    let shown = actors.into_iter().filter(|health| seen.as_ref().is_none_or(|ids| ids.contains(&health.account_id)));
    json(200, &Page::whole(shown.map(ActorView::from).collect()))
}

/// `GET /v1/ops/actors/{account}`
pub async fn get(request: ApiRequest) -> HandlerResult {
    let id = account(&request).await?;
    actor_view(&request, 200, id)
}

/// `POST /v1/ops/actors/{account}/restart`
pub async fn restart(request: ApiRequest) -> HandlerResult {
    ordered(&request, ActorOrder::Restart).await
}

/// `POST /v1/ops/actors/{account}/pause`
pub async fn pause(request: ApiRequest) -> HandlerResult {
    let id = account(&request).await?;
    pause_or_resume(&request, id, true).await?;
    actor_view(&request, 202, id)
}

/// `POST /v1/ops/actors/{account}/resume`
pub async fn resume(request: ApiRequest) -> HandlerResult {
    let id = account(&request).await?;
    pause_or_resume(&request, id, false).await?;
    actor_view(&request, 202, id)
}

/// `POST /v1/ops/actors/{account}/panic`
pub async fn panic(request: ApiRequest) -> HandlerResult {
    ordered(&request, ActorOrder::Panic).await
}

async fn account(request: &ApiRequest) -> Result<AccountId, Problem> {
    let id = request.id("account", "account")?;
    request.services().account(request.scope(), id).await?;
    Ok(id)
}

async fn ordered(request: &ApiRequest, order: ActorOrder) -> HandlerResult {
    let id = account(request).await?;
    request.app.actors.order(id, order).await?;
    actor_view(request, 202, id)
}

fn actor_view(request: &ApiRequest, status: u16, id: AccountId) -> HandlerResult {
    let health = request.app.actors.of(id).unwrap_or_else(|| ActorHealth::starting(id));
    json(status, &ActorView::from(health))
}
