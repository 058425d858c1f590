//! SQLite: one file, one writer that many transactions share, several readers.
//!
//! **Invariant:** `synchronous=FULL` — what was acknowledged survives a power cut; speed comes from sharing the commit
//! ([`writer`]), not from promising less.

pub mod blocking;
pub mod writer;

use std::path::Path;

use diesel::SqliteConnection;
use diesel_async::{
    SimpleAsyncConnection,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{Object, Pool},
    },
    sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper},
};

use self::blocking::Calls;
use super::{Blocking, error::StoreError};

/// A connection to SQLite whose calls run where [`Blocking`] says.
pub type Conn = SyncConnectionWrapper<SqliteConnection, Calls>;

/// A pooled connection that only reads.
pub type ReadConn = Object<Conn>;

/// Writes many rows in one statement. diesel-async cannot run such an insert on SQLite itself (diesel-async issue 277), so
/// synchronous diesel does, on the connection's own thread.
macro_rules! batch {
    ($conn:expr, $rows:ident => $statement:expr) => {
        $conn.spawn_blocking(move |conn| diesel::RunQueryDsl::execute($statement, conn)).await
    };
}

#[path = "../queries/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "one text, compiled once per backend")]
pub mod queries;

/// How long a statement waits for another process (`calwarden api-key create`) to let go of the file, in milliseconds.
pub(super) const BUSY_TIMEOUT_MS: u32 = 5_000;

/// Opens a connection. A reader cannot write, whatever it is asked. The file itself says that it has a write-ahead log:
/// [`super::migrate()`] has switched it.
async fn open(path: &Path, mut calls: Calls, reader: bool) -> diesel::ConnectionResult<Conn> {
    let url = path.display().to_string();
    let opened = calls.spawn_blocking(move || <SqliteConnection as diesel::Connection>::establish(&url)).await;
    let opened = opened.map_err(|error| diesel::ConnectionError::BadConnection(error.to_string()))??;
    let mut conn = Conn::with_runtime(opened, calls);
    let query_only = if reader { "ON" } else { "OFF" };
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = {BUSY_TIMEOUT_MS};
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -16000;
         PRAGMA query_only = {query_only};"
    ))
    .await
    .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// The pool of readers.
pub fn readers(path: &Path, blocking: Blocking, size: usize) -> Result<Pool<Conn>, StoreError> {
    let mut config = ManagerConfig::<Conn>::default();
    config.recycling_method = RecyclingMethod::Fast;
    let file = path.to_owned();
    config.custom_setup = Box::new(move |_| {
        let file = file.clone();
        Box::pin(async move { open(&file, Calls::new(blocking), true).await })
    });
    let manager = AsyncDieselConnectionManager::<Conn>::new_with_config(path.display().to_string(), config);
    Pool::builder(manager).max_size(size.max(1)).build().map_err(|error| StoreError::Backend(error.to_string()))
}

/// Begins a reading transaction: one picture of the database until it ends.
pub async fn begin_reading(pool: &Pool<Conn>) -> Result<ReadConn, StoreError> {
    let mut reader = pool.get().await.map_err(|error| StoreError::Backend(error.to_string()))?;
    if let Err(error) = reader.batch_execute("BEGIN").await {
        drop(Object::take(reader));
        return Err(error.into());
    }
    Ok(reader)
}
