//! `Idempotency-Key` on POST: the same request asked twice is done once, and answered alike.
//!
//! Only an answer that all went well is kept. A refusal is not: what is corrected may be asked again under its key, and a
//! refused request changed nothing that a repetition could double. Nor is a failure, of whose work nothing is left.
//!
//! **Invariant:** the answer is stored in the transaction of its work, so that a crash leaves both or neither.
//! **Invariant:** of two equal requests at the same time one is done; the other is asked to wait (409), or in another process
//! gets the answer of the first.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BoxBody, to_bytes_limited},
    http::{
        Method, StatusCode,
        header::{CONTENT_TYPE, HeaderName, HeaderValue},
    },
};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    AppState,
    problem::{Problem, ProblemCode, internal},
    request::{ApiRequest, Orders},
    route::{HandlerResult, Route},
    session::Caller,
};
use crate::{
    domain::ids::{ApiKeyId, UserId},
    service::{
        RETRIES_MAX, Refusal,
        repeat_request::{Answered, Recalled, Repeatable, RequestWork},
    },
    store::StoreError,
};

/// The header.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Set on an answer that was given before.
const REPLAYED: &str = "idempotency-replayed";
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Bytes of an answer that may be kept to be given again.
const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Requests with a key that this process is answering now: the second of two is refused before it has done anything.
#[derive(Debug, Default)]
pub struct Answering(Mutex<BTreeSet<(ApiKeyId, String)>>);

/// A request with a key that is being answered; lets the next one in when dropped.
struct KeyInUse<'a> {
    answering: &'a Answering,
    place: (ApiKeyId, String),
}

/// How an attempt at a request ended.
enum Attempt {
    /// With this answer.
    Done(HttpResponse),
    /// It lost a race, and nothing of it happened.
    Lost,
}

/// What makes two requests the same.
pub struct RequestFingerprint<'a> {
    /// Method.
    pub method: &'a Method,
    /// Path and query.
    pub target: &'a str,
    /// Body.
    pub body: &'a [u8],
}

impl RequestFingerprint<'_> {
    fn hash(&self, caller: &Caller) -> Vec<u8> {
        let user = caller.user.as_ref().map_or("", |user| user.as_str());
        let mut hash = Sha256::new();
        for part in [self.method.as_str().as_bytes(), self.target.as_bytes(), user.as_bytes(), self.body] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }
}

/// Answers a request that carries a key.
pub async fn answer(
    app: &Arc<AppState>,
    route: &Route,
    caller: &Caller,
    request: &HttpRequest,
    body: &Bytes,
) -> HandlerResult {
    let key =
        request.headers().get(IDEMPOTENCY_KEY).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if !(1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Err(Problem::invalid(IDEMPOTENCY_KEY, format!("1 to {KEY_BYTES_MAX} characters of ASCII")));
    }
    let target = request.uri().path_and_query().map_or("", |target| target.as_str()).to_owned();
    let request_hash = RequestFingerprint { method: &route.method, target: &target, body }.hash(caller);
    let asked = Repeatable { api_key: caller.key, key, request_hash };
    let _turn = app.answering.take((asked.api_key, asked.key.clone()))?;
    for _ in 0..=RETRIES_MAX {
        // Another process may have answered it while an attempt of ours lost its race.
        if let Some(answer) = recalled(app.services.recall_answer(&asked).await?)? {
            return again(answer);
        }
        let request = ApiRequest::new(Arc::clone(app), caller.clone(), request.clone(), body.clone(), route)?;
        match attempt(app, route, &asked, request).await? {
            Attempt::Done(response) => return Ok(response),
            Attempt::Lost => {}
        }
    }
    Err(StoreError::Busy.into())
}

/// Does the work, and makes it durable together with its answer.
async fn attempt(app: &AppState, route: &Route, asked: &Repeatable, request: ApiRequest) -> Result<Attempt, Problem> {
    let (work, orders) = (Arc::new(RequestWork::default()), Orders::default());
    let services = Arc::new(app.services.within(&work));
    let answered = (route.handler)(request.within(services, orders.clone())).await;
    if work.is_lost() {
        return match answered {
            Err(refusal) if refusal.code.status() < 500 => Err(refusal),
            _ => Ok(Attempt::Lost),
        };
    }
    let ended = match answered {
        Ok(response) if response.status().is_success() => {
            let (response, answer) = kept(response).await?;
            app.services.end_with(&work, asked, answer).await.map(|done| done.then_some(Ok(response)))
        }
        // What a use case stored although it refuses (an offer that is out of date) is stored without a key as well.
        Ok(other) => app.services.end(&work).await.map(|()| Some(Ok(other))),
        Err(refusal) if refusal.code.status() < 500 => app.services.end(&work).await.map(|()| Some(Err(refusal))),
        Err(failure) => return Err(failure),
    };
    match ended {
        Ok(Some(answered)) => {
            orders.give(app).await;
            answered.map(Attempt::Done)
        }
        Ok(None) | Err(Refusal::Store(StoreError::Busy)) => Ok(Attempt::Lost),
        Err(failure) => Err(failure.into()),
    }
}

