//! API keys, and the answers kept for repeated requests.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, SWEEP_ROWS, read_all, row_count};
use crate::{
    domain::{ids::ApiKeyId, person::ApiKey},
    store::{
        records::IdempotencyRow,
        rows::{ApiKeyRow, IdempotencyKeyRow},
        schema::{api_keys, idempotency_keys},
        types::{Json, Ts},
    },
};

/// Most API keys listed at once.
const KEYS_MAX: i64 = 1_000;

pub async fn insert_api_key(conn: &mut Conn, key: &ApiKey) -> Done<()> {
    diesel::insert_into(api_keys::table).values(ApiKeyRow::of(key)?).execute(conn).await?;
    Ok(())
}

pub async fn api_key_by_hash(conn: &mut Conn, hash: &[u8]) -> Done<Option<ApiKey>> {
    let query = api_keys::table.filter(api_keys::hash.eq(hash)).select(ApiKeyRow::as_select());
    query.first(conn).await.optional()?.map(ApiKeyRow::read).transpose()
}

pub async fn api_keys(conn: &mut Conn) -> Done<Vec<ApiKey>> {
    let query = api_keys::table.order(api_keys::id).limit(KEYS_MAX).select(ApiKeyRow::as_select());
    read_all(query.load(conn).await?, ApiKeyRow::read)
}

pub async fn revoke_api_key(conn: &mut Conn, id: ApiKeyId, at: DateTime<Utc>) -> Done<bool> {
    let live = api_keys::table.filter(api_keys::id.eq(id)).filter(api_keys::revoked_at.is_null());
    Ok(diesel::update(live).set(api_keys::revoked_at.eq(Ts::from(at))).execute(conn).await? > 0)
}

pub async fn idempotency(conn: &mut Conn, api_key: ApiKeyId, key: &str) -> Done<Option<IdempotencyRow>> {
    let query = idempotency_keys::table.find((api_key, key)).select(IdempotencyKeyRow::as_select());
    query.first(conn).await.optional()?.map(IdempotencyKeyRow::read).transpose()
}

pub async fn put_idempotency(conn: &mut Conn, answer: &IdempotencyRow, oldest: DateTime<Utc>) -> Done<bool> {
    let row = IdempotencyKeyRow::of(answer)?;
    // One that is too old to be given again makes room.
    let over = idempotency_keys::table
        .find((answer.api_key_id, &answer.key))
        .filter(idempotency_keys::created_at.le(Ts::from(oldest)));
    diesel::delete(over).execute(conn).await?;
    let insert = diesel::insert_into(idempotency_keys::table).values(row);
    Ok(insert.on_conflict_do_nothing().execute(conn).await? > 0)
}

pub async fn blank_idempotency(conn: &mut Conn, status: u16) -> Done<u64> {
    let anybodys = idempotency_keys::table.filter(idempotency_keys::user_id.is_null());
    let blank = (
        idempotency_keys::status.eq(i64::from(status)),
        idempotency_keys::content_type.eq(""),
        idempotency_keys::headers.eq(Json("[]".to_owned())),
        idempotency_keys::body.eq(Vec::<u8>::new()),
    );
    Ok(row_count(diesel::update(anybodys).set(blank).execute(conn).await?))
}

pub async fn sweep_idempotency(conn: &mut Conn, before: DateTime<Utc>) -> Done<u64> {
    let old = idempotency_keys::table.filter(idempotency_keys::created_at.lt(Ts::from(before)));
    let bound = old.order(idempotency_keys::created_at).offset(SWEEP_ROWS).select(idempotency_keys::created_at);
    let bound: Option<Ts> = bound.first(conn).await.optional()?;
    let swept = idempotency_keys::created_at.lt(bound.unwrap_or_else(|| before.into()));
    Ok(row_count(diesel::delete(idempotency_keys::table.filter(swept)).execute(conn).await?))
}
