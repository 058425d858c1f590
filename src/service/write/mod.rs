//! A unit of work: a transaction, and what follows once it is durable.
//!
//! [`Services::write`] runs the work, repeats it from the start when the database reports a lost race, commits, and then wakes the
//! accounts and the planner. What an actor runs begins a [`WriteTx`] itself, for the compiler cannot yet see that an async closure
//! may move between threads; so does what reads or computes before it writes. Where a lost race is not for somebody else to repeat,
//! as a round is for its actor, `again!` repeats it.
//!
//! **Invariant:** the transaction that stores an event also queues its writes and updates its blocks ([`WriteTx::put_event`]; what a
//! block itself changes in its event: [`WriteTx::put_event_of_block`]), and its commit wakes the accounts that are written to. A plan
//! that is owed through a [`WriteTx`] has the planner woken.
//!
//! **Invariant:** what a wake is about is owed in the database by the same commit, so a wake that is lost with the process costs time
//! alone: local edits by their queued writes, everything else by a round that is due.

mod decisions;
mod queue;

use std::ops::{Deref, DerefMut};

use chrono::{DateTime, Utc};

pub(in crate::service) use queue::{writable, write_target};

use super::Services;
use crate::{
    domain::{
        account::{Account, AccountStatus},
        ids::{AccountId, UserId},
        person::Scope,
        ports::World,
        proposal::PlanCause,
        round::Cause,
    },
    service::Refusal,
    store::{Mode, StoreError, Tx},
};

/// What follows from a change once it is durable; losing it costs latency only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    Wake(AccountId, Cause),
    Adopt(AccountId),
    Plan,
    /// The account's open provider stands on what was changed.
    Reopen(AccountId),
}

impl Consequence {
    /// The account that has to be owed a round, so that nothing is lost with this process. A local edit has its queued write.
    fn owed(&self) -> Option<AccountId> {
        match self {
            Self::Wake(account, cause) => (*cause != Cause::LocalEdit).then_some(*account),
            Self::Adopt(_) | Self::Plan | Self::Reopen(_) => None,
        }
    }
}

/// Who changed an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum EditedBy {
    /// Its owner, here: what they do stands without a question.
    Product,
    /// A person or a program, at the provider. `title_visible`: copies there show the title, so another title was written on purpose.
    Provider { title_visible: bool },
}

/// A transaction under way, and what follows once it is durable.
pub(in crate::service) struct WriteTx<'s> {
    services: &'s Services,
    tx: Tx,
    follows: Vec<Consequence>,
}

impl Deref for WriteTx<'_> {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for WriteTx<'_> {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

impl WriteTx<'_> {
    /// Owes a user a plan, to be made from `at` on. Hides the transaction's own method, which wakes nobody.
    pub async fn owe_plan(&mut self, user: &UserId, cause: PlanCause, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.tx.owe_plan(user, cause, at).await?;
        self.wake_planner();
        Ok(())
    }

    fn world(&self) -> &World {
        &self.services.world
    }

    /// Wakes an account once this is durable.
    pub fn wake(&mut self, account: AccountId, cause: Cause) {
        self.follows(Consequence::Wake(account, cause));
    }

    /// Wakes the planner once this is durable.
    pub fn wake_planner(&mut self) {
        self.follows(Consequence::Plan);
    }

    fn follows(&mut self, consequence: Consequence) {
        if !self.follows.contains(&consequence) {
            self.follows.push(consequence);
        }
    }

    /// Gives a new account its actor once this is durable.
    pub fn adopt(&mut self, account: AccountId) {
        self.follows(Consequence::Adopt(account));
    }

    /// Closes an account's open provider once this is durable, so that it is opened again with the new credentials.
    pub fn reopen(&mut self, account: AccountId) {
        self.follows(Consequence::Reopen(account));
    }

    /// An account, unless it is being disconnected.
    pub async fn connected_account(&mut self, scope: &Scope, id: AccountId) -> Result<Option<Account>, StoreError> {
        let account = self.tx.account(scope, id).await?;
        Ok(account.filter(|held| held.status != AccountStatus::Disconnecting))
    }

    /// Overwrites an account that was read in this transaction.
    pub async fn update_account(&mut self, account: &Account) -> Result<(), StoreError> {
        if self.tx.update_account(account, account.version).await? { Ok(()) } else { Err(StoreError::Busy) }
    }

    /// Makes all of it durable, then wakes whom it concerns.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        let owed: Vec<_> = self.follows.iter().filter_map(Consequence::owed).collect();
        if !owed.is_empty() {
            self.tx.owe_rounds(&owed, self.services.world.now()).await?;
        }
        self.tx.commit().await?;
        for consequence in self.follows {
            self.services.then(consequence);
        }
        Ok(())
    }
}

/// An error that distinguishes a lost race from everything else.
pub(in crate::service) trait MayLoseRace: From<StoreError> {
    /// Whether another transaction came first, so that the same work may succeed when it is done again.
    fn is_lost_race(&self) -> bool;
}

impl MayLoseRace for StoreError {
    fn is_lost_race(&self) -> bool {
        *self == Self::Busy
    }
}

impl MayLoseRace for Refusal {
    fn is_lost_race(&self) -> bool {
        matches!(self, Self::Store(StoreError::Busy))
    }
}

impl Services {
    /// Does what follows from a change: now, or once the request's work is durable.
    fn then(&self, consequence: Consequence) {
        match &self.work {
            Some(work) => work.put_off(consequence),
            None => self.carry(consequence),
        }
    }

    pub(in crate::service) fn carry(&self, consequence: Consequence) {
        match (consequence, self.wakes.get()) {
            (Consequence::Reopen(account), _) => self.connections.forget(account),
            (Consequence::Wake(account, cause), Some(wakes)) => wakes.wake(account, cause),
            (Consequence::Adopt(account), Some(wakes)) => wakes.adopt(account),
            (Consequence::Plan, Some(wakes)) => wakes.plan(),
            (_, None) => {}
        }
    }

    /// Notifies the planner that something may be due.
    pub fn wake_planner(&self) {
        self.then(Consequence::Plan);
    }

    /// Runs the work in one transaction, and repeats it from the start when it lost a race. After the commit it wakes the accounts
    /// and the planner.
    pub(in crate::service) async fn write<T, E: MayLoseRace>(
        &self,
        work: impl AsyncFn(&mut WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        again!(self.write_once(&work))
    }

    async fn write_once<T, E: MayLoseRace>(
        &self,
        work: &impl AsyncFn(&mut WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut write = self.begin_write().await?;
        let done = work(&mut write).await?;
        write.commit().await?;
        Ok(done)
    }

    /// Begins a transaction that its caller commits, and repeats where it lost a race. It sees every space: a change of a calendar that
    /// people share has consequences in those that only some of them see, such as copies and time blocks. What a caller may change is
    /// found under the caller's scope.
    pub(in crate::service) async fn begin_write(&self) -> Result<WriteTx<'_>, StoreError> {
        let tx = self.store.begin(Mode::Write, &Scope::Whole).await?;
        Ok(WriteTx { services: self, tx, follows: Vec::new() })
    }
}
