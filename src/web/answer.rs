//! One request from arrival to answer: recognise, read, remember, do, answer.
//!
//! **Invariant:** every answer bears a request id, and a failure of ours is logged once, here, under that id.
//! **Invariant:** a request is carried through even when its caller hangs up: no transaction is dropped half-way, and no change is
//! half done. What only computes learns of it ([`ApiRequest::gone`]) and ends.

use std::{rc::Rc, sync::Arc};

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{
        Method,
        header::{CACHE_CONTROL, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS},
    },
    rt, web,
};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    AppState, gate,
    idempotency::{self, IDEMPOTENCY_KEY},
    problem::{Problem, ProblemCode, internal},
    request::ApiRequest,
    route::{HandlerResult, Route},
    session::RouteAccess,
};
use crate::domain::ids::RoundId;

/// The header that names a request.
pub const REQUEST_ID: &str = "X-Request-Id";

/// Answers one request of a route.
pub async fn serve(app: Arc<AppState>, route: Rc<Route>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let started = app.services.world.now();
    let id = request_id(&app);
    let (method, path) = (route.method.clone(), route.path);
    let asked = request.clone();
    // This future is dropped when the caller hangs up; the work goes on without it, and `gone` is cancelled.
    let gone = CancellationToken::new();
    request.extensions_mut().insert(gone.clone());
    let guard = gone.drop_guard();
    let answered = {
        let app = Arc::clone(&app);
        match rt::spawn(async move { attend(&app, &route, request, payload).await }).await {
            Ok(answered) => answered,
            Err(lost) => Err(internal(&lost)),
        }
    };
    drop(guard);
    let mut response = finish(answered, &id, method.as_str(), path);
    gate::show_allowance(&asked, response.headers_mut());
    let took = (app.services.world.now() - started).as_seconds_f64().max(0.0);
    let status = response.status().as_str().to_owned();
    metrics::counter!("calwarden_http_requests_total", "method" => method.to_string(), "route" => path, "status" => status)
        .increment(1);
    metrics::histogram!("calwarden_http_request_seconds", "route" => path).record(took);
    response
}

/// Refuses a request that no route answers.
pub fn refuse(app: &AppState, problem: Problem, request: &HttpRequest) -> HttpResponse {
    finish(Err(problem), &request_id(app), request.method().as_str(), "none")
}

/// Requests are named like rounds: an id that sorts by time.
fn request_id(app: &AppState) -> String {
    app.services.world.new_id::<RoundId>().to_string()
}

fn finish(answered: HandlerResult, id: &str, method: &str, path: &str) -> HttpResponse {
    let mut response = answered.unwrap_or_else(|problem| {
        if let Some(cause) = &problem.cause {
            let code = problem.code.as_str();
            tracing::warn!(request.id = id, http.method = method, http.route = path, code, cause, "a request failed");
        }
        problem.respond(id)
    });
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

async fn attend(app: &Arc<AppState>, route: &Route, request: HttpRequest, payload: web::Payload) -> HandlerResult {
    let caller = gate::admit(app, route, &request).await?;
    // Read whatever a POST brings, wanted or not: an unread body makes the server close the connection.
    let body = if route.method == Method::GET {
        Bytes::new()
    } else {
        let (has_key, max) = (route.access != RouteAccess::Open, app.settings.body_bytes_max);
        app.intake.read(request.headers(), payload, has_key, max).await?
    };
    if route.takes.is_some() {
        is_json(&request)?;
    }
    if route.honours_key() && request.headers().contains_key(IDEMPOTENCY_KEY) {
        return idempotency::answer(app, route, &caller, &request, &body).await;
    }
    (route.handler)(ApiRequest::new(Arc::clone(app), caller, request, body, route)?).await
}

/// A body without a media type is taken for JSON; so is one that curl calls a form because nobody set another.
fn is_json(request: &HttpRequest) -> Result<(), Problem> {
    let name = request.content_type().trim().to_ascii_lowercase();
    let json = name == "application/json" || (name.starts_with("application/") && name.ends_with("+json"));
    if json || name.is_empty() || name == "application/x-www-form-urlencoded" {
        return Ok(());
    }
    Err(Problem::new(ProblemCode::UnsupportedMediaType, "send application/json"))
}
