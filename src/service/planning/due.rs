//! What time itself makes due: owed plans, blocks that are over, clocks that run.

use chrono::{DateTime, Utc};

use super::super::Services;
use crate::{domain::person::Scope, engine::focus::GRACE, service::Refusal, store::Mode};

/// People looked at in one go.
const PEOPLE_MAX: u32 = 500;

impl Services {
    /// Does everything that is due by now; answers when the next thing is.
    pub async fn plan_due(&self) -> Result<Option<DateTime<Utc>>, Refusal> {
        let now = self.world.now();
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let over = tx.users_with_blocks_over(now, PEOPLE_MAX).await?;
        let restless = !tx.restless_focuses(now, now - GRACE, None, 1).await?.is_empty();
        let (mut next, owed) = (vec![tx.next_block_end(now).await?], tx.next_plan_at().await?);
        tx.commit().await?;
        for user in &over {
            next.push(self.judge_past_blocks(user).await?);
        }
        if restless {
            next.push(self.tick_focuses().await?);
        }
        let plans = restless || !over.is_empty() || owed.is_some_and(|at| at <= now);
        next.push(if plans { self.make_owed_plans().await? } else { owed });
        Ok(next.into_iter().flatten().min())
    }
}
