//! Draining the queue of writes: a few entries at a time, as many as the provider bears. What each asks for next is
//! [`engine::drain`](crate::engine::drain)'s to say; here it is carried out.

use std::{
    collections::BTreeMap,
    future::ready,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt as _, stream};

use super::{Services, answer_hold::said_about, open_account::OpenedAccount, promises};
use crate::{
    domain::{
        failure::{FailureClass, ProviderError},
        ids::{AccountId, OutboxId},
        outbox::{OutboxEntry, WriteOp},
        person::Scope,
        round::Tally,
    },
    engine::backoff::OUTBOX_WAIT_MAX,
    engine::{
        drain::{Answer, Ask, Delivery, Ended, EntryChange, Place, Reads, Request, Stored, Surroundings},
        round::changes::DryRunLine,
        sync::plan::Reason,
    },
    provider::{self, EventWriter, WriteTarget},
    service::Refusal,
    store::{Mode, StoreError, Tx},
};

/// Entries taken from the queue at a time.
const BATCH: u32 = 64;
/// Writes of one round; the rest goes with the next, which is due at once.
const WRITES_MAX: u32 = 2_000;
/// How often one entry is looked at in one round: read, decide, write, and once more for a lost race.
const LOOKS_MAX: u32 = 4;

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

async fn due(services: &Services, account: AccountId) -> Result<Vec<OutboxEntry>, StoreError> {
    let mut tx = services.store.begin(Mode::Read, &Scope::Whole).await?;
    let due = tx.outbox_due(account, services.world.now(), latest(services), BATCH).await?;
    tx.commit().await?;
    Ok(due)
}

/// What a dry run says of the queue.
pub async fn planned(services: &Services, opened: &OpenedAccount) -> Result<Vec<DryRunLine>, Refusal> {
    let name = |entry: &OutboxEntry| {
        opened.calendars.iter().find(|held| held.id == entry.calendar_id).map_or_else(String::new, |c| c.name.clone())
    };
    let what = |entry: &OutboxEntry| match entry.op {
        WriteOp::Create => "create there",
        WriteOp::Update => "update there",
        WriteOp::Delete => "delete there",
    };
    let line = |entry: &OutboxEntry| DryRunLine {
        calendar: name(entry),
        remote_id: entry.key.0.clone(),
        what: what(entry),
        reason: entry.reason.parse().unwrap_or(Reason::LocalChanged),
    };
    Ok(due(services, opened.account.id).await?.iter().map(line).collect())
}

/// Sends what is owed and due.
pub async fn drain(services: &Services, opened: &OpenedAccount) -> Result<Drained, Refusal> {
    let mut drained = Drained::default();
    let Some(writer) = opened.provider.writer() else { return Ok(drained) };
    let drain = Drain { services, opened, writer };
    let mut looks: BTreeMap<OutboxId, u32> = BTreeMap::new();
    while drained.tally.writes < WRITES_MAX {
        let due = due(services, opened.account.id).await?;
        if due.is_empty() {
            break;
        }
        let stopped = AtomicBool::new(false);
        // Each entry is another event's copy: they do not know each other. After a stop none is begun, and those under way end.
        let mut under_way = stream::iter(due)
            .take_while(|_| ready(!stopped.load(Relaxed)))
            .map(|entry| {
                let seen = looks.entry(entry.id).or_default();
                *seen += 1;
                drain.process(entry, *seen)
            })
            .buffer_unordered(opened.provider.facts().writes_at_once.max(1));
        while let Some((tally, ended)) = under_way.next().await {
            drained.tally += tally;
            if let Ended::Stop(error) = ended? {
                stopped.store(true, Relaxed);
                drained.failure = Some(error);
            }
        }
        if stopped.load(Relaxed) {
            break;
        }
    }
    Ok(drained)
}

/// What every entry of one queue is processed with.
#[derive(Clone, Copy)]
struct Drain<'a> {
    services: &'a Services,
    opened: &'a OpenedAccount,
    writer: &'a dyn EventWriter,
}

