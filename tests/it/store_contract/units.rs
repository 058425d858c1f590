//! Units of work: several transactions that become durable together.

use calwarden::{
    domain::person::Scope,
    store::{Mode, Store, StoreError, UnitOfWork},
};

use super::{
    Base,
    given::{self, id},
    on_every_database,
};

on_every_database![
    what_a_unit_wrote_becomes_durable_at_once,
    a_unit_that_is_dropped_never_happened,
    a_part_that_is_given_up_takes_the_unit_with_it,
    a_look_within_a_unit_changes_nothing,
    a_first_part_that_is_given_up_may_be_tried_again,
];

async fn writes(store: &Store, space: &str) {
    let mut tx = store.begin(Mode::Write, &Scope::Whole).await.expect("begun");
    tx.put_space(&given::space(space)).await.expect("space");
    tx.commit().await.expect("done with its part");
}

async fn sees(store: &Store, space: &str) -> bool {
    let mut tx = store.begin(Mode::Read, &Scope::Whole).await.expect("begun");
    let found = tx.space(&given::space_id(space)).await.expect("read").is_some();
    tx.commit().await.expect("ended");
    found
}

async fn what_a_unit_wrote_becomes_durable_at_once(base: Base) {
    let unit = UnitOfWork::default();
    let within = base.store.within(&unit);
    assert!(!sees(&within, "one").await);
    writes(&within, "one").await;
    assert!(sees(&within, "one").await, "it sees what it wrote");
    writes(&within, "two").await;
    assert!(!sees(&base.store, "one").await && !sees(&base.store, "two").await, "nobody else does");
    unit.commit().await.expect("durable");
    assert!(sees(&base.store, "one").await && sees(&base.store, "two").await);
}

async fn a_unit_that_is_dropped_never_happened(base: Base) {
    let unit = UnitOfWork::default();
    let within = base.store.within(&unit);
    writes(&within, "one").await;
    drop((within, unit));
    writes(&base.store, "two").await;
    assert!(!sees(&base.store, "one").await && sees(&base.store, "two").await);
}

async fn a_part_that_is_given_up_takes_the_unit_with_it(base: Base) {
    let unit = UnitOfWork::default();
    let within = base.store.within(&unit);
    writes(&within, "one").await;
    let mut second = within.begin(Mode::Write, &Scope::Whole).await.expect("begun");
    second.put_space(&given::space("two")).await.expect("space");
    assert!(!unit.is_lost());
    drop(second);
    assert!(unit.is_lost());
    assert!(matches!(within.begin(Mode::Write, &Scope::Whole).await, Err(StoreError::Busy)));
    assert_eq!(unit.commit().await, Err(StoreError::Busy));
    assert!(!sees(&base.store, "one").await && !sees(&base.store, "two").await);
}

async fn a_look_within_a_unit_changes_nothing(base: Base) {
    let unit = UnitOfWork::default();
    let within = base.store.within(&unit);
    let (account, ..) = given::ada_with_an_event(&base).await;
    writes(&within, "one").await;
    // Refused half-way, as a use case does that finds nothing.
    let mut look = within.begin(Mode::Read, &Scope::Spaces(vec![given::space_id("one")])).await.expect("begun");
    assert_eq!(look.account_ids().await.expect("read").len(), usize::from(!base.is_postgres()), "the wall moves along");
    drop(look);
    let mut look = within.begin(Mode::Read, &Scope::Whole).await.expect("begun");
    assert_eq!(look.account_ids().await, Ok(vec![account.id]));
    drop(look);
    assert_eq!(account.id, id(1));
    unit.commit().await.expect("durable");
    assert!(sees(&base.store, "one").await);
}

async fn a_first_part_that_is_given_up_may_be_tried_again(base: Base) {
    let unit = UnitOfWork::default();
    let within = base.store.within(&unit);
    let mut first = within.begin(Mode::Write, &Scope::Whole).await.expect("begun");
    first.put_space(&given::space("one")).await.expect("space");
    drop(first);
    assert!(!unit.is_lost());
    writes(&within, "two").await;
    unit.commit().await.expect("durable");
    assert!(!sees(&base.store, "one").await && sees(&base.store, "two").await);
}
