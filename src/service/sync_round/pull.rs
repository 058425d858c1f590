//! One calendar's pull: page after page read, decided and committed; deletions and the cursor kept for the end.
//!
//! **Invariant (S5, I-17):** pages are committed as they come, the cursor only by [`finish`](super::finish), after all of
//! them. A crash anywhere repeats reading, never loses or doubles: what is committed is known by its revision.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};

use super::{
    changes::{Changes, Planned, spread},
    scene::{Scene, unchanged},
};
use crate::{
    domain::{
        calendar::RemoteCalendar,
        event::EventContent,
        failure::FailureClass,
        ids::{CalendarId, EventId, RemoteCalendarId, RemoteEventId, Revision, SyncCursor, Uid},
        mapping::RemoteEvent,
        outbox::OutboxEntry,
        person::Scope,
        round::{Cause, Progress, Tally},
    },
    engine::sync::matching::Candidates,
    provider::{self, ChangePage, Known, Next, PageKind, PageToken, Provider, ProviderError, Pull, Unreadable},
    service::{Failure, Services},
    store::{MappingKey, Mode, StoreError, UnreadableRow},
};

/// Changed events are decided and committed in batches of at least this many, so that a page costs no disk flush of its own.
const BATCH: usize = 500;
/// Pages of one pull; beyond, the provider is going round in circles.
const PAGES_MAX: usize = 10_000;
/// A listing may lag behind our own write for this long; what we have just written is not missed before.
const LISTING_LAG: Duration = Duration::seconds(60);

/// What we hold of one calendar when a pull begins.
pub struct Holdings<'a> {
    services: &'a Services,
    calendar: CalendarId,
    by_remote: BTreeMap<RemoteEventId, MappingKey>,
    by_uid: BTreeMap<Uid, RemoteEventId>,
    unreadable: BTreeMap<RemoteEventId, Option<Revision>>,
    queued: BTreeMap<EventId, OutboxEntry>,
}

/// Our events without a bond in this calendar, for remote events that come without one; each is found once.
struct Unbound {
    creating: BTreeMap<Uid, EventId>,
    candidates: Candidates<EventId>,
}

#[async_trait]
impl Known for Holdings<'_> {
    fn revision(&self, id: &RemoteEventId) -> Option<&Revision> {
        match self.by_remote.get(id) {
            Some(held) => held.revision.as_ref(),
            None => self.unreadable.get(id).and_then(Option::as_ref),
        }
    }

    async fn raw(&self, id: &RemoteEventId) -> provider::Result<Option<Vec<u8>>> {
        if !self.by_remote.contains_key(id) {
            return Ok(None);
        }
        let read = async {
            let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
            let held = tx.mappings_by_remote(self.calendar, std::slice::from_ref(id)).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(held.into_iter().next().and_then(|(mapping, _)| mapping.raw))
        };
        read.await.map_err(|error| ProviderError::new(FailureClass::Transient, format!("our own copy: {error}")))
    }
}

/// What all pages of one pull are asked with.
#[derive(Clone, Copy)]
struct Asked<'a> {
    calendar: &'a RemoteCalendarId,
    cursor: Option<&'a SyncCursor>,
    reconcile: bool,
}

impl<'a> Asked<'a> {
    fn page(self, known: &'a dyn Known, page: PageToken) -> Pull<'a> {
        Pull { calendar: self.calendar, cursor: self.cursor, reconcile: self.reconcile, known, page }
    }
}

/// What a pull leaves to be decided about the calendar as a whole.
pub struct Pulled {
    /// Mapped events before the pull.
    pub mapped: usize,
    /// Mapped events that are gone.
    pub removed: Vec<RemoteEventId>,
    /// The cursor to keep once the removals are settled.
    pub cursor: Option<SyncCursor>,
    /// A complete listing was compared with what we hold.
    pub reconciled: bool,
    /// The listing lacked something that we have just written: list completely again, soon.
    pub lagging: bool,
    /// What the provider asks for between polls, in seconds.
    pub interval_s: Option<u32>,
    /// What was done so far.
    pub tally: Tally,
    /// The same, line by line, for a dry run.
    pub planned: Vec<Planned>,
    /// Something was changed there since the last pull.
    pub changed: bool,
    /// When the newest of these changes was made, as the provider says.
    pub newest: Option<DateTime<Utc>>,
}

/// Reads one calendar to its end.
pub struct Puller<'a> {
    /// Where everything is.
    pub services: &'a Services,
    /// Account, calendar, writer, clock.
    pub scene: Scene<'a>,
    /// The account's provider.
    pub provider: &'a dyn Provider,
    /// Plan only.
    pub dry: bool,
    /// Told after each page.
    pub progress: &'a (dyn Fn(Progress) + Send + Sync),
}

