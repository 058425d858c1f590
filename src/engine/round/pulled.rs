//! What a pull leaves to be decided about its calendar as a whole, once all pages are read.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::changes::DryRunLine;
use crate::{
    domain::{
        conflict::Evidence,
        event::EventContent,
        ids::{RemoteEventId, SyncCursor},
        mapping::MappingKey,
        page::Covers,
        round::Tally,
    },
    engine::recurrence::span,
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
    /// Which events were shown.
    pub covers: Covers,
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
            covers: Covers::Everything,
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

    /// Whether an event would have been shown if it were there: what has ended leaves a window that moves, and was not deleted.
    #[must_use]
    pub fn would_show(&self, content: &EventContent, floating_in: Tz, now: DateTime<Utc>) -> bool {
        match self.covers {
            Covers::Everything => true,
            Covers::NotOver => span(content, floating_in).1.is_none_or(|end| end >= now),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{event::Facts, time::EventTime},
        engine::samples::at,
    };

    #[test]
    fn what_has_ended_leaves_a_window_that_moves_and_was_not_deleted() {
        let event = |from: &str, to: &str| {
            EventContent::single(Facts::new("Lunch", EventTime::utc(at(from)), EventTime::utc(at(to))))
        };
        let over = event("2026-05-04T08:00:00Z", "2026-05-04T09:59:59Z");
        let ends_now = event("2026-05-04T08:00:00Z", "2026-05-04T10:00:00Z");
        let mut daily = over.clone();
        daily.recurrence.rules.push("FREQ=DAILY".to_owned());
        let mut twice = event("2026-04-04T08:00:00Z", "2026-04-04T09:00:00Z");
        twice.recurrence.rules.push("FREQ=DAILY;COUNT=2".to_owned());
        let pulled = |covers| Pulled { covers, ..Pulled::of_deserted(Vec::new()) };
        let shown = |covers, content| pulled(covers).would_show(content, Tz::UTC, at("2026-05-04T10:00:00Z"));
        assert_eq!([&over, &ends_now, &daily, &twice].map(|it| shown(Covers::NotOver, it)), [false, true, true, false]);
        assert!(shown(Covers::Everything, &over));
    }
}
