//! The queries of planning.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::{Link, Tx};
use crate::{
    domain::{
        block::TimeBlock,
        context::Context,
        focus::Focus,
        ids::{BlockId, ContextId, EventId, FocusId, ProposalId, RolloverId, SpaceId, TaskId, UserId},
        person::{Scope, User},
        proposal::{PlanCause, Proposal},
        rollover::Rollover,
        task::Task,
        working_hours::PlanningRules,
    },
    store::{error::StoreError, postgres, sqlite},
};

queries! {
    people {
        /// The people whose days are read in a zone, who have open tasks, and for whom no day from `today` on has begun, by id,
        /// after the last of the page before.
        fn users_to_turn(zone: Tz, today: NaiveDate, after: Option<&UserId>, limit: u32) -> Vec<User>;
        /// How a person wants to be planned, and the version of that; `None`: they never said, so the defaults hold.
        fn planning_rules(user: &UserId) -> Option<(PlanningRules, i64)>;
        /// Keeps how a person wants to be planned, in place of what was kept before.
        fn put_planning_rules(space: &SpaceId, user: &UserId, rules: &PlanningRules, version: i64) -> ();
    }
    contexts {
        /// Makes a context or overwrites it by id.
        fn put_context(context: &Context) -> ();
        /// A context.
        fn context(scope: &Scope, id: ContextId) -> Option<Context>;
        /// The contexts of a person, in the order they were made.
        fn contexts_of(scope: &Scope, user: &UserId) -> Vec<Context>;
        /// Forgets a context; its tasks stay, in none. `false`: there was none.
        fn delete_context(id: ContextId) -> bool;
    }
    tasks {
        /// Adds tasks or overwrites them by id; their contexts and the events they were made from exist already.
        fn put_tasks(written: &[Task]) -> ();
        /// A task.
        fn task(scope: &Scope, id: TaskId) -> Option<Task>;
        /// Those of these tasks that exist.
        fn tasks_by_ids(ids: &[TaskId]) -> Vec<Task>;
        /// The tasks that were made from these events, whatever became of them.
        fn tasks_made_from(events: &[EventId]) -> Vec<Task>;
        /// The instance that goes on with a task.
        fn task_carried_from(id: TaskId) -> Option<Task>;
        /// People with tasks that were carried too often, who were not asked about them since an instant.
        fn owners_of_stale(asked_before: DateTime<Utc>, limit: u32) -> Vec<(SpaceId, UserId)>;
        /// Every task of a person that the planner may place, in the order they were made.
        fn open_tasks(user: &UserId) -> Vec<Task>;
        /// The tasks of a person in the order they were made, after the last of the page before: all or those of one
        /// context, all or those that the planner may place.
        fn tasks_of(
            scope: &Scope,
            user: &UserId,
            open_only: bool,
            context: Option<ContextId>,
            after: Option<TaskId>,
            limit: u32,
        ) -> Vec<Task>;
        /// Forgets a task with its blocks and focus sessions; the events of its blocks stay. `false`: there was none.
        fn delete_task(id: TaskId) -> bool;
    }
    blocks {
        /// Adds blocks or overwrites them by id; their tasks and events exist already.
        fn put_blocks(written: &[TimeBlock]) -> ();
        /// A block.
        fn block(scope: &Scope, id: BlockId) -> Option<TimeBlock>;
        /// The blocks of a task, in whatever state, by start.
        fn blocks_of_task(task: TaskId) -> Vec<TimeBlock>;
        /// A person's blocks that share an instant with `from..to`, in whatever state, by start.
        fn blocks_between(user: &UserId, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<TimeBlock>;
        /// A person's blocks that end after `from` and are tentative, confirmed or in progress, by start.
        fn live_blocks(user: &UserId, from: DateTime<Utc>) -> Vec<TimeBlock>;
        /// Live blocks on the clock of a zone that begin after an instant, by id, after the last of the page before.
        fn blocks_ahead(zone: Tz, now: DateTime<Utc>, after: Option<BlockId>, limit: u32) -> Vec<TimeBlock>;
        /// People with a block that was to be over by now and is still taken for planned work.
        fn users_with_blocks_over(now: DateTime<Utc>, limit: u32) -> Vec<UserId>;
        /// When the next block ends that is taken for planned work.
        fn next_block_end(now: DateTime<Utc>) -> Option<DateTime<Utc>>;
        /// The blocks that are published as these events.
        fn blocks_by_events(events: &[EventId]) -> Vec<TimeBlock>;
        /// Forgets blocks; their events stay, and focus sessions go on without them.
        fn delete_blocks(ids: &[BlockId]) -> u64;
    }
    proposals {
        /// Makes a proposal or overwrites it by id.
        fn put_proposal(proposal: &Proposal) -> ();
        /// A proposal.
        fn proposal(scope: &Scope, id: ProposalId) -> Option<Proposal>;
        /// The proposals that a person may still accept, oldest first: one, or none, or what has to be closed.
        fn open_proposals(user: &UserId) -> Vec<Proposal>;
        /// The proposals to a person, newest first, older than `before`.
        fn proposals_of(scope: &Scope, user: &UserId, before: Option<ProposalId>, limit: u32) -> Vec<Proposal>;
        /// Forgets proposals that were decided before an instant: some thousands at most, so ask again until none went.
        fn sweep_proposals(before: DateTime<Utc>) -> u64;
    }
    owed_plans {
        /// Owes a person a plan; if one is owed already, the earlier of the two.
        fn owe_plan(user: &UserId, cause: PlanCause, due_at: DateTime<Utc>) -> ();
        /// The plans that are owed by now, and how often each was wished for, the oldest first.
        fn plans_due(now: DateTime<Utc>, limit: u32) -> Vec<(UserId, PlanCause, i64)>;
        /// When the next plan is owed.
        fn next_plan_at() -> Option<DateTime<Utc>>;
        /// Owes a person's plan later, whatever wished for it; nothing, if none is owed.
        fn put_off_plan(user: &UserId, due_at: DateTime<Utc>) -> ();
        /// Forgets what was owed to a person for so many wishes; where more have come since, a plan stays owed.
        fn settle_plan(user: &UserId, wishes: i64) -> ();
    }
    focuses {
        /// Begins a focus session or overwrites it by id. [`StoreError::Stale`]: its person has another open one.
        fn put_focus(focus: &Focus) -> ();
        /// A focus session.
        fn focus(scope: &Scope, id: FocusId) -> Option<Focus>;
        /// The focus session of a person whose clock runs or stands still.
        fn open_focus(user: &UserId) -> Option<Focus>;
        /// Everybody's open focus sessions with which something may be due, by id, after the last of the page before: the clock runs
        /// outside of a block and has not met what does not yield, or has stood still since `paused_before`.
        fn restless_focuses(
            now: DateTime<Utc>,
            paused_before: DateTime<Utc>,
            after: Option<FocusId>,
            limit: u32,
        ) -> Vec<Focus>;
        /// A person's focus sessions that began before `to` and did not end before or at `from`, by their begin.
        fn focuses_between(user: &UserId, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Focus>;
    }
    rollovers {
        /// Remembers that a day has begun in a zone; `false`: that was remembered before, and stays.
        fn begin_rollover_run(zone: Tz, day: NaiveDate, at: DateTime<Utc>) -> bool;
        /// The last day that has begun in a zone.
        fn last_rollover_day(zone: Tz) -> Option<NaiveDate>;
        /// With which release of the time zones' rules the blocks of a zone were looked at last.
        fn zone_rules(zone: Tz) -> Option<String>;
        /// Remembers it.
        fn put_zone_rules(zone: Tz, release: &str) -> ();
        /// Remembers a person's change of day; `false`: they were rolled to this date before, and that stays.
        fn insert_rollover(rollover: &Rollover) -> bool;
        /// A person's change of day.
        fn rollover(scope: &Scope, id: RolloverId) -> Option<Rollover>;
        /// The changes of day of a person, newest first, older than `before`.
        fn rollovers_of(scope: &Scope, user: &UserId, before: Option<RolloverId>, limit: u32) -> Vec<Rollover>;
        /// Overwrites a change of day.
        fn update_rollover(rollover: &Rollover) -> ();
        /// Forgets changes of day that ran before an instant, but for each person's last: some thousands at most, so ask again
        /// until none went.
        fn sweep_rollovers(before: DateTime<Utc>) -> u64;
    }
}
