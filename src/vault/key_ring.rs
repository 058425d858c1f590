//! The ring: which key seals, which may open, and how that changes while the service runs.
//!
//! **Invariant:** a key seals only while it is in the file or in the environment: one that existed in memory alone would
//! be gone after a restart, and everything under it too.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::{
    VaultError, aead,
    key::{KEY_BYTES, Key, bytes_of},
    key_file::{FileStamp, KeyFile},
};
use crate::domain::{
    account::{SealedSecret, SecretKind},
    ids::AccountId,
    ports::World,
    secret::Secret,
};

/// The key file's name inside the data directory.
pub const KEY_FILE_NAME: &str = "keys.toml";

/// Where a key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// In `keys.toml`.
    File,
    /// In `TOKEN_ENCRYPTION_KEY`.
    Environment,
}

/// What may be shown of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its id, as in [`SealedSecret::key_id`].
    pub id: String,
    /// When it was made; unknown for the environment's.
    pub created_at: Option<DateTime<Utc>>,
    /// Where it is kept.
    pub origin: KeyOrigin,
    /// Whether it is the one that seals.
    pub current: bool,
}

/// The keys, as last read.
#[derive(Clone)]
struct KeysRead {
    keys: Arc<[Key]>,
    stamp: Option<FileStamp>,
}

/// Seals and opens; cheap to share. Sees by itself when the key file changes.
pub struct KeyRing {
    file: KeyFile,
    from_environment: Vec<Key>,
    world: World,
    held: RwLock<KeysRead>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.held().keys).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Reads the ring of a data directory, making folder, file and first key when there are none.
    ///
    /// `environment` is `TOKEN_ENCRYPTION_KEY`: its first key is then the current one, no file is made, and the keys of
    /// a file that exists still open, so that moving from the file to the environment loses nothing.
    pub fn load(data_dir: &Path, environment: Option<&Secret>, world: World) -> Result<Self, VaultError> {
        let file = KeyFile::at(data_dir.join(KEY_FILE_NAME));
        let from_environment = environment.map(keys_in).transpose()?.unwrap_or_default();
        if from_environment.is_empty() && file.stamp()?.is_none() {
            file.make_folder()?;
            let _lock = file.lock()?;
            // Another process may have made it while this one waited.
            if file.stamp()?.is_none() {
                file.write(&[new_key(&world)?])?;
            }
        }
        let held = read(&file, &from_environment)?;
        Ok(Self { file, from_environment, world, held: RwLock::new(held) })
    }

    /// Whether there is a key to load, in the file or in the environment.
    pub fn is_there(data_dir: &Path, environment: Option<&Secret>) -> Result<bool, VaultError> {
        Ok(environment.is_some() || KeyFile::at(data_dir.join(KEY_FILE_NAME)).stamp()?.is_some())
    }

    /// Seals a secret for its place, under the current key.
    pub fn seal(&self, account: AccountId, kind: SecretKind, secret: &Secret) -> Result<SealedSecret, VaultError> {
        let keys = self.fresh()?;
        let key = keys.first().ok_or(VaultError::NotSealed)?;
        let random = &*self.world.random;
        let sealed = aead::seal(&key.cipher, random, account, kind, secret).ok_or(VaultError::NotSealed)?;
        Ok(SealedSecret { account_id: account, kind, key_id: key.id.clone(), sealed })
    }

    /// Opens a row. An id that is not known yet makes it look at the file once more.
    pub fn open(&self, row: &SealedSecret) -> Result<Secret, VaultError> {
        let find = |keys: &[Key]| keys.iter().find(|key| key.id == row.key_id).cloned();
        let key = match find(&self.held().keys) {
            Some(key) => key,
            None => find(&self.fresh()?).ok_or_else(|| VaultError::UnknownKey(row.key_id.clone()))?,
        };
        aead::open(&key.cipher, row.account_id, row.kind, &row.sealed)
            .ok_or(VaultError::NotOpened { account: row.account_id, kind: row.kind })
    }

    /// The id of the key that seals: every row under another one is owed a new seal.
    pub fn current_id(&self) -> Result<String, VaultError> {
        Ok(self.fresh()?.first().ok_or(VaultError::NotSealed)?.id.clone())
    }

    /// Every key, current first.
    pub fn list(&self) -> Result<Vec<KeyInfo>, VaultError> {
        let info = |(place, key): (usize, &Key)| KeyInfo {
            id: key.id.clone(),
            created_at: key.created_at,
            origin: key.origin,
            current: place == 0,
        };
        Ok(self.fresh()?.iter().enumerate().map(info).collect())
    }

    /// Adds a new current key to the file, keeps the old ones for opening, and returns its id.
    pub fn rotate(&self) -> Result<String, VaultError> {
        if !self.from_environment.is_empty() {
            return Err(VaultError::FromEnvironment);
        }
        let key = new_key(&self.world)?;
        let id = key.id.clone();
        self.rewrite(|keys| keys.insert(0, key))?;
        Ok(id)
    }

    /// Changes the file under its lock, starting from what it holds then, not from what was read before.
    fn rewrite(&self, change: impl FnOnce(&mut Vec<Key>)) -> Result<(), VaultError> {
        let _lock = self.file.lock()?;
        let mut keys = self.file.read()?.ok_or_else(|| self.gone())?;
        change(&mut keys);
        self.file.write(&keys)?;
        self.reload().map(drop)
    }

    /// The keys as the file has them now.
    fn fresh(&self) -> Result<Arc<[Key]>, VaultError> {
        let held = self.held();
        let stamp = self.file.stamp()?;
        if stamp.is_none() && self.from_environment.is_empty() {
            return Err(self.gone());
        }
        if stamp == held.stamp { Ok(held.keys) } else { self.reload() }
    }

    fn reload(&self) -> Result<Arc<[Key]>, VaultError> {
        let held = read(&self.file, &self.from_environment)?;
        let keys = Arc::clone(&held.keys);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(keys)
    }

    fn held(&self) -> KeysRead {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn gone(&self) -> VaultError {
        self.file.failed(io::ErrorKind::NotFound.into())
    }
}

