//! Notifications of providers, taken in.
//!
//! **Invariant:** the answer never tells whether a channel is known or a proof was right; only that it must be sent again
//! when it could not be kept.

use actix_web::HttpResponse;

use super::{ask::Ask, route::Answer};
use crate::provider::google;

/// `POST /sync/providers/google/webhook`
pub async fn google(ask: Ask) -> Answer {
    match google::push::parse(|name| ask.header(name)) {
        Ok(told) => ask.app.actors.notify(told).await?,
        Err(_) => metrics::counter!("calwarden_notifications_total", "verdict" => "unreadable").increment(1),
    }
    Ok(HttpResponse::NoContent().finish())
}
