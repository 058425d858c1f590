//! What happens to a block's event elsewhere happens to the block: it follows, is given up, or is renamed with its task.

use chrono::Duration;
use chrono_tz::Tz;

use super::{
    super::{
        Services,
        write::{EditedBy, WriteTx},
    },
    imports::is_import,
    tasks::carried_on,
};
use crate::{
    domain::{
        block::{BlockOrigin, TimeBlock},
        conflict::Severity,
        event::{Facts, Transparency},
        ids::UserId,
        mapping::Event,
        notice::{Notice, NoticeSubject},
        person::Scope,
        task::Task,
        time::{EventTime, Window},
    },
    engine::{
        recurrence::{Bounds, ExpansionBudget, WantedOccurrences, first_slots},
        replan::{BlockAnswer, DEBOUNCE, News, Outside, PlanInForce, SeenTask, answer, confirmed},
    },
    store::{StoreError, Tx},
};

/// What changed about a block's event.
enum OutsideChange<'a> {
    Time(Window),
    Title(&'a str),
    Gone,
}

/// How far ahead a changed event may collide with a block.
const AHEAD: Duration = Duration::days(32);

impl Services {
    /// Brings the blocks of one person's changed events along, in the transaction that stores these, and owes a plan where something
    /// took a block's time.
    pub(in crate::service) async fn update_blocks(
        &self,
        write: &mut WriteTx<'_>,
        events: &[Event],
        editor: EditedBy,
    ) -> Result<(), StoreError> {
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        let Some(first) = events.first() else { return Ok(()) };
        let own = write.blocks_by_events(&ids).await?;
        for block in &own {
            let Some(event) = events.iter().find(|event| Some(event.id) == block.event_id) else { continue };
            let Some(task) = write.task(&Scope::Whole, block.task_id).await? else { continue };
            if is_import(&task, block) {
                self.follow_import(write, task, block.clone(), event).await?;
                continue;
            }
            for change in changes(block, &task, event) {
                // Each change finds the block as the one before has left it.
                let Some(block) = write.block(&Scope::Whole, block.id).await? else { break };
                self.update_block(write, block, &task, &change, editor).await?;
            }
        }
        if editor != EditedBy::Product {
            self.make_tasks(write, events).await?;
        }
        let others = events.iter().filter(|event| own.iter().all(|block| block.event_id != Some(event.id)));
        self.owe_plan_for(write, &first.user_id, others).await
    }

