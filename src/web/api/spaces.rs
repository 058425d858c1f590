//! Spaces and who is in them. They are the backend's own: a request that acts for a user does not change them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::named;
use crate::{
    domain::{ids::SpaceId, person::Scope},
    web::{
        ask::{Ask, json, nothing},
        problem::{Code, Problem},
        route::Answer,
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

fn only_whole(ask: &Ask) -> Result<(), Problem> {
    match ask.scope() {
        Scope::Whole => Ok(()),
        Scope::Spaces(_) => {
            let detail = format!("spaces are changed without `{ACTS_FOR}`");
            Err(Problem { field: Some(ACTS_FOR.to_owned()), ..Problem::new(Code::ForbiddenScope, detail) })
        }
    }
}

/// `PUT /v1/spaces/{id}`
pub async fn put(ask: Ask) -> Answer {
    only_whole(&ask)?;
    let name = named(&ask.body::<SpaceBody>()?.name)?;
    let space = ask.services().put_space(&ask.own_id("id")?, &name).await?;
    json(200, &SpaceView { id: space.id, name: space.name, created_at: space.created_at })
}

/// `PUT /v1/spaces/{id}/members/{user}`
pub async fn join(ask: Ask) -> Answer {
    only_whole(&ask)?;
    let body = if ask.has_body() { ask.body()? } else { MemberBody { role: None } };
    let role = body.role.as_deref().unwrap_or("member");
    if !["member", "owner"].contains(&role) {
        return Err(Problem::invalid("role", "`member` or `owner`"));
    }
    ask.services().put_member(&ask.own_id("id")?, &ask.own_id("user")?, role).await?;
    Ok(nothing())
}

/// `DELETE /v1/spaces/{id}/members/{user}`
pub async fn leave(ask: Ask) -> Answer {
    only_whole(&ask)?;
    ask.services().remove_member(&ask.own_id("id")?, &ask.own_id("user")?).await?;
    Ok(nothing())
}
