//! How the account moves: one input, the next state, and what to begin.
//!
//! **Invariant:** `settle` is the only place work begins; every other line only says what is owed or allowed.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    deadline::{Alarm, alarms},
    input::{ChannelEnd, Effect, Finished, Input, RefreshEnd, RoundEnd, Work},
    state::{
        AccountMachine, ChannelLife, CredentialKind, CredentialState, LAPSES_NOTIFIED, Life, Moment, PollPace, RetryAt,
        RoundState,
    },
};
use crate::{
    domain::round::{Cause, Outcome},
    engine::backoff::{RETRY_AFTER_MAX, round_wait},
};

/// The pause after a round, so that wakes without end do not make rounds without end (I-20).
pub const ROUND_GAP: Duration = Duration::from_secs(1);
/// The shortest time from a round's end to the next try of its queued writes.
pub const OUTBOX_GAP: Duration = Duration::from_secs(15);
/// The shortest pause before the last try of a credential that was refused, before its owner is asked (I-29); the longest is twice as
/// long. A provider that refuses everybody for a minute strands nobody.
pub const CONFIRM_AFTER: Duration = Duration::from_mins(1);
/// How long after a first failure the watch channel is asked for again; polls go on meanwhile.
pub const CHANNEL_RETRY: Duration = Duration::from_mins(15);
/// The same after many failures.
pub const CHANNEL_RETRY_MAX: Duration = Duration::from_hours(1);
/// A channel's successor is opened this long before its end, or at half its life when that is later.
pub const CHANNEL_LEAD: Duration = Duration::from_hours(24);
/// No credential is refreshed, and no channel renewed, sooner than this after the last time.
const RENEW_EVERY_MIN: Duration = Duration::from_mins(1);

/// One input: the next state, and what to do. Total: an input that means nothing in a state changes nothing.
#[must_use]
pub fn step(mut account: AccountMachine, input: Input, moment: Moment) -> (AccountMachine, Vec<Effect>) {
    let mut effects = Vec::new();
    account.within_reach(moment);
    match input {
        Input::Started { owed: Some(cause) } => account.started_owing(cause),
        Input::Wake(cause) => account.owe(cause),
        Input::Tick => account.ring(moment),
        Input::OutboxDue(at) => account.outbox_waits_for(at, moment),
        Input::Finished(Finished::Round(end)) => account.round_ended(end, moment, &mut effects),
        Input::Finished(Finished::Refresh(end)) => account.refresh_ended(end, moment, &mut effects),
        Input::Finished(Finished::Channel(end)) => account.channel_ended(end, moment, &mut effects),
        Input::Finished(Finished::CleanUp(done)) => account.clean_up_ended(done, moment, &mut effects),
        Input::Reauthorised => account.reauthorised(),
        Input::Pause if account.life == Life::Active => account.life = Life::Paused,
        Input::Resume if account.life == Life::Paused => {
            account.life = Life::Active;
            account.renew_channel();
            account.owe(Cause::Requested);
        }
        Input::Disconnect { delete_events } if matches!(account.life, Life::Active | Life::Paused) => {
            account.life = Life::Draining { delete_events };
        }
        Input::ScheduleChanged(pace) => account.schedule(pace, moment),
        Input::Started { owed: None } | Input::Pause | Input::Resume | Input::Disconnect { .. } => {}
    }
    account.settle(moment, &mut effects);
    (account, effects)
}

