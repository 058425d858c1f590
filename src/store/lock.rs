//! Locks between processes: one service per database, one migration at a time.
//!
//! On SQLite the lock is on the database file itself: whatever data directory, link or path leads there, and whatever other file
//! is removed. On PostgreSQL it is a session's, and [`super::postgres::alone`] watches that session.

use std::{
    ffi::OsString,
    fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::{error::StoreError, postgres::alone::Keeper};

/// Read and written by its owner alone.
const PRIVATE: u32 = 0o600;
/// Bytes for which there must be room: some transactions.
const ROOM_BYTES: usize = 256 * 1024;

/// The right to be the one service on this database, held until dropped or until the process ends.
///
/// On PostgreSQL it may be lost with its connection; until it is held again no transaction begins.
pub struct InstanceLock(LockKind);

enum LockKind {
    File(Option<File>),
    Session(Keeper),
}

impl InstanceLock {
    pub(super) fn session(keeper: Keeper) -> Self {
        Self(LockKind::Session(keeper))
    }

    /// Takes the lock of a SQLite database, or is [`StoreError::Busy`].
    pub(super) fn of_file(database: &Path) -> Result<Self, StoreError> {
        let file = File::open(database).map_err(|error| failed(database, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(LockKind::File(Some(file)))),
            Err(refused) => {
                keep_open(file);
                match refused {
                    TryLockError::WouldBlock => Err(StoreError::Busy),
                    TryLockError::Error(error) => Err(failed(database, &error)),
                }
            }
        }
    }

    /// Waits until another process has taken the right. What is being done must stop then.
    pub async fn lost(&self) {
        match &self.0 {
            LockKind::File(_) => std::future::pending().await,
            LockKind::Session(keeper) => keeper.lost().await,
        }
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        if let LockKind::File(held) = &mut self.0
            && let Some(file) = held.take()
        {
            // The end of the process unlocks as well: a failure here changes nothing.
            let _ = file.unlock();
            keep_open(file);
        }
    }
}

/// Leaves a file open until the process ends. Closing any descriptor of a database takes SQLite's own locks on it away from the
/// connections of this process (POSIX advisory locks).
fn keep_open(file: File) {
    std::mem::forget(file);
}

fn failed(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Backend(format!("{}: {error}", path.display()))
}

/// Makes the folders of the data and of the database, and the database file, for nobody else to look into.
pub(super) fn prepare(data_dir: &Path, database: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    for folder in [Some(data_dir), database.parent()].into_iter().flatten() {
        if !folder.as_os_str().is_empty() {
            builder.create(folder).map_err(|error| failed(folder, &error))?;
        }
    }
    // SQLite gives its other files the mode of the database.
    if !database.exists() {
        let made = OpenOptions::new().create_new(true).write(true).mode(PRIVATE).open(database);
        match made {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(database, &error)),
            _ => {}
        }
    }
    for file in [database.to_owned(), beside(database, "-wal"), beside(database, "-shm")] {
        let Ok(held) = std::fs::metadata(&file) else { continue };
        if held.permissions().mode() & 0o077 != 0 {
            std::fs::set_permissions(&file, Permissions::from_mode(PRIVATE)).map_err(|error| failed(&file, &error))?;
        }
    }
    Ok(())
}

/// A file beside the database, wherever the path to it leads.
pub(super) fn beside(database: &Path, ending: &str) -> PathBuf {
    let real = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let mut name = OsString::from(real);
    name.push(ending);
    name.into()
}

/// Whether the disk takes more than what SQLite writes over: a full one still lets it change a row in the space that it has.
pub(super) fn has_room(database: &Path) -> Result<(), StoreError> {
    let probe = beside(database, ".probe");
    let open = OpenOptions::new().create(true).truncate(true).write(true).mode(PRIVATE).open(&probe);
    let written = open.and_then(|mut file| {
        file.write_all(&vec![0; ROOM_BYTES])?;
        file.sync_data()
    });
    // It is written anew each time: what is left of it does no harm.
    let _ = std::fs::remove_file(&probe);
    written.map_err(|error| failed(&probe, &error))
}

/// Waits for a lock file; blocks.
pub(super) fn wait(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(PRIVATE).open(path);
    let file = file.map_err(|error| failed(path, &error))?;
    file.lock().map_err(|error| failed(path, &error))?;
    Ok(file)
}
