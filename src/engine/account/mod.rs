//! One connected account as a state machine without I/O: what may begin, what is in flight, when to look again.
//!
//! - **region**: one of `life`, `credential`, `channel`, `round`; they move independently, [`step()`] joins them.
//! - **owed**: a round that must run; wakes only ever *owe* one, so that any number of them cost one round.
//! - **alarm**: an instant at which the state wants to be looked at. Alarms are read off the state ([`deadline()`]), never
//!   armed by hand, so they cannot disagree with it.
//! - **live**: active, with a credential that may be used; nothing but clean-up begins otherwise.
//!
//! **Invariant:** work begins in one place only (`settle`), and at most one of each kind is in flight (A1).
//! **Invariant:** A1 to A13 hold in every reachable world: `tests/it/account_machine.rs` walks all of them.

mod deadline;
mod input;
mod state;
pub mod status;
mod step;

pub use deadline::{Alarm, alarms, deadline};
pub use input::{ChannelEnd, Effect, Finished, Input, RefreshEnd, RoundEnd, Work};
pub use state::{
    AccountMachine, ChannelLife, CredentialKind, CredentialState, LAPSES_NOTIFIED, Life, Moment, POLL_EVERY_MIN, Past,
    PollPace, RetryAt, RoundState,
};
pub use step::{CHANNEL_LEAD, CONFIRM_AFTER, OUTBOX_GAP, ROUND_GAP, joined, step};
