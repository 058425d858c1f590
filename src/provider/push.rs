//! Watch channels and their notifications: how a provider asks us to look.
//!
//! - **channel**: a promise to `POST` to an address of ours whenever one calendar changes, until it expires.
//! - **notification**: one such `POST`. It carries no data: it is verified, and it is a wake.
//!
//! **Invariant:** reading a notification decides nothing about whether it is genuine: no account is known yet. The
//! caller finds the channel's row and compares in constant time.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use url::Url;

use super::Result;
use crate::domain::{
    ids::{ChannelId, RemoteCalendarId},
    secret::Secret,
};

/// What the provider is asked to watch.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    /// The calendar.
    pub calendar: &'a RemoteCalendarId,
    /// The channel's id, chosen by us, never used before.
    pub id: ChannelId,
    /// What every notification must repeat.
    pub token: &'a Secret,
    /// Where to send notifications.
    pub address: &'a Url,
}

/// A channel as the provider opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedChannel {
    /// The provider's name for what is watched; needed to stop the channel.
    pub resource_id: String,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// Opens and closes channels. They are not renewed: a successor is opened before the old one is closed.
#[async_trait]
pub trait ChannelKeeper: Send + Sync {
    /// Opens one. `Refused`: this calendar cannot be watched, so it is polled.
    async fn open(&self, watch: Watch<'_>) -> Result<OpenedChannel>;

    /// Stops one. Already gone is done.
    async fn close(&self, id: ChannelId, resource_id: &str) -> Result<()>;
}

/// What a notification says of itself, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The channel it claims to come through.
    pub channel: ChannelId,
    /// The resource it claims to be about.
    pub resource_id: String,
    /// The token it shows; empty when it shows none.
    pub token: Secret,
    /// `false`: it only says that the channel is open.
    pub changed: bool,
}
