//! Where work runs: on a runtime beside the actors, so that no handler waits and a panic becomes a result.
//!
//! Production gives the handle of a multi-thread runtime; a simulation gives the handle of the paused one it runs on.
//!
//! **Invariant:** dropping a [`Spawned`] ends its work at the next await; a panic never leaves the task it happened in.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{runtime, task::JoinHandle};

/// Starts work.
#[derive(Clone, Debug)]
pub struct Spawner(runtime::Handle);

/// Work under way. Awaiting it gives its answer.
#[derive(Debug)]
pub struct Spawned<T>(JoinHandle<T>);

/// Work that ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// It panicked.
    #[error("it panicked")]
    Panicked,
    /// Its runtime is shutting down.
    #[error("its runtime is shutting down")]
    Cancelled,
}

impl Spawner {
    /// Work runs on this runtime.
    #[must_use]
    pub fn on(runtime: runtime::Handle) -> Self {
        Self(runtime)
    }

    /// Starts work at once.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Spawned<T> {
        Spawned(self.0.spawn(work))
    }
}

impl<T> Future for Spawned<T> {
    type Output = Result<T, Lost>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|why| if why.is_panic() { Lost::Panicked } else { Lost::Cancelled })
    }
}

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
