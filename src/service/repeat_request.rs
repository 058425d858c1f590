//! Answers kept for repeated requests, so that a caller who lost one can ask again without doing it twice.

use chrono::Duration;

use super::{Failure, Services};
use crate::{
    domain::{ids::ApiKeyId, person::Scope},
    store::{IdempotencyRow, Mode},
};

/// Hours that an answer is given again.
pub const KEPT_HOURS: i64 = 24;

/// An answer, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// Media type.
    pub content_type: String,
    /// Body.
    pub body: Vec<u8>,
}

/// What is known of a request that carries an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// It was never answered, or too long ago.
    Nothing,
    /// It was answered.
    Answer(Answered),
    /// The key was used for a different request.
    OtherRequest,
}

impl Services {
    /// Whether this request was answered before.
    pub async fn recall_answer(&self, api_key: ApiKeyId, key: &str, request_hash: &[u8]) -> Result<Recalled, Failure> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let kept = tx.idempotency(api_key, key).await?;
        tx.commit().await?;
        let oldest = self.world.now() - Duration::hours(KEPT_HOURS);
        Ok(match kept.filter(|row| row.created_at > oldest) {
            None => Recalled::Nothing,
            Some(row) if row.request_hash != request_hash => Recalled::OtherRequest,
            Some(row) => {
                Recalled::Answer(Answered { status: row.status, content_type: row.content_type, body: row.body })
            }
        })
    }

    /// Keeps the answer to a request.
    pub async fn keep_answer(
        &self,
        api_key: ApiKeyId,
        key: &str,
        request_hash: Vec<u8>,
        answer: Answered,
    ) -> Result<(), Failure> {
        let now = self.world.now();
        let mut tx = self.store.begin(Mode::Write, &Scope::Whole).await?;
        // One that is too old to be given again must not stand in the way of its successor.
        tx.sweep_idempotency(now - Duration::hours(KEPT_HOURS) + Duration::microseconds(1)).await?;
        tx.put_idempotency(&IdempotencyRow {
            api_key_id: api_key,
            key: key.to_owned(),
            request_hash,
            status: answer.status,
            content_type: answer.content_type,
            body: answer.body,
            created_at: now,
        })
        .await?;
        tx.commit().await?;
        Ok(())
    }
}