    /// Owes a plan where a changed event lies on a block, or gives way to something that has no place.
    async fn owe_plan_for<'e>(
        &self,
        write: &mut WriteTx<'_>,
        user: &UserId,
        events: impl Iterator<Item = &'e Event>,
    ) -> Result<(), StoreError> {
        let now = self.world.now();
        let tasks = write.open_tasks(user).await?;
        if tasks.is_empty() {
            return Ok(());
        }
        let blocks = write.live_blocks(user, now).await?;
        let wanting = tasks
            .iter()
            .any(|task| task.facts.estimate_min.is_some() && blocks.iter().all(|block| block.task_id != task.id));
        let ahead = Window { from: now, to: now + AHEAD };
        let standing = PlanInForce::new(blocks.iter().map(TimeBlock::span), wanting, ahead, 0);
        let wanted = WantedOccurrences { window: ahead, starts_from: None, first: Bounds::default().instances_max };
        let mut budget = ExpansionBudget::WRITE;
        for event in events {
            let Ok(found) = first_slots(&event.content, &wanted, Tz::UTC, &mut budget) else { continue };
            let free = |facts: &Facts| event.deleted_at.is_some() || facts.transparency == Transparency::Transparent;
            let spans = found.slots.iter().map(|one| (Window { from: one.start, to: one.end }, free(one.facts)));
            // What was not looked at may be anywhere.
            let rest = (found.more || found.unfinished).then(|| (ahead, free(&event.content.facts)));
            let cause = spans
                .chain(rest)
                .find_map(|(span, free)| standing.judge(if free { News::Freed(span) } else { News::Taken(span) }));
            if let Some(cause) = cause {
                return write.owe_plan(user, cause, now + DEBOUNCE).await;
            }
        }
        Ok(())
    }

    async fn update_block(
        &self,
        write: &mut WriteTx<'_>,
        mut block: TimeBlock,
        task: &Task,
        change: &OutsideChange<'_>,
        editor: EditedBy,
    ) -> Result<(), StoreError> {
        let now = self.world.now();
        let outside = match change {
            OutsideChange::Time(span) => Outside::Moved(*span),
            OutsideChange::Title(title) => Outside::Renamed(title),
            OutsideChange::Gone => Outside::Deleted,
        };
        let heir = if task.facts.status.is_open() {
            Some(task.id)
        } else {
            carried_on(write, task.id).await?.iter().find(|next| next.facts.status.is_open()).map(|open| open.id)
        };
        let title_was_visible = editor == EditedBy::Product || editor == EditedBy::Provider { title_visible: true };
        let mut replan = None;
        match answer(&block, outside, &SeenTask { task: heir, title_was_visible, now }) {
            BlockAnswer::Nothing => return Ok(()),
            BlockAnswer::Follow { span, state, lock, task, asks, leaves_clock, replan: cause } => {
                block.move_to(span);
                (block.state, block.lock, block.task_id) = (state, lock, task);
                block.origin = if editor == EditedBy::Product { BlockOrigin::User } else { BlockOrigin::External };
                if editor == EditedBy::Product && asks {
                    (block.state, block.lock) = confirmed(&block).unwrap_or((block.state, block.lock));
                } else if asks {
                    write.put_notice(&self.moved_notice(&block)).await?;
                }
                if leaves_clock {
                    leave_clock(write, &block).await?;
                }
                replan = cause;
            }
            BlockAnswer::GiveUp { avoid, replan: cause } => {
                write.delete_blocks(&[block.id]).await?;
                if let Some(mut task) = write.task(&Scope::Whole, block.task_id).await? {
                    // Whoever takes it out of the calendar wants it later: the next plan does not put it there again.
                    task.facts.not_before = Some(later(task.facts.not_before, avoid, block.zone));
                    task.touch(now);
                    write.put_tasks(&[task]).await?;
                }
                if let Some(cause) = cause {
                    write.owe_plan(&block.user_id, cause, now + DEBOUNCE).await?;
                }
                return Ok(());
            }
            BlockAnswer::Unlink => block.event_id = None,
            BlockAnswer::Rename(title) => {
                // The instance that goes on with it is the same work by the same name.
                for id in [Some(task.id), heir.filter(|heir| *heir != task.id)].into_iter().flatten() {
                    let Some(mut renamed) = write.task(&Scope::Whole, id).await? else { continue };
                    renamed.facts.title.clone_from(&title);
                    renamed.touch(now);
                    write.put_tasks(std::slice::from_ref(&renamed)).await?;
                    self.reflect_task(write, &renamed).await?;
                }
                return Ok(());
            }
            BlockAnswer::Show(shown) => block.shows = Some(shown),
        }
        block.touch(now);
        write.put_blocks(std::slice::from_ref(&block)).await?;
        if let Some(cause) = replan {
            write.owe_plan(&block.user_id, cause, now + DEBOUNCE).await?;
        }
        match write.task(&Scope::Whole, block.task_id).await? {
            // It is another instance's now, which may have another name or another home.
            Some(heir) if heir.id != task.id => {
                self.reflect(write, &heir, std::slice::from_mut(&mut block), None).await
            }
            _ => Ok(()),
        }
    }

    fn moved_notice(&self, block: &TimeBlock) -> Notice {
        let owner = (&block.space_id, &block.user_id);
        let what = (NoticeSubject::BlockMoved, Severity::Normal);
        Notice { event_id: block.event_id, ..Notice::new(self.world.new_id(), owner, what, self.world.now()) }
    }
}

/// The block at work was taken from its clock, which runs on without it.
async fn leave_clock(tx: &mut Tx, block: &TimeBlock) -> Result<(), StoreError> {
    let open = tx.open_focus(&block.user_id).await?.filter(|open| open.block_id == Some(block.id));
    if let Some(mut session) = open {
        session.block_id = None;
        session.version += 1;
        tx.put_focus(&session).await?;
    }
    Ok(())
}

/// What an event says that its block and task do not.
fn changes<'a>(block: &TimeBlock, task: &Task, event: &'a Event) -> Vec<OutsideChange<'a>> {
    if event.deleted_at.is_some() {
        return vec![OutsideChange::Gone];
    }
    let facts = &event.content.facts;
    let span = Window { from: facts.start.instant(block.zone), to: facts.end.instant(block.zone) };
    let time = (span != block.span()).then_some(OutsideChange::Time(span));
    let title = (facts.title != task.facts.title).then_some(OutsideChange::Title(&facts.title));
    time.into_iter().chain(title).collect()
}

fn later(held: Option<EventTime>, avoid: Window, zone: Tz) -> EventTime {
    let after = EventTime::zoned(avoid.to.with_timezone(&zone).naive_local(), zone);
    held.filter(|held| held.instant(zone) > avoid.to).unwrap_or(after)
}
