//! Busy time: `freebusy.query`, in pieces that Google accepts.

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::{Google, classify::GoogleAction, item::Item, request};
use crate::{
    domain::{
        availability::{Busy, BusySpan},
        ids::RemoteCalendarId,
    },
    provider::{FreeBusy, Result},
};

/// Calendars per question (`calendarExpansionMax`).
const CALENDARS_MAX: usize = 50;
/// Days per question: the longest span is not published, and refused when exceeded.
const DAYS_MAX: i64 = 60;

#[async_trait]
impl FreeBusy for Google {
    async fn busy(&self, calendars: &[RemoteCalendarId], from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Busy>> {
        let mut busy = Vec::with_capacity(calendars.len());
        for asked in calendars.chunks(CALENDARS_MAX) {
            let mut sums: Vec<Busy> = asked.iter().map(|_| Busy::Known(Vec::new())).collect();
            let mut start = from;
            while start < to {
                let end = to.min(start + Duration::days(DAYS_MAX));
                let items: Vec<_> = asked.iter().map(|calendar| json!({ "id": calendar.as_str() })).collect();
                let question = json!({ "timeMin": stamp(start), "timeMax": stamp(end), "items": items });
                let request = request::free_busy(self.at(&["freeBusy"]), &question);
                let answer = self.ask(request, GoogleAction::Reading("asking for busy time")).await?;
                for (sum, calendar) in sums.iter_mut().zip(asked) {
                    add(sum, piece(&answer, calendar));
                }
                start = end;
            }
            busy.extend(sums);
        }
        Ok(busy)
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What one answer says of one calendar. Neither busy time nor an error is as little known as an error.
fn piece(answer: &Item, calendar: &RemoteCalendarId) -> Busy {
    let entry = answer.inside("calendars").and_then(|all| all.get(calendar.as_str()));
    let failed = entry.and_then(|entry| entry.get("errors")).and_then(Value::as_array).is_some_and(|e| !e.is_empty());
    let Some(spans) = entry.filter(|_| !failed).and_then(|entry| entry.get("busy")).and_then(Value::as_array) else {
        return Busy::Unknown("the provider does not report this calendar's busy time".to_owned());
    };
    let at = |span: &Value, name: &str| {
        let text = span.get(name)?.as_str()?;
        DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
    };
    let read = spans.iter().filter_map(|span| Some(BusySpan { start: at(span, "start")?, end: at(span, "end")? }));
    Busy::Known(read.filter(|span| span.start < span.end).collect())
}

/// Joins the answers to two neighbouring questions; a span that crosses their border is one.
fn add(sum: &mut Busy, more: Busy) {
    match (sum, more) {
        (Busy::Known(spans), Busy::Known(more)) => {
            for span in more {
                match spans.last_mut() {
                    Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                    _ => spans.push(span),
                }
            }
        }
        (Busy::Unknown(_), _) => {}
        (known, unknown) => *known = unknown,
    }
}
