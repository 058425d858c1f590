//! Contexts: what a user's work is grouped by, and where its blocks are shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::emptied;
use crate::{
    domain::{
        context::{Context, ContextVisibility},
        ids::{CalendarId, ContextId, UserId},
    },
    service::planning::contexts::ContextFacts,
    web::{
        etag::etag,
        paging::Page,
        problem::Problem,
        request::{ApiRequest, json, nothing, versioned},
        route::HandlerResult,
    },
};

/// A new context.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextBody {
    /// Whose.
    #[schema(value_type = String)]
    user_id: UserId,
    /// What people call it.
    name: String,
    /// `private` (without it): its blocks stay here; `shared`: they are shown in `calendar_id`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    visibility: Option<ContextVisibility>,
    /// The calendar its blocks are shown in; it must take writes.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    calendar_id: Option<CalendarId>,
}

/// What is to change in a context; what is left out stays, `null` empties.
#[expect(clippy::option_option, reason = "left out, emptied and set are three things to a patch")]
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextPatch {
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// `private` or `shared`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    visibility: Option<ContextVisibility>,
    /// The calendar its blocks are shown in; `null`: none.
    #[serde(default, deserialize_with = "emptied")]
    #[schema(value_type = Option<uuid::Uuid>)]
    calendar_id: Option<Option<CalendarId>>,
}

/// A context.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Context)]
pub struct ContextView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: ContextId,
    /// Whose.
    #[schema(value_type = String)]
    user_id: UserId,
    /// What people call it.
    name: String,
    /// `private` or `shared`.
    #[schema(value_type = String)]
    visibility: ContextVisibility,
    /// The calendar its blocks are shown in once it is shared.
    #[schema(value_type = Option<uuid::Uuid>)]
    calendar_id: Option<CalendarId>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
    /// For `If-Match`.
    etag: String,
}

impl From<Context> for ContextView {
    fn from(context: Context) -> Self {
        Self {
            id: context.id,
            user_id: context.user_id,
            name: context.name,
            visibility: context.visibility,
            calendar_id: context.calendar_id,
            created_at: context.created_at,
            updated_at: context.updated_at,
            etag: etag(context.version),
        }
    }
}

/// `GET /v1/contexts`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let user = request.user()?.ok_or_else(|| Problem::invalid("user_id", "say whose contexts you ask for"))?;
    let found = request.services().contexts(request.scope(), &user).await?;
    json(200, &Page::whole(found.into_iter().map(ContextView::from).collect()))
}

/// `POST /v1/contexts`
pub async fn create(request: ApiRequest) -> HandlerResult {
    let body: ContextBody = request.body()?;
    let visibility = body.visibility.unwrap_or(ContextVisibility::Private);
    let facts = ContextFacts { name: body.name, visibility, calendar_id: body.calendar_id };
    let made = request.services().create_context(request.scope(), &body.user_id, facts).await?;
    versioned(201, made.version, &ContextView::from(made))
}

/// `GET /v1/contexts/{id}`
pub async fn get(request: ApiRequest) -> HandlerResult {
    let found = request.services().context(request.scope(), request.id("id", "context")?).await?;
    versioned(200, found.version, &ContextView::from(found))
}

/// `PATCH /v1/contexts/{id}`
pub async fn patch(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "context")?;
    let body: ContextPatch = request.body()?;
    let edit = |held: ContextFacts| ContextFacts {
        name: body.name.clone().unwrap_or(held.name),
        visibility: body.visibility.unwrap_or(held.visibility),
        calendar_id: body.calendar_id.unwrap_or(held.calendar_id),
    };
    let changed = request.services().change_context(request.scope(), id, request.if_match(), edit).await?;
    versioned(200, changed.version, &ContextView::from(changed))
}

/// `DELETE /v1/contexts/{id}`
pub async fn delete(request: ApiRequest) -> HandlerResult {
    request.services().delete_context(request.scope(), request.id("id", "context")?).await?;
    Ok(nothing())
}
