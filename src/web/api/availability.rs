//! Busy time, as providers tell it.

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::ids::CalendarId,
    web::{
        ask::{Ask, json},
        paging::Page,
        problem::Problem,
        route::Answer,
    },
};

/// How far is looked ahead when nobody says.
const AHEAD: Duration = Duration::days(7);

/// A span in which a calendar is busy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AvailabilityBlock)]
pub struct BlockView {
    /// The calendar whose provider says so.
    #[schema(value_type = uuid::Uuid)]
    calendar_id: CalendarId,
    /// From this instant on.
    start: DateTime<Utc>,
    /// Until this instant.
    end: DateTime<Utc>,
}

/// `GET /v1/availability/blocks`
pub async fn blocks(ask: Ask) -> Answer {
    let user = ask.user()?.ok_or_else(|| Problem::invalid("user_id", "say whose busy time you ask for"))?;
    let from: DateTime<Utc> = ask.param("from")?.unwrap_or_else(|| ask.services().world.now());
    let to: DateTime<Utc> = ask.param("to")?.unwrap_or(from + AHEAD);
    if to <= from {
        return Err(Problem::invalid("to", "an instant after `from`"));
    }
    let spans = ask.services().busy(ask.scope(), &user, from, to).await?;
    let view = |(calendar_id, span): (_, crate::domain::availability::BusySpan)| BlockView {
        calendar_id,
        start: span.start,
        end: span.end,
    };
    json(200, &Page::whole(spans.into_iter().map(view).collect()))
}
