//! One sealed text: version byte, nonce, ciphertext and tag.
//!
//! **Invariant:** the additional data is version, account and kind, so a row copied onto another does not open.

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use zeroize::Zeroizing;

use crate::domain::{account::SecretKind, ids::AccountId, ports::Random, secret::Secret};

/// The form of everything sealed so far. Another form takes another number, and old ones stay readable.
const VERSION: u8 = 1;

/// What binds a sealed text to its place. The account's id has a fixed length, so no two places read alike.
fn place(account: AccountId, kind: SecretKind) -> Vec<u8> {
    [&[VERSION][..], account.0.as_bytes(), kind.as_str().as_bytes()].concat()
}

/// Seals under a fresh random nonce; `None` when the cipher refuses.
pub(super) fn seal(
    key: &LessSafeKey,
    random: &dyn Random,
    account: AccountId,
    kind: SecretKind,
    secret: &Secret,
) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce);
    let mut text = Zeroizing::new(secret.expose().as_bytes().to_vec());
    // The tag is kept apart so that the plain text is encrypted where it lies and never copied by a growing buffer.
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place(account, kind)),
            text.as_mut_slice(),
        )
        .ok()?;
    Some([&[VERSION][..], &nonce, &text, tag.as_ref()].concat())
}

/// Opens what [`seal`] made; `None` for everything else.
pub(super) fn open(key: &LessSafeKey, account: AccountId, kind: SecretKind, sealed: &[u8]) -> Option<Secret> {
    let (&version, rest) = sealed.split_first()?;
    if version != VERSION {
        return None;
    }
    let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let text = key.open_in_place(nonce, Aad::from(place(account, kind)), buffer.as_mut_slice()).ok()?;
    std::str::from_utf8(text).ok().map(Secret::new)
}
