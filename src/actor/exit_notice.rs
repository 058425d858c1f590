//! Notifies the supervisor that an actor is gone, however it went.
//!
//! actix drops a panicked actor in silence; a value inside it is dropped too, and that is noticed here.

use actix::Recipient;

use super::message::{ChildExited, Exit};
use crate::domain::ids::AccountId;

/// Held by an actor for as long as it lives.
pub(super) struct ExitNotice {
    account: AccountId,
    generation: u64,
    exit: Exit,
    supervisor: Recipient<ChildExited>,
}

impl ExitNotice {
    /// For one actor; an end that nobody explains is `Vanished`.
    pub(super) fn new(account: AccountId, generation: u64, supervisor: Recipient<ChildExited>) -> Self {
        Self { account, generation, exit: Exit::Vanished, supervisor }
    }

    /// Explains the end that is about to come.
    pub(super) fn explain(&mut self, exit: Exit) {
        self.exit = exit;
    }
}

impl Drop for ExitNotice {
    fn drop(&mut self) {
        let exit = if std::thread::panicking() { Exit::HandlerPanicked } else { self.exit };
        // Past the mailbox's limit on purpose: at most one per actor, and it must not be lost.
        self.supervisor.do_send(ChildExited { account: self.account, generation: self.generation, exit });
    }
}
