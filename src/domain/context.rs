//! Contexts: the product's own grouping of work, "channel" to end users.

use chrono::{DateTime, Utc};

use super::ids::{CalendarId, ContextId, SpaceId, UserId};
use crate::words;

words! {
    /// Whether what belongs to a context may leave.
    ContextVisibility {
        /// It stays here.
        Private = "private",
        /// It is published to the mapped calendar.
        Shared = "shared",
    }
}

/// One context of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Ours.
    pub id: ContextId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// Whose it is.
    pub user_id: UserId,
    /// What people call it.
    pub name: String,
    /// Whether it may leave.
    pub visibility: ContextVisibility,
    /// Where its blocks' events live; `None`: here only.
    pub calendar_id: Option<CalendarId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Grows with every change: the `ETag` of the resource.
    pub version: i64,
}

impl Context {
    /// The calendar its blocks are published to. A private context keeps its mapping, for the day it is shared, and
    /// publishes nothing (S9).
    #[must_use]
    pub fn publishes_to(&self) -> Option<CalendarId> {
        self.calendar_id.filter(|_| self.visibility == ContextVisibility::Shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_context_publishes_nothing_though_it_is_mapped() {
        let at = DateTime::UNIX_EPOCH;
        let mut context = Context {
            id: ContextId(uuid::Uuid::nil()),
            space_id: "home".parse().expect("an id"),
            user_id: "ada".parse().expect("an id"),
            name: "Garden".into(),
            visibility: ContextVisibility::Shared,
            calendar_id: Some(CalendarId(uuid::Uuid::nil())),
            created_at: at,
            updated_at: at,
            version: 1,
        };
        assert_eq!(context.publishes_to(), context.calendar_id);
        context.visibility = ContextVisibility::Private;
        assert_eq!(context.publishes_to(), None);
    }
}
