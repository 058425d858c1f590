//! From what is owed to a plan: gather, decide, offer.
//!
//! **Invariant:** nothing reaches a calendar before a person accepts, unless they have chosen that plans are carried out.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{super::Services, compute::NoPlan, gather::Gathered};
use crate::{
    domain::{
        conflict::Severity,
        ids::{AccountId, PlanRunId, ProposalId, TaskId, UserId},
        notice::{Notice, NoticeSubject},
        person::Scope,
        proposal::{BlockChange, Change, ChangeState, PlanCause, Proposal, ProposalState},
    },
    engine::{
        agenda::{Compiled, moves},
        replan::{Handling, handling},
        scheduling::Plan,
    },
    service::Refusal,
    store::{Mode, StoreError},
};

/// Owed plans made in one go.
const PLANS_AT_ONCE: u32 = 50;
/// How long a plan that could not be made is put off, and one for which there was no room.
const PUT_OFF: Duration = Duration::minutes(5);
const PUT_OFF_BUSY: Duration = Duration::seconds(10);
/// When a caller may ask again for whose plan there was no room.
const RETRY_AFTER_S: u32 = 2;

/// A plan as its user sees it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What would change, or was changed; `None`: the plan in force is the best there is.
    pub proposal: Option<Proposal>,
    /// What the plan's numbers stand for.
    pub compiled: Compiled,
    /// The plan.
    pub plan: Arc<Plan>,
    /// Accounts that cannot be heard: their calendars may be fuller than known.
    pub unheard: Vec<AccountId>,
}

impl Services {
    /// Makes a plan for a user, and offers it or carries it out as they have chosen.
    pub async fn plan(&self, scope: &Scope, user: &UserId, cause: PlanCause) -> Result<Planned, Refusal> {
        self.plan_while(scope, user, cause, &CancellationToken::new()).await
    }

    /// The same, given up when its caller has gone before it is computed.
    pub async fn plan_while(
        &self,
        scope: &Scope,
        user: &UserId,
        cause: PlanCause,
        gone: &CancellationToken,
    ) -> Result<Planned, Refusal> {
        again!(self.try_plan(scope, user, cause, gone), Refusal::Stale)
    }

    async fn try_plan(
        &self,
        scope: &Scope,
        user: &UserId,
        cause: PlanCause,
        gone: &CancellationToken,
    ) -> Result<Planned, Refusal> {
        let gathered = self.gather(scope, user).await?;
        let planned = self.decide(&gathered, cause, gone).await?;
        let proposal = self.offer(&gathered, planned.proposal, handling(gathered.rules.mode, cause)).await?;
        Ok(Planned { proposal, ..planned })
    }

    /// The same, and nothing is stored.
    pub async fn plan_dry(&self, scope: &Scope, user: &UserId) -> Result<Planned, Refusal> {
        let gathered = self.gather(scope, user).await?;
        self.decide(&gathered, PlanCause::Asked, &CancellationToken::new()).await
    }

    async fn decide(
        &self,
        gathered: &Gathered,
        cause: PlanCause,
        gone: &CancellationToken,
    ) -> Result<Planned, Refusal> {
        let compiled = gathered.compiled(&gathered.blocks);
        let plan = self.computing.plan(&gathered.user.id, &compiled.problem, gone).await.map_err(no_plan)?;
        let found = moves(&compiled, &plan);
        let run = self.world.new_id::<PlanRunId>();
        let changes: Vec<_> = found
            .into_iter()
            .map(|one| BlockChange {
                block_id: one.block.unwrap_or_else(|| self.world.new_id()),
                task_id: one.task,
                change: one.change,
                reason: one.reason.to_owned(),
                state: ChangeState::Open,
            })
            .collect();
        let proposal = (!changes.is_empty()).then(|| Proposal {
            id: self.world.new_id::<ProposalId>(),
            space_id: gathered.user.home_space.clone(),
            user_id: gathered.user.id.clone(),
            plan_run: run,
            cause,
            inputs: gathered.inputs,
            changes,
            state: ProposalState::Open,
            created_at: gathered.now,
            decided_at: None,
            version: 1,
        });
        let unheard = gathered.unheard.clone();
        Ok(Planned { proposal, compiled, plan, unheard })
    }

