//! Tasks made from imported events, where a calendar is to make them. The event is never changed from here.

use std::collections::BTreeSet;

use chrono::Duration;

use super::super::{Services, write::WriteTx};
use crate::{
    domain::{
        block::{BlockLock, BlockOrigin, BlockState, Placed, TimeBlock},
        calendar::Calendar,
        mapping::{Event, Origin},
        person::Scope,
        proposal::PlanCause,
        task::{Task, TaskStatus},
        time::Window,
    },
    engine::{
        imported::{ImportedTask, asked},
        replan::DEBOUNCE,
    },
    store::{EventFilter, StoreError},
};

/// How far ahead the events of a calendar become tasks when it begins to make them.
const AHEAD: Duration = Duration::days(32);
/// Events of a calendar looked at then.
const EVENTS_MAX: u32 = 5_000;

/// Whether a block is an imported event itself, which is not ours to change.
pub(super) fn is_import(task: &Task, block: &TimeBlock) -> bool {
    task.made_from.is_some() && task.made_from == block.event_id
}

impl Services {
    /// Makes tasks of what a calendar already has ahead.
    pub(in crate::service) async fn make_tasks_ahead(
        &self,
        write: &mut WriteTx<'_>,
        calendar: &Calendar,
    ) -> Result<(), StoreError> {
        let now = self.world.now();
        let Some(account) = write.account(&Scope::Whole, calendar.account_id).await? else { return Ok(()) };
        let ahead = EventFilter::new(&account.user_id, Window { from: now, to: now + AHEAD });
        let wanted = EventFilter { calendar: Some(calendar.id), ..ahead };
        let found = write.events_in(&Scope::Whole, wanted, None, EVENTS_MAX).await?;
        let events: Vec<_> = found.into_iter().map(|(_, event)| event).collect();
        self.make_tasks(write, &events).await
    }

    /// Makes the tasks that imported events ask for, each once, whatever became of the task since.
    pub(super) async fn make_tasks(&self, write: &mut WriteTx<'_>, events: &[Event]) -> Result<(), StoreError> {
        let homes: BTreeSet<_> = events.iter().filter_map(|event| event.calendar_id).collect();
        let mut making = BTreeSet::new();
        for home in homes {
            let calendar = write.calendar(&Scope::Whole, home).await?;
            making.extend(calendar.filter(|calendar| calendar.makes_tasks).map(|calendar| calendar.id));
        }
        let imported = |event: &&Event| {
            event.origin != Origin::Local
                && event.deleted_at.is_none()
                && event.calendar_id.is_some_and(|home| making.contains(&home))
        };
        let wanted: Vec<_> = events.iter().filter(imported).collect();
        let Some(first) = wanted.first() else { return Ok(()) };
        let ids: Vec<_> = wanted.iter().map(|event| event.id).collect();
        let known: BTreeSet<_> =
            write.tasks_made_from(&ids).await?.into_iter().filter_map(|task| task.made_from).collect();
        let Some(user) = write.user(&first.user_id).await? else { return Ok(()) };
        let now = self.world.now();
        let (mut tasks, mut blocks) = (Vec::new(), Vec::new());
        for event in wanted.into_iter().filter(|event| !known.contains(&event.id)) {
            let Some(ImportedTask { facts, block }) = asked(&event.content, user.time_zone, now) else { continue };
            let new = Task::new(self.world.new_id(), event.space_id.clone(), event.user_id.clone(), facts, now);
            let task = Task { made_from: Some(event.id), ..new };
            if let Some(span) = block {
                let placed = Placed {
                    origin: BlockOrigin::External,
                    lock: BlockLock::User,
                    state: BlockState::Confirmed,
                    reason: "made_from_event".to_owned(),
                };
                let block = TimeBlock::new(self.world.new_id(), &task, user.time_zone, span, placed, now);
                blocks.push(TimeBlock { event_id: Some(event.id), ..block });
            }
            tasks.push(task);
        }
        if tasks.is_empty() {
            return Ok(());
        }
        write.put_tasks(&tasks).await?;
        write.put_blocks(&blocks).await?;
        write.owe_plan(&user.id, PlanCause::TaskEdited, now + DEBOUNCE).await
    }

    /// An imported event was changed: its task's block follows without a question, and its task is given up with it unless
    /// somebody has worked on it.
    pub(super) async fn follow_import(
        &self,
        write: &mut WriteTx<'_>,
        mut task: Task,
        mut block: TimeBlock,
        event: &Event,
    ) -> Result<(), StoreError> {
        let now = self.world.now();
        let over = !block.state.is_live();
        if event.deleted_at.is_some() {
            write.delete_blocks(&[block.id]).await?;
            if task.facts.status == TaskStatus::Open && task.total_actual_min() == 0 {
                task.facts.status = TaskStatus::Cancelled;
                task.touch(now);
                write.put_tasks(&[task]).await?;
            }
            return Ok(());
        }
        let facts = &event.content.facts;
        let span = Window { from: facts.start.instant(block.zone), to: facts.end.instant(block.zone) };
        if !over && block.state != BlockState::InProgress && span != block.span() && span.length() > Duration::zero() {
            block.move_to(span);
            block.touch(now);
            write.put_blocks(&[block]).await?;
            write.owe_plan(&task.user_id, PlanCause::MovedOutside, now + DEBOUNCE).await?;
        }
        if task.facts.title != facts.title.trim() && !facts.title.trim().is_empty() {
            facts.title.trim().clone_into(&mut task.facts.title);
            task.touch(now);
            write.put_tasks(std::slice::from_ref(&task)).await?;
            return self.reflect_task(write, &task).await;
        }
        Ok(())
    }
}
