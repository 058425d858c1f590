//! Makes the plans that are owed, lets clocks run on, and keeps a rollover actor for every time zone that somebody lives in.
//!
//! **Invariant:** what is due is read from the store: a bell that is not heard, or a fall, costs time only.

use std::{collections::BTreeMap, time::Duration};

use actix::prelude::*;
use chrono_tz::Tz;
use tokio::time::timeout;

use super::{ActorLimits, account::Tools, rollover::RolloverActor};
use crate::service::port::WorkError;

/// The longest wait before looking again: another process may have written what rings no bell here.
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// After a failure.
const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// The planner.
pub(super) struct Planner {
    tools: Tools,
    limit: Duration,
    zones: BTreeMap<&'static str, Addr<RolloverActor>>,
}

impl Planner {
    pub(super) fn new(tools: Tools, config: &ActorLimits) -> Self {
        Self { tools, limit: config.sweep_limit, zones: BTreeMap::new() }
    }

    /// Does what is due, then waits for the bell or for what is due next.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let (work, limit) = (self.tools.work.clone(), self.limit);
        let looking = self.tools.spawner.spawn(async move {
            let late = || WorkError::Failed("it took too long and was stopped".to_owned());
            let looked = async { Ok::<_, WorkError>((work.zones().await?, work.plan_due().await?)) };
            timeout(limit, looked).await.unwrap_or_else(|_| Err(late()))
        });
        ctx.spawn(looking.into_actor(self).map(|looked, actor, ctx| {
            let mut wait = LOOK_EVERY;
            match looked {
                Ok(Ok((zones, next))) => {
                    actor.keep(zones);
                    let now = actor.tools.world.now();
                    if let Some(next) = next {
                        wait = (next - now).to_std().unwrap_or_default().clamp(Duration::from_millis(10), LOOK_EVERY);
                    }
                }
                Ok(Err(why)) => {
                    tracing::warn!(why = %why, "what is due could not be planned");
                    wait = AGAIN_AFTER;
                }
                Err(lost) => {
                    tracing::error!(why = %lost, "the planner's look was lost");
                    wait = AGAIN_AFTER;
                }
            }
            actor.wait(wait, ctx);
        }));
    }

    fn wait(&mut self, longest: Duration, ctx: &mut Context<Self>) {
        let bell = self.tools.bell.clone();
        let heard = async move {
            // Who rings while nobody waits is heard by the next wait.
            let _ = timeout(longest, bell.notified()).await;
        };
        ctx.spawn(heard.into_actor(self).map(|(), actor, ctx| actor.look(ctx)));
    }

    /// An actor for each zone; one whose zone nobody lives in any more ends.
    fn keep(&mut self, zones: Vec<Tz>) {
        let mut kept = std::mem::take(&mut self.zones);
        for zone in zones {
            let held = kept.remove(zone.name()).filter(Addr::connected);
            let actor = held.unwrap_or_else(|| RolloverActor::new(self.tools.clone(), zone, self.limit).start());
            self.zones.insert(zone.name(), actor);
        }
    }
}

impl Actor for Planner {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}
