//! The writes an account owes.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        ids::{CalendarId, EventId, OutboxId},
        outbox::{OutboxEntry, OutboxState, WriteOp},
    },
    web::{
        paging::Page,
        request::{ApiRequest, json, nothing},
        route::HandlerResult,
    },
};

/// A write that waits or was put aside.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OutboxEntry)]
pub struct OutboxView {
    /// Ours.
    #[schema(value_type = uuid::Uuid)]
    id: OutboxId,
    /// The event.
    #[schema(value_type = uuid::Uuid)]
    event_id: EventId,
    /// The calendar written to.
    #[schema(value_type = uuid::Uuid)]
    calendar_id: CalendarId,
    /// `create`, `update` or `delete`.
    #[schema(value_type = String)]
    operation: WriteOp,
    /// `queued` or `parked`: the latter waits for you.
    #[schema(value_type = String)]
    state: OutboxState,
    /// 1 (first) to 7.
    priority: u8,
    /// Attempts made.
    attempts: u32,
    /// Not tried before this instant.
    not_before: DateTime<Utc>,
    /// Why it was queued.
    reason: String,
    /// Why the last attempt failed.
    last_error: Option<String>,
    /// When it was queued.
    created_at: DateTime<Utc>,
}

impl From<OutboxEntry> for OutboxView {
    fn from(entry: OutboxEntry) -> Self {
        Self {
            id: entry.id,
            event_id: entry.event_id,
            calendar_id: entry.calendar_id,
            operation: entry.op,
            state: entry.state,
            priority: entry.priority,
            attempts: entry.attempts,
            not_before: entry.not_before,
            reason: entry.reason,
            last_error: entry.last_error,
            created_at: entry.created_at,
        }
    }
}

/// `GET /v1/accounts/{id}/outbox`
pub async fn list(request: ApiRequest) -> HandlerResult {
    let owed = request.services().outbox(request.scope(), request.id("id", "account")?).await?;
    json(200, &Page::whole(owed).map(OutboxView::from))
}

/// `POST /v1/accounts/{id}/outbox/{entry}/retry`
pub async fn retry(request: ApiRequest) -> HandlerResult {
    let (account, entry) = (request.id("id", "account")?, request.id("entry", "queued write")?);
    request.services().retry_write(request.scope(), account, entry).await?;
    Ok(nothing())
}
