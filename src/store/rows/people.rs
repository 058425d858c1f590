//! People, spaces, API keys and kept answers.

use diesel::prelude::*;

use super::{Column, StoreError};
use crate::{
    domain::{
        ids::{ApiKeyId, SpaceId, UserId},
        person::{ApiKey, Space, User},
    },
    store::{
        records::IdempotencyRow,
        schema::{api_keys, idempotency_keys, spaces, users},
        types::{Json, Ts},
    },
};

row! {
    /// A household, team or tenant.
    SpaceRow is Space in spaces (id) { id: SpaceId, name: String, created_at: Ts }
}

row! {
    /// A person.
    UserRow is User in users (id) {
        id: UserId,
        name: String,
        time_zone: String,
        working_hours: Json,
        home_space: SpaceId,
        created_at: Ts,
        version: i64,
    }
}

row! {
    /// An API key.
    ApiKeyRow is ApiKey in api_keys (id) {
        id: ApiKeyId,
        name: String,
        hash: Vec<u8>,
        scopes: Json,
        created_at: Ts,
        expires_at: Option<Ts>,
        revoked_at: Option<Ts>,
    }
}

row! {
    /// An answer kept for a repeated request.
    IdempotencyKeyRow is IdempotencyRow in idempotency_keys (api_key_id, key) {
        api_key_id: ApiKeyId,
        key: String,
        request_hash: Vec<u8>,
        status: i64,
        content_type: String,
        body: Vec<u8>,
        created_at: Ts,
        headers: Json,
        user_id: Option<UserId>,
    }
}
