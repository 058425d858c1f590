//! A unit of work: several transactions of one request that become durable together, or not at all.
//!
//! Within a unit ([`Store::within`](crate::store::Store::within)) the first transaction that commits is parked instead; those that
//! begin later go on with it and see what it wrote. [`UnitOfWork::commit`] makes all of it durable at once.
//!
//! **Invariant:** what a part of the unit wrote is never durable without the rest: a part that is given up after an earlier
//! one has committed takes the whole unit with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel_async::SimpleAsyncConnection;

use super::{Link, Tx};
use crate::{
    domain::person::Scope,
    store::{Mode, StoreError, postgres},
};

/// Transactions that become durable together. Dropped without [`UnitOfWork::commit`], none of them happened.
#[derive(Clone, Default)]
pub struct UnitOfWork(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    /// Nothing was written yet.
    #[default]
    Empty,
    /// Written, and not durable yet.
    Parked(Box<Tx>),
    /// A transaction goes on with what was written.
    Lent,
    /// What was written is gone; the request has to begin anew.
    Lost,
}

/// A transaction's part in a unit of work.
pub struct Part {
    unit: UnitOfWork,
    /// Whether earlier parts have written already.
    goes_on: bool,
    /// Whether it only looks.
    looks: bool,
}

impl UnitOfWork {
    /// What was written so far, to go on with; `None`: nothing was, or it is in use and the transaction only looks.
    pub(in crate::store) fn borrow(&self, mode: Mode) -> Result<Option<Tx>, StoreError> {
        let mut state = self.lock();
        match std::mem::take(&mut *state) {
            State::Empty => Ok(None),
            State::Parked(tx) => {
                *state = State::Lent;
                let part = Part { unit: self.clone(), goes_on: true, looks: mode == Mode::Read };
                Ok(Some(tx.into_part(part)))
            }
            State::Lent => {
                *state = State::Lent;
                // A second writer of one request would wait for the first, and so for itself.
                if mode == Mode::Read { Ok(None) } else { Err(StoreError::Busy) }
            }
            State::Lost => {
                *state = State::Lost;
                Err(StoreError::Busy)
            }
        }
    }

    /// The part of the first transaction that writes.
    pub(in crate::store) fn first(&self) -> Part {
        Part { unit: self.clone(), goes_on: false, looks: false }
    }

    /// Makes durable what was committed within. [`StoreError::Busy`]: it is gone, the whole of it may be tried again.
    pub async fn commit(&self) -> Result<(), StoreError> {
        let state = std::mem::take(&mut *self.lock());
        match state {
            State::Empty => Ok(()),
            State::Parked(tx) => tx.commit().await,
            State::Lent | State::Lost => Err(StoreError::Busy),
        }
    }

    /// Whether something that was written is gone.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(*self.lock(), State::Lost)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is a single step, so it is whole after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// The transaction has done its part.
    pub(super) fn park(self, tx: Tx) -> Result<(), StoreError> {
        let mut state = self.unit.lock();
        if matches!(*state, State::Parked(_)) {
            return Err(StoreError::Backend("two transactions of one request wrote at the same time".to_owned()));
        }
        *state = State::Parked(Box::new(tx));
        Ok(())
    }

    /// The transaction ends without a commit: one that only looked leaves everything as it was.
    pub(super) fn give_up(self, tx: Tx, failed: bool) {
        if !self.goes_on {
            return;
        }
        let next = if self.looks && !failed { State::Parked(Box::new(tx)) } else { State::Lost };
        *self.unit.lock() = next;
    }
}

impl Tx {
    pub(in crate::store) fn into_part(mut self, part: Part) -> Self {
        self.part = Some(part);
        self
    }

    /// Sees the spaces of `scope` from now on, and no others.
    pub(in crate::store) async fn see(&mut self, scope: &Scope) -> Result<(), StoreError> {
        let done = match self.link()? {
            // People's queries filter by themselves; SQLite has no second wall.
            Link::Sqlite(_) => Ok(()),
            Link::Postgres(conn) => conn.batch_execute(&postgres::seen(scope)).await.map_err(StoreError::from),
        };
        self.settle(done)
    }
}
