//! What a pull has seen, against what we held when it began: pure, so that every order of pages can be tried.
//!
//! - **gone**: a mapped event that the provider says is removed, or that a *finished* snapshot lacks (S6).
//! - **moved**: an event that came under a new name while its old name may have gone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};

use super::{
    batch::Batch,
    changes::{Changes, DryRunLine},
    pulled::{Awaited, Pulled},
};
use crate::{
    domain::{
        conflict::Evidence,
        event::EventContent,
        ids::{EventId, RemoteEventId, Revision, SyncCursor, Uid},
        mapping::{MappingKey, RemoteEvent},
        notice::counted,
        outbox::{OutboxEntry, WriteOp},
        page::{ChangePage, Covers, Next, PageKind, Unreadable, UnreadableEvent},
        round::Tally,
    },
    engine::sync::matching::Candidates,
};

/// Changed events are decided and committed in batches of at least this many, so that a page costs no disk flush of its own.
const BATCH: usize = 500;
/// A listing may lag behind our own write for this long; what we have just written is not missed before.
const LISTING_LAG: Duration = Duration::seconds(60);
/// For so long a calendar's cursor waits for an event that its provider fails to hand out; then it goes on without it.
const PATIENCE: Duration = Duration::hours(24);

/// What we hold of one calendar while a pull runs.
#[derive(Debug, Default)]
pub struct KnownCopies {
    by_remote: BTreeMap<RemoteEventId, MappingKey>,
    by_uid: BTreeMap<Uid, RemoteEventId>,
    unreadable: BTreeMap<RemoteEventId, UnreadableEvent>,
    queued: BTreeMap<EventId, OutboxEntry>,
}

impl KnownCopies {
    /// Collects it.
    #[must_use]
    pub fn new(index: Vec<MappingKey>, unreadable: Vec<UnreadableEvent>, queued: Vec<OutboxEntry>) -> Self {
        Self {
            by_uid: index.iter().map(|key| (key.uid.clone(), key.remote_id.clone())).collect(),
            by_remote: index.into_iter().map(|key| (key.remote_id.clone(), key)).collect(),
            unreadable: unreadable.into_iter().map(|row| (row.remote_id.clone(), row)).collect(),
            queued: queued.into_iter().map(|entry| (entry.event_id, entry)).collect(),
        }
    }

    /// The version that we have read of a remote event, readable or not.
    #[must_use]
    pub fn revision(&self, id: &RemoteEventId) -> Option<&Revision> {
        match self.by_remote.get(id) {
            Some(held) => held.revision.as_ref(),
            None => self.unreadable.get(id).and_then(|row| row.revision.as_ref()),
        }
    }

    /// Whether a remote event is mapped to one of ours.
    #[must_use]
    pub fn has(&self, id: &RemoteEventId) -> bool {
        self.by_remote.contains_key(id)
    }

    /// Whether it could not be read the last time.
    #[must_use]
    pub fn was_unreadable(&self, id: &RemoteEventId) -> bool {
        self.unreadable.contains_key(id)
    }

    /// Since when its provider has failed to hand it out.
    #[must_use]
    pub fn awaited_since(&self, id: &RemoteEventId) -> Option<DateTime<Utc>> {
        self.unreadable.get(id).filter(|row| row.revision.is_none()).map(|row| row.seen_at)
    }

    /// What was sent for an event and never confirmed.
    #[must_use]
    pub fn sent(&self, event: EventId) -> &[EventContent] {
        self.queued.get(&event).map_or(&[], |entry| &entry.sent)
    }

    /// Whether a queued create is to make a remote event of this name: it is that one.
    #[must_use]
    pub fn is_to_be(&self, event: EventId, uid: &Uid) -> bool {
        self.queued.get(&event).is_some_and(|entry| entry.op == WriteOp::Create && entry.key == *uid)
    }

    /// Takes in what was just committed.
    pub fn hold_all(&mut self, changes: &Changes) {
        for mapping in &changes.mappings {
            self.unreadable.remove(&mapping.remote_id);
            self.by_uid.insert(mapping.uid.clone(), mapping.remote_id.clone());
            self.by_remote.insert(mapping.remote_id.clone(), MappingKey::from(mapping));
        }
    }

