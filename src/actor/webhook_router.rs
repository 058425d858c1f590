//! Forwards providers' notifications: those that come together are heard together, in one transaction.
//!
//! - **batch**: what came while the batch before it was being heard; a storm costs a few transactions, not one each.
//!
//! **Invariant:** an answer is given only after what it answers is durable, or was found to be nobody's.
//! **Invariant:** at most one batch is being heard, and what waits is bounded: beyond, senders are asked to come again.

use actix::prelude::*;
use tokio::sync::oneshot;

use super::{account::Tools, spawn::Lost};
use crate::{provider::push::Notification, service::port::WorkError};

/// Notifications that may wait; a provider sends again what was not taken.
const WAITING_MAX: usize = 10_000;

/// The router.
pub(super) struct WebhookRouter {
    tools: Tools,
    waiting: Vec<Notify>,
    hearing: bool,
}

/// To the router: a notification came; its sender waits.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Notify {
    pub(super) notification: Notification,
    pub(super) heard: oneshot::Sender<Result<(), NotHeard>>,
}

/// A notification that must be sent again. The cause is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the notification could not be kept; send it again")]
pub struct NotHeard;

impl WebhookRouter {
    pub(super) fn new(tools: Tools) -> Self {
        Self { tools, waiting: Vec::new(), hearing: false }
    }

    /// Hears all that waits, unless a batch is being heard: its end comes back here.
    fn hear(&mut self, ctx: &mut Context<Self>) {
        if self.hearing || self.waiting.is_empty() {
            return;
        }
        self.hearing = true;
        let (notifications, senders): (Vec<_>, Vec<_>) =
            self.waiting.drain(..).map(|waiting| (waiting.notification, waiting.heard)).unzip();
        let work = self.tools.work.clone();
        let hearing = self.tools.spawner.spawn(async move { work.hear(&notifications).await });
        ctx.spawn(hearing.into_actor(self).map(|heard, actor, ctx| {
            actor.hearing = false;
            let answer = answer(heard);
            for sender in senders {
                // Whoever asked may have hung up.
                let _ = sender.send(answer);
            }
            actor.hear(ctx);
        }));
    }
}

fn answer(heard: Result<Result<(), WorkError>, Lost>) -> Result<(), NotHeard> {
    let why = match heard {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failed)) => failed.to_string(),
        Err(lost) => lost.to_string(),
    };
    tracing::error!(why, "notifications could not be kept; their senders will come again");
    Err(NotHeard)
}

impl Actor for WebhookRouter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // A mailbox holds sixteen messages unless it is set otherwise; a burst would be turned away.
        ctx.set_mailbox_capacity(WAITING_MAX);
    }
}

impl Handler<Notify> for WebhookRouter {
    type Result = ();

    fn handle(&mut self, came: Notify, ctx: &mut Self::Context) {
        if self.waiting.len() >= WAITING_MAX {
            let _ = came.heard.send(Err(NotHeard));
            return;
        }
        self.waiting.push(came);
        self.hear(ctx);
    }
}
