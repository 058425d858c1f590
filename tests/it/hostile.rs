//! Every reader of text from outside, fed with what is in the corpora and with what chance makes of it: no panic. The same
//! on every run; `tests/run fuzz` goes on from here with a fuzzer.

use std::path::{Path, PathBuf};

use crate::{bodies::BODIES, support::corpora};

/// What chance makes of each seed.
const CHANGES: u64 = 40;
/// Longer seeds take long for every change.
const SEED_BYTES_MAX: usize = 20_000;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut inside: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path()).collect();
    inside.sort();
    for path in inside {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"), &mut found);
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/kept"), &mut found);
    files(&corpora().join("provider_answers"), &mut found);
    let mut calendars = Vec::new();
    files(&corpora().join("ics"), &mut calendars);
    found.extend(calendars.into_iter().step_by(5));
    let mut seeds: Vec<_> = found.iter().filter_map(|path| std::fs::read(path).ok()).collect();
    seeds.retain(|seed| seed.len() <= SEED_BYTES_MAX);
    seeds.extend(
        ["FREQ=WEEKLY;BYDAY=MO,-1TU;COUNT=9", "Fri, 31 Dec 1999 23:59:59 GMT", "https://127.1/x"].map(Vec::from),
    );
    seeds
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit.max(1)
    }

    /// A few bytes changed, taken out, doubled, or exchanged for words that mean something.
    fn change(&mut self, seed: &[u8]) -> Vec<u8> {
        const WORDS: [&[u8]; 12] = [
            b"BEGIN:",
            b"END:",
            b"DTSTART",
            b";TZID=",
            b"99999999",
            b"-1",
            b"\xff",
            b"</",
            b"\"",
            b"{",
            b"RRULE:",
            b"\r\n ",
        ];
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let to = (at + 1 + self.below(30)).min(bytes.len());
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap_or(0),
                1 => drop(bytes.drain(at.min(to)..to)),
                2 => {
                    let again = bytes[at.min(to)..to].to_vec();
                    bytes.splice(at.min(to)..at.min(to), again);
                }
                3 => bytes.truncate(at),
                _ => {
                    let at = at.min(bytes.len());
                    bytes.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied());
                }
            }
        }
        bytes
    }
}

#[test]
fn nothing_from_outside_makes_a_reader_panic() {
    let seeds = seeds();
    assert!(seeds.len() > 50, "the corpora are there: {}", seeds.len());
    let mut chance = Chance(1);
    for (name, body) in BODIES {
        for seed in &seeds {
            body(seed);
            // Readers of one kind of text have little to say about another: a few changes are enough to see that.
            let own = looks_like(name, seed);
            for _ in 0..if own { CHANGES } else { 1 } {
                let changed = chance.change(seed);
                let told = std::panic::catch_unwind(|| body(&changed));
                assert!(told.is_ok(), "{name} panics at {:?}", String::from_utf8_lossy(&changed));
            }
        }
    }
}

fn looks_like(name: &str, seed: &[u8]) -> bool {
    let starts = |what: &[u8]| seed.trim_ascii_start().starts_with(what);
    match name {
        "ics" | "subscribed" | "feed" => starts(b"BEGIN:VCALENDAR"),
        "multistatus" => starts(b"<"),
        "google" | "merging" => starts(b"{"),
        "rule" => starts(b"FREQ"),
        _ => seed.len() < 200,
    }
}
