//! The actor keeps time: one actor per connected account, a supervisor that rebuilds the fallen, a webhook router, a planner
//! with a rollover actor for each time zone, a janitor.
//!
//! - **work**: what actors have done for them ([`crate::service::port::AccountWork`]); they decide when, never what.
//! - **fall**: an actor's end by a panic, in a handler or in its work. It is rebuilt *from the store*.
//! - **turn**: leave to run a round; there are [`ActorLimits::rounds_at_once_max`] of them in the process.
//!
//! actix's own supervisor does not restart after a panic, and restarts with old state after a stop; this one is ours.
//!
//! **Invariant:** no handler waits, so health is always answered at once.
//! **Invariant:** randomness and wall time come from [`World`]; alarms from tokio, which a simulation pauses.

pub mod health;
pub mod spawn;

mod account;
mod census;
mod child;
mod exit_notice;
mod handle;
mod janitor;
mod message;
mod planner;
mod rollover;
mod run;
mod supervisor;
mod webhook_router;

use std::{sync::Arc, time::Duration};

use actix::Actor;
use tokio::sync::{Notify, Semaphore};

pub use handle::Handle;
pub use health::{ActorHealth, HealthBoard};
pub use message::{CommandRefused, PanicIn};
pub use spawn::Spawner;
pub use webhook_router::NotHeard;

use crate::{domain::ports::World, service::port::AccountWork};

/// The limits of the actors.
#[derive(Clone, Debug)]
pub struct ActorLimits {
    /// The longest a round may take; then it is dropped, and counts as failed.
    pub round_limit: Duration,
    /// The longest a sweep may take.
    pub sweep_limit: Duration,
    /// The longest the store may take to give an account.
    pub load_limit: Duration,
    /// Rounds in flight at once in the process.
    pub rounds_at_once_max: usize,
    /// After a start, accounts are spread over at most this time (I-23).
    pub start_spread: Duration,
    /// Time between two comparisons of the store's accounts with the actors.
    pub census_every: Duration,
    /// Falls within [`intensity_window`](Self::intensity_window) that an account survives; one more quarantines it.
    pub intensity_max: u32,
    /// See [`intensity_max`](Self::intensity_max).
    pub intensity_window: Duration,
    /// Whether [`Handle::inject_panic`] works: for rehearsals and tests, off in production.
    pub allow_fault_injection: bool,
}

impl Default for ActorLimits {
    fn default() -> Self {
        Self {
            round_limit: Duration::from_mins(10),
            sweep_limit: Duration::from_mins(10),
            load_limit: Duration::from_secs(30),
            rounds_at_once_max: 32,
            start_spread: Duration::from_secs(45),
            census_every: Duration::from_mins(5),
            intensity_max: 5,
            intensity_window: Duration::from_mins(10),
            allow_fault_injection: false,
        }
    }
}

/// Starts the actors on the current actix arbiter, their work on the spawner's runtime.
///
/// # Panics
/// Outside an actix system.
#[must_use]
pub fn start(work: Arc<dyn AccountWork>, world: World, spawner: Spawner, config: ActorLimits) -> Handle {
    let board = HealthBoard::default();
    let turns = Arc::new(Semaphore::new(config.rounds_at_once_max.max(1)));
    let round_limit = config.round_limit;
    let bell = Arc::new(Notify::new());
    let tools = account::Tools { work, world, spawner, board: board.clone(), turns, round_limit, bell: bell.clone() };
    let inbox = message::Inbox::default();
    let router = webhook_router::WebhookRouter::new(tools.clone()).start();
    let supervisor = supervisor::Supervisor::new(tools, config, inbox.clone()).start();
    Handle::new(supervisor, router, inbox, board, bell)
}
