//! The account's state: four regions, and the few facts that outlive a round.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::step::refresh_before;
use crate::domain::round::Cause;

/// The shortest time between two polls, whatever a schedule says.
pub const POLL_EVERY_MIN: Duration = Duration::from_secs(30);
/// Polls drift later by at most this share, so that accounts connected together do not stay together.
const POLL_JITTER: f64 = 0.05;
/// After this many failed attempts to open a watch channel, about an hour, its owner is notified.
pub const LAPSES_NOTIFIED: u8 = 3;
/// The longest time between two polls: a week, longer than any feed asks for.
const POLL_EVERY_MAX: Duration = Duration::from_hours(7 * 24);

/// The instant of a step, and a number for its jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Now.
    pub now: DateTime<Utc>,
    /// In `0.0..1.0`.
    pub fraction: f64,
}

impl Moment {
    /// The instant `wait` from now; the end of time when there is none.
    #[must_use]
    pub fn after(self, wait: Duration) -> DateTime<Utc> {
        let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
        self.now.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// A failed piece of work that will be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RetryAt {
    /// Failures in a row.
    pub attempt: u32,
    /// When it is tried again; `None`: it is being tried now.
    pub at: Option<DateTime<Utc>>,
}

/// Whether the account takes part at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    /// It does.
    Active,
    /// Its owner or an operator said wait.
    Paused,
    /// Being disconnected: work in flight is waited for.
    Draining {
        /// Whether what we wrote there goes too.
        delete_events: bool,
    },
    /// Being disconnected: clean-up runs, or waits to be tried again.
    Cleaning {
        /// Whether what we wrote there goes too.
        delete_events: bool,
        /// How the attempts went.
        retry: RetryAt,
    },
    /// Gone.
    Closed,
}

/// Whether a credential can be renewed without its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A password or a secret address: good until refused.
    Lasting,
    /// A token with a refresh token behind it.
    Refreshable,
}

impl CredentialKind {
    /// Refusals in a row after which the owner is asked. The last is always one after a pause; before the pause, one that can be
    /// renewed is renewed and tried at once.
    pub(super) const fn refusals_believed(self) -> u8 {
        match self {
            Self::Lasting => 2,
            Self::Refreshable => 3,
        }
    }
}

/// What is known of the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialState {
    /// It may be used.
    Fresh {
        /// How often it was refused since it last worked or was entered. Only the last of `CredentialKind::refusals_believed` is
        /// believed.
        refusals: u8,
        /// When it ends by itself.
        expires: Option<DateTime<Utc>>,
        /// When to renew it, ahead of its end.
        refresh_at: Option<DateTime<Utc>>,
    },
    /// It must be refreshed before use.
    Stale {
        /// The provider refused to refresh it once; a second refusal is believed.
        refused: bool,
        /// As in `Fresh`. Once a refreshed credential is refused too, the next refresh waits (`quiet_until`).
        refusals: u8,
    },
    /// It is being refreshed.
    Refreshing {
        /// As in `Stale`.
        refused: bool,
        /// As in `Stale`.
        refusals: u8,
        /// The owner connected again meanwhile: how this refresh ends says nothing of the new credential.
        superseded: bool,
    },
    /// Refused twice: only the owner can help, and was asked.
    Revoked,
}

impl CredentialState {
    /// A lasting credential, just entered by its owner.
    pub(super) const ENTERED: Self = Self::Fresh { refusals: 0, expires: None, refresh_at: None };

    /// A credential as the store has it.
    pub(super) fn stored(expires: Option<DateTime<Utc>>, moment: Moment) -> Self {
        match expires {
            Some(end) if end <= moment.now => Self::Stale { refused: false, refusals: 0 },
            _ => Self::Fresh { refusals: 0, expires, refresh_at: expires.map(|end| refresh_before(end, moment)) },
        }
    }

    /// A credential that its owner has just given again. One that can be renewed is renewed at once: that shows its end.
    pub(super) fn given(kind: CredentialKind) -> Self {
        match kind {
            CredentialKind::Lasting => Self::ENTERED,
            CredentialKind::Refreshable => Self::Stale { refused: false, refusals: 0 },
        }
    }

