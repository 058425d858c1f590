//! One time zone's change of day: at local midnight, and once after a downtime.
//!
//! **Invariant:** the alarm is derived from what is stored, each time anew: a clock that jumps, new rules of the zone or a day that
//! does not exist are found at the next look.

use std::time::Duration;

use actix::prelude::*;
use chrono_tz::Tz;
use tokio::time::timeout;

use super::account::Tools;
use crate::service::port::WorkError;

/// The longest sleep before looking at the clock again.
const ALARM_MAX: Duration = Duration::from_mins(15);
/// After a failure.
const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// The rollover actor of a zone. It ends when nobody holds its address any more.
pub(super) struct RolloverActor {
    tools: Tools,
    zone: Tz,
    limit: Duration,
}

impl RolloverActor {
    pub(super) fn new(tools: Tools, zone: Tz, limit: Duration) -> Self {
        Self { tools, zone, limit }
    }

    fn roll(&mut self, ctx: &mut Context<Self>) {
        let (work, limit, zone) = (self.tools.work.clone(), self.limit, self.zone);
        let rolling = self.tools.spawner.spawn(async move {
            let late = || WorkError::Failed("it took too long and was stopped".to_owned());
            timeout(limit, work.roll(zone)).await.unwrap_or_else(|_| Err(late()))
        });
        ctx.spawn(rolling.into_actor(self).map(move |rolled, actor, ctx| {
            let wait = match rolled {
                Ok(Ok(next)) => {
                    let now = actor.tools.world.now();
                    let wait = next.map_or(ALARM_MAX, |next| (next - now).to_std().unwrap_or_default());
                    wait.clamp(Duration::from_millis(10), ALARM_MAX)
                }
                Ok(Err(why)) => {
                    tracing::warn!(%zone, why = %why, "a change of day failed; it is tried again");
                    AGAIN_AFTER
                }
                Err(lost) => {
                    tracing::error!(%zone, why = %lost, "a change of day was lost; it is tried again");
                    AGAIN_AFTER
                }
            };
            ctx.run_later(wait, Self::roll);
        }));
    }
}

impl Actor for RolloverActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.roll(ctx);
    }
}
