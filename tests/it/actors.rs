//! The actors under paused time: falls, limits, wakes, pauses, disconnections, and the same order from the same seed.

mod falls;
mod lives;
mod wakes;
mod world;

use std::time::Duration;

use actix::System;
use calwarden::{
    actor::{ActorLimits, CommandRefused, Handle, PanicIn},
    domain::{
        account::AccountStatus,
        round::{Cause, Outcome},
    },
    engine::account::status::Phase,
};
use tokio::time::sleep;

use world::{Behave, Ledger, account, after, start, start_on, stored};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Runs a story on one thread in virtual time.
fn story<F: Future<Output = ()>>(seed: u64, accounts: u8, tell: impl FnOnce(Ledger, Handle) -> F) -> Vec<String> {
    story_with(seed, accounts, ActorLimits { allow_fault_injection: true, ..ActorLimits::default() }, tell)
}

fn story_with<F: Future<Output = ()>>(
    seed: u64,
    accounts: u8,
    config: ActorLimits,
    tell: impl FnOnce(Ledger, Handle) -> F,
) -> Vec<String> {
    let paused =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    System::with_tokio_rt(paused).block_on(async {
        let ledger = Ledger::new(seed);
        for n in 0..accounts {
            ledger.store(account(n), stored());
        }
        let handle = start(&ledger, config);
        tell(ledger.clone(), handle).await;
        ledger.events()
    })
}

fn quietly<T>(run: impl FnOnce() -> T) -> T {
    world::expect_panics();
    run()
}
