//! What owners granted at providers, and consents under way.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, row_count};
use crate::{
    domain::{
        account::{AccountStatus, ProviderKind},
        grant::{Consent, Grant},
        ids::{AccountId, UserId},
    },
    store::{
        rows::{ConsentRow, GrantRow},
        schema::{accounts, consents, grants},
        types::Ts,
    },
};

pub async fn put_grant(conn: &mut Conn, grant: &Grant) -> Done<()> {
    diesel::insert_into(grants::table)
        .values(GrantRow::of(grant)?)
        .on_conflict(grants::account_id)
        .do_update()
        .set(overwrite!(grants: subject, scopes, access_expires_at))
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn grant_of(conn: &mut Conn, account: AccountId) -> Done<Option<Grant>> {
    let query = grants::table.find(account).select(GrantRow::as_select());
    query.first(conn).await.optional()?.map(GrantRow::read).transpose()
}

pub async fn account_of_subject(
    conn: &mut Conn,
    user: &UserId,
    provider: ProviderKind,
    subject: &str,
) -> Done<Option<AccountId>> {
    let theirs = grants::table.filter(grants::subject.eq(subject)).select(grants::account_id);
    let query = accounts::table
        .filter(accounts::user_id.eq(user))
        .filter(accounts::provider.eq(provider))
        // One that is being taken down is nobody's any more.
        .filter(accounts::status.ne(AccountStatus::Disconnecting))
        .filter(accounts::id.eq_any(theirs))
        .order(accounts::id)
        .select(accounts::id);
    Ok(query.first(conn).await.optional()?)
}

/// Whether another account stands on the same person's grant.
pub async fn shares_grant(conn: &mut Conn, account: AccountId, subject: &str) -> Done<bool> {
    let others = grants::table
        .inner_join(accounts::table)
        .filter(grants::subject.eq(subject))
        .filter(grants::account_id.ne(account))
        .filter(accounts::status.ne(AccountStatus::Disconnecting))
        .select(grants::account_id);
    Ok(others.first::<AccountId>(conn).await.optional()?.is_some())
}

pub async fn put_consent(conn: &mut Conn, consent: &Consent) -> Done<()> {
    diesel::insert_into(consents::table).values(ConsentRow::of(consent)?).execute(conn).await?;
    Ok(())
}

pub async fn take_consent(conn: &mut Conn, state_hash: &[u8]) -> Done<Option<Consent>> {
    let query = consents::table.filter(consents::state_hash.eq(state_hash)).select(ConsentRow::as_select());
    let Some(row) = query.first(conn).await.optional()? else { return Ok(None) };
    let consent = row.read()?;
    // Whoever deletes it has it: of two that come at once one finds it gone.
    let gone = diesel::delete(consents::table.find(consent.id)).execute(conn).await?;
    Ok((gone > 0).then_some(consent))
}

pub async fn consent_by_ticket(conn: &mut Conn, ticket_hash: &[u8]) -> Done<Option<Consent>> {
    let query = consents::table.filter(consents::ticket_hash.eq(ticket_hash)).select(ConsentRow::as_select());
    query.first(conn).await.optional()?.map(ConsentRow::read).transpose()
}

pub async fn use_ticket(conn: &mut Conn, ticket_hash: &[u8]) -> Done<Option<Consent>> {
    let Some(consent) = consent_by_ticket(conn, ticket_hash).await? else { return Ok(None) };
    // No ticket has an id for its hash.
    let used = consents::ticket_hash.eq(consent.id.0.as_bytes().to_vec());
    let found = consents::table.find(consent.id).filter(consents::ticket_hash.eq(ticket_hash));
    let done = diesel::update(found).set(used).execute(conn).await?;
    Ok((done > 0).then_some(consent))
}

pub async fn sweep_consents(conn: &mut Conn, before: DateTime<Utc>) -> Done<u64> {
    let old = consents::table.filter(consents::created_at.lt(Ts::from(before)));
    Ok(row_count(diesel::delete(old).execute(conn).await?))
}
