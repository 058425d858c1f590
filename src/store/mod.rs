//! The store remembers: every table, behind methods that say what is meant, on SQLite or PostgreSQL.
//!
//! A [`Tx`] is a transaction as a value: [`Store::begin`] with a [`Mode`] and a [`Scope`], queries as its methods, then
//! [`Tx::commit`]. Dropped without a commit it never happened, at whatever point the future around it was cancelled.
//!
//! **Invariant:** one query text for both databases (`queries/`), compiled once for each.
//! **Invariant:** a committed transaction is durable; a group of them on SQLite shares one physical commit.
//! **Invariant:** people's queries filter by [`Scope`]; on PostgreSQL row-level security is the second wall.

#[macro_use]
mod phrases;
mod error;
mod lock;
mod migrate;
mod planning_tables;
mod postgres;
mod records;
mod rows;
mod schema;
mod schema_state;
mod sqlite;
mod tx;
mod types;

use std::{path::PathBuf, sync::Arc};

use chrono::{DateTime, Utc};
use diesel_async::pooled_connection::deadpool::Pool;

pub use self::{
    error::StoreError,
    lock::InstanceLock,
    migrate::migrate,
    records::{BusyRead, ConflictFilter, Counts, EventFilter, EventSpan, IdempotencyRow},
    schema_state::{SchemaState, back_up, schema_state},
    tx::{Tx, UnitOfWork},
};
use crate::domain::{
    changed::{ChangePlace, Changed},
    ids::UserId,
    person::Scope,
};

/// Where SQLite's blocking calls run. PostgreSQL has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// On tokio's blocking pool: production.
    Pool,
    /// Right where the query is awaited: simulation, where one thread makes a run repeatable.
    Inline,
}

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Look: several at once.
    Read,
    /// Look and change: on SQLite one at a time, in the order they came.
    Write,
}

/// Where the database is.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `postgres://…`, or the path of a SQLite file; `None`: `calwarden.db` in `data_dir`.
    pub url: Option<String>,
    /// Our own folder: lock files, and the database file unless `url` says otherwise.
    pub data_dir: PathBuf,
    /// Reading connections on SQLite; all connections on PostgreSQL. At least one.
    pub readers: usize,
    /// Where SQLite's blocking calls run.
    pub blocking: Blocking,
}

/// The two kinds of database.
pub(crate) enum DatabaseTarget {
    Sqlite(PathBuf),
    Postgres(String),
}

impl StoreConfig {
    /// What to say of a connection that is plain text over a network although nobody asked for that.
    #[must_use]
    pub fn unencrypted(&self) -> Option<String> {
        match self.target() {
            DatabaseTarget::Postgres(url) => postgres::tls::unencrypted(&url),
            DatabaseTarget::Sqlite(_) => None,
        }
    }

    pub(crate) fn target(&self) -> DatabaseTarget {
        match self.url.as_deref() {
            None => DatabaseTarget::Sqlite(self.data_dir.join("calwarden.db")),
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                DatabaseTarget::Postgres(url.to_owned())
            }
            Some(path) => DatabaseTarget::Sqlite(path.strip_prefix("sqlite://").unwrap_or(path).into()),
        }
    }
}

/// The database, open. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    blocking: Blocking,
    /// What the transactions are parts of; `None`: each is whole by itself.
    unit: Option<UnitOfWork>,
}

#[derive(Clone)]
enum Backend {
    Sqlite { path: PathBuf, writer: sqlite::writer::Writer, readers: Pool<sqlite::Conn> },
    Postgres(Arc<postgres::PostgresDatabase>),
}

