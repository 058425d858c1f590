//! A source file as the rules see it: its text, its code without comments and literals, and the paths the code names.

use std::{fs, ops::Range, path::Path};

/// The deepest `use` tree that is followed.
const TREE_DEPTH_MAX: usize = 32;

/// One text file of the repository.
pub struct Source {
    /// From the repository's root, with `/`.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// The same lines, with comments and the insides of literals blanked, so that prose may name anything.
    pub code: String,
}

impl Source {
    /// A file from its path and text.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|end| end == "rs")
    }

    /// `src/provider/caldav/wire.rs` is `provider, caldav, wire`; empty outside `src` and for its roots.
    pub fn module(&self) -> Vec<&str> {
        let Some(inside) = self.path.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs")) else {
            return Vec::new();
        };
        inside.split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main")).collect()
    }

    /// The number of the line that a byte is on.
    pub fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// Where a name stands in the code by itself, not as a part of another.
    pub fn mentions(&self, name: &str) -> Vec<usize> {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let alone = |at: usize| !self.code[..at].ends_with(part) && !self.code[at + name.len()..].starts_with(part);
        self.code.match_indices(name).map(|(at, _)| at).filter(|at| alone(*at)).collect()
    }

    /// The bodies of the inline modules, each with its name.
    pub fn inline_modules(&self) -> Vec<(Range<usize>, &str)> {
        let body = |at: usize| {
            let rest = self.code[at + 3..].trim_start();
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
            let start = self.code.len() - rest.len() + end;
            let gap = self.code[start..].len() - self.code[start..].trim_start().len();
            let open = self.code[start + gap..].starts_with('{').then_some(start + gap)?;
            Some((open..closing(&self.code, open), &rest[..end]))
        };
        self.mentions("mod").into_iter().filter_map(body).collect()
    }

    /// Every path into this crate that the code names, from the crate's root, with the line it stands on.
    pub fn paths(&self) -> Vec<(usize, Vec<String>)> {
        let modules = self.inline_modules();
        let mut found = Vec::new();
        for start in ["crate", "super", "self"] {
            for at in self.mentions(start) {
                if self.code[..at].trim_end().ends_with("::") || !self.code[at + start.len()..].starts_with("::") {
                    continue;
                }
                let mut here: Vec<String> = self.module().into_iter().map(str::to_owned).collect();
                here.extend(modules.iter().filter(|(body, _)| body.contains(&at)).map(|(_, name)| (*name).to_owned()));
                let mut trees = Vec::new();
                use_tree(&self.code[at..], &mut Vec::new(), &mut trees, TREE_DEPTH_MAX);
                found.extend(trees.iter().map(|tree| (self.line(at), from_root(&here, tree))));
            }
        }
        found
    }
}

/// Where the brace opened at `open` closes.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return open + at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Follows a path or a `use` tree: `crate::{a, b::{c, d}}` gives `crate a`, `crate b c`, `crate b d`.
fn use_tree<'t>(rest: &'t str, stem: &mut Vec<String>, found: &mut Vec<Vec<String>>, depth: usize) -> &'t str {
    let rest = rest.trim_start();
    if depth == 0 {
        return rest;
    }
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            inner = use_tree(inner, stem, found, depth - 1).trim_start();
            match inner.strip_prefix(',') {
                Some(next) if !next.trim_start().starts_with('}') => inner = next,
                Some(last) => return last.trim_start().strip_prefix('}').unwrap_or(last),
                None => return inner.strip_prefix('}').unwrap_or(inner),
            }
        }
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    if end == 0 {
        found.push(stem.clone());
        return rest.strip_prefix('*').unwrap_or(rest);
    }
    stem.push(rest[..end].to_owned());
    let mut after = &rest[end..];
    match after.strip_prefix("::") {
        Some(deeper) => after = use_tree(deeper, stem, found, depth - 1),
        None => found.push(stem.clone()),
    }
    stem.pop();
    if let Some(renamed) = after.trim_start().strip_prefix("as ") {
        let end = renamed.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(renamed.len());
        after = &renamed[end..];
    }
    after
}

/// A path as written in module `here`, from the crate's root.
fn from_root(here: &[String], written: &[String]) -> Vec<String> {
    let mut path = here.to_vec();
    for part in written {
        match part.as_str() {
            "crate" => path.clear(),
            "super" => drop(path.pop()),
            "self" => {}
            name => path.push(name.to_owned()),
        }
    }
    path
}

/// The text with comments and the insides of literals replaced by spaces; lines and byte positions stay.
pub fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment(bytes, at);
        if end == at {
            at += 1;
            continue;
        }
        out[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    String::from_utf8(out).expect("whole literals were blanked")
}

/// Where the literal or comment that begins here ends; `at` itself when none begins here.
fn literal_or_comment(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let until = |from: usize, end: &[u8]| {
        rest[from..].windows(end.len()).position(|held| held == end).map_or(bytes.len(), |found| at + from + found)
    };
    match rest {
        [b'/', b'/', ..] => until(2, b"\n"),
        [b'/', b'*', ..] => {
            let mut depth = 0usize;
            let mut i = 0;
            while i + 1 < rest.len() {
                match &rest[i..i + 2] {
                    b"/*" => (depth, i) = (depth + 1, i + 2),
                    b"*/" if depth == 1 => return at + i + 2,
                    b"*/" => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
            }
            bytes.len()
        }
        [b'"', ..] => escaped(bytes, at, b'"'),
        [b'\'', b'\\', ..] => escaped(bytes, at, b'\''),
        // A character, not a lifetime: up to four bytes and the closing quote.
        [b'\'', ..] => {
            (2..=5).find(|n| rest.get(*n) == Some(&b'\'') && one_char(&rest[1..*n])).map_or(at, |n| at + n + 1)
        }
        [b'r', ..] if at == 0 || !name(&bytes[at - 1]) || bytes[at - 1] == b'b' => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') {
                return at;
            }
            let end = [&b"\""[..], &vec![b'#'; hashes]].concat();
            (until(2 + hashes, &end) + end.len()).min(bytes.len())
        }
        _ => at,
    }
}

fn one_char(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().count() == 1)
}

/// Where the literal that begins at `at` ends, its escapes skipped.
fn escaped(bytes: &[u8], at: usize, quote: u8) -> usize {
    let mut i = at + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            byte if byte == quote => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// Every text file under a folder, without those whose name is in `skip`, sorted.
pub fn read_all(root: &Path, skip: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    collect(root, "", skip, &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn collect(folder: &Path, stem: &str, skip: &[&str], found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if skip.contains(&name.as_str()) {
            continue;
        }
        let path = if stem.is_empty() { name } else { format!("{stem}/{name}") };
        if entry.path().is_dir() {
            collect(&entry.path(), &path, skip, found);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            found.push(Source::new(&path, &text));
        }
    }
}
