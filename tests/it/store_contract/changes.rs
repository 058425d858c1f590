//! What changed is told by the database itself: every change of what a person can see, once, in the order of the commits.

mod writers;

use std::time::Duration;

use calwarden::{
    domain::{
        account::AccountStatus,
        changed::{ChangePlace, Changed, ChangedKind},
        conflict::HoldState,
        ids::UserId,
        notice::NoticeSubject,
        person::Scope,
    },
    store::{Store, Tx},
};
use diesel::{RunQueryDsl as _, SqliteConnection, sql_types};
use tokio::time::Instant;

use super::{
    Base,
    given::{self, at, id},
    on_every_database,
    postgres_walls::of_a_plain_owner,
};
use crate::support::{postgres::connect, sqlite::open};

/// A kind, an id, its version, and whether it is deleted.
type Line = (ChangedKind, String, Option<i64>, bool);

fn line(changed: &Changed) -> Line {
    (changed.kind, changed.id.clone(), changed.version, changed.deleted)
}

/// What changed after a place, page by page.
async fn after(store: &Store, scope: &Scope, user: Option<&UserId>, mut place: ChangePlace) -> Vec<Changed> {
    let mut all: Vec<Changed> = Vec::new();
    loop {
        let page = store.changes(scope, user, place, 7).await.expect("read");
        let Some(last) = page.last() else { return all };
        place = last.place;
        all.extend(page);
    }
}

/// How long every change may take to be told: PostgreSQL notices after a moment that a process is gone, or that a transaction of
/// another database has ended.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// Everything that has changed, once all of it is told.
async fn all(base: &Base) -> Vec<Changed> {
    let limit = Instant::now() + TOLD_WITHIN;
    loop {
        let told = after(&base.store, &Scope::Whole, None, ChangePlace::default()).await;
        if told.len() == count(base).await || Instant::now() > limit {
            return told;
        }
    }
}

/// How many changes there are, asked past the store.
pub async fn count(base: &Base) -> usize {
    let count: i64 = match &base.config.url {
        Some(url) => {
            let client = connect(url).await;
            client.batch_execute("SET app.whole = 'on'").await.expect("seen whole");
            client.query_one("SELECT count(*) FROM changes", &[]).await.expect("a row").get(0)
        }
        None => diesel::dsl::select(diesel::dsl::sql::<sql_types::BigInt>("(SELECT count(*) FROM changes)"))
            .get_result(&mut file(base))
            .expect("a row"),
    };
    usize::try_from(count).expect("a count")
}

fn file(base: &Base) -> SqliteConnection {
    open(&base.database().expect("a file"))
}

/// What one transaction changes.
async fn changed_by(base: &Base, work: impl AsyncFnOnce(&mut Tx)) -> Vec<Line> {
    let before = all(base).await.last().map_or_else(ChangePlace::default, |last| last.place);
    let mut tx = base.write().await;
    work(&mut tx).await;
    tx.commit().await.expect("committed");
    all(base).await.iter().filter(|changed| changed.place > before).map(line).collect()
}

fn said(kind: ChangedKind, number: u64, version: Option<i64>, deleted: bool) -> Line {
    (kind, id::<uuid::Uuid>(number).to_string(), version, deleted)
}

