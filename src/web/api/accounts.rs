//! Connected accounts: connecting, looking, choosing, asking for a round, disconnecting.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{calendars::CalendarView, emptied, rounds::LastRound};
use crate::{
    domain::{
        account::{AccountStatus, ConflictPolicy, PrivacyLevel, ProviderKind, Schedule},
        ids::{AccountId, SpaceId, UserId},
        secret::Secret,
    },
    provider::catalogue::{ConnectedBy, facts},
    service::{change_account::AccountChange, connect_account::Connect, read_accounts::AccountFacts},
    web::{
        actors::ActorOrder,
        etag::etag,
        paging::Page,
        problem::Problem,
        request::{ApiRequest, json, versioned},
        route::HandlerResult,
    },
};

/// What it takes to connect an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectBody {
    /// Whose account it will be.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The space it belongs to; the user's own without it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    space_id: Option<SpaceId>,
    /// `caldav`, `icloud` or `feed`.
    #[schema(value_type = String)]
    provider: ProviderKind,
    /// The server, the calendar or the feed; may be left out for iCloud.
    #[serde(default)]
    url: Option<String>,
    /// User name.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    username: Option<Secret>,
    /// Password; for iCloud an app-specific one.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
    /// Bearer token, instead of user name and password.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    bearer_token: Option<Secret>,
    /// What its owner calls it; the host without it.
    #[serde(default)]
    label: Option<String>,
    /// The account that takes the writes of a feed.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    writes_through: Option<AccountId>,
    /// Who wins a conflict: `external_wins` (without it), `most_recent_wins`, `local_wins` or `ask`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    policy: Option<ConflictPolicy>,
    /// How much is sent to the provider: `minimal`, `normal` or `full` (without it).
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    privacy: Option<PrivacyLevel>,
}

/// New credentials of an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconnectBody {
    /// A feed's new address; other accounts keep theirs.
    #[serde(default)]
    url: Option<String>,
    /// User name.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    username: Option<Secret>,
    /// Password.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
    /// Bearer token.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    bearer_token: Option<Secret>,
}

/// What is to change in an account; what is left out stays.
#[expect(clippy::option_option, reason = "left out, emptied and set are three things to a patch")]
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountPatch {
    /// What its owner calls it.
    #[serde(default)]
    label: Option<String>,
    /// Who wins a conflict: `external_wins`, `most_recent_wins`, `local_wins` or `ask`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    policy: Option<ConflictPolicy>,
    /// How much is sent to the provider: `minimal`, `normal` or `full`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    privacy: Option<PrivacyLevel>,
    /// The account that takes the writes of a feed; `null`: none.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<uuid::Uuid>)]
    writes_through: Option<Option<AccountId>>,
}

/// When an account looks for changes by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleBody {
    /// `false`: rounds run only when asked for.
    auto_sync_enabled: bool,
    /// Minutes between rounds; `null`: the provider's own pace.
    #[serde(default)]
    sync_frequency_minutes: Option<u32>,
    /// Who wins a conflict.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    conflict_policy: Option<ConflictPolicy>,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: AccountId,
    /// The space it belongs to.
    #[schema(value_type = String)]
    space_id: SpaceId,
    /// Whose it is.
    #[schema(value_type = String)]
    user_id: UserId,
    /// `caldav`, `icloud`, `feed` or `google`.
    #[schema(value_type = String)]
    provider: ProviderKind,
    /// What its owner calls it.
    label: String,
    /// Where it is reached; `null` for a feed, whose address is a secret.
    url: Option<String>,
    /// `active`, `error`, `reconnect_required`, `paused`, `quarantined` or `disconnecting`.
    #[schema(value_type = String)]
    status: AccountStatus,
    /// Why, in words for its owner.
    status_reason: Option<String>,
    /// Who wins a conflict.
    #[schema(value_type = String)]
    policy: ConflictPolicy,
    /// How much is sent to the provider.
    #[schema(value_type = String)]
    privacy: PrivacyLevel,
    /// The account that takes its writes.
    #[schema(value_type = Option<uuid::Uuid>)]
    writes_through: Option<AccountId>,
    /// When it looks for changes by itself.
    schedule: ScheduleView,
    /// Its calendars, those kept in step first.
    calendars: Vec<CalendarView>,
    /// What its owner granted, in the provider's words; `null` for an account with a password.
    granted_scopes: Option<Vec<String>>,
    /// The newest round that came to its end; `null` before the first.
    last_round: Option<LastRound>,
    /// When the next round is due; `null`: none is planned, or one is running.
    next_round_at: Option<DateTime<Utc>>,
    /// Rounds failed in a row.
    failures: u32,
    /// When it was connected.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
    /// For `If-Match`.
    etag: String,
}

