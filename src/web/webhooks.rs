//! Notifications of providers, taken in.
//!
//! **Invariant:** the answer never shows whether a channel is known or a proof was right; only that it must be sent again
//! when it could not be kept.

use actix_web::HttpResponse;

use super::{problem::Problem, request::ApiRequest, route::HandlerResult};
use crate::{
    domain::account::ProviderKind,
    provider::{catalogue::facts, registry},
};

/// `POST /sync/providers/{provider}/webhook`
pub async fn notified(request: ApiRequest) -> HandlerResult {
    let provider: ProviderKind = request.id("provider", "provider")?;
    if facts(provider).notified_at.is_none() {
        return Err(Problem::not_found("provider"));
    }
    match registry::notifications(provider, |name| request.header(name)) {
        Ok(notifications) => {
            for notification in notifications {
                request.app.actors.notify(notification).await?;
            }
        }
        Err(_) => metrics::counter!("calwarden_notifications_total", "verdict" => "unreadable").increment(1),
    }
    Ok(HttpResponse::NoContent().finish())
}
