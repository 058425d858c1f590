//! Why a use case did not do what it was asked to. Nothing was changed, unless it says so itself.

use crate::{
    domain::{failure::FailureClass, ids::AccountId},
    provider::ProviderError,
    store::StoreError,
    vault::VaultError,
};

/// Why a use case stopped.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No such thing, or not this caller's: the two are not distinguished.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Somebody changed it since the caller read it.
    #[error("it has changed since it was read; read it again and repeat the change")]
    Stale,
    /// The calendar takes no writes from us.
    #[error("the calendar is read-only; choose another, or pair its account with one that takes writes")]
    ReadOnly,
    /// Its home lets nobody change it from here.
    #[error("the event cannot be changed here: {0}")]
    Fixed(&'static str),
    /// A field is wrong.
    #[error("{field}: {why}")]
    Invalid {
        /// Which field, in its JSON name.
        field: &'static str,
        /// What is wrong and what to do.
        why: String,
    },
    /// Too much is asked of the planner just now.
    #[error("{why}; ask again in {retry_after_s} s")]
    Busy {
        /// What there is too much of.
        why: &'static str,
        /// When to ask again.
        retry_after_s: u32,
    },
    /// The provider does not take the credentials.
    #[error("the calendar server refused these credentials; check the user name and the password")]
    CredentialsRefused,
    /// The provider cannot be reached with what was given, or does not speak the protocol.
    #[error("the calendar server cannot be used: {0}")]
    Unreachable(String),
    /// The address may not be contacted.
    #[error("this address may not be contacted: {0}")]
    AddressNotAllowed(String),
    /// The user has connected it already.
    #[error(
        "this is connected already, as account {0}; give that one new credentials with POST /v1/accounts/{0}/reconnect"
    )]
    AlreadyConnected(AccountId),
    /// The provider of an account that is connected.
    #[error(transparent)]
    Provider(ProviderError),
    /// The secrets cannot be opened.
    #[error("the account's secrets cannot be opened: {0}")]
    Vault(#[from] VaultError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// What a provider's answer means while an account is being connected.
    pub(in crate::service) fn of_connecting(error: ProviderError) -> Self {
        match error.class {
            FailureClass::Unauthorised => Self::CredentialsRefused,
            FailureClass::AddressNotAllowed => Self::AddressNotAllowed(error.detail),
            FailureClass::Transient
            | FailureClass::RateLimited
            | FailureClass::Forbidden
            | FailureClass::Gone
            | FailureClass::Conflict
            | FailureClass::CursorExpired
            | FailureClass::Refused
            | FailureClass::Malformed
            | FailureClass::Ambiguous => Self::Unreachable(error.detail),
        }
    }
}
