//! What actors say to each other.
//!
//! **Invariant:** a message carries no state of an account. Whatever a person chose is in the store before it is said
//! here, so a message lost with a dead actor is made good by the actor's rebuilding.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use actix::Message;

use crate::{
    domain::{ids::AccountId, round::Cause},
    engine::account::{Input, joined},
};

/// How an actor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Its account is disconnected and cleaned up.
    Closed,
    /// An operator asked for a new one.
    Asked,
    /// The account is no longer in the store.
    Forgotten,
    /// The process is ending.
    StoodDown,
    /// A handler panicked.
    HandlerPanicked,
    /// A round, or another piece of its work, panicked.
    WorkPanicked,
    /// It could not take a message.
    MailboxFull,
    /// Nobody knows.
    Vanished,
}

impl Exit {
    /// The word operators see.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Asked => "asked",
            Self::Forgotten => "forgotten",
            Self::StoodDown => "stood_down",
            Self::HandlerPanicked => "handler_panicked",
            Self::WorkPanicked => "work_panicked",
            Self::MailboxFull => "mailbox_full",
            Self::Vanished => "vanished",
        }
    }
}

/// To the supervisor: an actor is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct ChildExited {
    pub(super) account: AccountId,
    pub(super) generation: u64,
    pub(super) exit: Exit,
}

/// To the supervisor: wakes wait in the inbox.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct WakesWait;

/// To the supervisor: something an owner or an operator chose.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), CommandRefused>")]
pub(super) struct Command {
    pub(super) account: AccountId,
    pub(super) order: OwnerChoice,
}

/// What they chose.
#[derive(Clone, Copy, Debug)]
pub(super) enum OwnerChoice {
    /// Something for the account's machine.
    Feed(Input),
    /// Rebuild its actor from the store now.
    Restart,
    /// A drill.
    Panic(PanicIn),
}

/// Where a drill panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanicIn {
    /// In the actor's own handler.
    Handler,
    /// In the work it started.
    Work,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefused {
    /// No actor, and none being built.
    #[error("no actor is known for this account")]
    Unknown,
    /// `allow_fault_injection` is off.
    #[error("fault injection is off: set `allow_fault_injection` to rehearse a failure")]
    DrillsAreOff,
    /// The supervisor is gone.
    #[error("the actors have stopped")]
    Stopped,
}

/// To the supervisor: let everything in flight end, then answer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Shutdown;

/// To an account's actor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) enum AccountMessage {
    /// A wake waits.
    Wake,
    /// Something for the machine.
    Feed(Input),
    /// Begin nothing more, and end when nothing is in flight.
    StandDown,
    /// A drill.
    Panic(PanicIn),
}

/// Wakes on their way, one at most per account: however many come, they are one look.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox(Arc<Mutex<BTreeMap<AccountId, Cause>>>);

impl Inbox {
    /// Adds a wake; `true`: it is the first since the inbox was emptied, so its reader must be notified.
    pub(super) fn put(&self, account: AccountId, cause: Cause) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = waiting.is_empty();
        let known = waiting.get(&account).copied();
        waiting.insert(account, joined(known, cause));
        first
    }

    /// Empties it.
    pub(super) fn take(&self) -> BTreeMap<AccountId, Cause> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
