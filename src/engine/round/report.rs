//! What a round came to, for its line in the log, for its account's machine and for its owner.

use chrono::{DateTime, Duration, Utc};

use super::{changes::DryRunLine, pulled::Pulled};
use crate::domain::{
    failure::{FailureClass, ProviderError},
    ids::CalendarId,
    notice::counted,
    round::{Outcome, Tally},
};

/// A notification comes within this time of its change, or not at all.
const NOTIFIED_WITHIN: Duration = Duration::minutes(2);

/// What a round came to.
#[derive(Clone, Debug)]
pub struct RoundSummary {
    /// How it ended.
    pub outcome: Outcome,
    /// The failure that ended it or a part of it.
    pub failure: Option<ProviderError>,
    /// What it did.
    pub tally: Tally,
    /// When the queue wants attention again.
    pub next_outbox_at: Option<DateTime<Utc>>,
    /// What the provider asks for between polls, in seconds.
    pub interval_s: Option<u32>,
    /// Not every calendar is watched that should be.
    pub unwatched: bool,
    /// In words for the owner.
    pub note: Option<String>,
}

/// What a round has done so far.
#[derive(Debug, Default)]
pub struct RoundTotals {
    /// In numbers.
    pub tally: Tally,
    /// Line by line, for a dry run.
    pub planned: Vec<DryRunLine>,
    /// Calendars read, or found to be as they were.
    pub calendars_ok: usize,
    /// Not every calendar is watched that should be.
    pub unwatched: bool,
    failures: Vec<(String, ProviderError)>,
    interval_s: Option<u32>,
    /// Calendars with changes, and when the newest was made, as their provider says.
    changed: Vec<(CalendarId, Option<DateTime<Utc>>)>,
}

impl RoundTotals {
    /// A calendar was read.
    pub fn pulled(&mut self, calendar: CalendarId, pulled: &Pulled) {
        self.calendars_ok += 1;
        if pulled.changed {
            self.changed.push((calendar, pulled.newest));
        }
    }

    /// What was done for a calendar while it was read.
    pub fn add(&mut self, pulled: &Pulled) {
        self.tally += pulled.tally;
        self.planned.extend(pulled.planned.iter().cloned());
        self.interval_s = pulled.interval_s.or(self.interval_s);
    }

    /// Something failed; `what`: in a word for the owner.
    pub fn failed(&mut self, what: &str, error: ProviderError) {
        self.failures.push((what.to_owned(), error));
    }

    /// Calendars with changes.
    #[must_use]
    pub fn changed(&self) -> Vec<CalendarId> {
        self.changed.iter().map(|(calendar, _)| *calendar).collect()
    }

    /// Of these, the ones whose channel should have notified us by now.
    #[must_use]
    pub fn unheard(&self, now: DateTime<Utc>) -> Vec<(CalendarId, DateTime<Utc>)> {
        let dated = self.changed.iter().filter_map(|(calendar, newest)| Some((*calendar, (*newest)?)));
        dated.filter(|(_, at)| now - *at > NOTIFIED_WITHIN).collect()
    }

    /// The round has ended; `failure`: what ended it early.
    #[must_use]
    pub fn end(mut self, failure: Option<ProviderError>) -> RoundSummary {
        if let Some(error) = failure {
            self.calendars_ok = 0;
            self.failed("account", error);
        }
        let tally = self.tally;
        let refused = self.failures.iter().any(|(_, error)| error.class == FailureClass::Unauthorised);
        let outcome = if refused {
            Outcome::Unauthorised
        } else if !self.failures.is_empty() && self.calendars_ok == 0 {
            Outcome::Failed
        } else if tally.held > 0 {
            Outcome::Held
        } else if !self.failures.is_empty() || tally.unreadable > 0 {
            Outcome::Partial
        } else {
            Outcome::Ok
        };
        let mut notes: Vec<_> = self.failures.iter().map(|(what, error)| format!("{what}: {}", error.detail)).collect();
        if tally.unreadable > 0 {
            let events = counted(tally.unreadable as usize, "event");
            notes.push(format!("{events} could not be read; nothing here was changed for that"));
        }
        if tally.held > 0 {
            notes.push(format!("{} held until you approve", counted(tally.held as usize, "deletion")));
        }
        RoundSummary {
            outcome,
            failure: self.failures.into_iter().map(|(_, error)| error).next(),
            tally,
            next_outbox_at: None,
            interval_s: self.interval_s,
            unwatched: self.unwatched,
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        }
    }
}
