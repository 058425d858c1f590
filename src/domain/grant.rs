//! What a person granted us at a provider, and the consents under way.

use chrono::{DateTime, Utc};

use super::{
    account::ProviderKind,
    ids::{AccountId, ConsentId, SpaceId, UserId},
};
use crate::words;

words! {
    /// How much access is asked for.
    Access {
        /// Reading.
        Read = "read",
        /// Reading and writing.
        Write = "write",
    }
}

/// What an account's owner granted. The tokens are elsewhere, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The account.
    pub account_id: AccountId,
    /// Whose it is at the provider: stable, unlike an address. `None`: the provider did not say.
    pub subject: Option<String>,
    /// What was granted, in the provider's words, separated by spaces.
    pub scopes: String,
    /// When the access token ends.
    pub access_expires_at: Option<DateTime<Utc>>,
}

impl Grant {
    /// What was granted, one by one.
    #[must_use]
    pub fn granted(&self) -> Vec<String> {
        self.scopes.split_whitespace().map(str::to_owned).collect()
    }
}

/// A person was sent to a provider and has not come back yet.
///
/// **Invariant:** it is good once and for a quarter of an hour; its state and its ticket are kept as hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Ours.
    pub id: ConsentId,
    /// SHA-256 of the state that comes back.
    pub state_hash: Vec<u8>,
    /// SHA-256 of the ticket that lets a browser begin.
    pub ticket_hash: Vec<u8>,
    /// The state and the proof key, sealed: what the browser's cookie holds.
    pub cookie: String,
    /// Where the browser is sent.
    pub url: String,
    /// The provider.
    pub provider: ProviderKind,
    /// The space the account will be in.
    pub space_id: SpaceId,
    /// Whose account it will be.
    pub user_id: UserId,
    /// The account that is connected again; `None`: a new one.
    pub account_id: Option<AccountId>,
    /// Where the person goes afterwards.
    pub return_to: Option<String>,
    /// When it began.
    pub created_at: DateTime<Utc>,
}