impl Store {
    /// Opens the database, whose tables [`migrate()`] has brought up to date. On SQLite a task is started on the current runtime
    /// and ends with the last clone.
    pub async fn open(config: StoreConfig) -> Result<Self, StoreError> {
        let backend = match config.target() {
            DatabaseTarget::Sqlite(path) => {
                lock::prepare(&config.data_dir, &path)?;
                let readers = sqlite::readers(&path, config.blocking, config.readers)?;
                let writer = sqlite::writer::Writer::start(path.clone(), config.blocking);
                Backend::Sqlite { path, writer, readers }
            }
            DatabaseTarget::Postgres(url) => {
                Backend::Postgres(Arc::new(postgres::PostgresDatabase::open(&url, config.readers).await?))
            }
        };
        Ok(Self { backend, blocking: config.blocking, unit: None })
    }

    /// Where blocking calls run.
    #[must_use]
    pub fn blocking(&self) -> Blocking {
        self.blocking
    }

    /// The same database, where all that is written becomes durable at once, when the unit of work is committed.
    #[must_use]
    pub fn within(&self, unit: &UnitOfWork) -> Self {
        Self { unit: Some(unit.clone()), ..self.clone() }
    }

    /// Begins a transaction that sees the spaces of `scope` and no others.
    pub async fn begin(&self, mode: Mode, scope: &Scope) -> Result<Tx, StoreError> {
        let Some(unit) = &self.unit else { return self.begin_apart(mode, scope).await };
        if let Some(mut going_on) = unit.borrow(mode)? {
            going_on.see(scope).await?;
            return Ok(going_on);
        }
        let tx = self.begin_apart(mode, scope).await?;
        Ok(if mode == Mode::Write { tx.into_part(unit.first()) } else { tx })
    }

    async fn begin_apart(&self, mode: Mode, scope: &Scope) -> Result<Tx, StoreError> {
        Ok(match (&self.backend, mode) {
            (Backend::Sqlite { writer, .. }, Mode::Write) => Tx::writing(writer.begin().await?),
            (Backend::Sqlite { readers, .. }, Mode::Read) => Tx::reading(sqlite::begin_reading(readers).await?),
            (Backend::Postgres(database), _) => Tx::postgres(database.begin(mode, scope).await?),
        })
    }

    /// What changed after a place, of one person or of all, in its order. Nothing ever comes before what was read.
    pub async fn changes(
        &self,
        scope: &Scope,
        user: Option<&UserId>,
        after: ChangePlace,
        limit: u32,
    ) -> Result<Vec<Changed>, StoreError> {
        let until = match &self.backend {
            // One transaction writes at a time: what is seen is complete.
            Backend::Sqlite { .. } => i64::MAX,
            Backend::Postgres(database) => database.settled().await?,
        };
        let mut tx = self.begin_apart(Mode::Read, scope).await?;
        let changed = tx.changes(scope, user, after, ChangePlace(until), limit).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Takes the right to be the one service on this database; [`StoreError::Busy`] when another process has it. The command
    /// line's short writes need no such right.
    pub async fn lock_instance(&self) -> Result<InstanceLock, StoreError> {
        match &self.backend {
            Backend::Sqlite { path, .. } => InstanceLock::of_file(path),
            Backend::Postgres(database) => Ok(InstanceLock::session(database.take_lock().await?)),
        }
    }

    /// Whether there is room for what is to be written. A database server knows of its own disk.
    pub async fn has_room(&self) -> Result<(), StoreError> {
        match (&self.backend, self.blocking) {
            (Backend::Postgres(_), _) => Ok(()),
            (Backend::Sqlite { path, .. }, Blocking::Inline) => lock::has_room(path),
            (Backend::Sqlite { path, .. }, Blocking::Pool) => {
                let path = path.clone();
                let probed = tokio::task::spawn_blocking(move || lock::has_room(&path)).await;
                probed.map_err(|why| StoreError::Backend(why.to_string()))?
            }
        }
    }

    /// Writes one row that means nothing: a proof that the database takes writes.
    pub async fn pulse(&self, at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut tx = self.begin(Mode::Write, &Scope::Whole).await?;
        tx.pulse(at).await?;
        tx.commit().await
    }

    /// Refuses while the right to be the one service, once taken, is not held.
    pub fn is_ours(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite { .. } => Ok(()),
            Backend::Postgres(database) => database.is_ours(),
        }
    }
}
