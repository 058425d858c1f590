//! What is to be done, when, and what became of it.

use calwarden::{
    domain::{
        block::{BlockState, TimeBlock},
        conflict::Severity,
        context::{Context, ContextVisibility},
        focus::{Focus, FocusState},
        ids::{EventId, ProposalId, TaskId},
        notice::{Notice, NoticeSubject},
        person::{Scope, User},
        proposal::{PlanCause, Proposal, ProposalState},
        rollover::Rollover,
        task::{Task, TaskFacts, TaskStatus},
        working_hours::PlanningRules,
    },
    store::StoreError,
};

use super::{
    Base,
    given::{self, at, date, id, window},
    on_every_database,
};

const WHOLE: &Scope = &Scope::Whole;
const EVENT: u64 = 3;
const CONTEXT: u64 = 20;
const PROPOSAL: u64 = 50;
const FOCUS: u64 = 60;
const ROLLOVER: u64 = 70;

on_every_database![
    contexts_come_back_as_they_were,
    a_context_that_is_forgotten_leaves_its_tasks,
    planning_rules_are_kept_with_their_version,
    tasks_come_back_as_they_were,
    tasks_are_told_by_what_is_asked,
    a_thousand_tasks_and_blocks_are_written_at_once,
    what_is_named_twice_is_written_as_it_was_last,
    what_does_not_exist_cannot_be_worked_on,
    blocks_come_back_as_they_were,
    blocks_are_told_by_time_and_state,
    a_block_outlives_its_event_and_ends_with_its_task,
    whoever_has_stale_tasks_is_found_until_they_were_asked,
    a_plan_is_owed_once_and_settled_for_the_wishes_it_was_made_of,
    proposals_come_back_as_they_were_newest_first,
    focus_sessions_come_back_as_they_were,
    a_person_has_one_open_focus_session,
    a_day_begins_in_a_zone_once,
    blocks_of_a_zone_are_looked_at_once_for_its_rules,
    a_person_is_rolled_to_a_date_once,
    people_are_told_by_their_zone,
];

/// A task with nothing that may be left out.
fn sparse_task(number: u64) -> Task {
    let full = given::task(number, None, None);
    let facts = TaskFacts { splittable: false, ..TaskFacts::new(full.facts.title.as_str()) };
    Task { facts, series: None, carried_from: None, completed_at: None, ..full }
}

async fn put_tasks(base: &Base, tasks: &[Task]) {
    let mut tx = base.write().await;
    tx.put_tasks(tasks).await.expect("tasks");
    tx.commit().await.expect("committed");
}

async fn put_blocks(base: &Base, blocks: &[TimeBlock]) {
    let mut tx = base.write().await;
    tx.put_blocks(blocks).await.expect("blocks");
    tx.commit().await.expect("committed");
}

/// Bob, at home with Ada, elsewhere in the world.
async fn bob(base: &Base) -> User {
    let bob = User { time_zone: chrono_tz::America::New_York, ..given::user("bob", "home") };
    let mut tx = base.write().await;
    tx.put_user(&bob).await.expect("bob");
    tx.commit().await.expect("committed");
    bob
}

async fn contexts_come_back_as_they_were(base: Base) {
    let (_, calendar) = given::ada(&base).await;
    let (full, unmapped) = (given::context(CONTEXT, Some(&calendar)), given::context(21, None));
    let bobs = Context { user_id: bob(&base).await.id, ..given::context(22, None) };
    let mut tx = base.write().await;
    for context in [&unmapped, &full, &bobs] {
        tx.put_context(context).await.expect("context");
    }
    assert_eq!(tx.context(WHOLE, full.id).await, Ok(Some(full.clone())));
    assert_eq!(tx.context(WHOLE, id(29)).await, Ok(None));
    assert_eq!(tx.contexts_of(WHOLE, &full.user_id).await, Ok(vec![full.clone(), unmapped.clone()]));
    let again = Context {
        name: "House".into(),
        visibility: ContextVisibility::Private,
        calendar_id: None,
        updated_at: at(99),
        version: 5,
        ..full
    };
    tx.put_context(&again).await.expect("context");
    assert_eq!(tx.contexts_of(WHOLE, &again.user_id).await, Ok(vec![again.clone(), unmapped]));
    let mapped = Context { calendar_id: Some(calendar.id), ..again };
    tx.put_context(&mapped).await.expect("context");
    assert_eq!(tx.delete_account(calendar.account_id).await, Ok(true));
    assert_eq!(tx.context(WHOLE, mapped.id).await, Ok(Some(Context { calendar_id: None, ..mapped })));
}

