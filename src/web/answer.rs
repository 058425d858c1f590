//! One request from arrival to answer: recognise, read, remember, do, tell.
//!
//! **Invariant:** every answer bears a request id, and a failure of ours is logged once, here, under that id.
//! **Invariant:** a request that changes something is carried through even when its caller hangs up.

use std::{rc::Rc, sync::Arc};

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    body::to_bytes_limited,
    http::{
        Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS},
    },
    rt, web,
};
use bytes::Bytes;

use super::{
    Desk,
    ask::Ask,
    gate,
    idempotency::{Asked, Begun, IDEMPOTENCY_KEY, REPLAYED, Turn},
    problem::{Code, Problem, internal},
    route::{Answer, Route},
    session::Access,
};
use crate::{domain::ids::RoundId, service::repeat_request::Answered};

/// The header that names a request.
pub const REQUEST_ID: &str = "X-Request-Id";
/// Bytes of an answer that may be kept to be given again.
const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Answers one request of a route.
pub async fn serve(desk: Arc<Desk>, route: Rc<Route>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let started = desk.services.world.now();
    let id = request_id(&desk);
    let (method, path) = (route.method.clone(), route.path);
    let asked = request.clone();
    let answered = if method == Method::GET && !route.acts {
        attend(&desk, &route, request, payload).await
    } else {
        let desk = Arc::clone(&desk);
        // A dropped future must not leave half of a change undone: the work goes on without its caller.
        match rt::spawn(async move { attend(&desk, &route, request, payload).await }).await {
            Ok(answered) => answered,
            Err(lost) => Err(internal(&lost)),
        }
    };
    let mut response = finish(answered, &id, method.as_str(), path);
    gate::tell(&asked, response.headers_mut());
    let took = (desk.services.world.now() - started).as_seconds_f64().max(0.0);
    let status = response.status().as_str().to_owned();
    metrics::counter!("calwarden_http_requests_total", "method" => method.to_string(), "route" => path, "status" => status)
        .increment(1);
    metrics::histogram!("calwarden_http_request_seconds", "route" => path).record(took);
    response
}

/// Refuses a request that no route answers.
pub fn refuse(desk: &Desk, problem: Problem, request: &HttpRequest) -> HttpResponse {
    finish(Err(problem), &request_id(desk), request.method().as_str(), "none")
}

/// Requests are named like rounds: an id that sorts by time.
fn request_id(desk: &Desk) -> String {
    desk.services.world.new_id::<RoundId>().to_string()
}

fn finish(answered: Answer, id: &str, method: &str, path: &str) -> HttpResponse {
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

async fn attend(desk: &Arc<Desk>, route: &Route, request: HttpRequest, payload: web::Payload) -> Answer {
    let caller = gate::admit(desk, route, &request).await?;
    // Read whatever a POST brings, wanted or not: an unread body makes the server close the connection.
    let body = match route.method {
        Method::GET => Bytes::new(),
        _ => {
            let (has_key, max) = (route.access != Access::Open, desk.settings.body_bytes_max);
            desk.intake.read(request.headers(), payload, has_key, max).await?
        }
    };
    if route.takes.is_some() {
        is_json(&request)?;
    }
    let key = request.headers().get(IDEMPOTENCY_KEY).filter(|_| route.method == Method::POST);
    let key = key.map(|value| value.to_str().unwrap_or_default().to_owned());
    let Some(key) = key else {
        return (route.handler)(Ask::new(Arc::clone(desk), caller, request, body, route)?).await;
    };
    let target = request.uri().path_and_query().map_or("", |target| target.as_str()).to_owned();
    let asked = Asked { method: &route.method, target: &target, body: &body };
    match desk.answering.begin(&desk.services, &caller, &key, &asked).await? {
        Begun::Again(answer) => again(answer),
        Begun::Fresh(turn) => {
            let ask = Ask::new(Arc::clone(desk), caller, request, body.clone(), route)?;
            let response = (route.handler)(ask).await?;
            keep(desk, turn, response).await
        }
    }
}

/// A body without a media type is taken for JSON; so is one that curl calls a form because nobody told it otherwise.
fn is_json(request: &HttpRequest) -> Result<(), Problem> {
    let name = request.content_type().trim().to_ascii_lowercase();
    let json = name == "application/json" || (name.starts_with("application/") && name.ends_with("+json"));
    if json || name.is_empty() || name == "application/x-www-form-urlencoded" {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "send application/json"))
}

fn again(answer: Answered) -> Answer {
    let status = StatusCode::from_u16(answer.status).map_err(|error| internal(&error))?;
    let mut response = HttpResponse::build(status);
    response.insert_header((REPLAYED, "true"));
    if !answer.content_type.is_empty() {
        response.insert_header((CONTENT_TYPE, answer.content_type));
    }
    Ok(response.body(answer.body))
}

async fn keep(desk: &Desk, turn: Turn<'_>, response: HttpResponse) -> Answer {
    let (head, body) = response.into_parts();
    let body = to_bytes_limited(body, KEPT_BYTES_MAX).await.map_err(|_| internal(&"an answer too long to keep"))?;
    let body = body.map_err(|error| internal(&error))?;
    let content_type = head.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let answer =
        Answered { status: head.status().as_u16(), content_type: content_type.to_owned(), body: body.to_vec() };
    turn.end(&desk.services, answer).await?;
    Ok(head.set_body(actix_web::body::BoxBody::new(body)))
}
