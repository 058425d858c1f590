//! The end of a round's reading: the brake judges every deletion, then deletions and cursors are committed.

use std::collections::BTreeMap;

use super::{Run, changes::Changes, sweep::Pulled};
use crate::{
    domain::{
        calendar::Calendar,
        conflict::{Hold, HoldState, Severity},
        ids::RemoteEventId,
        mapping::{Event, Mapping},
        notice::{NoticeKind, counted},
        person::Scope,
    },
    engine::{
        outbox::is_withdrawal,
        recurrence::span,
        sync::brake::{Held, Loss, judge},
    },
    service::Failure,
    store::Mode,
};

/// One calendar's pull, its deletions still open.
type Open = (Calendar, Option<String>, Pulled);

impl Run<'_> {
    /// Judges the deletions of all calendars together, then finishes each calendar.
    pub(super) async fn settle_removals(&mut self, pulled: Vec<Open>) -> Result<(), Failure> {
        let doubtful = self.opened.provider.profile().absence_is_doubtful;
        let mut finished = Vec::new();
        for (calendar, stamp, result) in pulled {
            let bonds = self.removed_bonds(&calendar, &result.removed, doubtful).await?;
            finished.push((calendar, stamp, result, bonds));
        }
        let losses: Vec<_> = finished
            .iter()
            .map(|(calendar, _, result, bonds)| {
                // What is deleted in a calendar that only takes events stands there again, and is never deleted here.
                let here = |event: &Event| calendar.direction.inbound() && event.deleted_at.is_none();
                let deleted = bonds.iter().filter(|(_, event)| here(event)).count();
                Loss { mapped: result.mapped, deleted, doubtful }
            })
            .collect();
        let verdicts = judge(&losses, &self.services.settings.brake);
        for ((calendar, stamp, result, bonds), held) in finished.into_iter().zip(verdicts) {
            self.add(&result);
            self.finish(calendar, stamp, result, bonds, held).await?;
        }
        Ok(())
    }

    fn add(&mut self, result: &Pulled) {
        self.sum.tally += result.tally;
        self.sum.planned.extend(result.planned.iter().cloned());
        self.sum.interval_s = result.interval_s.or(self.sum.interval_s);
    }

    /// The bonds whose remote end is gone. Where a publisher shows a moving window only, an event that has ended and is
    /// shown no more has expired, not been deleted, and stays.
    async fn removed_bonds(
        &self,
        calendar: &Calendar,
        removed: &[RemoteEventId],
        window_moves: bool,
    ) -> Result<Vec<(Mapping, Event)>, Failure> {
        if removed.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
        let mut bonds = tx.mappings_by_remote(calendar.id, removed).await?;
        tx.commit().await?;
        if window_moves {
            let now = self.services.world.now();
            let zone = self.scene(calendar).floating_in();
            bonds.retain(|(_, event)| span(&event.content, zone).1.is_none_or(|end| end >= now));
        }
        Ok(bonds)
    }

    /// Commits one calendar's deletions and cursor, or holds them.
    async fn finish(
        &mut self,
        calendar: Calendar,
        stamp: Option<String>,
        result: Pulled,
        bonds: Vec<(Mapping, Event)>,
        stopped: Option<Held>,
    ) -> Result<(), Failure> {
        let scene = self.scene(&calendar);
        let gone: Vec<_> = bonds.iter().map(|(mapping, _)| mapping.remote_id.clone()).collect();
        let mut changes = Changes::default();
        let mut tx = self.services.store.begin(Mode::Write, &Scope::Whole).await?;
        if !tx.claim_calendar(calendar.id, calendar.version).await? {
            // What was read is of another choice; whoever chose anew has woken the account.
            return Ok(());
        }
        let verdict = match stopped {
            None => Verdict::Delete,
            Some(why) => match tx.open_hold(calendar.id).await? {
                Some(hold) if hold.state == HoldState::Approved && covers(&hold, &gone) => Verdict::Delete,
                Some(hold) if hold.state == HoldState::Refused && covers(&hold, &gone) => Verdict::Keep,
                Some(hold) if hold.state == HoldState::Held && hold.removed == gone => Verdict::Wait(None),
                _ => Verdict::Wait(Some(self.hold(&calendar, &gone, &result, why))),
            },
        };
        let waiting = matches!(verdict, Verdict::Wait(_));
        match verdict {
            Verdict::Delete => {
                // Read again inside the transaction: an edit made meanwhile turns a deletion into a conflict.
                let now_held = tx.mappings_by_remote(calendar.id, &gone).await?;
                let queued = tx.outbox_of_calendar(calendar.id).await?.into_iter();
                let queued: BTreeMap<_, _> = queued.map(|entry| (entry.event_id, entry)).collect();
                for (mapping, event) in now_held {
                    match queued.get(&event.id) {
                        Some(entry) if is_withdrawal(entry) => changes.withdrawn(&mapping),
                        Some(entry) => changes.settle(&scene, mapping, event, None, &entry.sent),
                        None => changes.settle(&scene, mapping, event, None, &[]),
                    }
                }
            }
            Verdict::Keep => {}
            Verdict::Wait(new) => {
                changes.tally.held = u32::try_from(gone.len()).unwrap_or(u32::MAX);
                if let Some(hold) = new {
                    let text = format!(
                        "{} would be deleted because {}. Nothing was deleted; please check.",
                        counted(gone.len(), "event"),
                        hold.reason
                    );
                    changes.tell(&scene, None, NoticeKind::DeletionsHeld, Severity::High, text);
                    if !self.dry {
                        tx.put_hold(&hold).await?;
                    }
                }
            }
        }
        let now = self.services.world.now();
        let wake = if self.dry {
            Vec::new()
        } else {
            changes.write(&mut tx, scene.floating_in(), scene.world.now()).await?;
            let wake = self.services.pass_on(&mut tx, &scene, &changes).await?;
            // While deletions are held the cursor stays, so that the next round sees the same picture and asks again.
            if !waiting {
                let reconciled_at =
                    if result.reconciled { Some(now) } else { calendar.reconciled_at.filter(|_| !result.lagging) };
                match &result.awaited {
                    None => {
                        tx.save_cursor(calendar.id, result.cursor.as_ref(), stamp.as_deref(), reconciled_at).await?;
                    }
                    // Whatever else was listed since the old cursor is known by its revision when it is listed again.
                    Some(why) => {
                        tx.save_cursor(calendar.id, calendar.cursor.as_ref(), None, reconciled_at).await?;
                        tx.set_calendar_error(calendar.id, why).await?;
                    }
                }
            }
            tx.commit().await?;
            wake
        };
        self.services.wake_after(&wake, &changes);
        self.sum.tally.deleted += changes.tally.deleted;
        self.sum.tally.conflicts += changes.tally.conflicts;
        self.sum.tally.held += changes.tally.held;
        self.sum.planned.extend(changes.planned);
        Ok(())
    }

    fn hold(&self, calendar: &Calendar, gone: &[RemoteEventId], result: &Pulled, why: Held) -> Hold {
        Hold {
            id: self.services.world.new_id(),
            space_id: calendar.space_id.clone(),
            account_id: calendar.account_id,
            calendar_id: calendar.id,
            removed: gone.to_vec(),
            mapped: u32::try_from(result.mapped).unwrap_or(u32::MAX),
            reason: format!("{}; {}", why.reason(), result.evidence.words()),
            state: HoldState::Held,
            created_at: self.services.world.now(),
            decided_at: None,
        }
    }
}

enum Verdict {
    Delete,
    Keep,
    /// Wait for a person; the hold to be stored, unless it is there already.
    Wait(Option<Hold>),
}

/// Whether a person's decision was about at least these deletions.
fn covers(hold: &Hold, gone: &[RemoteEventId]) -> bool {
    gone.iter().all(|id| hold.removed.contains(id))
}
