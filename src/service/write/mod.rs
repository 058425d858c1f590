//! A unit of work: a transaction, and what follows once it is durable.
//!
//! [`Services::write`] runs the work, repeats it from the start when the database reports a lost race, commits, and then wakes the
//! accounts and the planner. Local edits of events and people's answers are written through here; rounds and planning are not yet.
//!
//! **Invariant:** the transaction that stores an event also queues its writes and updates its blocks, and its commit wakes their
//! accounts and the planner.

use std::ops::{Deref, DerefMut};

use chrono_tz::Tz;

use super::{
    Consequence, RETRIES_MAX, Services,
    edit_event::{EditError, put},
    planning::Hand,
};
use crate::{
    domain::{ids::AccountId, mapping::Event, person::Scope, round::Cause},
    store::{Mode, StoreError, Tx},
};

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
        put(&mut self.tx, event, zone).await?;
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
    /// Runs the work in one transaction, and repeats it from the start when it lost a race. After the commit it wakes the accounts
    /// and the planner.
    pub(in crate::service) async fn write<T>(
        &self,
        scope: &Scope,
        work: impl AsyncFn(&mut Write<'_>) -> Result<T, EditError>,
    ) -> Result<T, EditError> {
        let mut races = 0;
        loop {
            match self.write_once(scope, &work).await {
                Err(EditError::Store(StoreError::Busy)) if races < RETRIES_MAX => races += 1,
                done => return done,
            }
        }
    }

    async fn write_once<T>(
        &self,
        scope: &Scope,
        work: &impl AsyncFn(&mut Write<'_>) -> Result<T, EditError>,
    ) -> Result<T, EditError> {
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
