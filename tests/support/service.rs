//! The binary under test, started as a new user would, and its API.

use std::{path::Path, process::Command, time::Duration};

use calwarden::store::{Blocking, Store, StoreConfig};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Process, calwarden, free_port, read};

/// How often the service is asked while a test waits, and how many times at most: two minutes in all.
const ASKED_EVERY: Duration = Duration::from_millis(20);
const ASKED_MAX: u32 = 6_000;

/// A running service with an API key that may do everything.
pub struct Service {
    pub folder: TempDir,
    pub port: u16,
    pub key: String,
    process: Option<Process>,
    database_url: Option<String>,
    extra: Vec<(String, String)>,
    client: Client,
}

impl Service {
    /// Starts one on SQLite, private networks allowed.
    pub fn start() -> Self {
        Self::on(None, &[])
    }

    /// Starts one on a database, with more settings in its environment.
    pub fn on(database_url: Option<String>, extra: &[(&str, &str)]) -> Self {
        Self::on_port(free_port(), database_url, extra)
    }

    /// The same, on a port that others were told of.
    pub fn on_port(port: u16, database_url: Option<String>, extra: &[(&str, &str)]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let extra = extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        // No kept connections: one to a process that was killed would fail a request that the next process can answer.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
        let folder = tempfile::tempdir().expect("a folder");
        let mut service = Self { folder, port, key: String::new(), process: None, database_url, extra, client };
        service.run();
        service.key = service.make_key("read,write,operate");
        service
    }

    fn command(&self) -> Command {
        self.told(Command::new(calwarden()))
    }

    /// The same through a shell that lets a write beyond a limit fail instead of ending the process.
    fn serving(&self) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" serve"]).arg(calwarden());
        self.told(shell)
    }

    fn told(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path());
        command.env("CALWARDEN_LISTEN", format!("127.0.0.1:{}", self.port));
        command.env("CALWARDEN_DATA_DIR", self.folder.path().join("data"));
        command.env("CALWARDEN_ALLOW_PRIVATE_NETWORKS", "true");
        command.env_remove("DATABASE_URL");
        if let Some(url) = &self.database_url {
            command.env("DATABASE_URL", url);
        }
        command.envs(self.extra.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the process (again) and waits until it is ready.
    pub fn run(&mut self) {
        let log = self.log();
        let mut process = Process::start("calwarden serve", &mut self.serving(), &log);
        process.wait_for_port(self.port);
        self.process = Some(process);
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Sends it a signal by its name: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.process_id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{name}");
    }

    /// Lets no file of its grow beyond so many bytes: what a full disk does. `None`: they may grow again.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let soft = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let pid = self.process_id().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={soft}:")]).status();
        assert!(set.is_ok_and(|status| status.success()), "prlimit --fsize={soft}:");
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// Where its log is.
    pub fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }

    /// What it logged.
    pub fn logged(&self) -> String {
        read(&self.log())
    }

    /// Runs a command of the same binary on the same data; answers its standard output.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().expect("the binary runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}\n{errors}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// Its database, for a test that has killed it and lets time have passed meanwhile.
    pub async fn store(&self) -> Store {
        assert!(self.process.is_none(), "the process has its database for itself");
        let (url, data_dir) = (self.database_url.clone(), self.folder.path().join("data"));
        let config = StoreConfig { url, data_dir, readers: 1, blocking: Blocking::Pool };
        Store::open(config).await.expect("a store")
    }

    /// Makes an API key as the README says.
    pub fn make_key(&self, scopes: &str) -> String {
        let out = self.cli(&["api-key", "create", "--name", "test", "--scopes", scopes]);
        out.lines().last().expect("a key").to_owned()
    }

    /// One request; answers status and JSON (or text).
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        self.try_send(method, path, body).await.expect("an answer")
    }

    /// The same of a process that may die meanwhile.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = self.client.request(method, url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// A request that may be repeated, of a process that may die meanwhile; answers the body as it came as well.
    pub async fn try_keyed(&self, key: &str, path: &str, body: &Value) -> reqwest::Result<(StatusCode, String)> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let request = self.client.post(url).bearer_auth(&self.key).header("Idempotency-Key", key).json(body);
        let answer = request.send().await?;
        Ok((answer.status(), answer.text().await?))
    }

    /// A request that must succeed.
    pub async fn ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.send(method, path, body).await;
        assert!(status.is_success(), "{method} {path}: {status} {answer}\n{}", self.logged());
        answer
    }

    /// Makes the user `ada`.
    pub async fn make_user(&self) {
        let body = json!({"name": "Ada", "time_zone": "Europe/Paris", "working_hours": {"mon": [["09:00", "17:00"]]}});
        self.ok("PUT", "/v1/users/ada", Some(body)).await;
    }

    /// Asks for a round and waits until one that began after the asking has ended; answers the account.
    pub async fn sync(&self, account: &str) -> Value {
        let before = self.rounds(account).await;
        self.ok("POST", &format!("/v1/accounts/{account}/sync"), None).await;
        self.round_after(account, before).await
    }

    /// How many rounds have ended.
    pub async fn rounds(&self, account: &str) -> usize {
        let rounds = self.ok("GET", &format!("/v1/accounts/{account}/rounds?limit=500"), None).await;
        rounds["data"].as_array().map_or(0, Vec::len)
    }

    /// Waits for more than so many ended rounds with nothing running, then answers the account.
    pub async fn round_after(&self, account: &str, before: usize) -> Value {
        let rounds = format!("/v1/accounts/{account}/rounds?limit=500");
        self.until(&rounds, |rounds| rounds["data"].as_array().is_some_and(|all| all.len() > before)).await;
        self.until(&format!("/v1/ops/actors/{account}"), |actor| actor["current"].is_null()).await;
        self.ok("GET", &format!("/v1/accounts/{account}"), None).await
    }

    /// Asks again and again until the answer is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut answer = Value::Null;
        for _ in 0..ASKED_MAX {
            answer = self.ok("GET", path, None).await;
            if wanted(&answer) {
                return answer;
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
        panic!("GET {path} never was as wanted: {answer}\n{}", self.logged());
    }

    /// Its events in a window wide enough for any test, expanded or not.
    pub async fn events(&self, expand: bool) -> Vec<Value> {
        self.events_of("ada", expand).await
    }

    /// The same of another user.
    pub async fn events_of(&self, user: &str, expand: bool) -> Vec<Value> {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!(
                "/v1/events?user_id={user}&from=2026-01-01T00:00:00Z&to=2027-12-31T00:00:00Z&expand={expand}&limit=500{cursor}"
            );
            let page = self.ok("GET", &path, None).await;
            found.extend(page["data"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    }
}

/// Whether a file or folder below `root` holds a text.
pub fn holds(root: &Path, text: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(root) else {
        return std::fs::read(root).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()));
    };
    entries.flatten().any(|entry| holds(&entry.path(), text))
}