fn recalled(known: Recalled) -> Result<Option<Answered>, Problem> {
    match known {
        Recalled::Nothing => Ok(None),
        Recalled::Answer(answer) => Ok(Some(answer)),
        Recalled::Emptied => {
            let detail = "this request was done, and is not done again; its answer went when a user was erased";
            Err(Problem::new(ProblemCode::AnswerNotKept, detail))
        }
        Recalled::OtherRequest => {
            let detail = "this key was used for another request within 24 hours; choose a new one for each request";
            let reused = Problem::new(ProblemCode::IdempotencyKeyReused, detail);
            Err(Problem { field: Some(IDEMPOTENCY_KEY.to_owned()), ..reused })
        }
    }
}

/// An answer on its way out, and as it is kept.
async fn kept(response: HttpResponse) -> Result<(HttpResponse, Answered), Problem> {
    let (head, body) = response.into_parts();
    let body = to_bytes_limited(body, KEPT_BYTES_MAX).await.map_err(|_| internal(&"an answer too long to keep"))?;
    let body = body.map_err(|error| internal(&error))?;
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let others = head.headers().iter().filter(|(name, _)| *name != CONTENT_TYPE);
    let answer = Answered {
        status: head.status().as_u16(),
        content_type: head.headers().get(CONTENT_TYPE).map(text).unwrap_or_default(),
        headers: others.map(|(name, value)| (name.to_string(), text(value))).collect(),
        user_id: whose(&body),
        body: body.to_vec(),
    };
    Ok((head.set_body(BoxBody::new(body)), answer))
}

/// Whom an answer says it is about.
fn whose(body: &[u8]) -> Option<UserId> {
    #[derive(serde::Deserialize)]
    struct Owned {
        user_id: UserId,
    }
    serde_json::from_slice::<Owned>(body).ok().map(|owned| owned.user_id)
}

fn again(answer: Answered) -> HandlerResult {
    let status = StatusCode::from_u16(answer.status).map_err(|error| internal(&error))?;
    let mut response = HttpResponse::build(status).body(answer.body);
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(REPLAYED), HeaderValue::from_static("true"));
    let content_type = (!answer.content_type.is_empty()).then(|| (CONTENT_TYPE.to_string(), answer.content_type));
    for (name, value) in answer.headers.into_iter().chain(content_type) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| internal(&error))?;
        headers.append(name, HeaderValue::from_str(&value).map_err(|error| internal(&error))?);
    }
    Ok(response)
}

impl Answering {
    fn take(&self, place: (ApiKeyId, String)) -> Result<KeyInUse<'_>, Problem> {
        if self.lock().insert(place.clone()) {
            return Ok(KeyInUse { answering: self, place });
        }
        let detail = "a request with this idempotency key is being answered; try again in a second";
        Err(Problem::new(ProblemCode::RequestInProgress, detail).header("Retry-After", &1))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<(ApiKeyId, String)>> {
        // Every change of the set is a single step, so it is whole after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyInUse<'_> {
    fn drop(&mut self) {
        self.answering.lock().remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_free_again_when_its_request_has_ended() {
        let answering = Answering::default();
        let place = || (ApiKeyId(uuid::Uuid::nil()), "k".to_owned());
        let turn = answering.take(place()).expect("free");
        assert_eq!(answering.take(place()).err().map(|problem| problem.code), Some(ProblemCode::RequestInProgress));
        drop(turn);
        assert!(answering.take(place()).is_ok());
    }

    #[test]
    fn requests_differ_by_body_path_method_and_user() {
        let caller = |user: Option<&str>| Caller {
            key: ApiKeyId(uuid::Uuid::nil()),
            user: user.map(|id| id.parse().expect("an id")),
            scope: crate::domain::person::Scope::Whole,
        };
        let asked = |target, body| RequestFingerprint { method: &Method::POST, target, body };
        let first = asked("/v1/events", b"{}".as_slice()).hash(&caller(None));
        assert_eq!(first, asked("/v1/events", b"{}".as_slice()).hash(&caller(None)));
        assert_ne!(first, asked("/v1/events", b"{ }".as_slice()).hash(&caller(None)));
        assert_ne!(first, asked("/v1/events{", b"}".as_slice()).hash(&caller(None)));
        assert_ne!(first, asked("/v1/events", b"{}".as_slice()).hash(&caller(Some("ada"))));
    }
}
