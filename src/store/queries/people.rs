//! Spaces, people and who belongs where.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, Done};
use crate::{
    domain::{
        ids::{SpaceId, UserId},
        person::{Space, User},
    },
    store::{
        rows::{SpaceRow, UserRow},
        schema::{memberships, spaces, users},
    },
};

pub async fn put_space(conn: &mut Conn, space: &Space) -> Done<()> {
    let row = SpaceRow::of(space)?;
    let insert = diesel::insert_into(spaces::table).values(&row).on_conflict(spaces::id);
    insert.do_update().set(&row).execute(conn).await?;
    Ok(())
}

pub async fn space(conn: &mut Conn, id: &SpaceId) -> Done<Option<Space>> {
    let row = spaces::table.find(id).select(SpaceRow::as_select()).first(conn).await.optional()?;
    row.map(SpaceRow::read).transpose()
}

pub async fn put_user(conn: &mut Conn, user: &User) -> Done<()> {
    let row = UserRow::of(user)?;
    let insert = diesel::insert_into(users::table).values(&row).on_conflict(users::id);
    insert.do_update().set(&row).execute(conn).await?;
    Ok(())
}

pub async fn user(conn: &mut Conn, id: &UserId) -> Done<Option<User>> {
    let row = users::table.find(id).select(UserRow::as_select()).first(conn).await.optional()?;
    row.map(UserRow::read).transpose()
}

pub async fn delete_user(conn: &mut Conn, id: &UserId) -> Done<bool> {
    Ok(diesel::delete(users::table.find(id)).execute(conn).await? > 0)
}

pub async fn put_member(conn: &mut Conn, space: &SpaceId, user: &UserId, role: &str) -> Done<()> {
    diesel::insert_into(memberships::table)
        .values((memberships::space_id.eq(space), memberships::user_id.eq(user), memberships::role.eq(role)))
        .on_conflict((memberships::space_id, memberships::user_id))
        .do_update()
        .set(memberships::role.eq(role))
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn remove_member(conn: &mut Conn, space: &SpaceId, user: &UserId) -> Done<bool> {
    Ok(diesel::delete(memberships::table.find((space, user))).execute(conn).await? > 0)
}

pub async fn spaces_of(conn: &mut Conn, user: &UserId) -> Done<Vec<SpaceId>> {
    let of_user = memberships::table.filter(memberships::user_id.eq(user));
    Ok(of_user.select(memberships::space_id).order(memberships::space_id).load(conn).await?)
}

pub async fn members_of(conn: &mut Conn, space: &SpaceId) -> Done<Vec<(UserId, String)>> {
    let of_space = memberships::table.filter(memberships::space_id.eq(space));
    let members = of_space.select((memberships::user_id, memberships::role)).order(memberships::user_id);
    Ok(members.load(conn).await?)
}
