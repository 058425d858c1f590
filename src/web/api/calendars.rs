//! The calendars of an account.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        calendar::{Calendar, Direction},
        ids::{AccountId, CalendarId},
    },
    service::change_calendar::CalendarChange,
    web::{
        etag::etag,
        paging::Page,
        problem::Problem,
        request::{ApiRequest, json, versioned},
        route::HandlerResult,
    },
};

/// A calendar.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Calendar)]
pub struct CalendarView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: CalendarId,
    /// The account it is in.
    #[schema(value_type = uuid::Uuid)]
    account_id: AccountId,
    /// What people call it.
    name: String,
    /// `#rrggbb`.
    color: Option<String>,
    /// The zone its floating times are read in.
    time_zone: Option<String>,
    /// Whether it is kept in step.
    selected: bool,
    /// The provider takes no writes here.
    read_only: bool,
    /// `from_provider`, `to_provider` or `both`.
    #[schema(value_type = String)]
    direction: Direction,
    /// Whether its events become tasks of their owner; those that recur do not.
    makes_tasks: bool,
    /// When the provider stopped listing it.
    gone_at: Option<DateTime<Utc>>,
    /// Why its last round failed.
    last_error: Option<String>,
    /// For `If-Match`.
    etag: String,
}

impl From<Calendar> for CalendarView {
    fn from(calendar: Calendar) -> Self {
        Self {
            id: calendar.id,
            account_id: calendar.account_id,
            name: calendar.name,
            color: calendar.color,
            time_zone: calendar.time_zone,
            selected: calendar.selected,
            read_only: calendar.read_only,
            direction: calendar.direction,
            makes_tasks: calendar.makes_tasks,
            gone_at: calendar.gone_at,
            last_error: calendar.last_error,
            etag: etag(calendar.version),
        }
    }
}

/// What is to change in a calendar; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarPatch {
    /// Whether it is kept in step. A calendar that is deselected takes its busy time and imported events from here, never anything
    /// there; an event that lives elsewhere too, or was changed here and not sent yet, stays, and is known again by its copy when
    /// the calendar is selected again.
    #[serde(default)]
    selected: Option<bool>,
    /// `both`; `from_provider`: nothing is written there, and what changes here waits until it is; `to_provider`: nothing is
    /// taken from there. Its imported events go from here, and what is changed or deleted there is put back; what it said is in the
    /// conflict history.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    direction: Option<Direction>,
    /// Whether its events become tasks of their owner; those that recur do not.
    #[serde(default)]
    makes_tasks: Option<bool>,
}

/// `GET /v1/accounts/{id}/calendars`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let facts = request.services().account(request.scope(), request.id("id", "account")?).await?;
    json(200, &Page::whole(facts.calendars).map(CalendarView::from))
}

/// `PATCH /v1/calendars/{id}`
pub async fn patch(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "calendar")?;
    let body: CalendarPatch = request.body()?;
    let change = CalendarChange { selected: body.selected, direction: body.direction, makes_tasks: body.makes_tasks };
    let calendar = request.services().change_calendar(request.scope(), id, request.if_match(), change).await;
    let calendar = calendar.map_err(Problem::from)?;
    versioned(200, calendar.version, &CalendarView::from(calendar))
}
