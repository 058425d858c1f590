//! The end of a round's reading: the brake judges every deletion, then deletions and cursors are committed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{Run, changes::Changes, moved::has_moved, pulled::Pulled, scene::Scene};
use crate::{
    domain::{
        calendar::Calendar,
        conflict::{HeldDeletion, HeldFate, Hold, HoldState, Severity},
        ids::{CalendarId, EventId, RemoteEventId},
        mapping::{Event, Mapping},
        notice::{NoticeKind, counted},
        outbox::{OutboxEntry, OutboxState},
        person::Scope,
        round::Tally,
    },
    engine::{
        outbox::is_withdrawal,
        recurrence::span,
        sync::{
            brake::{Held, judge},
            hold::{Answers, Picture, Sorted, follow},
        },
    },
    service::{Refusal, write::WriteTx},
    store::{Mode, StoreError, Tx},
};

/// One calendar's pull, its deletions still open.
type Open = (Calendar, Option<String>, Pulled);

type Bond = (Mapping, Event);

/// What is gone in any calendar of the account by this round.
type Gone = BTreeSet<(CalendarId, RemoteEventId)>;

/// The same, its deletions put beside what was said about them.
struct Missed {
    calendar: Calendar,
    stamp: Option<String>,
    result: Pulled,
    holds: Vec<Hold>,
    picture: Picture,
}

