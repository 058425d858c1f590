//! One calendar's pull: page after page is read, batch after batch decided and committed; deletions and the cursor are kept for the end.
//!
//! **Invariant (S5, I-17):** batches are committed as they come, the cursor only by `finish`, after all of
//! them. A crash anywhere repeats reading, never loses or doubles: what is committed is known by its revision.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::{
    domain::{
        calendar::RemoteCalendar,
        failure::FailureClass::{self, CursorExpired},
        ids::{CalendarId, EventId, RemoteEventId, Revision, SyncCursor, Uid},
        mapping::Remains,
        page::Next,
        person::Scope,
        promise::Promise,
        round::Progress,
    },
    engine::round::{
        batch::{Batch, Counterpart, renamed},
        changes::Changes,
        context::CalendarContext,
        pulled::Pulled,
        sweep::{KnownCopies, Sweep, Unbound},
    },
    provider::{self, Known, Provider, ProviderError, Pull},
    service::{Refusal, Services, promises, write::WriteTx},
    store::{Mode, StoreError, Tx},
};

/// Pages of one pull; beyond, the provider is going round in circles.
const PAGES_MAX: usize = 10_000;

/// What we hold of one calendar while a pull runs, for the provider to look at.
pub struct Holdings<'a> {
    services: &'a Services,
    calendar: CalendarId,
    held: KnownCopies,
}

