//! Answers kept for repeated requests, so that a caller who lost one can ask again without doing it twice.
//!
//! - **work**: what a request with a key changes. It is durable together with the answer that is kept of it.
//!
//! A request with an `Idempotency-Key` is looked up first. Then its handler runs on use cases [within](Services::within) a
//! [`UnitOfWork`]: a transaction that commits is parked, and later ones go on with it and see what it
//! wrote. The answer is stored in the same transaction, work and answer become durable at once, and only then are accounts and the
//! planner woken. Answers other than 2xx are not kept: a refusal changed nothing, a failure left nothing. Where nobody is
//! recognised and where nothing is made, a key is ignored. A kept answer goes with the user it is about; one that may be about
//! anybody is emptied when a user is erased, and the request is then answered with 410 and not done again.
//!
//! **Invariant:** whatever stops the process or the database, the work and its answer are both there or both not.
//! **Invariant:** of two processes that do the same request at once one keeps its answer; nothing of the other's work happens.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::Duration;

use super::{Refusal, Services, write::Consequence};
use crate::{
    domain::{
        ids::{ApiKeyId, UserId},
        person::Scope,
    },
    store::{IdempotencyRow, Mode, UnitOfWork},
};

/// Hours that an answer is given again.
pub const KEPT_HOURS: i64 = 24;
/// The status of an answer that was emptied when a user was erased whom it may have been about.
pub const EMPTIED: u16 = 410;

/// An answer, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// Media type.
    pub content_type: String,
    /// Other headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Whom it is about; `None`: it may be about anybody.
    pub user_id: Option<UserId>,
}

/// A request that may come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeatable {
    /// Whose request.
    pub api_key: ApiKeyId,
    /// What its caller calls it.
    pub key: String,
    /// SHA-256 of what makes it the same request.
    pub request_hash: Vec<u8>,
}

/// What is known of a request that carries an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// It was never answered, or too long ago.
    Nothing,
    /// It was answered.
    Answer(Answered),
    /// It was answered, and the answer is no longer kept: a user was erased whom it may have been about.
    Emptied,
    /// The key was used for a different request.
    OtherRequest,
}

/// The work of one request that may come again.
#[derive(Default)]
pub struct RequestWork {
    pub(super) unit: UnitOfWork,
    put_off: Mutex<Vec<Consequence>>,
}

impl RequestWork {
    /// Notes what follows once the work is durable.
    pub(super) fn put_off(&self, consequence: Consequence) {
        let mut held = self.put_off.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.contains(&consequence) {
            held.push(consequence);
        }
    }

    /// Whether it has to be done anew: part of it lost a race.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.unit.is_lost()
    }
}

impl Services {
    /// Whether this request was answered before.
    pub async fn recall_answer(&self, asked: &Repeatable) -> Result<Recalled, Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let kept = tx.idempotency(asked.api_key, &asked.key).await?;
        tx.commit().await?;
        let oldest = self.world.now() - Duration::hours(KEPT_HOURS);
        Ok(match kept.filter(|row| row.created_at > oldest) {
            None => Recalled::Nothing,
            Some(row) if row.request_hash != asked.request_hash => Recalled::OtherRequest,
            Some(row) if row.status == EMPTIED => Recalled::Emptied,
            Some(row) => Recalled::Answer(Answered {
                status: row.status,
                content_type: row.content_type,
                headers: row.headers,
                body: row.body,
                user_id: row.user_id,
            }),
        })
    }

    /// Makes the work of a request durable, together with its answer; `false`: another process has answered the same request
    /// meanwhile, and nothing of this work happened.
    pub async fn end_with(
        &self,
        work: &Arc<RequestWork>,
        asked: &Repeatable,
        answer: Answered,
    ) -> Result<bool, Refusal> {
        let now = self.world.now();
        let services = self.within(work);
        let mut tx = services.begin_write().await?;
        let row = IdempotencyRow {
            api_key_id: asked.api_key,
            key: asked.key.clone(),
            request_hash: asked.request_hash.clone(),
            status: answer.status,
            content_type: answer.content_type,
            body: answer.body,
            created_at: now,
            headers: answer.headers,
            user_id: answer.user_id,
        };
        if !tx.put_idempotency(&row, now - Duration::hours(KEPT_HOURS)).await? {
            return Ok(false);
        }
        tx.commit().await?;
        self.end(work).await?;
        Ok(true)
    }

    /// Makes the work of a request durable whose answer is not kept.
    pub async fn end(&self, work: &Arc<RequestWork>) -> Result<(), Refusal> {
        work.unit.commit().await?;
        let put_off = std::mem::take(&mut *work.put_off.lock().unwrap_or_else(PoisonError::into_inner));
        for consequence in put_off {
            self.carry(consequence);
        }
        Ok(())
    }
}
