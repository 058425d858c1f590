//! Watch channels: a provider's promise to notify us when something changes.

use chrono::{DateTime, Utc};

use super::ids::{AccountId, CalendarId, ChannelId};
use crate::words;

words! {
    /// How far a channel is.
    ChannelState {
        /// Its row is stored and the provider is being asked: a notification may come before the answer does.
        Opening = "opening",
        /// The provider promised to notify us.
        Open = "open",
        /// Its successor is open; it is still listened to until the provider has stopped it.
        Closing = "closing",
        /// The provider does not watch this calendar; it is asked again after the channel's end.
        Refused = "refused",
    }
}

/// One channel on one calendar.
///
/// **Invariant:** its row is durable before the provider hears of it, so that no notification finds nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchChannel {
    /// Ours, random; the provider repeats it with every notification.
    pub id: ChannelId,
    /// The account.
    pub account_id: AccountId,
    /// The calendar it watches; `None`: the account's list of calendars.
    pub calendar_id: Option<CalendarId>,
    /// The provider's name for what is watched; needed to stop the channel. `None` until the provider has answered.
    pub resource_id: Option<String>,
    /// SHA-256 of the token that proves a notification.
    pub token_hash: Vec<u8>,
    /// How far it is.
    pub state: ChannelState,
    /// When it ends by itself, as the provider said.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last notified us.
    pub heard_at: Option<DateTime<Utc>>,
}
