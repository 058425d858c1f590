//! What integration tests share.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub mod dav;
pub mod discovery;
pub mod google;
pub mod middleman;
pub mod numbers;
pub mod page;
pub mod peers;
pub mod postgres;
pub mod process;
pub mod service;
pub mod sqlite;
pub mod strangers;
pub mod wire;

use std::path::PathBuf;

/// The data that tests read in place and the repository does not hold: `CALWARDEN_CORPORA`, else beside the project.
pub fn corpora() -> PathBuf {
    let found = setting("CALWARDEN_CORPORA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora"), PathBuf::from);
    assert!(found.is_dir(), "no test data in {}: set CALWARDEN_CORPORA", found.display());
    found
}

/// The scheduling benchmark: the sibling of the corpora.
pub fn planning() -> PathBuf {
    corpora().join("../planning")
}

/// The Python that has the test peers (python-dateutil, Radicale) installed.
pub fn peers_python() -> String {
    setting("CALWARDEN_PEERS_PYTHON").unwrap_or_else(|| "python3".to_owned())
}

/// The folder in which npm has put `googleapis`.
pub fn peers_node() -> PathBuf {
    let usual = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/peers/node");
    setting("CALWARDEN_PEERS_NODE").map_or_else(usual, PathBuf::from)
}

/// An environment variable, if it is set and not empty.
pub fn setting(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file to be told by")]
    let value = std::env::var(name).ok();
    value.filter(|value| !value.is_empty())
}
