//! What can happen to an account, and what it answers with.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::state::PollPace;
use crate::domain::round::{Cause, Outcome};

/// Work that takes time; at most one of each kind is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// One pass of sync.
    Round {
        /// Why it runs.
        cause: Cause,
    },
    /// Renew the credential.
    Refresh,
    /// Open a watch channel, and close the one before.
    OpenChannel,
    /// Take the account down.
    CleanUp {
        /// Whether what we wrote there goes too.
        delete_events: bool,
    },
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundEnd {
    /// In one word.
    pub outcome: Outcome,
    /// How long the provider asks us to wait.
    pub retry_after: Option<Duration>,
    /// When the first write still queued may be tried.
    pub next_outbox_at: Option<DateTime<Utc>>,
    /// What the provider asks for between polls, when it said so.
    pub poll_at_least: Option<Duration>,
    /// Not every calendar is watched that should be: a channel is missing, or failed to notify us of a change.
    pub unwatched: bool,
}

/// How the refresh of a credential ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshEnd {
    /// A new credential is stored.
    Done {
        /// When it ends by itself.
        expires: Option<DateTime<Utc>>,
    },
    /// It may work later.
    Failed,
    /// The provider refuses to refresh it.
    Refused,
}

/// How the opening of a watch channel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelEnd {
    /// It is open.
    Open {
        /// When it ends by itself.
        until: DateTime<Utc>,
    },
    /// It may work later.
    Failed,
    /// This account has none.
    Unsupported,
}

/// Work that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// The round.
    Round(RoundEnd),
    /// The refresh.
    Refresh(RefreshEnd),
    /// The channel.
    Channel(ChannelEnd),
    /// The clean-up; `false`: it must be tried again.
    CleanUp(bool),
}

/// Everything that can happen to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Its actor started; a wake may have come while there was none.
    Started {
        /// That wake.
        owed: Option<Cause>,
    },
    /// Look again. A wake carries no data.
    Wake(Cause),
    /// The deadline was reached.
    Tick,
    /// A queued write may be tried at an instant.
    OutboxDue(DateTime<Utc>),
    /// Work came back.
    Finished(Finished),
    /// The owner connected again; the new credential was tried and stored.
    Reauthorised,
    /// Wait.
    Pause,
    /// Go on.
    Resume,
    /// Take the account down.
    Disconnect {
        /// Whether what we wrote there goes too.
        delete_events: bool,
    },
    /// Its owner, or its provider, changed how often it polls.
    ScheduleChanged(PollPace),
}

/// What the shell must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Begin work, and feed its end back.
    Begin(Work),
    /// Notify the owner that only they can help: once per revocation.
    AskReconnect,
    /// Notify the owner that changes are found later than usual: once, until a channel opens again.
    NotifyUnwatched,
    /// Nothing is left to do: end the actor.
    Stop,
}