/// The environment's keys, then the file's, each once.
fn read(file: &KeyFile, from_environment: &[Key]) -> Result<KeysRead, VaultError> {
    // The stamp is taken first: a file replaced in between is read again, never missed.
    let stamp = file.stamp()?;
    let mut keys = from_environment.to_vec();
    match file.read()? {
        Some(more) => keys.extend(more),
        None if from_environment.is_empty() => return Err(file.failed(io::ErrorKind::NotFound.into())),
        None => {}
    }
    let mut once: Vec<Key> = Vec::with_capacity(keys.len());
    for key in keys {
        if once.iter().all(|held| held.id != key.id) {
            once.push(key);
        }
    }
    Ok(KeysRead { keys: once.into(), stamp })
}

fn new_key(world: &World) -> Result<Key, VaultError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    world.random.fill(bytes.as_mut_slice());
    Key::new(bytes.as_slice(), Some(world.now()), KeyOrigin::File).ok_or(VaultError::NotSealed)
}

/// The comma-separated keys of `TOKEN_ENCRYPTION_KEY`, newest first.
fn keys_in(text: &Secret) -> Result<Vec<Key>, VaultError> {
    let parts = text.expose().split(',').map(str::trim);
    parts
        .enumerate()
        .map(|(place, part)| {
            let refused = |why| VaultError::KeyText { position: place + 1, why };
            let bytes = bytes_of(part).map_err(refused)?;
            Key::new(&bytes, None, KeyOrigin::Environment).ok_or_else(|| refused("it has the wrong length"))
        })
        .collect()
}

#[cfg(test)]
mod tests;
