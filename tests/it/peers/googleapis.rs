//! The sandbox beside Google's own client for Node, which is told nothing but where the origin is.

use std::process::Command;

use super::google::Sandbox;
use crate::support::{corpora, peers_node};

/// How many behaviours hold at least.
const BEHAVIOURS_MIN: usize = 300;

#[test]
fn googles_client_for_node_finds_in_the_sandbox_what_google_documents() {
    let sandbox = Sandbox::start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/googleapis/main.mjs");
    let mut command = Command::new("node");
    command.arg(script).arg(format!("http://127.0.0.1:{}", sandbox.port)).arg(peers_node());
    command.arg(corpora().join("specs/google-calendar.swagger.json"));
    let output = command.output().expect("node runs (tests/run installs what it needs)");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    let held = out.lines().find_map(|line| line.strip_prefix("googleapis: ")?.split(' ').next()?.parse::<usize>().ok());
    assert!(held >= Some(BEHAVIOURS_MIN), "{out}");
    println!("{}", out.lines().last().unwrap_or_default());
}
