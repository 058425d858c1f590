//! Queued writes: how urgent, how they join, what exactly is to be sent.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;

use super::sync::plan::Reason;
use crate::domain::{
    account::PrivacyLevel,
    calendar::Calendar,
    event::EventContent,
    ids::{Revision, Uid},
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

/// A remote copy as we hold it, at draining time.
#[derive(Clone, Copy, Debug)]
pub struct Copy<'a> {
    /// The last agreed content.
    pub base: &'a EventContent,
    /// Its version; `None`: unknown.
    pub revision: Option<&'a Revision>,
}

/// What is to be sent for one event and calendar, seen from what is stored *now*: the queue only says "look again".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Make the copy.
    Create,
    /// Bring the copy to our content.
    Update,
    /// Take the copy away.
    Delete,
    /// Learn the copy's version first, then decide again.
    Read,
    /// A create was sent and its answer lost, and the event is deleted since: find what it made, if anything.
    FindThenDelete,
    /// Nothing is owed any more.
    Settled,
}

/// Decides what one queued entry means now. `outbound`: our content as the provider may see it, `None` when deleted;
/// `attempted`: something was sent for this entry and never settled.
#[must_use]
pub fn next_write(outbound: Option<&EventContent>, copy: Option<Copy<'_>>, attempted: bool) -> Write {
    match (outbound, copy) {
        (Some(_), None) => Write::Create,
        (Some(outbound), Some(copy)) if outbound == copy.base && !attempted => Write::Settled,
        (Some(_) | None, Some(Copy { revision: None, .. })) => Write::Read,
        // Also when our content is back at the base: what was sent and never answered has been carried out, and this is refused;
        // or it is still under way, and then the version that this makes is not the one it was meant for.
        (Some(_), Some(_)) => Write::Update,
        (None, Some(_)) => Write::Delete,
        (None, None) if attempted => Write::FindThenDelete,
        (None, None) => Write::Settled,
    }
}

/// How long a request that nobody answered may still be under way.
const LATE: Duration = Duration::minutes(10);

/// Whether the create that an entry calls back may yet be carried out, though nothing is found of it: what it makes then is to be
/// found and deleted, not taken for somebody's new event (I-6). `deleted_at`: when the event was deleted, if it was.
#[must_use]
pub fn may_still_arrive(entry: &OutboxEntry, deleted_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    let called_back = deleted_at.or_else(|| entry.withdraws().then_some(entry.created_at));
    called_back.is_some_and(|at| now - at < LATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{event::Facts, time::EventTime};

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

    #[test]
    fn what_is_sent_follows_from_what_is_stored_now() {
        let time = EventTime::utc(at("2026-11-20T10:00:00Z"));
        let base = EventContent::single(Facts::new("a", time, time));
        let edited = EventContent::single(Facts::new("b", time, time));
        let revision = Revision::from("\"1\"");
        let copy = |revision| Some(Copy { base: &base, revision });
        assert_eq!(next_write(Some(&edited), None, false), Write::Create);
        assert_eq!(next_write(Some(&edited), copy(Some(&revision)), false), Write::Update);
        assert_eq!(next_write(Some(&base), copy(Some(&revision)), false), Write::Settled);
        assert_eq!(next_write(Some(&base), copy(Some(&revision)), true), Write::Update);
        assert_eq!(next_write(Some(&edited), copy(None), false), Write::Read);
        assert_eq!(next_write(None, copy(Some(&revision)), false), Write::Delete);
        assert_eq!(next_write(None, None, true), Write::FindThenDelete);
        assert_eq!(next_write(None, None, false), Write::Settled);
    }
}