impl Puller<'_> {
    /// Pulls; a cursor that the provider no longer knows is answered by one complete listing (I-18).
    pub async fn run(&self, remote: &RemoteCalendar, reconcile: bool) -> Result<Pulled, Failure> {
        let cursor = self.scene.calendar.cursor.as_ref();
        match self.attempt(remote, cursor, reconcile || cursor.is_none()).await {
            Err(Failure::Provider(ProviderError { class: FailureClass::CursorExpired, .. })) if cursor.is_some() => {
                self.attempt(remote, None, true).await
            }
            other => other,
        }
    }

    async fn attempt(
        &self,
        remote: &RemoteCalendar,
        cursor: Option<&SyncCursor>,
        reconcile: bool,
    ) -> Result<Pulled, Failure> {
        let (mut holdings, mut unbound) = self.holdings().await?;
        let mut sweep = Sweep { mapped: holdings.by_remote.len(), ..Sweep::default() };
        let asked = Asked { calendar: &remote.id, cursor, reconcile };
        let mut page = self.provider.pull(asked.page(&holdings, PageToken::Start)).await.map_err(Failure::Provider)?;
        for _ in 0..PAGES_MAX {
            let next = sweep.take(page, &holdings);
            let batch = sweep.batch(matches!(next, Next::Done(_)));
            let (applied, following) = match next {
                // The provider reads the next page while this one is decided and committed.
                Next::Page(token) => {
                    let applying = self.apply(batch, &holdings, &mut unbound);
                    let (applied, following) = tokio::join!(applying, self.provider.pull(asked.page(&holdings, token)));
                    (applied?, Ok(following.map_err(Failure::Provider)?))
                }
                Next::Done(cursor) => (self.apply(batch, &holdings, &mut unbound).await?, Err(cursor)),
            };
            holdings.hold_all(&applied);
            sweep.add(applied);
            (self.progress)(Progress { done: sweep.handled, total: sweep.expected });
            match following {
                Ok(following) => page = following,
                Err(cursor) => {
                    self.apply_moved(&mut sweep, &holdings).await?;
                    return Ok(sweep.finish(cursor, &holdings, self.scene.world.now()));
                }
            }
        }
        let detail = "the provider never stops handing out pages";
        Err(Failure::Provider(ProviderError::new(FailureClass::Malformed, detail)))
    }

    async fn holdings(&self) -> Result<(Holdings<'_>, Unbound), Failure> {
        let calendar = self.scene.calendar.id;
        let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
        let index = tx.mapping_index(calendar).await?;
        let unreadable = tx.unreadable_of(calendar).await?;
        let queued = tx.outbox_of_calendar(calendar).await?;
        let unlinked = tx.unlinked_events(calendar).await?;
        tx.commit().await?;
        let creating: BTreeMap<_, _> = queued.iter().map(|entry| (entry.key.clone(), entry.event_id)).collect();
        let attempted: BTreeSet<_> =
            queued.iter().filter(|entry| !entry.sent.is_empty()).map(|entry| entry.event_id).collect();
        // What was already sent is recognised by its key, never by its looks.
        let candidates = unlinked.into_iter().filter(|event| !attempted.contains(&event.id));
        let holdings = Holdings {
            services: self.services,
            calendar,
            by_uid: index.iter().map(|key| (key.uid.clone(), key.remote_id.clone())).collect(),
            by_remote: index.into_iter().map(|key| (key.remote_id.clone(), key)).collect(),
            unreadable: unreadable.into_iter().map(|row| (row.remote_id, row.revision)).collect(),
            queued: queued.into_iter().map(|entry| (entry.event_id, entry)).collect(),
        };
        let looks = candidates.map(|event| (event.id, self.scene.told(&event.content, false))).collect::<Vec<_>>();
        Ok((holdings, Unbound { creating, candidates: Candidates::new(looks) }))
    }

    /// Decides about a batch of changed events and commits it in one transaction. Our side is read inside that very
    /// transaction: an edit made meanwhile is seen, or makes the transaction try again.
    async fn apply(&self, batch: Batch, holdings: &Holdings<'_>, unbound: &mut Unbound) -> Result<Changes, Failure> {
        let Batch { changed, unreadable } = batch;
        let mut changes = Changes::default();
        if changed.is_empty() && unreadable.is_empty() {
            return Ok(changes);
        }
        let inbound = self.scene.calendar.direction.inbound();
        let mapped: Vec<_> =
            changed.iter().filter(|event| holdings.by_remote.contains_key(&event.id)).map(|e| e.id.clone()).collect();
        let mut tx = self.services.store.begin(Mode::Write, &Scope::Whole).await?;
        let held = tx.mappings_by_remote(self.scene.calendar.id, &mapped).await?;
        let mut held: BTreeMap<_, _> = held.into_iter().map(|pair| (pair.0.remote_id.clone(), pair)).collect();
        for remote in changed {
            if let Some((mapping, event)) = held.remove(&remote.id) {
                let sent = holdings.sent(event.id);
                changes.settle(&self.scene, mapping, event, Some(remote), sent);
            } else if let Some(known) = unbound.counterpart(&remote) {
                let events = tx.events_by_ids(&[known]).await?;
                match events.into_iter().next() {
                    Some(event) => {
                        changes.link(&self.scene, event, remote, holdings.sent(known));
                    }
                    None => changes.import(&self.scene, remote),
                }
            } else if inbound {
                changes.import(&self.scene, remote);
            }
        }
        let rows: Vec<_> = unreadable.into_iter().map(|row| self.unreadable_row(row)).collect();
        changes.tally.unreadable += u32::try_from(rows.len()).unwrap_or(u32::MAX);
        if !self.dry {
            changes.write(&mut tx, self.scene.floating_in()).await?;
            let wake = spread(&mut tx, &self.scene, &changes).await?;
            let readable = changes.mappings.iter().map(|mapping| &mapping.remote_id);
            let cleared: Vec<_> = readable.filter(|id| holdings.unreadable.contains_key(*id)).cloned().collect();
            tx.replace_unreadable(self.scene.calendar.id, &rows, &cleared).await?;
            tx.commit().await?;
            self.services.wake_all(&wake, Cause::LocalEdit);
        }
        Ok(changes)
    }

    fn unreadable_row(&self, row: Unreadable) -> UnreadableRow {
        UnreadableRow {
            remote_id: row.id,
            revision: row.revision,
            uid: row.uid,
            why: row.why,
            seen_at: self.scene.world.now(),
        }
    }

    /// Events that came under a new name while their old name may have gone: renamed if it has, separate if not.
    async fn apply_moved(&self, sweep: &mut Sweep, holdings: &Holdings<'_>) -> Result<(), Failure> {
        if sweep.moved.is_empty() {
            return Ok(());
        }
        let gone: BTreeSet<_> = sweep.gone(holdings).into_iter().collect();
        let moved = std::mem::take(&mut sweep.moved);
        let mut tx = self.services.store.begin(Mode::Write, &Scope::Whole).await?;
        let mut changes = Changes::default();
        for remote in moved {
            let old = holdings.by_uid.get(&remote.uid).filter(|old| gone.contains(*old)).cloned();
            let pair = match old {
                Some(old) => tx.mappings_by_remote(self.scene.calendar.id, &[old]).await?.into_iter().next(),
                None => None,
            };
            if let Some((mut mapping, event)) = pair {
                sweep.renamed.insert(mapping.remote_id.clone());
                mapping.remote_id = remote.id.clone();
                changes.settle(&self.scene, mapping, event, Some(remote), &[]);
            } else if self.scene.calendar.direction.inbound() {
                changes.import(&self.scene, remote);
            }
        }
        if !self.dry {
            changes.write(&mut tx, self.scene.floating_in()).await?;
            let wake = spread(&mut tx, &self.scene, &changes).await?;
            tx.commit().await?;
            self.services.wake_all(&wake, Cause::LocalEdit);
        }
        sweep.add(changes);
        Ok(())
    }
}