async fn a_context_that_is_forgotten_leaves_its_tasks(base: Base) {
    let (context, task, block) = given::ada_with_work(&base).await;
    let mut tx = base.write().await;
    assert_eq!(tx.delete_context(context.id).await, Ok(true));
    assert_eq!(tx.delete_context(context.id).await, Ok(false));
    let mut homeless = task.clone();
    homeless.facts.context_id = None;
    assert_eq!(tx.task(WHOLE, task.id).await, Ok(Some(homeless)));
    assert_eq!(tx.block(WHOLE, block.id).await, Ok(Some(block)));
}

async fn planning_rules_are_kept_with_their_version(base: Base) {
    given::ada(&base).await;
    let (home, ada, rules) = (given::space_id("home"), given::user_id("ada"), given::planning_rules());
    let mut tx = base.write().await;
    assert_eq!(tx.planning_rules(&ada).await, Ok(None));
    tx.put_planning_rules(&home, &ada, &rules, 3).await.expect("rules");
    assert_eq!(tx.planning_rules(&ada).await, Ok(Some((rules, 3))));
    tx.put_planning_rules(&home, &ada, &PlanningRules::default(), 4).await.expect("rules");
    assert_eq!(tx.planning_rules(&ada).await, Ok(Some((PlanningRules::default(), 4))));
    assert_eq!(tx.planning_rules(&given::user_id("bob")).await, Ok(None));
}

async fn tasks_come_back_as_they_were(base: Base) {
    let (context, full, _) = given::ada_with_work(&base).await;
    let mut sparse = sparse_task(31);
    sparse.facts.title = "Made of \u{0} an event".into();
    put_tasks(&base, std::slice::from_ref(&sparse)).await;
    let mut tx = base.write().await;
    assert_eq!(tx.task(WHOLE, full.id).await, Ok(Some(full.clone())));
    assert_eq!(tx.task(WHOLE, sparse.id).await, Ok(Some(sparse.clone())));
    assert_eq!(tx.task(WHOLE, id(39)).await, Ok(None));
    let both = [sparse.id, full.id, id(39)];
    assert_eq!(tx.tasks_by_ids(&both).await, Ok(vec![full.clone(), sparse.clone()]));
    // Each takes on everything of the other: what is put again is overwritten whole.
    let (first, second) = (Task { id: sparse.id, ..full.clone() }, Task { id: full.id, ..sparse });
    tx.put_tasks(&[first.clone(), second.clone()]).await.expect("tasks");
    assert_eq!(tx.tasks_by_ids(&both).await, Ok(vec![second, first.clone()]));
    assert_eq!(first.facts.context_id, Some(context.id));
    assert_eq!(tx.delete_task(first.id).await, Ok(true));
    assert_eq!(tx.delete_task(first.id).await, Ok(false));
}

