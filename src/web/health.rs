//! Whether it lives, whether it can work, and its figures.

use actix_web::HttpResponse;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::{
    problem::{Problem, ProblemCode},
    request::{ApiRequest, json},
    route::HandlerResult,
};

/// What health checks read.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct HealthView {
    /// `live` or `ready`.
    pub status: &'static str,
}

/// The process answers.
pub async fn live(_: ApiRequest) -> HandlerResult {
    json(200, &HealthView { status: "live" })
}

/// The database takes writes, and somebody keeps the accounts in step.
pub async fn ready(request: ApiRequest) -> HandlerResult {
    if !request.app.actors.alive() {
        return Err(Problem::new(ProblemCode::Unavailable, "the actors have stopped; restart the service"));
    }
    request.services().ready().await.map_err(|failure| {
        let cause = Problem::from(failure).cause;
        let detail = "the database takes no writes; the service works again as soon as it does";
        Problem { cause, ..Problem::new(ProblemCode::Unavailable, detail).header("Retry-After", &5) }
    })?;
    json(200, &HealthView { status: "ready" })
}

/// The figures as they were last counted.
#[derive(Debug, Default)]
pub struct Counted(Mutex<Option<(DateTime<Utc>, Bytes)>>);

/// Figures are counted again after so long: whoever asks without end costs no more.
const FIGURES_LAST: TimeDelta = TimeDelta::seconds(1);

/// The figures, in Prometheus' text format. What the database holds is counted when it is asked for, once a second at most.
pub async fn figures(request: ApiRequest) -> HandlerResult {
    // Whoever comes while they are counted waits for that count.
    let mut counted = request.app.counted.0.lock().await;
    let now = request.services().world.now();
    let text = match &*counted {
        Some((at, text)) if (TimeDelta::zero()..FIGURES_LAST).contains(&(now - *at)) => text.clone(),
        _ => {
            count(&request).await;
            let text = Bytes::from((request.app.figures)());
            *counted = Some((now, text.clone()));
            text
        }
    };
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

async fn count(request: &ApiRequest) {
    // Without its database the service still reports what it knows by itself.
    if let Ok(counts) = request.services().counts().await {
        for (status, number) in counts.accounts {
            set("calwarden_accounts", "status", status.as_str(), number);
        }
        for (state, number) in counts.outbox {
            set("calwarden_outbox_depth", "state", state.as_str(), number);
        }
        let now = request.services().world.now();
        let age = counts.oldest_outbox.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0));
        metrics::gauge!("calwarden_outbox_oldest_seconds").set(age);
        metrics::gauge!("calwarden_conflicts_unresolved").set(float(counts.unresolved_conflicts));
        metrics::gauge!("calwarden_events").set(float(counts.events));
    }
    let mut states = std::collections::BTreeMap::<&'static str, u64>::new();
    for health in request.app.actors.all() {
        *states.entry(health.state.as_str()).or_default() += 1;
    }
    for phase in crate::engine::account::status::Phase::ALL {
        set("calwarden_actors", "state", phase.as_str(), states.get(phase.as_str()).copied().unwrap_or(0));
    }
}

fn set(name: &'static str, label: &'static str, value: &'static str, number: u64) {
    metrics::gauge!(name, label => value).set(float(number));
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; no count here comes near 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}
