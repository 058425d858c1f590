//! People: their name, their zone, their working hours.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        ids::UserId,
        person::{User, Weekday, WorkSpan, WorkingHours},
    },
    service::people::UserFacts,
    web::{
        actors::ActorOrder,
        etag::etag,
        problem::Problem,
        request::{ApiRequest, nothing, versioned},
        route::HandlerResult,
    },
};

/// What a caller says of a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserBody {
    /// What people call them.
    name: String,
    /// IANA name of the zone their days are in, such as `Europe/Paris`.
    #[serde(default)]
    time_zone: Option<String>,
    /// Spans per weekday: `{"mon":[["09:00","17:00"]]}`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Vec<Vec<String>>>)]
    working_hours: BTreeMap<String, Vec<WorkSpan>>,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    /// Yours.
    #[schema(value_type = String)]
    id: UserId,
    /// What people call them.
    name: String,
    /// IANA name of their zone.
    time_zone: String,
    /// Spans per weekday.
    #[schema(value_type = BTreeMap<String, Vec<Vec<String>>>)]
    working_hours: WorkingHours,
    /// The space made for them alone.
    space_id: String,
    /// When they were first seen.
    created_at: DateTime<Utc>,
    /// For `If-Match`.
    etag: String,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            etag: etag(user.version),
            id: user.id,
            name: user.name,
            time_zone: user.time_zone.name().to_owned(),
            working_hours: user.working_hours,
            space_id: user.home_space.into(),
            created_at: user.created_at,
        }
    }
}

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 200;

/// Refuses a name that is none.
pub(super) fn named(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    if (1..=NAME_CHARS_MAX).contains(&name.chars().count()) {
        return Ok(name.to_owned());
    }
    Err(Problem::invalid("name", format!("1 to {NAME_CHARS_MAX} characters")))
}

/// The user in the path, whom only the backend or they themselves may change: sharing a space is not enough.
pub(super) fn own(request: &ApiRequest) -> Result<UserId, Problem> {
    let id: UserId = request.own_id("id")?;
    if request.caller.user.as_ref().is_some_and(|user| *user != id) {
        return Err(Problem::not_found("user"));
    }
    Ok(id)
}

/// `PUT /v1/users/{id}`
pub async fn put(request: ApiRequest) -> HandlerResult {
    let id = own(&request)?;
    let body: UserBody = request.body()?;
    let zone = body.time_zone.as_deref().unwrap_or("UTC");
    let time_zone = Tz::from_str_insensitive(zone)
        .map_err(|_| Problem::invalid("time_zone", format!("`{zone}` is no IANA time zone such as Europe/Paris")))?;
    let hours = body.working_hours.into_iter().map(|(day, spans)| {
        let read: Result<Weekday, _> = day.parse();
        read.map(|day| (day, spans)).map_err(|why| Problem::invalid(format!("working_hours.{day}"), why))
    });
    let working_hours = WorkingHours(hours.collect::<Result<_, _>>()?);
    let facts = UserFacts { name: named(&body.name)?, time_zone, working_hours };
    let user = request.services().put_user_if(&id, request.if_match(), facts).await?;
    versioned(200, user.version, &UserView::from(user))
}

/// `GET /v1/users/{id}`
pub async fn get(request: ApiRequest) -> HandlerResult {
    let user = request.services().user(request.scope(), &request.own_id("id")?).await?;
    versioned(200, user.version, &UserView::from(user))
}

/// `DELETE /v1/users/{id}`
pub async fn delete(request: ApiRequest) -> HandlerResult {
    let gone = request.services().delete_user(request.scope(), &request.caller.actor(), &own(&request)?).await?;
    for account in gone {
        // Built anew from the store, the actor finds no account and ends; the census finds it too.
        let _ = request.app.actors.order(account, ActorOrder::Restart).await;
    }
    Ok(nothing())
}
