//! A broken promise's shortest story.

use std::fmt::Write as _;

use super::{
    steps::{Fate, Step},
    world::World,
};

/// Takes steps out, many at first and single ones at last, as long as the same promise breaks.
pub fn shortest(accounts: usize, steps: Vec<Step>, why: String) -> (Vec<Step>, String) {
    shortest_by(steps, why, &|steps| World::tell(accounts, steps).err())
}

/// The same, of whatever breaks.
pub fn shortest_by(
    mut steps: Vec<Step>,
    mut why: String,
    told: &dyn Fn(&[Step]) -> Option<String>,
) -> (Vec<Step>, String) {
    let promise = |why: &str| why.split_whitespace().next().unwrap_or_default().to_owned();
    let breaks = |steps: &[Step], wanted: &str| told(steps).filter(|why| promise(why) == wanted);
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            match breaks(&fewer, &promise(&why)) {
                Some(same) => (steps, why) = (fewer, same),
                None => at += size,
            }
        }
        size /= 2;
    }
    // Many single turns are often one round.
    for at in 0..steps.len() {
        let Some(Step::Turn(account, Fate::Well)) = steps.get(at).copied() else { continue };
        for turns in (1..12).rev() {
            let end = (at + turns).min(steps.len());
            if !steps[at..end].iter().all(|step| *step == Step::Turn(account, Fate::Well)) {
                continue;
            }
            let mut fewer = steps.clone();
            fewer.splice(at..end, [Step::Round(account)]);
            if let Some(same) = breaks(&fewer, &promise(&why)) {
                (steps, why) = (fewer, same);
                break;
            }
        }
    }
    (steps, why)
}

/// The story in the words of `tests/scenarios/`.
pub fn told(accounts: usize, steps: &[Step], why: &str) -> String {
    let mut text = format!("> given {accounts} accounts\n");
    for step in steps {
        let _ = writeln!(text, "{step}");
    }
    let _ = writeln!(text, "> expect rest\nbroken: {why}");
    text
}