/// When an account looks for changes by itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleView {
    /// `false`: rounds run only when asked for.
    auto_sync_enabled: bool,
    /// Minutes between rounds; `null`: the provider's own pace.
    sync_frequency_minutes: Option<u32>,
}

impl From<AccountFacts> for AccountView {
    fn from(facts: AccountFacts) -> Self {
        let account = facts.account;
        let mut calendars = facts.calendars;
        calendars.sort_by(|one, other| other.selected.cmp(&one.selected).then_with(|| one.name.cmp(&other.name)));
        Self {
            etag: etag(account.version),
            id: account.id,
            space_id: account.space_id,
            user_id: account.user_id,
            provider: account.provider,
            label: account.label,
            url: Some(account.url).filter(|url| !url.is_empty()),
            status: account.status,
            status_reason: account.status_reason,
            policy: account.policy,
            privacy: account.privacy,
            writes_through: account.writes_through,
            schedule: ScheduleView {
                auto_sync_enabled: account.schedule.auto_sync_enabled,
                sync_frequency_minutes: account.schedule.sync_frequency_minutes,
            },
            calendars: calendars.into_iter().map(CalendarView::from).collect(),
            granted_scopes: facts.grant.map(|grant| grant.granted()),
            last_round: facts.last_round.map(LastRound::from),
            next_round_at: account.next_round_at,
            failures: account.failures,
            created_at: account.created_at,
            updated_at: account.updated_at,
        }
    }
}

/// Shows an account as it is now.
async fn account_view(request: &ApiRequest, status: u16, id: AccountId) -> HandlerResult {
    let facts = request.services().account(request.scope(), id).await?;
    versioned(status, facts.account.version, &AccountView::from(facts))
}

/// `GET /v1/accounts`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let (user, limit) = (request.param("user_id")?, request.limit()?);
    let rows = request.services().accounts(request.scope(), user.as_ref(), request.cursor()?, limit + 1).await?;
    json(200, &Page::cut(rows, limit, |row| row.account.id).map(AccountView::from))
}

/// `POST /v1/accounts`
pub async fn connect(request: ApiRequest) -> HandlerResult {
    let body: ConnectBody = request.body()?;
    request.may_connect(&body.user_id).await?;
    let url = body.url.unwrap_or_default();
    let known_start = matches!(facts(body.provider).connected_by, ConnectedBy::Password { start: Some(_) });
    if url.trim().is_empty() && !known_start {
        return Err(Problem::invalid("url", "say where the calendars are"));
    }
    let asked = Connect {
        user_id: body.user_id,
        space_id: body.space_id,
        provider: body.provider,
        url,
        username: body.username,
        password: body.password,
        bearer_token: body.bearer_token,
        label: body.label,
        writes_through: body.writes_through,
        policy: body.policy,
        privacy: body.privacy,
    };
    let (account, calendars) = request.services().connect(request.scope(), &request.caller.actor(), asked).await?;
    let version = account.version;
    versioned(201, version, &AccountView::from(AccountFacts { account, calendars, last_round: None, grant: None }))
}

/// `GET /v1/accounts/{id}`
pub async fn get(request: ApiRequest) -> HandlerResult {
    account_view(&request, 200, request.id("id", "account")?).await
}