impl AccountMachine {
    /// Begins whatever is owed and allowed: the only place work begins.
    fn settle(&mut self, moment: Moment, effects: &mut Vec<Effect>) {
        match self.life {
            Life::Draining { delete_events } if self.quiet() => {
                self.life = Life::Cleaning { delete_events, retry: RetryAt { attempt: 0, at: None } };
                effects.push(Effect::Begin(Work::CleanUp { delete_events }));
            }
            Life::Cleaning { delete_events, retry: RetryAt { attempt, at: Some(at) } } if at <= moment.now => {
                self.life = Life::Cleaning { delete_events, retry: RetryAt { attempt, at: None } };
                effects.push(Effect::Begin(Work::CleanUp { delete_events }));
            }
            _ => {}
        }
        if !self.live() {
            return;
        }
        let quiet = self.quiet_until.is_none_or(|at| at <= moment.now);
        if let CredentialState::Stale { refused, refusals } = self.credential
            && (quiet || !self.credential.is_doubted(self.kind))
        {
            self.credential = CredentialState::Refreshing { refused, refusals, superseded: false };
            effects.push(Effect::Begin(Work::Refresh));
        }
        if !self.credential.is_fresh() {
            return;
        }
        if let ChannelLife::Absent { lapses } = self.channel {
            self.channel = ChannelLife::Opening { lapses };
            effects.push(Effect::Begin(Work::OpenChannel));
        }
        if let RoundState::Owed { cause } = self.round
            && quiet
        {
            self.round = RoundState::Running { again: None, superseded: false };
            // The round tries every write that is due, and its end says when the next one is.
            self.outbox_due = None;
            effects.push(Effect::Begin(Work::Round { cause }));
        }
    }

    /// A round must run after this instant. Any number of wakes owe one round.
    fn owe(&mut self, cause: Cause) {
        if !self.live() {
            return;
        }
        self.round = match self.round {
            RoundState::Idle { .. } => RoundState::Owed { cause },
            RoundState::Owed { cause: first } => RoundState::Owed { cause: joined(Some(first), cause) },
            RoundState::Running { again, superseded } => {
                RoundState::Running { again: Some(joined(again, cause)), superseded }
            }
            // Somebody is waiting for the answer: only the provider's own wait holds it back (`quiet_until`).
            RoundState::BackingOff { .. } if cause == Cause::Requested => RoundState::Owed { cause },
            RoundState::BackingOff { again, until } => {
                RoundState::BackingOff { again: Some(joined(again, cause)), until }
            }
        };
    }

    fn started_owing(&mut self, cause: Cause) {
        if self.live() && matches!(self.round, RoundState::Owed { .. }) {
            self.round = RoundState::Owed { cause };
        }
        self.owe(cause);
    }

    /// Acts on every alarm that is due.
    fn ring(&mut self, moment: Moment) {
        for (alarm, _) in alarms(self).filter(|(_, at)| *at <= moment.now) {
            match alarm {
                Alarm::Poll => self.owe(Cause::Poll),
                Alarm::Outbox => {
                    self.outbox_due = None;
                    self.owe(Cause::LocalEdit);
                }
                Alarm::Retry => self.round = RoundState::Owed { cause: self.again().unwrap_or(Cause::Retry) },
                Alarm::Renew => self.renew_channel(),
                Alarm::Refresh => self.stale(),
                // `settle` looks at the instant itself.
                Alarm::Quiet | Alarm::CleanUp => {}
            }
        }
    }

    fn again(&self) -> Option<Cause> {
        match self.round {
            RoundState::Running { again, .. } | RoundState::BackingOff { again, .. } => again,
            RoundState::Idle { .. } | RoundState::Owed { .. } => None,
        }
    }

    fn outbox_waits_for(&mut self, at: DateTime<Utc>, moment: Moment) {
        if at <= moment.now {
            self.owe(Cause::LocalEdit);
        } else {
            self.outbox_due = Some(self.outbox_due.map_or(at, |known| known.min(at)));
        }
    }

    fn round_ended(&mut self, end: RoundEnd, moment: Moment, effects: &mut Vec<Effect>) {
        let RoundState::Running { again, superseded } = self.round else { return };
        self.pace.at_least = end.poll_at_least.or(self.pace.at_least);
        if end.unwatched && matches!(self.channel, ChannelLife::Open { .. } | ChannelLife::Unsupported) {
            self.channel = ChannelLife::Absent { lapses: 0 };
        }
        if let Some(at) = end.next_outbox_at {
            let at = at.max(moment.after(OUTBOX_GAP));
            self.outbox_due = Some(self.outbox_due.map_or(at, |known| known.min(at)));
        }
        self.keep_quiet(end.retry_after, moment);
        match end.outcome {
            Outcome::Ok | Outcome::Partial | Outcome::Held => {
                self.failures = 0;
                if let CredentialState::Fresh { refusals, .. } = &mut self.credential
                    && !superseded
                {
                    *refusals = 0;
                }
                self.round = match again {
                    Some(cause) => RoundState::Owed { cause },
                    None => RoundState::Idle { poll_at: self.next_poll(moment) },
                };
            }
            Outcome::Failed => self.back_off(again, end.retry_after, moment),
            Outcome::Unauthorised if superseded => {
                self.round = RoundState::Owed { cause: again.unwrap_or(Cause::Retry) };
            }
            Outcome::Unauthorised => self.refused(again, moment, effects),
        }
        if !self.live() {
            self.round = RoundState::Idle { poll_at: None };
        }
    }

