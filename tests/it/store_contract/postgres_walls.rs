//! What only PostgreSQL has: row-level security as the second wall, and writers that truly run at once.

use calwarden::{
    domain::{outbox::OutboxEntry, person::Scope},
    store::{Mode, Store, StoreError, migrate},
};

use super::{
    Base,
    given::{self, at, id},
};
use crate::support::postgres;

fn only(space: &str) -> Scope {
    Scope::Spaces(vec![given::space_id(space)])
}

/// Queries that do not filter by themselves, asked under a scope: only the database can hide the rows.
async fn unfiltered(store: &Store, scope: &Scope) -> [usize; 5] {
    let mut tx = store.begin(Mode::Read, scope).await.expect("begun");
    [
        tx.account_ids().await.expect("read").len(),
        tx.calendars_of(id(1)).await.expect("read").len(),
        tx.events_by_ids(&[id(3)]).await.expect("read").len(),
        tx.mapping_index(id(2)).await.expect("read").len(),
        tx.secrets_of(id(1)).await.expect("read").len(),
    ]
}

async fn with_a_secret(base: &Base) {
    let (account, ..) = given::ada_with_an_event(base).await;
    let kind = calwarden::domain::account::SecretKind::Password;
    let mut tx = base.write().await;
    tx.put_space(&given::space("other")).await.expect("space");
    tx.put_secrets(&[given::secret(account.id, kind, "k1", b"sealed")]).await.expect("secret");
    tx.commit().await.expect("committed");
}

#[tokio::test]
async fn the_database_itself_hides_other_spaces() {
    let base = Base::postgres().await;
    with_a_secret(&base).await;
    assert_eq!(unfiltered(&base.store, &Scope::Whole).await, [1; 5]);
    assert_eq!(unfiltered(&base.store, &only("home")).await, [1; 5]);
    assert_eq!(unfiltered(&base.store, &only("other")).await, [0; 5]);
    assert_eq!(unfiltered(&base.store, &Scope::Spaces(vec![])).await, [0; 5]);
}

#[tokio::test]
async fn a_scope_cannot_write_into_another_space() {
    let base = Base::postgres().await;
    with_a_secret(&base).await;
    let mut tx = base.store.begin(Mode::Write, &only("other")).await.expect("begun");
    let refused = tx.put_events(&[given::event(9, None)], &[(at(0), None)]).await;
    assert!(matches!(&refused, Err(StoreError::Backend(why)) if why.contains("row-level security")), "{refused:?}");
    let mut tx = base.store.begin(Mode::Write, &only("other")).await.expect("begun");
    assert_eq!(tx.delete_account(id(1)).await, Ok(false), "what cannot be seen cannot be deleted");
}

#[tokio::test]
async fn a_scope_ends_with_its_transaction() {
    let mut base = Base::postgres().await;
    with_a_secret(&base).await;
    base.config.readers = 1;
    let one = Store::open(base.config.clone()).await.expect("a pool of one");
    let tx = one.begin(Mode::Read, &Scope::Whole).await.expect("begun");
    tx.commit().await.expect("ended");
    assert_eq!(unfiltered(&one, &only("other")).await, [0; 5], "the same connection, now narrow");
}

/// Tables that hold nothing of anybody.
const OF_NOBODY: [&str; 4] = ["__diesel_schema_migrations", "pulse", "rollover_runs", "zone_rules"];

#[tokio::test]
async fn every_table_that_holds_something_of_somebody_has_the_wall() {
    let base = Base::postgres().await;
    let client = postgres::connect(base.config.url.as_deref().expect("a URL")).await;
    let open = client
        .query(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
             WHERE c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                 AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid)) ORDER BY 1",
            &[],
        )
        .await
        .expect("the catalogue");
    let open: Vec<String> = open.iter().map(|row| row.get(0)).collect();
    assert_eq!(open, OF_NOBODY);
}

