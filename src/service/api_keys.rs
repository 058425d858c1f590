//! API keys: made, listed, revoked, and recognised. A key is shown once and stored as its SHA-256 only.
//!
//! - **key**: `cw_`, then 32 random bytes and the first 4 of their SHA-256, in base64url: a mistyped key is known from a
//!   revoked one without the database.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Refusal, Services};
use crate::{
    domain::{
        ids::ApiKeyId,
        person::{ApiKey, KeyScope, Scope},
        ports::World,
        secret::Secret,
    },
    store::Mode,
};

/// What every key begins with.
pub const PREFIX: &str = "cw_";
const RANDOM_BYTES: usize = 32;
const CHECK_BYTES: usize = 4;

/// A new key to be stored, and the secret to be shown, once.
#[must_use]
pub fn mint(world: &World, name: &str, scopes: Vec<KeyScope>, expires_at: Option<DateTime<Utc>>) -> (ApiKey, Secret) {
    let mut random = [0; RANDOM_BYTES];
    world.random.fill(&mut random);
    let secret = spell(&random);
    let hash = digest(secret.expose());
    let (id, created_at) = (world.new_id(), world.now());
    (ApiKey { id, name: name.to_owned(), hash, scopes, created_at, expires_at, revoked_at: None }, secret)
}

impl Services {
    /// Makes a key; the secret is returned here and never again.
    pub async fn create_api_key(
        &self,
        name: &str,
        scopes: Vec<KeyScope>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(ApiKey, Secret), Refusal> {
        let (key, secret) = mint(&self.world, name, scopes, expires_at);
        let mut tx = self.begin_write().await?;
        tx.insert_api_key(&key).await?;
        tx.commit().await?;
        Ok((key, secret))
    }

    /// The key behind a secret, if it works now.
    pub async fn recognise_api_key(&self, secret: &str) -> Result<Option<ApiKey>, Refusal> {
        if !is_spelt_right(secret) {
            return Ok(None);
        }
        let hash = digest(secret);
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let found = tx.api_key_by_hash(&hash).await?;
        tx.commit().await?;
        let now = self.world.now();
        Ok(found.filter(|key| {
            let same = bool::from(key.hash.as_slice().ct_eq(&hash));
            same && key.revoked_at.is_none() && key.expires_at.is_none_or(|end| now < end)
        }))
    }

    /// Every key, oldest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let keys = tx.api_keys().await?;
        tx.commit().await?;
        Ok(keys)
    }

    /// Revokes a key; it works no more from the next request on.
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<(), Refusal> {
        let mut tx = self.begin_write().await?;
        let revoked = tx.revoke_api_key(id, self.world.now()).await?;
        tx.commit().await?;
        if revoked { Ok(()) } else { Err(Refusal::NotFound("API key that still works")) }
    }
}

fn digest(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

fn spell(random: &[u8; RANDOM_BYTES]) -> Secret {
    let check = Sha256::digest(random);
    let bytes: Vec<u8> = random.iter().chain(check.iter().take(CHECK_BYTES)).copied().collect();
    Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

fn is_spelt_right(secret: &str) -> bool {
    let bytes = secret.strip_prefix(PREFIX).and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok()).unwrap_or_default();
    let Some((random, check)) = bytes.split_at_checked(RANDOM_BYTES) else { return false };
    check.len() == CHECK_BYTES && Sha256::digest(random).starts_with(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recognised_by_its_spelling_and_a_mistyped_one_is_not() {
        let key = spell(&[7; RANDOM_BYTES]);
        assert!(key.expose().starts_with(PREFIX) && is_spelt_right(key.expose()));
        let mistyped = key.expose().replacen('B', "C", 1);
        assert_ne!(mistyped, key.expose());
        for wrong in [mistyped.as_str(), "cw_", "", "cw_é", &key.expose()[..40]] {
            assert!(!is_spelt_right(wrong), "{wrong}");
        }
    }
}
