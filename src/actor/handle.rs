//! The front of the actors, for everything above them.
//!
//! **Invariant:** a wake never waits and is never refused; reading health messages nobody.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::Addr;
use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use super::{
    health::{ActorHealth, HealthBoard},
    message::{Command, CommandRefused, Inbox, OwnerChoice, PanicIn, Shutdown, WakesWait},
    supervisor::Supervisor,
    webhook_router::{NotHeard, Notify, WebhookRouter},
};
use crate::{
    domain::{ids::AccountId, round::Cause},
    engine::account::{Input, PollPace, status::Phase},
    provider::push::Notification,
    service::Wakes,
};

/// Reaches the actors from any thread. Cheap to clone.
///
/// Everything but a wake says what the caller has already stored: an actor that is being rebuilt reads it there.
#[derive(Clone)]
pub struct Handle {
    supervisor: Addr<Supervisor>,
    router: Addr<WebhookRouter>,
    inbox: Inbox,
    board: HealthBoard,
    bell: Arc<tokio::sync::Notify>,
}

impl Wakes for Handle {
    fn wake(&self, account: AccountId, cause: Cause) {
        Self::wake(self, account, cause);
    }

    fn adopt(&self, account: AccountId) {
        Self::adopt(self, account);
    }

    fn plan(&self) {
        self.bell.notify_one();
    }
}

impl Handle {
    pub(super) fn new(
        supervisor: Addr<Supervisor>,
        router: Addr<WebhookRouter>,
        inbox: Inbox,
        board: HealthBoard,
        bell: Arc<tokio::sync::Notify>,
    ) -> Self {
        Self { supervisor, router, inbox, board, bell }
    }

    /// Hears a notification of a provider: answered when it is durable, or was found to be nobody's.
    pub async fn notify(&self, notification: Notification) -> Result<(), NotHeard> {
        let (heard, answer) = oneshot::channel();
        self.router.try_send(Notify { notification, heard }).map_err(|_| NotHeard)?;
        answer.await.unwrap_or(Err(NotHeard))
    }

    /// Look again. Any number of wakes before the account's next round are one; an account without an actor gets one.
    pub fn wake(&self, account: AccountId, cause: Cause) {
        if self.inbox.put(account, cause) {
            // One message at most is on its way while the inbox is not empty, so the mailbox's limit is not in danger.
            self.supervisor.do_send(WakesWait);
        }
    }

    /// Takes in an account that was just connected, and syncs it.
    pub fn adopt(&self, account: AccountId) {
        self.wake(account, Cause::Connected);
    }

    /// Begins no more work; a round in flight ends.
    pub async fn pause(&self, account: AccountId) -> Result<(), CommandRefused> {
        self.feed(account, Input::Pause).await
    }

    /// Goes on after a pause or a quarantine, with a round.
    pub async fn resume(&self, account: AccountId) -> Result<(), CommandRefused> {
        self.feed(account, Input::Resume).await
    }

    /// The owner connected again: the new credential was tried and stored.
    pub async fn reauthorised(&self, account: AccountId) -> Result<(), CommandRefused> {
        self.feed(account, Input::Reauthorised).await
    }

    /// Polls as often as now stored ([`pace`](crate::service::port::pace)).
    pub async fn schedule_changed(&self, account: AccountId, pace: PollPace) -> Result<(), CommandRefused> {
        self.feed(account, Input::ScheduleChanged(pace)).await
    }

    /// A queued write may be tried at this instant.
    pub async fn outbox_due(&self, account: AccountId, at: DateTime<Utc>) -> Result<(), CommandRefused> {
        self.feed(account, Input::OutboxDue(at)).await
    }

    /// Lets a round in flight end, then takes the account down.
    pub async fn disconnect(&self, account: AccountId, delete_events: bool) -> Result<(), CommandRefused> {
        self.feed(account, Input::Disconnect { delete_events }).await
    }

    /// Rebuilds the actor from the store now, quarantined or not; a round in flight is dropped.
    pub async fn restart(&self, account: AccountId) -> Result<(), CommandRefused> {
        self.command(account, OwnerChoice::Restart).await
    }

    /// A drill: makes one account's actor panic. Refused unless [`ActorLimits`](super::ActorLimits) allows it.
    pub async fn inject_panic(&self, account: AccountId, place: PanicIn) -> Result<(), CommandRefused> {
        self.command(account, OwnerChoice::Panic(place)).await
    }

    /// Every actor's health, by account.
    #[must_use]
    pub fn health(&self) -> Vec<ActorHealth> {
        self.board.all()
    }

    /// One actor's health.
    #[must_use]
    pub fn health_of(&self, account: AccountId) -> Option<ActorHealth> {
        self.board.of(account)
    }

    /// How many actors are in each state.
    #[must_use]
    pub fn by_state(&self) -> BTreeMap<Phase, usize> {
        self.board.by_state()
    }

    /// Whether supervisor and router live: what `/health/ready` asks.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.supervisor.connected() && self.router.connected()
    }

    /// Begins nothing more and waits for what is in flight; `false`: some of it was still running at the limit, and
    /// is dropped with its runtime. Nothing is lost by that: the next start runs those rounds again.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        matches!(tokio::time::timeout(limit, self.supervisor.send(Shutdown)).await, Ok(Ok(())))
    }

    async fn feed(&self, account: AccountId, input: Input) -> Result<(), CommandRefused> {
        self.command(account, OwnerChoice::Feed(input)).await
    }

    async fn command(&self, account: AccountId, order: OwnerChoice) -> Result<(), CommandRefused> {
        self.supervisor.send(Command { account, order }).await.unwrap_or(Err(CommandRefused::Stopped))
    }
}
