//! Sealed secrets. They arrive and leave sealed: no key is known here.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, batches, read_all};
use crate::{
    domain::{account::SealedSecret, ids::AccountId},
    store::{rows::SecretRow, schema::secrets},
};

pub async fn put_secrets(conn: &mut Conn, sealed: &[SealedSecret]) -> Done<()> {
    for batch in batches(sealed, SecretRow::of) {
        let batch = batch?;
        batch!(conn, batch => diesel::insert_into(secrets::table)
            .values(&batch)
            .on_conflict((secrets::account_id, secrets::kind))
            .do_update()
            .set(overwrite!(secrets: key_id, sealed)))?;
    }
    Ok(())
}

pub async fn secrets_of(conn: &mut Conn, account: AccountId) -> Done<Vec<SealedSecret>> {
    let query = secrets::table.filter(secrets::account_id.eq(account)).order(secrets::kind);
    read_all(query.select(SecretRow::as_select()).load(conn).await?, SecretRow::read)
}

pub async fn secrets_not_under(conn: &mut Conn, key_id: &str, limit: u32) -> Done<Vec<SealedSecret>> {
    let query = secrets::table.filter(secrets::key_id.ne(key_id)).order((secrets::account_id, secrets::kind));
    read_all(query.limit(limit.into()).select(SecretRow::as_select()).load(conn).await?, SecretRow::read)
}

pub async fn replace_secret(conn: &mut Conn, old: &SealedSecret, new: &SealedSecret) -> Done<bool> {
    let unchanged = secrets::table
        .filter(secrets::account_id.eq(old.account_id))
        .filter(secrets::kind.eq(old.kind))
        .filter(secrets::key_id.eq(&old.key_id))
        .filter(secrets::sealed.eq(&old.sealed));
    let changes = (secrets::key_id.eq(&new.key_id), secrets::sealed.eq(&new.sealed));
    Ok(diesel::update(unchanged).set(changes).execute(conn).await? > 0)
}
