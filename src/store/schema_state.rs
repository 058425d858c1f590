//! Which version's form a database has, found out without changing it; and its backup.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _, sql_query,
    sql_types::Text,
};

use super::{DatabaseTarget, StoreConfig, StoreError, migrate::known, postgres::tls::Server};

/// The form of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// There is no database yet.
    Missing,
    /// That of this program.
    Current,
    /// An older one: so many migrations are to come.
    Behind(usize),
    /// That of a newer program: this migration of it is not known here.
    Ahead(String),
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

const APPLIED: &str = "SELECT version FROM __diesel_schema_migrations";
const IS_SQLITE_NEW: &str = "SELECT name AS version FROM sqlite_master WHERE name = '__diesel_schema_migrations'";

impl SchemaState {
    /// Of a database with these migrations, where those are known.
    pub(super) fn of(applied: &[String], known: &BTreeSet<String>) -> Self {
        match applied.iter().filter(|version| !known.contains(*version)).max() {
            Some(unknown) => Self::Ahead(unknown.clone()),
            None if applied.len() >= known.len() => Self::Current,
            None => Self::Behind(known.len() - applied.len()),
        }
    }

    /// Refuses what a newer program wrote: this one would not understand it, and could spoil it.
    pub(super) fn not_ahead(&self) -> Result<(), StoreError> {
        match self {
            Self::Ahead(version) => Err(StoreError::Backend(format!(
                "a newer calwarden has changed the database (migration {version}): run that version, or go back to the backup \
                 from before the update"
            ))),
            _ => Ok(()),
        }
    }
}

/// The form of a database. Nothing is made and nothing is changed.
pub async fn schema_state(config: &StoreConfig) -> Result<SchemaState, StoreError> {
    let (applied, known) = match config.target() {
        DatabaseTarget::Postgres(url) => (of_postgres(&url).await?, known(false)?),
        DatabaseTarget::Sqlite(path) if !path.exists() => return Ok(SchemaState::Missing),
        DatabaseTarget::Sqlite(path) => {
            let read = tokio::task::spawn_blocking(move || of_sqlite(&path));
            (read.await.map_err(|why| StoreError::Backend(why.to_string()))??, known(true)?)
        }
    };
    Ok(SchemaState::of(&applied, &known))
}

/// A connection to a file that a server may be starting on: it waits for it, as every other connection does.
fn patient(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut conn = SqliteConnection::establish(&path.display().to_string())?;
    conn.batch_execute(&format!("PRAGMA busy_timeout = {};", super::sqlite::BUSY_TIMEOUT_MS))?;
    Ok(conn)
}

/// The migrations of a SQLite database.
pub(super) fn of_sqlite(path: &Path) -> Result<Vec<String>, StoreError> {
    let mut conn = patient(path)?;
    if sql_query(IS_SQLITE_NEW).load::<Applied>(&mut conn)?.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sql_query(APPLIED).load::<Applied>(&mut conn)?.into_iter().map(|row| row.version).collect())
}

/// The migrations of a PostgreSQL database.
pub(super) async fn of_postgres(url: &str) -> Result<Vec<String>, StoreError> {
    let (client, driver) = Server::parse(url)?.session().await?;
    let failed = |error: tokio_postgres::Error| StoreError::Backend(error.to_string());
    let there = client.query_one("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL", &[]).await;
    let applied = if there.map_err(failed)?.try_get::<_, bool>(0).map_err(failed)? {
        client.query(APPLIED, &[]).await.map_err(failed)?
    } else {
        Vec::new()
    };
    driver.abort();
    applied.iter().map(|row| row.try_get(0).map_err(failed)).collect()
}

/// Writes a copy of a SQLite database to a new file, while others read and write it. PostgreSQL has tools of its own.
pub async fn back_up(config: &StoreConfig, to: PathBuf) -> Result<(), StoreError> {
    let failed = |why: String| StoreError::Backend(why);
    let DatabaseTarget::Sqlite(path) = config.target() else {
        return Err(failed("the database is on PostgreSQL: use pg_dump".to_owned()));
    };
    if !path.exists() {
        return Err(failed(format!("there is no database at {}", path.display())));
    }
    let copied = tokio::task::spawn_blocking(move || -> Result<(), StoreError> {
        // SQLite writes into an empty file, which is made here for its owner alone.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to);
        made.map_err(|why| match why.kind() {
            ErrorKind::AlreadyExists => failed(format!("{} exists already: name a new file", to.display())),
            _ => failed(format!("{}: {why}", to.display())),
        })?;
        let mut conn = patient(&path)?;
        sql_query("VACUUM INTO ?").bind::<Text, _>(to.display().to_string()).execute(&mut conn)?;
        Ok(())
    });
    copied.await.map_err(|why| failed(why.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_program_wrote_is_distinguished_from_what_is_older() {
        let known: BTreeSet<String> = ["1", "2", "3"].map(str::to_owned).into();
        let of = |applied: &[&str]| {
            let applied: Vec<String> = applied.iter().map(|version| (*version).to_owned()).collect();
            SchemaState::of(&applied, &known)
        };
        assert_eq!(of(&["1", "2", "3"]), SchemaState::Current);
        assert_eq!(of(&["1"]), SchemaState::Behind(2));
        assert_eq!(of(&[]), SchemaState::Behind(3));
        assert_eq!(of(&["1", "2", "3", "4"]), SchemaState::Ahead("4".to_owned()));
        assert!(of(&["1", "4"]).not_ahead().is_err_and(|why| why.to_string().contains("newer")));
    }
}