async fn tasks_are_told_by_what_is_asked(base: Base) {
    let (context, worked, _) = given::ada_with_work(&base).await;
    let ada = given::user_id("ada");
    let status = |(number, status): (u64, &TaskStatus)| {
        let mut task = sparse_task(number);
        task.facts.status = *status;
        task
    };
    let others: Vec<_> = (100..).zip(TaskStatus::ALL).map(status).collect();
    let bobs = Task { user_id: bob(&base).await.id, ..given::task(200, Some(context.id), Some(id(EVENT))) };
    put_tasks(&base, &others).await;
    put_tasks(&base, std::slice::from_ref(&bobs)).await;
    let open: Vec<_> =
        [&worked].into_iter().chain(&others).filter(|task| task.facts.status.is_open()).cloned().collect();
    assert_eq!(open.len(), 3, "the worked one, one that is open, one in progress");
    let all: Vec<_> = [&worked].into_iter().chain(&others).cloned().collect();
    let mut tx = base.read().await;
    assert_eq!(tx.open_tasks(&ada).await, Ok(open.clone()));
    assert_eq!(tx.tasks_of(WHOLE, &ada, true, None, None, 99).await, Ok(open));
    assert_eq!(tx.tasks_of(WHOLE, &ada, false, None, None, 99).await, Ok(all.clone()));
    assert_eq!(tx.tasks_of(WHOLE, &ada, false, Some(context.id), None, 99).await, Ok(vec![worked.clone()]));
    assert_eq!(tx.tasks_of(WHOLE, &ada, false, None, Some(worked.id), 2).await, Ok(others[..2].to_vec()));
    let last = all.last().map(|task| task.id);
    assert_eq!(tx.tasks_of(WHOLE, &ada, false, None, last, 2).await, Ok(vec![]));
    assert_eq!(tx.tasks_made_from(&[id(EVENT), id(98)]).await, Ok(vec![worked, bobs]));
    assert_eq!(tx.tasks_made_from(&[]).await, Ok(vec![]));
}

async fn a_thousand_tasks_and_blocks_are_written_at_once(base: Base) {
    let (context, ..) = given::ada_with_work(&base).await;
    let tasks: Vec<_> = (1_000..2_200).map(|n| given::task(n, Some(context.id), Some(id(EVENT)))).collect();
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    let block = |(n, task): (u64, &Task)| given::block(n, task.id, Some(id(EVENT)), window(1_000, 1_060));
    let blocks: Vec<_> = (3_000..).zip(&tasks).map(block).collect();
    let mut tx = base.write().await;
    tx.put_tasks(&tasks).await.expect("tasks");
    tx.put_blocks(&blocks).await.expect("blocks");
    assert_eq!(tx.tasks_by_ids(&ids).await, Ok(tasks));
    assert_eq!(tx.blocks_between(&context.user_id, at(1_000), at(1_001)).await, Ok(blocks.clone()));
    let gone: Vec<_> = blocks.iter().map(|block| block.id).collect();
    assert_eq!(tx.delete_blocks(&gone).await, Ok(1_200));
    assert_eq!(tx.delete_blocks(&gone).await, Ok(0));
    let events: Vec<EventId> = (0..1_200).map(|n| id(n + 10_000)).collect();
    assert_eq!(tx.blocks_by_events(&events).await, Ok(vec![]));
    assert_eq!(tx.tasks_made_from(&events).await, Ok(vec![]));
}

async fn what_is_named_twice_is_written_as_it_was_last(base: Base) {
    let (_, task, block) = given::ada_with_work(&base).await;
    let last = Task { version: 99, ..task.clone() };
    put_tasks(&base, &[task, last.clone()]).await;
    let moved = TimeBlock { version: 99, ..block.clone() };
    put_blocks(&base, &[block, moved.clone()]).await;
    let mut tx = base.read().await;
    assert_eq!(tx.task(WHOLE, last.id).await, Ok(Some(last)));
    assert_eq!(tx.block(WHOLE, moved.id).await, Ok(Some(moved)));
}

async fn what_does_not_exist_cannot_be_worked_on(base: Base) {
    let (_, task, block) = given::ada_with_work(&base).await;
    let mut nowhere = task.clone();
    nowhere.facts.context_id = Some(id(999));
    assert_eq!(base.write().await.put_tasks(&[nowhere]).await, Err(StoreError::NotFound));
    let unmade = Task { made_from: Some(id(999)), ..task };
    assert_eq!(base.write().await.put_tasks(&[unmade]).await, Err(StoreError::NotFound));
    let idle = TimeBlock { task_id: id(999), ..block.clone() };
    assert_eq!(base.write().await.put_blocks(&[idle]).await, Err(StoreError::NotFound));
    let idle = Focus { task_id: id(999), ..given::focus(FOCUS, &block) };
    assert_eq!(base.write().await.put_focus(&idle).await, Err(StoreError::NotFound));
}

