//! What questions for busy time rely on.

use calwarden::domain::{
    availability::{Busy, BusySpan},
    event::Transparency::{Opaque, Transparent},
};
use chrono::{DateTime, Utc};

use super::subject::{Account, Subject};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn span(start: &str, end: &str) -> BusySpan {
    BusySpan { start: at(start), end: at(end) }
}

async fn busy(subject: &Subject, account: &Account, from: &str, to: &str) -> Vec<Busy> {
    let asked = [account.calendar.clone(), subject.nowhere.as_str().into(), account.calendar.clone()];
    let keeper = account.provider.free_busy().expect("it knows busy time");
    keeper.busy(&asked, at(from), at(to)).await.expect("an answer")
}

pub async fn what_takes_time_shows_and_what_is_free_does_not(subject: &Subject) {
    let account = subject.account().await;
    let hours = [
        (span("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z"), Opaque),
        (span("2026-12-01T13:00:00Z", "2026-12-01T14:00:00Z"), Transparent),
        (span("2026-12-02T10:00:00Z", "2026-12-02T11:00:00Z"), Opaque),
    ];
    for (hour, transparency) in hours {
        subject.there.book(hour.start, hour.end, transparency).await;
    }
    let told = busy(subject, &account, "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z").await;
    let [one, nowhere, again] = told.as_slice() else { panic!("in the order asked: {told:#?}") };
    assert_eq!(*one, Busy::Known(vec![hours[0].0]));
    assert!(matches!(nowhere, Busy::Unknown(_)), "what is not known is not free: {nowhere:?}");
    assert_eq!(one, again);
}

pub async fn months_are_asked_for_at_once(subject: &Subject) {
    let account = subject.account().await;
    let mut wanted = Vec::new();
    for month in 1..=12 {
        let hour = span(&format!("2027-{month:02}-28T22:00:00Z"), &format!("2027-{month:02}-28T23:00:00Z"));
        subject.there.book(hour.start, hour.end, Opaque).await;
        wanted.push(hour);
    }
    let told = busy(subject, &account, "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z").await;
    assert_eq!(told[0], Busy::Known(wanted));
}
