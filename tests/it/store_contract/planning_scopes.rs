//! Nobody sees what is planned in another space, and a person's plans go with them.

use calwarden::{
    domain::{
        block::TimeBlock,
        ids::{FocusId, RolloverId},
        person::Scope,
    },
    store::{Mode, Tx},
};

use super::{
    Base,
    given::{self, at, id},
    on_every_database,
};

on_every_database![another_space_sees_nothing_of_it, forgetting_a_person_takes_their_plans];

const EVENT: u64 = 3;
const CONTEXT: u64 = 20;
const TASK: u64 = 30;
const BLOCK: u64 = 40;
const PROPOSAL: u64 = 50;
const FOCUS: u64 = 60;
const ROLLOVER: u64 = 70;

/// One of each thing that is planned, Ada's, in the space `home`; a space `other` beside it.
async fn one_of_each(base: &Base) -> TimeBlock {
    let (_, _, block) = given::ada_with_work(base).await;
    let rules = given::planning_rules();
    let mut tx = base.write().await;
    tx.put_space(&given::space("other")).await.expect("space");
    tx.put_planning_rules(&block.space_id, &block.user_id, &rules, 1).await.expect("rules");
    tx.put_proposal(&given::proposal(PROPOSAL)).await.expect("proposal");
    tx.put_focus(&given::focus(FOCUS, &block)).await.expect("focus");
    tx.insert_rollover(&given::rollover(ROLLOVER, "2026-03-09")).await.expect("rollover");
    tx.commit().await.expect("committed");
    block
}

/// How many rows each query with a scope tells.
async fn seen(tx: &mut Tx, scope: &Scope) -> Vec<(&'static str, usize)> {
    let ada = given::user_id("ada");
    vec![
        ("context", usize::from(tx.context(scope, id(CONTEXT)).await.expect("read").is_some())),
        ("contexts_of", tx.contexts_of(scope, &ada).await.expect("read").len()),
        ("task", usize::from(tx.task(scope, id(TASK)).await.expect("read").is_some())),
        ("tasks_of", tx.tasks_of(scope, &ada, false, None, None, 9).await.expect("read").len()),
        ("block", usize::from(tx.block(scope, id(BLOCK)).await.expect("read").is_some())),
        ("proposal", usize::from(tx.proposal(scope, id(PROPOSAL)).await.expect("read").is_some())),
        ("proposals_of", tx.proposals_of(scope, &ada, None, 9).await.expect("read").len()),
        ("focus", usize::from(tx.focus(scope, id::<FocusId>(FOCUS)).await.expect("read").is_some())),
        ("rollover", usize::from(tx.rollover(scope, id::<RolloverId>(ROLLOVER)).await.expect("read").is_some())),
        ("rollovers_of", tx.rollovers_of(scope, &ada, None, 9).await.expect("read").len()),
    ]
}

/// How many rows each query without a scope tells: only PostgreSQL's own walls can hide them.
async fn seen_behind_the_walls(tx: &mut Tx) -> Vec<(&'static str, usize)> {
    let ada = given::user_id("ada");
    vec![
        ("planning_rules", usize::from(tx.planning_rules(&ada).await.expect("read").is_some())),
        ("tasks_by_ids", tx.tasks_by_ids(&[id(TASK)]).await.expect("read").len()),
        ("tasks_made_from", tx.tasks_made_from(&[id(EVENT)]).await.expect("read").len()),
        ("open_tasks", tx.open_tasks(&ada).await.expect("read").len()),
        ("blocks_of_task", tx.blocks_of_task(id(TASK)).await.expect("read").len()),
        ("blocks_between", tx.blocks_between(&ada, at(0), at(999)).await.expect("read").len()),
        ("live_blocks", tx.live_blocks(&ada, at(0)).await.expect("read").len()),
        ("blocks_by_events", tx.blocks_by_events(&[id(EVENT)]).await.expect("read").len()),
        ("open_proposals", tx.open_proposals(&ada).await.expect("read").len()),
        ("open_focus", usize::from(tx.open_focus(&ada).await.expect("read").is_some())),
        ("restless_focuses", tx.restless_focuses(at(200), at(200), None, 9).await.expect("read").len()),
        ("focuses_between", tx.focuses_between(&ada, at(0), at(999)).await.expect("read").len()),
    ]
}

async fn another_space_sees_nothing_of_it(base: Base) {
    one_of_each(&base).await;
    let spaces = |names: &[&str]| Scope::Spaces(names.iter().map(|name| given::space_id(name)).collect());
    for (scope, expected) in
        [(Scope::Whole, 1), (spaces(&["other", "home"]), 1), (spaces(&["other"]), 0), (spaces(&[]), 0)]
    {
        for begun in [&Scope::Whole, &scope] {
            let mut tx = base.store.begin(Mode::Read, begun).await.expect("begun");
            for (query, rows) in seen(&mut tx, &scope).await {
                assert_eq!(rows, expected, "{query} under {scope:?}, begun under {begun:?}");
            }
        }
        let mut tx = base.store.begin(Mode::Read, &scope).await.expect("begun");
        let expected = if base.is_postgres() { expected } else { 1 };
        for (query, rows) in seen_behind_the_walls(&mut tx).await {
            assert_eq!(rows, expected, "{query} begun under {scope:?}");
        }
    }
}

async fn forgetting_a_person_takes_their_plans(base: Base) {
    let block = one_of_each(&base).await;
    let mut tx = base.write().await;
    for (query, rows) in [seen(&mut tx, &Scope::Whole).await, seen_behind_the_walls(&mut tx).await].concat() {
        assert_eq!(rows, 1, "{query} before");
    }
    assert_eq!(tx.delete_user(&block.user_id).await, Ok(true));
    for (query, rows) in [seen(&mut tx, &Scope::Whole).await, seen_behind_the_walls(&mut tx).await].concat() {
        assert_eq!(rows, 0, "{query} after");
    }
}
