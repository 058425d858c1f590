//! Small changes of a sequence.
//!
//! Each answers the index of the first piece that is another than before, or none, if nothing came of it.

use super::{
    chance::Chance,
    piece::Piece,
    problem::Tick,
    rebuild,
    sequence::{Kept, Prepared, SearchTask},
};

/// Most pieces that a task is cut into anew: a task of more is changed piece by piece.
const RECUT_MAX: u32 = 64;

/// Changes a sequence by chance.
pub fn change(prepared: &Prepared, pieces: &mut Vec<Piece>, chance: &mut Chance) -> Option<usize> {
    if pieces.is_empty() {
        return None;
    }
    match chance.below(34) {
        0..=9 => relocate(pieces, chance),
        10..=13 => swap(pieces, chance),
        14..=15 => relocate_run(pieces, chance),
        16..=19 => split(prepared, pieces, chance),
        20..=22 => merge(prepared, pieces, chance),
        23..=25 => shift(prepared, pieces, chance),
        26..=30 => fill(prepared, pieces, chance),
        31..=32 => restore(prepared, pieces, chance),
        _ => recut(prepared, pieces, chance),
    }
}

/// Takes a piece out and puts it somewhere else.
fn relocate(pieces: &mut Vec<Piece>, chance: &mut Chance) -> Option<usize> {
    let from = chance.below(pieces.len());
    let to = if chance.once_in(2) { near(from, pieces.len(), chance) } else { chance.below(pieces.len()) };
    if from == to {
        return None;
    }
    let mut piece = pieces.remove(from);
    forget_sometimes(&mut piece, chance);
    pieces.insert(to, piece);
    Some(from.min(to))
}

/// A place not far from another.
fn near(at: usize, length: usize, chance: &mut Chance) -> usize {
    let step = 1 + chance.below(4);
    if chance.once_in(2) { at.saturating_sub(step) } else { (at + step).min(length - 1) }
}

fn forget_sometimes(piece: &mut Piece, chance: &mut Chance) {
    if piece.want != 0 && chance.once_in(2) {
        piece.want = 0;
    }
}

fn swap(pieces: &mut [Piece], chance: &mut Chance) -> Option<usize> {
    let (one, other) = (chance.below(pieces.len()), chance.below(pieces.len()));
    if pieces.get(one)?.task == pieces.get(other)?.task {
        return None;
    }
    pieces.swap(one, other);
    forget_sometimes(pieces.get_mut(one)?, chance);
    forget_sometimes(pieces.get_mut(other)?, chance);
    Some(one.min(other))
}

/// Takes two or three neighbours somewhere else, as they are.
fn relocate_run(pieces: &mut [Piece], chance: &mut Chance) -> Option<usize> {
    let length = 2 + chance.below(2);
    let places = pieces.len().checked_sub(length)? + 1;
    let (from, to) = (chance.below(places), chance.below(places));
    let first = from.min(to);
    let run = pieces.get_mut(first..from.max(to) + length)?;
    if from < to {
        run.rotate_left(length);
    } else {
        run.rotate_right(length);
    }
    (from != to).then_some(first)
}

/// Cuts a piece in two and puts one part somewhere else.
fn split(prepared: &Prepared, pieces: &mut Vec<Piece>, chance: &mut Chance) -> Option<usize> {
    let (at, to) = (chance.below(pieces.len()), chance.below(pieces.len() + 1));
    let (piece, job) = with_job(prepared, pieces, at)?;
    if piece.length < 2 * job.chunk_min {
        return None;
    }
    let part = chance.between(job.chunk_min, job.chunk_max.min(piece.length - job.chunk_min));
    cut(pieces, at, part, to)
}

/// Cuts `part` off the piece at `at` and puts it before the piece at `to`.
fn cut(pieces: &mut Vec<Piece>, at: usize, part: Tick, to: usize) -> Option<usize> {
    let piece = pieces.get_mut(at)?;
    (piece.length, piece.want) = (piece.length - part, 0);
    let task = piece.task;
    pieces.insert(to, Piece::new(task, part));
    Some(at.min(to))
}

/// Makes one piece of two of a task.
fn merge(prepared: &Prepared, pieces: &mut Vec<Piece>, chance: &mut Chance) -> Option<usize> {
    let (one, other) = pair(pieces, chance)?;
    let (first, job) = with_job(prepared, pieces, one)?;
    let second = pieces.get(other).copied()?;
    let sum = first.length + second.length;
    // What is too long to be placed comes of what is not placed anyhow, so that it can be cut anew.
    if sum > job.chunk_max && first.is_placed() && second.is_placed() {
        return None;
    }
    *pieces.get_mut(one)? = Piece::new(first.task, sum);
    pieces.remove(other);
    Some(one.min(other))
}

/// Lengthens one piece of a task by what it takes from another.
fn shift(prepared: &Prepared, pieces: &mut [Piece], chance: &mut Chance) -> Option<usize> {
    let (one, other) = pair(pieces, chance)?;
    let (longer, job) = with_job(prepared, pieces, one)?;
    let spare = pieces.get(other)?.length.saturating_sub(job.chunk_min);
    let most = job.chunk_max.saturating_sub(longer.length).min(spare);
    if most == 0 {
        return None;
    }
    let ticks = if chance.once_in(2) { most } else { chance.between(1, most) };
    let longer = pieces.get_mut(one)?;
    (longer.length, longer.want) = (longer.length + ticks, 0);
    let shorter = pieces.get_mut(other)?;
    (shorter.length, shorter.want) = (shorter.length - ticks, 0);
    Some(one.min(other))
}

