//! The account's calendars, each with a stamp: all that a round without changes costs.
//!
//! - **full look**: one `PROPFIND` a home, which shows each calendar's `ctag` or sync token. A server that computes those
//!   over all members works long for it: with 10,000 events Radicale takes 0.4 s for a ctag, 0.7 s for a sync token and
//!   20 s for the first one.
//! - **short look**: the same with `getlastmodified` alone, which costs that server a tenth.
//!
//! **Invariant:** a short look is believed only on a server whose ctag is a digest of all members (its kind computes
//! `getlastmodified` over all members as well), only when the calendar was at rest while the full look was made, and only
//! for [`FULL_LOOK_EVERY`] after it, which is less than the time between polls: whatever it could miss, the poll finds.

use std::{collections::BTreeMap, time::Duration};

use chrono::TimeDelta;
use tokio::time::Instant;
use url::Url;

use super::{
    Caldav,
    convert::{self, SyncMark},
    discover,
    exchange::{MultistatusAnswer, http_date},
    href,
    request::{Depth, PropfindQuery, propfind},
    wire::{DavResponse, ResourceKind},
};
use crate::{
    domain::{calendar::RemoteCalendar, failure::FailureClass},
    provider::{ProviderError, Result},
};

/// How long short looks stand in for full ones.
const FULL_LOOK_EVERY: Duration = Duration::from_mins(9);
/// `getlastmodified` counts whole seconds: what was touched this shortly before the look may be touched again unseen.
const REST: TimeDelta = TimeDelta::seconds(2);

/// A full look that a short one may confirm.
#[derive(Clone, Debug)]
pub(super) struct FullLook {
    at: Instant,
    calendars: Vec<RemoteCalendar>,
    touched: Touched,
}

/// When each calendar was last touched, by its key.
type Touched = BTreeMap<String, String>;

/// What one home lists.
#[derive(Default)]
struct Listed {
    calendars: Vec<(String, RemoteCalendar, SyncMark)>,
    /// `None`: a short look would not do.
    touched: Option<Touched>,
}

impl Caldav {
    /// The calendars of all homes. A home that is closed to us hides nothing as long as another answers.
    pub(super) async fn list(&self, homes: &[Url]) -> Result<Vec<RemoteCalendar>> {
        let main =
            homes.first().ok_or_else(|| ProviderError::new(FailureClass::Refused, "there is no calendar home"))?;
        if let Some(calendars) = self.unchanged(main, homes).await? {
            return Ok(calendars);
        }
        let at = Instant::now();
        let mut found: BTreeMap<String, RemoteCalendar> = BTreeMap::new();
        let (mut marks, mut touched) = (BTreeMap::new(), Some(Touched::new()));
        let (mut answered, mut closed) = (false, None);
        for home in homes {
            match self.list_home(main, home).await {
                Ok(listed) => {
                    answered = true;
                    for (key, calendar, mark) in listed.calendars {
                        marks.insert(calendar.id.clone(), mark);
                        found.entry(key).or_insert(calendar);
                    }
                    touched = touched.zip(listed.touched).map(|(mut all, more)| {
                        all.extend(more);
                        all
                    });
                }
                Err(error) if matches!(error.class, FailureClass::Forbidden | FailureClass::Gone) => {
                    touched = None;
                    closed = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if let (false, Some(error)) = (answered, closed) {
            return Err(error);
        }
        let calendars: Vec<_> = found.into_values().collect();
        let mut memory = self.memory();
        memory.marks = marks;
        memory.seen = touched.map(|touched| FullLook { at, calendars: calendars.clone(), touched });
        Ok(calendars)
    }

    /// The short look: the calendars as last listed, if nothing was touched since.
    async fn unchanged(&self, main: &Url, homes: &[Url]) -> Result<Option<Vec<RemoteCalendar>>> {
        let Some(seen) = self.memory().seen.clone().filter(|seen| seen.at.elapsed() < FULL_LOOK_EVERY) else {
            return Ok(None);
        };
        let mut touched = Touched::new();
        for home in homes {
            let answer = self.look(home, PropfindQuery::Touched).await?;
            for row in answer.body.rows.iter().filter(|row| is_calendar(row)) {
                touched.insert(key(&answer, main, row).unwrap_or_default(), when(row).unwrap_or_default());
            }
        }
        Ok((touched == seen.touched).then_some(seen.calendars))
    }

    async fn list_home(&self, main: &Url, home: &Url) -> Result<Listed> {
        let tokens = self.memory().tokens;
        let mut answer = None;
        if tokens != Some(true) {
            let first = self.look(home, PropfindQuery::Calendars).await?;
            let enough = first.body.rows.iter().filter(|row| is_calendar(row)).all(needs_no_token);
            self.memory().tokens = Some(!enough);
            answer = enough.then_some(first);
        }
        let answer = match answer {
            Some(answer) => answer,
            None => self.look(home, PropfindQuery::CalendarsAndTokens).await?,
        };
        let mut listed = Listed { touched: Some(Touched::new()), ..Listed::default() };
        for row in answer.body.rows.iter().filter(|row| is_calendar(row)) {
            let Some(key) = key(&answer, main, row) else { continue };
            listed.touched = listed.touched.filter(|_| is_digest(row) && at_rest(&answer, row));
            if let Some(touched) = &mut listed.touched {
                touched.insert(key.clone(), when(row).unwrap_or_default());
            }
            if let Some(mut calendar) = convert::calendar(&answer.url, main, row)
                && let Some(mut mark) = row.collection().map(SyncMark::of)
            {
                // What changes in this very second must be asked for again: no stamp that could be equal next time.
                if mark.may_come_again(answer.date.unwrap_or_else(|| self.exchange.world().now())) {
                    calendar.stamp = None;
                    mark = mark.without_ctag();
                }
                listed.calendars.push((key, calendar, mark));
            }
        }
        Ok(listed)
    }

    async fn look(&self, home: &Url, ask: PropfindQuery) -> Result<MultistatusAnswer> {
        let depth = if discover::is_calendar(home) { Depth::Zero } else { Depth::One };
        let answer = self.exchange.ask(propfind(home.clone(), depth, ask), "listing the calendars").await?;
        if answer.body.rows.iter().any(|row| row.status == Some(507)) {
            return Err(ProviderError::new(FailureClass::Transient, "the server lists only a part of the calendars"));
        }
        Ok(answer)
    }
}

fn is_calendar(row: &DavResponse) -> bool {
    row.is(ResourceKind::Calendar) && !row.is(ResourceKind::Special)
}

fn is_digest(row: &DavResponse) -> bool {
    row.collection().is_some_and(|held| SyncMark::of(held).is_digest())
}

/// Whether a token would say no more: where there is a digest, or one already, or the server does no sync reports.
fn needs_no_token(row: &DavResponse) -> bool {
    is_digest(row) || row.collection().is_none_or(|held| held.sync_token.is_some() || held.syncs == Some(false))
}

fn key(answer: &MultistatusAnswer, main: &Url, row: &DavResponse) -> Option<String> {
    href::resolve(&answer.url, &row.href).and_then(|url| href::key(main, url.as_str()))
}

fn when(row: &DavResponse) -> Option<String> {
    row.props.last_modified.clone()
}

/// Whether nothing was touched in the seconds before the look, by the server's own clock.
fn at_rest(answer: &MultistatusAnswer, row: &DavResponse) -> bool {
    let touched = row.props.last_modified.as_deref().and_then(http_date);
    touched.zip(answer.date).is_some_and(|(touched, now)| touched + REST <= now)
}