    fn may_be_listed(&self, id: &RemoteEventId, now: DateTime<Utc>) -> bool {
        self.by_remote.get(id).is_none_or(|held| !held.created_by_us || now - held.updated_at > LISTING_LAG)
    }
}

/// Our events without a mapping in this calendar, for remote events that come without one; each is found once.
#[derive(Debug)]
pub struct Unbound {
    named: BTreeMap<Uid, EventId>,
    candidates: Candidates<EventId>,
    taken: BTreeSet<EventId>,
}

impl Unbound {
    /// Collects them: what is queued for this calendar, the events that could be in it, as the provider would see them, and
    /// the own names of those that have no home.
    pub fn new(
        queued: &[OutboxEntry],
        unlinked: impl IntoIterator<Item = (EventId, EventContent)>,
        homeless: impl IntoIterator<Item = (Uid, EventId)>,
    ) -> Self {
        let attempted: BTreeSet<_> =
            queued.iter().filter(|entry| !entry.sent.is_empty()).map(|entry| entry.event_id).collect();
        // What was already sent is recognised by its key, never by its looks.
        let candidates = unlinked.into_iter().filter(|(event, _)| !attempted.contains(event));
        let queued = queued.iter().map(|entry| (entry.key.clone(), entry.event_id));
        Self {
            named: homeless.into_iter().chain(queued).collect(),
            candidates: Candidates::new(candidates),
            taken: BTreeSet::new(),
        }
    }

    /// The local event that a remote event without a mapping is: by the key of a create or by its name, else by its looks.
    pub fn counterpart(&mut self, remote: &RemoteEvent) -> Option<EventId> {
        let named = self.named.remove(&remote.uid).filter(|event| !self.taken.contains(event));
        let found = named.or_else(|| self.candidates.take(&remote.content).filter(|event| !self.taken.contains(event)));
        self.taken.extend(found);
        found
    }
}

/// What a pull has seen so far.
#[derive(Debug, Default)]
pub struct Sweep {
    mapped: usize,
    began: DateTime<Utc>,
    /// The last that was read of each: an event may be listed again on a later page, changed in between.
    changed: BTreeMap<RemoteEventId, RemoteEvent>,
    moved: Vec<RemoteEvent>,
    unreadable: Vec<Unreadable>,
    awaited: BTreeMap<RemoteEventId, String>,
    seen: BTreeSet<RemoteEventId>,
    removed: BTreeSet<RemoteEventId>,
    renamed: BTreeSet<RemoteEventId>,
    snapshot: bool,
    covers: Covers,
    handled: u32,
    expected: Option<u32>,
    interval_s: Option<u32>,
    tally: Tally,
    planned: Vec<DryRunLine>,
    any: bool,
    newest: Option<DateTime<Utc>>,
}

impl Sweep {
    /// Begins.
    #[must_use]
    pub fn over(held: &KnownCopies, now: DateTime<Utc>) -> Self {
        Self { mapped: held.by_remote.len(), began: now, ..Self::default() }
    }

