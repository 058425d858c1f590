//! Migrations: the same tables on both databases, by however many processes at once.

use std::collections::BTreeSet;

use calwarden::{
    domain::{
        notice::{Notice, NoticeKind, NoticeSubject},
        person::Scope,
    },
    store::{Blocking, SchemaState, StoreConfig, back_up, migrate, schema_state},
};
use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types};
use tokio::task::JoinSet;

use super::{
    Base,
    changes::count,
    given::{self, at},
    postgres_walls::of_a_plain_owner,
};
use crate::support::postgres;

/// Table, column, whether it may be empty.
type Columns = BTreeSet<(String, String, bool)>;

#[derive(QueryableByName)]
struct SqliteColumn {
    #[diesel(sql_type = sql_types::Text)]
    table_name: String,
    #[diesel(sql_type = sql_types::Text)]
    column_name: String,
    #[diesel(sql_type = sql_types::Bool)]
    nullable: bool,
}

fn on_sqlite(config: &StoreConfig) -> Columns {
    let path = config.data_dir.join("calwarden.db");
    let mut conn = diesel::Connection::establish(&path.display().to_string()).expect("open");
    let conn: &mut diesel::SqliteConnection = &mut conn;
    let rows: Vec<SqliteColumn> = sql_query(
        "SELECT m.name AS table_name, c.name AS column_name, NOT c.\"notnull\" AS nullable
         FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .load(conn)
    .expect("the catalogue");
    rows.into_iter().map(|row| (row.table_name, row.column_name, row.nullable)).filter(is_ours).collect()
}

async fn on_postgres(config: &StoreConfig) -> Columns {
    let client = postgres::connect(config.url.as_deref().expect("a URL")).await;
    let rows = client
        .query(
            "SELECT table_name::text, column_name::text, is_nullable = 'YES' FROM information_schema.columns
             WHERE table_schema = 'public'",
            &[],
        )
        .await
        .expect("the catalogue");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).filter(is_ours).collect()
}

/// diesel's own list of migrations is its own affair.
fn is_ours(column: &(String, String, bool)) -> bool {
    !column.0.starts_with("__diesel")
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let (sqlite, other) = (Base::sqlite().await, Base::postgres().await);
    let (here, there) = (on_sqlite(&sqlite.config), on_postgres(&other.config).await);
    assert!(here.len() > 100, "{} columns", here.len());
    let differ: Vec<_> = here.symmetric_difference(&there).collect();
    assert!(differ.is_empty(), "on one database only, or empty on one only: {differ:?}");
}

/// Of these [`calwarden::store`] reads and writes each in one way: a `jsonb`, say, is stored and cannot be read again as the `json` that
/// it was taken for.
#[tokio::test]
async fn postgres_has_no_column_of_a_type_that_is_not_read() {
    let base = Base::postgres().await;
    let client = postgres::connect(base.config.url.as_deref().expect("a URL")).await;
    let asked = "SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_diesel%' AND data_type NOT IN
                 ('uuid', 'text', 'bigint', 'boolean', 'bytea', 'json', 'timestamp with time zone')";
    let other: Vec<String> =
        client.query(asked, &[]).await.expect("the catalogue").iter().map(|row| row.get(0)).collect();
    assert_eq!(other, Vec::<String>::new());
}

#[tokio::test]
async fn the_twin_folders_have_the_same_names() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let names = |database: &str| -> BTreeSet<_> {
        let entries = std::fs::read_dir(root.join(database)).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name()).collect()
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

async fn migrated_by_several(config: StoreConfig) {
    let mut processes = JoinSet::new();
    for _ in 0..6 {
        let config = config.clone();
        processes.spawn(async move { migrate(&config).await.expect("migrated") });
    }
    let ran = processes.join_all().await;
    let working = ran.iter().filter(|names| !names.is_empty()).count();
    assert_eq!(working, 1, "one does it, the others find nothing left: {ran:?}");
    assert_eq!(migrate(&config).await, Ok(vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_migrate_sqlite_at_once() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let data_dir = folder.path().to_owned();
    migrated_by_several(StoreConfig { url: None, data_dir, readers: 1, blocking: Blocking::Pool }).await;
}

/// SQLite refuses a switch that two make at once, without waiting: nobody who opens a database may have to.
#[tokio::test]
async fn a_new_database_writes_ahead_before_anybody_opens_it() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let data_dir = folder.path().to_owned();
    let config = StoreConfig { url: None, data_dir, readers: 1, blocking: Blocking::Pool };
    migrate(&config).await.expect("migrated");
    let bytes = std::fs::read(folder.path().join("calwarden.db")).expect("a database");
    // Its file format: 2 is the write-ahead log, 1 the journal that rolls back.
    assert_eq!(bytes[18..20], [2, 2]);
    // A copy that was made for a backup does not write ahead; what is restored does, as soon as it is migrated.
    let copy = folder.path().join("copy.db");
    back_up(&config, copy.clone()).await.expect("backed up");
    assert_eq!(std::fs::read(&copy).expect("a copy")[18..20], [1, 1]);
    let restored = StoreConfig { url: Some(copy.display().to_string()), ..config };
    assert_eq!(migrate(&restored).await, Ok(vec![]));
    assert_eq!(std::fs::read(&copy).expect("a copy")[18..20], [2, 2]);
}

/// One connection looks while the switch is to be made: the switch waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_at_a_database_does_not_stop_its_switch() {
    let base = Base::sqlite().await;
    let copy = base.config.data_dir.join("copy.db");
    back_up(&base.config, copy.clone()).await.expect("backed up");
    let mut conn: diesel::SqliteConnection = diesel::Connection::establish(&copy.display().to_string()).expect("open");
    sql_query("BEGIN").execute(&mut conn).expect("begun");
    sql_query("SELECT COUNT(*) FROM sqlite_master").execute(&mut conn).expect("looked");
    let restored = StoreConfig { url: Some(copy.display().to_string()), ..base.config.clone() };
    let migrated = tokio::spawn(async move { migrate(&restored).await });
    while !copy.with_file_name("copy.db.migrate").exists() {
        tokio::task::yield_now().await;
    }
    sql_query("COMMIT").execute(&mut conn).expect("over");
    assert_eq!(migrated.await.expect("no panic"), Ok(vec![]));
}