impl Drain<'_> {
    /// One entry, for the `look`th time in this round: what was done, and how it ended.
    async fn process(&self, entry: OutboxEntry, look: u32) -> (Tally, Result<Ended, Refusal>) {
        let begun = if look > LOOKS_MAX { Delivery::looked_at_too_often(entry) } else { Delivery::new(entry) };
        let (mut delivery, mut ask) = begun;
        loop {
            let next = match ask {
                Ask::Transaction(reads) => {
                    let interrupted = delivery.interrupted();
                    match Box::pin(self.transact(&mut delivery, &reads)).await {
                        Err(StoreError::Busy) if look < LOOKS_MAX => Ok(Ask::Over(interrupted)),
                        other => other,
                    }
                }
                Ask::Send(request) => {
                    let answer = self.send(&delivery, *request).await;
                    Ok(delivery.answered(answer, self.services.world.now()))
                }
                Ask::Over(ended) => return (delivery.tally, Ok(ended)),
            };
            ask = match next {
                Ok(next) => next,
                Err(error) => return (delivery.tally, Err(error.into())),
            };
        }
    }

    async fn transact(&self, delivery: &mut Delivery, reads: &Reads) -> Result<Ask, StoreError> {
        let mut write = self.services.begin_write().await?;
        let stored = read(&mut write, delivery.queued(), reads).await?;
        let around = Surroundings { user: &self.opened.user, form: self.opened.form(), world: &self.services.world };
        let decided = delivery.decide(stored, around);
        if let Some(promise) = decided.broken {
            promises::broken(promise, self.opened.account.id);
        }
        match &decided.entry {
            EntryChange::Keep => {}
            EntryChange::Put(entry) => write.update_outbox(entry).await?,
            EntryChange::Delete(id) => {
                write.delete_outbox(*id).await?;
            }
        }
        if let Some(place) = delivery.place() {
            write.put_changes(&place.context(around), &decided.changes).await?;
        }
        write.commit().await?;
        delivery.tally += decided.tally;
        Ok(decided.next)
    }

    async fn send(&self, delivery: &Delivery, request: Request) -> provider::Result<Answer> {
        let Some(Place { calendar, .. }) = delivery.place() else {
            return Err(ProviderError::new(FailureClass::Gone, "the calendar is no longer here"));
        };
        let (writer, calendar) = (self.writer, &calendar.remote_id);
        let event = match request {
            Request::Create { key, content } => Some(writer.create(calendar, &key, &content).await?),
            Request::MakeAgain { key, remains, content } => {
                Some(writer.make_again(calendar, &key, &remains, &content).await?)
            }
            Request::Update { id, revision, content } => {
                let target = WriteTarget { calendar, id: &id, revision: &revision, raw: delivery.raw() };
                Some(writer.update(target, &content).await?)
            }
            Request::Delete { id, revision } => {
                writer.delete(WriteTarget { calendar, id: &id, revision: &revision, raw: delivery.raw() }).await?;
                None
            }
            Request::Read { id } => writer.read(calendar, &id).await?,
            Request::Find { key } => return Ok(Answer::Found(writer.find(calendar, &key).await?)),
        };
        Ok(Answer::Event(event))
    }
}

/// Reads what a delivery asks for.
async fn read(tx: &mut Tx, queued: &OutboxEntry, reads: &Reads) -> Result<Stored, StoreError> {
    let (event, calendar) = (queued.event_id, queued.calendar_id);
    let mut stored = Stored {
        entry: tx.outbox_entry(event, calendar).await?,
        account: tx.account(&Scope::Whole, queued.account_id).await?,
        calendar: tx.calendar(&Scope::Whole, calendar).await?,
        ..Stored::default()
    };
    if reads.copy {
        stored.event = tx.events_by_ids(&[event]).await?.into_iter().next();
        stored.mapping = tx.mapping_of(event, calendar).await?;
    }
    if reads.past {
        stored.disputed = tx.pending_conflict(event, calendar).await?.is_some();
        stored.remains = match stored.mapping {
            None => tx.remains_of(event, calendar).await?,
            Some(_) => None,
        };
    }
    if let (true, Some(mapping)) = (reads.answers, &stored.mapping) {
        stored.said = said_about(tx, mapping).await?;
    }
    if let Some(object) = &reads.object {
        let mapped = tx.mappings_by_remote(calendar, std::slice::from_ref(object)).await?;
        stored.is_anothers = mapped.iter().any(|(mapped, _)| mapped.event_id != event);
    }
    Ok(stored)
}
