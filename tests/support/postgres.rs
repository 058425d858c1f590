//! A PostgreSQL server of the test process's own: made on first use, gone with the process however that ends.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

struct Server {
    port: u16,
    /// Its standard input is a pipe from us: when we end, the watching shell reads the end of it and stops the server.
    _watcher: Child,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of a new, empty database, reached as the superuser.
pub async fn fresh_database() -> String {
    let server = SERVER.get_or_init(start);
    let name = format!("calwarden_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    execute(&url(server, "postgres"), &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
    url(server, &name)
}

/// Runs statements on a connection of their own.
pub async fn execute(url: &str, statements: &str) {
    connect(url).await.batch_execute(statements).await.expect(statements);
}

/// A bare connection, as a person with `psql` would have.
pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(connection);
    client
}

fn url(server: &Server, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{}/{database}", server.port)
}

fn start() -> Server {
    let folder =
        tempfile::Builder::new().prefix("postgres-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    // Kept: the watcher removes it after the server has stopped, which is after we are gone.
    let folder = folder.keep();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let options = format!(
        "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off \
         -c synchronous_commit=off -c full_page_writes=off -c max_connections=300 -c shared_buffers=64MB"
    );
    let script = r#"
        $AS "$BIN/initdb" -D "$DATA" -U postgres -A trust -E UTF8 --no-sync >"$FOLDER/initdb.log" 2>&1 &&
        $AS "$BIN/pg_ctl" -D "$DATA" -w -l "$DATA/server.log" -o "$OPTIONS" start >/dev/null && echo ready
        read -r _
        $AS "$BIN/pg_ctl" -D "$DATA" -m immediate stop >/dev/null 2>&1
        rm -rf "$FOLDER"
    "#;
    let data = folder.join("data");
    std::fs::create_dir(&data).expect("a folder");
    let mut watcher = Command::new("sh")
        .args(["-c", script])
        .env("AS", as_plain_user(&[&folder, &data]))
        .env("BIN", programs())
        .env("DATA", data)
        .env("FOLDER", &folder)
        .env("OPTIONS", options)
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut answer = String::new();
    let heard = watcher.stdout.take().expect("a pipe");
    BufReader::new(heard).read_line(&mut answer).expect("an answer");
    assert_eq!(
        answer.trim(),
        "ready",
        "PostgreSQL did not start: see initdb.log and server.log in {}",
        folder.display()
    );
    Server { port, _watcher: watcher }
}

/// PostgreSQL refuses to run as root, so root becomes the user that the package made, who then owns `folders`: the words that
/// go before a command.
fn as_plain_user(folders: &[&Path]) -> String {
    if number(&["-u"]) != 0 {
        return String::new();
    }
    let (user, group) = (number(&["-u", "postgres"]), number(&["-g", "postgres"]));
    for folder in folders {
        chown(folder, Some(user), Some(group)).expect("root may give a folder away");
    }
    format!("setpriv --reuid={user} --regid={group} --clear-groups")
}

fn number(of: &[&str]) -> u32 {
    let told = Command::new("id").args(of).output().expect("id");
    String::from_utf8_lossy(&told.stdout).trim().parse().expect("a user that can run PostgreSQL: install its package")
}

/// The folder of the newest installed server.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    found.retain(|folder| folder.join("initdb").is_file());
    found.sort();
    if let Some(newest) = found.pop() {
        return newest;
    }
    let told = Command::new("pg_config").arg("--bindir").output();
    let told =
        told.expect("no PostgreSQL server in /usr/lib/postgresql or on the PATH: install one to run these tests");
    String::from_utf8_lossy(&told.stdout).trim().into()
}
