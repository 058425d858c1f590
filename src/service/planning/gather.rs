//! Everything a plan follows from, as it is stored now.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::{
    super::Services,
    availability::usual_hours,
    person::{days_of, person, rules_of},
};
use crate::{
    domain::{
        account::AccountStatus,
        block::{BlockState, TimeBlock},
        ids::{AccountId, UserId},
        person::{Scope, User},
        proposal::Fingerprint,
        task::Task,
        time::Window,
        working_hours::{PlanningRules, TimeMap},
    },
    engine::{
        agenda::{Agenda, Compiled, compile},
        day::Days,
        scheduling::TASKS_MAX,
    },
    service::Refusal,
    store::{Mode, StoreError, Tx},
};

/// Accounts of one person that are looked at.
const ACCOUNTS_MAX: u32 = 100;

/// Everything a plan follows from.
pub(super) struct Gathered {
    pub(super) user: User,
    pub(super) rules: PlanningRules,
    pub(super) usual: TimeMap,
    pub(super) tasks: Vec<Task>,
    pub(super) blocks: Vec<TimeBlock>,
    /// Minutes worked today in blocks that are over; nought, where no cap asks for them.
    pub(super) worked_min: u32,
    pub(super) busy: Vec<Window>,
    pub(super) unheard: Vec<AccountId>,
    pub(super) inputs: Fingerprint,
    pub(super) now: DateTime<Utc>,
}

impl Gathered {
    pub(super) fn days(&self) -> Days {
        days_of(&self.user, &self.rules)
    }

    pub(super) fn compiled(&self, blocks: &[TimeBlock]) -> Compiled {
        compile(&Agenda {
            days: self.days(),
            now: self.now,
            rules: &self.rules,
            usual: &self.usual,
            tasks: &self.tasks,
            blocks,
            worked_min: self.worked_min,
            busy: &self.busy,
        })
    }

    /// Whether tasks, blocks and rules are as they were: what is written from here would undo a change made meanwhile.
    pub(super) async fn is_current(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let rules = rules_of(tx, &self.user.id).await?;
        let (tasks, blocks) = (planned_tasks(tx, &self.user.id).await?, tx.live_blocks(&self.user.id, self.now).await?);
        Ok(rules == self.rules && tasks == self.tasks && blocks == self.blocks)
    }
}

/// The tasks that are to be planned: one more than can be, if there are too many.
async fn planned_tasks(tx: &mut Tx, user: &UserId) -> Result<Vec<Task>, StoreError> {
    let most = u32::try_from(TASKS_MAX).unwrap_or(u32::MAX).saturating_add(1);
    tx.tasks_of(&Scope::Whole, user, true, None, None, most).await
}

impl Services {
    pub(super) async fn gather(&self, scope: &Scope, user: &UserId) -> Result<Gathered, Refusal> {
        let now = self.world.now();
        // A person's tasks and events may stand in spaces that this caller does not see; a plan knows all of them.
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let user = person(&mut tx, scope, user).await?;
        let (rules, rules_version) = tx.planning_rules(&user.id).await?.unwrap_or_default();
        let tasks = planned_tasks(&mut tx, &user.id).await?;
        if tasks.len() > TASKS_MAX {
            let why = format!("a plan takes at most {TASKS_MAX} open tasks of a user: close or delete some");
            return Err(Refusal::Invalid { field: "tasks", why });
        }
        let blocks = tx.live_blocks(&user.id, now).await?;
        // From the begin of the day, so that what is seen is the same all day long.
        let days = days_of(&user, &rules);
        let from = days.start(days.date(now)).unwrap_or(now);
        let worked_min = if rules.daily_cap_min.is_some() {
            let of_today = tx.blocks_between(&user.id, from, now).await?;
            let done = of_today.iter().filter(|block| block.state == BlockState::Done && block.start >= from);
            done.map(|block| u32::try_from(block.span().length().num_minutes()).unwrap_or(0)).sum()
        } else {
            0
        };
        let accounts = tx.accounts(scope, Some(&user.id), None, ACCOUNTS_MAX).await?;
        tx.commit().await?;
        let own: BTreeSet<_> = blocks.iter().filter_map(|block| block.event_id).collect();
        let ahead = Window { from, to: from + Duration::days(i64::from(rules.look_ahead_days) + 1) };
        let busy = self.busy_time(scope, &user.id, ahead, Some(&own)).await?.spans;
        let unheard: Vec<_> = accounts
            .into_iter()
            .filter(|account| matches!(account.status, AccountStatus::ReconnectRequired | AccountStatus::Error))
            .map(|account| account.id)
            .collect();
        let seen = (
            tasks.iter().map(|task| (task.id, task.version)).collect::<Vec<_>>(),
            blocks.iter().map(|block| (block.id, block.version)).collect::<Vec<_>>(),
            busy.iter().map(|span| (span.from.timestamp(), span.to.timestamp())).collect::<Vec<_>>(),
            (rules_version, worked_min),
        );
        let usual = usual_hours(&user, &rules);
        Ok(Gathered {
            inputs: Fingerprint::of(&seen),
            user,
            rules,
            usual,
            tasks,
            blocks,
            worked_min,
            busy,
            unheard,
            now,
        })
    }
}