    /// It was refused often enough that the next try waits: a provider in trouble refuses everybody for a while.
    pub(super) fn is_doubted(self, kind: CredentialKind) -> bool {
        match self {
            Self::Fresh { refusals, .. } | Self::Stale { refusals, .. } | Self::Refreshing { refusals, .. } => {
                refusals > 0 && refusals + 1 == kind.refusals_believed()
            }
            Self::Revoked => false,
        }
    }

    /// Whether it may be used.
    #[must_use]
    pub fn is_fresh(self) -> bool {
        matches!(self, Self::Fresh { .. })
    }
}

/// The watch channel, through which the provider asks us to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelLife {
    /// The provider has none: polls alone.
    Unsupported,
    /// None is open, or not enough.
    Absent {
        /// Attempts that failed, in a row; counted to [`LAPSES_NOTIFIED`].
        lapses: u8,
    },
    /// One is being opened.
    Opening {
        /// Attempts that failed before it, in a row; counted to [`LAPSES_NOTIFIED`].
        lapses: u8,
    },
    /// One is open.
    Open {
        /// When it ends by itself.
        until: DateTime<Utc>,
        /// When to open its successor.
        renew_at: DateTime<Utc>,
    },
    /// Opening one failed.
    Lapsed {
        /// Attempts that failed, in a row; counted to [`LAPSES_NOTIFIED`].
        lapses: u8,
        /// When to try again.
        retry: DateTime<Utc>,
    },
}

/// The round: one pass of sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoundState {
    /// Nothing to do before the poll.
    Idle {
        /// When the poll is due; `None`: only a wake starts a round.
        poll_at: Option<DateTime<Utc>>,
    },
    /// One must run as soon as it may.
    Owed {
        /// Why.
        cause: Cause,
    },
    /// One is in flight.
    Running {
        /// A wake came meanwhile: one more round follows, whatever the number of wakes.
        again: Option<Cause>,
        /// The credential changed meanwhile: a refusal says nothing of the new one.
        superseded: bool,
    },
    /// The last one failed.
    BackingOff {
        /// A wake came meanwhile: the next round answers it.
        again: Option<Cause>,
        /// When the next one runs; a person's request brings it forward.
        until: DateTime<Utc>,
    },
}

/// How often an account looks for changes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PollPace {
    /// Time between polls; `None`: auto-sync is off.
    pub every: Option<Duration>,
    /// What the provider asks for: polls come no more often.
    pub at_least: Option<Duration>,
    /// Time between polls while a watch channel is open; `None`: the same.
    pub watched: Option<Duration>,
}

impl PollPace {
    /// Time between polls within its bounds; `None`: no polls.
    #[must_use]
    pub fn period(self, watching: bool) -> Option<Duration> {
        let every = self.every?;
        let wanted = if watching { self.watched.unwrap_or(every) } else { every };
        Some(wanted.max(self.at_least.unwrap_or_default()).clamp(POLL_EVERY_MIN, POLL_EVERY_MAX))
    }
}

/// What the store remembers of an account: all that a machine is rebuilt from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// Whether its credential can be renewed without its owner.
    pub kind: CredentialKind,
    /// When a credential that can be renewed ends by itself.
    pub expires: Option<DateTime<Utc>>,
    /// Whether the provider can notify us of changes.
    pub channels: bool,
    /// How often it looks by itself.
    pub pace: PollPace,
    /// Its owner or an operator said wait.
    pub paused: bool,
    /// Its owner was asked to connect again, and has not.
    pub revoked: bool,
    /// It is being disconnected, with or without the events we wrote there.
    pub disconnecting: Option<bool>,
    /// Rounds failed in a row.
    pub failures: u32,
    /// When the next round was due, as last decided.
    pub next_round_at: Option<DateTime<Utc>>,
    /// When the first queued write may be tried.
    pub next_outbox_at: Option<DateTime<Utc>>,
}