impl Unbound {
    /// The local event that a remote event without a bond is: by the key of a create, else by its looks.
    fn counterpart(&mut self, remote: &RemoteEvent) -> Option<EventId> {
        if let Some(event) = self.creating.remove(&remote.uid) {
            return Some(event);
        }
        if self.candidates.is_empty() { None } else { self.candidates.take(&remote.content) }
    }
}

impl Holdings<'_> {
    fn sent(&self, event: EventId) -> &[EventContent] {
        self.queued.get(&event).map_or(&[], |entry| &entry.sent)
    }

    fn may_be_listed(&self, id: &RemoteEventId, now: DateTime<Utc>) -> bool {
        self.by_remote.get(id).is_none_or(|held| !held.created_by_us || now - held.updated_at > LISTING_LAG)
    }

    fn hold_all(&mut self, changes: &Changes) {
        for mapping in &changes.mappings {
            self.unreadable.remove(&mapping.remote_id);
            self.hold(mapping);
        }
    }

    fn hold(&mut self, mapping: &crate::domain::mapping::Mapping) {
        let key = MappingKey {
            id: mapping.id,
            event_id: mapping.event_id,
            remote_id: mapping.remote_id.clone(),
            uid: mapping.uid.clone(),
            revision: mapping.revision.clone(),
            created_by_us: mapping.created_by_us,
            updated_at: mapping.updated_at,
        };
        self.by_uid.insert(mapping.uid.clone(), mapping.remote_id.clone());
        self.by_remote.insert(mapping.remote_id.clone(), key);
    }
}

