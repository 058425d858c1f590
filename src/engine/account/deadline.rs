//! Alarms, read off the state.
//!
//! **Invariant:** nothing arms an alarm: the shell looks again at [`deadline()`], whatever happened in between.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    state::{AccountMachine, ChannelLife, CredentialState, Life, Moment, RetryAt, RoundState},
    step::{CHANNEL_RETRY_MAX, ROUND_GAP},
};
use crate::engine::backoff::RETRY_AFTER_MAX;

/// No wait of ours is longer than this: the longest that a provider may ask for, with room for its jitter.
const WAIT_MAX: Duration = RETRY_AFTER_MAX.saturating_add(Duration::from_hours(1));

/// What an alarm is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// Look for changes.
    Poll,
    /// A queued write may be tried.
    Outbox,
    /// Try a failed round again.
    Retry,
    /// The pause before an owed round is over.
    Quiet,
    /// Open the watch channel's successor, or try again to open one.
    Renew,
    /// Refresh the credential ahead of its end.
    Refresh,
    /// Try a failed clean-up again.
    CleanUp,
}

/// When the state wants to be looked at; `None`: only an input can move it.
#[must_use]
pub fn deadline(account: &AccountMachine) -> Option<DateTime<Utc>> {
    alarms(account).map(|(_, at)| at).min()
}

/// Every alarm the state has.
pub fn alarms(account: &AccountMachine) -> impl Iterator<Item = (Alarm, DateTime<Utc>)> + use<> {
    let clean_up = match account.life {
        Life::Cleaning { retry, .. } => retry.at,
        _ => None,
    };
    let mut found = [(Alarm::CleanUp, clean_up), (Alarm::Poll, None), (Alarm::Renew, None), (Alarm::Refresh, None)];
    let mut outbox = None;
    if account.live() {
        found[1] = match account.round {
            RoundState::Idle { poll_at } => (Alarm::Poll, poll_at),
            RoundState::BackingOff { until, .. } => (Alarm::Retry, Some(until)),
            RoundState::Owed { .. } => (Alarm::Quiet, account.quiet_until),
            RoundState::Running { .. } => (Alarm::Poll, None),
        };
        found[2].1 = match account.channel {
            ChannelLife::Open { renew_at, .. } => Some(renew_at),
            ChannelLife::Lapsed { retry, .. } => Some(retry),
            ChannelLife::Unsupported | ChannelLife::Absent { .. } | ChannelLife::Opening { .. } => None,
        };
        found[3].1 = match account.credential {
            CredentialState::Fresh { refresh_at, .. } => refresh_at,
            CredentialState::Stale { .. } | CredentialState::Refreshing { .. } | CredentialState::Revoked => None,
        };
        // A provider that is failing is not troubled with writes before its retry.
        outbox = account.outbox_due.filter(|_| matches!(account.round, RoundState::Idle { .. }));
    }
    found.into_iter().chain([(Alarm::Outbox, outbox)]).filter_map(|(alarm, at)| Some((alarm, at?)))
}

impl AccountMachine {
    /// Brings every alarm into reach. A wall clock that was set back would otherwise leave the account waiting for an
    /// instant that lies days ahead: what was a pause of a second stays one, and nothing waits longer than it ever may.
    pub(super) fn within_reach(&mut self, moment: Moment) {
        let back = self.seen - moment.now;
        if back > TimeDelta::zero() {
            self.move_waits(back);
        }
        self.seen = moment.now;
        let latest = moment.after(WAIT_MAX);
        self.quiet_until = self.quiet_until.filter(|at| *at > moment.now).map(|at| at.min(latest));
        self.outbox_due = self.outbox_due.map(|at| at.min(latest));
        let latest_poll = self.latest_poll(moment);
        match &mut self.round {
            RoundState::Idle { poll_at: Some(at) } => *at = (*at).min(latest_poll.unwrap_or(*at)),
            RoundState::BackingOff { until, .. } => *until = (*until).min(latest),
            RoundState::Idle { poll_at: None } | RoundState::Owed { .. } | RoundState::Running { .. } => {}
        }
        if let ChannelLife::Lapsed { retry, .. } = &mut self.channel {
            *retry = (*retry).min(moment.after(CHANNEL_RETRY_MAX));
        }
        if let Life::Cleaning { retry: RetryAt { at: Some(at), .. }, .. } = &mut self.life {
            *at = (*at).min(latest);
        }
    }

    /// Brings every wait forward by as much as the clock was set back.
    fn move_waits(&mut self, back: TimeDelta) {
        let earlier = |at: &mut DateTime<Utc>| *at = at.checked_sub_signed(back).unwrap_or(*at);
        let waits = [self.quiet_until.as_mut(), self.outbox_due.as_mut()];
        waits.into_iter().flatten().for_each(earlier);
        match &mut self.round {
            RoundState::Idle { poll_at: Some(at) } | RoundState::BackingOff { until: at, .. } => earlier(at),
            RoundState::Idle { poll_at: None } | RoundState::Owed { .. } | RoundState::Running { .. } => {}
        }
        match &mut self.channel {
            ChannelLife::Open { renew_at: at, .. } | ChannelLife::Lapsed { retry: at, .. } => earlier(at),
            ChannelLife::Unsupported | ChannelLife::Absent { .. } | ChannelLife::Opening { .. } => {}
        }
        if let CredentialState::Fresh { refresh_at: Some(at), .. } = &mut self.credential {
            earlier(at);
        }
        if let Life::Cleaning { retry: RetryAt { at: Some(at), .. }, .. } = &mut self.life {
            earlier(at);
        }
    }

    /// Keeps the next round at least a moment away, or as long as the provider asks.
    pub(super) fn keep_quiet(&mut self, asked: Option<Duration>, moment: Moment) {
        let wait = asked.unwrap_or_default().min(RETRY_AFTER_MAX).max(ROUND_GAP);
        self.quiet_until = Some(moment.after(wait));
    }
}
