//! Queued writes: what a change owes, how urgent it is, how entries join.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;

use super::sync::plan::Reason;
use crate::domain::{
    account::PrivacyLevel,
    calendar::Calendar,
    ids::Uid,
    mapping::{Event, Mapping},
    outbox::{OutboxEntry, OutboxState, WriteIntent, WriteOp},
    ports::World,
};

/// Smallest number first: starts within an hour 1, a delete 2, within a day 3, within a week 5, later 7.
#[must_use]
pub fn priority(op: WriteOp, start: DateTime<Utc>, now: DateTime<Utc>) -> u8 {
    let ahead = start - now;
    let soon = |limit: Duration| ahead >= Duration::zero() && ahead <= limit;
    if op != WriteOp::Delete && soon(Duration::hours(1)) {
        1
    } else if op == WriteOp::Delete {
        2
    } else if soon(Duration::hours(24)) {
        3
    } else if soon(Duration::days(7)) {
        5
    } else {
        7
    }
}

/// What a change here owes to one calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owes {
    /// A write.
    Write(WriteOp),
    /// A create that was never sent and is deleted again was never owed: it leaves the queue.
    Unqueue,
    /// Nothing.
    Nothing,
}

/// Decides what an event that was changed or deleted here owes to a calendar where it has a copy (`mapped`) or shall have one.
#[must_use]
pub fn owes(deleted: bool, mapped: bool, queued: Option<&OutboxEntry>) -> Owes {
    match (deleted, mapped, queued) {
        (false, true, _) => Owes::Write(WriteOp::Update),
        (false, false, _) => Owes::Write(WriteOp::Create),
        (true, false, Some(entry)) if entry.sent.is_empty() => Owes::Unqueue,
        (true, false, None) => Owes::Nothing,
        (true, _, _) => Owes::Write(WriteOp::Delete),
    }
}

/// A queue entry that says "look at this event again". `zone` dates what has no time zone.
#[must_use]
pub fn entry(
    event: &Event,
    calendar: &Calendar,
    (op, key, reason): (WriteOp, Uid, Reason),
    zone: Tz,
    world: &World,
) -> OutboxEntry {
    let now = world.now();
    OutboxEntry {
        id: world.new_id(),
        space_id: calendar.space_id.clone(),
        account_id: calendar.account_id,
        calendar_id: calendar.id,
        event_id: event.id,
        op,
        intent: if reason == Reason::Unlinked { WriteIntent::Withdraw } else { WriteIntent::Follow },
        key,
        sent: Vec::new(),
        priority: priority(op, event.content.facts.start.instant(zone), now),
        state: OutboxState::Queued,
        attempts: 0,
        not_before: now,
        event_version: event.version,
        reason: reason.as_str().to_owned(),
        last_error: None,
        created_at: now,
    }
}

/// What a copy owes that a calendar has missed while it took no writes.
#[must_use]
pub fn missed(event: &Event, copy: &Mapping, level: PrivacyLevel) -> Option<WriteOp> {
    if event.deleted_at.is_some() {
        return Some(WriteOp::Delete);
    }
    // Less may be shown by now of a copy that we made than when it was last written.
    let reduced = copy.created_by_us && level != PrivacyLevel::Full;
    (reduced || event.content != copy.base).then_some(WriteOp::Update)
}

/// The queue's entry for one event and calendar once `new` has joined it: the key chosen and what was sent under it stay, or a
/// create done twice would make two events.
#[must_use]
pub fn joined(queued: Option<OutboxEntry>, new: &OutboxEntry) -> OutboxEntry {
    let Some(queued) = queued else { return new.clone() };
    // Its owner wants this copy gone, whatever the event says by then.
    if queued.withdraws() && !new.withdraws() {
        return queued;
    }
    // A copy that is made again has a fresh name, because the old one may be in a bin, or another event by now.
    let again = queued.op == WriteOp::Create && new.op == WriteOp::Create;
    let key = if queued.sent.is_empty() && !again { new.key.clone() } else { queued.key };
    // From when it is wanted gone counts how long what was sent before may yet arrive.
    let created_at = if new.withdraws() { new.created_at } else { queued.created_at };
    OutboxEntry { id: queued.id, key, sent: queued.sent, created_at, ..new.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn what_starts_soon_goes_first_and_a_delete_goes_second() {
        let now = at("2026-11-20T10:00:00Z");
        let asked = [
            (WriteOp::Update, "2026-11-20T10:30:00Z", 1),
            (WriteOp::Delete, "2026-11-20T10:30:00Z", 2),
            (WriteOp::Create, "2026-11-21T09:00:00Z", 3),
            (WriteOp::Create, "2026-11-25T09:00:00Z", 5),
            (WriteOp::Update, "2027-11-25T09:00:00Z", 7),
            (WriteOp::Update, "2020-11-25T09:00:00Z", 7),
        ];
        for (op, start, expected) in asked {
            assert_eq!(priority(op, at(start), now), expected, "{op} at {start}");
        }
    }
}