#[async_trait]
impl Known for Holdings<'_> {
    fn revision(&self, id: &RemoteEventId) -> Option<&Revision> {
        self.held.revision(id)
    }

    async fn raw(&self, id: &RemoteEventId) -> provider::Result<Option<Vec<u8>>> {
        if !self.held.has(id) {
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

/// Why a pull ends before its end.
enum Stopped {
    /// The calendar's owner has chosen anew, so what was read is of another choice.
    SettingsChanged,
    Failed(Refusal),
}

impl<E: Into<Refusal>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Whether calendar and account still are what their owner had chosen when the round began; the calendar stays so until the transaction ends.
pub(super) async fn claim(tx: &mut Tx, context: &CalendarContext<'_>) -> Result<bool, StoreError> {
    let (calendar, account) = (context.calendar, context.account);
    if !tx.claim_calendar(calendar.id, calendar.version).await? {
        return Ok(false);
    }
    let now = tx.account(&Scope::Whole, account.id).await?;
    Ok(now.is_some_and(|now| now.decides_like(account)))
}

/// Reads one calendar to its end.
pub struct Puller<'a> {
    /// Where everything is.
    pub services: &'a Services,
    /// Account, calendar, writer, clock.
    pub context: CalendarContext<'a>,
    /// The account's provider.
    pub provider: &'a dyn Provider,
    /// Plan only.
    pub dry: bool,
    /// Called after each page.
    pub progress: &'a (dyn Fn(Progress) + Send + Sync),
}

impl Puller<'_> {
    /// Pulls; a cursor that the provider no longer knows is answered by one complete listing (I-18). `None`: the calendar's owner
    /// has chosen anew meanwhile, and has woken the account for a round that reads it as it is now.
    pub async fn run(&self, remote: &RemoteCalendar, reconcile: bool) -> Result<Option<Pulled>, Refusal> {
        let cursor = self.context.calendar.cursor.as_ref();
        let expired = |failure: &Refusal| matches!(failure, Refusal::Provider(error) if error.class == CursorExpired);
        let ended = match self.attempt(remote, cursor, reconcile || cursor.is_none()).await {
            Err(Stopped::Failed(failure)) if cursor.is_some() && expired(&failure) => {
                self.attempt(remote, None, true).await
            }
            other => other,
        };
        match ended {
            Ok(pulled) => Ok(Some(pulled)),
            Err(Stopped::SettingsChanged) => Ok(None),
            Err(Stopped::Failed(failure)) => Err(failure),
        }
    }

    async fn attempt(
        &self,
        remote: &RemoteCalendar,
        cursor: Option<&SyncCursor>,
        reconcile: bool,
    ) -> Result<Pulled, Stopped> {
        let (mut holdings, mut unbound) = self.holdings().await?;
        let mut sweep = Sweep::over(&holdings.held, self.context.world.now());
        let mut reading = self.provider.pull(Pull { calendar: &remote.id, cursor, reconcile });
        let mut page = reading.next(&holdings).await.map_err(Refusal::Provider)?;
        for _ in 0..PAGES_MAX {
            let (next, batch) = sweep.take(page, &holdings.held);
            let (applied, following) = match next {
                // The provider reads the next page while this one is decided and committed.
                Next::More => {
                    let applying = self.apply(batch, &holdings, &mut unbound);
                    let (applied, following) = tokio::join!(applying, reading.next(&holdings));
                    (applied?, Ok(following.map_err(Refusal::Provider)?))
                }
                Next::Done(cursor) => (self.apply(batch, &holdings, &mut unbound).await?, Err(cursor)),
            };
            holdings.held.hold_all(&applied);
            sweep.add(applied);
            let (done, total) = sweep.progress();
            (self.progress)(Progress { done, total });
            match following {
                Ok(following) => page = following,
                Err(cursor) => {
                    self.apply_moved(&mut sweep, &holdings).await?;
                    if !sweep.is_spent() {
                        promises::broken(Promise::CursorCovers, self.context.account.id);
                        let detail = "a part of what was read was not decided about";
                        return Err(Refusal::Provider(ProviderError::new(FailureClass::Transient, detail)).into());
                    }
                    return Ok(sweep.finish(cursor, &holdings.held));
                }
            }
        }
        let detail = "the provider never stops handing out pages";
        Err(Refusal::Provider(ProviderError::new(FailureClass::Malformed, detail)).into())
    }

    async fn holdings(&self) -> Result<(Holdings<'_>, Unbound), Refusal> {
        let calendar = self.context.calendar.id;
        let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
        let index = tx.mapping_index(calendar).await?;
        let unreadable = tx.unreadable_of(calendar).await?;
        let queued = tx.outbox_of_calendar(calendar).await?;
        let unlinked = tx.unlinked_events(calendar).await?;
        let mut homeless = Vec::new();
        // What is met for the first time may be here already, without a home: from before the account was connected (again).
        if self.context.calendar.cursor.is_none() && self.context.calendar.takes_writes() {
            homeless = tx.homeless_events(&self.context.account.user_id, calendar).await?;
        }
        tx.commit().await?;
        let names: Vec<_> = homeless.iter().map(|event| (event.uid.clone(), event.id)).collect();
        // What was deleted is known by its own name alone.
        let looks = unlinked.into_iter().chain(homeless).filter(|event| event.deleted_at.is_none());
        let looks = looks.map(|event| (event.id, self.context.outbound_form(&event.content, false)));
        let unbound = Unbound::new(&queued, looks, names);
        let held = KnownCopies::new(index, unreadable, queued);
        Ok((Holdings { services: self.services, calendar, held }, unbound))
    }

    /// Copies that this calendar had under one of these names and lost, of events that have none here now.
    async fn lost(&self, tx: &mut Tx, uids: &[Uid]) -> Result<Vec<Remains>, StoreError> {
        let mut lost = Vec::new();
        if uids.is_empty() {
            return Ok(lost);
        }
        for was in tx.remains_by_uid(self.context.calendar.id, uids).await? {
            if tx.mapping_of(was.event_id, was.calendar_id).await?.is_none() {
                lost.push(was);
            }
        }
        Ok(lost)
    }

    /// Those of our events that have no copy here, with what is left of the copy they had.
    async fn counterparts(&self, tx: &mut Tx, ids: &[EventId]) -> Result<BTreeMap<EventId, Counterpart>, StoreError> {
        let (calendar, mut found) = (self.context.calendar.id, BTreeMap::new());
        for event in tx.events_by_ids(ids).await? {
            if tx.mapping_of(event.id, calendar).await?.is_none() {
                let remains = tx.remains_of(event.id, calendar).await?;
                found.insert(event.id, Counterpart { event, remains });
            }
        }
        Ok(found)
    }

    /// Decides about a batch of changed events and commits it in one transaction. Our side is read inside that very
    /// transaction: an edit made meanwhile is seen, or makes the transaction try again.
    async fn apply(
        &self,
        mut batch: Batch,
        holdings: &Holdings<'_>,
        unbound: &mut Unbound,
    ) -> Result<Changes, Stopped> {
        if batch.is_empty() {
            return Ok(Changes::default());
        }
        let (known, calendar) = (&holdings.held, self.context.calendar.id);
        let mut write = self.begin().await?;
        let mapped = write.mappings_by_remote(calendar, &batch.mapped(known)).await?;
        let lost = self.lost(&mut write, &batch.unmapped(&mapped)).await?;
        let unreadable = batch.take_unreadable(known, self.context.world.now());
        let matched = batch.matched(mapped, lost, unbound);
        let ours = self.counterparts(&mut write, &matched.counterparts()).await?;
        let mut changes = matched.decide(&self.context, known, &ours);
        changes.tally.unreadable += u32::try_from(unreadable.len()).unwrap_or(u32::MAX);
        if !self.dry {
            write.put_changes(&self.context, &changes).await?;
            let readable = changes.mappings.iter().map(|mapping| &mapping.remote_id);
            let cleared: Vec<_> = readable.filter(|id| known.was_unreadable(id)).cloned().collect();
            write.replace_unreadable(calendar, &unreadable, &cleared).await?;
            write.commit().await?;
        }
        Ok(changes)
    }

    /// A transaction in which calendar and account still are what their owner had chosen when the pull began.
    async fn begin(&self) -> Result<WriteTx<'_>, Stopped> {
        let mut write = self.services.begin_write().await?;
        if claim(&mut write, &self.context).await? { Ok(write) } else { Err(Stopped::SettingsChanged) }
    }

    /// Events that came under a new name while their old name may have gone: renamed if it has, separate if not.
    async fn apply_moved(&self, sweep: &mut Sweep, holdings: &Holdings<'_>) -> Result<(), Stopped> {
        let moved = sweep.moved(&holdings.held);
        if moved.is_empty() {
            return Ok(());
        }
        let mut write = self.begin().await?;
        let old: Vec<_> = moved.iter().filter_map(|(_, old)| old.clone()).collect();
        let mapped = write.mappings_by_remote(self.context.calendar.id, &old).await?;
        let (changes, gone) = renamed(&self.context, &holdings.held, moved, mapped);
        for name in gone {
            sweep.renamed(name);
        }
        if !self.dry {
            write.put_changes(&self.context, &changes).await?;
            write.commit().await?;
        }
        sweep.add(changes);
        Ok(())
    }
}