#[tokio::test]
async fn several_processes_migrate_postgres_at_once() {
    let url = Some(postgres::fresh_database().await);
    let config = StoreConfig { url, data_dir: std::path::PathBuf::new(), readers: 1, blocking: Blocking::Pool };
    migrated_by_several(config).await;
}

#[tokio::test]
async fn what_a_newer_program_has_changed_is_refused_and_looking_makes_nothing() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let empty = folder.path().join("empty");
    let config = StoreConfig { url: None, data_dir: empty.clone(), readers: 1, blocking: Blocking::Pool };
    assert_eq!(schema_state(&config).await, Ok(SchemaState::Missing));
    assert!(!empty.exists());
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')";
    for base in [Base::sqlite().await, Base::postgres().await] {
        assert_eq!(schema_state(&base.config).await, Ok(SchemaState::Current));
        match base.database() {
            Some(path) => {
                let mut conn: diesel::SqliteConnection =
                    diesel::Connection::establish(&path.display().to_string()).expect("open");
                sql_query(newer).execute(&mut conn).expect("changed");
            }
            None => postgres::execute(base.config.url.as_deref().expect("a URL"), newer).await,
        }
        assert_eq!(schema_state(&base.config).await, Ok(SchemaState::Ahead("99991231000000".to_owned())));
        let why = migrate(&base.config).await.expect_err("refused").to_string();
        assert!(why.contains("newer calwarden"), "{why}");
    }
}

#[tokio::test]
async fn a_backup_has_what_was_written_last_and_overwrites_nothing() {
    let base = Base::sqlite().await;
    super::given::ada(&base).await;
    let copy = base.config.data_dir.join("copy.db");
    back_up(&base.config, copy.clone()).await.expect("backed up");
    let why = back_up(&base.config, copy.clone()).await.expect_err("it is there").to_string();
    assert!(why.contains("exists already"), "{why}");
    let restored = StoreConfig { url: Some(copy.display().to_string()), ..base.config.clone() };
    assert_eq!(schema_state(&restored).await, Ok(SchemaState::Current));
    let store = calwarden::store::Store::open(restored).await.expect("open");
    let whole = calwarden::domain::person::Scope::Whole;
    let mut tx = store.begin(calwarden::store::Mode::Read, &whole).await.expect("begun");
    assert!(tx.user(&super::given::user_id("ada")).await.expect("read").is_some());
}

/// The words of a notice that was told before are what it still says; nothing is recorded as changed.
async fn a_notice_keeps_its_words(base: Base, down: &str, up: &str) {
    let (account, _) = given::ada(&base).await;
    let text = "A change could not be sent: \"it's\" full \\ {gründlich}.".to_owned();
    let subject = NoticeSubject::Plain { kind: NoticeKind::WriteParked, text };
    let before = Notice { subject, read_at: Some(at(9)), ..given::notice(10, &account, None) };
    let since = Notice { subject: NoticeSubject::Overrun, ..given::notice(11, &account, None) };
    let odd = Notice { subject: NoticeSubject::Quarantined, ..given::notice(12, &account, None) };
    let mut tx = base.write().await;
    for notice in [&before, &since, &odd] {
        tx.put_notice(notice).await.expect("notice");
    }
    tx.commit().await.expect("committed");
    let whole = if base.is_postgres() { "SET LOCAL app.whole = 'on';" } else { "" };
    base.execute(&format!("{whole} UPDATE notices SET parameters = '[]' WHERE id = '{}'", odd.id)).await;
    let recorded = count(&base).await;
    base.execute(down).await;
    base.execute(up).await;
    assert_eq!(count(&base).await, recorded);
    let mut tx = base.write().await;
    let plain = |kind, text: &str| NoticeSubject::Plain { kind, text: text.to_owned() };
    let since = Notice { subject: plain(NoticeKind::Overrun, "overrun"), ..since };
    let odd = Notice { subject: plain(NoticeKind::Quarantined, "quarantined"), ..odd };
    let all = vec![odd, since.clone(), before];
    assert_eq!(tx.notices(&Scope::Whole, None, false, None, 9).await, Ok(all));
    tx.put_notice(&Notice { subject: NoticeSubject::Overrun, ..since }).await.expect("refreshed");
    tx.commit().await.expect("committed");
    assert_eq!(count(&base).await, recorded + 1, "what a notice says has changed");
}

#[tokio::test]
async fn a_notice_on_sqlite_keeps_its_words() {
    const DOWN: &str = include_str!("../../../migrations/sqlite/2026-11-30-000032_notice_subjects/down.sql");
    const UP: &str = include_str!("../../../migrations/sqlite/2026-11-30-000032_notice_subjects/up.sql");
    a_notice_keeps_its_words(Base::sqlite().await, DOWN, UP).await;
}

#[tokio::test]
async fn a_notice_on_postgres_keeps_its_words_whoever_owns_the_database() {
    const DOWN: &str = include_str!("../../../migrations/postgres/2026-11-30-000032_notice_subjects/down.sql");
    const UP: &str = include_str!("../../../migrations/postgres/2026-11-30-000032_notice_subjects/up.sql");
    a_notice_keeps_its_words(of_a_plain_owner().await, DOWN, UP).await;
}