    /// Takes in a page; answers what follows it, and what is to be decided now: nothing before there is enough of it, unless it is the
    /// last page.
    pub fn take(&mut self, page: ChangePage, held: &KnownCopies) -> (Next, Batch) {
        (self.snapshot, self.covers) = (page.kind == PageKind::Snapshot, page.covers);
        self.expected = page.expected.or(self.expected);
        self.interval_s = page.interval_s.or(self.interval_s);
        let handled = page.changed.len() + page.unreadable.len() + page.removed.len();
        self.handled = self.handled.saturating_add(u32::try_from(handled).unwrap_or(u32::MAX));
        if self.snapshot {
            self.seen.extend(page.present);
            self.seen.extend(page.changed.iter().map(|event| event.id.clone()));
            self.seen.extend(page.unreadable.iter().map(|event| event.id.clone()));
        }
        for id in &page.removed {
            self.changed.remove(id);
            self.awaited.remove(id);
        }
        let tired = |since| self.began - since >= PATIENCE;
        let awaited = page.unreadable.iter().filter(|event| event.may_pass);
        let awaited = awaited.filter(|event| !held.awaited_since(&event.id).is_some_and(tired));
        self.awaited.extend(awaited.map(|event| (event.id.clone(), event.why.clone())));
        self.removed.extend(page.removed);
        self.unreadable.extend(page.unreadable);
        for event in page.changed {
            self.removed.remove(&event.id);
            self.awaited.remove(&event.id);
            let known = held.revision(&event.id);
            if known.is_some() && known == event.revision.as_ref() {
                continue;
            }
            (self.any, self.newest) = (true, self.newest.max(event.changed_at));
            let other_name = held.by_uid.get(&event.uid).is_some_and(|name| *name != event.id);
            if other_name && !held.has(&event.id) {
                self.moved.retain(|earlier| earlier.id != event.id);
                self.moved.push(event);
            } else {
                self.changed.insert(event.id.clone(), event);
            }
        }
        let mut batch = Batch::default();
        if self.changed.len() >= BATCH || page.next != Next::More {
            batch.changed = std::mem::take(&mut self.changed).into_values().collect();
            batch.unreadable = std::mem::take(&mut self.unreadable);
        }
        (page.next, batch)
    }

    /// Counts what was done with a batch.
    pub fn add(&mut self, changes: Changes) {
        self.tally += changes.tally;
        self.planned.extend(changes.planned);
    }

    /// Events handled and expected so far.
    #[must_use]
    pub fn progress(&self) -> (u32, Option<u32>) {
        (self.handled, self.expected)
    }

    /// Takes the moved ones out, each with its old name when that has gone.
    pub fn moved(&mut self, held: &KnownCopies) -> Vec<(RemoteEvent, Option<RemoteEventId>)> {
        if self.moved.is_empty() {
            return Vec::new();
        }
        let gone: BTreeSet<_> = self.gone(held).into_iter().collect();
        let moved = std::mem::take(&mut self.moved);
        let with_old = |event: RemoteEvent| {
            let old = held.by_uid.get(&event.uid).filter(|old| gone.contains(*old)).cloned();
            (event, old)
        };
        moved.into_iter().map(with_old).collect()
    }

    /// This name went because its event has another one now.
    pub fn renamed(&mut self, old: RemoteEventId) {
        self.renamed.insert(old);
    }

    /// Mapped events that are gone: named by the provider, or absent from a complete snapshot (S6).
    fn gone(&self, held: &KnownCopies) -> Vec<RemoteEventId> {
        let missed = |id: &RemoteEventId| self.removed.contains(id) || (self.snapshot && !self.seen.contains(id));
        let gone = held.by_remote.keys().filter(|id| missed(id) && !self.renamed.contains(*id));
        gone.cloned().collect()
    }

