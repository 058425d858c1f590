//! A SQLite database as a person with `sqlite3` would open it, while the service may be using it.

use std::path::Path;

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};

/// A connection that waits for whoever is writing.
pub fn open(path: &Path) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(&path.display().to_string()).expect("a database");
    conn.batch_execute("PRAGMA busy_timeout = 10000").expect("a setting");
    conn
}
