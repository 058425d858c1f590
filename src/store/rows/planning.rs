//! What is to be done, when, and what became of it.

use diesel::prelude::*;

use super::{Column, StoreError};
use crate::{
    domain::{
        block::{BlockLock, BlockOrigin, BlockState, TimeBlock},
        context::{Context, ContextVisibility},
        event::Transparency,
        focus::{Focus, FocusState},
        ids::{
            BlockId, CalendarId, ContextId, EventId, FocusId, PlanRunId, ProposalId, RolloverId, SpaceId, TaskId,
            UserId,
        },
        proposal::{PlanCause, Proposal, ProposalState},
        rollover::Rollover,
        task::{PartOfDay, Priority, Task, TaskFacts, TaskStatus},
    },
    store::{
        schema::{blocks, contexts, focuses, proposals, rollovers, tasks},
        types::{Json, Ts},
    },
};

row! {
    /// A context.
    ContextRow is Context in contexts (id) {
        id: ContextId,
        space_id: SpaceId,
        user_id: UserId,
        name: String,
        visibility: ContextVisibility,
        calendar_id: Option<CalendarId>,
        created_at: Ts,
        updated_at: Ts,
        version: i64,
    }
}

row! {
    /// A task, or one instance of it.
    TaskRow is Task in tasks (id) {
        id: TaskId,
        space_id: SpaceId,
        user_id: UserId,
        actual_min: i64,
        series: Option<Json>,
        made_from: Option<EventId>,
        carried_from: Option<TaskId>,
        carry_count: i64,
        carried_actual_min: i64,
        completed_at: Option<Ts>,
        created_at: Ts,
        updated_at: Ts,
        version: i64,
    } with facts: TaskFacts {
        context_id: Option<ContextId>,
        title: Json,
        description: Option<Json>,
        project: Option<String>,
        priority: Priority,
        estimate_min: Option<i64>,
        due: Option<Json>,
        not_before: Option<Json>,
        hours: Option<String>,
        min_chunk_min: Option<i64>,
        max_chunk_min: Option<i64>,
        splittable: bool,
        after: Json,
        prefer: Option<PartOfDay>,
        buffer_after_min: Option<i64>,
        repeats: Option<Json>,
        status: TaskStatus,
        pinned: bool,
    }
}

row! {
    /// A time block.
    BlockRow is TimeBlock in blocks (id) {
        id: BlockId,
        space_id: SpaceId,
        user_id: UserId,
        task_id: TaskId,
        event_id: Option<EventId>,
        start: Ts,
        end: Ts,
        wall: String,
        zone: String,
        origin: BlockOrigin,
        lock: BlockLock,
        state: BlockState,
        shows: Option<Transparency>,
        reason: String,
        plan_run: Option<PlanRunId>,
        created_at: Ts,
        updated_at: Ts,
        version: i64,
    }
}

row! {
    /// A schedule that was offered.
    ProposalRow is Proposal in proposals (id) {
        id: ProposalId,
        space_id: SpaceId,
        user_id: UserId,
        plan_run: PlanRunId,
        cause: PlanCause,
        inputs: Vec<u8>,
        changes: Json,
        state: ProposalState,
        created_at: Ts,
        decided_at: Option<Ts>,
        version: i64,
    }
}

row! {
    /// A focus session.
    FocusRow is Focus in focuses (id) {
        id: FocusId,
        space_id: SpaceId,
        user_id: UserId,
        task_id: TaskId,
        block_id: Option<BlockId>,
        state: FocusState,
        since: Ts,
        worked: Json,
        overrun: bool,
        started_at: Ts,
        ended_at: Option<Ts>,
        version: i64,
    }
}

row! {
    /// A person's change of day.
    RolloverRow is Rollover in rollovers (id) {
        id: RolloverId,
        space_id: SpaceId,
        user_id: UserId,
        date: String,
        skipped: Option<Json>,
        tasks: Json,
        waiting: Json,
        ran_at: Ts,
        undone_at: Option<Ts>,
    }
}
