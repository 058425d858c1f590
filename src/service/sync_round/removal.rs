//! The end of a round's reading: the brake judges every deletion, then deletions and cursors are committed.

use std::collections::BTreeMap;

use super::{RunningRound, pull::claim};
use crate::{
    domain::{calendar::Calendar, ids::CalendarId, person::Scope, round::Tally},
    engine::{
        round::{
            carried::{Ties, seem_carried},
            changes::Changes,
            context::CalendarContext,
            missing::{Carried, Closing, Gone, Judged, MappedEvent, Missing, Moves},
            pulled::Pulled,
        },
        sync::brake::judge,
    },
    service::{Refusal, write::WriteTx},
    store::{Mode, StoreError, Tx},
};

/// One calendar's pull, its deletions still open.
type Open = (Calendar, Option<String>, Pulled);

impl RunningRound<'_> {
    /// Judges the deletions of all calendars together, then finishes each calendar.
    pub(super) async fn settle_removals(&mut self, pulled: Vec<Open>) -> Result<(), Refusal> {
        let doubtful = self.opened.provider.facts().absence_is_doubtful;
        let of = |(calendar, _, result): &Open| {
            result.removed.iter().map(|id| (calendar.id, id.clone())).collect::<Vec<_>>()
        };
        let gone: Gone = pulled.iter().flat_map(of).collect();
        let mut missing = Vec::new();
        for (calendar, stamp, result) in pulled {
            missing.push(self.missing(&calendar, (stamp, result), &gone).await?);
        }
        let losses: Vec<_> = missing.iter().map(|missing| missing.loss(doubtful)).collect();
        let verdicts = judge(&losses, &self.services.settings.brake);
        for (missing, held) in missing.into_iter().zip(verdicts) {
            self.sum.add(&missing.pulled);
            Box::pin(self.finish(missing.judged(held), &gone)).await?;
        }
        Ok(())
    }

    async fn missing(
        &self,
        calendar: &Calendar,
        pulled: (Option<String>, Pulled),
        gone: &Gone,
    ) -> Result<Missing, Refusal> {
        let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
        let mapped = tx.mappings_by_remote(calendar.id, &pulled.1.removed).await?;
        let holds = tx.holds_in_force(calendar.id).await?;
        let moves = self.moves(&mut tx, calendar, &mapped, gone).await?;
        tx.commit().await?;
        Ok(Missing::new(&self.context(calendar), pulled, holds, mapped, &moves))
    }

    /// Commits one calendar's deletions and cursor, as far as nobody has to be asked about them.
    async fn finish(&mut self, judged: Judged, gone: &Gone) -> Result<(), Refusal> {
        let calendar = &judged.missing.calendar;
        let context = self.context(calendar);
        let mut write = self.services.begin_write().await?;
        if !claim(&mut write, &context).await? || !judged.is_current(&write.holds_in_force(calendar.id).await?) {
            // What was read is of another choice, or of another answer; whoever chose or answered has woken the account.
            return Ok(());
        }
        let queued = write.outbox_of_calendar(calendar.id).await?.into_iter();
        let queued: BTreeMap<_, _> = queued.map(|entry| (entry.event_id, entry)).collect();
        let going = write.mappings_by_remote(calendar.id, &judged.going()).await?;
        let kept = write.mappings_by_remote(calendar.id, &judged.kept()).await?;
        let moves = self.moves(&mut write, calendar, &going, gone).await?;
        let closed = judged.close(&context, Closing { queued, going, kept, moves });
        let Tally { deleted, conflicts, held, .. } = closed.changes.tally;
        let mut tally = Tally { deleted, conflicts, held, ..Tally::default() };
        if !self.dry {
            for hold in &closed.holds {
                write.put_hold(hold).await?;
            }
            for entry in &closed.released {
                write.put_outbox(entry).await?;
            }
            write.put_changes(&context, &closed.changes).await?;
            for carried in closed.carried {
                tally += self.carry_over(&mut write, carried).await?;
            }
            if calendar.gone_at.is_some() {
                set_free(&mut write, calendar).await?;
            }
            if let Some(read) = closed.read {
                let (cursor, stamp) = (read.cursor.as_ref(), read.stamp.as_deref());
                write.save_cursor(calendar.id, cursor, stamp, read.reconciled_at, read.error.as_deref()).await?;
            }
            write.commit().await?;
        }
        self.sum.tally += tally;
        self.sum.planned.extend(closed.changes.planned);
        Ok(())
    }

    /// Where events that are missing in a calendar were carried to: other calendars of the account.
    async fn moves(
        &self,
        tx: &mut Tx,
        calendar: &Calendar,
        missing: &[MappedEvent],
        gone: &Gone,
    ) -> Result<Moves, StoreError> {
        let uids: Vec<_> = missing.iter().map(|(mapping, _)| mapping.uid.clone()).collect();
        if uids.is_empty() || calendar.makes_tasks {
            return Ok(Moves::new());
        }
        let mut moves = Moves::new();
        let namesakes = tx.namesakes(calendar.account_id, calendar.id, &uids).await?;
        for (event, (copy, new)) in seem_carried(missing, namesakes, gone, |id| self.home(id)) {
            let ties = Ties {
                copies: tx.mappings_of_event(event).await?.len() + tx.mappings_of_event(new.id).await?.len(),
                owed: tx.outbox_entry(event, copy.calendar_id).await?.is_some(),
                disputed: tx.pending_conflict(event, calendar.id).await?.is_some(),
            };
            if ties.allow_it() {
                moves.insert(event, (copy, new));
            }
        }
        Ok(moves)
    }

    /// A calendar that events may be carried into.
    fn home(&self, id: CalendarId) -> Option<CalendarContext<'_>> {
        let home = self.opened.calendars.iter().find(|held| held.id == id)?;
        (home.selected && home.direction.inbound() && !home.makes_tasks).then(|| self.context(home))
    }

    /// An event goes on where it was carried to.
    async fn carry_over(&self, write: &mut WriteTx<'_>, carried: Carried) -> Result<Tally, StoreError> {
        let mut changes = Changes::default();
        let Some(context) = self.home(carried.found.0.calendar_id) else { return Ok(changes.tally) };
        changes.move_over(&context, carried);
        write.put_changes(&context, &changes).await?;
        Ok(Tally { conflicts: changes.tally.conflicts, updated: changes.tally.updated, ..Tally::default() })
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
