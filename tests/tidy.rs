//! Properties of the source itself: who may import whom, what stays pure, how long a file may be.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test file: a panic is its way to fail")]

#[path = "tidy/items.rs"]
mod items;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use std::{collections::BTreeSet, fs, path::Path};

use calwarden::domain::promise::Promise;
use source::Source;

/// What is not ours to read: git's, the compiler's, and a local server's.
const SKIP: &[&str] = &[".git", "target", "data", "Cargo.lock"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Applies a rule to every file of the repository.
fn holds(rule: impl Fn(&Source) -> Vec<String>) {
    let files = source::read_all(root(), SKIP);
    assert!(files.iter().any(|file| file.path == "src/domain/mod.rs"), "the sources were found");
    let untidy: Vec<String> = files.iter().flat_map(rule).collect();
    assert!(untidy.is_empty(), "\n{}", untidy.join("\n"));
}

#[test]
fn the_layers_hold() {
    holds(rules::layers);
}

#[test]
fn there_is_one_way_to_write() {
    holds(rules::write_path);
}

#[test]
fn nobody_above_a_provider_asks_which_one_it_is() {
    holds(rules::provider_names);
}

#[test]
fn the_map_is_short_and_names_what_is_there() {
    let map = fs::read_to_string(root().join("src/ARCHITECTURE.md")).expect("the map");
    let wrong = rules::map(&map, |name| ["src", ""].iter().any(|folder| root().join(folder).join(name).is_file()));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Every folder of a layer, with its layer.
fn folders() -> Vec<(String, String)> {
    let files = source::read_all(&root().join("src"), SKIP);
    let parts = |file: &Source| file.path.split('/').map(str::to_owned).collect::<Vec<_>>();
    let folder = |file: &Source| match parts(file).as_slice() {
        [layer, folder, _, ..] => Some((layer.clone(), folder.clone())),
        _ => None,
    };
    files.iter().filter_map(folder).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn the_islands_do_not_know_each_other() {
    let folders = folders();
    holds(|file| rules::islands(file, &folders));
}

#[test]
fn what_hosts_the_look_alikes_knows_none_of_them() {
    let folders = folders();
    holds(|file| rules::look_alikes(file, &folders));
}

#[test]
fn use_cases_know_few_others() {
    holds(rules::rooms);
}

#[test]
fn every_dependency_stays_where_it_belongs() {
    holds(rules::dependencies);
}

#[test]
fn what_only_computes_stays_pure() {
    holds(rules::purity);
}

#[test]
fn every_promise_is_told_of_and_proven() {
    let read = |name: &str| fs::read_to_string(root().join(name)).expect("a file");
    let all: Vec<_> = Promise::ALL.iter().map(|promise| (promise.as_str(), promise.sentence())).collect();
    let wrong = rules::promises(&all, &read("tests/README.md"), &read("tests/planted"));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_stay_short() {
    holds(rules::length);
}

#[test]
fn names_say_what_is_inside() {
    holds(rules::names);
}

#[test]
fn no_two_types_have_one_name() {
    let doubled = items::one_name_one_type(&source::read_all(root(), SKIP));
    assert!(doubled.is_empty(), "\n{}", doubled.join("\n"));
}

#[test]
fn nothing_is_offered_that_nothing_uses() {
    let unused = items::unused(&source::read_all(root(), SKIP));
    assert!(unused.is_empty(), "\n{}", unused.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    holds(rules::purpose);
}

#[test]
fn no_test_is_skipped() {
    holds(rules::skipped_tests);
}

#[test]
fn no_test_sleeps() {
    holds(rules::sleeps);
}

#[test]
fn nothing_names_a_folder_of_one_machine() {
    holds(rules::machine_paths);
}

#[test]
fn the_root_holds_what_belongs_there() {
    let entries = fs::read_dir(root()).expect("the root");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let untidy: Vec<String> = names.flat_map(|name| rules::root_entry(&name)).collect();
    assert!(untidy.is_empty(), "\n{}", untidy.join("\n"));
}