    fn back_off(&mut self, again: Option<Cause>, retry_after: Option<Duration>, moment: Moment) {
        self.failures = self.failures.saturating_add(1);
        let until = moment.after(round_wait(self.failures, retry_after, moment.fraction));
        self.round = RoundState::BackingOff { again, until };
    }

    /// The provider refused the credential the round used.
    fn refused(&mut self, again: Option<Cause>, moment: Moment, effects: &mut Vec<Effect>) {
        let retry = RoundState::Owed { cause: again.unwrap_or(Cause::Retry) };
        match self.credential {
            CredentialState::Fresh { refusals, .. } if refusals + 1 >= self.kind.refusals_believed() => {
                self.revoke(effects);
            }
            CredentialState::Fresh { refusals, expires, refresh_at } => {
                self.credential = CredentialState::Fresh { refusals: refusals + 1, expires, refresh_at };
                self.round = retry;
                if self.kind == CredentialKind::Refreshable {
                    self.stale();
                }
                if self.credential.is_doubted(self.kind) {
                    self.failures = self.failures.saturating_add(1);
                    let until = moment.after(CONFIRM_AFTER.mul_f64(1.0 + moment.fraction.clamp(0.0, 1.0)));
                    self.round = RoundState::BackingOff { again, until };
                    // Whoever asks meanwhile would only meet the same refusal, and it would be believed.
                    self.quiet_until = Some(self.quiet_until.map_or(until, |at| at.max(until)));
                }
            }
            CredentialState::Stale { .. } | CredentialState::Refreshing { .. } => self.round = retry,
            CredentialState::Revoked => {}
        }
    }

    /// A credential that may be used is to be renewed first.
    fn stale(&mut self) {
        if let CredentialState::Fresh { refusals, .. } = self.credential {
            self.credential = CredentialState::Stale { refused: false, refusals };
        }
    }

    fn revoke(&mut self, effects: &mut Vec<Effect>) {
        self.credential = CredentialState::Revoked;
        if matches!(self.life, Life::Active | Life::Paused) {
            effects.push(Effect::AskReconnect);
        }
    }

    fn refresh_ended(&mut self, end: RefreshEnd, moment: Moment, effects: &mut Vec<Effect>) {
        let CredentialState::Refreshing { refused, refusals, superseded } = self.credential else { return };
        if superseded {
            self.credential = CredentialState::given(self.kind);
            return;
        }
        match end {
            RefreshEnd::Done { expires } => {
                self.credential = CredentialState::Fresh {
                    refusals,
                    expires,
                    refresh_at: expires.map(|end| refresh_before(end, moment)),
                };
                if let RoundState::Running { superseded, .. } = &mut self.round {
                    *superseded = true;
                }
            }
            RefreshEnd::Refused if refused => {
                self.revoke(effects);
                if !self.running() {
                    self.round = RoundState::Idle { poll_at: None };
                }
            }
            RefreshEnd::Refused => self.credential = CredentialState::Stale { refused: true, refusals },
            RefreshEnd::Failed => {
                // The old one may yet serve; its refusal brings us back here.
                let retry = moment.after(round_wait(self.failures.max(1), None, moment.fraction));
                self.credential = CredentialState::Fresh { refusals: 0, expires: None, refresh_at: Some(retry) };
                if let RoundState::Owed { cause } = self.round {
                    self.back_off(Some(cause), None, moment);
                }
            }
        }
    }