#[tokio::test]
async fn people_spaces_keys_and_kept_answers_of_others_are_not_seen() {
    let base = Base::postgres().await;
    let (account, ..) = given::ada_with_an_event(&base).await;
    let mut tx = base.write().await;
    tx.put_space(&given::space("other")).await.expect("space");
    tx.put_space(&given::space("shared")).await.expect("space");
    tx.put_member(&given::space_id("shared"), &account.user_id, "member").await.expect("member");
    let key = super::keys::key(1);
    tx.insert_api_key(&key).await.expect("key");
    tx.put_idempotency(&super::keys::answer("k", 1), at(0)).await.expect("kept");
    tx.owe_plan(&account.user_id, calwarden::domain::proposal::PlanCause::Asked, at(0)).await.expect("owed");
    tx.commit().await.expect("committed");
    for (scope, seen) in
        [("home", [true, true, false, false]), ("shared", [true, false, false, false]), ("other", [false; 4])]
    {
        let mut tx = base.store.begin(Mode::Read, &only(scope)).await.expect("begun");
        let person = tx.user(&account.user_id).await.expect("read").is_some();
        let space = tx.space(&account.space_id).await.expect("read").is_some();
        let keys = !tx.api_keys().await.expect("read").is_empty();
        let answers = tx.idempotency(key.id, "k").await.expect("read").is_some();
        assert_eq!([person, space, keys, answers], seen, "{scope}");
        assert_eq!(tx.next_plan_at().await.expect("read").is_some(), person, "{scope}");
    }
    let mut whole = base.read().await;
    assert!(
        whole.idempotency(key.id, "k").await.expect("read").is_some()
            && !whole.api_keys().await.expect("read").is_empty()
    );
}

#[tokio::test]
async fn an_owner_without_rights_to_make_roles_is_bound_as_well() {
    let url = postgres::fresh_database().await;
    let name = url.rsplit('/').next().expect("a name").to_owned();
    postgres::execute(
        &url,
        &format!("CREATE ROLE {name}_owner LOGIN; GRANT ALL ON SCHEMA public TO {name}_owner; ALTER SCHEMA public OWNER TO {name}_owner"),
    )
    .await;
    let as_owner = url.replace("postgres@", &format!("{name}_owner@"));
    let base = Base::open(Some(as_owner), calwarden::store::Blocking::Pool).await;
    with_a_secret(&base).await;
    assert_eq!(unfiltered(&base.store, &Scope::Whole).await, [1; 5]);
    assert_eq!(unfiltered(&base.store, &only("other")).await, [0; 5]);
    assert_eq!(migrate(&base.config).await, Ok(vec![]));
}

#[tokio::test]
async fn the_later_of_two_writers_of_one_row_is_told_to_try_again() {
    let base = Base::postgres().await;
    let (account, ..) = given::ada_with_an_event(&base).await;
    let (mut first, mut second) = (base.write().await, base.write().await);
    assert!(second.account(&Scope::Whole, account.id).await.expect("read").is_some());
    assert_eq!(first.update_account(&account, 1).await, Ok(true));
    first.commit().await.expect("committed");
    assert_eq!(second.update_account(&account, 1).await, Err(StoreError::Busy));
    assert_eq!(base.write().await.update_account(&account, 1).await, Ok(false), "tried again, it is stale");
}

#[tokio::test]
async fn a_calendar_that_is_claimed_is_changed_by_nobody_who_has_not_seen_what_was_done() {
    let base = Base::postgres().await;
    let (_, calendar, ..) = given::ada_with_an_event(&base).await;
    let (mut round, mut owner) = (base.write().await, base.write().await);
    assert!(owner.calendar(&Scope::Whole, calendar.id).await.expect("read").is_some());
    assert_eq!(round.claim_calendar(calendar.id, calendar.version).await, Ok(true));
    round.commit().await.expect("committed");
    assert_eq!(owner.update_calendar(&calendar, calendar.version).await, Err(StoreError::Busy));
    let mut again = base.write().await;
    assert_eq!(again.update_calendar(&calendar, calendar.version).await, Ok(true), "tried again, it is done");
    assert_eq!(again.claim_calendar(calendar.id, calendar.version).await, Ok(false), "and seen by the next page");
}

