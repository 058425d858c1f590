//! Deletions that the brake stopped, and a person's word on them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        conflict::{HeldFate, Hold, HoldState},
        ids::{AccountId, CalendarId, EventId, HoldId},
        mapping::Event,
        time::EventTime,
    },
    service::answer_hold::HoldShown,
    web::{
        paging::Page,
        request::{ApiRequest, json},
        route::HandlerResult,
        words,
    },
};

/// Held deletions of one calendar.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hold)]
pub struct HoldView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: HoldId,
    /// The account.
    #[schema(value_type = uuid::Uuid)]
    account_id: AccountId,
    /// The calendar.
    #[schema(value_type = uuid::Uuid)]
    calendar_id: CalendarId,
    /// How many events would go.
    removed: usize,
    /// How many events the calendar had.
    mapped: u32,
    /// Why they are held, and what speaks for an error of the calendar's keeper.
    reason: String,
    /// The events that would go; the first hundred.
    events: Vec<HeldEventView>,
    /// `held`: it waits for your answer. `approved` and `refused`: the next sync does what you said. `carried_out`: it was approved
    /// and done. `restored`: it was refused, and nothing of it is missing in the calendar any more, or is being written there.
    /// `superseded`: what is missing has changed before anybody answered; what still is missing has a hold of its own.
    #[schema(value_type = String)]
    state: HoldState,
    /// What comes of it, in one sentence.
    outcome: String,
    /// How many of the events have come to what.
    fates: FatesView,
    /// When they were held.
    created_at: DateTime<Utc>,
    /// When somebody decided.
    decided_at: Option<DateTime<Utc>>,
}

/// How many held events have come to what.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeldFates)]
pub struct FatesView {
    /// They wait for an answer, or for the sync that follows it.
    open: usize,
    /// Deleted here.
    deleted: usize,
    /// Refused: they stay here, and are written to their calendar as soon as that takes changes.
    kept: usize,
    /// Refused, and queued to be written to their calendar again.
    restored: usize,
    /// Their calendar shows them again by itself.
    back: usize,
}

impl From<&Hold> for FatesView {
    fn from(hold: &Hold) -> Self {
        Self {
            open: hold.count(HeldFate::Open),
            deleted: hold.count(HeldFate::Deleted),
            kept: hold.count(HeldFate::Kept),
            restored: hold.count(HeldFate::Restored),
            back: hold.count(HeldFate::Back),
        }
    }
}

/// An event that would go.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeldEvent)]
pub struct HeldEventView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: EventId,
    /// What it is called.
    title: String,
    /// When it starts, first.
    #[schema(value_type = Object)]
    starts: EventTime,
}

impl From<Event> for HeldEventView {
    fn from(event: Event) -> Self {
        let facts = event.content.facts;
        Self { id: event.id, title: facts.title, starts: facts.start }
    }
}

impl From<HoldShown> for HoldView {
    fn from(HoldShown { hold, events, takes_writes }: HoldShown) -> Self {
        Self {
            fates: FatesView::from(&hold),
            outcome: takes_writes.map(|takes| words::of_hold(&hold, takes)).unwrap_or_default(),
            id: hold.id,
            account_id: hold.account_id,
            calendar_id: hold.calendar_id,
            removed: hold.removed.len(),
            mapped: hold.mapped,
            reason: hold.reason,
            events: events.into_iter().map(HeldEventView::from).collect(),
            state: hold.state,
            created_at: hold.created_at,
            decided_at: hold.decided_at,
        }
    }
}

/// `GET /v1/accounts/{id}/holds`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let holds = request.services().holds(request.scope(), request.id("id", "account")?).await?;
    json(200, &Page::whole(holds).map(HoldView::from))
}

/// `POST /v1/holds/{id}/approve`
pub async fn approve(request: ApiRequest) -> HandlerResult {
    decided(&request, true).await
}

/// `POST /v1/holds/{id}/refuse`
pub async fn refuse(request: ApiRequest) -> HandlerResult {
    decided(&request, false).await
}

async fn decided(request: &ApiRequest, go_ahead: bool) -> HandlerResult {
    let id = request.id("id", "hold")?;
    json(200, &HoldView::from(request.services().decide_hold(request.scope(), id, go_ahead).await?))
}
