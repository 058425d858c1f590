//! One key of the ring: its bytes, its id, and the texts it is written as.

use std::fmt;

use base64::{Engine as _, engine::general_purpose as base64_form};
use chrono::{DateTime, Utc};
use ring::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    digest,
};
use zeroize::Zeroizing;

use super::key_ring::KeyOrigin;

/// Bytes of an AES-256 key.
pub(super) const KEY_BYTES: usize = 32;
/// Bytes of the hash that make the id: enough that two keys of a ring never share one.
const ID_BYTES: usize = 8;

/// One key. Its `Debug` shows the id alone.
#[derive(Clone)]
pub(super) struct Key {
    /// The start of the key's hash, in hexadecimal.
    pub(super) id: String,
    /// The key itself.
    pub(super) bytes: Zeroizing<[u8; KEY_BYTES]>,
    /// Ready to seal and open.
    pub(super) cipher: LessSafeKey,
    /// When it was made, when known.
    pub(super) created_at: Option<DateTime<Utc>>,
    /// Where it is kept.
    pub(super) origin: KeyOrigin,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Key {
    /// A key of exactly [`KEY_BYTES`] bytes; `None` for any other length.
    pub(super) fn new(bytes: &[u8], created_at: Option<DateTime<Utc>>, origin: KeyOrigin) -> Option<Self> {
        let bytes = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(bytes).ok()?);
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes.as_slice()).ok()?);
        Some(Self { id: id_of(&bytes), bytes, cipher, created_at, origin })
    }

    /// The key as `keys.toml` holds it.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(base64_form::STANDARD.encode(self.bytes.as_slice()))
    }
}

/// The id says nothing of the key: it is a hash of 256 random bits, apart from every other use of a hash.
fn id_of(bytes: &[u8; KEY_BYTES]) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(b"calwarden key id\0");
    hash.update(bytes);
    let number = hash.finish().as_ref().iter().take(ID_BYTES).fold(0, |id: u64, byte| id << 8 | u64::from(*byte));
    format!("{number:016x}")
}

/// Reads 32 bytes written as 64 hexadecimal digits or as base64 (either alphabet, padded or not).
pub(super) fn bytes_of(text: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    const EXPECTED: &str =
        "expected 32 bytes as base64 or as 64 hexadecimal digits (`openssl rand -base64 32` makes one)";
    let text = text.trim();
    let bytes = if text.len() == 2 * KEY_BYTES && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        hex_bytes(text)
    } else {
        let plain = Zeroizing::new(text.trim_end_matches('=').replace('-', "+").replace('_', "/"));
        base64_form::STANDARD_NO_PAD.decode(plain.as_bytes()).ok()
    };
    let bytes = Zeroizing::new(bytes.ok_or(EXPECTED)?);
    if bytes.len() != KEY_BYTES {
        return Err(EXPECTED);
    }
    if bytes.iter().all(|byte| Some(byte) == bytes.first()) {
        return Err("all its bytes are the same, so it is no key");
    }
    Ok(bytes)
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_the_same_as_hexadecimal_and_as_any_base64() {
        let raw: Vec<u8> = (0..32).map(|n| n * 8 + 7).collect();
        let hex = "070f171f272f373f474f575f676f777f878f979fa7afb7bfc7cfd7dfe7eff7ff".to_owned();
        let forms = [
            hex.to_uppercase(),
            hex,
            base64_form::STANDARD.encode(&raw),
            base64_form::STANDARD_NO_PAD.encode(&raw),
            base64_form::URL_SAFE.encode(&raw),
            format!(" {}\n", base64_form::URL_SAFE_NO_PAD.encode(&raw)),
        ];
        for form in forms {
            assert_eq!(bytes_of(&form).expect(&form).as_slice(), raw, "{form}");
        }
    }

    #[test]
    fn a_text_that_is_no_key_is_refused_without_being_repeated() {
        let short = base64_form::STANDARD.encode([5; 31]);
        let blank = base64_form::STANDARD.encode([0; 32]);
        for text in ["", "change-me", "{not base64}", &short, &blank, &"0".repeat(64)] {
            let why = bytes_of(text).expect_err(text);
            assert!(text.is_empty() || !why.contains(text), "{why}");
        }
    }
}
