//! One named repair for each real-world offence.
//!
//! Repairs that need no code of their own: a date without `VALUE=DATE`, blanks around a value and `24:00:00` are read as
//! meant by [`value::stamp`](super::value::stamp); a doubled `DTSTAMP` counts once, the first; a missing `DTSTAMP` is
//! nobody's loss; `COMPLETED` as a date and `CREATED` in the year 0 are never read and stay as they are.
//!
//! **Invariant:** a repair is idempotent, and what it makes is written in a form that needs no repair.

use chrono::{NaiveDateTime, NaiveTime};
use chrono_tz::Tz;

use super::value::IcalDuration;
use crate::domain::time::{EventTime, Zone};

/// `VALUE=DATE` beside a midnight: a date was meant.
pub(super) fn midnight_marked_as_date(time: EventTime) -> EventTime {
    if time.wall().time() == NaiveTime::MIN { EventTime::Date(time.wall().date()) } else { time }
}

/// The end of an event whatever its text says of it.
///
/// `DTEND` beside `DURATION`: the former counts. Another kind of time than the start, or a floating end of a zoned event: it
/// takes the start's kind. Before the start: there is none. None: the next day for a date, the same moment for a time
/// (RFC 5545 §3.6.1). A date that ends on itself: one day.
pub(super) fn end(start: &EventTime, dtend: Option<EventTime>, duration: Option<IcalDuration>) -> EventTime {
    let given = dtend.map(|end| like_start(start, end)).or_else(|| duration.and_then(|span| span.after(start)));
    let none = if start.is_all_day() { IcalDuration { days: 1, seconds: 0 }.after(start) } else { None };
    match given {
        Some(end) if end.instant(Tz::UTC) > start.instant(Tz::UTC) => end,
        Some(end) if !start.is_all_day() && end.instant(Tz::UTC) == start.instant(Tz::UTC) => end,
        _ => none.unwrap_or(*start),
    }
}

fn like_start(start: &EventTime, end: EventTime) -> EventTime {
    match (start, end) {
        (EventTime::Date(_), EventTime::DateTime { local, .. }) => {
            let day = local.date();
            let midnight = local.time() == NaiveTime::MIN;
            EventTime::Date(if midnight { day } else { day.succ_opt().unwrap_or(day) })
        }
        (EventTime::DateTime { .. }, EventTime::Date(day)) => start.with_wall(day.and_time(NaiveTime::MIN)),
        (EventTime::DateTime { zone: Zone::Floating, .. }, EventTime::DateTime { local, .. })
        | (EventTime::DateTime { .. }, EventTime::DateTime { local, zone: Zone::Floating }) => start.with_wall(local),
        (EventTime::Date(_), EventTime::Date(_)) | (EventTime::DateTime { .. }, EventTime::DateTime { .. }) => end,
    }
}

/// `X-MICROSOFT-CDO-ALLDAYEVENT:TRUE` on an event from midnight to midnight: Outlook means dates.
pub(super) fn all_day_by_flag(start: EventTime, end: EventTime) -> (EventTime, EventTime) {
    let midnight = |wall: NaiveDateTime| wall.time() == NaiveTime::MIN;
    if midnight(start.wall()) && midnight(end.wall()) && start.wall() < end.wall() {
        (EventTime::Date(start.wall().date()), EventTime::Date(end.wall().date()))
    } else {
        (start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> EventTime {
        EventTime::Date(text.parse().expect("a date"))
    }

    fn paris(text: &str) -> EventTime {
        EventTime::zoned(text.parse().expect("a wall time"), Tz::Europe__Paris)
    }

    fn floating(text: &str) -> EventTime {
        EventTime::DateTime { local: text.parse().expect("a wall time"), zone: Zone::Floating }
    }

    #[test]
    fn an_end_is_found_whatever_the_text_says() {
        let day = date("2026-03-01");
        assert_eq!(end(&day, None, None), date("2026-03-02"));
        assert_eq!(end(&day, Some(day), None), date("2026-03-02"));
        assert_eq!(end(&day, Some(date("2026-02-01")), None), date("2026-03-02"));
        assert_eq!(end(&day, Some(floating("2026-03-03T09:00:00")), None), date("2026-03-04"));
        assert_eq!(end(&day, None, Some(IcalDuration { days: 0, seconds: 3600 })), date("2026-03-02"));
        let nine = paris("2026-03-01T09:00:00");
        assert_eq!(end(&nine, None, None), nine);
        assert_eq!(end(&nine, Some(paris("2026-03-01T08:00:00")), None), nine);
        assert_eq!(end(&nine, Some(floating("2026-03-01T10:00:00")), None), paris("2026-03-01T10:00:00"));
        assert_eq!(end(&nine, Some(date("2026-03-02")), None), paris("2026-03-02T00:00:00"));
        let both = end(&nine, Some(paris("2026-03-01T10:00:00")), Some(IcalDuration { days: 0, seconds: 60 }));
        assert_eq!(both, paris("2026-03-01T10:00:00"));
    }

    #[test]
    fn outlooks_flag_makes_days_of_midnights_only() {
        let (from, to) = (floating("2026-03-01T00:00:00"), floating("2026-03-02T00:00:00"));
        assert_eq!(all_day_by_flag(from, to), (date("2026-03-01"), date("2026-03-02")));
        let nine = floating("2026-03-01T09:00:00");
        assert_eq!(all_day_by_flag(nine, to), (nine, to));
    }
}
