//! Keeps house: conflicts that nobody resolved, every 30 minutes; what is kept for a time only, daily at 03:00 UTC.
//!
//! **Invariant:** one sweep at a time, each within a limit; a sweep that fails or panics is logged and comes round again.

use std::{collections::BTreeMap, time::Duration};

use actix::prelude::*;
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use tokio::time::timeout;

use super::{ActorLimits, account::Tools};
use crate::service::port::{SweepKind, WorkError};

/// Time between two looks at unresolved conflicts.
const REMINDED_EVERY: TimeDelta = TimeDelta::minutes(30);
/// After a start, how long until both sweeps run once: the process may have been down when they were due.
const CATCH_UP_AFTER: TimeDelta = TimeDelta::minutes(5);
/// The hour of the daily sweep, UTC.
const RETENTION_HOUR: u32 = 3;
/// The longest sleep before looking at the clock again.
const ALARM_MAX: Duration = Duration::from_mins(15);

/// The janitor.
pub(super) struct Janitor {
    tools: Tools,
    limit: Duration,
    due: BTreeMap<SweepKind, DateTime<Utc>>,
}

impl Janitor {
    pub(super) fn new(tools: Tools, config: &ActorLimits) -> Self {
        let first = tools.world.now() + CATCH_UP_AFTER;
        let due = BTreeMap::from([(SweepKind::Reminders, first), (SweepKind::Retention, first)]);
        Self { tools, limit: config.sweep_limit, due }
    }

    /// Runs what is due, else sleeps until something is.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let now = self.tools.world.now();
        for (sweep, at) in &mut self.due {
            // A clock that was set back must not put a sweep off.
            *at = (*at).min(next(*sweep, now));
        }
        let next = self.due.iter().min_by_key(|(_, at)| **at).map(|(sweep, at)| (*sweep, *at));
        match next {
            Some((sweep, at)) if at <= now => self.sweep(sweep, now, ctx),
            Some((_, at)) => {
                let wait = (at - now).to_std().unwrap_or_default();
                ctx.run_later(wait.clamp(Duration::from_millis(1), ALARM_MAX), Self::look);
            }
            None => {}
        }
    }

    fn sweep(&mut self, sweep: SweepKind, now: DateTime<Utc>, ctx: &mut Context<Self>) {
        self.due.insert(sweep, next(sweep, now));
        let (work, limit) = (self.tools.work.clone(), self.limit);
        let sweeping = self.tools.spawner.spawn(async move {
            let late = || WorkError::Failed("it took too long and was stopped".to_owned());
            timeout(limit, work.sweep(sweep)).await.unwrap_or_else(|_| Err(late()))
        });
        ctx.spawn(sweeping.into_actor(self).map(move |done, actor, ctx| {
            match done {
                Ok(Ok(())) => tracing::info!(?sweep, "a sweep ended"),
                Ok(Err(why)) => tracing::warn!(?sweep, why = %why, "a sweep failed"),
                Err(lost) => tracing::error!(?sweep, why = %lost, "a sweep was lost"),
            }
            actor.look(ctx);
        }));
    }
}

/// When a sweep that runs now is due again.
fn next(sweep: SweepKind, now: DateTime<Utc>) -> DateTime<Utc> {
    match sweep {
        SweepKind::Reminders => now + REMINDED_EVERY,
        SweepKind::Retention => {
            let hour = NaiveTime::from_hms_opt(RETENTION_HOUR, 0, 0).unwrap_or(NaiveTime::MIN);
            let today = now.date_naive().and_time(hour).and_utc();
            if today > now { today } else { today + TimeDelta::days(1) }
        }
    }
}

impl Actor for Janitor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn retention_runs_at_three_in_the_morning_utc() {
        let today = next(SweepKind::Retention, at("2026-03-29T01:00:00Z"));
        assert_eq!(today, at("2026-03-29T03:00:00Z"));
        assert_eq!(next(SweepKind::Retention, today), at("2026-03-30T03:00:00Z"));
    }
}
