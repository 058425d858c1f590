//! Draining the queue of writes: a few entries at a time, as many as the provider bears, each outcome stored as it comes.
//!
//! **Invariants:** what is sent is stored before it is sent (I-4, I-11) · every update and delete is conditional (I-13) · a
//! refused precondition or an unclear answer is settled by reading, never by sending again (I-12, I-16).

mod create;
mod setback;

use std::{
    collections::BTreeMap,
    future::ready,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt as _, stream};

use self::setback::put_aside;
use super::{
    Services,
    answer_hold::said_about,
    promises,
    sync_round::{
        Opened,
        changes::{Changes, Planned},
        scene::Scene,
    },
    write::WriteTx,
};
use crate::{
    domain::{
        account::Account,
        calendar::Calendar,
        event::EventContent,
        failure::FailureClass,
        ids::{OutboxId, Revision},
        mapping::{Event, Mapping, Remains, RemoteEvent},
        outbox::{OutboxEntry, WriteOp},
        person::Scope,
        promise::Promise,
        round::Tally,
    },
    engine::backoff::OUTBOX_WAIT_MAX,
    engine::{
        outbox::{Copy, Write, is_withdrawal, next_write},
        sync::{hold::Said, plan::Reason},
    },
    provider::{EventWriter, ProviderError, Target},
    service::Refusal,
    store::{Mode, StoreError},
};

/// Entries taken from the queue at a time.
const BATCH: u32 = 64;
/// Writes of one round; the rest goes with the next, which is due at once.
const WRITES_MAX: u32 = 2_000;
/// How often one entry is looked at in one round: read, decide, write, and once more for a lost race.
const LOOKS_MAX: u32 = 4;

/// Why an edit of an event waits whose deletion is held.
const ASKED: &str = "the event is missing in its calendar, and whether it is deleted here waits for an answer";

/// What draining came to.
#[derive(Debug, Default)]
pub struct Drained {
    /// What was done.
    pub tally: Tally,
    /// What stopped the draining, when the account as a whole cannot be written to now.
    pub failure: Option<ProviderError>,
}

/// No write waits longer than until here: one that does was queued by a clock that has been set back since.
fn latest(services: &Services) -> DateTime<Utc> {
    let wait = TimeDelta::from_std(OUTBOX_WAIT_MAX).unwrap_or(TimeDelta::MAX);
    services.world.now().checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// What a dry run says of the queue.
pub async fn planned(services: &Services, opened: &Opened) -> Result<Vec<Planned>, Refusal> {
    let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await?;
    let due = tx.outbox_due(opened.account.id, services.world.now(), latest(services), BATCH).await?;
    tx.commit().await?;
    let name = |entry: &OutboxEntry| {
        opened.calendars.iter().find(|held| held.id == entry.calendar_id).map_or_else(String::new, |c| c.name.clone())
    };
    let what = |entry: &OutboxEntry| match entry.op {
        WriteOp::Create => "create there",
        WriteOp::Update => "update there",
        WriteOp::Delete => "delete there",
    };
    Ok(due
        .iter()
        .map(|entry| Planned {
            calendar: name(entry),
            remote_id: entry.key.0.clone(),
            what: what(entry),
            reason: entry.reason.parse().unwrap_or(Reason::LocalChanged),
        })
        .collect())
}

/// Sends what is owed and due.
pub async fn drain(services: &Services, opened: &Opened) -> Result<Drained, Refusal> {
    let mut drained = Drained::default();
    let Some(writer) = opened.provider.writer() else { return Ok(drained) };
    let mut looks: BTreeMap<OutboxId, u32> = BTreeMap::new();
    while drained.tally.writes < WRITES_MAX {
        let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await?;
        let due = tx.outbox_due(opened.account.id, services.world.now(), latest(services), BATCH).await?;
        tx.commit().await?;
        if due.is_empty() {
            break;
        }
        let desk = Desk { services, opened, writer };
        let stopped = AtomicBool::new(false);
        // Each entry is another event's copy: they do not know each other. After a stop none is begun, and those under way end.
        let mut under_way = stream::iter(due)
            .take_while(|_| ready(!stopped.load(Relaxed)))
            .map(|entry| {
                let seen = looks.entry(entry.id).or_default();
                *seen += 1;
                desk.work_on(entry, *seen)
            })
            .buffer_unordered(opened.provider.facts().writes_at_once.max(1));
        while let Some((tally, ended)) = under_way.next().await {
            drained.tally += tally;
            if let Some(stop) = ended? {
                stopped.store(true, Relaxed);
                drained.failure = Some(stop);
            }
        }
        if stopped.load(Relaxed) {
            break;
        }
    }
    Ok(drained)
}

/// Where one entry is worked on.
struct Desk<'a> {
    services: &'a Services,
    opened: &'a Opened,
    writer: &'a dyn EventWriter,
}

