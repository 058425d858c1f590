//! What the source defines, by name: each type once, and nothing that nothing uses.

use std::collections::BTreeMap;

use crate::source::Source;

/// The types that a file defines outside its tests, each with its line: with a keyword of the language at the beginning of a line, or
/// with `words!`.
fn types(file: &Source) -> Vec<(String, usize)> {
    if is_test(file) || !file.path.starts_with("src/") || !file.is_rust() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut within_words = false;
    for (at, line) in before_tests(file).lines().enumerate() {
        let mut words = line.split_whitespace().filter(|word| !word.starts_with("pub") && !word.ends_with(')'));
        let defines =
            !line.starts_with(' ') && matches!(words.next(), Some("struct" | "enum" | "trait" | "type" | "union"));
        let listed = within_words && line.starts_with("    ") && !line.starts_with("     ") && line.ends_with('{');
        let named =
            if defines { words.next() } else { line.split_whitespace().find(|word| *word != "pub").filter(|_| listed) };
        found.extend(named.map(|word| (first_name(word), at + 1)));
        within_words = line == "words! {" || within_words && line != "}";
    }
    found
}

/// A type has its name for itself: who reads one need not ask which.
pub fn one_name_one_type(files: &[Source]) -> Vec<String> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        for (name, line) in types(file) {
            all.entry(name).or_default().push(format!("{}:{line}", file.path));
        }
    }
    let doubled = all.into_iter().filter(|(_, places)| places.len() > 1);
    doubled.map(|(name, places)| format!("`{name}` is more than one type: {}", places.join(", "))).collect()
}

/// What a file offers to others, each with its line: not the look-alikes and the samples, which are there for tests.
fn offers(file: &Source) -> Vec<(String, usize)> {
    let for_tests = file.path.starts_with("src/sandbox/") || file.path.ends_with("/samples.rs") || is_test(file);
    if for_tests || !file.path.starts_with("src/") || !file.is_rust() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut only_tests = false;
    for (at, line) in before_tests(file).lines().enumerate() {
        let mut words = line.split_whitespace().peekable();
        let public = words.next_if(|word| word.starts_with("pub")).is_some();
        let kind = words.find(|word| !matches!(*word, "async" | "const" | "in") && !word.ends_with(')'));
        if public && !only_tests && matches!(kind, Some("fn" | "struct" | "enum" | "trait" | "type" | "static")) {
            found.extend(words.next().map(|word| (first_name(word), at + 1)));
        }
        only_tests =
            line.trim() == "#[cfg(test)]" || only_tests && (line.trim().is_empty() || line.trim().starts_with('#'));
    }
    found
}

/// What nothing in `src` uses, tests apart, goes.
pub fn unused(files: &[Source]) -> Vec<String> {
    let mut mentions: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.starts_with("src/") && file.is_rust() && !is_test(file)) {
        for word in before_tests(file).split(|c: char| !c.is_alphanumeric() && c != '_') {
            *mentions.entry(word).or_default() += 1;
        }
    }
    let dead = |file: &Source| {
        let alone = offers(file).into_iter().filter(|(name, _)| mentions.get(name.as_str()) == Some(&1));
        alone.map(|(name, line)| format!("{}:{line}: nothing uses `{name}`", file.path)).collect::<Vec<_>>()
    };
    files.iter().flat_map(dead).collect()
}

/// Whether a file of `src` holds tests alone.
pub fn is_test(file: &Source) -> bool {
    file.path.ends_with("/tests.rs") || file.path.contains("/tests/")
}

/// The code of a file, without the tests at its end.
fn before_tests(file: &Source) -> &str {
    file.code.split_once("#[cfg(test)]\nmod tests {").map_or(file.code.as_str(), |(before, _)| before)
}

fn first_name(word: &str) -> String {
    word.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(word).to_owned()
}
