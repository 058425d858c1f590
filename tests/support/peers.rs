//! Calendar servers that are not ours: Radicale and Xandikos, each on its own folder and port.

use std::{path::PathBuf, process::Command};

use tempfile::TempDir;

use super::{
    process::{Process, free_port, peer_program},
    service::holds,
};

/// A user name and password that both servers take (Xandikos asks for none).
pub const USER: &str = "ada";
/// The password.
pub const PASSWORD: &str = "correct horse";

/// People whom Radicale knows beside her and Bob, with the same password.
const OTHERS: u64 = 1_000;

/// The name of one of them.
pub fn other(n: u64) -> String {
    assert!(n < OTHERS, "nobody knows that one");
    format!("other-{n}")
}

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Strict ETags, sync-collection, rewrites what is put.
    Radicale,
    /// Git-backed; other habits in tokens and ETags.
    Xandikos,
}

/// A running server.
pub struct CalendarServer {
    pub kind: Kind,
    pub port: u16,
    process: Process,
    folder: TempDir,
}

impl CalendarServer {
    /// Starts one and waits until it listens.
    pub fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let data = folder.path().join("data");
        std::fs::create_dir_all(&data).expect("a folder");
        let log = folder.path().join("log");
        let mut command = match kind {
            Kind::Radicale => {
                let users = folder.path().join("users");
                let names = [USER.to_owned(), "bob".to_owned()].into_iter().chain((0..OTHERS).map(other));
                let lines: Vec<_> = names.map(|name| format!("{name}:{PASSWORD}\n")).collect();
                std::fs::write(&users, lines.concat()).expect("a users file");
                let mut command = Command::new(peer_program("python"));
                command.args(["-m", "radicale", "--config", ""]);
                command.arg("--server-hosts").arg(format!("127.0.0.1:{port}"));
                command.args(["--auth-type", "htpasswd", "--auth-htpasswd-encryption", "plain", "--auth-delay", "0"]);
                command.arg("--auth-htpasswd-filename").arg(&users);
                command.arg("--storage-filesystem-folder").arg(&data);
                command
            }
            Kind::Xandikos => {
                let mut command = Command::new(peer_program("xandikos"));
                command.args(["serve", "-l", "127.0.0.1", "--defaults", "--current-user-principal", "/ada/"]);
                command.arg("-d").arg(&data).arg("-p").arg(port.to_string());
                command
            }
        };
        let mut process = Process::start("the calendar server", &mut command, &log);
        process.wait_for_port(port);
        Self { kind, port, process, folder }
    }

    /// Stops it, as a power cut would.
    pub fn stop(&mut self) {
        self.process.kill();
    }

    /// The address of its root.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The path of a calendar, which [`Dav::make_calendar`](super::dav::Dav::make_calendar) makes.
    pub fn calendar_path(&self, name: &str) -> String {
        match self.kind {
            Kind::Radicale => format!("/{USER}/{name}/"),
            Kind::Xandikos => format!("/ada/calendars/{name}/"),
        }
    }

    /// Whether anything that it keeps, in whatever calendar, holds a text.
    pub fn holds(&self, text: &str) -> bool {
        holds(&self.folder.path().join("data"), text)
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}
