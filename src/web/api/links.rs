//! Where an event lives, and why it is as it is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        conflict::{ConflictStatus, Winner},
        event::EventContent,
        ids::{AccountId, CalendarId, EventId},
    },
    service::explain::{EventPlace, Explanation, PastConflict},
    web::{
        paging::Page,
        problem::Problem,
        request::{ApiRequest, json, nothing},
        route::HandlerResult,
    },
};

/// An event, explained.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Explanation)]
pub struct ExplanationView {
    /// Which event.
    #[schema(value_type = uuid::Uuid)]
    event_id: EventId,
    /// Its version here.
    version: i64,
    /// Whether it is deleted here.
    deleted: bool,
    /// Where it lives.
    places: Vec<PlaceView>,
    /// Disagreements about it, latest first.
    conflicts: Vec<PastConflictView>,
}

/// One place an event lives in, or is on its way to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Place)]
pub struct PlaceView {
    /// The calendar, and how the event stands there.
    #[serde(flatten)]
    link: LinkView,
    /// The version stamp the provider gave.
    remote_revision: Option<String>,
    /// Fields where ours differs from what was last agreed there.
    differs: Vec<String>,
    /// The last content both sides agreed on.
    #[schema(value_type = Option<Object>)]
    base: Option<EventContent>,
    /// Why a write is queued, in one word.
    reason: Option<String>,
    /// The same as a sentence.
    why: Option<&'static str>,
}

/// A calendar that an event has a copy in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Link)]
pub struct LinkView {
    /// The account.
    #[schema(value_type = uuid::Uuid)]
    account_id: AccountId,
    /// The calendar.
    #[schema(value_type = uuid::Uuid)]
    calendar_id: CalendarId,
    /// What people call the calendar.
    calendar: String,
    /// How it stands, in a sentence.
    summary: String,
    /// Why the last attempt to write failed.
    last_error: Option<String>,
    /// When it is tried next.
    next_try: Option<DateTime<Utc>>,
}

/// A disagreement about the event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PastConflict)]
pub struct PastConflictView {
    /// When.
    at: DateTime<Utc>,
    /// Why it was decided so, in one word.
    reason: String,
    /// The same as a sentence.
    why: Option<&'static str>,
    /// `local` or `remote`: whose version stands.
    #[schema(value_type = Option<String>)]
    winner: Option<Winner>,
    /// `pending`, `resolved` or `restored`.
    #[schema(value_type = String)]
    status: ConflictStatus,
    /// Which fields.
    fields: Vec<String>,
}

/// The calendar to put a copy into.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    /// The calendar.
    #[schema(value_type = uuid::Uuid)]
    calendar_id: CalendarId,
}

impl From<&EventPlace> for LinkView {
    fn from(place: &EventPlace) -> Self {
        Self {
            account_id: place.account_id,
            calendar_id: place.calendar_id,
            calendar: place.calendar.clone(),
            summary: place.summary.clone(),
            last_error: place.last_error.clone(),
            next_try: place.next_try,
        }
    }
}

impl From<EventPlace> for PlaceView {
    fn from(place: EventPlace) -> Self {
        Self {
            link: LinkView::from(&place),
            remote_revision: place.remote_revision,
            differs: place.differs,
            base: place.base,
            reason: place.reason,
            why: place.why,
        }
    }
}

impl From<PastConflict> for PastConflictView {
    fn from(past: PastConflict) -> Self {
        let PastConflict { at, reason, why, winner, status, fields } = past;
        Self { at, reason, why, winner, status, fields }
    }
}

impl From<Explanation> for ExplanationView {
    fn from(explained: Explanation) -> Self {
        Self {
            event_id: explained.event_id,
            version: explained.version,
            deleted: explained.deleted,
            places: explained.places.into_iter().map(PlaceView::from).collect(),
            conflicts: explained.conflicts.into_iter().map(PastConflictView::from).collect(),
        }
    }
}

/// `GET /v1/events/{id}/explain`
pub async fn explain(request: ApiRequest) -> HandlerResult {
    let explained = request.services().explain(request.scope(), request.id("id", "event")?).await?;
    json(200, &ExplanationView::from(explained))
}

/// `GET /v1/events/{id}/links`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let explained = request.services().explain(request.scope(), request.id("id", "event")?).await?;
    json(200, &Page::whole(explained.places.iter().map(LinkView::from).collect()))
}

/// `POST /v1/events/{id}/links`
pub async fn add(request: ApiRequest) -> HandlerResult {
    let id = request.id("id", "event")?;
    let body: LinkBody = request.body()?;
    let place = request.services().link(request.scope(), id, body.calendar_id).await?;
    json(202, &LinkView::from(&place))
}

/// `DELETE /v1/events/{id}/links`
pub async fn remove(request: ApiRequest) -> HandlerResult {
    let calendar: Option<CalendarId> = request.param("calendar_id")?;
    let calendar = calendar.ok_or_else(|| Problem::invalid("calendar_id", "say which calendar's copy goes"))?;
    request.services().unlink_event(request.scope(), request.id("id", "event")?, calendar).await?;
    Ok(nothing())
}