/// What is stored about one entry's event.
struct Case {
    account: Account,
    calendar: Calendar,
    event: Event,
    mapping: Option<Mapping>,
    /// What is left of the copy, where it is to be made again.
    remains: Option<Remains>,
    entry: OutboxEntry,
}

impl Case {
    /// Whether the copy is one that we made, or shall make: an owner's own event that is made again stays its owner's.
    fn is_ours(&self) -> bool {
        let was = self.remains.as_ref().is_none_or(|remains| remains.created_by_us);
        self.mapping.as_ref().map_or(was, |mapping| mapping.created_by_us)
    }
}

impl Desk<'_> {
    fn scene<'s>(&'s self, case: &'s Case) -> Scene<'s> {
        Scene::new(&case.account, &self.opened.user, &case.calendar, Some(self.writer), &self.services.world)
    }

    /// One entry, for the `look`th time in this round: what was done, and what stops the draining.
    async fn work_on(&self, entry: OutboxEntry, look: u32) -> (Tally, Result<Option<ProviderError>, Refusal>) {
        let mut tally = Tally::default();
        let ended = if look > LOOKS_MAX {
            Ok(Err(ProviderError::new(FailureClass::Conflict, "the event keeps changing at its calendar")))
        } else {
            Box::pin(self.attend(&entry, &mut tally)).await
        };
        let stop = match ended {
            Ok(Ok(())) => Ok(None),
            Ok(Err(error)) => self.failed(&entry, error).await,
            // It lost a race, here or with an edit; whatever was sent is stored, so it is looked at once more.
            Err(Refusal::Store(StoreError::Busy)) if look < LOOKS_MAX => Ok(None),
            Err(failure) => Err(failure),
        };
        (tally, stop)
    }

    async fn attend(&self, entry: &OutboxEntry, tally: &mut Tally) -> Result<Result<(), ProviderError>, Refusal> {
        let Some(case) = self.load(entry).await? else { return Ok(Ok(())) };
        let scene = self.scene(&case);
        let ours = case.is_ours();
        // A copy that is taken out of one calendar goes, though its event lives on.
        let wanted = case.event.deleted_at.is_none() && case.entry.op != WriteOp::Delete;
        let told = wanted.then(|| scene.told(&case.event.content, ours));
        let copy = case.mapping.as_ref().map(|held| Copy { base: &held.base, revision: held.revision.as_ref() });
        let result = match (next_write(told.as_ref(), copy, !case.entry.sent.is_empty()), told) {
            (Write::Settled, _) => return self.settled(&case).await.map(Ok),
            (Write::Create, Some(told)) => self.create(&case, told, tally).await,
            (Write::Update, Some(told)) => self.update(&case, told, tally).await,
            (Write::Delete, _) => self.delete(&case, tally).await,
            (Write::FindThenDelete, _) => self.find_to_delete(&case).await,
            (Write::Read | Write::Create | Write::Update, _) => self.look(&case, tally).await,
        };
        match result {
            Ok(()) => Ok(Ok(())),
            Err(Refusal::Provider(error)) => Ok(Err(error)),
            Err(other) => Err(other),
        }
    }

    /// Everything stored about an entry; `None` when nothing is owed any more, or may not be sent.
    async fn load(&self, entry: &OutboxEntry) -> Result<Option<Case>, Refusal> {
        let mut tx = self.services.begin_write(&Scope::Whole).await?;
        let current = tx.outbox_entry(entry.event_id, entry.calendar_id).await?;
        let event = tx.events_by_ids(&[entry.event_id]).await?.into_iter().next();
        let mapping = tx.mapping_of(entry.event_id, entry.calendar_id).await?;
        // Its owner may have chosen anew since the round began: what leaves now leaves as they have it now (S2, S4).
        let account = tx.account(&Scope::Whole, entry.account_id).await?;
        let calendar = tx.calendar(&Scope::Whole, entry.calendar_id).await?;
        let (Some(current), Some(event), Some(account), Some(calendar)) = (current, event, account, calendar) else {
            tx.delete_outbox(entry.id).await?;
            tx.commit().await?;
            return Ok(None);
        };
        if !calendar.takes_writes() {
            let why = "the calendar takes no changes from here";
            if calendar.selected && calendar.direction.outbound() {
                self.park(&mut tx, &current, why).await?;
            } else {
                // Its owner has chosen so, and need not be told; it is queued again when they choose otherwise.
                tx.put_outbox(&put_aside(&current, why)).await?;
            }
            tx.commit().await?;
            return Ok(None);
        }
        let decided = is_withdrawal(&current);
        if !decided && tx.pending_conflict(entry.event_id, entry.calendar_id).await?.is_some() {
            self.park(&mut tx, &current, "a conflict about this event waits for a decision").await?;
            tx.commit().await?;
            return Ok(None);
        }
        let mut current = current;
        let mut remains = None;
        if mapping.is_none() && current.op != WriteOp::Delete {
            remains = tx.remains_of(entry.event_id, entry.calendar_id).await?;
        }
        // Its own name first; another was chosen only where the provider has refused that.
        if let Some(remains) = &remains
            && current.attempts == 0
            && current.sent.is_empty()
            && current.key != remains.uid
        {
            current.key = remains.uid.clone();
            tx.put_outbox(&current).await?;
        }
        tx.commit().await?;
        Ok(Some(Case { account, calendar, event, mapping, remains, entry: current }))
    }

    /// Nothing is owed; an edit made meanwhile is looked at anew.
    async fn settled(&self, case: &Case) -> Result<(), Refusal> {
        let mut tx = self.services.begin_write(&Scope::Whole).await?;
        if tx.outbox_entry(case.event.id, case.calendar.id).await?.as_ref() == Some(&case.entry) {
            tx.delete_outbox(case.entry.id).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Stores what is about to be sent; answers whether it still is to be sent.
    async fn remember(&self, case: &Case, told: &EventContent) -> Result<bool, Refusal> {
        let mut tx = self.services.begin_write(&Scope::Whole).await?;
        let current = tx.outbox_entry(case.event.id, case.calendar.id).await?;
        let Some(mut entry) = current.filter(|current| current.op != WriteOp::Delete) else { return Ok(false) };
        entry.about_to_send(told.clone());
        tx.put_outbox(&entry).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Changes the entry in the queue, if it is still there.
    async fn amend(&self, case: &Case, change: impl FnOnce(&mut OutboxEntry)) -> Result<(), Refusal> {
        let mut tx = self.services.begin_write(&Scope::Whole).await?;
        if let Some(mut entry) = tx.outbox_entry(case.event.id, case.calendar.id).await? {
            change(&mut entry);
            tx.put_outbox(&entry).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn update(&self, case: &Case, told: EventContent, tally: &mut Tally) -> Result<(), Refusal> {
        let Some((mapping, revision)) = bonded(case) else { return self.look(case, tally).await };
        if !self.remember(case, &told).await? {
            return Ok(());
        }
        tally.writes += 1;
        let target = target(case, mapping, revision);
        match self.writer.update(target, &told).await {
            Ok(remote) => {
                tally.updated += 1;
                self.confirm(case, &told, remote, tally).await
            }
            Err(error) => match error.class {
                FailureClass::Conflict | FailureClass::Gone => {
                    // It did not arrive: it cannot come back as an echo.
                    self.amend(case, |entry| entry.refused(&told, &case.entry.sent)).await?;
                    self.look(case, tally).await
                }
                FailureClass::Ambiguous => self.look_after(case, error, tally).await,
                _ => Err(Refusal::Provider(error)),
            },
        }
    }

    async fn delete(&self, case: &Case, tally: &mut Tally) -> Result<(), Refusal> {
        let Some((mapping, revision)) = bonded(case) else { return self.look(case, tally).await };
        tally.writes += 1;
        match self.writer.delete(target(case, mapping, revision)).await {
            Ok(()) => {
                tally.deleted += 1;
                self.settle(case, None, tally).await
            }
            Err(error) => match error.class {
                FailureClass::Gone => self.settle(case, None, tally).await,
                FailureClass::Conflict => self.look(case, tally).await,
                FailureClass::Ambiguous => self.look_after(case, error, tally).await,
                _ => Err(Refusal::Provider(error)),
            },
        }
    }

    /// Reads the remote copy and decides again from what is there.
    async fn look(&self, case: &Case, tally: &mut Tally) -> Result<(), Refusal> {
        let Some(mapping) = &case.mapping else { return self.find_to_delete(case).await };
        let remote = self.writer.read(&case.calendar.remote_id, &mapping.remote_id).await;
        self.settle(case, remote.map_err(Refusal::Provider)?, tally).await
    }

    /// The same after an unclear answer. When the write was not applied it may still be under way: wait before it is tried
    /// again, so that the two cannot overtake each other.
    async fn look_after(&self, case: &Case, error: ProviderError, tally: &mut Tally) -> Result<(), Refusal> {
        let before = case.mapping.as_ref().and_then(|mapping| mapping.revision.clone());
        let Some(mapping) = &case.mapping else { return Err(Refusal::Provider(error)) };
        let remote = match self.writer.read(&case.calendar.remote_id, &mapping.remote_id).await {
            Ok(remote) => remote,
            // Whatever answers both in words that are not the provider's, the write is still to be cleared up.
            Err(unread) if unread.class == FailureClass::Malformed => return Err(Refusal::Provider(error)),
            Err(unread) => return Err(Refusal::Provider(unread)),
        };
        let applied = remote.as_ref().is_none_or(|remote| remote.revision != before);
        if applied { self.settle(case, remote, tally).await } else { Err(Refusal::Provider(error)) }
    }

    /// Both sides are known: one transaction decides and stores what follows.
    async fn settle(&self, case: &Case, remote: Option<RemoteEvent>, tally: &mut Tally) -> Result<(), Refusal> {
        let scene = self.scene(case);
        let mut changes = Changes::default();
        let mut write = self.services.begin_write(&Scope::Whole).await?;
        let event = write.events_by_ids(&[case.event.id]).await?.into_iter().next();
        let mapping = write.mapping_of(case.event.id, case.calendar.id).await?;
        let entry = write.outbox_entry(case.event.id, case.calendar.id).await?;
        if let (Some(event), Some(mapping)) = (event, mapping) {
            let said = if remote.is_none() { said_about(&mut write, &mapping).await? } else { Said::Nothing };
            if remote.is_none() && entry.as_ref().is_some_and(is_withdrawal) {
                changes.withdrawn(&mapping);
            } else if said == Said::Kept && event.deleted_at.is_none() {
                changes.keep(&scene, mapping, event);
            } else if matches!(said, Said::Asked | Said::Approved) && event.deleted_at.is_none() {
                // The round that carries the answer out queues it again.
                if let Some(entry) = entry {
                    write.put_outbox(&put_aside(&entry, ASKED)).await?;
                }
            } else {
                let sent = entry.map(|entry| entry.sent).unwrap_or_default();
                changes.settle(&scene, mapping, event, remote, &sent);
            }
        }
        self.commit(write, case, &changes).await?;
        add(tally, &changes);
        Ok(())
    }

    /// The provider has taken what was sent. What it made of it is agreed; an edit made meanwhile is owed anew.
    async fn confirm(
        &self,
        case: &Case,
        told: &EventContent,
        remote: RemoteEvent,
        tally: &mut Tally,
    ) -> Result<(), Refusal> {
        let scene = self.scene(case).answered();
        let mut changes = Changes::default();
        let mut write = self.services.begin_write(&Scope::Whole).await?;
        let Some(event) = write.events_by_ids(&[case.event.id]).await?.into_iter().next() else { return Ok(()) };
        match write.mapping_of(case.event.id, case.calendar.id).await? {
            Some(mapping) => {
                if mapping.remote_id != remote.id {
                    promises::broken(Promise::OneCopy, scene.account.id);
                }
                let mapping = Mapping { base: told.clone(), ..mapping };
                changes.settle(&scene, mapping, event, Some(remote), &[]);
            }
            None => changes.link(&scene, event, remote, std::slice::from_ref(told), case.remains.as_ref()),
        }
        self.close(write, case, &changes).await?;
        add(tally, &changes);
        Ok(())
    }

    /// Ends the entry that was worked on, then writes what the decision owes, if anything. A copy that is wanted gone goes, though
    /// what was under way about it has ended well.
    async fn close(&self, mut write: WriteTx<'_>, case: &Case, changes: &Changes) -> Result<(), Refusal> {
        let entry = write.outbox_entry(case.event.id, case.calendar.id).await?;
        if let Some(entry) = entry.filter(|entry| !is_withdrawal(entry)) {
            write.delete_outbox(entry.id).await?;
        }
        self.commit(write, case, changes).await
    }

    /// Writes what was decided, and tells the event's other copies of it.
    async fn commit(&self, mut write: WriteTx<'_>, case: &Case, changes: &Changes) -> Result<(), Refusal> {
        self.services.put_changes(&mut write, &self.scene(case), changes).await?;
        Ok(write.commit().await?)
    }
}

fn bonded(case: &Case) -> Option<(&Mapping, &Revision)> {
    let mapping = case.mapping.as_ref()?;
    Some((mapping, mapping.revision.as_ref()?))
}

fn target<'a>(case: &'a Case, mapping: &'a Mapping, revision: &'a Revision) -> Target<'a> {
    let raw = mapping.raw.as_deref();
    Target { calendar: &case.calendar.remote_id, id: &mapping.remote_id, revision, raw }
}

fn add(tally: &mut Tally, changes: &Changes) {
    tally.conflicts += changes.tally.conflicts;
    tally.updated += changes.tally.updated;
    tally.deleted += changes.tally.deleted;
}
