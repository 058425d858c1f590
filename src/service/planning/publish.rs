//! From a block to its event: made, changed, moved to another calendar or taken away, as block, task and context now say.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    super::{
        Services,
        edit_event::{EditError, put, touch},
    },
    imports::is_import,
};
use crate::{
    domain::{
        block::{BlockLock, BlockState, TimeBlock},
        calendar::Calendar,
        event::{EventContent, Facts, Transparency},
        ids::{AccountId, BlockId, EventId, Uid},
        mapping::{Event, Origin},
        person::Scope,
        task::Task,
        time::EventTime,
    },
    engine::replan::shows,
    store::Tx,
};

/// Whether a block's event says free or busy.
#[derive(Clone, Copy)]
struct Shown {
    now: Transparency,
    /// What it said before stands.
    keeps: bool,
}

/// How much room each block has until it can be nowhere else, in minutes; what is not told has enough.
pub(super) type Slack = BTreeMap<BlockId, i64>;

impl Services {
    /// Brings the events of all blocks of a task to what the blocks say; answers whom to wake.
    pub(super) async fn reflect_task(&self, tx: &mut Tx, task: &Task) -> Result<Vec<AccountId>, EditError> {
        let mut blocks = tx.blocks_of_task(task.id).await?;
        self.reflect(tx, task, &mut blocks, None).await
    }

    /// Brings the events of some blocks of one task to what the blocks say, and stores the blocks; answers whom to wake. Without
    /// `slack`, a block that the planner may move goes on as free or busy as it was.
    pub(super) async fn reflect(
        &self,
        tx: &mut Tx,
        task: &Task,
        blocks: &mut [TimeBlock],
        slack: Option<&Slack>,
    ) -> Result<Vec<AccountId>, EditError> {
        let home = self.home_of(tx, task).await?;
        let buffer = tx.planning_rules(&task.user_id).await?.map_or(0, |(rules, _)| rules.buffer_min);
        let mut wake = Vec::new();
        for block in blocks.iter_mut().filter(|block| !is_import(task, block)) {
            let shown = shows(block, slack.and_then(|slack| slack.get(&block.id)).copied(), buffer);
            let keeps = slack.is_none() && block.state.is_live() && block.lock == BlockLock::None;
            wake.extend(self.reflect_block(tx, task, block, home.as_ref(), Shown { now: shown, keeps }).await?);
        }
        tx.put_blocks(blocks).await?;
        Ok(wake)
    }

    /// Takes a block and its event away.
    pub(super) async fn withdraw_block(&self, tx: &mut Tx, block: &TimeBlock) -> Result<Vec<AccountId>, EditError> {
        let imported = match block.event_id {
            Some(_) => tx.task(&Scope::Whole, block.task_id).await?.is_some_and(|task| is_import(&task, block)),
            None => false,
        };
        let wake = self.unpublish(tx, block.event_id.filter(|_| !imported), block.zone).await?;
        tx.delete_blocks(&[block.id]).await?;
        Ok(wake)
    }

    /// The calendar that a task's blocks are shown in.
    async fn home_of(&self, tx: &mut Tx, task: &Task) -> Result<Option<Calendar>, EditError> {
        let Some(context) = task.facts.context_id else { return Ok(None) };
        let context = tx.context(&Scope::Whole, context).await?;
        let Some(calendar) = context.and_then(|context| context.publishes_to()) else { return Ok(None) };
        let Some(calendar) = tx.calendar(&Scope::Whole, calendar).await? else { return Ok(None) };
        Ok(self.write_target(tx, calendar).await?)
    }

    async fn reflect_block(
        &self,
        tx: &mut Tx,
        task: &Task,
        block: &mut TimeBlock,
        home: Option<&Calendar>,
        shown: Shown,
    ) -> Result<Vec<AccountId>, EditError> {
        let held = match block.event_id {
            Some(id) => tx.event(&Scope::Whole, id).await?.filter(|event| event.deleted_at.is_none()),
            None => None,
        };
        let Some(home) = home.filter(|_| block.state != BlockState::Proposed) else {
            block.event_id = None;
            return self.unpublish(tx, held.map(|event| event.id), block.zone).await;
        };
        match held {
            Some(mut event) if event.calendar_id == Some(home.id) => {
                let shown = if shown.keeps { event.content.facts.transparency } else { shown.now };
                let content = said(&event.content, task, block, shown);
                if content == event.content {
                    return Ok(Vec::new());
                }
                event.content = content;
                touch(&mut event, self.world.now());
                put(tx, &event, block.zone).await?;
                Ok(self.owe_all(tx, &event, block.zone).await?)
            }
            // What is over and was taken out of the calendar is not shown again.
            None if !block.state.is_live() => Ok(Vec::new()),
            held => {
                let mut wake = self.unpublish(tx, held.map(|event| event.id), block.zone).await?;
                let event = self.new_event(task, block, home, shown.now);
                block.event_id = Some(event.id);
                put(tx, &event, block.zone).await?;
                wake.extend(self.owe_all(tx, &event, block.zone).await?);
                Ok(wake)
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

    async fn unpublish(&self, tx: &mut Tx, event: Option<EventId>, zone: Tz) -> Result<Vec<AccountId>, EditError> {
        let Some(event) = event else { return Ok(Vec::new()) };
        let held = tx.event(&Scope::Whole, event).await?.filter(|event| event.deleted_at.is_none());
        let Some(mut event) = held else { return Ok(Vec::new()) };
        let now = self.world.now();
        event.deleted_at = Some(now);
        touch(&mut event, now);
        put(tx, &event, zone).await?;
        Ok(self.owe_all(tx, &event, zone).await?)
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
