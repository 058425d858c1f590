//! Watch channels: one for each selected calendar, a successor opened before the old one is closed.
//!
//! The account's machine asks for them: a round ends `unwatched` when a calendar has no channel, or when a change is older than two
//! minutes and no channel reported it. A successor is opened before the old channel is stopped. Without a channel an account is polled
//! every two minutes, with one every quarter of an hour.
//!
//! **Invariant:** a channel's row is durable before the provider is asked: its first message may come before the answer.
//!
//! **Invariant:** doing this again changes nothing while every channel is good for long enough.

use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

use super::{Refusal, Services, open_account::OpenedAccount};
use crate::{
    domain::{
        account::Account,
        calendar::Calendar,
        channel::{ChannelState, WatchChannel},
        failure::FailureClass,
        ids::{AccountId, CalendarId, ChannelId},
        person::Scope,
        secret::Secret,
    },
    engine::account::{CHANNEL_LEAD, ChannelEnd},
    provider::{ChannelKeeper, catalogue::facts, push::Watch},
    store::Mode,
};

/// A calendar that cannot be watched is asked for again after this time.
const ASK_AGAIN_AFTER: Duration = Duration::days(7);
/// A channel whose opening was never answered is forgotten after this time.
const FORGET_AFTER: Duration = Duration::hours(1);

impl Services {
    /// Where an account's provider sends notifications; `None`: it sends none, or cannot reach us.
    pub(super) fn notified_at(&self, account: &Account) -> Option<Url> {
        let (under, at) = (self.settings.notified_under.as_ref()?, facts(account.provider).notified_at?);
        Url::parse(&format!("{under}{at}")).ok()
    }

    /// Opens what is missing and closes what is not wanted any more.
    pub async fn keep_channels(&self, id: AccountId) -> Result<ChannelEnd, Refusal> {
        let opened = self.open_account(id).await?;
        let (Some(keeper), Some(address)) = (opened.provider.channels(), self.notified_at(&opened.account)) else {
            return Ok(ChannelEnd::Unsupported);
        };
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let held = tx.channels_of(id).await?;
        tx.commit().await?;
        let now = self.world.now();
        let (mut until, mut failed, mut watched): (Option<DateTime<Utc>>, _, _) = (None, false, false);
        let mut kept: Vec<ChannelId> = Vec::new();
        for calendar in watchable(&opened) {
            let mut mine = held.iter().filter(|channel| channel.calendar_id == Some(calendar.id));
            let channel = match mine.find(|channel| settled(channel, now)) {
                Some(channel) => Some(channel.clone()),
                None => self.open_channel(keeper, calendar, &address, &mut failed).await?,
            };
            if let Some(channel) = channel {
                watched |= channel.state == ChannelState::Open;
                until = [until, channel.expires_at].into_iter().flatten().min();
                kept.push(channel.id);
            }
        }
        // The new ones are open: the old ones may go. One that could not be replaced is listened to until its end.
        for channel in held.iter().filter(|channel| !kept.contains(&channel.id)) {
            let replaced = !failed || !watchable(&opened).any(|calendar| channel.calendar_id == Some(calendar.id));
            if replaced || channel.expires_at.is_some_and(|at| at <= now) {
                self.close_channel(keeper, channel).await?;
            }
        }
        Ok(match until {
            _ if failed => ChannelEnd::Failed,
            Some(until) if watched => ChannelEnd::Open { until },
            _ => ChannelEnd::Unsupported,
        })
    }

    async fn open_channel(
        &self,
        keeper: &dyn ChannelKeeper,
        calendar: &Calendar,
        address: &Url,
        failed: &mut bool,
    ) -> Result<Option<WatchChannel>, Refusal> {
        let mut bytes = [0; 16];
        self.world.random.fill(&mut bytes);
        let token = Secret::new(self.random_text());
        let mut channel = WatchChannel {
            id: ChannelId(Uuid::from_bytes(bytes)),
            account_id: calendar.account_id,
            calendar_id: Some(calendar.id),
            resource_id: None,
            token_hash: token_hash(&token),
            state: ChannelState::Opening,
            expires_at: None,
            created_at: self.world.now(),
            heard_at: None,
        };
        self.put_channel(&channel).await?;
        let watch = Watch { calendar: &calendar.remote_id, id: channel.id, token: &token, address };
        match keeper.open(watch).await {
            Ok(answer) => {
                channel.state = ChannelState::Open;
                channel.resource_id = Some(answer.resource_id);
                channel.expires_at = Some(answer.expires_at);
                self.put_channel(&channel).await?;
                Ok(Some(channel))
            }
            // This calendar cannot be watched: it is polled, and the others go on.
            Err(error) if error.class == FailureClass::Refused => {
                channel.state = ChannelState::Refused;
                channel.expires_at = Some(self.world.now() + ASK_AGAIN_AFTER);
                self.put_channel(&channel).await?;
                Ok(Some(channel))
            }
            Err(error) => {
                *failed = true;
                tracing::info!(account.id = %calendar.account_id, class = %error.class, detail = error.detail, "a watch channel could not be opened");
                Ok(None)
            }
        }
    }

