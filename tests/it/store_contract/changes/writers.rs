//! Sixteen writers at once, in a process that is killed again and again: what is told, taken from the beginning, is exactly what the
//! tables hold, and whoever follows it meanwhile misses nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use calwarden::{
    domain::{
        account::{Account, AccountStatus},
        calendar::Calendar,
        changed::{ChangePlace, Changed, ChangedKind},
        conflict::HoldState,
        ids::UserId,
        mapping::Event,
        person::Scope,
    },
    store::{Blocking, Mode, Store, StoreConfig, StoreError, Tx},
};
use diesel::{QueryableByName, RunQueryDsl as _, sql_query, sql_types};

use super::{
    super::{
        Base,
        given::{self, at},
    },
    after, all, count, file,
};
use crate::support::{numbers::Numbers, postgres, setting};

/// Transactions that are committed in all; `CALWARDEN_WRITES` asks for more.
const WRITES: u64 = 2_000;
/// Transactions of a process until it is killed.
const WRITES_OF_A_LIFE: u64 = 250;
const WRITERS: u64 = 16;
/// The reader follows after so many commits.
const FOLLOWED_AFTER: u64 = 25;
/// What the process that is killed is told: where to write, and from which number on.
const DATABASE: &str = "CALWARDEN_WRITERS_DATABASE";
const SEED: &str = "CALWARDEN_WRITERS_SEED";
/// What it says after each commit.
const COMMITTED: &str = "committed";

/// Whose, which version, and whether it is deleted; by kind and id.
type Picture = BTreeMap<(String, String), (String, Option<i64>, bool)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_told_is_what_sqlite_holds() {
    told_exactly(Base::sqlite, "what_is_told_is_what_sqlite_holds").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_told_is_what_postgres_holds() {
    told_exactly(Base::postgres, "what_is_told_is_what_postgres_holds").await;
}

async fn told_exactly(base: impl AsyncFnOnce() -> Base, name: &str) {
    if let Some(database) = setting(DATABASE) {
        return write_until_killed(&database).await;
    }
    let base = base().await;
    given::ada(&base).await;
    let writes = setting("CALWARDEN_WRITES").map_or(WRITES, |asked| asked.parse().expect("a number"));
    let mut followed = all(&base).await;
    for life in 0..writes.div_ceil(WRITES_OF_A_LIFE) {
        let (mut process, mut said) = start(&base, name, life);
        for _ in 0..WRITES_OF_A_LIFE / FOLLOWED_AFTER {
            for _ in 0..FOLLOWED_AFTER {
                let next = said.find(|line| line.as_ref().is_ok_and(|line| line == COMMITTED));
                assert!(next.is_some(), "the writers go on until they are killed");
            }
            follow(&base, &mut followed).await;
        }
        process.kill().expect("killed");
        process.wait().expect("its end");
    }
    let told = all(&base).await;
    assert_eq!(told.len(), count(&base).await, "every row is told");
    follow(&base, &mut followed).await;
    assert!(followed == told, "{} changes were followed, {} are told", followed.len(), told.len());
    let kinds: BTreeSet<_> = told.iter().map(|changed| changed.kind).collect();
    assert_eq!(kinds.len(), ChangedKind::ALL.len(), "{kinds:?}");
    let deleted = told.iter().filter(|changed| changed.deleted).count();
    assert!(deleted > 50, "{deleted} of {} changes are deletions", told.len());
    assert_same(&told, &held(&base).await);
}

fn start(base: &Base, name: &str, life: u64) -> (Child, Lines<BufReader<ChildStdout>>) {
    let database = base.config.url.clone();
    let database = database.unwrap_or_else(|| base.database().expect("a file").display().to_string());
    let mut process = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &format!("store_contract::changes::writers::{name}"), "--nocapture"])
        .env(DATABASE, database)
        .env(SEED, life.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let said = BufReader::new(process.stdout.take().expect("a pipe")).lines();
    (process, said)
}

async fn follow(base: &Base, followed: &mut Vec<Changed>) {
    let place = followed.last().map_or_else(ChangePlace::default, |last| last.place);
    followed.extend(after(&base.store, &Scope::Whole, None, place).await);
}

/// What the changes say in the end is what the tables hold.
fn assert_same(told: &[Changed], held: &Picture) {
    let mut last = Picture::new();
    for changed in told {
        let what = (changed.user_id.to_string(), changed.version, changed.deleted);
        last.insert((changed.kind.to_string(), changed.id.clone()), what);
    }
    // What is gone is told as deleted; of what is deleted and still there, the tables say so too.
    last.retain(|thing, (.., deleted)| !*deleted || held.contains_key(thing));
    let differ: Vec<_> = held.iter().filter(|(thing, said)| last.get(*thing) != Some(*said)).collect();
    assert!(differ.is_empty(), "told otherwise than held: {differ:?}");
    let gone: Vec<_> = last.keys().filter(|thing| !held.contains_key(*thing)).collect();
    assert!(gone.is_empty(), "told, and not held: {gone:?}");
}

