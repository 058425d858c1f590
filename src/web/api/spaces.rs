//! Spaces and who is in them. They are the backend's own: a request that acts for a user does not change them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::named;
use crate::{
    domain::{ids::SpaceId, person::Scope},
    web::{
        problem::{Problem, ProblemCode},
        request::{ApiRequest, json, nothing},
        route::HandlerResult,
        session::ACTS_FOR,
    },
};

/// What a caller says of a space.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SpaceBody {
    /// What people call it.
    name: String,
}

/// A space.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Space)]
pub struct SpaceView {
    /// Yours.
    #[schema(value_type = String)]
    id: SpaceId,
    /// What people call it.
    name: String,
    /// When it was made.
    created_at: DateTime<Utc>,
}

/// What a user is in a space. The body may be left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberBody {
    /// `member` (without it) or `owner`.
    #[serde(default)]
    role: Option<String>,
}

fn only_whole(request: &ApiRequest) -> Result<(), Problem> {
    match request.scope() {
        Scope::Whole => Ok(()),
        Scope::Spaces(_) => {
            let detail = format!("spaces are changed without `{ACTS_FOR}`");
            Err(Problem { field: Some(ACTS_FOR.to_owned()), ..Problem::new(ProblemCode::ForbiddenScope, detail) })
        }
    }
}

/// `PUT /v1/spaces/{id}`
pub async fn put(request: ApiRequest) -> HandlerResult {
    only_whole(&request)?;
    let name = named(&request.body::<SpaceBody>()?.name)?;
    let space = request.services().put_space(&request.own_id("id")?, &name).await?;
    json(200, &SpaceView { id: space.id, name: space.name, created_at: space.created_at })
}

/// `PUT /v1/spaces/{id}/members/{user}`
pub async fn join(request: ApiRequest) -> HandlerResult {
    only_whole(&request)?;
    let body = if request.has_body() { request.body()? } else { MemberBody { role: None } };
    let role = body.role.as_deref().unwrap_or("member");
    if !["member", "owner"].contains(&role) {
        return Err(Problem::invalid("role", "`member` or `owner`"));
    }
    request.services().put_member(&request.own_id("id")?, &request.own_id("user")?, role).await?;
    Ok(nothing())
}

/// `DELETE /v1/spaces/{id}/members/{user}`
pub async fn leave(request: ApiRequest) -> HandlerResult {
    only_whole(&request)?;
    request.services().remove_member(&request.own_id("id")?, &request.own_id("user")?).await?;
    Ok(nothing())
}
