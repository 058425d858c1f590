//! Notices to people.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, SWEEP_ROWS, row_count};
use crate::{
    domain::{
        ids::{NoticeId, UserId},
        notice::Notice,
        person::Scope,
    },
    store::{rows::NoticeRow, schema::notices, types::Ts},
};

pub async fn put_notice(conn: &mut Conn, notice: &Notice) -> Done<()> {
    let row = NoticeRow::of(notice)?;
    let mut same = notices::table
        .filter(notices::user_id.eq(&notice.user_id))
        .filter(notices::kind.eq(&row.kind))
        .filter(notices::read_at.is_null())
        .select(notices::id)
        .into_boxed();
    same = match notice.account_id {
        Some(account) => same.filter(notices::account_id.eq(account)),
        None => same.filter(notices::account_id.is_null()),
    };
    same = match notice.event_id {
        Some(event) => same.filter(notices::event_id.eq(event)),
        None => same.filter(notices::event_id.is_null()),
    };
    let unread: Option<NoticeId> = same.first(conn).await.optional()?;
    if let Some(unread) = unread {
        let fresh = (
            notices::severity.eq(row.severity),
            notices::parameters.eq(row.parameters),
            notices::created_at.eq(row.created_at),
        );
        diesel::update(notices::table.find(unread)).set(fresh).execute(conn).await?;
    } else {
        diesel::insert_into(notices::table).values(row).execute(conn).await?;
    }
    Ok(())
}

pub async fn notices(
    conn: &mut Conn,
    scope: &Scope,
    user: Option<&UserId>,
    unread_only: bool,
    after: Option<NoticeId>,
    limit: u32,
) -> Done<Vec<Notice>> {
    let query =
        notices::table.order(notices::id.desc()).limit(limit.into()).select(NoticeRow::as_select()).into_boxed();
    let mut query = within!(query, scope, notices::space_id);
    if let Some(user) = user {
        query = query.filter(notices::user_id.eq(user));
    }
    if unread_only {
        query = query.filter(notices::read_at.is_null());
    }
    if let Some(after) = after {
        query = query.filter(notices::id.lt(after));
    }
    let rows = query.load(conn).await?;
    Ok(rows.into_iter().map(NoticeRow::read).collect())
}

pub async fn notice(conn: &mut Conn, scope: &Scope, id: NoticeId) -> Done<Option<Notice>> {
    let query = notices::table.filter(notices::id.eq(id)).select(NoticeRow::as_select()).into_boxed();
    let row = within!(query, scope, notices::space_id).first(conn).await.optional()?;
    Ok(row.map(NoticeRow::read))
}

pub async fn read_notice(conn: &mut Conn, scope: &Scope, id: NoticeId, at: DateTime<Utc>) -> Done<bool> {
    let unread = notices::table.filter(notices::id.eq(id)).filter(notices::read_at.is_null());
    let update = diesel::update(unread).set(notices::read_at.eq(Ts::from(at))).into_boxed();
    Ok(within!(update, scope, notices::space_id).execute(conn).await? > 0)
}

pub async fn sweep_notices(conn: &mut Conn, before: DateTime<Utc>) -> Done<u64> {
    let old = notices::table.filter(notices::created_at.lt(Ts::from(before))).order(notices::created_at);
    let swept: Vec<NoticeId> = old.limit(SWEEP_ROWS).select(notices::id).load(conn).await?;
    Ok(row_count(diesel::delete(notices::table.filter(notices::id.eq_any(swept))).execute(conn).await?))
}
