//! A connected account: whose it is, how it is reached, what its owner chose.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{AccountId, SpaceId, UserId};
use crate::words;

words! {
    /// Who keeps the calendars.
    ProviderKind {
        /// Any CalDAV server.
        Caldav = "caldav",
        /// Apple iCloud: CalDAV with its own habits.
        Icloud = "icloud",
        /// A published iCalendar file.
        Feed = "feed",
        /// Google Calendar.
        Google = "google",
    }
}

words! {
    /// What an account's owner sees of its state.
    AccountStatus {
        /// In step, or getting there.
        Active = "active",
        /// The last round failed; it is being retried.
        Error = "error",
        /// The credential was refused twice: only the owner can help.
        ReconnectRequired = "reconnect_required",
        /// The owner or an operator paused it.
        Paused = "paused",
        /// Its actor failed too often; an operator resumes it.
        Quarantined = "quarantined",
        /// It is being taken down.
        Disconnecting = "disconnecting",
    }
}

words! {
    /// Who wins when both sides changed the same field.
    ConflictPolicy {
        /// The provider's version (the default).
        ExternalWins = "external_wins",
        /// The later edit.
        MostRecentWins = "most_recent_wins",
        /// Our version.
        LocalWins = "local_wins",
        /// Nobody, until a person decides.
        Ask = "ask",
    }
}

words! {
    /// How much of an event is sent to the provider.
    PrivacyLevel {
        /// "Busy" and the time.
        Minimal = "minimal",
        /// Title and time.
        Normal = "normal",
        /// Everything.
        Full = "full",
    }
}

/// When an account looks for changes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Off: rounds run only when asked for.
    pub auto_sync_enabled: bool,
    /// Minutes between rounds; `None`: the provider's own pace.
    #[serde(default)]
    pub sync_frequency_minutes: Option<u32>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { auto_sync_enabled: true, sync_frequency_minutes: None }
    }
}

/// One connected account. Its secrets are elsewhere, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Ours.
    pub id: AccountId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// Whose it is.
    pub user_id: UserId,
    /// Who keeps the calendars.
    pub provider: ProviderKind,
    /// What the owner calls it; never a secret (a feed's URL is one, so this is its host).
    pub label: String,
    /// Where it is reached: the `CalDAV` URL the owner typed. Empty for a feed, whose URL is sealed.
    pub url: String,
    /// The account that takes the writes of a read-only feed.
    pub writes_through: Option<AccountId>,
    /// What its owner sees.
    pub status: AccountStatus,
    /// Why, in words for the owner.
    pub status_reason: Option<String>,
    /// While it is being disconnected: take back the copies that we made.
    pub delete_copies: bool,
    /// Who wins a conflict.
    pub policy: ConflictPolicy,
    /// How much is sent to the provider.
    pub privacy: PrivacyLevel,
    /// When it looks for changes.
    pub schedule: Schedule,
    /// What the provider asks for between polls, in seconds (a feed's `REFRESH-INTERVAL`).
    pub provider_interval_s: Option<u32>,
    /// Rounds failed in a row.
    pub failures: u32,
    /// When the next round is due, as last decided.
    pub next_round_at: Option<DateTime<Utc>>,
    /// When it was connected.
    pub created_at: DateTime<Utc>,
    /// When any of this last changed.
    pub updated_at: DateTime<Utc>,
    /// Grows with every change: the `ETag` of the resource.
    pub version: i64,
}

impl Account {
    /// Whether its owner has chosen the same of what decides about events and what is shown of them.
    #[must_use]
    pub fn decides_like(&self, other: &Self) -> bool {
        (self.policy, self.privacy) == (other.policy, other.privacy)
    }
}

words! {
    /// What a sealed text is for; part of what binds it to its place.
    SecretKind {
        /// A user name.
        Username = "username",
        /// A password or app-specific password.
        Password = "password",
        /// A bearer token.
        BearerToken = "bearer_token",
        /// A feed's URL, which is a secret by itself.
        FeedUrl = "feed_url",
        /// An OAuth access token (RFC 6749 §1.4).
        AccessToken = "access_token",
        /// An OAuth refresh token (RFC 6749 §1.5).
        RefreshToken = "refresh_token",
        /// State and proof key of a consent under way, for its browser's cookie.
        Consent = "consent",
    }
}

/// A secret as it lies in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// Whose.
    pub account_id: AccountId,
    /// What for.
    pub kind: SecretKind,
    /// Which key of the ring sealed it.
    pub key_id: String,
    /// Version byte, nonce, ciphertext and tag.
    pub sealed: Vec<u8>,
}
