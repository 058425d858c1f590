//! What the store promises, asked of every database it runs on: SQLite with its calls on the blocking pool, SQLite inline as
//! in simulation, and PostgreSQL.

mod accounts;
mod calendars;
mod changes;
mod events;
mod given;
mod history;
mod keys;
mod mappings;
mod migrations;
mod one_service;
mod outbox;
mod people;
mod planning;
mod planning_scopes;
mod postgres_walls;
mod scopes;
mod transactions;
mod units;

use calwarden::{
    domain::person::Scope,
    store::{Blocking, Mode, Store, StoreConfig, Tx, migrate},
};
use diesel::connection::SimpleConnection as _;
use tempfile::TempDir;

use crate::support::{postgres, sqlite};

/// A database of one test's own.
struct Base {
    store: Store,
    config: StoreConfig,
    _folder: TempDir,
}

impl Base {
    async fn sqlite() -> Self {
        Self::open(None, Blocking::Pool).await
    }

    async fn inline() -> Self {
        Self::open(None, Blocking::Inline).await
    }

    async fn postgres() -> Self {
        Self::open(Some(postgres::fresh_database().await), Blocking::Pool).await
    }

    async fn open(url: Option<String>, blocking: Blocking) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let config = StoreConfig { url, data_dir: folder.path().join("data"), readers: 4, blocking };
        migrate(&config).await.expect("migrated");
        let store = Store::open(config.clone()).await.expect("open");
        Self { store, config, _folder: folder }
    }

    /// The database file, if it is one.
    fn database(&self) -> Option<std::path::PathBuf> {
        self.config.url.is_none().then(|| self.config.data_dir.join("calwarden.db"))
    }

    fn is_postgres(&self) -> bool {
        self.config.url.is_some()
    }

    /// Runs statements past the store, as one transaction.
    async fn execute(&self, statements: &str) {
        let whole = format!("BEGIN; {statements}; COMMIT;");
        match &self.config.url {
            Some(url) => postgres::execute(url, &whole).await,
            None => sqlite::open(&self.database().expect("a file")).batch_execute(&whole).expect(statements),
        }
    }

    async fn write(&self) -> Tx {
        self.store.begin(Mode::Write, &Scope::Whole).await.expect("begun")
    }

    async fn read(&self) -> Tx {
        self.store.begin(Mode::Read, &Scope::Whole).await.expect("begun")
    }
}

/// Runs each of these on every database.
macro_rules! on_every_database {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise(super::Base::sqlite().await).await;
            })+
        }
        mod inline {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(super::Base::inline().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise(super::Base::postgres().await).await;
            })+
        }
    };
}
use on_every_database;
