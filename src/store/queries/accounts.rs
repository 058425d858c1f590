//! Connected accounts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{BATCH_ROWS, Conn, Done, read_all};
use crate::{
    domain::{
        account::{Account, AccountStatus},
        ids::{AccountId, UserId},
        person::Scope,
    },
    store::{
        StoreError,
        rows::AccountRow,
        schema::{account_identities, accounts},
        types::Ts,
    },
};

pub async fn insert_account(conn: &mut Conn, account: &Account) -> Done<()> {
    diesel::insert_into(accounts::table).values(AccountRow::of(account)?).execute(conn).await?;
    Ok(())
}

pub async fn account(conn: &mut Conn, scope: &Scope, id: AccountId) -> Done<Option<Account>> {
    let query = accounts::table.filter(accounts::id.eq(id)).select(AccountRow::as_select()).into_boxed();
    let row = within!(query, scope, accounts::space_id).first(conn).await.optional()?;
    row.map(AccountRow::read).transpose()
}

pub async fn accounts(
    conn: &mut Conn,
    scope: &Scope,
    user: Option<&UserId>,
    after: Option<AccountId>,
    limit: u32,
) -> Done<Vec<Account>> {
    let query = accounts::table.order(accounts::id).limit(limit.into()).select(AccountRow::as_select()).into_boxed();
    let mut query = within!(query, scope, accounts::space_id);
    if let Some(user) = user {
        query = query.filter(accounts::user_id.eq(user));
    }
    if let Some(after) = after {
        query = query.filter(accounts::id.gt(after));
    }
    read_all(query.load(conn).await?, AccountRow::read)
}

pub async fn update_account(conn: &mut Conn, account: &Account, expected_version: i64) -> Done<bool> {
    let row = AccountRow { version: expected_version.saturating_add(1), ..AccountRow::of(account)? };
    let expected = accounts::table.filter(accounts::id.eq(account.id)).filter(accounts::version.eq(expected_version));
    Ok(diesel::update(expected).set(row).execute(conn).await? > 0)
}

pub async fn set_account_state(
    conn: &mut Conn,
    id: AccountId,
    status: AccountStatus,
    reason: Option<&str>,
    failures: u32,
    next_round_at: Option<DateTime<Utc>>,
    provider_interval_s: Option<u32>,
) -> Done<bool> {
    let changes = (
        accounts::status.eq(status),
        accounts::status_reason.eq(reason),
        accounts::failures.eq(i64::from(failures)),
        accounts::next_round_at.eq(next_round_at.map(Ts::from)),
        accounts::provider_interval_s.eq(provider_interval_s.map(i64::from)),
    );
    Ok(diesel::update(accounts::table.find(id)).set(changes).execute(conn).await? > 0)
}

pub async fn owe_rounds(conn: &mut Conn, ids: &[AccountId], at: DateTime<Utc>) -> Done<()> {
    for batch in ids.chunks(BATCH_ROWS) {
        let later = accounts::next_round_at.is_null().or(accounts::next_round_at.gt(Ts::from(at)));
        let owing = accounts::table.filter(accounts::id.eq_any(batch)).filter(later);
        diesel::update(owing).set(accounts::next_round_at.eq(Some(Ts::from(at)))).execute(conn).await?;
    }
    Ok(())
}

pub async fn account_ids(conn: &mut Conn) -> Done<Vec<AccountId>> {
    Ok(accounts::table.select(accounts::id).order(accounts::id).load(conn).await?)
}

pub async fn delete_account(conn: &mut Conn, id: AccountId) -> Done<bool> {
    Ok(diesel::delete(accounts::table.find(id)).execute(conn).await? > 0)
}

pub async fn claim_identities(
    conn: &mut Conn,
    account: AccountId,
    user: &UserId,
    identities: &[String],
) -> Done<Option<AccountId>> {
    for identity in identities {
        let row = (
            account_identities::user_id.eq(user),
            account_identities::identity.eq(identity),
            account_identities::account_id.eq(account),
        );
        let insert = diesel::insert_into(account_identities::table).values(row).on_conflict_do_nothing();
        if insert.execute(conn).await? > 0 {
            continue;
        }
        let held = account_identities::table.find((user, identity)).select(account_identities::account_id);
        // It is held, but by an account that this transaction does not see.
        let holder: AccountId = held.first(conn).await.optional()?.ok_or(StoreError::Stale)?;
        if holder != account {
            return Ok(Some(holder));
        }
    }
    Ok(None)
}

pub async fn release_identities(conn: &mut Conn, account: AccountId) -> Done<()> {
    let held = account_identities::table.filter(account_identities::account_id.eq(account));
    diesel::delete(held).execute(conn).await?;
    Ok(())
}

pub async fn unidentified_accounts(conn: &mut Conn, user: &UserId) -> Done<Vec<Account>> {
    let identified = account_identities::table
        .filter(account_identities::account_id.eq(accounts::id))
        .select(account_identities::identity);
    let query = accounts::table
        .filter(accounts::user_id.eq(user))
        .filter(accounts::status.ne(AccountStatus::Disconnecting))
        .filter(diesel::dsl::not(diesel::dsl::exists(identified)))
        .order(accounts::id)
        .select(AccountRow::as_select());
    read_all(query.load(conn).await?, AccountRow::read)
}
