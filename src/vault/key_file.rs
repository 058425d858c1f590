//! `keys.toml`: the ring as a file that only its owner reads.
//!
//! **Invariant:** the file is replaced whole or not at all, and is on the disk before any key in it seals: a key lost
//! with the power would take every secret under it along.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    VaultError,
    key::{Key, bytes_of},
    key_ring::KeyOrigin,
};
use crate::domain::secret::Secret;

/// Most bytes read: some thousand keys.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Bytes of one key in the file, generously.
const KEY_TEXT_BYTES: usize = 256;
const HEADER: &str = "# The keys that seal stored credentials, newest first. Without this file no stored credential can be used:\n\
                      # back it up, apart from the database. Change it with `calwarden keys rotate`.\n";

/// The file, whether it exists or not.
#[derive(Clone, Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
}

/// What distinguishes one state of the file from the next. Every change is a new file, so the inode alone would almost do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    keys: Vec<WrittenKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    id: String,
    key: Secret,
    created_at: Option<DateTime<Utc>>,
}

impl KeyFile {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What the file looks like now; `None`: there is none.
    pub(super) fn stamp(&self) -> Result<Option<FileStamp>, VaultError> {
        match fs::metadata(&self.path) {
            Ok(held) => Ok(Some(FileStamp { inode: held.ino(), bytes: held.len(), modified: held.modified().ok() })),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(self.failed(why)),
        }
    }

    /// The keys, newest first; `None`: there is no file.
    pub(super) fn read(&self) -> Result<Option<Vec<Key>>, VaultError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(self.failed(why)),
        };
        // Asked of the open file, so that what was checked is what is read.
        let held = file.metadata().map_err(|why| self.failed(why))?;
        let mode = held.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(VaultError::Exposed { path: self.path.clone(), mode });
        }
        if held.len() > FILE_BYTES_MAX {
            return Err(self.damaged(format!("it is longer than {FILE_BYTES_MAX} bytes")));
        }
        let mut text = Zeroizing::new(String::new());
        io::Read::read_to_string(&mut io::Read::take(file, FILE_BYTES_MAX), &mut text)
            .map_err(|why| self.failed(why))?;
        self.parse(&text).map(Some)
    }

    fn parse(&self, text: &str) -> Result<Vec<Key>, VaultError> {
        // The parser's own message quotes the line, which may be a key: only its place is reported.
        let written: Written = toml::from_str(text).map_err(|why| {
            let line = why.span().map_or(1, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1);
            self.damaged(format!("line {line} is not as `calwarden keys rotate` writes it"))
        })?;
        if written.keys.is_empty() {
            return Err(self.damaged("it holds no key".to_owned()));
        }
        let mut keys = Vec::with_capacity(written.keys.len());
        for held in &written.keys {
            let key = bytes_of(held.key.expose())
                .ok()
                .and_then(|bytes| Key::new(&bytes, held.created_at, KeyOrigin::File))
                .filter(|key| key.id == held.id)
                .ok_or_else(|| self.damaged(format!("the key {:?} does not match its id", held.id)))?;
            keys.push(key);
        }
        Ok(keys)
    }

    /// Replaces the file with these keys.
    pub(super) fn write(&self, keys: &[Key]) -> Result<(), VaultError> {
        // Room for all of it from the start: a buffer that grows leaves copies of the keys behind.
        let mut text = Zeroizing::new(String::with_capacity(HEADER.len() + KEY_TEXT_BYTES * keys.len()));
        text.push_str(HEADER);
        for key in keys {
            let made = key.created_at.map(|at| format!("created_at = \"{}\"\n", at.to_rfc3339())).unwrap_or_default();
            for part in ["\n[[keys]]\nid = \"", &key.id, "\"\n", &made, "key = \"", &key.to_text(), "\"\n"] {
                text.push_str(part);
            }
        }
        self.replace(text.as_bytes()).map_err(|why| self.failed(why))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let draft = self.path.with_extension("toml.new");
        // Left behind by a crash; only the holder of the lock comes here.
        match fs::remove_file(&draft) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        File::open(self.folder())?.sync_all()
    }

    /// Makes the folder, for its owner alone, when there is none.
    pub(super) fn make_folder(&self) -> Result<(), VaultError> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.folder()).map_err(|why| self.failed(why))
    }

    /// Keeps other processes from changing the file until the value is dropped: two rotations at once would each
    /// forget the other's key.
    pub(super) fn lock(&self) -> Result<File, VaultError> {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path.with_extension("lock"))
            .map_err(|why| self.failed(why))?;
        lock.lock().map_err(|why| self.failed(why))?;
        Ok(lock)
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// An error of the system about this file.
    pub(super) fn failed(&self, source: io::Error) -> VaultError {
        VaultError::KeyFile { path: self.path.clone(), source }
    }

    fn damaged(&self, why: String) -> VaultError {
        VaultError::Damaged { path: self.path.clone(), why }
    }
}
