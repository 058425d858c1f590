//! Bringing the tables to the form this program knows.
//!
//! Twin folders are embedded: same numbers, same names, one per database. Any number of processes may migrate at once; one does
//! it, the others wait and find nothing left to do.

use std::collections::BTreeSet;

use diesel::{
    Connection, SqliteConnection, backend::Backend, connection::SimpleConnection as _, migration::MigrationSource,
    pg::Pg, sqlite::Sqlite,
};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    DatabaseTarget, StoreConfig,
    error::StoreError,
    lock,
    postgres::tls::Server,
    schema_state::{self, SchemaState},
};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The advisory lock that is held while migrating: "calwarde" read as a number.
const ADVISORY_KEY: i64 = 0x6361_6c77_6172_6465;

/// Runs what is pending and returns the names of what ran, oldest first.
pub async fn migrate(config: &StoreConfig) -> Result<Vec<String>, StoreError> {
    match config.target() {
        DatabaseTarget::Postgres(url) => {
            SchemaState::of(&schema_state::of_postgres(&url).await?, &known(false)?).not_ahead()?;
            let mut conn = Server::parse(&url)?.connect().await?;
            // Session locks are the connection's: they end with it, however this goes.
            conn.batch_execute(&format!("SELECT pg_advisory_lock({ADVISORY_KEY})")).await?;
            // Not `AsyncMigrationHarness`: it uses `block_in_place`, which panics on actix's runtimes.
            off_the_runtime(move || run(&mut AsyncConnectionWrapper::<AsyncPgConnection>::from(conn), POSTGRES)).await
        }
        DatabaseTarget::Sqlite(path) => {
            let data_dir = config.data_dir.clone();
            off_the_runtime(move || {
                lock::prepare(&data_dir, &path)?;
                let held = lock::wait(&lock::beside(&path, ".migrate"))?;
                SchemaState::of(&schema_state::of_sqlite(&path)?, &known(true)?).not_ahead()?;
                let mut conn = SqliteConnection::establish(&path.display().to_string())?;
                // A server may be writing, or somebody may look: wait for them, as every other connection does. The file remembers
                // the write-ahead log. It is switched to under the lock: of two that switch at once SQLite refuses one, without waiting.
                let wait = super::sqlite::BUSY_TIMEOUT_MS;
                conn.batch_execute(&format!("PRAGMA busy_timeout = {wait}; PRAGMA journal_mode = WAL;"))?;
                let ran = run(&mut conn, SQLITE);
                drop(held);
                ran
            })
            .await
        }
    }
}

/// The versions of the migrations that this program has.
pub(super) fn known(sqlite: bool) -> Result<BTreeSet<String>, StoreError> {
    if sqlite { versions::<Sqlite>(&SQLITE) } else { versions::<Pg>(&POSTGRES) }
}

fn versions<DB: Backend>(migrations: &EmbeddedMigrations) -> Result<BTreeSet<String>, StoreError> {
    let all = MigrationSource::<DB>::migrations(migrations).map_err(|error| StoreError::Backend(error.to_string()))?;
    Ok(all.iter().map(|migration| migration.name().version().to_string()).collect())
}

fn run<C, DB>(conn: &mut C, migrations: EmbeddedMigrations) -> Result<Vec<String>, StoreError>
where
    DB: Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let ran = conn.run_pending_migrations(migrations).map_err(|error| StoreError::Backend(error.to_string()))?;
    Ok(ran.iter().map(ToString::to_string).collect())
}

async fn off_the_runtime(
    work: impl FnOnce() -> Result<Vec<String>, StoreError> + Send + 'static,
) -> Result<Vec<String>, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Backend(error.to_string()))?
}
