//! One piece of an account's work, from its turn to its answer.
//!
//! **Invariant:** a round waits for its predecessor to be gone, then for its turn, then runs within a limit; whatever
//! happens it gives both back.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

use super::account::Tools;
use crate::{
    domain::{ids::AccountId, round::Outcome},
    engine::account::{ChannelEnd, RefreshEnd, Work},
    service::port::{ProgressSink, RoundReport, WorkError},
};

/// One account's places for work, kept across its actors.
#[derive(Clone, Debug)]
pub(super) struct WorkSlots {
    /// A round or a clean-up.
    sync: Arc<Semaphore>,
    /// A refresh (I-27).
    refresh: Arc<Semaphore>,
    /// The opening of a channel.
    channel: Arc<Semaphore>,
}

impl Default for WorkSlots {
    fn default() -> Self {
        let one = || Arc::new(Semaphore::new(1));
        Self { sync: one(), refresh: one(), channel: one() }
    }
}

/// How work ended.
pub(super) enum WorkEnd {
    Round(RoundReport),
    Refresh(RefreshEnd),
    Channel(ChannelEnd),
    CleanUp(Result<(), WorkError>),
}

/// The work as a future that needs nothing of its actor.
pub(super) fn run(
    what: Work,
    account: AccountId,
    tools: &Tools,
    slots: &WorkSlots,
    progress: ProgressSink,
    drill: bool,
) -> impl Future<Output = WorkEnd> + Send + 'static {
    let (work, limit) = (Arc::clone(&tools.work), tools.round_limit);
    let (turns, slots) = (Arc::clone(&tools.turns), slots.clone());
    async move {
        match what {
            Work::Round { cause } => {
                let round = async {
                    assert!(!drill, "a drill: this round was ordered to panic");
                    work.round(account, cause, progress).await
                };
                let done = alone(&slots.sync, Some(&turns), limit, round).await;
                WorkEnd::Round(done.unwrap_or_else(|why| RoundReport {
                    note: Some(why.for_a_round(limit)),
                    ..RoundReport::new(Outcome::Failed)
                }))
            }
            Work::CleanUp { delete_events } => {
                let done = alone(&slots.sync, Some(&turns), limit, work.clean_up(account, delete_events)).await;
                WorkEnd::CleanUp(done.unwrap_or_else(|why| Err(WorkError::Failed(why.for_a_round(limit)))))
            }
            Work::Refresh => {
                let done = alone(&slots.refresh, None, limit, work.refresh(account)).await;
                WorkEnd::Refresh(done.unwrap_or(RefreshEnd::Failed))
            }
            Work::OpenChannel => {
                let done = alone(&slots.channel, None, limit, work.open_channel(account)).await;
                WorkEnd::Channel(done.unwrap_or(ChannelEnd::Failed))
            }
        }
    }
}

/// Why work gave no answer in time.
enum NoAnswer {
    /// What an earlier actor began has not ended.
    Predecessor,
    /// It took too long, and was dropped.
    Itself,
}

impl NoAnswer {
    fn for_a_round(&self, limit: Duration) -> String {
        let minutes = limit.as_secs().div_ceil(60);
        match self {
            Self::Predecessor => format!("the sync before it did not end within {minutes} minutes"),
            Self::Itself => format!("it took longer than {minutes} minutes and was stopped; it will be tried again"),
        }
    }
}

async fn alone<T>(
    slot: &Semaphore,
    turns: Option<&Semaphore>,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, NoAnswer> {
    // Neither semaphore is ever closed; if one were, running is right: the machine already allows one at a time.
    let _slot = timeout(limit, slot.acquire()).await.map_err(|_| NoAnswer::Predecessor)?.ok();
    let _turn = match turns {
        Some(turns) => turns.acquire().await.ok(),
        None => None,
    };
    timeout(limit, work).await.map_err(|_| NoAnswer::Itself)
}
