//! What is known of each provider without opening it: one row for each, which stands in its own folder.

use super::{caldav, feed, google};
use crate::domain::account::ProviderKind;

/// How its owner connects an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectedBy {
    /// By an address and a user name with a password, or a bearer token.
    Password {
        /// Where to begin when no address was given.
        start: Option<&'static str>,
    },
    /// By an address that is a secret itself.
    Address,
    /// By the owner's consent at the provider (OAuth 2.0), which gives credentials that are renewed.
    Consent,
}

/// How its changes are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// By asking a server, which answers cheaply when nothing changed.
    Server,
    /// By fetching a published file.
    Feed,
    /// By notifications through watch channels; by asking while there are none.
    Watched,
}

/// What callers need to know of a provider without asking which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderFacts {
    /// Its name for people.
    pub name: &'static str,
    /// How its owner connects an account.
    pub connected_by: ConnectedBy,
    /// How its changes are found.
    pub looks: Looks,
    /// Where its notifications come to, under our own address; `None`: it sends none.
    pub notified_at: Option<&'static str>,
    /// Seconds after which a complete listing is compared with what we hold, whatever the cursors say.
    pub reconcile_every_s: u32,
    /// Writes of one account under way at once.
    pub writes_at_once: usize,
    /// Absence from one snapshot may be an error of the publisher: the brake also holds a calendar that turns empty.
    pub absence_is_doubtful: bool,
}

/// The row of a provider.
#[must_use]
pub fn facts(kind: ProviderKind) -> &'static ProviderFacts {
    match kind {
        ProviderKind::Caldav => &caldav::FACTS,
        ProviderKind::Icloud => &caldav::ICLOUD,
        ProviderKind::Feed => &feed::FACTS,
        ProviderKind::Google => &google::FACTS,
    }
}
