//! What the web asks of the actors: orders about what is stored already, and the health they publish.

use std::sync::Arc;

use async_trait::async_trait;

use super::problem::{Problem, ProblemCode};
use crate::{
    actor::{ActorHealth, CommandRefused, Handle, PanicIn},
    domain::ids::AccountId,
    provider::push::Notification,
    service::port::{AccountWork, WorkError},
};

/// An order to an account's actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorOrder {
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
    /// Fall, as a drill; refused unless `allow_fault_injection` is on.
    Panic,
}

/// The actors, as the web sees them.
#[async_trait]
pub trait Actors: Send + Sync {
    /// Every actor.
    fn all(&self) -> Vec<ActorHealth>;
    /// One actor.
    fn of(&self, account: AccountId) -> Option<ActorHealth>;
    /// Whether there is anybody to give orders to.
    fn alive(&self) -> bool;
    /// Hears a notification of a provider.
    async fn notify(&self, notification: Notification) -> Result<(), Problem>;
    /// Gives an order.
    async fn order(&self, account: AccountId, order: ActorOrder) -> Result<(), Problem>;
}

/// The actors of this process.
pub struct Front {
    /// How they are reached.
    pub handle: Handle,
    /// What they read of an account.
    pub work: Arc<dyn AccountWork>,
}

impl From<CommandRefused> for Problem {
    fn from(refused: CommandRefused) -> Self {
        let detail = match refused {
            CommandRefused::Unknown => "the account's actor is not there yet; try again in a minute",
            CommandRefused::Stopped => "the service is stopping",
            CommandRefused::DrillsAreOff => {
                let detail = "failures are rehearsed only where the setting allow_fault_injection is on";
                return Problem::new(ProblemCode::ForbiddenScope, detail);
            }
        };
        Problem::new(ProblemCode::Unavailable, detail).header("Retry-After", &60)
    }
}

#[async_trait]
impl Actors for Front {
    fn all(&self) -> Vec<ActorHealth> {
        self.handle.health()
    }

    fn of(&self, account: AccountId) -> Option<ActorHealth> {
        self.handle.health_of(account)
    }

    fn alive(&self) -> bool {
        self.handle.alive()
    }

    async fn notify(&self, notification: Notification) -> Result<(), Problem> {
        self.handle
            .notify(notification)
            .await
            .map_err(|why| Problem::new(ProblemCode::Unavailable, why.to_string()).header("Retry-After", &30))
    }

    async fn order(&self, account: AccountId, order: ActorOrder) -> Result<(), Problem> {
        let handle = &self.handle;
        match order {
            ActorOrder::Pause => handle.pause(account).await?,
            ActorOrder::Resume => handle.resume(account).await?,
            ActorOrder::Restart => handle.restart(account).await?,
            ActorOrder::Disconnect { delete_events } => handle.disconnect(account, delete_events).await?,
            ActorOrder::Reauthorised => handle.reauthorised(account).await?,
            ActorOrder::Panic => handle.inject_panic(account, PanicIn::Handler).await?,
            ActorOrder::ScheduleChanged => {
                let start = self.work.load(account).await.map_err(|error| match error {
                    WorkError::NotFound => Problem::not_found("account"),
                    WorkError::Failed(cause) => Problem {
                        cause: Some(cause),
                        ..Problem::new(
                            ProblemCode::Unavailable,
                            "the schedule is stored; it holds from the next start on",
                        )
                    },
                })?;
                handle.schedule_changed(account, start.pace()).await?;
            }
        }
        Ok(())
    }
}