/// Every table that a person can see something of: the kind of what it holds, its name, the id of a row, and its owner.
const TABLES: [(&str, &str, &str, &str); 14] = [
    ("user", "users", "id", "id"),
    ("planning_rules", "planning_rules", "user_id", "user_id"),
    ("account", "accounts", "id", "user_id"),
    ("calendar", "calendars", "id", OF_ACCOUNT),
    ("event", "events", "id", "user_id"),
    ("context", "contexts", "id", "user_id"),
    ("task", "tasks", "id", "user_id"),
    ("block", "blocks", "id", "user_id"),
    ("proposal", "proposals", "id", "user_id"),
    ("focus", "focuses", "id", "user_id"),
    ("rollover", "rollovers", "id", "user_id"),
    ("conflict", "conflicts", "id", OF_ACCOUNT),
    ("hold", "holds", "id", OF_ACCOUNT),
    ("notice", "notices", "id", "user_id"),
];
const OF_ACCOUNT: &str = "(SELECT a.user_id FROM accounts a WHERE a.id = account_id)";

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = sql_types::Text)]
    kind: String,
    #[diesel(sql_type = sql_types::Text)]
    thing: String,
    #[diesel(sql_type = sql_types::Text)]
    owner: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    version: Option<i64>,
    #[diesel(sql_type = sql_types::BigInt)]
    deleted: i64,
}

/// What the tables hold, asked past the store.
async fn held(base: &Base) -> Picture {
    let selects = TABLES.map(|(kind, table, thing, owner)| {
        let version = if matches!(kind, "rollover" | "conflict" | "hold" | "notice") { "NULL" } else { "version" };
        let deleted = if kind == "event" { "CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END" } else { "0" };
        format!(
            "SELECT '{kind}' AS kind, CAST({thing} AS text) AS thing, {owner} AS owner, CAST({version} AS bigint) AS version, \
             CAST({deleted} AS bigint) AS deleted FROM {table}"
        )
    });
    let all = selects.join(" UNION ALL ");
    let rows: Vec<Held> = match &base.config.url {
        Some(url) => {
            let rows = postgres::connect(url).await.query(&all, &[]).await.expect("the tables");
            let read = |row: &tokio_postgres::Row| Held {
                kind: row.get(0),
                thing: row.get(1),
                owner: row.get(2),
                version: row.get(3),
                deleted: row.get(4),
            };
            rows.iter().map(read).collect()
        }
        None => sql_query(all).load(&mut file(base)).expect("the tables"),
    };
    rows.into_iter().map(|row| ((row.kind, row.thing), (row.owner, row.version, row.deleted != 0))).collect()
}

/// What the process does that is killed.
async fn write_until_killed(database: &str) {
    let data_dir = std::path::Path::new(database).parent().expect("a folder").to_owned();
    let url = Some(database.to_owned());
    let config = StoreConfig { url, data_dir, readers: 20, blocking: Blocking::Pool };
    let store = Store::open(config).await.expect("open");
    let seed: u64 = setting(SEED).expect("a seed").parse().expect("a number");
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (store, mut dice) = (store.clone(), Numbers(seed << 8 | writer));
        writers.spawn(async move {
            loop {
                // What is refused, because it is not there or somebody else was first, has not happened.
                if write(&store, &mut dice).await.is_ok() {
                    println!("{COMMITTED}");
                }
            }
        });
    }
    writers.join_all().await;
}

async fn write(store: &Store, dice: &mut Numbers) -> Result<(), StoreError> {
    let mut tx = store.begin(Mode::Write, &Scope::Whole).await?;
    for _ in 0..=dice.below(3) {
        change(&mut tx, dice).await?;
    }
    if dice.often(90) {
        tx.commit().await?;
    }
    Ok(())
}

/// A person, with a number to tell their things by.
fn person(dice: &mut Numbers) -> (u64, UserId) {
    let number = dice.below(4) + 1;
    (number * 10_000, given::user_id(&format!("person{number}")))
}

fn version(dice: &mut Numbers) -> i64 {
    i64::try_from(dice.below(1_000_000)).expect("small")
}

async fn change(tx: &mut Tx, dice: &mut Numbers) -> Result<(), StoreError> {
    let (base, user) = person(dice);
    let mut account = given::account(base + 1 + dice.below(2), "home", user.as_str());
    account.version = version(dice);
    let place = u64::try_from(account.id.0.as_u128() >> 16).expect("small") * 100;
    let mut calendar = given::calendar(place + dice.below(3), &account);
    calendar.version = version(dice);
    let mut event = given::event(base + 100 + dice.below(40), dice.often(50).then_some(&calendar));
    (event.user_id, event.version) = (user.clone(), version(dice));
    match dice.below(12) {
        0 => people(tx, dice, &user).await,
        1..=2 => accounts(tx, dice, &account).await,
        3 => calendars(tx, dice, &calendar).await,
        4..=5 => events(tx, dice, event).await,
        6..=8 => work(tx, dice, &event, base).await,
        _ => told(tx, dice, (&account, &calendar, &event), base).await,
    }
}

