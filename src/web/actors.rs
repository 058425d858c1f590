//! What the web asks of the actors: orders that carry no data worth losing, and the health they publish.

use crate::{actor::health::ActorHealth, domain::ids::AccountId};

/// An order to an account's actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Wait.
    Pause,
    /// Go on; out of quarantine too.
    Resume,
    /// Build it anew from the store.
    Restart,
    /// Take the account down.
    Disconnect {
        /// Whether the copies we made go too.
        delete_events: bool,
    },
    /// The owner connected again.
    Reauthorised,
    /// The schedule in the store is another.
    ScheduleChanged,
}

/// The actors, as the web sees them.
pub trait Actors: Send + Sync {
    /// Every actor.
    fn all(&self) -> Vec<ActorHealth>;
    /// One actor.
    fn of(&self, account: AccountId) -> Option<ActorHealth>;
    /// Gives an order.
    fn order(&self, account: AccountId, order: Order);
}