    fn channel_ended(&mut self, end: ChannelEnd, moment: Moment, effects: &mut Vec<Effect>) {
        let ChannelLife::Opening { lapses } = self.channel else { return };
        self.channel = match end {
            ChannelEnd::Open { until } => {
                let lead = CHANNEL_LEAD.min(lifetime(until, moment) / 2);
                ChannelLife::Open { until, renew_at: renewal(until, lead, moment) }
            }
            ChannelEnd::Unsupported => ChannelLife::Unsupported,
            ChannelEnd::Failed => {
                let more = lapses.saturating_add(1).min(LAPSES_NOTIFIED);
                if more == LAPSES_NOTIFIED && lapses < LAPSES_NOTIFIED {
                    effects.push(Effect::NotifyUnwatched);
                }
                let wait = CHANNEL_RETRY.saturating_mul(1 << (more - 1)).min(CHANNEL_RETRY_MAX);
                ChannelLife::Lapsed { lapses: more, retry: moment.after(wait) }
            }
        };
        if let (RoundState::Idle { poll_at: Some(at) }, Some(latest)) = (self.round, self.latest_poll(moment)) {
            // Without a channel the next look is sooner.
            self.round = RoundState::Idle { poll_at: Some(at.min(latest)) };
        }
    }

    fn clean_up_ended(&mut self, done: bool, moment: Moment, effects: &mut Vec<Effect>) {
        let Life::Cleaning { delete_events, retry: RetryAt { attempt, at: None } } = self.life else { return };
        if done {
            self.life = Life::Closed;
            effects.push(Effect::Stop);
        } else {
            let attempt = attempt.saturating_add(1);
            let at = Some(moment.after(round_wait(attempt, None, moment.fraction)));
            self.life = Life::Cleaning { delete_events, retry: RetryAt { attempt, at } };
        }
    }

    fn reauthorised(&mut self) {
        if self.credential.is_doubted(self.kind) {
            // The pause was for the old one.
            self.quiet_until = None;
        }
        self.credential = match self.credential {
            CredentialState::Refreshing { refused, .. } => {
                CredentialState::Refreshing { refused, refusals: 0, superseded: true }
            }
            CredentialState::Fresh { .. } | CredentialState::Stale { .. } | CredentialState::Revoked => {
                CredentialState::given(self.kind)
            }
        };
        if let RoundState::Running { superseded, .. } = &mut self.round {
            *superseded = true;
        }
        self.renew_channel();
        self.owe(Cause::Requested);
    }

    fn renew_channel(&mut self) {
        self.channel = match self.channel {
            ChannelLife::Open { .. } => ChannelLife::Absent { lapses: 0 },
            ChannelLife::Lapsed { lapses, .. } => ChannelLife::Absent { lapses },
            other => other,
        };
    }

    fn schedule(&mut self, pace: PollPace, moment: Moment) {
        self.pace = pace;
        if let RoundState::Idle { poll_at } = self.round {
            let next = self.next_poll(moment);
            // A shorter interval counts at once; a longer one from the next round on.
            self.round = RoundState::Idle { poll_at: next.map(|next| poll_at.map_or(next, |at| at.min(next))) };
        }
    }
}

/// Two wakes are one: the first, unless somebody is waiting for the answer to the second.
#[must_use]
pub fn joined(first: Option<Cause>, second: Cause) -> Cause {
    first.filter(|_| second != Cause::Requested).unwrap_or(second)
}

/// When to renew a credential: a fifth of its life before its end.
pub(super) fn refresh_before(end: DateTime<Utc>, moment: Moment) -> DateTime<Utc> {
    renewal(end, lifetime(end, moment) / 5, moment)
}

fn lifetime(end: DateTime<Utc>, moment: Moment) -> Duration {
    (end - moment.now).to_std().unwrap_or_default()
}

/// The instant `lead` before an end, but never so soon that renewing becomes a loop.
fn renewal(end: DateTime<Utc>, lead: Duration, moment: Moment) -> DateTime<Utc> {
    let wait = lifetime(end, moment).saturating_sub(lead);
    moment.after(wait.max(RENEW_EVERY_MIN).min(RETRY_AFTER_MAX.saturating_mul(365)))
}
