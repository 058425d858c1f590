//! What can go wrong between us and the database, in the classes that callers branch on.

use diesel::result::{DatabaseErrorKind, Error as Diesel};

/// Why the store did not do it. Nothing was written in any case but [`StoreError::Backend`] from a commit, where the
/// connection was lost before its answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// What the row belongs to is not there (any more): its account, calendar, event, user or space.
    #[error("what this belongs to does not exist")]
    NotFound,
    /// Another row already has this identity.
    #[error("this already exists")]
    Stale,
    /// Someone else holds the database or the row; the same transaction may succeed when tried again.
    #[error("the database is busy, try again")]
    Busy,
    /// A stored value is not one that we write; names the column, never the value.
    #[error("the database holds a value that cannot be read: {0}")]
    Corrupt(String),
    /// Anything else that the database or the way to it reports.
    #[error("the database failed: {0}")]
    Backend(String),
}

impl From<Diesel> for StoreError {
    fn from(error: Diesel) -> Self {
        match error {
            Diesel::NotFound | Diesel::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => Self::NotFound,
            Diesel::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Stale,
            Diesel::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Self::Busy,
            // The message alone: PostgreSQL's detail line quotes the row.
            Diesel::DatabaseError(_, about) if is_busy(about.message()) => Self::Busy,
            Diesel::DatabaseError(_, about) => Self::Backend(about.message().to_owned()),
            Diesel::DeserializationError(why) => Self::Corrupt(why.to_string()),
            other => Self::Backend(other.to_string()),
        }
    }
}

/// Lock waits that ran out have no error kind of their own, only these texts (SQLite; PostgreSQL 40P01, 55P03, 57014).
fn is_busy(message: &str) -> bool {
    ["database is locked", "deadlock detected", "due to lock timeout", "due to statement timeout"]
        .iter()
        .any(|text| message.contains(text))
}

impl From<diesel::ConnectionError> for StoreError {
    fn from(error: diesel::ConnectionError) -> Self {
        Self::Backend(error.to_string())
    }
}
