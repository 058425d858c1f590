//! Locks between processes: one service per database, one migration at a time.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    path::Path,
};

use diesel_async::AsyncPgConnection;

use super::error::StoreError;

/// The right to be the one service on this database, held until dropped or until the process ends.
///
/// On PostgreSQL it lasts as long as its connection: a restart of the server frees it.
pub struct InstanceLock {
    _held: Held,
}

pub(super) enum Held {
    File { _lock: File },
    Session { _conn: Box<AsyncPgConnection> },
}

impl From<Held> for InstanceLock {
    fn from(held: Held) -> Self {
        Self { _held: held }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Backend(format!("{}: {error}", path.display()))
}

/// Makes the folders of the data and of the database, for nobody else to look into.
pub(super) fn prepare(data_dir: &Path, database: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    for folder in [Some(data_dir), database.parent()].into_iter().flatten() {
        if !folder.as_os_str().is_empty() {
            builder.create(folder).map_err(|error| failed(folder, &error))?;
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(|error| failed(path, &error))
}

/// Waits for a lock file; blocks.
pub(super) fn wait(path: &Path) -> Result<File, StoreError> {
    let file = open(path)?;
    file.lock().map_err(|error| failed(path, &error))?;
    Ok(file)
}

/// Takes a lock file, or is [`StoreError::Busy`].
pub(super) fn take(path: &Path) -> Result<File, StoreError> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy),
        Err(TryLockError::Error(error)) => Err(failed(path, &error)),
    }
}
