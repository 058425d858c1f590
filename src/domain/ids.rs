//! One type per identifier, so that an account's id can never be passed where a calendar's belongs.
//!
//! Ids that we make are `UUIDv7` (they sort by creation); ids of spaces and users are the caller's own text.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest id a caller may choose, in bytes.
pub const CALLER_ID_BYTES_MAX: usize = 128;

macro_rules! own_id {
    ($($(#[$meta:meta])* $name:ident),* $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )*};
}

own_id! {
    /// One connected provider account of a user in a space.
    AccountId,
    /// One calendar inside an account.
    CalendarId,
    /// One local, canonical event (a series counts as one).
    EventId,
    /// The mapping between a local event and its remote copy in one calendar.
    MappingId,
    /// One queued write.
    OutboxId,
    /// One pass of sync of an account.
    RoundId,
    /// One disagreement between the two sides, and what became of it.
    ConflictId,
    /// One notice to a person.
    NoticeId,
    /// One held round's deletions, waiting for a person.
    HoldId,
    /// One API key.
    ApiKeyId,
    /// One line of the audit log.
    AuditId,
    /// One consent under way.
    ConsentId,
    /// One watch channel; the provider repeats it with every notification.
    ChannelId,
    /// One grouping of work ("channel" to end users).
    ContextId,
    /// One task; an instance that was carried to another day is another task.
    TaskId,
    /// One time block: planned work on a task.
    BlockId,
    /// One schedule that was offered.
    ProposalId,
    /// One run of the scheduler.
    PlanRunId,
    /// One focus session of focused work on one task.
    FocusId,
    /// One change of day of one user, and what it did.
    RolloverId,
}

/// Why a caller's id was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 128 characters of A-Z a-z 0-9 . _ : @ + -")]
pub struct IdRefused;

macro_rules! caller_id {
    ($($(#[$meta:meta])* $name:ident),* $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as the caller wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdRefused;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                let fits = (1..=CALLER_ID_BYTES_MAX).contains(&text.len());
                let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:@+-".contains(&b));
                if fits && plain { Ok(Self(text)) } else { Err(IdRefused) }
            }
        }

        impl FromStr for $name {
            type Err = IdRefused;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

caller_id! {
    /// A household, team or tenant: the isolation boundary.
    SpaceId,
    /// A person in the product that runs us.
    UserId,
}

impl SpaceId {
    /// The space made for one user alone: it bears the user's id, which has the same grammar.
    #[must_use]
    pub fn home_of(user: &UserId) -> Self {
        Self(user.0.clone())
    }
}

macro_rules! opaque_text {
    ($($(#[$meta:meta])* $name:ident),* $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text as the provider spelt it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    )*};
}

opaque_text! {
    /// A calendar's name at its provider (CalDAV: the href of the collection, as given).
    RemoteCalendarId,
    /// An event's name at its provider (CalDAV: the href, as given; feed: the identity key).
    RemoteEventId,
    /// A version stamp of one remote event (CalDAV: the `ETag`, quotes included). Compared, never ordered.
    Revision,
    /// `UID` of RFC 5545 §3.8.4.7: opaque, compared exactly.
    Uid,
    /// Where a provider's change list was last read to. Opaque; saved only with everything before it.
    SyncCursor,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_id_is_plain_and_bounded() {
        assert!("ada@example.org".parse::<UserId>().is_ok());
        for refused in ["", "a b", "é", "a/b", &"x".repeat(129)] {
            assert_eq!(refused.parse::<UserId>(), Err(IdRefused), "{refused}");
        }
    }
}
