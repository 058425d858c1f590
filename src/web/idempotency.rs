//! `Idempotency-Key` on POST: the same request asked twice is done once, and answered alike.
//!
//! **Invariant:** of two equal requests at the same time one is done; the other is told to wait (409).

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use actix_web::http::Method;
use sha2::{Digest, Sha256};

use super::{
    problem::{Code, Problem},
    session::Caller,
};
use crate::{
    domain::ids::ApiKeyId,
    service::{
        Services,
        repeat_request::{Answered, Recalled},
    },
};

/// The header.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Set on an answer that was given before.
pub const REPLAYED: &str = "Idempotency-Replayed";
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Requests with a key that are being answered now. One process serves a database, so its memory is enough.
#[derive(Debug, Default)]
pub struct Answering(Mutex<BTreeSet<(ApiKeyId, String)>>);

/// A request with a key that is being answered; lets the next one in when dropped.
pub struct Turn<'a> {
    answering: &'a Answering,
    place: (ApiKeyId, String),
    hash: Vec<u8>,
}

/// What to do with a request.
pub enum Begun<'a> {
    /// Answer it, and keep the answer.
    Fresh(Turn<'a>),
    /// Give the kept answer.
    Again(Answered),
}

/// What makes two requests the same.
pub struct Asked<'a> {
    /// Method.
    pub method: &'a Method,
    /// Path and query.
    pub target: &'a str,
    /// Body.
    pub body: &'a [u8],
}

impl Asked<'_> {
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

impl Answering {
    /// Begins a request that carries a key.
    pub async fn begin<'a>(
        &'a self,
        services: &Services,
        caller: &Caller,
        key: &str,
        asked: &Asked<'_>,
    ) -> Result<Begun<'a>, Problem> {
        if !(1..=KEY_BYTES_MAX).contains(&key.len()) {
            return Err(Problem::invalid(IDEMPOTENCY_KEY, format!("1 to {KEY_BYTES_MAX} characters")));
        }
        let turn = self.take((caller.key, key.to_owned()), asked.hash(caller))?;
        match services.recall_answer(caller.key, key, &turn.hash).await? {
            Recalled::Nothing => Ok(Begun::Fresh(turn)),
            Recalled::Answer(answer) => Ok(Begun::Again(answer)),
            Recalled::OtherRequest => {
                let detail = "this key was used for another request within 24 hours; choose a new one for each request";
                Err(Problem {
                    field: Some(IDEMPOTENCY_KEY.to_owned()),
                    ..Problem::new(Code::IdempotencyKeyReused, detail)
                })
            }
        }
    }

    fn take(&self, place: (ApiKeyId, String), hash: Vec<u8>) -> Result<Turn<'_>, Problem> {
        if self.lock().insert(place.clone()) {
            return Ok(Turn { answering: self, place, hash });
        }
        let detail = "a request with this idempotency key is being answered; ask again in a second";
        Err(Problem::new(Code::RequestInProgress, detail).header("Retry-After", &1))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<(ApiKeyId, String)>> {
        // Every change of the set is a single step, so it is whole after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Keeps what was answered. Only what changed something is kept: a refusal may be asked again, corrected or not.
    pub async fn end(self, services: &Services, answer: Answered) -> Result<(), Problem> {
        if (200..300).contains(&answer.status) {
            services.keep_answer(self.place.0, &self.place.1, self.hash.clone(), answer).await?;
        }
        Ok(())
    }
}

impl Drop for Turn<'_> {
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
        let turn = answering.take(place(), Vec::new()).expect("free");
        assert_eq!(
            answering.take(place(), Vec::new()).err().map(|problem| problem.code),
            Some(Code::RequestInProgress)
        );
        drop(turn);
        assert!(answering.take(place(), Vec::new()).is_ok());
    }

    #[test]
    fn requests_differ_by_body_path_method_and_user() {
        let caller = |user: Option<&str>| Caller {
            key: ApiKeyId(uuid::Uuid::nil()),
            user: user.map(|id| id.parse().expect("an id")),
            scope: crate::domain::person::Scope::Whole,
        };
        let asked = |target, body| Asked { method: &Method::POST, target, body };
        let first = asked("/v1/events", b"{}".as_slice()).hash(&caller(None));
        assert_eq!(first, asked("/v1/events", b"{}".as_slice()).hash(&caller(None)));
        assert_ne!(first, asked("/v1/events", b"{ }".as_slice()).hash(&caller(None)));
        assert_ne!(first, asked("/v1/events{", b"}".as_slice()).hash(&caller(None)));
        assert_ne!(first, asked("/v1/events", b"{}".as_slice()).hash(&caller(Some("ada"))));
    }
}
