//! The right to be the one service on a PostgreSQL database, watched.
//!
//! An advisory lock lasts as long as its session, and a session may end at any moment: the server restarts, somebody ends it, a
//! network goes away. From then on another process may take the lock, so no transaction of ours begins until we have it again.
//!
//! **Invariant:** between the end of the lock's session and the next one that holds the lock, no transaction begins.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tokio_postgres::Client;

use super::tls::Server;
use crate::store::error::StoreError;

/// The advisory lock of the one service on a PostgreSQL database: "wardserv" read as a number.
const INSTANCE_KEY: i64 = 0x7761_7264_7365_7276;
/// How often the session is asked for a sign of life; its end by itself is seen at once.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often the lock is tried again.
const TAKE_AGAIN_EVERY: Duration = Duration::from_millis(200);
/// For so many tries another session may have the lock, which may be our own that the server has not given up yet.
const REFUSALS_MAX: u32 = 25;

/// Whether we are the one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusivity {
    /// We are, or nobody has asked to be.
    Held,
    /// The lock's session has ended, and it is being taken again.
    Interrupted,
    /// Another process is.
    Taken,
}

/// Keeps the lock until dropped.
pub struct Keeper {
    exclusivity: Arc<watch::Sender<Exclusivity>>,
    watching: JoinHandle<()>,
}

impl Keeper {
    /// Takes the lock, or is [`StoreError::Busy`].
    pub async fn take(server: Server, exclusivity: Arc<watch::Sender<Exclusivity>>) -> Result<Self, StoreError> {
        let session = Session::with_lock(&server).await?.ok_or(StoreError::Busy)?;
        exclusivity.send_replace(Exclusivity::Held);
        let watching = tokio::spawn(keep(server, session, Arc::clone(&exclusivity)));
        Ok(Self { exclusivity, watching })
    }

    /// Waits until another process has the lock.
    pub async fn lost(&self) {
        // The sender is ours: it lives as long as this waits.
        let _ = self.exclusivity.subscribe().wait_for(|exclusivity| *exclusivity == Exclusivity::Taken).await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn keep(server: Server, mut session: Session, exclusivity: Arc<watch::Sender<Exclusivity>>) {
    loop {
        session.end().await;
        exclusivity.send_replace(Exclusivity::Interrupted);
        tracing::warn!(
            "the database session that holds this service's lock has ended: nothing is done until it is held again"
        );
        let Some(again) = take_again(&server).await else {
            exclusivity.send_replace(Exclusivity::Taken);
            return;
        };
        session = again;
        exclusivity.send_replace(Exclusivity::Held);
        tracing::info!("the lock is held again");
    }
}

/// The lock in a new session, however long the server is away; `None`: another process has it.
async fn take_again(server: &Server) -> Option<Session> {
    let mut refusals = 0;
    while refusals < REFUSALS_MAX {
        match timeout(ANSWER_WITHIN, Session::with_lock(server)).await {
            Ok(Ok(Some(session))) => return Some(session),
            Ok(Ok(None)) => refusals += 1,
            Ok(Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(TAKE_AGAIN_EVERY).await;
    }
    None
}

/// A session of its own.
struct Session {
    client: Client,
    driver: JoinHandle<()>,
}

impl Session {
    /// `None`: another session has the lock.
    async fn with_lock(server: &Server) -> Result<Option<Self>, StoreError> {
        let (client, driver) = server.session().await?;
        let session = Self { client, driver };
        let failed = |error: tokio_postgres::Error| StoreError::Backend(error.to_string());
        let row =
            session.client.query_one("SELECT pg_try_advisory_lock($1)", &[&INSTANCE_KEY]).await.map_err(failed)?;
        Ok(row.try_get::<_, bool>(0).map_err(failed)?.then_some(session))
    }

    /// Waits until the session has ended, or answers no more.
    async fn end(&mut self) {
        loop {
            tokio::select! {
                _ = &mut self.driver => return,
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
            match timeout(ANSWER_WITHIN, self.client.simple_query("SELECT 1")).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
