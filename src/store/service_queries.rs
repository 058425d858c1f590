//! The queries of what the service keeps for its own sake: its log of who did what, keys and kept answers, figures.

use chrono::{DateTime, Utc};

use super::{Link, Tx};
use crate::{
    domain::{
        changed::{ChangePlace, Changed},
        conflict::AuditLine,
        ids::{AccountId, ApiKeyId, UserId},
        person::{ApiKey, Scope},
    },
    store::{
        error::StoreError,
        postgres,
        records::{Counts, IdempotencyRow},
        sqlite,
    },
};

queries! {
    changes {
        /// What changed after a place and up to another one, of one person or of all, in its order.
        fn changes(
            scope: &Scope,
            user: Option<&UserId>,
            after: ChangePlace,
            until: ChangePlace,
            limit: u32,
        ) -> Vec<Changed>;
        /// Forgets changes from before an instant, oldest first: some thousands at most, so ask again until none went.
        fn sweep_changes(before: DateTime<Utc>) -> u64;
    }
    audit {
        /// Adds lines to the audit log.
        fn audit(lines: &[AuditLine]) -> ();
        /// The audit log of an account, newest first.
        fn audit_of(scope: &Scope, account: AccountId, limit: u32) -> Vec<AuditLine>;
        /// Forgets lines from before an instant: some thousands at most, so ask again until none went.
        fn sweep_audit(before: DateTime<Utc>) -> u64;
    }
    keys {
        /// Adds an API key.
        fn insert_api_key(key: &ApiKey) -> ();
        /// The API key with this SHA-256, revoked and expired ones included.
        fn api_key_by_hash(hash: &[u8]) -> Option<ApiKey>;
        /// Every API key, oldest first, a thousand at most.
        fn api_keys() -> Vec<ApiKey>;
        /// Revokes an API key; `false`: there is none, or it was revoked before.
        fn revoke_api_key(id: ApiKeyId, at: DateTime<Utc>) -> bool;
        /// The answer that was given to a request with this key.
        fn idempotency(api_key: ApiKeyId, key: &str) -> Option<IdempotencyRow>;
        /// Keeps an answer, in place of one from `oldest` or before; `false`: a younger one is kept already, and stays.
        fn put_idempotency(answer: &IdempotencyRow, oldest: DateTime<Utc>) -> bool;
        /// Empties kept answers that may be about anybody; the status shows that they were.
        fn blank_idempotency(status: u16) -> u64;
        /// Forgets answers from before an instant: some thousands at most, so ask again until none went.
        fn sweep_idempotency(before: DateTime<Utc>) -> u64;
    }
    figures {
        /// How much there is of what, under [`Scope::Whole`].
        fn counts() -> Counts;
        /// Writes something, however little, to find out whether the database takes writes.
        fn pulse(at: DateTime<Utc>) -> ();
    }
}
