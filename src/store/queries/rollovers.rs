//! Changes of day, of zones and of people.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel::{alias, dsl::exists, prelude::*};
use diesel_async::RunQueryDsl;

use super::{Conn, Done, SWEEP_ROWS, read_all, row_count, stored};
use crate::{
    domain::{
        ids::{RolloverId, UserId},
        person::Scope,
        rollover::Rollover,
    },
    store::{
        rows::{Column, RolloverRow},
        schema::{rollover_runs, rollovers, zone_rules},
        types::Ts,
    },
};

pub async fn begin_rollover_run(conn: &mut Conn, zone: Tz, day: NaiveDate, at: DateTime<Utc>) -> Done<bool> {
    let run = (
        rollover_runs::zone.eq(<String as Column<_>>::of(&zone)?),
        rollover_runs::day.eq(<String as Column<_>>::of(&day)?),
        rollover_runs::at.eq(Ts::from(at)),
    );
    let insert = diesel::insert_into(rollover_runs::table).values(run);
    Ok(insert.on_conflict((rollover_runs::zone, rollover_runs::day)).do_nothing().execute(conn).await? > 0)
}

pub async fn last_rollover_day(conn: &mut Conn, zone: Tz) -> Done<Option<NaiveDate>> {
    let zone = <String as Column<_>>::of(&zone)?;
    let query = rollover_runs::table.filter(rollover_runs::zone.eq(zone)).order(rollover_runs::day.desc());
    let day: Option<String> = query.select(rollover_runs::day).first(conn).await.optional()?;
    day.map(|day| day.read("rollover_runs.day")).transpose()
}

pub async fn zone_rules(conn: &mut Conn, zone: Tz) -> Done<Option<String>> {
    let query = zone_rules::table.find(<String as Column<_>>::of(&zone)?).select(zone_rules::release);
    Ok(query.first(conn).await.optional()?)
}

pub async fn put_zone_rules(conn: &mut Conn, zone: Tz, release: &str) -> Done<()> {
    let row = (zone_rules::zone.eq(<String as Column<_>>::of(&zone)?), zone_rules::release.eq(release));
    let insert = diesel::insert_into(zone_rules::table).values(row);
    insert.on_conflict(zone_rules::zone).do_update().set(zone_rules::release.eq(release)).execute(conn).await?;
    Ok(())
}

pub async fn insert_rollover(conn: &mut Conn, rollover: &Rollover) -> Done<bool> {
    let insert = diesel::insert_into(rollovers::table).values(RolloverRow::of(rollover)?);
    Ok(insert.on_conflict((rollovers::user_id, rollovers::date)).do_nothing().execute(conn).await? > 0)
}

pub async fn rollover(conn: &mut Conn, scope: &Scope, id: RolloverId) -> Done<Option<Rollover>> {
    let query = rollovers::table.filter(rollovers::id.eq(id)).select(RolloverRow::as_select()).into_boxed();
    let row = within!(query, scope, rollovers::space_id).first(conn).await.optional()?;
    row.map(RolloverRow::read).transpose()
}

pub async fn rollovers_of(
    conn: &mut Conn,
    scope: &Scope,
    user: &UserId,
    before: Option<RolloverId>,
    limit: u32,
) -> Done<Vec<Rollover>> {
    let query = rollovers::table
        .filter(rollovers::user_id.eq(user))
        .order(rollovers::id.desc())
        .limit(limit.into())
        .select(RolloverRow::as_select())
        .into_boxed();
    let mut query = within!(query, scope, rollovers::space_id);
    if let Some(before) = before {
        query = query.filter(rollovers::id.lt(before));
    }
    read_all(query.load(conn).await?, RolloverRow::read)
}

pub async fn update_rollover(conn: &mut Conn, rollover: &Rollover) -> Done<()> {
    let row = RolloverRow::of(rollover)?;
    stored(diesel::update(rollovers::table.find(rollover.id)).set(row).execute(conn).await?)
}

pub async fn sweep_rollovers(conn: &mut Conn, before: DateTime<Utc>) -> Done<u64> {
    // From the last one of a person follows which day begins next for them.
    let newer = alias!(rollovers as newer);
    let later = newer
        .filter(newer.field(rollovers::user_id).eq(rollovers::user_id))
        .filter(newer.field(rollovers::id).gt(rollovers::id));
    let old = rollovers::table.filter(rollovers::ran_at.lt(Ts::from(before))).filter(exists(later));
    let swept: Vec<RolloverId> = old.limit(SWEEP_ROWS).select(rollovers::id).load(conn).await?;
    Ok(row_count(diesel::delete(rollovers::table.filter(rollovers::id.eq_any(swept))).execute(conn).await?))
}
