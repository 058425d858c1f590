//! PostgreSQL over tokio-postgres.
//!
//! Every transaction is `REPEATABLE READ`: one picture of the database, as on SQLite. Where two change the same row, the later
//! one gets [`StoreError::Busy`] instead of silently undoing the earlier.

pub mod alone;
pub mod tls;

use std::{sync::Arc, time::Duration};

/// A connection to PostgreSQL.
pub use diesel_async::AsyncPgConnection as Conn;
use diesel_async::{
    SimpleAsyncConnection,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{Object, Pool},
    },
};

use tokio::sync::watch;

use self::{
    alone::{Exclusivity, Keeper},
    tls::Server,
};
use super::{Mode, error::StoreError};
use crate::domain::person::Scope;

/// A pooled connection.
pub type Pooled = Object<Conn>;

/// Writes many rows in one statement.
macro_rules! batch {
    ($conn:expr, $rows:ident => $statement:expr) => {
        diesel_async::RunQueryDsl::execute($statement, $conn).await
    };
}

#[path = "../queries/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "one text, compiled once per backend")]
pub mod queries;

/// How long a transaction waits for a connection.
const CONNECTION_WAIT: Duration = Duration::from_secs(30);

/// Limits on the server's side, for what we cancelled or lost sight of.
const SESSION: &str = "SET application_name = 'calwarden';
    SET statement_timeout = '60s';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '120s'";

/// A server, and whether transactions there give up their rights for those of `calwarden_app`.
pub struct PostgresDatabase {
    server: Server,
    pool: Pool<Conn>,
    app_role: bool,
    exclusivity: Arc<watch::Sender<Exclusivity>>,
}

impl PostgresDatabase {
    /// Connects once, so that a wrong address shows at the start.
    pub async fn open(url: &str, size: usize) -> Result<Self, StoreError> {
        let server = Server::parse(url)?;
        let app_role = has_app_role(&mut server.connect().await?).await?;
        let mut config = ManagerConfig::<Conn>::default();
        config.recycling_method = RecyclingMethod::Fast;
        let to = server.clone();
        config.custom_setup = Box::new(move |_| {
            let to = to.clone();
            Box::pin(async move {
                let mut conn = to.connect().await.map_err(|e| diesel::ConnectionError::BadConnection(e.to_string()))?;
                conn.batch_execute(SESSION).await.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
                Ok(conn)
            })
        });
        let manager = AsyncDieselConnectionManager::<Conn>::new_with_config("", config);
        let pool = Pool::builder(manager).max_size(size.max(1)).build();
        let pool = pool.map_err(|error| StoreError::Backend(error.to_string()))?;
        Ok(Self { server, pool, app_role, exclusivity: Arc::new(watch::Sender::new(Exclusivity::Held)) })
    }

    /// Takes the right to be the one service, and keeps watch over it.
    pub async fn take_lock(&self) -> Result<Keeper, StoreError> {
        Keeper::take(self.server.clone(), Arc::clone(&self.exclusivity)).await
    }

    /// Refuses while the right to be the one service is not held, once it was taken.
    pub fn is_ours(&self) -> Result<(), StoreError> {
        match *self.exclusivity.borrow() {
            Exclusivity::Held => Ok(()),
            Exclusivity::Interrupted => Err(StoreError::Backend("the service's lock is being taken again".to_owned())),
            Exclusivity::Taken => Err(StoreError::Backend("another calwarden serves this database".to_owned())),
        }
    }

    /// The last change of which it is known that no other one will come before it: those of transactions that are still open may.
    pub async fn settled(&self) -> Result<i64, StoreError> {
        use diesel::{dsl::sql, sql_types::BigInt};
        let mut pooled = self.connection().await?;
        let settled = diesel::select(sql::<BigInt>("calwarden_settled()"));
        Ok(diesel_async::RunQueryDsl::get_result(settled, &mut *pooled).await?)
    }

    async fn connection(&self) -> Result<Pooled, StoreError> {
        let pooled = tokio::time::timeout(CONNECTION_WAIT, self.pool.get()).await.map_err(|_| StoreError::Busy)?;
        pooled.map_err(|error| StoreError::Backend(error.to_string()))
    }

    /// Begins a transaction that sees the spaces of `scope`.
    pub async fn begin(&self, mode: Mode, scope: &Scope) -> Result<Pooled, StoreError> {
        self.is_ours()?;
        let mut pooled = self.connection().await?;
        if let Err(error) = pooled.batch_execute(&self.opening(mode, scope)).await {
            drop(Object::take(pooled));
            return Err(error.into());
        }
        // It may have been lost while this waited for a connection.
        self.is_ours()?;
        Ok(pooled)
    }

    /// The statements that begin a transaction, sent as one.
    fn opening(&self, mode: Mode, scope: &Scope) -> String {
        let access = match mode {
            Mode::Read => "READ ONLY",
            Mode::Write => "READ WRITE",
        };
        let role = if self.app_role { "SET LOCAL ROLE calwarden_app;" } else { "" };
        format!("BEGIN ISOLATION LEVEL REPEATABLE READ {access}; {role} {}", seen(scope))
    }
}

/// The statements that let an open transaction see the spaces of `scope` and no others.
pub fn seen(scope: &Scope) -> String {
    let (whole, spaces) = match scope {
        Scope::Whole => ("on", String::new()),
        Scope::Spaces(spaces) => {
            // A space's id holds neither quote nor comma: its type refuses them.
            let list: Vec<_> = spaces.iter().map(crate::domain::ids::SpaceId::as_str).collect();
            ("off", list.join(","))
        }
    };
    format!("SET LOCAL app.whole = '{whole}'; SET LOCAL app.spaces = '{spaces}'")
}

/// Whether the migrations could make the role and give it to us.
async fn has_app_role(conn: &mut Conn) -> Result<bool, StoreError> {
    use diesel::{dsl::sql, sql_types::Bool};
    // From PostgreSQL 16 on, not every member may become a role.
    let given = "EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'calwarden_app' AND pg_has_role(current_user, oid,
                 CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END))";
    Ok(diesel_async::RunQueryDsl::get_result(diesel::select(sql::<Bool>(given)), conn).await?)
}
