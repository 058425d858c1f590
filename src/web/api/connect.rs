//! Connecting by consent: a backend begins it; a browser goes through with it (`web/consent.rs`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        grant::Access,
        ids::{AccountId, SpaceId, UserId},
    },
    service::consent::Begin,
    web::{
        consent,
        request::{ApiRequest, json},
        route::HandlerResult,
    },
};

/// What a consent is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartBody {
    /// Whose account it will be.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The space it belongs to; the user's own without it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    space_id: Option<SpaceId>,
    /// `read` or `write` (without it). Of an account that reads already, `write` asks for the rest alone.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    access: Option<Access>,
    /// The account that is connected again, or given more access; a new one without it.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    account_id: Option<AccountId>,
    /// Where the person goes afterwards: an http or https URL on a host of the setting `return_to_hosts`, which gets `connected`
    /// and `account_id` added, or `error` (such as `access_denied` or `scopes_missing`), `error_description` and `provider`.
    #[serde(default)]
    return_to: Option<String>,
}

/// A consent that has begun.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsentStarted)]
pub struct StartedView {
    /// Where to send the person's browser when this answer's cookie is passed on to it.
    authorization_url: String,
    /// Where to send it otherwise: a page says whose account it will be and asks to go on. For this person alone, and good once.
    browser_url: String,
    /// When it is too late.
    expires_at: DateTime<Utc>,
}

/// `POST /v1/connect/google/start`
pub async fn start_google(request: ApiRequest) -> HandlerResult {
    let body: StartBody = request.body()?;
    request.may_connect(&body.user_id).await?;
    let asked = Begin {
        user_id: body.user_id,
        space_id: body.space_id,
        access: body.access.unwrap_or(Access::Write),
        account_id: body.account_id,
        return_to: body.return_to,
    };
    let begun = request.services().begin_consent(request.scope(), asked).await?;
    let view = StartedView {
        authorization_url: begun.authorization_url,
        browser_url: begun.browser_url,
        expires_at: begun.expires_at,
    };
    let mut answer = json(200, &view)?;
    consent::give_cookie(&mut answer, &begun.cookie, begun.secure)?;
    Ok(answer)
}
