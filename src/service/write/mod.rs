//! The one way to change what is stored: a transaction that knows what follows from it.
//!
//! [`Services::write`] runs a piece of work in a transaction, from its start again when it lost a race, makes it durable, and only
//! then wakes whom it concerns.
//!
//! **Invariant:** an event that is stored through here has its writes queued and its blocks brought along in the same transaction;
//! whoever stores it cannot forget them, nor whom to wake.

use std::ops::{Deref, DerefMut};

use chrono_tz::Tz;

use super::{Consequence, Failure, RETRIES_MAX, Services, edit_event::EditError, planning::Hand};
use crate::{
    domain::{ids::AccountId, mapping::Event, person::Scope, round::Cause},
    engine::recurrence::span,
    store::{Mode, StoreError, Tx},
};

/// A refusal that may be a lost race: nothing happened, and the same work may succeed when it is done again.
pub(in crate::service) trait LostRace: From<StoreError> {
    /// Whether it is one.
    fn is_lost_race(&self) -> bool;
}

impl LostRace for StoreError {
    fn is_lost_race(&self) -> bool {
        *self == Self::Busy
    }
}

impl LostRace for EditError {
    fn is_lost_race(&self) -> bool {
        matches!(self, Self::Store(StoreError::Busy))
    }
}

impl LostRace for Failure {
    fn is_lost_race(&self) -> bool {
        matches!(self, Self::Store(StoreError::Busy))
    }
}

/// A transaction under way, and what follows once it is durable.
pub(in crate::service) struct Write<'s> {
    services: &'s Services,
    tx: Tx,
    follows: Vec<Consequence>,
}

impl Deref for Write<'_> {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Write<'_> {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

impl Write<'_> {
    /// Stores an event that was made or changed here, queues its copies and brings its blocks along. `zone` dates what has none.
    pub async fn put_event(&mut self, event: &Event, zone: Tz) -> Result<(), StoreError> {
        let extent = span(&event.content, zone);
        self.tx.put_events(std::slice::from_ref(event), &[extent]).await?;
        let queued = self.services.owe_all(&mut self.tx, event, zone).await?;
        self.wake_all(&queued, Cause::LocalEdit);
        let shown = self.services.heed(&mut self.tx, std::slice::from_ref(event), Hand::Here).await?;
        self.wake_all(&shown, Cause::LocalEdit);
        self.follows(Consequence::Plan);
        Ok(())
    }

    /// Wakes an account once this is durable.
    pub fn wake(&mut self, account: AccountId, cause: Cause) {
        self.follows(Consequence::Wake(account, cause));
    }

    /// Wakes several.
    pub fn wake_all(&mut self, accounts: &[AccountId], cause: Cause) {
        for account in accounts {
            self.wake(*account, cause);
        }
    }

    fn follows(&mut self, consequence: Consequence) {
        if !self.follows.contains(&consequence) {
            self.follows.push(consequence);
        }
    }
}

impl Services {
    /// Does a piece of work in one transaction, from its start again when it lost a race. Once it is durable, whom it concerns is
    /// woken.
    pub(in crate::service) async fn write<T, E: LostRace>(
        &self,
        scope: &Scope,
        work: impl AsyncFn(&mut Write<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut races = 0;
        loop {
            match self.write_once(scope, &work).await {
                Err(lost) if lost.is_lost_race() && races < RETRIES_MAX => races += 1,
                done => return done,
            }
        }
    }

    async fn write_once<T, E: LostRace>(
        &self,
        scope: &Scope,
        work: &impl AsyncFn(&mut Write<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tx = self.store.begin(Mode::Write, scope).await?;
        let mut write = Write { services: self, tx, follows: Vec::new() };
        let done = work(&mut write).await?;
        let Write { tx, follows, .. } = write;
        tx.commit().await?;
        for consequence in follows {
            self.then(consequence);
        }
        Ok(done)
    }
}
