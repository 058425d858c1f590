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
