//! A SQLite database as a person with `sqlite3` would open it, while the service may be using it.

use std::path::Path;

use diesel::{
    Connection as _, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _, sql_query,
    sql_types::Integer,
};

/// A connection that waits for whoever is writing.
pub fn open(path: &Path) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(&path.display().to_string()).expect("a database");
    conn.batch_execute("PRAGMA busy_timeout = 10000").expect("a setting");
    conn
}

/// What a checkpoint answers.
#[derive(diesel::QueryableByName)]
struct Checkpoint {
    /// 1 where somebody's reading or writing kept the log.
    #[diesel(sql_type = Integer)]
    busy: i32,
}

/// Brings everything from the write-ahead log into the database, and cuts the log to nothing.
pub fn empty_log(path: &Path) {
    let answer: Checkpoint =
        sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(&mut open(path)).expect("a checkpoint");
    assert_eq!(answer.busy, 0, "the log is in use");
}