/// What is decided and committed together.
#[derive(Default)]
struct Batch {
    changed: Vec<RemoteEvent>,
    unreadable: Vec<Unreadable>,
}

/// What a pull has seen so far.
#[derive(Default)]
struct Sweep {
    mapped: usize,
    changed: Vec<RemoteEvent>,
    moved: Vec<RemoteEvent>,
    unreadable: Vec<Unreadable>,
    seen: BTreeSet<RemoteEventId>,
    removed: BTreeSet<RemoteEventId>,
    renamed: BTreeSet<RemoteEventId>,
    snapshot: bool,
    handled: u32,
    expected: Option<u32>,
    interval_s: Option<u32>,
    tally: Tally,
    planned: Vec<Planned>,
    any: bool,
    newest: Option<DateTime<Utc>>,
}

impl Sweep {
    fn take(&mut self, page: ChangePage, holdings: &Holdings<'_>) -> Next {
        self.snapshot = page.kind == PageKind::Snapshot;
        self.expected = page.expected.or(self.expected);
        self.interval_s = page.interval_s.or(self.interval_s);
        let handled = page.changed.len() + page.unreadable.len() + page.removed.len();
        self.handled = self.handled.saturating_add(u32::try_from(handled).unwrap_or(u32::MAX));
        if self.snapshot {
            self.seen.extend(page.present);
            self.seen.extend(page.changed.iter().map(|event| event.id.clone()));
            self.seen.extend(page.unreadable.iter().map(|event| event.id.clone()));
        }
        self.removed.extend(page.removed);
        self.unreadable.extend(page.unreadable);
        for event in page.changed {
            self.removed.remove(&event.id);
            if unchanged(holdings.revision(&event.id), event.revision.as_ref()) {
                continue;
            }
            (self.any, self.newest) = (true, self.newest.max(event.changed_at));
            let other_name = holdings.by_uid.get(&event.uid).is_some_and(|held| *held != event.id);
            if other_name && !holdings.by_remote.contains_key(&event.id) {
                self.moved.push(event);
            } else {
                self.changed.push(event);
            }
        }
        page.next
    }

    /// What is to be decided now: nothing before there is enough of it, unless it is the last.
    fn batch(&mut self, last: bool) -> Batch {
        if self.changed.len() < BATCH && !last {
            return Batch::default();
        }
        Batch { changed: std::mem::take(&mut self.changed), unreadable: std::mem::take(&mut self.unreadable) }
    }

    fn add(&mut self, changes: Changes) {
        self.tally += changes.tally;
        self.planned.extend(changes.planned);
    }

    /// Mapped events that are gone: named by the provider, or absent from a complete snapshot (S6).
    fn gone(&self, holdings: &Holdings<'_>) -> Vec<RemoteEventId> {
        let missed = |id: &RemoteEventId| self.removed.contains(id) || (self.snapshot && !self.seen.contains(id));
        let gone = holdings.by_remote.keys().filter(|id| missed(id) && !self.renamed.contains(*id));
        gone.cloned().collect()
    }

    fn finish(mut self, cursor: Option<SyncCursor>, holdings: &Holdings<'_>, now: DateTime<Utc>) -> Pulled {
        let mut removed = self.gone(holdings);
        let before = removed.len();
        removed.retain(|id| self.removed.contains(id) || holdings.may_be_listed(id, now));
        let lagging = removed.len() < before;
        Pulled {
            changed: self.any || !removed.is_empty(),
            newest: self.newest,
            mapped: self.mapped,
            removed,
            cursor,
            reconciled: self.snapshot && !lagging,
            lagging,
            interval_s: self.interval_s,
            tally: self.tally,
            planned: std::mem::take(&mut self.planned),
        }
    }
}
