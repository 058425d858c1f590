//! Contexts of people's work.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done, read_all};
use crate::{
    domain::{
        context::Context,
        ids::{ContextId, UserId},
        person::Scope,
    },
    store::{rows::ContextRow, schema::contexts},
};

pub async fn put_context(conn: &mut Conn, context: &Context) -> Done<()> {
    let row = ContextRow::of(context)?;
    let insert = diesel::insert_into(contexts::table).values(&row).on_conflict(contexts::id);
    insert.do_update().set(&row).execute(conn).await?;
    Ok(())
}

pub async fn context(conn: &mut Conn, scope: &Scope, id: ContextId) -> Done<Option<Context>> {
    let query = contexts::table.filter(contexts::id.eq(id)).select(ContextRow::as_select()).into_boxed();
    let row = within!(query, scope, contexts::space_id).first(conn).await.optional()?;
    row.map(ContextRow::read).transpose()
}

pub async fn contexts_of(conn: &mut Conn, scope: &Scope, user: &UserId) -> Done<Vec<Context>> {
    let query = contexts::table.filter(contexts::user_id.eq(user)).order(contexts::id);
    let query = within!(query.select(ContextRow::as_select()).into_boxed(), scope, contexts::space_id);
    read_all(query.load(conn).await?, ContextRow::read)
}

pub async fn delete_context(conn: &mut Conn, id: ContextId) -> Done<bool> {
    Ok(diesel::delete(contexts::table.find(id)).execute(conn).await? > 0)
}