async fn blocks_come_back_as_they_were(base: Base) {
    let (_, task, full) = given::ada_with_work(&base).await;
    put_tasks(&base, &[sparse_task(31)]).await;
    let mut sparse = given::block(41, id(31), None, window(0, 1));
    (sparse.shows, sparse.plan_run, sparse.zone) = (None, None, chrono_tz::UTC);
    (sparse.wall, sparse.state) = ("2026-01-02T03:04:00".parse().expect("a time"), BlockState::Done);
    put_blocks(&base, std::slice::from_ref(&sparse)).await;
    let mut tx = base.write().await;
    assert_eq!(tx.block(WHOLE, full.id).await, Ok(Some(full.clone())));
    assert_eq!(tx.block(WHOLE, sparse.id).await, Ok(Some(sparse.clone())));
    assert_eq!(tx.block(WHOLE, id(49)).await, Ok(None));
    let (first, second) = (TimeBlock { id: sparse.id, ..full.clone() }, TimeBlock { id: full.id, ..sparse });
    tx.put_blocks(&[first.clone(), second.clone()]).await.expect("blocks");
    assert_eq!(tx.blocks_of_task(task.id).await, Ok(vec![first]));
    assert_eq!(tx.blocks_of_task(id(31)).await, Ok(vec![second]));
}

async fn blocks_are_told_by_time_and_state(base: Base) {
    let (_, task, first) = given::ada_with_work(&base).await;
    let ada = given::user_id("ada");
    let states = (41..).zip(BlockState::ALL);
    let mut blocks: Vec<_> = states
        .map(|(number, state)| TimeBlock { state: *state, ..given::block(number, task.id, None, window(160, 200)) })
        .collect();
    // The later number begins earlier.
    blocks.push(given::block(90, task.id, None, window(90, 100)));
    put_blocks(&base, &blocks).await;
    let bobs =
        TimeBlock { user_id: bob(&base).await.id, ..given::block(91, task.id, Some(id(EVENT)), window(90, 300)) };
    put_blocks(&base, std::slice::from_ref(&bobs)).await;
    let early = blocks.pop().expect("pushed");
    let mut tx = base.read().await;
    assert_eq!(
        tx.blocks_between(&ada, at(100), at(160)).await,
        Ok(vec![first.clone()]),
        "what only meets it is not in it"
    );
    assert_eq!(tx.blocks_between(&ada, at(99), at(101)).await, Ok(vec![early.clone(), first.clone()]));
    assert_eq!(tx.blocks_between(&ada, at(199), at(300)).await, Ok(blocks.clone()));
    let live: Vec<_> = blocks.iter().filter(|block| block.state.is_live()).cloned().collect();
    assert_eq!(live.len(), 3, "tentative, confirmed, in progress");
    assert_eq!(tx.live_blocks(&ada, at(160)).await, Ok(live.clone()));
    let with_first: Vec<_> = [&first].into_iter().chain(&live).cloned().collect();
    assert_eq!(tx.live_blocks(&ada, at(159)).await, Ok(with_first));
    assert_eq!(tx.live_blocks(&ada, at(200)).await, Ok(vec![]));
    let mine: Vec<_> = [&early, &first].into_iter().chain(&blocks).cloned().collect();
    let task_blocks = tx.blocks_of_task(task.id).await.expect("read");
    assert_eq!(task_blocks.iter().filter(|block| block.user_id == ada).cloned().collect::<Vec<_>>(), mine);
    assert_eq!(tx.blocks_by_events(&[id(98), id(EVENT)]).await, Ok(vec![first, bobs]));
}

