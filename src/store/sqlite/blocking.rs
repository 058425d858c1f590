//! Where SQLite's blocking calls run.
//!
//! diesel-async's own strategy waits in `Drop` with `block_in_place`, which panics on actix's single-threaded runtimes when a
//! future is cancelled. Ours lets the call finish alone and reports when it has.

use std::{error::Error, sync::Arc};

use diesel_async::sync_connection_wrapper::SpawnBlocking;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::Blocking;

type Failure = Box<dyn Error + Send + Sync + 'static>;

/// The calls of one connection.
#[derive(Clone)]
pub struct Calls {
    blocking: Blocking,
    /// One permit; a call on the pool holds it until it has ended, even when nobody waits for it any more.
    running: Arc<Semaphore>,
}

impl Calls {
    /// Calls of a new connection.
    pub fn new(blocking: Blocking) -> Self {
        Self { blocking, running: Arc::new(Semaphore::new(1)) }
    }

    /// Waits until a call whose future was dropped has ended.
    pub async fn ended(&self) {
        // An error would mean a closed semaphore, and nobody closes it.
        drop(self.running.acquire().await);
    }
}

impl SpawnBlocking for Calls {
    fn spawn_blocking<'a, R>(&mut self, task: impl FnOnce() -> R + Send + 'static) -> BoxFuture<'a, Result<R, Failure>>
    where
        R: Send + 'static,
    {
        match self.blocking {
            Blocking::Inline => Box::pin(async move { Ok(task()) }),
            Blocking::Pool => {
                let permit = Arc::clone(&self.running).try_acquire_owned();
                let call = tokio::task::spawn_blocking(move || {
                    let result = task();
                    drop(permit);
                    result
                });
                Box::pin(async move { call.await.map_err(|error| Box::new(error) as Failure) })
            }
        }
    }

    fn get_runtime() -> Self {
        Self::new(Blocking::Pool)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_call_that_nobody_waits_for_is_still_waited_out() {
        let mut calls = Calls::new(Blocking::Pool);
        let (go, held) = mpsc::channel::<()>();
        drop(calls.spawn_blocking(move || held.recv()));
        assert!(calls.ended().now_or_never().is_none(), "the call has not ended");
        go.send(()).expect("it is still there");
        calls.ended().await;
    }

    #[tokio::test]
    async fn an_inline_call_runs_only_when_it_is_awaited() {
        let mut calls = Calls::new(Blocking::Inline);
        let here = std::thread::current().id();
        drop(calls.spawn_blocking(|| panic!("nobody asked for this")));
        let ran = calls.spawn_blocking(move || std::thread::current().id() == here).await;
        assert!(ran.expect("it ran"), "on this thread");
    }
}
