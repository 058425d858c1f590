//! Spaces, people and who belongs where.

use chrono::NaiveDate;
use chrono_tz::Tz;
use diesel::{
    dsl::{exists, not},
    prelude::*,
};
use diesel_async::RunQueryDsl;

use super::{Conn, Done, read_all};
use crate::{
    domain::{
        ids::{SpaceId, UserId},
        person::{Space, User},
        working_hours::PlanningRules,
    },
    store::{
        rows::{Column, SpaceRow, UserRow},
        schema::{memberships, planning_rules, rollovers, spaces, tasks, users},
        types::Json,
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

pub async fn users_to_turn(
    conn: &mut Conn,
    zone: Tz,
    today: NaiveDate,
    after: Option<&UserId>,
    limit: u32,
) -> Done<Vec<User>> {
    let open_task = tasks::table.filter(tasks::user_id.eq(users::id)).filter(super::tasks::open());
    let begun = rollovers::table
        .filter(rollovers::user_id.eq(users::id))
        .filter(rollovers::date.ge(<String as Column<_>>::of(&today)?));
    let mut query = users::table
        .filter(users::time_zone.eq(<String as Column<_>>::of(&zone)?))
        .filter(exists(open_task))
        .filter(not(exists(begun)))
        .order(users::id)
        .limit(limit.into())
        .select(UserRow::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(users::id.gt(after));
    }
    read_all(query.load(conn).await?, UserRow::read)
}

pub async fn zones_in_use(conn: &mut Conn) -> Done<Vec<Tz>> {
    let zones: Vec<String> =
        users::table.select(users::time_zone).distinct().order(users::time_zone).load(conn).await?;
    read_all(zones, |zone| zone.read("users.time_zone"))
}

pub async fn planning_rules(conn: &mut Conn, user: &UserId) -> Done<Option<(PlanningRules, i64)>> {
    let query = planning_rules::table.find(user).select((planning_rules::rules, planning_rules::version));
    let kept: Option<(Json, i64)> = query.first(conn).await.optional()?;
    kept.map(|(rules, version)| Ok((rules.read("planning_rules.rules")?, version))).transpose()
}

pub async fn put_planning_rules(
    conn: &mut Conn,
    space: &SpaceId,
    user: &UserId,
    rules: &PlanningRules,
    version: i64,
) -> Done<()> {
    let kept = (
        planning_rules::space_id.eq(space),
        planning_rules::rules.eq(Json::of(rules)?),
        planning_rules::version.eq(version),
    );
    diesel::insert_into(planning_rules::table)
        .values((planning_rules::user_id.eq(user), kept))
        .on_conflict(planning_rules::user_id)
        .do_update()
        .set(overwrite!(planning_rules: space_id, rules, version))
        .execute(conn)
        .await?;
    Ok(())
}