async fn what_a_person_can_see_is_told_when_it_appears_changes_and_goes(base: Base) {
    let (_, task, mut block) = given::ada_with_work(&base).await;
    let (account, calendar) = (given::account(1, "home", "ada"), given::calendar(2, &given::account(1, "home", "ada")));
    let seen: Vec<_> = all(&base).await.iter().map(line).collect();
    let known = [
        (ChangedKind::User, "ada".to_owned(), Some(3), false),
        said(ChangedKind::Account, 1, Some(1), false),
        said(ChangedKind::Calendar, 2, Some(1), false),
        said(ChangedKind::Event, 3, Some(2), false),
        said(ChangedKind::Context, 20, Some(4), false),
        said(ChangedKind::Task, 30, Some(6), false),
        said(ChangedKind::Block, 40, Some(7), false),
    ];
    assert_eq!(seen, known);

    let mut hold = given::hold(5, &calendar);
    let mut conflict = given::conflict(6, &calendar, id(3));
    let mut notice = given::notice(8, &account, None);
    let mut rollover = given::rollover(9, "2026-03-09");
    let (proposal, focus) = (given::proposal(10), given::focus(11, &block));
    let told = changed_by(&base, async |tx| {
        tx.put_hold(&hold).await.expect("hold");
        tx.insert_conflicts(std::slice::from_ref(&conflict)).await.expect("conflict");
        tx.put_notice(&notice).await.expect("notice");
        assert!(tx.insert_rollover(&rollover).await.expect("rollover"));
        tx.put_proposal(&proposal).await.expect("proposal");
        tx.put_focus(&focus).await.expect("focus");
        let rules = given::planning_rules();
        tx.put_planning_rules(&given::space_id("home"), &given::user_id("ada"), &rules, 1).await.expect("rules");
    });
    assert_eq!(
        told.await,
        [
            said(ChangedKind::Hold, 5, None, false),
            said(ChangedKind::Conflict, 6, None, false),
            said(ChangedKind::Notice, 8, None, false),
            said(ChangedKind::Rollover, 9, None, false),
            said(ChangedKind::Proposal, 10, Some(8), false),
            said(ChangedKind::Focus, 11, Some(9), false),
            (ChangedKind::PlanningRules, "ada".to_owned(), Some(1), false),
        ]
    );

    hold.state = HoldState::Refused;
    notice.subject = NoticeSubject::WriteParked { why: "it says something else".into() };
    conflict.remote = Some(given::series("theirs"));
    rollover.undone_at = None;
    block.version = 8;
    let told = changed_by(&base, async |tx| {
        tx.put_hold(&hold).await.expect("hold");
        tx.update_conflict(&conflict).await.expect("conflict");
        tx.put_notice(&notice).await.expect("notice");
        assert!(tx.read_notice(&Scope::Whole, notice.id, at(300)).await.expect("notice"));
        tx.update_rollover(&rollover).await.expect("rollover");
        tx.put_blocks(&[block]).await.expect("block");
        tx.set_calendar_error(calendar.id, "away").await.expect("calendar");
        tx.rehome_event(id(3), None).await.expect("event");
    });
    assert_eq!(
        told.await,
        [
            said(ChangedKind::Hold, 5, None, false),
            said(ChangedKind::Conflict, 6, None, false),
            said(ChangedKind::Notice, 8, None, false),
            said(ChangedKind::Notice, 8, None, false),
            said(ChangedKind::Rollover, 9, None, false),
            said(ChangedKind::Block, 40, Some(8), false),
            said(ChangedKind::Calendar, 2, Some(1), false),
            said(ChangedKind::Event, 3, Some(3), false),
        ]
    );

    let told = changed_by(&base, async |tx| {
        assert!(tx.delete_task(task.id).await.expect("task"));
    });
    let told = told.await;
    let gone = [
        said(ChangedKind::Task, 30, Some(6), true),
        said(ChangedKind::Block, 40, Some(8), true),
        said(ChangedKind::Focus, 11, Some(9), true),
    ];
    // On SQLite the session loses its block before it goes with its task.
    assert!(gone.iter().all(|line| told.contains(line)), "{told:?}");
}

async fn what_goes_with_an_account_or_a_person_is_told(base: Base) {
    given::ada_with_an_event(&base).await;
    let calendar = given::calendar(2, &given::account(1, "home", "ada"));
    changed_by(&base, async |tx| {
        tx.put_hold(&given::hold(5, &calendar)).await.expect("hold");
        tx.insert_conflicts(&[given::conflict(6, &calendar, id(3))]).await.expect("conflict");
    })
    .await;
    let told = changed_by(&base, async |tx| {
        assert!(tx.delete_account(id(1)).await.expect("account"));
    });
    let told = told.await;
    for gone in [
        said(ChangedKind::Account, 1, Some(1), true),
        said(ChangedKind::Calendar, 2, Some(1), true),
        said(ChangedKind::Hold, 5, None, true),
        said(ChangedKind::Conflict, 6, None, true),
        said(ChangedKind::Event, 3, Some(2), false),
    ] {
        assert!(told.contains(&gone), "{gone:?} in {told:?}");
    }
    let told = changed_by(&base, async |tx| {
        assert!(tx.delete_user(&given::user_id("ada")).await.expect("user"));
    });
    let mut told = told.await;
    told.sort();
    let gone = [(ChangedKind::User, "ada".to_owned(), Some(3), true), said(ChangedKind::Event, 3, Some(2), true)];
    assert_eq!(told, gone);
}

async fn what_every_round_moves_is_no_change(base: Base) {
    let (account, calendar, event, _) = given::ada_with_an_event(&base).await;
    let told = changed_by(&base, async |tx| {
        // A round that finds nothing: a cursor, a stamp, when the next one is due; and the same event, stored again.
        tx.set_calendar_error(calendar.id, "half of it").await.expect("calendar");
        assert!(tx.claim_calendar(calendar.id, 1).await.expect("calendar"));
        let (status, why) = (account.status, account.status_reason.as_deref());
        assert!(tx.set_account_state(account.id, status, why, 9, Some(at(90)), None).await.expect("account"));
        tx.owe_rounds(&[account.id], at(1)).await.expect("account");
        tx.put_events(std::slice::from_ref(&event), &[(at(0), None)]).await.expect("event");
    });
    assert_eq!(told.await, []);
    let told = changed_by(&base, async |tx| {
        assert!(tx.set_account_state(account.id, AccountStatus::Active, None, 0, None, None).await.expect("account"));
    });
    assert_eq!(told.await, [said(ChangedKind::Account, 1, Some(1), false)]);
}

