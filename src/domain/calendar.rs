//! One calendar inside an account, and how far its changes were read.

use chrono::{DateTime, Utc};

use super::ids::{AccountId, CalendarId, RemoteCalendarId, SpaceId, SyncCursor};
use crate::words;

words! {
    /// Which way events flow.
    Direction {
        /// Only in.
        FromProvider = "from_provider",
        /// Only out.
        ToProvider = "to_provider",
        /// Both ways.
        Both = "both",
    }
}

impl Direction {
    /// Whether the provider's changes are taken.
    #[must_use]
    pub fn inbound(self) -> bool {
        matches!(self, Self::FromProvider | Self::Both)
    }

    /// Whether our changes are sent.
    #[must_use]
    pub fn outbound(self) -> bool {
        matches!(self, Self::ToProvider | Self::Both)
    }
}

/// One calendar of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Ours.
    pub id: CalendarId,
    /// The account it is in.
    pub account_id: AccountId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// Its name at the provider.
    pub remote_id: RemoteCalendarId,
    /// What people call it.
    pub name: String,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// The zone its floating times are read in; the user's without one.
    pub time_zone: Option<String>,
    /// The provider takes no writes here.
    pub read_only: bool,
    /// Whether it is kept in step.
    pub selected: bool,
    /// Which way events flow.
    pub direction: Direction,
    /// Whether its imported events become tasks.
    pub makes_tasks: bool,
    /// How far its changes were read; `None` before the first round ends.
    pub cursor: Option<SyncCursor>,
    /// The provider's stamp of the whole calendar when the cursor was saved: the same stamp, nothing to pull.
    pub stamp: Option<String>,
    /// When a complete listing was last compared with what we hold (reconciliation: `caldav.md` §3.1).
    pub reconciled_at: Option<DateTime<Utc>>,
    /// When the provider stopped listing it.
    pub gone_at: Option<DateTime<Utc>>,
    /// Why its last round failed, when other calendars of the account went on.
    pub last_error: Option<String>,
    /// Grows with every change: the `ETag` of the resource.
    pub version: i64,
}

impl Calendar {
    /// Whether our changes may go out: selected, outbound, and the provider takes writes.
    #[must_use]
    pub fn takes_writes(&self) -> bool {
        self.selected && self.direction.outbound() && !self.read_only && self.gone_at.is_none()
    }

    /// Takes over what its provider says of it; whether that is something new.
    ///
    /// One that was gone and is listed again may be another under its name, or an older state of it: what was read of it before
    /// is no place to go on from, and everything is compared.
    pub fn follow(&mut self, listed: &RemoteCalendar) -> bool {
        let seen = (&listed.name, &listed.color, &listed.time_zone, listed.read_only, None);
        if (&self.name, &self.color, &self.time_zone, self.read_only, self.gone_at) == seen {
            return false;
        }
        self.name.clone_from(&listed.name);
        self.color.clone_from(&listed.color);
        self.time_zone.clone_from(&listed.time_zone);
        self.read_only = listed.read_only;
        if self.gone_at.take().is_some() {
            (self.cursor, self.stamp, self.reconciled_at) = (None, None, None);
        }
        self.version += 1;
        true
    }
}

/// A calendar as its provider lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCalendar {
    /// Its name at the provider.
    pub id: RemoteCalendarId,
    /// What people call it.
    pub name: String,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// IANA name of the zone its floating times are read in.
    pub time_zone: Option<String>,
    /// The provider takes no writes here.
    pub read_only: bool,
    /// A stamp that changes whenever anything inside does (`CalDAV`: the collection's sync token or ctag), so that an
    /// unchanged calendar costs no request of its own. `None`: ask.
    pub stamp: Option<String>,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn held() -> Calendar {
        Calendar {
            id: Uuid::nil().into(),
            account_id: Uuid::nil().into(),
            space_id: "s".parse().expect("a space"),
            remote_id: "/office/".into(),
            name: "Office".to_owned(),
            color: None,
            time_zone: None,
            read_only: false,
            selected: true,
            direction: Direction::Both,
            makes_tasks: false,
            cursor: Some("sync:9".into()),
            stamp: Some("sync:9".to_owned()),
            reconciled_at: Some(DateTime::UNIX_EPOCH),
            gone_at: None,
            last_error: None,
            version: 1,
        }
    }

    fn listed() -> RemoteCalendar {
        RemoteCalendar {
            id: "/office/".into(),
            name: "Office".to_owned(),
            color: None,
            time_zone: None,
            read_only: false,
            stamp: Some("sync:9".to_owned()),
        }
    }

    #[test]
    fn a_calendar_that_was_gone_and_is_back_begins_anew() {
        let mut calendar = held();
        assert!(!calendar.follow(&listed()));
        assert_eq!(calendar, held());
        assert!(calendar.follow(&RemoteCalendar { name: "Work".to_owned(), ..listed() }));
        assert_eq!((calendar.cursor.is_some(), calendar.version), (true, 2), "another name is no other calendar");
        calendar.gone_at = Some(DateTime::UNIX_EPOCH);
        assert!(calendar.follow(&listed()));
        let place = (&calendar.cursor, &calendar.stamp, calendar.reconciled_at, calendar.gone_at);
        assert_eq!(place, (&None, &None, None, None));
        assert_eq!(calendar.version, 3);
    }
}
