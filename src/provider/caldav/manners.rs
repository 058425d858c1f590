//! What writes have shown of a server: whether it keeps what it is given, and whether it minds a condition.
//!
//! `SOGo` answers a `PUT` with a strong `ETag` and stores something else, and deletes whatever `If-Match` says. Radicale and Xandikos
//! rewrite too. Of seven servers, all that keep the bytes mind conditions.

use std::sync::atomic::{AtomicBool, Ordering};

/// What was seen; nothing yet at the start.
#[derive(Debug, Default)]
pub(super) struct Manners {
    kept: AtomicBool,
    rewrote: AtomicBool,
    refused: AtomicBool,
}

impl Manners {
    /// What was stored was read back: it is what was sent, or not.
    pub(super) fn read_back(&self, same: bool) {
        if same { &self.kept } else { &self.rewrote }.store(true, Ordering::Relaxed);
    }

    /// A deletion was refused because its `If-Match` named another version.
    pub(super) fn minded_condition(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Whether a strong `ETag` in the answer to a `PUT` means our bytes (RFC 4791 §5.3.4): seen once, and never otherwise.
    pub(super) fn keeps_bytes(&self) -> bool {
        self.kept.load(Ordering::Relaxed) && !self.rewrote.load(Ordering::Relaxed)
    }

    /// Whether a deletion may rely on its `If-Match`: one was minded before, or the server does keep to the letter what it is given.
    pub(super) fn minds_conditions(&self) -> bool {
        self.refused.load(Ordering::Relaxed) || self.keeps_bytes()
    }
}
