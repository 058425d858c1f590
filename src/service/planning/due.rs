//! What time itself makes due: owed plans, blocks that are over, clocks that run.

use chrono::{DateTime, Utc};

use super::super::{Services, edit_event::EditError};
use crate::{
    domain::{ids::UserId, person::Scope},
    store::Mode,
};

/// People looked at in one go.
const PEOPLE_MAX: u32 = 500;

impl Services {
    /// Does everything that is due by now; answers when the next thing is.
    pub async fn plan_due(&self) -> Result<Option<DateTime<Utc>>, EditError> {
        let now = self.world.now();
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let over: Vec<UserId> = tx.users_with_blocks_over(now, PEOPLE_MAX).await?;
        let next_end = tx.next_block_end(now).await?;
        tx.commit().await?;
        let mut next = next_end;
        for user in over {
            next = [next, self.judge_past_blocks(&user).await?].into_iter().flatten().min();
        }
        next = [next, self.tick_focuses().await?].into_iter().flatten().min();
        Ok([next, self.make_owed_plans().await?].into_iter().flatten().min())
    }
}
