//! Work that takes a processor for a while, away from the threads that answer requests.
//!
//! Whoever sends a request, serves a feed or owns an event may mean harm. So work is bounded where it is decided, in counts and not
//! in time: an expansion is paid from a [`ExpansionBudget`](crate::engine::recurrence::ExpansionBudget) that all events of a request share, a list
//! keeps the rows of its page ([`crate::engine::listing`]), busy time keeps joined stretches. What a budget left out is said: a
//! page has `truncated`, and availability counts what is not known as busy.
//!
//! **Invariant:** no more than a few pieces run at once, whoever asks; the others wait without holding a thread.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::store::{Blocking, StoreError};

/// Pieces of work at once: what is left of the processors answers requests.
const AT_ONCE: usize = 2;

/// The places for such work. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Offload {
    places: Arc<Semaphore>,
    blocking: Blocking,
}

impl Offload {
    /// On tokio's blocking pool, or right here where one thread makes a run repeatable.
    #[must_use]
    pub fn new(blocking: Blocking) -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), blocking }
    }

    /// Runs a piece of work when there is a place. The work has its own bound: it is not interrupted.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
        if self.blocking == Blocking::Inline {
            return Ok(work());
        }
        let place = Arc::clone(&self.places).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.map_err(|why| StoreError::Backend(format!("a piece of work failed: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use super::*;

    #[tokio::test]
    async fn however_much_is_asked_for_few_pieces_run_at_once() {
        let offload = Offload::new(Blocking::Pool);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let (go, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let pieces = (0..10).map(|_| {
            let (running, most, gate) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&gate));
            let (offload, begun) = (offload.clone(), begun.clone());
            tokio::spawn(async move {
                let work = move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    begun.send(()).expect("the test listens");
                    gate.lock().expect("a gate").recv().expect("the test opens it");
                    running.fetch_sub(1, Ordering::SeqCst);
                };
                offload.run(work).await.expect("it ran");
            })
        });
        let pieces: Vec<_> = pieces.collect();
        for _ in 0..10 {
            begins.recv().await.expect("a piece begins");
            go.send(()).expect("a piece waits");
        }
        for piece in pieces {
            piece.await.expect("it ended");
        }
        assert!((1..=AT_ONCE).contains(&most.load(Ordering::SeqCst)));
    }
}