async fn what_was_not_committed_was_never_changed(base: Base) {
    given::ada_with_an_event(&base).await;
    let before = all(&base).await;
    let mut tx = base.write().await;
    tx.put_events(&[given::event(12, None)], &[(at(0), None)]).await.expect("event");
    drop(tx);
    assert_eq!(all(&base).await, before);
    let told = changed_by(&base, async |tx| {
        tx.put_events(&[given::event(13, None)], &[(at(0), None)]).await.expect("event");
    });
    assert_eq!(told.await, [said(ChangedKind::Event, 13, Some(2), false)]);
}

async fn a_scope_and_a_person_see_their_own(base: Base) {
    given::ada_with_an_event(&base).await;
    let mut tx = base.write().await;
    tx.put_space(&given::space("other")).await.expect("space");
    tx.put_user(&given::user("bob", "other")).await.expect("user");
    tx.put_user(&given::user("cy", "home")).await.expect("user");
    tx.commit().await.expect("committed");
    let seen = async |spaces: Option<&str>, user: Option<&str>| {
        let scope = spaces.map_or(Scope::Whole, |space| Scope::Spaces(vec![given::space_id(space)]));
        let user = user.map(given::user_id);
        after(&base.store, &scope, user.as_ref(), ChangePlace::default()).await.len()
    };
    assert_eq!(all(&base).await.len(), 6);
    assert_eq!((seen(Some("home"), None).await, seen(Some("other"), None).await), (5, 1));
    assert_eq!((seen(None, Some("ada")).await, seen(Some("other"), Some("ada")).await), (4, 0));
}

async fn what_was_kept_long_enough_goes_and_no_place_is_given_twice(base: Base) {
    given::ada_with_an_event(&base).await;
    let last = all(&base).await.last().expect("a change").place;
    let mut tx = base.write().await;
    assert_eq!(tx.sweep_changes(at(0)).await, Ok(0));
    let soon = chrono::DateTime::from_timestamp(9_999_999_999, 0).expect("an instant");
    assert_eq!(tx.sweep_changes(soon).await, Ok(4));
    tx.put_events(&[given::event(12, None)], &[(at(0), None)]).await.expect("event");
    tx.commit().await.expect("committed");
    let left = all(&base).await;
    assert!(left.len() == 1 && left[0].place > last, "{left:?} after {last:?}");
}

on_every_database!(
    what_a_person_can_see_is_told_when_it_appears_changes_and_goes,
    what_goes_with_an_account_or_a_person_is_told,
    what_every_round_moves_is_no_change,
    what_was_not_committed_was_never_changed,
    a_scope_and_a_person_see_their_own,
    what_was_kept_long_enough_goes_and_no_place_is_given_twice,
);

/// A transaction that ends late is not overtaken: a reader that has gone on would never see what it wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_told_while_an_earlier_transaction_is_open() {
    let base = Base::postgres().await;
    given::ada_with_an_event(&base).await;
    let before = all(&base).await.last().expect("a change").place;
    let (mut early, mut late) = (base.write().await, base.write().await);
    early.put_events(&[given::event(12, None)], &[(at(0), None)]).await.expect("event");
    late.put_events(&[given::event(13, None)], &[(at(0), None)]).await.expect("event");
    late.commit().await.expect("committed");
    assert_eq!(after(&base.store, &Scope::Whole, None, before).await, []);
    early.commit().await.expect("committed");
    let told: Vec<_> = all(&base).await.iter().filter(|changed| changed.place > before).map(line).collect();
    assert_eq!(told, [12, 13].map(|number| said(ChangedKind::Event, number, Some(2), false)));
}

/// Back to before changes were kept, and on again. What a later migration does to their triggers is undone first.
const ON_SQLITE: [&str; 4] = [
    include_str!("../../../migrations/sqlite/2026-11-30-000032_notice_subjects/down.sql"),
    include_str!("../../../migrations/sqlite/2026-11-30-000030_changes/down.sql"),
    include_str!("../../../migrations/sqlite/2026-11-30-000030_changes/up.sql"),
    include_str!("../../../migrations/sqlite/2026-11-30-000032_notice_subjects/up.sql"),
];
const ON_POSTGRES: [&str; 4] = [
    include_str!("../../../migrations/postgres/2026-11-30-000032_notice_subjects/down.sql"),
    include_str!("../../../migrations/postgres/2026-11-30-000030_changes/down.sql"),
    include_str!("../../../migrations/postgres/2026-11-30-000030_changes/up.sql"),
    include_str!("../../../migrations/postgres/2026-11-30-000032_notice_subjects/up.sql"),
];

/// A database from before changes were kept tells everything it holds as new, once it is migrated.
async fn what_was_there_before_is_told_as_new(base: &Base) {
    given::ada_with_work(base).await;
    let told: Vec<_> = all(base).await.iter().map(line).collect();
    for statements in if base.is_postgres() { ON_POSTGRES } else { ON_SQLITE } {
        base.execute(statements).await;
    }
    let again: Vec<_> = all(base).await.iter().map(line).collect();
    assert_eq!((again.len(), again), (7, told));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqlite_held_before_is_told_as_new() {
    what_was_there_before_is_told_as_new(&Base::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_postgres_held_before_is_told_as_new_whoever_owns_it() {
    what_was_there_before_is_told_as_new(&of_a_plain_owner().await).await;
}
