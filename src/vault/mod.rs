//! Secrets at rest: sealed with AES-256-GCM, each bound to its account and its use, under a ring of keys.
//!
//! Terms: the *ring* is every key that may open; its first is *current* and alone seals. A key's *id* is the start of a
//! hash of the key, so that a damaged key is found when it is read and not when a secret will not open.
//!
//! **Invariant:** the database alone opens nothing: keys are in `keys.toml` or in the environment, never in a row.
//! **Invariant:** a sealed text opens only for the account and the kind it was sealed for.
//! **Invariant:** no key and no secret is in a `Debug`, an error or a log.

mod aead;
mod key;
mod key_file;
mod key_ring;

use std::path::PathBuf;

pub use key_ring::{KEY_FILE_NAME, KeyInfo, KeyOrigin, KeyRing};

use crate::domain::{account::SecretKind, ids::AccountId};

/// Why the vault did not do it. Names what to mend, never what was sealed.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file cannot be read or written.
    #[error("key file {path}: {source}; the service needs it to open stored credentials")]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The key file can be read by others.
    #[error(
        "key file {path} has mode {mode:04o}, so others can read it: run `chmod 600` on it and consider its keys known"
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file is not what we wrote.
    #[error("key file {path}: {why}; restore it from a backup")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong, without the text itself.
        why: String,
    },
    /// `TOKEN_ENCRYPTION_KEY` holds something else than keys.
    #[error("TOKEN_ENCRYPTION_KEY: key {position}: {why}")]
    KeyText {
        /// Which of the comma-separated keys, from 1.
        position: usize,
        /// What is wrong, without the text itself.
        why: &'static str,
    },
    /// The key that sealed it is not in the ring.
    #[error("key {0} is not in the ring: put it back into keys.toml or TOKEN_ENCRYPTION_KEY")]
    UnknownKey(String),
    /// The sealed text was made for another account or kind, under another key, or was altered.
    #[error("the sealed {kind} of account {account} does not open: another row's, another key's, or altered")]
    NotOpened {
        /// Whose row it lies in.
        account: AccountId,
        /// What for.
        kind: SecretKind,
    },
    /// The key is the environment's to change.
    #[error("the keys come from TOKEN_ENCRYPTION_KEY: change them there (newest first, comma-separated) and restart")]
    FromEnvironment,
    /// The cipher refused to seal (a text beyond its limit).
    #[error("the cipher refused to seal the text")]
    NotSealed,
}
