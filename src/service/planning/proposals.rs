//! Offers: accepted as a whole or block by block, refused, put back.
//!
//! - **stand**: a proposal stands while what it was made from is as it was.
//!
//! **Invariant:** a block that moves is one update of its one event, never a delete and a create.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{Services, write::WriteTx},
    gather::Gathered,
    publish::Slack,
};
use crate::{
    domain::{
        block::{BlockLock, BlockOrigin, BlockState, Placed, TimeBlock},
        ids::{BlockId, ProposalId, TaskId, UserId},
        person::Scope,
        proposal::{BlockChange, Change, ChangeState, Proposal, ProposalState},
    },
    engine::{agenda::slack, scheduling::Block},
    service::Refusal,
    store::{Mode, StoreError},
};

impl Services {
    /// One proposal.
    pub async fn proposal(&self, scope: &Scope, id: ProposalId) -> Result<Proposal, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let found = tx.proposal(scope, id).await?.ok_or(Refusal::NotFound("proposal"))?;
        tx.commit().await?;
        Ok(found)
    }

    /// The proposals of a user, newest first; one more than asked for if there is one.
    pub async fn proposals(
        &self,
        scope: &Scope,
        user: &UserId,
        before: Option<ProposalId>,
        limit: u32,
    ) -> Result<Vec<Proposal>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.user(user).await?.ok_or(Refusal::NotFound("user"))?;
        let found = tx.proposals_of(scope, user, before, limit.saturating_add(1)).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Accepts a proposal, all of it or the changes of some blocks. What it was made from must be as it was.
    pub async fn accept_proposal(
        &self,
        scope: &Scope,
        id: ProposalId,
        only: Option<&BTreeSet<BlockId>>,
    ) -> Result<Proposal, Refusal> {
        again!(self.try_accept_proposal(scope, id, only), Refusal::Stale)
    }

    async fn try_accept_proposal(
        &self,
        scope: &Scope,
        id: ProposalId,
        only: Option<&BTreeSet<BlockId>>,
    ) -> Result<Proposal, Refusal> {
        let mut proposal = self.proposal(scope, id).await?;
        check_choice(&proposal, only)?;
        if proposal.state == ProposalState::Accepted && only.is_none() {
            return Ok(proposal);
        }
        let gathered = self.gather(scope, &proposal.user_id).await?;
        let mut write = self.begin_write().await?;
        let held = write.proposal(scope, id).await?.ok_or(Refusal::NotFound("proposal"))?;
        if held.version != proposal.version || !gathered.is_current(&mut write).await? {
            return Err(Refusal::Stale);
        }
        // Changes of this very proposal that were accepted one by one do not make the rest stale.
        let begun = proposal.changes.iter().any(|change| change.state == ChangeState::Accepted);
        if proposal.state != ProposalState::Open || !(begun || proposal.stands(gathered.inputs)) {
            if proposal.state == ProposalState::Open {
                (proposal.state, proposal.decided_at) = (ProposalState::Expired, Some(gathered.now));
                proposal.version += 1;
                write.put_proposal(&proposal).await?;
                write.owe_plan(&proposal.user_id, proposal.cause, gathered.now).await?;
                write.commit().await?;
            }
            let why = "it is out of date: what it was made from has changed; ask for the new one".to_owned();
            return Err(Refusal::Invalid { field: "state", why });
        }
        self.carry_out_changes(&mut write, &gathered, &mut proposal, only).await?;
        proposal.version += 1;
        write.put_proposal(&proposal).await?;
        write.commit().await?;
        Ok(proposal)
    }

    /// Refuses a proposal; the plan in force stays.
    pub async fn reject_proposal(&self, scope: &Scope, id: ProposalId) -> Result<Proposal, Refusal> {
        self.write(async |write| {
            let mut proposal = write.proposal(scope, id).await?.ok_or(Refusal::NotFound("proposal"))?;
            if proposal.state != ProposalState::Open {
                return Err(Refusal::Invalid { field: "state", why: "it is no longer open".to_owned() });
            }
            for change in proposal.changes.iter_mut().filter(|change| change.state == ChangeState::Open) {
                change.state = ChangeState::Rejected;
            }
            proposal.state = proposal.settled();
            (proposal.decided_at, proposal.version) = (Some(self.world.now()), proposal.version + 1);
            write.put_proposal(&proposal).await?;
            Ok(proposal)
        })
        .await
    }

    /// Puts accepted changes back, all of them or those of some blocks, where nothing has happened to the block since.
    pub async fn put_back(
        &self,
        scope: &Scope,
        id: ProposalId,
        only: Option<&BTreeSet<BlockId>>,
    ) -> Result<Proposal, Refusal> {
        again!(self.try_put_back(scope, id, only), Refusal::Stale)
    }

    async fn try_put_back(
        &self,
        scope: &Scope,
        id: ProposalId,
        only: Option<&BTreeSet<BlockId>>,
    ) -> Result<Proposal, Refusal> {
        let proposal = self.proposal(scope, id).await?;
        let gathered = self.gather(scope, &proposal.user_id).await?;
        let mut write = self.begin_write().await?;
        let held = write.proposal(scope, id).await?.filter(|held| held.version == proposal.version);
        let mut proposal = held.ok_or(Refusal::Stale)?;
        check_choice(&proposal, only)?;
        if !gathered.is_current(&mut write).await? {
            return Err(Refusal::Stale);
        }
        let mut blocks = gathered.blocks.clone();
        for change in &mut proposal.changes {
            let wanted = only.is_none_or(|only| only.contains(&change.block_id));
            if change.state != ChangeState::Accepted || !wanted {
                continue;
            }
            let now_at = blocks.iter().find(|block| block.id == change.block_id).map(TimeBlock::span);
            let as_left = match change.change {
                Change::Add { to } | Change::Move { to, .. } => now_at == Some(to),
                Change::Remove { .. } => now_at.is_none(),
            };
            if as_left {
                self.apply(&mut write, &gathered, &mut blocks, change, change.change.reversed()).await?;
                change.state = ChangeState::PutBack;
            }
        }
        self.show_slack(&mut write, &gathered, &mut blocks).await?;
        proposal.version += 1;
        write.put_proposal(&proposal).await?;
        write.commit().await?;
        Ok(proposal)
    }

    pub(super) async fn carry_out_changes(
        &self,
        write: &mut WriteTx<'_>,
        gathered: &Gathered,
        proposal: &mut Proposal,
        only: Option<&BTreeSet<BlockId>>,
    ) -> Result<(), StoreError> {
        let mut blocks = gathered.blocks.clone();
        let run = proposal.plan_run;
        for change in &mut proposal.changes {
            let wanted = only.is_none_or(|only| only.contains(&change.block_id));
            if change.state != ChangeState::Open || !wanted {
                continue;
            }
            self.apply(write, gathered, &mut blocks, change, change.change).await?;
            change.state = ChangeState::Accepted;
            if let Some(block) = blocks.iter_mut().find(|block| block.id == change.block_id) {
                block.plan_run = Some(run);
            }
        }
        self.show_slack(write, gathered, &mut blocks).await?;
        proposal.state = proposal.settled();
        if proposal.state != ProposalState::Open {
            proposal.decided_at = Some(gathered.now);
        }
        Ok(())
    }

    /// Does one change: one update of the block's one event, never a delete and a create.
    async fn apply(
        &self,
        write: &mut WriteTx<'_>,
        gathered: &Gathered,
        blocks: &mut Vec<TimeBlock>,
        change: &BlockChange,
        what: Change,
    ) -> Result<(), StoreError> {
        let at = blocks.iter().position(|block| block.id == change.block_id);
        match (what, at) {
            (Change::Remove { .. }, Some(at)) => {
                let block = blocks.remove(at);
                self.withdraw_block(write, &block).await?;
            }
            (Change::Move { to, .. }, Some(at)) => {
                if let Some(block) = blocks.get_mut(at) {
                    block.move_to(to);
                    block.origin = BlockOrigin::Auto;
                    block.touch(gathered.now);
                    change.reason.clone_into(&mut block.reason);
                }
            }
            (Change::Add { to }, None) => {
                if let Some(task) = gathered.tasks.iter().find(|task| task.id == change.task_id) {
                    let placed = Placed {
                        origin: BlockOrigin::Auto,
                        lock: BlockLock::None,
                        state: BlockState::Confirmed,
                        reason: change.reason.clone(),
                    };
                    let zone = gathered.user.time_zone;
                    blocks.push(TimeBlock::new(change.block_id, task, zone, to, placed, gathered.now));
                }
            }
            // It is so already, or is gone.
            _ => {}
        }
        Ok(())
    }

    /// Stores blocks with their events, free while there is room for them elsewhere, else busy.
    async fn show_slack(
        &self,
        write: &mut WriteTx<'_>,
        gathered: &Gathered,
        blocks: &mut [TimeBlock],
    ) -> Result<(), StoreError> {
        let compiled = gathered.compiled(blocks);
        let in_force: Vec<Block> = compiled.problem.previous.iter().map(|held| held.block).collect();
        let room = slack(&compiled, &in_force);
        let slack: Slack = blocks.iter().filter_map(|block| Some((block.id, *room.get(&block.task_id)?))).collect();
        let mut by_task: BTreeMap<TaskId, Vec<TimeBlock>> = BTreeMap::new();
        for block in blocks.iter() {
            by_task.entry(block.task_id).or_default().push(block.clone());
        }
        for (task, mut own) in by_task {
            let Some(task) = gathered.tasks.iter().find(|held| held.id == task) else { continue };
            self.reflect(write, task, &mut own, Some(&slack)).await?;
        }
        Ok(())
    }
}

/// Refuses a choice that names a block which the proposal does not change.
fn check_choice(proposal: &Proposal, only: Option<&BTreeSet<BlockId>>) -> Result<(), Refusal> {
    let changed: BTreeSet<BlockId> = proposal.changes.iter().map(|change| change.block_id).collect();
    match only.into_iter().flatten().find(|block| !changed.contains(block)) {
        Some(other) => {
            Err(Refusal::Invalid { field: "blocks", why: format!("the proposal has nothing for block {other}") })
        }
        None => Ok(()),
    }
}