async fn a_block_outlives_its_event_and_ends_with_its_task(base: Base) {
    let (_, task, block) = given::ada_with_work(&base).await;
    let other = given::block(41, task.id, None, window(200, 210));
    put_blocks(&base, std::slice::from_ref(&other)).await;
    let session = given::focus(FOCUS, &block);
    let mut tx = base.write().await;
    tx.put_focus(&session).await.expect("focus");
    assert_eq!(tx.delete_events(&[id(EVENT)]).await, Ok(1));
    let alone = TimeBlock { event_id: None, ..block };
    assert_eq!(tx.block(WHOLE, alone.id).await, Ok(Some(alone.clone())));
    assert_eq!(tx.task(WHOLE, task.id).await, Ok(Some(Task { made_from: None, ..task.clone() })));
    assert_eq!(tx.delete_blocks(&[alone.id]).await, Ok(1));
    assert_eq!(tx.focus(WHOLE, session.id).await, Ok(Some(Focus { block_id: None, ..session.clone() })));
    assert_eq!(tx.blocks_of_task(task.id).await, Ok(vec![other.clone()]));
    assert_eq!(tx.delete_task(task.id).await, Ok(true));
    assert_eq!(tx.block(WHOLE, other.id).await, Ok(None));
    assert_eq!(tx.focus(WHOLE, session.id).await, Ok(None));
}

async fn whoever_has_stale_tasks_is_found_until_they_were_asked(base: Base) {
    given::ada(&base).await;
    let (ada, space) = (given::user_id("ada"), given::space_id("home"));
    let mut tx = base.write().await;
    for number in 70..72 {
        let mut task = sparse_task(number);
        assert_eq!(tx.owners_of_stale(at(10), 9).await.map(|all| all.len()), Ok(usize::from(number > 70)));
        task.facts.status = TaskStatus::Stale;
        tx.put_tasks(&[task]).await.expect("a task");
    }
    let what = (NoticeSubject::TaskStale, Severity::Normal);
    tx.put_notice(&Notice::new(id(80), (&space, &ada), what, at(20))).await.expect("a notice");
    assert_eq!(tx.owners_of_stale(at(19), 9).await, Ok(vec![]));
    assert_eq!(tx.owners_of_stale(at(20), 9).await, Ok(vec![(space, ada)]));
    let carried = given::task(73, None, None);
    tx.put_tasks(std::slice::from_ref(&carried)).await.expect("a task");
    assert_eq!(tx.task_carried_from(id(903)).await, Ok(Some(carried)));
    assert_eq!(tx.task_carried_from(id(904)).await, Ok(None));
}

async fn a_plan_is_owed_once_and_settled_for_the_wishes_it_was_made_of(base: Base) {
    given::ada(&base).await;
    let ada = given::user_id("ada");
    let mut tx = base.write().await;
    tx.owe_plan(&ada, PlanCause::Collision, at(10)).await.expect("owed");
    assert_eq!(tx.plans_due(at(9), 9).await, Ok(vec![]));
    assert_eq!(tx.next_plan_at().await, Ok(Some(at(10))));
    // Later news join it; earlier ones bring it forward.
    tx.owe_plan(&ada, PlanCause::Rollover, at(20)).await.expect("owed");
    assert_eq!(tx.plans_due(at(10), 9).await, Ok(vec![(ada.clone(), PlanCause::Collision, 2)]));
    tx.owe_plan(&ada, PlanCause::TaskEdited, at(5)).await.expect("owed");
    assert_eq!(tx.plans_due(at(5), 9).await, Ok(vec![(ada.clone(), PlanCause::TaskEdited, 3)]));
    tx.settle_plan(&ada, 2).await.expect("settled");
    assert_eq!(tx.next_plan_at().await, Ok(Some(at(5))), "more was wished for than that plan was made of");
    tx.settle_plan(&ada, 3).await.expect("settled");
    assert_eq!(tx.next_plan_at().await, Ok(None));
}