#[tokio::test]
async fn a_queue_that_is_claimed_is_settled_by_nobody_who_has_not_seen_what_was_chosen() {
    let base = Base::postgres().await;
    let (account, calendar, event, _) = given::ada_with_an_event(&base).await;
    let entry = queued(&base, given::write(20, &calendar, event.id)).await;
    let (mut owner, mut answered) = (base.write().await, base.write().await);
    assert!(answered.outbox_entry(event.id, calendar.id).await.expect("read").is_some());
    owner.claim_outbox(account.id).await.expect("claimed");
    owner.commit().await.expect("committed");
    assert_eq!(answered.delete_outbox(entry.id).await, Err(StoreError::Busy));
    assert_eq!(base.write().await.outbox_entry(event.id, calendar.id).await, Ok(Some(entry)), "and it is as it was");
}

#[tokio::test]
async fn a_queued_write_that_was_taken_back_is_not_queued_again_by_who_had_read_it() {
    let base = Base::postgres().await;
    let (_, calendar, event, _) = given::ada_with_an_event(&base).await;
    let entry = queued(&base, given::write(20, &calendar, event.id)).await;
    let (mut owner, mut sender) = (base.write().await, base.write().await);
    assert!(sender.outbox_entry(event.id, calendar.id).await.expect("read").is_some());
    owner.delete_outbox(entry.id).await.expect("taken back");
    owner.commit().await.expect("committed");
    assert_eq!(sender.update_outbox(&entry).await, Err(StoreError::Busy));
    assert_eq!(base.write().await.update_outbox(&entry).await, Err(StoreError::Busy), "there is nothing to overwrite");
}

async fn queued(base: &Base, entry: OutboxEntry) -> OutboxEntry {
    let mut tx = base.write().await;
    tx.put_outbox(&entry).await.expect("queued");
    tx.commit().await.expect("committed");
    entry
}

/// A database whose owner has no other rights: the walls between spaces hold them too.
pub async fn of_a_plain_owner() -> Base {
    let url = postgres::fresh_database().await;
    let name = url.rsplit('/').next().expect("a name").to_owned();
    postgres::execute(
        &url,
        &format!("CREATE ROLE {name}_owner LOGIN; ALTER DATABASE {name} OWNER TO {name}_owner; ALTER SCHEMA public OWNER TO {name}_owner"),
    )
    .await;
    let as_owner = url.replace("postgres@", &format!("{name}_owner@"));
    Base::open(Some(as_owner), calwarden::store::Blocking::Pool).await
}

#[tokio::test]
async fn a_copy_that_is_to_be_taken_away_still_is_after_the_migration_whoever_owns_the_database() {
    const DOWN: &str = include_str!("../../../migrations/postgres/2026-11-30-000031_outbox_intent/down.sql");
    const UP: &str = include_str!("../../../migrations/postgres/2026-11-30-000031_outbox_intent/up.sql");
    let base = of_a_plain_owner().await;
    let (_, calendar, event, _) = given::ada_with_an_event(&base).await;
    let entry = OutboxEntry { reason: "unlinked".into(), ..given::write(20, &calendar, event.id) };
    let entry = queued(&base, entry).await;
    for statements in [DOWN, UP] {
        base.execute(statements).await;
    }
    assert!(entry.withdraws());
    assert_eq!(base.write().await.outbox_entry(event.id, calendar.id).await, Ok(Some(entry)));
}

#[tokio::test]
async fn a_wrong_way_of_encryption_is_named() {
    let mut config = Base::sqlite().await.config;
    config.url = Some("postgres://ada:hunter2@127.0.0.1:1/db?sslmode=sometimes".into());
    let refused = Store::open(config).await.err().expect("refused").to_string();
    assert!(refused.contains("sslmode"), "{refused}");
    assert!(!refused.contains("hunter2"), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_not_reached_says_why() {
    let url = postgres::fresh_database().await;
    let mut config = Base::sqlite().await.config;
    config.url = Some(format!("{url}_that_is_not_there"));
    let refused = Store::open(config.clone()).await.err().expect("refused").to_string();
    assert!(refused.contains("does not exist"), "{refused}");
    config.url = Some(format!("{url}?sslmode=verify-full"));
    let refused = Store::open(config).await.err().expect("a server without TLS is refused").to_string();
    assert!(refused.contains("TLS"), "{refused}");
}
