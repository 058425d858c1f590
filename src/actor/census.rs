//! Accounts in the store against actors here: who is missing, who is too many, who fell in silence.

use std::{collections::BTreeSet, time::Duration};

use actix::prelude::*;
use tokio::time::timeout;

use super::{
    child::{REBUILD_WAIT_MAX, Stage},
    janitor::Janitor,
    message::Exit,
    planner::Planner,
    supervisor::Supervisor,
};
use crate::{domain::ids::AccountId, service::port::WorkError};

/// Accounts started together are spread so that this much time lies between two, as long as there are few.
const START_GAP: Duration = Duration::from_millis(250);

impl Supervisor {
    pub(super) fn take_census(&mut self, ctx: &mut Context<Self>) {
        self.census += 1;
        let asked = self.census;
        if self.janitor.as_ref().is_none_or(|janitor| !janitor.connected()) {
            self.janitor = Some(Janitor::new(self.tools.clone(), &self.config).start());
        }
        if self.planner.as_ref().is_none_or(|planner| !planner.connected()) {
            self.planner = Some(Planner::new(self.tools.clone(), &self.config).start());
        }
        let (work, limit) = (self.tools.work.clone(), self.config.load_limit);
        let listing = self.tools.spawner.spawn(async move {
            let late = || WorkError::Failed("the store did not answer in time".to_owned());
            timeout(limit, work.account_ids()).await.unwrap_or_else(|_| Err(late()))
        });
        ctx.spawn(listing.into_actor(self).map(move |listed, actor, ctx| {
            let wait = match listed {
                Ok(Ok(ids)) => {
                    actor.compare(&ids.into_iter().collect(), asked, ctx);
                    actor.config.census_every
                }
                Ok(Err(why)) => {
                    tracing::warn!(why = %why, "the accounts could not be listed");
                    REBUILD_WAIT_MAX.min(actor.config.census_every)
                }
                Err(lost) => {
                    tracing::error!(why = %lost, "the listing of accounts was lost");
                    REBUILD_WAIT_MAX.min(actor.config.census_every)
                }
            };
            ctx.run_later(wait, Self::take_census);
        }));
    }

    fn compare(&mut self, listed: &BTreeSet<AccountId>, asked: u64, ctx: &mut Context<Self>) {
        if self.stopping.is_some() {
            return;
        }
        let new: Vec<_> = listed.iter().copied().filter(|id| !self.children.contains_key(id)).collect();
        let count = u32::try_from(new.len()).unwrap_or(u32::MAX).max(1);
        let spread = START_GAP.saturating_mul(count).min(self.config.start_spread);
        for (place, account) in (0_u32..).zip(new) {
            let share = (f64::from(place) + self.tools.world.fraction()) / f64::from(count);
            self.adopt(account, None, spread.mul_f64(share), ctx);
        }
        // One taken in after the listing was asked for may be missing from it.
        let known = self.children.iter().filter(|(_, child)| child.since_census < asked).map(|(id, _)| *id);
        for account in known.collect::<Vec<_>>() {
            self.examine(account, listed.contains(&account), ctx);
        }
    }

    /// One account the census knows: gone from the store, or fallen without a notice.
    fn examine(&mut self, account: AccountId, listed: bool, ctx: &mut Context<Self>) {
        let Some(child) = self.children.get_mut(&account) else { return };
        match &mut child.stage {
            Stage::Up(line) if !listed => line.stop(Exit::Forgotten),
            Stage::Up(line) if !line.addr.connected() => self.fell(account, Exit::Vanished.word(), ctx),
            Stage::Waiting(_) | Stage::Quarantined if !listed => {
                if let Stage::Waiting(handle) = &child.stage {
                    ctx.cancel_future(*handle);
                }
                self.forget(account);
            }
            Stage::Up(_) | Stage::Waiting(_) | Stage::Loading | Stage::Quarantined => {}
        }
    }
}