    async fn put_channel(&self, channel: &WatchChannel) -> Result<(), Refusal> {
        let mut tx = self.begin_write().await?;
        tx.put_channel(channel).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn close_channel(&self, keeper: &dyn ChannelKeeper, channel: &WatchChannel) -> Result<(), Refusal> {
        let now = self.world.now();
        let closed = match &channel.resource_id {
            Some(resource) if channel.expires_at.is_none_or(|at| at > now) => {
                keeper.close(channel.id, resource).await.map_err(|error| error.class)
            }
            // Nobody knows whether the provider has it; it may still send its resource.
            None if channel.state != ChannelState::Refused && now - channel.created_at < FORGET_AFTER => return Ok(()),
            Some(_) | None => Ok(()),
        };
        match closed {
            Ok(()) => {
                let mut tx = self.begin_write().await?;
                tx.delete_channel(channel.id).await?;
                tx.commit().await?;
            }
            Err(class) => {
                tracing::info!(account.id = %channel.account_id, %class, "a watch channel could not be closed and is tried again");
                self.put_channel(&WatchChannel { state: ChannelState::Closing, ..channel.clone() }).await?;
            }
        }
        Ok(())
    }

    /// Closes every channel of an account that is going: best effort.
    pub(super) async fn close_channels(&self, opened: &OpenedAccount) -> Result<(), Refusal> {
        let Some(keeper) = opened.provider.channels() else { return Ok(()) };
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let held = tx.channels_of(opened.account.id).await?;
        tx.commit().await?;
        for channel in &held {
            self.close_channel(keeper, channel).await?;
        }
        Ok(())
    }

    /// After a poll: whether every selected calendar is watched. A channel that missed a change is given up, so
    /// that another takes its place. `unheard`: calendars with a change that a channel should have announced, and its time.
    pub async fn channels_short(
        &self,
        opened: &OpenedAccount,
        unheard: &[(CalendarId, DateTime<Utc>)],
    ) -> Result<bool, Refusal> {
        if opened.provider.channels().is_none() || self.notified_at(&opened.account).is_none() {
            return Ok(false);
        }
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let held = tx.channels_of(opened.account.id).await?;
        tx.commit().await?;
        let now = self.world.now();
        let wanted = |channel: &WatchChannel| watchable(opened).any(|held| channel.calendar_id == Some(held.id));
        let mut short = held.iter().any(|channel| channel.state == ChannelState::Open && !wanted(channel));
        for calendar in watchable(opened) {
            let mine = held.iter().filter(|channel| channel.calendar_id == Some(calendar.id));
            let good: Vec<_> = mine.filter(|channel| settled(channel, now)).collect();
            let changed = unheard.iter().find(|(held, _)| *held == calendar.id).map(|(_, at)| *at);
            let silent = changed.is_some_and(|at| {
                good.iter().all(|channel| {
                    channel.state == ChannelState::Open
                        && channel.created_at < at
                        && channel.heard_at.is_none_or(|heard| heard < at)
                })
            });
            if silent {
                for channel in &good {
                    tracing::warn!(account.id = %opened.account.id, "a watch channel missed a change and is replaced");
                    self.put_channel(&WatchChannel { state: ChannelState::Closing, ..(*channel).clone() }).await?;
                }
            }
            short |= silent || (good.is_empty() && !held.is_empty());
        }
        Ok(short)
    }
}

/// The calendars whose changes are wanted.
fn watchable(opened: &OpenedAccount) -> impl Iterator<Item = &Calendar> {
    opened.calendars.iter().filter(|held| held.selected && held.gone_at.is_none() && held.direction.inbound())
}

/// Whether nothing is to be done about a calendar with this channel: it is open and will be for a while, or cannot be.
fn settled(channel: &WatchChannel, now: DateTime<Utc>) -> bool {
    let lead = Duration::from_std(CHANNEL_LEAD).unwrap_or_default();
    let lasts = |at: DateTime<Utc>| at - now > lead.min((at - channel.created_at) / 2);
    match channel.state {
        ChannelState::Open => channel.expires_at.is_some_and(lasts),
        ChannelState::Refused => channel.expires_at.is_some_and(|at| at > now),
        ChannelState::Opening | ChannelState::Closing => false,
    }
}

/// What is kept of a channel's token.
#[must_use]
pub fn token_hash(token: &Secret) -> Vec<u8> {
    Sha256::digest(token.expose()).to_vec()
}