async fn proposals_come_back_as_they_were_newest_first(base: Base) {
    given::ada(&base).await;
    let ada = given::user_id("ada");
    let all: Vec<_> = (PROPOSAL..).zip(ProposalState::ALL).collect();
    let mut offered: Vec<_> =
        all.into_iter().map(|(number, state)| Proposal { state: *state, ..given::proposal(number) }).collect();
    let bobs = Proposal { user_id: bob(&base).await.id, ..given::proposal(PROPOSAL + 9) };
    let mut tx = base.write().await;
    for proposal in offered.iter().chain([&bobs]) {
        tx.put_proposal(proposal).await.expect("proposal");
    }
    assert_eq!(tx.proposal(WHOLE, bobs.id).await, Ok(Some(bobs)));
    assert_eq!(tx.proposal(WHOLE, id::<ProposalId>(98)).await, Ok(None));
    assert_eq!(tx.open_proposals(&ada).await, Ok(vec![offered[0].clone()]));
    let last = &mut offered[0];
    (last.state, last.decided_at, last.version) = (ProposalState::Expired, None, 99);
    last.changes.clear();
    tx.put_proposal(&offered[0]).await.expect("proposal");
    assert_eq!(tx.open_proposals(&ada).await, Ok(vec![]));
    offered.reverse();
    assert_eq!(tx.proposals_of(WHOLE, &ada, None, 2).await, Ok(offered[..2].to_vec()));
    assert_eq!(tx.proposals_of(WHOLE, &ada, Some(offered[1].id), 9).await, Ok(offered[2..].to_vec()));
    // All but the one whose decision was taken back just now were decided at one instant.
    assert_eq!(tx.sweep_proposals(at(27)).await, Ok(0));
    assert_eq!(tx.sweep_proposals(at(28)).await, Ok(offered.len() as u64));
    assert_eq!(tx.proposals_of(WHOLE, &ada, None, 9).await.map(|left| left.len()), Ok(1));
}

async fn focus_sessions_come_back_as_they_were(base: Base) {
    let (_, _, block) = given::ada_with_work(&base).await;
    let ada = given::user_id("ada");
    let open = given::focus(FOCUS, &block);
    let over = |number, from, to, state| {
        let ended_at = Some(at(to));
        Focus { state, started_at: at(from), ended_at, worked: vec![], overrun: false, ..given::focus(number, &block) }
    };
    let (done, stopped) = (over(61, 10, 20, FocusState::Done), over(62, 5, 8, FocusState::Stopped));
    let bobs =
        Focus { user_id: bob(&base).await.id, state: FocusState::Running, overrun: false, ..given::focus(63, &block) };
    let mut tx = base.write().await;
    for focus in [&open, &done, &stopped, &bobs] {
        tx.put_focus(focus).await.expect("focus");
        assert_eq!(tx.focus(WHOLE, focus.id).await, Ok(Some(focus.clone())));
    }
    assert_eq!(tx.focus(WHOLE, id(69)).await, Ok(None));
    assert_eq!(tx.open_focus(&ada).await, Ok(Some(open.clone())));
    assert_eq!(tx.open_focus(&bobs.user_id).await, Ok(Some(bobs.clone())));
    // Ada's clock stands still since the fiftieth minute; Bob's runs, and its block begins with the hundredth.
    let (early, late) = ((at(99), at(49)), (at(100), at(50)));
    assert_eq!(tx.restless_focuses(early.0, early.1, None, 9).await, Ok(vec![bobs.clone()]));
    assert_eq!(tx.restless_focuses(late.0, late.1, None, 9).await, Ok(vec![open.clone()]));
    assert_eq!(tx.restless_focuses(early.0, late.1, None, 9).await, Ok(vec![open.clone(), bobs.clone()]));
    assert_eq!(tx.restless_focuses(early.0, late.1, None, 1).await, Ok(vec![open.clone()]));
    assert_eq!(tx.restless_focuses(early.0, late.1, Some(open.id), 9).await, Ok(vec![bobs.clone()]));
    let stuck = Focus { overrun: true, ..bobs.clone() };
    tx.put_focus(&stuck).await.expect("focus");
    assert_eq!(tx.restless_focuses(early.0, early.1, None, 9).await, Ok(vec![]));
    tx.put_focus(&bobs).await.expect("focus");
    let between =
        [(0, 99, vec![&stopped, &done, &open]), (8, 10, vec![]), (19, 40, vec![&done]), (20, 41, vec![&open])];
    for (from, to, expected) in between {
        let expected: Vec<_> = expected.into_iter().cloned().collect();
        assert_eq!(tx.focuses_between(&ada, at(from), at(to)).await, Ok(expected), "{from} to {to}");
    }
    let ended = Focus { state: FocusState::Done, ended_at: Some(at(90)), block_id: None, version: 10, ..open };
    tx.put_focus(&ended).await.expect("focus");
    assert_eq!(tx.focus(WHOLE, ended.id).await, Ok(Some(ended)));
    assert_eq!(tx.open_focus(&ada).await, Ok(None));
}