impl Run<'_> {
    /// Judges the deletions of all calendars together, then finishes each calendar.
    pub(super) async fn settle_removals(&mut self, pulled: Vec<Open>) -> Result<(), Refusal> {
        let doubtful = self.opened.provider.facts().absence_is_doubtful;
        let of = |(calendar, _, result): &Open| {
            result.removed.iter().map(|id| (calendar.id, id.clone())).collect::<Vec<_>>()
        };
        let gone: Gone = pulled.iter().flat_map(of).collect();
        let mut finished = Vec::new();
        for (calendar, stamp, result) in pulled {
            finished.push(self.missed(calendar, stamp, result, (&gone, doubtful)).await?);
        }
        let losses: Vec<_> =
            finished.iter().map(|missed| missed.picture.loss(missed.result.mapped, doubtful)).collect();
        let verdicts = judge(&losses, &self.services.settings.brake);
        for (missed, held) in finished.into_iter().zip(verdicts) {
            self.add(&missed.result);
            Box::pin(self.finish(missed, held, &gone)).await?;
        }
        Ok(())
    }

    fn add(&mut self, result: &Pulled) {
        self.sum.tally += result.tally;
        self.sum.planned.extend(result.planned.iter().cloned());
        self.sum.interval_s = result.interval_s.or(self.sum.interval_s);
    }

    /// The bonds whose remote end is gone, and what was said about them. Where a publisher shows a moving window only, an event
    /// that has ended and is shown no more has expired, not been deleted, and stays.
    async fn missed(
        &self,
        calendar: Calendar,
        stamp: Option<String>,
        result: Pulled,
        (gone, window_moves): (&Gone, bool),
    ) -> Result<Missed, Refusal> {
        let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
        let mut bonds = tx.mappings_by_remote(calendar.id, &result.removed).await?;
        let holds = tx.holds_in_force(calendar.id).await?;
        let moves = self.moves(&mut tx, &calendar, &bonds, gone).await?;
        tx.commit().await?;
        if window_moves {
            let now = self.services.world.now();
            let zone = self.scene(&calendar).floating_in();
            bonds.retain(|(_, event)| span(&event.content, zone).1.is_none_or(|end| end >= now));
        }
        // What is deleted in a calendar that only takes events stands there again, and is never deleted here; what was carried into
        // another calendar is not lost.
        let free = |event: &Event| {
            !calendar.direction.inbound() || event.deleted_at.is_some() || moves.contains_key(&event.id)
        };
        let missing = bonds.iter().map(|(mapping, event)| (HeldDeletion::of(mapping), free(event)));
        let picture = Picture::new(&Answers::of(&holds), missing);
        Ok(Missed { calendar, stamp, result, holds, picture })
    }

    /// Commits one calendar's deletions and cursor, as far as nobody has to be asked about them.
    async fn finish(&mut self, missed: Missed, stopped: Option<Held>, gone: &Gone) -> Result<(), Refusal> {
        let Missed { calendar, stamp, result, holds, picture } = missed;
        let scene = self.scene(&calendar);
        let mut changes = Changes::default();
        let mut write = self.services.begin_write(&Scope::Whole).await?;
        let same = write.claim_calendar(calendar.id, calendar.version).await?;
        if !same || write.holds_in_force(calendar.id).await? != holds {
            // What was read is of another choice, or of another answer; whoever chose or answered has woken the account.
            return Ok(());
        }
        let sorted = picture.sorted(stopped.is_some());
        let followed = follow(&holds, &sorted, result.reconciled, calendar.takes_writes());
        let queued = write.outbox_of_calendar(calendar.id).await?.into_iter();
        let queued: BTreeMap<_, _> = queued.map(|entry| (entry.event_id, entry)).collect();
        let moved = self.decide(&mut write, &scene, (&sorted, gone), &queued, &mut changes).await?;
        changes.tally.held = u32::try_from(sorted.wait.len()).unwrap_or(u32::MAX);
        let mut written = followed.changed;
        if followed.asks {
            let hold = self.hold(&calendar, &sorted.wait, &result, stopped);
            if followed.grows {
                let text = format!(
                    "{} would be deleted because {}. Nothing was deleted; please check.",
                    counted(hold.removed.len(), "event"),
                    hold.reason
                );
                changes.tell(&scene, None, NoticeKind::DeletionsHeld, Severity::High, text);
            }
            written.push(hold);
        }
        let now = self.services.world.now();
        if !self.dry {
            for hold in &written {
                write.put_hold(hold).await?;
                release(&mut write, hold, &queued, now).await?;
            }
            self.services.put_changes(&mut write, &scene, &changes).await?;
            for (gone, found) in moved {
                let carried = self.carry_over(&mut write, gone, found, &queued).await?;
                self.sum.tally.conflicts += carried.conflicts;
                self.sum.tally.updated += carried.updated;
            }
            if calendar.gone_at.is_some() {
                set_free(&mut write, &calendar).await?;
            }
            // While deletions are held the cursor stays, so that the next round sees the same picture and asks again.
            if sorted.wait.is_empty() {
                keep_cursor(&mut write, &calendar, stamp.as_deref(), &result, now).await?;
            }
            write.commit().await?;
        }
        self.sum.tally.deleted += changes.tally.deleted;
        self.sum.tally.conflicts += changes.tally.conflicts;
        self.sum.tally.held += changes.tally.held;
        self.sum.planned.extend(changes.planned);
        Ok(())
    }

    /// Of events that are gone here, those that were carried into another calendar of the account, with the new ones there.
    async fn moves(
        &self,
        tx: &mut Tx,
        calendar: &Calendar,
        missing: &[Bond],
        gone: &Gone,
    ) -> Result<BTreeMap<EventId, Bond>, StoreError> {
        let uids: Vec<_> = missing.iter().map(|(mapping, _)| mapping.uid.clone()).collect();
        if uids.is_empty() || calendar.makes_tasks {
            return Ok(BTreeMap::new());
        }
        let mut moves = BTreeMap::new();
        for (copy, new) in tx.namesakes(calendar.account_id, calendar.id, &uids).await? {
            let home = self.opened.calendars.iter().find(|held| held.id == copy.calendar_id);
            let Some(home) = home.filter(|home| home.selected && home.direction.inbound() && !home.makes_tasks) else {
                continue;
            };
            if gone.contains(&(copy.calendar_id, copy.remote_id.clone())) {
                continue;
            }
            let scene = self.scene(home);
            let left = missing.iter().find(|(left, event)| has_moved(&scene, (left, event), (&copy, &new)));
            let Some((_, event)) = left else { continue };
            // What has copies elsewhere is not one object that was carried: its copies would be of either event.
            let copies = tx.mappings_of_event(event.id).await?.len() + tx.mappings_of_event(new.id).await?.len();
            // Nor is what is owed to the other calendar for a copy of its own: made, or taken away, it would be this one.
            let owed = tx.outbox_entry(event.id, copy.calendar_id).await?.is_some();
            // What waits for an answer waits where it was asked.
            if copies == 2 && !owed && tx.pending_conflict(event.id, calendar.id).await?.is_none() {
                moves.insert(event.id, (copy, new));
            }
        }
        Ok(moves)
    }

    /// An event goes on where it was carried to.
    async fn carry_over(
        &self,
        write: &mut WriteTx<'_>,
        gone: Bond,
        found: Bond,
        queued: &BTreeMap<EventId, OutboxEntry>,
    ) -> Result<Tally, StoreError> {
        let mut changes = Changes::default();
        let home = self.opened.calendars.iter().find(|held| held.id == found.0.calendar_id);
        let Some(home) = home else { return Ok(changes.tally) };
        let scene = self.scene(home);
        let sent = queued.get(&gone.1.id).map_or(&[][..], |entry| &entry.sent);
        changes.move_over(&scene, gone, found, sent);
        self.services.put_changes(write, &scene, &changes).await?;
        Ok(changes.tally)
    }

    /// Decides about each deletion that waits for nobody; answers those that were none, with where their events have moved.
    async fn decide(
        &self,
        tx: &mut Tx,
        scene: &Scene<'_>,
        (sorted, gone): (&Sorted, &Gone),
        queued: &BTreeMap<EventId, OutboxEntry>,
        changes: &mut Changes,
    ) -> Result<Vec<(Bond, Bond)>, StoreError> {
        let calendar = scene.calendar;
        // Read again inside the transaction: an edit made meanwhile turns a deletion into a conflict.
        let going = tx.mappings_by_remote(calendar.id, &names(&sorted.settle)).await?;
        let mut found_there = self.moves(tx, calendar, &going, gone).await?;
        let mut moved = Vec::new();
        for (mapping, event) in going {
            match queued.get(&event.id) {
                Some(entry) if is_withdrawal(entry) => changes.withdrawn(&mapping),
                _ if found_there.contains_key(&event.id) => {
                    moved.extend(found_there.remove(&event.id).map(|found| ((mapping, event), found)));
                }
                Some(entry) => changes.settle(scene, mapping, event, None, &entry.sent),
                None => changes.settle(scene, mapping, event, None, &[]),
            }
        }
        if calendar.takes_writes() || calendar.gone_at.is_some() {
            for (mapping, event) in tx.mappings_by_remote(calendar.id, &names(&sorted.keep)).await? {
                match calendar.gone_at {
                    None => changes.keep(scene, mapping, event),
                    // There is no calendar to write it to: it is only here from now on.
                    Some(_) => changes.forget(scene, &mapping),
                }
            }
        }
        Ok(moved)
    }

    fn hold(&self, calendar: &Calendar, waits: &[HeldDeletion], result: &Pulled, why: Option<Held>) -> Hold {
        // The picture that somebody was asked about has changed while it waited.
        let reason = why.map_or("a part of them was held before and waits for an answer", Held::reason);
        Hold {
            id: self.services.world.new_id(),
            space_id: calendar.space_id.clone(),
            account_id: calendar.account_id,
            calendar_id: calendar.id,
            removed: waits.to_vec(),
            mapped: u32::try_from(result.mapped).unwrap_or(u32::MAX),
            reason: format!("{reason}; {}", result.evidence.words()),
            state: HoldState::Held,
            created_at: self.services.world.now(),
            decided_at: None,
        }
    }
}

