//! What a pull leaves to be decided about its calendar as a whole, once all pages are read.

use chrono::{DateTime, Utc};

use super::changes::DryRunLine;
use crate::{
    domain::{
        ids::{RemoteEventId, SyncCursor},
        mapping::MappingKey,
        round::Tally,
    },
    engine::sync::brake::Evidence,
};

/// What its provider failed to hand out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// How many events, and why.
    pub why: String,
    /// Everything was listed, though not handed out.
    pub complete: bool,
}

/// What a pull leaves to be decided about the calendar as a whole.
#[derive(Debug)]
pub struct Pulled {
    /// Mapped events before the pull.
    pub mapped: usize,
    /// Mapped events that are gone.
    pub removed: Vec<RemoteEventId>,
    /// How that was reported.
    pub evidence: Evidence,
    /// The cursor that the provider gave.
    pub cursor: Option<SyncCursor>,
    /// The provider failed to hand out an event: the next pull asks again.
    pub awaited: Option<Awaited>,
    /// A complete listing was compared with what we hold.
    pub reconciled: bool,
    /// The listing lacked something that we have just written: list completely again, soon.
    pub lagging: bool,
    /// What the provider asks for between polls, in seconds.
    pub interval_s: Option<u32>,
    /// What was done so far.
    pub tally: Tally,
    /// The same, line by line, for a dry run.
    pub planned: Vec<DryRunLine>,
    /// Something was changed there since the last pull.
    pub changed: bool,
    /// When the newest of these changes was made, as the provider says.
    pub newest: Option<DateTime<Utc>>,
}

impl Pulled {
    /// A calendar that is deserted, as if it had been read and nothing had been in it.
    #[must_use]
    pub fn of_deserted(held: Vec<MappingKey>) -> Self {
        Self {
            mapped: held.len(),
            removed: held.into_iter().map(|key| key.remote_id).collect(),
            evidence: Evidence::NoCalendar,
            cursor: None,
            awaited: None,
            reconciled: true,
            lagging: false,
            interval_s: None,
            tally: Tally::default(),
            planned: Vec::new(),
            changed: true,
            newest: None,
        }
    }

    /// The cursor to keep once the removals are settled; `began`: the one that the pull began with. While something is awaited it
    /// is that one: whatever else was listed since is known by its revision when it is listed again. Where everything was listed it
    /// may mean nothing any more, though a calendar that was made anew takes it later on.
    #[must_use]
    pub fn cursor_after<'c>(&'c self, began: Option<&'c SyncCursor>) -> Option<&'c SyncCursor> {
        match &self.awaited {
            None => self.cursor.as_ref(),
            Some(awaited) => began.filter(|_| !awaited.complete),
        }
    }
}