/// Two pieces of one task.
fn pair(pieces: &[Piece], chance: &mut Chance) -> Option<(usize, usize)> {
    let one = chance.below(pieces.len());
    let task = pieces.get(one)?.task;
    let others = pieces.iter().filter(|piece| piece.task == task).count() - 1;
    if others == 0 {
        return None;
    }
    let nth = chance.below(others);
    let mut same = pieces.iter().enumerate().filter(|(at, piece)| piece.task == task && *at != one);
    Some((one, same.nth(nth)?.0))
}

/// Fills what is free in front of a piece with as much of another as fits there.
fn fill(prepared: &Prepared, pieces: &mut Vec<Piece>, chance: &mut Chance) -> Option<usize> {
    let from = chance.below(pieces.len());
    let to = if chance.once_in(3) { near(from, pieces.len(), chance) } else { chance.below(pieces.len()) };
    let (piece, job) = with_job(prepared, pieces, from)?;
    let moved = piece.task;
    let free = prepared.room_at(pieces, to, moved)?;
    // Up to the next piece, or, pushing that on, up to the end of the free span.
    let next = pieces.get(to..)?.iter().find(|piece| piece.is_placed());
    let next = next.map_or(free.end, |piece| piece.start.saturating_sub(prepared.apart(moved, piece.task)));
    let short = next >= free.start + job.chunk_min && chance.once_in(2);
    let end = if short { free.end.min(next) } else { free.end };
    let room = end.saturating_sub(free.start).min(job.chunk_max);
    if room < piece.length {
        let part = room.min(piece.length.saturating_sub(job.chunk_min));
        return if part >= job.chunk_min { cut(pieces, from, part, to) } else { None };
    }
    if from == to || from + 1 == to {
        return None;
    }
    pieces.remove(from);
    pieces.insert(if to > from { to - 1 } else { to }, Piece::new(piece.task, piece.length));
    Some(from.min(to))
}

/// Wants a block of the plan in force back, or gives one up.
fn restore(prepared: &Prepared, pieces: &mut Vec<Piece>, chance: &mut Chance) -> Option<usize> {
    let at = chance.below(pieces.len());
    let (piece, job) = with_job(prepared, pieces, at)?;
    if piece.want != 0 {
        pieces.get_mut(at)?.want = 0;
        return Some(at);
    }
    let Kept { start, length, .. } = *job.kept.get(chance.below(job.kept.len()))?;
    if pieces.iter().any(|other| other.task == piece.task && other.want == start) {
        return None;
    }
    // A piece that is too short may do together with another of its task.
    let mut partner = pieces.iter().enumerate().filter(|(other, more)| *other != at && more.task == piece.task);
    let partner = if piece.length < length { Some(partner.next()?.0) } else { None };
    let sum = piece.length + partner.and_then(|other| pieces.get(other)).map_or(0, |more| more.length);
    let rest = sum.checked_sub(length)?;
    if rest > 0 && rest < job.chunk_min {
        return None;
    }
    if let Some(other) = partner {
        pieces.remove(other.max(at));
        pieces.remove(other.min(at));
    } else {
        pieces.remove(at);
    }
    if rest > 0 {
        let to = if chance.once_in(2) { at.min(pieces.len()) } else { chance.below(pieces.len() + 1) };
        pieces.insert(to, Piece::new(piece.task, rest));
    }
    let to = pieces.iter().position(|other| other.is_placed() && other.start >= start).unwrap_or(pieces.len());
    pieces.insert(to, Piece { want: start, ..Piece::new(piece.task, length) });
    Some(0)
}

/// Takes a task out wholly, cuts it anew and strews its pieces.
fn recut(prepared: &Prepared, pieces: &mut Vec<Piece>, chance: &mut Chance) -> Option<usize> {
    let (Piece { task, .. }, job) = with_job(prepared, pieces, chance.below(pieces.len()))?;
    if job.work / job.chunk_max.max(1) > RECUT_MAX {
        return None;
    }
    pieces.retain(|piece| piece.task != task);
    let mut rest = job.work;
    let mut to = chance.below(pieces.len() + 1);
    while rest > 0 {
        let mut length = rebuild::cut_off(rest, job.chunk_min, job.chunk_max);
        let most = length.min(rest.saturating_sub(job.chunk_min));
        if most >= job.chunk_min && chance.once_in(2) {
            length = chance.between(job.chunk_min, most);
        }
        pieces.insert(to.min(pieces.len()), Piece::new(task, length));
        rest -= length;
        to += 1 + chance.below(3);
    }
    Some(0)
}

fn with_job<'a>(prepared: &'a Prepared, pieces: &[Piece], at: usize) -> Option<(Piece, &'a SearchTask)> {
    let piece = pieces.get(at).copied()?;
    Some((piece, prepared.job(piece.task)))
}