    /// Whether everything that was read has been handed out to be decided: only then may the cursor move (I-17).
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.changed.is_empty() && self.moved.is_empty() && self.unreadable.is_empty()
    }

    fn awaited(&self) -> Option<String> {
        let why = self.awaited.values().next()?;
        let events = counted(self.awaited.len(), "event");
        Some(format!("the server did not hand out {events}, asked for again for a day at most: {why}"))
    }

    /// The pull has ended.
    #[must_use]
    pub fn finish(mut self, cursor: Option<SyncCursor>, held: &KnownCopies) -> Pulled {
        let mut removed = self.gone(held);
        let before = removed.len();
        // Judged by the beginning: the first page is as old as that, however long the others took.
        removed.retain(|id| self.removed.contains(id) || held.may_be_listed(id, self.began));
        let lagging = removed.len() < before;
        // What is awaited under a name that is new to us may be what seems to be gone.
        if self.awaited.keys().any(|id| !held.has(id)) {
            removed.clear();
        }
        let evidence = if removed.iter().all(|id| self.removed.contains(id)) {
            Evidence::Named
        } else if self.seen.is_empty() {
            Evidence::EmptyList
        } else {
            Evidence::Absent
        };
        Pulled {
            changed: self.any || !removed.is_empty(),
            newest: self.newest,
            mapped: self.mapped,
            removed,
            evidence,
            covers: self.covers,
            cursor,
            awaited: self.awaited().map(|why| Awaited { why, complete: self.snapshot }),
            reconciled: self.snapshot && !lagging && self.awaited.is_empty(),
            lagging,
            interval_s: self.interval_s,
            tally: self.tally,
            planned: std::mem::take(&mut self.planned),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use uuid::Uuid;

    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 5, 4, 0, 0, 0).single().unwrap_or_default() + Duration::hours(hour)
    }

    fn key(id: &str) -> MappingKey {
        MappingKey {
            id: Uuid::nil().into(),
            event_id: Uuid::nil().into(),
            remote_id: id.into(),
            uid: id.into(),
            revision: Some("1".into()),
            created_by_us: false,
            updated_at: at(0),
        }
    }

    /// `b` has been withheld since the first hour.
    fn held(mapped: &[&str]) -> KnownCopies {
        let row =
            UnreadableEvent { remote_id: "b".into(), revision: None, uid: None, why: "500".into(), seen_at: at(0) };
        KnownCopies::new(mapped.iter().map(|id| key(id)).collect(), vec![row], Vec::new())
    }

    /// The end of a pull that names `a` as removed and withholds `b`.
    fn pulled(kind: PageKind, held: &KnownCopies, now: DateTime<Utc>) -> Pulled {
        let mut sweep = Sweep::over(held, now);
        let withheld = Unreadable {
            id: "b".into(),
            revision: None,
            uid: None,
            why: "reading one event: 500".into(),
            may_pass: true,
        };
        let page = ChangePage {
            unreadable: vec![withheld],
            removed: vec!["a".into()],
            next: Next::More,
            ..ChangePage::new(kind, None)
        };
        sweep.take(page, held);
        sweep.finish(Some("new".into()), held)
    }

    #[test]
    fn the_cursor_waits_a_day_for_what_is_withheld() {
        let held = held(&["a", "b"]);
        let waits = |now| pulled(PageKind::Delta, &held, now).awaited;
        let (began, given) = (Some(SyncCursor::from("began")), Some(SyncCursor::from("new")));
        let kept = |kind, hour| pulled(kind, &held, at(hour)).cursor_after(began.as_ref()).cloned();
        assert_eq!((kept(PageKind::Delta, 0), kept(PageKind::Delta, 24)), (began.clone(), given.clone()));
        assert_eq!((kept(PageKind::Snapshot, 0), kept(PageKind::Snapshot, 24)), (None, given));
        let first = waits(at(0)).expect("it waits");
        assert!(first.why.contains("1 event,") && first.why.ends_with("500"), "{}", first.why);
        assert!(!first.complete, "the old cursor is good");
        assert!(waits(at(23)).is_some());
        assert_eq!(waits(at(24)), None);
        assert!(pulled(PageKind::Delta, &KnownCopies::default(), at(24)).awaited.is_some(), "met for the first time");
    }

    #[test]
    fn what_is_withheld_is_there_and_a_listing_without_it_is_not_complete() {
        let held = held(&["a", "b"]);
        let early = pulled(PageKind::Snapshot, &held, at(1));
        assert_eq!((early.removed.as_slice(), early.reconciled), ([RemoteEventId::from("a")].as_slice(), false));
        assert!(early.awaited.is_some_and(|awaited| awaited.complete), "the old cursor may mean nothing");
        assert!(pulled(PageKind::Snapshot, &held, at(24)).reconciled);
    }

    #[test]
    fn nothing_is_gone_while_it_may_be_what_is_withheld_under_a_new_name() {
        assert!(pulled(PageKind::Delta, &held(&["a"]), at(23)).removed.is_empty());
        assert_eq!(pulled(PageKind::Delta, &held(&["a"]), at(24)).removed, ["a".into()]);
    }
}
