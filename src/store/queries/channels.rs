//! Watch channels.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{BATCH_ROWS, Conn, Done, read_all};
use crate::{
    domain::{
        channel::WatchChannel,
        ids::{AccountId, ChannelId},
    },
    store::{rows::ChannelRow, schema::channels, types::Ts},
};

pub async fn put_channel(conn: &mut Conn, channel: &WatchChannel) -> Done<()> {
    diesel::insert_into(channels::table)
        .values(ChannelRow::of(channel)?)
        .on_conflict(channels::id)
        .do_update()
        .set(overwrite!(channels: resource_id, state, expires_at))
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn channels_of(conn: &mut Conn, account: AccountId) -> Done<Vec<WatchChannel>> {
    let query = channels::table.filter(channels::account_id.eq(account)).order((channels::created_at, channels::id));
    read_all(query.select(ChannelRow::as_select()).load(conn).await?, ChannelRow::read)
}

pub async fn channels_by_ids(conn: &mut Conn, ids: &[ChannelId]) -> Done<Vec<WatchChannel>> {
    let mut found = Vec::with_capacity(ids.len());
    for batch in ids.chunks(BATCH_ROWS) {
        let query = channels::table.filter(channels::id.eq_any(batch)).select(ChannelRow::as_select());
        found.extend(read_all(query.load(conn).await?, ChannelRow::read)?);
    }
    Ok(found)
}

pub async fn heard(conn: &mut Conn, id: ChannelId, resource_id: &str, at: DateTime<Utc>) -> Done<bool> {
    let changes = (channels::heard_at.eq(Some(Ts::from(at))), channels::resource_id.eq(Some(resource_id)));
    Ok(diesel::update(channels::table.find(id)).set(changes).execute(conn).await? > 0)
}

pub async fn delete_channel(conn: &mut Conn, id: ChannelId) -> Done<bool> {
    Ok(diesel::delete(channels::table.find(id)).execute(conn).await? > 0)
}
