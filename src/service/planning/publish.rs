//! From a block to its event: made, changed, moved to another calendar or taken away, as block, task and context now say.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    super::{
        Services,
        write::{WriteTx, write_target},
    },
    imports::is_import,
};
use crate::{
    domain::{
        block::{BlockLock, BlockState, TimeBlock},
        calendar::Calendar,
        event::{EventContent, Facts, Transparency},
        ids::{BlockId, EventId, Uid},
        mapping::{Event, Origin},
        person::Scope,
        task::Task,
        time::EventTime,
    },
    engine::replan::shows,
    store::{StoreError, Tx},
};

/// Whether a block's event says free or busy.
#[derive(Clone, Copy)]
struct Shown {
    now: Transparency,
    /// What it said before stands.
    keeps: bool,
}

/// How much room each block has until it can be nowhere else, in minutes; what is not listed has enough.
pub(super) type Slack = BTreeMap<BlockId, i64>;

impl Services {
    /// Brings the events of all blocks of a task to what the blocks say.
    pub(super) async fn reflect_task(&self, write: &mut WriteTx<'_>, task: &Task) -> Result<(), StoreError> {
        let mut blocks = write.blocks_of_task(task.id).await?;
        self.reflect(write, task, &mut blocks, None).await
    }

    /// Brings the events of some blocks of one task to what the blocks say, and stores the blocks. Without `slack`, a block that the
    /// planner may move goes on as free or busy as it was.
    pub(super) async fn reflect(
        &self,
        write: &mut WriteTx<'_>,
        task: &Task,
        blocks: &mut [TimeBlock],
        slack: Option<&Slack>,
    ) -> Result<(), StoreError> {
        let home = self.home_of(write, task).await?;
        let buffer = write.planning_rules(&task.user_id).await?.map_or(0, |(rules, _)| rules.buffer_min);
        for block in blocks.iter_mut().filter(|block| !is_import(task, block)) {
            let shown = shows(block, slack.and_then(|slack| slack.get(&block.id)).copied(), buffer);
            let keeps = slack.is_none() && block.state.is_live() && block.lock == BlockLock::None;
            self.reflect_block(write, task, block, home.as_ref(), Shown { now: shown, keeps }).await?;
        }
        write.put_blocks(blocks).await
    }

    /// Takes a block and its event away.
    pub(super) async fn withdraw_block(&self, write: &mut WriteTx<'_>, block: &TimeBlock) -> Result<(), StoreError> {
        let imported = match block.event_id {
            Some(_) => write.task(&Scope::Whole, block.task_id).await?.is_some_and(|task| is_import(&task, block)),
            None => false,
        };
        self.unpublish(write, block.event_id.filter(|_| !imported), block.zone).await?;
        write.delete_blocks(&[block.id]).await?;
        Ok(())
    }

    /// The calendar that a task's blocks are shown in.
    async fn home_of(&self, tx: &mut Tx, task: &Task) -> Result<Option<Calendar>, StoreError> {
        let Some(context) = task.facts.context_id else { return Ok(None) };
        let context = tx.context(&Scope::Whole, context).await?;
        let Some(calendar) = context.and_then(|context| context.publishes_to()) else { return Ok(None) };
        let Some(calendar) = tx.calendar(&Scope::Whole, calendar).await? else { return Ok(None) };
        write_target(tx, calendar).await
    }

    async fn reflect_block(
        &self,
        write: &mut WriteTx<'_>,
        task: &Task,
        block: &mut TimeBlock,
        home: Option<&Calendar>,
        shown: Shown,
    ) -> Result<(), StoreError> {
        let held = match block.event_id {
            Some(id) => write.event(&Scope::Whole, id).await?.filter(|event| event.deleted_at.is_none()),
            None => None,
        };
        let Some(home) = home.filter(|_| block.state != BlockState::Proposed) else {
            block.event_id = None;
            return self.unpublish(write, held.map(|event| event.id), block.zone).await;
        };
        match held {
            Some(mut event) if event.calendar_id == Some(home.id) => {
                let shown = if shown.keeps { event.content.facts.transparency } else { shown.now };
                let content = said(&event.content, task, block, shown);
                if content == event.content {
                    return Ok(());
                }
                event.content = content;
                event.touch(self.world.now());
                write.put_event_of_block(&event, block.zone).await
            }
            // What is over and was taken out of the calendar is not shown again.
            None if !block.state.is_live() => Ok(()),
            held => {
                self.unpublish(write, held.map(|event| event.id), block.zone).await?;
                let event = self.new_event(task, block, home, shown.now);
                block.event_id = Some(event.id);
                write.put_event_of_block(&event, block.zone).await
            }
        }
    }

    fn new_event(&self, task: &Task, block: &TimeBlock, home: &Calendar, shown: Transparency) -> Event {
        let now = self.world.now();
        let uuid = self.world.new_id::<uuid::Uuid>();
        let blank = Facts::new("", EventTime::utc(block.start), EventTime::utc(block.end));
        Event {
            id: EventId(uuid),
            space_id: home.space_id.clone(),
            user_id: task.user_id.clone(),
            calendar_id: Some(home.id),
            uid: Uid(uuid.to_string()),
            content: said(&EventContent::single(blank), task, block, shown),
            origin: Origin::Local,
            deleted_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    async fn unpublish(&self, write: &mut WriteTx<'_>, event: Option<EventId>, zone: Tz) -> Result<(), StoreError> {
        let Some(event) = event else { return Ok(()) };
        let held = write.event(&Scope::Whole, event).await?.filter(|event| event.deleted_at.is_none());
        let Some(mut event) = held else { return Ok(()) };
        let now = self.world.now();
        event.deleted_at = Some(now);
        event.touch(now);
        write.put_event_of_block(&event, zone).await
    }
}

/// What a block's event says: the task's title where and when the block is; the rest stays as somebody made it.
fn said(old: &EventContent, task: &Task, block: &TimeBlock, shown: Transparency) -> EventContent {
    let mut content = old.clone();
    let facts = &mut content.facts;
    facts.title.clone_from(&task.facts.title);
    facts.description.clone_from(&task.facts.description);
    (facts.start, facts.end) = when(block);
    facts.transparency = shown;
    content.normalise();
    content
}

/// When a block is, on the wall clock of its zone; in UTC where that clock goes back and shows an hour twice, for what it says
/// there means the first of the two.
fn when(block: &TimeBlock) -> (EventTime, EventTime) {
    let wall = |at: DateTime<Utc>| EventTime::zoned(at.with_timezone(&block.zone).naive_local(), block.zone);
    let (start, end) = (wall(block.start), wall(block.end));
    if start.instant(block.zone) == block.start && end.instant(block.zone) == block.end {
        (start, end)
    } else {
        (EventTime::utc(block.start), EventTime::utc(block.end))
    }
}