async fn people(tx: &mut Tx, dice: &mut Numbers, user: &UserId) -> Result<(), StoreError> {
    match dice.below(40) {
        0 => tx.delete_user(user).await.map(drop),
        1..=9 => {
            let rules = given::planning_rules();
            tx.put_planning_rules(&given::space_id("home"), user, &rules, version(dice)).await
        }
        _ => {
            let mut user = given::user(user.as_str(), "home");
            user.version = version(dice);
            tx.put_user(&user).await
        }
    }
}

async fn accounts(tx: &mut Tx, dice: &mut Numbers, account: &Account) -> Result<(), StoreError> {
    let Some(there) = tx.account(&Scope::Whole, account.id).await? else { return tx.insert_account(account).await };
    match dice.below(20) {
        0 => tx.delete_account(account.id).await.map(drop),
        1..=9 => tx.update_account(&there, there.version).await.map(drop),
        _ => {
            let status = if dice.often(50) { AccountStatus::Active } else { AccountStatus::Error };
            tx.set_account_state(account.id, status, None, 1, Some(at(9)), None).await.map(drop)
        }
    }
}

async fn calendars(tx: &mut Tx, dice: &mut Numbers, calendar: &Calendar) -> Result<(), StoreError> {
    match dice.below(3) {
        0 => tx.set_calendar_error(calendar.id, "away").await,
        1 => tx.save_cursor(calendar.id, None, None, Some(at(1)), None).await,
        _ => tx.put_calendars(std::slice::from_ref(calendar)).await,
    }
}

async fn events(tx: &mut Tx, dice: &mut Numbers, mut event: Event) -> Result<(), StoreError> {
    match dice.below(10) {
        0 => tx.delete_events(&[event.id]).await.map(drop),
        1 => tx.purge_deleted_events(at(50), 3).await.map(drop),
        2 => tx.rehome_event(event.id, None).await,
        drawn => {
            event.deleted_at = (drawn < 6).then(|| at(40));
            tx.put_events(&[event], &[(at(0), None)]).await
        }
    }
}

async fn work(tx: &mut Tx, dice: &mut Numbers, event: &Event, base: u64) -> Result<(), StoreError> {
    let user = event.user_id.clone();
    let mut context = given::context(base + 200 + dice.below(3), None);
    (context.user_id, context.version) = (user.clone(), version(dice));
    let mut task = given::task(base + 300 + dice.below(20), None, None);
    (task.user_id, task.version) = (user.clone(), version(dice));
    let mut block = given::block(base + 400 + dice.below(20), task.id, None, given::window(0, 30));
    (block.user_id, block.version) = (user.clone(), version(dice));
    block.event_id = dice.often(30).then_some(event.id);
    let mut focus = given::focus(base + 500 + dice.below(9), &block);
    focus.version = version(dice);
    let mut proposal = given::proposal(base + 600 + dice.below(9));
    (proposal.user_id, proposal.version) = (user.clone(), version(dice));
    let day = format!("2026-03-{:02}", dice.below(28) + 1);
    let mut rollover = given::rollover(base + 700 + dice.below(9), &day);
    rollover.user_id = user;
    match dice.below(12) {
        0 => tx.put_context(&context).await,
        1 => tx.delete_context(context.id).await.map(drop),
        2 => tx.delete_task(task.id).await.map(drop),
        3 => tx.delete_blocks(&[block.id]).await.map(drop),
        4 => tx.put_focus(&focus).await,
        5 => tx.put_proposal(&proposal).await,
        6 => tx.sweep_proposals(at(50)).await.map(drop),
        7 => tx.insert_rollover(&rollover).await.map(drop),
        8 => tx.update_rollover(&rollover).await,
        9 => tx.put_blocks(&[block]).await,
        _ => {
            task.facts.context_id = tx.context(&Scope::Whole, context.id).await?.map(|context| context.id);
            tx.put_tasks(&[task.clone()]).await?;
            tx.put_blocks(&[block]).await
        }
    }
}

async fn told(
    tx: &mut Tx,
    dice: &mut Numbers,
    (account, calendar, event): (&Account, &Calendar, &Event),
    base: u64,
) -> Result<(), StoreError> {
    let mut hold = given::hold(base + 800 + dice.below(9), calendar);
    hold.state = if dice.often(50) { HoldState::Held } else { HoldState::Refused };
    let mut conflict = given::conflict(base + 900 + dice.below(9), calendar, event.id);
    let mut notice = given::notice(base + 1_000 + dice.below(9), account, None);
    notice.account_id = None;
    match dice.below(8) {
        0 => tx.put_hold(&hold).await,
        1 => tx.insert_conflicts(&[conflict]).await,
        2 => {
            conflict.reason = format!("for the {}th time", dice.below(99));
            tx.update_conflict(&conflict).await
        }
        3 => {
            conflict.resolved_at = Some(at(3));
            tx.update_conflict(&conflict).await?;
            tx.sweep_conflicts(at(5)).await.map(drop)
        }
        4 => tx.put_notice(&notice).await,
        5 => tx.read_notice(&Scope::Whole, notice.id, at(9)).await.map(drop),
        6 => tx.sweep_notices(at(5)).await.map(drop),
        _ => {
            tx.put_calendars(std::slice::from_ref(calendar)).await?;
            tx.put_hold(&hold).await
        }
    }
}
