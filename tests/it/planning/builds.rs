//! One plan, whichever build makes it: what the program on the disk answers, byte by byte, is what the planner linked into this
//! test says. `tests/run` sets the optimised program against the one that checks every sum for overflow.

use std::{fmt::Write, process::Command};

use calwarden::engine::scheduling::{SearchBudget, plan};
use serde_json::Value;

use super::{hundred, list, problem, read_files};
use crate::support::process::calwarden;

/// Every this many problems are given the time that nobody waits for, as well.
const PATIENTLY: usize = 16;

/// Our own plan of a problem, as the command writes one.
fn ours(file: &Value, budget: SearchBudget) -> String {
    let plan = plan(&problem(file), budget).expect("a valid problem");
    let names: Vec<&str> = list(&file["tasks"]).iter().map(|task| task["id"].as_str().expect("an id")).collect();
    let mut line = format!("{{\"id\":{},\"schedule\":[", file["id"]);
    for (at, block) in plan.blocks.iter().enumerate() {
        let (comma, name) = (if at == 0 { "" } else { "," }, names[block.task]);
        write!(line, "{comma}{{\"task\":\"{name}\",\"start\":{},\"end\":{}}}", block.start, block.end).expect("memory");
    }
    let score = plan.score;
    write!(line, "],\"score\":[{},{},{}]", score.missed, score.unplaced, score.cost).expect("memory");
    line
}

/// What the program says to these files, a line for each, without the time it took.
fn theirs(paths: &[std::path::PathBuf], budget: &str) -> Vec<String> {
    let output = Command::new(calwarden()).args(["plan", "--budget", budget, "--instance"]).args(paths).output();
    let output = output.expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.split_once(",\"micros\":").expect("a time").0.to_owned()).collect()
}

fn same(files: &[(std::path::PathBuf, Value)], word: &str, budget: SearchBudget) {
    let paths: Vec<_> = files.iter().map(|(path, _)| path.clone()).collect();
    let theirs = theirs(&paths, word);
    assert_eq!(theirs.len(), files.len());
    for ((path, file), theirs) in files.iter().zip(theirs) {
        assert_eq!(ours(file, budget), theirs, "{}", path.display());
    }
}

#[test]
fn two_builds_make_the_same_plans() {
    let mut files = read_files();
    files.push(hundred());
    same(&files, "interactive", SearchBudget::Interactive);
    let some: Vec<_> = files.into_iter().rev().step_by(PATIENTLY).collect();
    same(&some, "background", SearchBudget::Background);
}
