//! The whole process in virtual time, on one seed: `SIM_SEED=… cargo test --test sim` replays one, `SIM_SEEDS=N` runs many,
//! the first `SIM_TWICE=N` of them twice, `SIM_STOP=1` ends at the first that breaks a promise, `SIM_TELL=1` tells the whole story
//! of each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod cast;
mod dav;
mod days;
mod desks;
mod effects;
mod faults;
mod google;
mod invariants;
mod life;
mod people;
mod planned;
mod planning;
mod repeating;
mod seeds;
mod serve;
mod weeks;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use seeds::Judged;

/// Seeds of a plain run: what two cores do in seven minutes.
const SEEDS: u64 = 60;
/// Seeds that are run twice to compare their traces.
const TWICE: u64 = 5;
/// After so many seeds a long run says how far it has come.
const TELL_EVERY: u64 = 100;

fn number(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file to be told by")]
    let text = std::env::var(name).ok()?;
    text.parse().ok()
}

/// The story of a seed. Told twice, it must be the same both times.
fn told(seed: u64, twice: bool) -> Judged {
    let mut one = seeds::run(seed);
    if twice {
        let two = seeds::run(seed);
        if one.trace != two.trace {
            let first = one.trace.iter().zip(&two.trace).position(|(a, b)| a != b);
            one.broken.push(format!("told again, it differs from entry {first:?} on"));
        }
    }
    one
}

#[test]
fn every_promise_holds_on_every_seed() {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("SIM_SEEDS").unwrap_or(SEEDS) + 1,
    };
    let (mut edits, mut requests, mut stories) = (0, 0, Vec::new());
    let (count, twice) = (seeds.end - seeds.start, number("SIM_TWICE").unwrap_or(TWICE));
    let next = AtomicU64::new(seeds.start);
    let stop = number("SIM_STOP").is_some();
    // A seed keeps to one thread; several run side by side.
    let work = || {
        let mut judged = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return judged;
            }
            let story = told(seed, seed <= twice);
            if seed.is_multiple_of(TELL_EVERY) {
                println!("as far as seed {seed}");
            }
            if !story.broken.is_empty() {
                println!("seed {seed} broke {}", story.broken.join("; "));
                if stop {
                    next.store(seeds.end, Ordering::Relaxed);
                }
            }
            judged.push((seed, story));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|one| one.join().expect("no seed panics")).collect()
    });
    all.sort_by_key(|(seed, _)| *seed);
    let tell = number("SIM_TELL").is_some();
    for (seed, judged) in all {
        if tell {
            println!("{}", judged.trace.join("\n"));
        }
        edits += judged.edits;
        requests += judged.requests;
        if !judged.broken.is_empty() {
            stories.push(format!("SIM_SEED={seed} cargo test --test sim\n  {}", judged.broken.join("\n  ")));
            if count == 1 && !tell {
                stories.push(judged.trace.join("\n"));
            }
        }
    }
    println!("{count} seeds, {} of them twice, {edits} edits, {requests} requests", count.min(twice));
    assert!(edits > 0 && requests > 0, "nothing happened");
    assert!(stories.is_empty(), "{} of {count} seeds broke a promise:\n{}", stories.len(), stories.join("\n"));
}

#[test]
fn another_seed_gives_another_story() {
    assert_ne!(seeds::run(1).trace, seeds::run(2).trace);
}