async fn a_person_has_one_open_focus_session(base: Base) {
    let (_, _, block) = given::ada_with_work(&base).await;
    let states = [FocusState::Running, FocusState::Paused];
    let mut first = Focus { state: FocusState::Running, ..given::focus(FOCUS, &block) };
    let mut tx = base.write().await;
    tx.put_focus(&first).await.expect("the first");
    tx.commit().await.expect("committed");
    for (held, asked) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        first.state = states[held];
        let second = Focus { state: states[asked], ..given::focus(61, &block) };
        let mut tx = base.write().await;
        tx.put_focus(&first).await.expect("its own state may change");
        assert_eq!(tx.put_focus(&second).await, Err(StoreError::Stale), "{held} {asked}");
    }
    let mut tx = base.write().await;
    (first.state, first.ended_at) = (FocusState::Stopped, Some(at(80)));
    tx.put_focus(&first).await.expect("ended");
    let second = given::focus(61, &block);
    tx.put_focus(&second).await.expect("once the first is over");
    assert_eq!(tx.open_focus(&second.user_id).await, Ok(Some(second)));
}

async fn a_day_begins_in_a_zone_once(base: Base) {
    use chrono_tz::{Europe::Paris, UTC};
    let (first, next) = (date("2026-03-09"), date("2026-03-10"));
    let mut tx = base.write().await;
    assert_eq!(tx.last_rollover_day(Paris).await, Ok(None));
    assert_eq!(tx.begin_rollover_run(Paris, next, at(1)).await, Ok(true));
    assert_eq!(tx.begin_rollover_run(Paris, next, at(2)).await, Ok(false));
    assert_eq!(tx.begin_rollover_run(Paris, first, at(3)).await, Ok(true));
    assert_eq!(tx.begin_rollover_run(UTC, first, at(3)).await, Ok(true));
    tx.commit().await.expect("committed");
    let mut tx = base.write().await;
    assert_eq!(tx.begin_rollover_run(Paris, next, at(4)).await, Ok(false));
    assert_eq!(tx.last_rollover_day(Paris).await, Ok(Some(next)));
    assert_eq!(tx.last_rollover_day(UTC).await, Ok(Some(first)));
}

async fn blocks_of_a_zone_are_looked_at_once_for_its_rules(base: Base) {
    use chrono_tz::{Africa::Cairo, Europe::Paris};
    let (_, task, _) = given::ada_with_work(&base).await;
    let zoned = |number, zone, start| TimeBlock { zone, ..given::block(number, task.id, None, window(start, 500)) };
    let done = TimeBlock { state: BlockState::Done, ..zoned(74, Cairo, 300) };
    let blocks = [zoned(71, Cairo, 300), zoned(72, Cairo, 301), zoned(73, Cairo, 100), done, zoned(75, Paris, 300)];
    put_blocks(&base, &blocks).await;
    let mut tx = base.write().await;
    let [first, second, ..] = blocks;
    assert_eq!(tx.blocks_ahead(Cairo, at(200), None, 1).await, Ok(vec![first.clone()]));
    assert_eq!(
        tx.blocks_ahead(Cairo, at(200), Some(first.id), 9).await,
        Ok(vec![second]),
        "live, ahead, on that clock"
    );
    assert_eq!(tx.zone_rules(Cairo).await, Ok(None));
    for release in ["2025a", "2026c"] {
        tx.put_zone_rules(Cairo, release).await.expect("remembered");
        assert_eq!(tx.zone_rules(Cairo).await, Ok(Some(release.to_owned())));
    }
    assert_eq!(tx.zone_rules(Paris).await, Ok(None));
}