/// `PATCH /v1/accounts/{id}`
pub async fn patch(request: ApiRequest) -> HandlerResult {
    let body: AccountPatch = request.body()?;
    let change = AccountChange {
        label: body.label,
        policy: body.policy,
        privacy: body.privacy,
        writes_through: body.writes_through,
        schedule: None,
    };
    changed(&request, change).await
}

/// `PUT /v1/accounts/{id}/schedule`
pub async fn schedule(request: ApiRequest) -> HandlerResult {
    let body: ScheduleBody = request.body()?;
    let schedule =
        Schedule { auto_sync_enabled: body.auto_sync_enabled, sync_frequency_minutes: body.sync_frequency_minutes };
    let change = AccountChange { schedule: Some(schedule), policy: body.conflict_policy, ..AccountChange::default() };
    let answer = changed(&request, change).await?;
    request.notify_actor(request.id("id", "account")?, ActorOrder::ScheduleChanged).await;
    Ok(answer)
}

async fn changed(request: &ApiRequest, change: AccountChange) -> HandlerResult {
    let id = request.id("id", "account")?;
    let (expected, actor) = (request.if_match(), request.caller.actor());
    request.services().change_account(request.scope(), &actor, id, expected, change).await?;
    account_view(request, 200, id).await
}

/// `DELETE /v1/accounts/{id}`
pub async fn delete(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "account")?;
    let delete_events = request.param("delete_events")?.unwrap_or(false);
    request.services().begin_disconnect(request.scope(), &request.caller.actor(), id, delete_events).await?;
    let answer = account_view(&request, 202, id).await?;
    request.notify_actor(id, ActorOrder::Disconnect { delete_events }).await;
    Ok(answer)
}

/// `POST /v1/accounts/{id}/sync`
pub async fn sync(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "account")?;
    // Who may not see an account may not use up its requests either.
    let mut answer = account_view(&request, 202, id).await?;
    let allowance = request.app.sync_limit.admit(id, request.services().world.now())?;
    request.services().request_round(request.scope(), id).await?;
    for (name, value) in allowance.headers() {
        if let (Ok(name), Ok(value)) = (name.parse::<actix_web::http::header::HeaderName>(), value.parse()) {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

/// `POST /v1/accounts/{id}/pause`
pub async fn pause(request: ApiRequest) -> HandlerResult {
    ordered(&request, true).await
}

/// `POST /v1/accounts/{id}/resume`
pub async fn resume(request: ApiRequest) -> HandlerResult {
    ordered(&request, false).await
}

async fn ordered(request: &ApiRequest, pause: bool) -> HandlerResult {
    let id = request.id("id", "account")?;
    pause_or_resume(request, id, pause).await?;
    account_view(request, 202, id).await
}

/// Stores the choice, then notifies the actor.
pub(super) async fn pause_or_resume(request: &ApiRequest, id: AccountId, pause: bool) -> Result<(), Problem> {
    request.services().pause_account(request.scope(), &request.caller.actor(), id, pause).await?;
    request.notify_actor(id, if pause { ActorOrder::Pause } else { ActorOrder::Resume }).await;
    Ok(())
}

/// `POST /v1/accounts/{id}/reconnect`
pub async fn reconnect(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "account")?;
    let body: ReconnectBody = request.body()?;
    let account = request.services().account(request.scope(), id).await?.account;
    request.may_connect(&account.user_id).await?;
    let feed = facts(account.provider).connected_by == ConnectedBy::Address;
    if feed != body.url.is_some() {
        let why = if feed { "say where the feed is now" } else { "an account at another address is another account" };
        return Err(Problem::invalid("url", why));
    }
    let fresh = Connect {
        user_id: account.user_id,
        space_id: Some(account.space_id),
        provider: account.provider,
        url: body.url.unwrap_or(account.url),
        username: body.username,
        password: body.password,
        bearer_token: body.bearer_token,
        label: None,
        writes_through: None,
        policy: None,
        privacy: None,
    };
    request.services().reconnect(request.scope(), &request.caller.actor(), id, fresh).await?;
    request.notify_actor(id, ActorOrder::Reauthorised).await;
    account_view(&request, 200, id).await
}
