//! API keys and kept answers.

use calwarden::{
    domain::person::{ApiKey, KeyScope},
    store::IdempotencyRow,
};

use super::{
    Base,
    given::{self, at, id},
    on_every_database,
};

on_every_database![
    an_api_key_is_found_by_its_hash_and_revoked_once,
    the_first_answer_is_kept,
    an_answer_goes_with_the_user_it_is_about,
    old_answers_are_forgotten
];

pub(super) fn key(number: u64) -> ApiKey {
    ApiKey {
        id: id(number),
        name: "product".into(),
        hash: vec![0, 1, 255],
        scopes: vec![KeyScope::Read, KeyScope::Operate],
        created_at: at(0),
        expires_at: Some(at(99)),
        revoked_at: None,
    }
}

async fn an_api_key_is_found_by_its_hash_and_revoked_once(base: Base) {
    let mut key = key(1);
    let mut tx = base.write().await;
    tx.insert_api_key(&key).await.expect("key");
    assert_eq!(tx.api_key_by_hash(&[0, 1, 255]).await, Ok(Some(key.clone())));
    assert_eq!(tx.api_key_by_hash(&[0, 1]).await, Ok(None));
    assert_eq!(tx.revoke_api_key(key.id, at(5)).await, Ok(true));
    assert_eq!(tx.revoke_api_key(key.id, at(6)).await, Ok(false));
    key.revoked_at = Some(at(5));
    assert_eq!(tx.api_keys().await, Ok(vec![key]));
}

pub(super) fn answer(key: &str, minute: i64) -> IdempotencyRow {
    IdempotencyRow {
        api_key_id: id(1),
        key: key.into(),
        request_hash: vec![7; 32],
        status: 201,
        content_type: "application/json".into(),
        body: b"{}\x00".to_vec(),
        created_at: at(minute),
        headers: vec![("etag".into(), "\"1\"".into())],
        user_id: None,
    }
}

async fn the_first_answer_is_kept(base: Base) {
    let first = answer("once", 1);
    let mut tx = base.write().await;
    assert_eq!(tx.put_idempotency(&first, at(0)).await, Ok(true));
    assert_eq!(tx.put_idempotency(&IdempotencyRow { status: 500, ..first.clone() }, at(0)).await, Ok(false));
    assert_eq!(tx.idempotency(id(1), "once").await, Ok(Some(first)));
    assert_eq!(tx.idempotency(id(2), "once").await, Ok(None), "another key's");
    let later = answer("once", 9);
    assert_eq!(tx.put_idempotency(&later, at(1)).await, Ok(true), "the first is too old to be given again");
    assert_eq!(tx.idempotency(id(1), "once").await, Ok(Some(later)));
}

async fn an_answer_goes_with_the_user_it_is_about(base: Base) {
    let user = given::ada(&base).await.0.user_id;
    let mut tx = base.write().await;
    let hers = IdempotencyRow { user_id: Some(user.clone()), ..answer("hers", 1) };
    tx.put_idempotency(&hers, at(0)).await.expect("kept");
    tx.put_idempotency(&answer("anybodys", 1), at(0)).await.expect("kept");
    assert_eq!(tx.idempotency(id(1), "hers").await, Ok(Some(hers)));
    assert_eq!(tx.delete_user(&user).await, Ok(true));
    assert_eq!(tx.idempotency(id(1), "hers").await, Ok(None));
    assert_eq!(tx.blank_idempotency(410).await, Ok(1));
    let blank = IdempotencyRow {
        status: 410,
        content_type: String::new(),
        body: vec![],
        headers: vec![],
        ..answer("anybodys", 1)
    };
    assert_eq!(tx.idempotency(id(1), "anybodys").await, Ok(Some(blank)), "it was done, and that is all that is known");
}

async fn old_answers_are_forgotten(base: Base) {
    let mut tx = base.write().await;
    for (key, minute) in [("a", 1), ("b", 2), ("c", 3)] {
        tx.put_idempotency(&answer(key, minute), at(0)).await.expect("kept");
    }
    assert_eq!(tx.sweep_idempotency(at(3)).await, Ok(2));
    assert_eq!(tx.idempotency(id(1), "a").await, Ok(None));
    assert_eq!(tx.idempotency(id(1), "c").await, Ok(Some(answer("c", 3))));
}
