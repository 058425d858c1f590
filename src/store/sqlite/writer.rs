//! The one writer, shared: transactions that come at the same time become durable in one physical commit.
//!
//! A task owns the connection and lends it to one transaction after the other, each inside a savepoint of its own. When nobody
//! waits any more, or [`GROUP_MAX`] have joined, it commits for all of them and only then notifies each that it is durable. A
//! transaction that is dropped gives the connection back by the same way, and its savepoint is rolled back before the next.
//!
//! **Invariant:** a transaction is answered `Ok` only after the physical commit that holds it.
//! **Invariant:** the connection is lent again only when no call of the borrower before is still running.

use std::path::PathBuf;

use diesel_async::SimpleAsyncConnection;
use tokio::sync::{mpsc, oneshot};

use super::{Conn, blocking::Calls};
use crate::store::{Blocking, error::StoreError};

/// Most transactions in one physical commit, so that the first of them does not wait for ever.
const GROUP_MAX: usize = 64;

/// Most transactions waiting for their turn; more wait to be allowed to wait.
const WAITING_MAX: usize = 1_024;

type WriterAnswer = oneshot::Sender<Result<(), StoreError>>;
type WriterRequest = oneshot::Sender<Result<Lease, StoreError>>;

/// The way to the writer.
#[derive(Clone)]
pub struct Writer {
    requests: mpsc::Sender<WriterRequest>,
}

impl Writer {
    /// Starts the writer's task on the current runtime; it ends with the last `Writer`.
    pub fn start(path: PathBuf, blocking: Blocking) -> Self {
        let (requests, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(WriterTask { path, blocking, idle: None }.run(waiting));
        Self { requests }
    }

    /// Waits for a turn.
    pub async fn begin(&self) -> Result<Lease, StoreError> {
        let gone = || StoreError::Backend("the writer has ended with its runtime".to_owned());
        let (request, lent) = oneshot::channel();
        self.requests.send(request).await.map_err(|_| gone())?;
        lent.await.map_err(|_| gone())?
    }
}

/// The connection, lent to one transaction.
pub struct Lease {
    lent: Option<Lent>,
}

struct Lent {
    conn: Conn,
    back: oneshot::Sender<ReturnedConn>,
}

/// The connection, given back.
struct ReturnedConn {
    conn: Conn,
    /// Who is to be notified of the commit; `None`: to be rolled back.
    commit: Option<WriterAnswer>,
}

impl Lease {
    /// The connection, while it is lent.
    pub fn conn(&mut self) -> Option<&mut Conn> {
        self.lent.as_mut().map(|lent| &mut lent.conn)
    }

    /// Gives the connection back and waits until what was written is durable. Cancelled while it waits, the transaction is
    /// committed all the same.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        let lost = || StoreError::Backend("the writer ended before it could commit".to_owned());
        let Lent { conn, back } = self.lent.take().ok_or_else(lost)?;
        let (commit, committed) = oneshot::channel();
        back.send(ReturnedConn { conn, commit: Some(commit) }).map_err(|_| lost())?;
        committed.await.map_err(|_| lost())?
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(Lent { conn, back }) = self.lent.take() {
            // Refused only when the writer's task is gone, and then the connection goes too.
            drop(back.send(ReturnedConn { conn, commit: None }));
        }
    }
}

struct WriterTask {
    path: PathBuf,
    blocking: Blocking,
    /// The connection between two groups, with no transaction open.
    idle: Option<(Conn, Calls)>,
}

impl WriterTask {
    async fn run(mut self, mut waiting: mpsc::Receiver<WriterRequest>) {
        while let Some(first) = waiting.recv().await {
            match self.open().await {
                Ok((conn, calls)) => self.group(conn, calls, first, &mut waiting).await,
                Err(error) => drop(first.send(Err(error))),
            }
        }
    }

    /// The connection, inside a transaction that holds the write lock.
    async fn open(&mut self) -> Result<(Conn, Calls), StoreError> {
        let (mut conn, calls) = if let Some(idle) = self.idle.take() {
            idle
        } else {
            let calls = Calls::new(self.blocking);
            (super::open(&self.path, calls.clone(), false).await?, calls)
        };
        if let Err(error) = conn.batch_execute("BEGIN IMMEDIATE").await {
            self.idle = Some((conn, calls));
            return Err(error.into());
        }
        Ok((conn, calls))
    }

    /// Lends the connection until the group is full or nobody waits, then commits for all.
    async fn group(
        &mut self,
        conn: Conn,
        calls: Calls,
        first: WriterRequest,
        waiting: &mut mpsc::Receiver<WriterRequest>,
    ) {
        let mut members = Vec::new();
        let mut conn = conn;
        let mut next = Some(first);
        while let Some(request) = next {
            conn = match lend(conn, &calls, request, &mut members).await {
                Ok(conn) => conn,
                Err(error) => return answer_all(members, &Err(error)),
            };
            next = if members.len() < GROUP_MAX { waiting.try_recv().ok() } else { None };
        }
        let end = if members.is_empty() { "ROLLBACK" } else { "COMMIT" };
        let ended = conn.batch_execute(end).await.map_err(StoreError::from);
        if ended.is_ok() {
            self.idle = Some((conn, calls));
        }
        answer_all(members, &ended);
    }
}

fn answer_all(members: Vec<WriterAnswer>, outcome: &Result<(), StoreError>) {
    for member in members {
        // A member that no longer listens was cancelled while it waited; it is committed like the others.
        drop(member.send(outcome.clone()));
    }
}

/// Lends the connection to one transaction and takes it back; one that commits joins `members`. An error means that the whole
/// group is lost and with it the connection, whose closing rolls back what the group had written.
async fn lend(
    mut conn: Conn,
    calls: &Calls,
    request: WriterRequest,
    members: &mut Vec<WriterAnswer>,
) -> Result<Conn, StoreError> {
    if request.is_closed() {
        return Ok(conn);
    }
    if let Err(error) = conn.batch_execute("SAVEPOINT member").await {
        drop(request.send(Err(error.into())));
        return Err(StoreError::Busy);
    }
    let (back, returned) = oneshot::channel();
    // A lease that nobody takes is dropped, and so comes back like any other that is dropped.
    drop(request.send(Ok(Lease { lent: Some(Lent { conn, back }) })));
    let Ok(ReturnedConn { mut conn, commit }) = returned.await else {
        return Err(StoreError::Busy);
    };
    calls.ended().await;
    let Some(answer) = commit else {
        let undone = conn.batch_execute("ROLLBACK TO member; RELEASE member").await;
        return undone.map(|()| conn).map_err(|_| StoreError::Busy);
    };
    match conn.batch_execute("RELEASE member").await {
        Ok(()) => {
            members.push(answer);
            Ok(conn)
        }
        Err(error) => {
            drop(answer.send(Err(error.into())));
            Err(StoreError::Busy)
        }
    }
}