    /// Stores an offer in place of the one before, or carries it out.
    async fn offer(
        &self,
        gathered: &Gathered,
        proposal: Option<Proposal>,
        handling: Handling,
    ) -> Result<Option<Proposal>, Refusal> {
        let mut write = self.begin_write().await?;
        if !gathered.is_current(&mut write).await? {
            return Err(Refusal::Stale);
        }
        for mut old in write.open_proposals(&gathered.user.id).await? {
            let same =
                proposal.as_ref().is_some_and(|new| new.inputs == old.inputs && changes_of(new) == changes_of(&old));
            if same {
                // Asked again about the same: the offer that is known stands.
                write.commit().await?;
                return Ok(Some(old));
            }
            (old.state, old.decided_at, old.version) = (ProposalState::Expired, Some(gathered.now), old.version + 1);
            write.put_proposal(&old).await?;
        }
        let mut proposal = proposal.filter(|_| handling != Handling::None);
        if let Some(held) = &mut proposal {
            if handling == Handling::CarriedOut {
                self.carry_out_changes(&mut write, gathered, held, None).await?;
            }
            write.put_proposal(held).await?;
            if handling == Handling::Offered && held.cause != PlanCause::Asked {
                write.put_notice(&self.offered_notice(held)).await?;
            }
        }
        write.commit().await?;
        Ok(proposal)
    }

    fn offered_notice(&self, proposal: &Proposal) -> Notice {
        let owner = (&proposal.space_id, &proposal.user_id);
        let subject = NoticeSubject::PlanOffered { changes: proposal.changes.len() };
        Notice::new(self.world.new_id(), owner, (subject, Severity::Low), self.world.now())
    }

    /// Makes the plans that are owed by now; answers when the next one is.
    pub async fn make_owed_plans(&self) -> Result<Option<DateTime<Utc>>, Refusal> {
        loop {
            let now = self.world.now();
            let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
            let owed = tx.plans_due(now, PLANS_AT_ONCE).await?;
            let next = tx.next_plan_at().await?;
            tx.commit().await?;
            if owed.is_empty() {
                return Ok(next);
            }
            let each = stream::iter(owed).map(|(user, cause, wishes)| self.make_owed_plan(user, cause, wishes));
            each.buffer_unordered(self.computing.at_once()).try_collect::<()>().await?;
        }
    }

    /// Makes one of them, or puts it off: over the person's pace, without room, or because it could not be made.
    async fn make_owed_plan(&self, user: UserId, cause: PlanCause, wishes: i64) -> Result<(), Refusal> {
        let now = self.world.now();
        if let Err(at) = self.pace.admit(&user, now) {
            return Ok(again!(self.put_off(&user, at))?);
        }
        match self.plan(&Scope::Whole, &user, cause).await {
            Ok(_) => Ok(again!(self.settle(&user, wishes, None))?),
            Err(why @ Refusal::Busy { .. }) => {
                tracing::info!(%why, "a plan has to wait");
                Ok(again!(self.put_off(&user, now + PUT_OFF_BUSY))?)
            }
            Err(why) => {
                tracing::warn!(%why, "a plan could not be made; it is tried again");
                Ok(again!(self.settle(&user, wishes, Some((cause, now + PUT_OFF))))?)
            }
        }
    }

    async fn put_off(&self, user: &UserId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        write.put_off_plan(user, at).await?;
        write.commit().await
    }

    /// The plan that was owed is made, or put off.
    async fn settle(
        &self,
        user: &UserId,
        wishes: i64,
        owed: Option<(PlanCause, DateTime<Utc>)>,
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        write.settle_plan(user, wishes).await?;
        if let Some((cause, at)) = owed {
            write.owe_plan(user, cause, at).await?;
        }
        write.commit().await
    }
}

/// What a caller gets for a list without a plan.
fn no_plan(why: NoPlan) -> Refusal {
    let busy = |why| Refusal::Busy { why, retry_after_s: RETRY_AFTER_S };
    match why {
        NoPlan::Refused(refused) => Refusal::Invalid { field: "planning", why: refused.to_string() },
        // The list has changed meanwhile: read it again, and join whoever brought the newer one.
        NoPlan::Superseded => Refusal::Stale,
        NoPlan::Full => busy("too many plans are being made"),
        NoPlan::Abandoned => busy("nobody waits for this plan"),
        NoPlan::Stopping => busy("the server is stopping"),
        NoPlan::Lost => Refusal::Store(StoreError::Corrupt("a list of tasks that the planner fell over".to_owned())),
    }
}

/// What a proposal would do, without the ids that it gives new blocks.
fn changes_of(proposal: &Proposal) -> Vec<(TaskId, Change)> {
    proposal.changes.iter().map(|change| (change.task_id, change.change)).collect()
}