/// Events whose calendar is gone, and that stay, are at home nowhere but here.
async fn set_free(tx: &mut Tx, calendar: &Calendar) -> Result<(), StoreError> {
    for event in tx.unlinked_events(calendar.id).await? {
        tx.rehome_event(event.id, None).await?;
        if let Some(entry) = tx.outbox_entry(event.id, calendar.id).await? {
            tx.delete_outbox(entry.id).await?;
        }
    }
    Ok(())
}

/// The calendar's changes are read up to here.
async fn keep_cursor(
    tx: &mut Tx,
    calendar: &Calendar,
    stamp: Option<&str>,
    result: &Pulled,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let reconciled_at = if result.reconciled { Some(now) } else { calendar.reconciled_at.filter(|_| !result.lagging) };
    let stamp = stamp.filter(|_| result.awaited.is_none());
    let cursor = result.cursor_after(calendar.cursor.as_ref());
    let error = result.awaited.as_ref().map(|awaited| awaited.why.as_str());
    tx.save_cursor(calendar.id, cursor, stamp, reconciled_at, error).await
}

fn names(deletions: &[HeldDeletion]) -> Vec<RemoteEventId> {
    deletions.iter().map(|deletion| deletion.remote_id.clone()).collect()
}

/// Edits that waited for a hold's answer wait no more where it has come, or the event is back.
async fn release(
    tx: &mut Tx,
    hold: &Hold,
    queued: &BTreeMap<EventId, OutboxEntry>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let answered = hold.removed.iter().filter(|held| held.fate != HeldFate::Open);
    let entries = answered.filter_map(|held| queued.get(&held.event_id));
    for entry in entries.filter(|entry| entry.state == OutboxState::Parked) {
        let (state, not_before) = (OutboxState::Queued, now);
        tx.put_outbox(&OutboxEntry { state, not_before, attempts: 0, last_error: None, ..entry.clone() }).await?;
    }
    Ok(())
}