/// One connected account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountMachine {
    /// Whether it takes part at all.
    pub life: Life,
    /// Whether its credential can be renewed without its owner.
    pub kind: CredentialKind,
    /// What is known of the credential.
    pub credential: CredentialState,
    /// The watch channel.
    pub channel: ChannelLife,
    /// The round.
    pub round: RoundState,
    /// How often it looks by itself.
    pub pace: PollPace,
    /// Rounds failed in a row.
    pub failures: u32,
    /// When the first queued write may be tried; `None`: nothing waits.
    pub outbox_due: Option<DateTime<Utc>>,
    /// No round begins before this instant, whoever asks: what the provider asked us to wait, or the short pause that
    /// turns a storm of wakes into few rounds.
    pub quiet_until: Option<DateTime<Utc>>,
    /// What the clock showed at the last step: a clock that was set back moves every wait along.
    pub seen: DateTime<Utc>,
}

impl AccountMachine {
    /// The account as the store remembers it. A round that was due meanwhile is owed; none runs before its time just
    /// because the process started (I-23).
    #[must_use]
    pub fn remembered(past: &Past, moment: Moment) -> Self {
        let life = match past.disconnecting {
            Some(delete_events) => Life::Draining { delete_events },
            None if past.paused => Life::Paused,
            None => Life::Active,
        };
        let credential =
            if past.revoked { CredentialState::Revoked } else { CredentialState::stored(past.expires, moment) };
        let due_later = past.next_round_at.filter(|at| *at > moment.now);
        let round = match (due_later, past.failures) {
            (Some(until), 1..) => RoundState::BackingOff { again: None, until },
            (Some(at), 0) if past.pace.every.is_some() => RoundState::Idle { poll_at: Some(at) },
            (None, 1..) => RoundState::Owed { cause: Cause::Retry },
            // Auto-sync is off: a round runs only when one was asked for and has not ended.
            _ if past.pace.every.is_none() && (due_later.is_some() || past.next_round_at.is_none()) => {
                RoundState::Idle { poll_at: None }
            }
            _ => RoundState::Owed { cause: Cause::Started },
        };
        let mut account = Self {
            life,
            kind: past.kind,
            credential,
            channel: if past.channels { ChannelLife::Absent { lapses: 0 } } else { ChannelLife::Unsupported },
            round,
            pace: past.pace,
            failures: past.failures,
            outbox_due: past.next_outbox_at,
            // Whether the provider had asked for the wait is not remembered, so it is taken to have.
            quiet_until: due_later.filter(|_| past.failures > 0),
            seen: moment.now,
        };
        if !account.live() {
            account.round = RoundState::Idle { poll_at: None };
        }
        account
    }

    /// Active, with a credential that may be used or renewed.
    #[must_use]
    pub fn live(&self) -> bool {
        self.life == Life::Active && self.credential != CredentialState::Revoked
    }

    /// When the next poll is due after a round that ends now.
    pub(super) fn next_poll(&self, moment: Moment) -> Option<DateTime<Utc>> {
        let watching = matches!(self.channel, ChannelLife::Open { .. });
        let jitter = 1.0 + POLL_JITTER * moment.fraction.clamp(0.0, 1.0);
        self.pace.period(watching).map(|period| moment.after(period.mul_f64(jitter)))
    }

    /// The latest instant a poll may lie at, seen from now.
    pub(super) fn latest_poll(&self, moment: Moment) -> Option<DateTime<Utc>> {
        self.next_poll(Moment { fraction: 1.0, ..moment })
    }

    /// Whether a round is in flight.
    #[must_use]
    pub fn running(&self) -> bool {
        matches!(self.round, RoundState::Running { .. })
    }

    /// Whether nothing is in flight that clean-up would have to wait for.
    pub(super) fn quiet(&self) -> bool {
        let refreshing = matches!(self.credential, CredentialState::Refreshing { .. });
        !self.running() && !refreshing && !matches!(self.channel, ChannelLife::Opening { .. })
    }
}
