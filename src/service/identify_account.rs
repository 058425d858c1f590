//! What an account is at its provider, so that no user connects the same one twice.
//!
//! - **name**: the hash of a normalised address and a user name. Addresses of feeds are secrets, and user names are nobody's
//!   business.
//!
//! **Invariant:** the database holds a name once for each user; of two that connect the same at once, one is refused.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{Refusal, Services};
use crate::{
    domain::{
        account::{Account, SecretKind},
        ids::{AccountId, RemoteCalendarId},
        secret::Secret,
    },
    provider::Provider,
    store::{StoreError, Tx},
};

/// Names that an account is given at most: one that lists more calendars is known by the first of them.
const NAMES_MAX: usize = 500;

/// The names of what a provider has reached.
pub(super) fn names(
    provider: &dyn Provider,
    calendars: impl Iterator<Item = RemoteCalendarId>,
    username: Option<&Secret>,
) -> Vec<String> {
    let calendars: Vec<_> = calendars.take(NAMES_MAX).collect();
    let username = username.map(|name| name.expose().trim().to_lowercase()).unwrap_or_default();
    provider.identities(&calendars).iter().map(|place| name(place, &username)).collect()
}

/// One name. A user name is distinguished from an address by the length of what comes first.
pub(super) fn name(place: &str, username: &str) -> String {
    let hash =
        Sha256::new().chain_update(place.len().to_be_bytes()).chain_update(place).chain_update(username).finalize();
    URL_SAFE_NO_PAD.encode(hash)
}

impl Services {
    /// Gives an account its names; another account of the same user that has one of them already refuses it.
    pub(super) async fn identify(&self, tx: &mut Tx, account: &Account, names: &[String]) -> Result<(), Refusal> {
        match self.claim(tx, account, names).await? {
            None => Ok(()),
            Some(held) => Err(Refusal::AlreadyConnected(held)),
        }
    }

    /// The same; answers the account that has one of the names.
    pub(super) async fn claim(
        &self,
        tx: &mut Tx,
        account: &Account,
        names: &[String],
    ) -> Result<Option<AccountId>, StoreError> {
        // Those from before accounts had names get theirs now. What is twice among them stays so.
        for older in tx.unidentified_accounts(&account.user_id).await? {
            if older.id == account.id {
                continue;
            }
            match self.names_of_stored(tx, &older).await {
                Ok(names) => drop(tx.claim_identities(older.id, &older.user_id, &names).await?),
                Err(Refusal::Store(error)) => return Err(error),
                // One that cannot be opened has to be connected again, and is named then.
                Err(Refusal::Vault(_) | Refusal::Provider(_) | Refusal::NotFound(_)) => {}
                Err(other) => return Err(StoreError::Backend(other.to_string())),
            }
        }
        tx.claim_identities(account.id, &account.user_id, names).await
    }

    async fn names_of_stored(&self, tx: &mut Tx, account: &Account) -> Result<Vec<String>, Refusal> {
        let secrets = tx.secrets_of(account.id).await?;
        let grant = tx.grant_of(account.id).await?;
        if let Some(subject) = grant.as_ref().and_then(|grant| grant.subject.as_ref()) {
            return Ok(vec![subject_name(subject)]);
        }
        let calendars = tx.calendars_of(account.id).await?;
        let provider = self.connections.get(account, &secrets, grant.as_ref(), &self.vault)?;
        let username = secrets.iter().find(|sealed| sealed.kind == SecretKind::Username);
        let username = username.map(|sealed| self.vault.open(sealed)).transpose()?;
        Ok(names(&*provider, calendars.into_iter().map(|calendar| calendar.remote_id), username.as_ref()))
    }
}

/// The name of a person at a provider that says whose a grant is.
pub(super) fn subject_name(subject: &str) -> String {
    name(&format!("subject://{subject}"), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_distinguishes_an_address_from_a_user_name() {
        assert_ne!(name("dav://host/a", "b"), name("dav://host/ab", ""));
        assert_ne!(name("dav://host/a", "ada"), name("dav://host/a", "bob"));
        assert_eq!(name("dav://host/a", "ada"), name("dav://host/a", "ada"));
        assert_eq!(name("x", "").len(), 43);
    }
}
