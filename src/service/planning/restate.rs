//! New rules of a time zone: what is planned keeps the clock that its user saw, and its instants move.
//!
//! The rules come with the program, so they are new only after an update. Who begins the days of a zone looks once for each
//! release of them; what has begun stays where it is.

use std::collections::BTreeMap;

use chrono_tz::{IANA_TZDB_VERSION, Tz};

use super::{super::Services, imports::is_import};
use crate::{
    domain::{
        block::TimeBlock,
        ids::{BlockId, TaskId},
        person::Scope,
        proposal::PlanCause,
    },
    engine::day::restated,
    service::Refusal,
    store::Mode,
};

/// Blocks looked at together.
const PAGE: u32 = 500;

impl Services {
    /// Puts the blocks of a zone where its rules of today say, if nobody has yet.
    pub(super) async fn restate_zone(&self, zone: Tz) -> Result<(), Refusal> {
        let now = self.world.now();
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let looked = tx.zone_rules(zone).await?;
        tx.commit().await?;
        if looked.as_deref() == Some(IANA_TZDB_VERSION) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
            let page = tx.blocks_ahead(zone, now, after, PAGE).await?;
            tx.commit().await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            let mut stale = BTreeMap::<TaskId, Vec<BlockId>>::new();
            for block in page.iter().filter(|block| restated(block.span(), block.wall, block.zone).is_some()) {
                stale.entry(block.task_id).or_default().push(block.id);
            }
            for (task, blocks) in stale {
                again!(self.restate_blocks(task, &blocks))?;
            }
        }
        let mut write = self.begin_write().await?;
        write.put_zone_rules(zone, IANA_TZDB_VERSION).await?;
        Ok(write.commit().await?)
    }

    /// Restates some blocks of one task, whose events go with them.
    async fn restate_blocks(&self, task: TaskId, ids: &[BlockId]) -> Result<(), Refusal> {
        let now = self.world.now();
        let mut write = self.begin_write().await?;
        let Some(task) = write.task(&Scope::Whole, task).await? else { return Ok(()) };
        let mut blocks: Vec<TimeBlock> = write.blocks_of_task(task.id).await?;
        blocks.retain(|block| ids.contains(&block.id) && block.state.is_live() && !is_import(&task, block));
        for block in &mut blocks {
            if let Some(span) = restated(block.span(), block.wall, block.zone) {
                block.move_to(span);
                block.touch(now);
            }
        }
        self.reflect(&mut write, &task, &mut blocks, None).await?;
        write.owe_plan(&task.user_id, PlanCause::RulesEdited, now).await?;
        Ok(write.commit().await?)
    }
}
