//! L1: the engine's own decisions under made-up stories: people on both sides, lost answers, late writes, crashes between any
//! two transactions, expired cursors, lists that lag. Everything in memory, a story in about a millisecond.
//!
//! `STORIES=100000 cargo test --test stories` tells more of them; a story that breaks a promise is cut down to its shortest
//! form and printed in the words of `tests/scenarios/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod book;
mod dice;
mod edits;
mod hub;
mod print;
mod remote;
mod scenarios;
mod shrink;
mod steps;
mod turn;
mod world;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use calwarden::domain::calendar::Direction;
use dice::{Dice, Habits, story};
use steps::{Act, Step};
use world::World;

/// Steps of a story.
const STEPS: usize = 500;

#[expect(clippy::disallowed_methods, reason = "how many stories, from the command line")]
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn habits(seed: u64) -> Habits {
    Habits { accounts: 1 + usize::try_from(seed % 3).expect("small"), steps: STEPS }
}

#[test]
fn every_kept_story_ends_as_it_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let wrong: Vec<_> = files.iter().filter_map(|file| scenarios::told(file).err()).collect();
    assert!(
        wrong.is_empty() && !files.is_empty(),
        "{} of {} stories end otherwise:\n{}",
        wrong.len(),
        files.len(),
        wrong.join("\n\n")
    );
}

/// I-14: an event in a ring of five calendars; whoever edits it at one provider is told to the four others, once.
#[test]
fn an_edit_in_a_ring_of_five_causes_four_writes_at_most() {
    const EDITS: u32 = 10_000;
    const EVENTS: u32 = 10;
    let mut world = World::new(5);
    let mut dice = Dice(5);
    let tell = |world: &mut World, step| world.take(step).expect("no promise breaks");
    for name in 1..=EVENTS {
        tell(&mut world, Step::Remote(0, name, Act::Meeting(name)));
        tell(&mut world, Step::Round(0));
        (1..5).for_each(|account| tell(&mut world, Step::Local(name, Act::Link(account))));
    }
    world.rest().expect("rest");
    let before = world.written();
    for number in EVENTS + 1..=EVENTS + EDITS {
        let name = 1 + u32::try_from(dice.below(EVENTS as usize)).expect("small");
        let act = if number % 2 == 0 { Act::Title(number) } else { Act::Place(number) };
        tell(&mut world, Step::Remote(dice.below(5), name, act));
        tell(&mut world, Step::Round(dice.below(5)));
    }
    world.rest().expect("rest");
    world.judge().expect("every promise");
    let caused = world.written() - before;
    println!("ring: {EDITS} edits, {caused} writes");
    assert!(caused <= 4 * u64::from(EDITS), "{caused} writes");
    let at_rest = world.written();
    world.rest().expect("rest");
    assert_eq!(world.written(), at_rest, "somebody writes at rest");
}

/// What a provider makes of what we write is agreed, whichever way events flow: it is not told the same again and again.
#[test]
fn a_provider_that_adds_something_to_what_it_is_told_comes_to_rest() {
    for direction in [Direction::Both, Direction::ToProvider] {
        let mut world = World::new(1);
        world.remotes[0].adds = true;
        let acts = [Act::Meeting(1), Act::Title(2), Act::Place(3)].map(|act| Step::Local(1, act));
        for step in [Step::Direction(0, direction)].into_iter().chain(acts) {
            world.take(step).expect("no promise breaks");
            world.take(Step::Round(0)).expect("no promise breaks");
        }
        world.rest().expect("rest");
        world.judge().expect("every promise");
        assert_eq!(world.written(), 3, "{direction}");
    }
}

/// The same seed tells the same story, to the last write.
#[test]
fn a_seed_always_tells_the_same_story() {
    for seed in 0..number("STORIES_TWICE", 100) {
        let end = || {
            let world = World::tell(habits(seed).accounts, &story(seed, habits(seed))).expect("every promise");
            let said = world.hub.events.values().map(|event| (event.id, event.version, event.content.hash()));
            (said.collect::<Vec<_>>(), world.written())
        };
        assert_eq!(end(), end(), "STORY_SEED={seed}");
    }
}

/// A story is cut down to what breaks the promise, and what is printed is read back as the same steps.
#[test]
fn a_broken_promise_is_told_by_its_shortest_story() {
    let mut steps = story(3, habits(3));
    steps.insert(250, Step::Local(900, Act::Meeting(900)));
    let breaks =
        |steps: &[Step]| steps.contains(&Step::Local(900, Act::Meeting(900))).then(|| "X-1 it is there".to_owned());
    let (shortest, why) = shrink::shortest_by(steps.clone(), "X-1 it is there".into(), &breaks);
    assert_eq!((shortest, why.as_str()), (vec![Step::Local(900, Act::Meeting(900))], "X-1 it is there"));
    for step in steps {
        assert_eq!(step.to_string().parse::<Step>().expect("a step"), step);
    }
}

#[test]
fn every_promise_holds_in_every_story() {
    let (first, stories) = (number("STORY_SEED", 0), number("STORIES", 2_000));
    let next = AtomicU64::new(first);
    let (passes, writes) = (AtomicU64::new(0), AtomicU64::new(0));
    let broken = std::thread::scope(|scope| {
        let teller = || {
            loop {
                let seed = next.fetch_add(1, Relaxed);
                if seed >= first + stories {
                    return None;
                }
                let steps = story(seed, habits(seed));
                match World::tell(habits(seed).accounts, &steps) {
                    Ok(world) => {
                        passes.fetch_max(world.passes.into(), Relaxed);
                        writes.fetch_add(world.written(), Relaxed);
                    }
                    Err(why) => return Some((seed, why, steps)),
                }
            }
        };
        let tellers: Vec<_> = (0..2).map(|_| scope.spawn(teller)).collect();
        tellers.into_iter().filter_map(|teller| teller.join().expect("a story")).min_by_key(|(seed, ..)| *seed)
    });
    if let Some((seed, why, steps)) = broken {
        let (steps, why) = shrink::shortest(habits(seed).accounts, steps, why);
        panic!("STORY_SEED={seed}\n{}", shrink::told(habits(seed).accounts, &steps, &why));
    }
    println!(
        "stories: {stories} of {STEPS} steps, {} writes, at rest after at most {} passes",
        writes.into_inner(),
        passes.into_inner()
    );
}
