//! Notifications of providers: verified, made durable, and turned into wakes.
//!
//! **Invariant:** what is not proven by the token of an open channel does nothing at all.
//!
//! **Invariant:** when this has answered, the round that a genuine notification owes survives the process.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq;

use super::{Refusal, Services, keep_channels::token_hash};
use crate::{
    domain::{
        channel::WatchChannel,
        ids::{AccountId, ChannelId},
        person::Scope,
        round::Cause,
    },
    provider::push::Notification,
    store::{Mode, StoreError},
};

/// What a notification turned out to be: for the log and the metrics, never for its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Something changed.
    Genuine,
    /// The channel is open.
    Opened,
    /// No such channel is known: closed, of another server, or made up.
    Unknown,
    /// The channel is known and the proof is wrong.
    Forged,
    /// The channel has ended.
    Ended,
}

impl Verdict {
    /// The word in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::Opened => "opened",
            Self::Unknown => "unknown",
            Self::Forged => "forged",
            Self::Ended => "ended",
        }
    }
}

impl Services {
    /// Hears notifications, however many, in one transaction; wakes each account once.
    pub async fn hear(&self, notifications: &[Notification]) -> Result<Vec<Verdict>, Refusal> {
        let mut ids: Vec<ChannelId> = notifications.iter().map(|notification| notification.channel).collect();
        ids.sort_unstable();
        ids.dedup();
        let now = self.world.now();
        let known = again!(self.channels(&ids))?;
        let verdict = |notification: &Notification| match known.get(&notification.channel) {
            None => Verdict::Unknown,
            Some(channel) if !proven(channel, notification) => Verdict::Forged,
            Some(channel) if channel.expires_at.is_some_and(|at| at <= now) => Verdict::Ended,
            Some(_) if notification.changed => Verdict::Genuine,
            Some(_) => Verdict::Opened,
        };
        let verdicts: Vec<_> = notifications.iter().map(verdict).collect();
        let mut wake: Vec<AccountId> = Vec::new();
        let mut heard: BTreeMap<ChannelId, &Notification> = BTreeMap::new();
        for (notification, verdict) in notifications.iter().zip(&verdicts) {
            if matches!(verdict, Verdict::Genuine | Verdict::Opened) {
                heard.insert(notification.channel, notification);
            }
            if let (Verdict::Genuine, Some(channel)) = (verdict, known.get(&notification.channel))
                && !wake.contains(&channel.account_id)
            {
                wake.push(channel.account_id);
            }
            metrics::counter!("calwarden_notifications_total", "verdict" => verdict.as_str()).increment(1);
        }
        if !heard.is_empty() {
            again!(self.note_heard(&heard, &wake, now))?;
        }
        Ok(verdicts)
    }

    async fn channels(&self, ids: &[ChannelId]) -> Result<BTreeMap<ChannelId, WatchChannel>, StoreError> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let known = tx.channels_by_ids(ids).await?;
        tx.commit().await?;
        Ok(known.into_iter().map(|held| (held.id, held)).collect())
    }

    /// Notes which channels were heard, and owes these accounts a round.
    async fn note_heard(
        &self,
        heard: &BTreeMap<ChannelId, &Notification>,
        wake: &[AccountId],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        for (id, notification) in heard {
            write.heard(*id, &notification.resource_id, now).await?;
        }
        for account in wake {
            write.wake(*account, Cause::Notified);
        }
        write.commit().await
    }
}

/// Whether a notification shows the channel's token, and names its resource; compared in constant time.
fn proven(channel: &WatchChannel, notification: &Notification) -> bool {
    let token = token_hash(&notification.token).ct_eq(&channel.token_hash);
    let resource = channel
        .resource_id
        .as_deref()
        .is_none_or(|held| held.as_bytes().ct_eq(notification.resource_id.as_bytes()).into());
    bool::from(token) && resource
}
