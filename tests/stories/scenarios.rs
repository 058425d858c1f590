//! Stories that are kept: `tests/scenarios/*.txt`, in the words of [`Step`](super::steps::Step), with what is expected.

use std::path::Path;

use calwarden::domain::conflict::{ConflictStatus, HoldState};

use super::{
    book::marks,
    steps::{Step, number},
    world::World,
};

/// Tells one file; the error names the line.
pub fn told(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut lines = text.lines().enumerate().filter(|(_, line)| line.starts_with('>'));
    let accounts = lines.next().and_then(|(_, line)| line.split_whitespace().nth(2)?.parse().ok());
    let mut world = World::new(accounts.ok_or("it begins with `> given N accounts`")?);
    for (at, line) in lines {
        let words: Vec<&str> = line.trim_start_matches('>').split_whitespace().collect();
        let done = match words.as_slice() {
            ["expect", expected @ ..] => expect(&mut world, expected),
            _ => match line.parse::<Step>() {
                Ok(step) => world.take(step),
                Err(unread) => Err(format!("this is no step: {}", unread.0)),
            },
        };
        done.map_err(|why| format!("{}:{}: {line}\n{why}", path.display(), at + 1))?;
    }
    Ok(())
}

fn expect(world: &mut World, expected: &[&str]) -> Result<(), String> {
    match expected {
        ["rest"] => {
            world.rest()?;
            world.judge()
        }
        ["conflicts", count] => same(count, &world.hub.conflicts.len()),
        ["pending", count] => {
            let pending = world.hub.conflicts.iter().filter(|held| held.status == ConflictStatus::Pending);
            same(count, &pending.count())
        }
        ["holds", count] => same(count, &world.hub.holds.iter().filter(|hold| hold.state == HoldState::Held).count()),
        ["writes", count] => same(count, &world.written()),
        [name, "gone"] => same("0", &places(world, name)?.len()),
        [name, "in", count, "places"] => same(count, &places(world, name)?.len()),
        [name, wanted @ ..] => {
            let found = places(world, name)?;
            let all = wanted.iter().all(|mark| found.iter().all(|marks| marks.contains(&(*mark).to_owned())));
            if all && !found.is_empty() { Ok(()) } else { Err(format!("it is {found:?}")) }
        }
        _ => Err("nothing that can be expected".into()),
    }
}

fn same(expected: &str, found: &impl ToString) -> Result<(), String> {
    if expected == found.to_string() { Ok(()) } else { Err(format!("it is {}", found.to_string())) }
}

/// What an event says here (first, if it lives) and at every provider: `t12` a title, `p3` a place, `m5` a time, `o7` an
/// occurrence's title.
fn places(world: &World, name: &str) -> Result<Vec<Vec<String>>, String> {
    let name = number(name, 'e').ok_or_else(|| format!("{name} is no event"))?;
    let here = world.here.get(&name).and_then(|id| world.hub.events.get(id));
    let here = here.filter(|event| event.deleted_at.is_none()).map(|event| &event.content);
    let there = world.remotes.iter().flat_map(|remote| remote.objects.values());
    let there = there.filter(|object| object.name == name && !object.gone).map(|object| &object.content);
    Ok(here.into_iter().chain(there).map(|content| marks(content).iter().map(ToString::to_string).collect()).collect())
}
