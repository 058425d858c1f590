//! Child processes of tests: started on free loopback ports, waited for, killed when the test ends, however it ends.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// The ports that tests give to servers: below those that systems give to whoever connects to one.
const PORTS: std::ops::Range<u32> = 12_000..32_000;

/// How many ports were asked for in this process.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// A child that dies with the test.
pub struct Process {
    child: Child,
    what: &'static str,
}

impl Process {
    /// Starts a program, its output into a file beside the test's data.
    pub fn start(what: &'static str, command: &mut Command, log: &Path) -> Self {
        let out = std::fs::File::create(log).expect("a log file");
        let err = out.try_clone().expect("a log file");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        Self { child: child.unwrap_or_else(|why| panic!("{what} does not start: {why}")), what }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as a power cut would (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it has ended by itself; `false`: it has not within a minute.
    pub fn ended(&mut self) -> bool {
        wait_until(Duration::from_mins(1), || self.child.try_wait().ok().flatten()).is_some()
    }

    /// Waits until something listens on a port; panics when the child ends before.
    pub fn wait_for_port(&mut self, port: u16) {
        let reached = wait_until(Duration::from_mins(1), || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{} ended with {status} before it listened", self.what);
            }
            TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())
        });
        assert!(reached.is_some(), "{} never listened on port {port}", self.what);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Asks again and again, a little apart, until there is an answer or the time is up.
pub fn wait_until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let step = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if waited >= limit {
            return None;
        }
        std::thread::park_timeout(step);
        waited += step;
    }
}

/// A port nobody listens on now, and that no other test of this process was given or will be: a server may take its time
/// until it listens.
pub fn free_port() -> u16 {
    // Runs of the tests at the same time start in different places.
    let start = std::process::id().wrapping_mul(977);
    let mut asked =
        PORTS.map(|_| start.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start));
    let free = asked.find_map(|n| {
        let port = u16::try_from(PORTS.start + n).expect("a port");
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    });
    free.expect("a free port")
}

/// A program of the peers' virtual environment (`tests/run` makes it), or of the path.
pub fn peer_program(name: &str) -> PathBuf {
    let folder = std::env::var_os("CALWARDEN_PEERS_BIN").map(PathBuf::from);
    let made = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin")).join(name);
    assert!(made.exists(), "{} is missing: tests/run installs the test peers", made.display());
    made
}

/// The binary under test: the release one when `tests/run` built it, else the one cargo built for this test.
pub fn calwarden() -> PathBuf {
    match std::env::var_os("CALWARDEN_BIN") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env!("CARGO_BIN_EXE_calwarden")),
    }
}

/// The whole text of a log, for a failure's message.
pub fn read(log: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = std::fs::File::open(log) {
        let _ = file.read_to_string(&mut text);
    }
    text
}