async fn a_person_is_rolled_to_a_date_once(base: Base) {
    given::ada(&base).await;
    let ada = given::user_id("ada");
    let first = given::rollover(ROLLOVER, "2026-03-09");
    let plain = Rollover {
        skipped: None,
        tasks: vec![],
        waiting: vec![],
        undone_at: None,
        ..given::rollover(ROLLOVER + 1, "2026-03-10")
    };
    let bobs = Rollover { user_id: bob(&base).await.id, ..given::rollover(ROLLOVER + 2, "2026-03-09") };
    let mut tx = base.write().await;
    for rollover in [&first, &plain, &bobs] {
        assert_eq!(tx.insert_rollover(rollover).await, Ok(true));
        assert_eq!(tx.rollover(WHOLE, rollover.id).await, Ok(Some(rollover.clone())));
    }
    let again = Rollover { date: first.date, ..given::rollover(ROLLOVER + 3, "2026-03-10") };
    assert_eq!(tx.insert_rollover(&again).await, Ok(false));
    assert_eq!(tx.rollover(WHOLE, again.id).await, Ok(None));
    assert_eq!(tx.rollovers_of(WHOLE, &ada, None, 9).await, Ok(vec![plain.clone(), first.clone()]));
    assert_eq!(tx.rollovers_of(WHOLE, &ada, None, 1).await, Ok(vec![plain.clone()]));
    assert_eq!(tx.rollovers_of(WHOLE, &ada, Some(plain.id), 9).await, Ok(vec![first.clone()]));
    let undone = Rollover { undone_at: Some(at(77)), waiting: vec![id(1)], ..plain };
    assert_eq!(tx.update_rollover(&undone).await, Ok(()));
    let opened = Rollover { undone_at: None, ..first };
    assert_eq!(tx.update_rollover(&opened).await, Ok(()));
    assert_eq!(tx.rollovers_of(WHOLE, &ada, None, 9).await, Ok(vec![undone.clone(), opened]));
    assert_eq!(tx.sweep_rollovers(at(28)).await, Ok(0));
    assert_eq!(tx.sweep_rollovers(at(99)).await, Ok(1), "the last one stays: from it follows the next");
    assert_eq!(tx.rollovers_of(WHOLE, &ada, None, 9).await, Ok(vec![undone]));
    assert_eq!(tx.update_rollover(&again).await, Err(StoreError::NotFound));
}

async fn people_are_told_by_their_zone(base: Base) {
    use chrono_tz::{America::New_York, Europe::Paris, UTC};
    assert_eq!(base.read().await.zones_in_use().await, Ok(vec![]));
    given::ada(&base).await;
    let (ada, bob, cyd) = (given::user("ada", "home"), bob(&base).await, given::user("cyd", "home"));
    let mut tx = base.write().await;
    tx.put_user(&cyd).await.expect("cyd");
    assert_eq!(tx.zones_in_use().await, Ok(vec![New_York, Paris]));
    // Bob has nothing to do any more, Ada's day of the ninth has begun.
    for (number, user) in [(70, &ada), (71, &cyd), (72, &bob)] {
        let mut task = Task { user_id: user.id.clone(), ..sparse_task(number) };
        assert_eq!(
            tx.users_to_turn(user.time_zone, date("2026-03-10"), None, 9).await.map(|all| all.contains(user)),
            Ok(false)
        );
        task.facts.status = if number == 72 { TaskStatus::Done } else { TaskStatus::Open };
        tx.put_tasks(&[task]).await.expect("a task");
    }
    assert_eq!(tx.insert_rollover(&given::rollover(ROLLOVER, "2026-03-09")).await, Ok(true));
    let (ninth, tenth) = (date("2026-03-09"), date("2026-03-10"));
    assert_eq!(tx.users_to_turn(Paris, tenth, None, 9).await, Ok(vec![ada.clone(), cyd.clone()]));
    assert_eq!(tx.users_to_turn(Paris, tenth, None, 1).await, Ok(vec![ada.clone()]));
    assert_eq!(tx.users_to_turn(Paris, tenth, Some(&ada.id), 9).await, Ok(vec![cyd.clone()]));
    assert_eq!(tx.users_to_turn(Paris, ninth, None, 9).await, Ok(vec![cyd]));
    assert_eq!(tx.users_to_turn(New_York, tenth, None, 9).await, Ok(vec![]));
    assert_eq!(tx.users_to_turn(UTC, tenth, None, 9).await, Ok(vec![]));
}
