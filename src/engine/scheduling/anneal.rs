//! The search itself: changes are tried one after the other; a better sequence is taken, a worse one with a chance that falls
//! with how much worse it is and with time (simulated annealing). All in whole numbers, the steps counted, no clock.

use super::{
    chance::Chance,
    meter::{LOOK, Meter, work},
    moves,
    piece::Piece,
    rebuild::{How, Rebuilder},
    room::Room,
    score::Score,
    sequence::Prepared,
};

/// Levels of temperature; from the first to the last it falls to an 83rd.
const LEVELS: u32 = 52;
/// Levels in which the temperature halves.
const HALVING: u32 = 8;
/// 2 to the power of −k/8, in 65,536ths.
const FALL: [u64; HALVING as usize] = [65_536, 60_097, 55_109, 50_535, 46_341, 42_495, 38_968, 35_734];

/// What a step costs besides, whatever is in it.
const STEP: u64 = 200;

/// What the search makes of a score, and how freely it moves.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// Worth of a missed deadline's weight.
    pub missed: u64,
    /// Worth of an unplaced tick's weight.
    pub unplaced: u64,
    /// Worth of a unit of cost.
    pub cost: u64,
    /// How much worse a sequence may become at first, as a rule, in the same units.
    pub hot: u64,
    /// Steps.
    pub steps: u64,
    /// One step in so many rebuilds whole tasks; it takes as long as several others.
    pub rebuild_once_in: usize,
    /// Those take the plan apart ([`How::apart`]).
    pub apart: bool,
    /// Where nothing is left to be gained.
    pub goal: Score,
    /// Missed and unplaced are never less.
    pub least: Score,
}

impl Aim {
    fn worth(&self, score: &Score) -> u64 {
        score.missed * self.missed + score.unplaced * self.unplaced + score.cost * self.cost
    }
}

/// The best that is known.
#[derive(Clone, Debug)]
pub struct Best {
    /// What it costs.
    pub score: Score,
    /// It, placed.
    pub pieces: Vec<Piece>,
}

impl Best {
    /// Takes another, if it is better.
    pub fn offer(&mut self, score: Score, pieces: &[Piece]) {
        if score < self.score {
            self.score = score;
            self.pieces.clear();
            self.pieces.extend_from_slice(pieces);
        }
    }
}

/// Searches from the best that is known, and makes it better where that succeeds, until the steps are taken or the meter is over.
/// Answers the steps that it took.
pub fn anneal(prepared: &Prepared, aim: &Aim, chance: &mut Chance, meter: &Meter<'_>, best: &mut Best) -> u64 {
    if best.pieces.len() < 2 || best.score <= aim.goal {
        return 0;
    }
    let mut used = 0;
    let (mut room, mut rebuilder) = (Room::new(meter), Rebuilder::new(meter));
    let mut current = best.pieces.clone();
    let mut tried: Vec<Piece> = Vec::with_capacity(2 * current.len());
    let mut worth = aim.worth(&best.score);
    // No sequence is worth less than this without its cost.
    let certain = aim.worth(&Score { cost: 0, ..aim.least });
    let how = How { early: aim.cost > 0, apart: aim.apart };
    for level in 0..LEVELS {
        let fall = FALL.get((level % HALVING) as usize).copied().unwrap_or(0);
        let temperature = (aim.hot * fall) >> (level / HALVING);
        for _ in 0..aim.steps / u64::from(LEVELS) {
            if meter.is_over() {
                return used;
            }
            used += 1;
            // Copying it, and looking through it for what to change.
            meter.spend(STEP + LOOK * work(current.len()));
            tried.clear();
            tried.extend_from_slice(&current);
            let from = if chance.once_in(aim.rebuild_once_in) {
                rebuilder.rebuild(prepared, &mut tried, how, &mut room, chance);
                Some(0)
            } else {
                moves::change(prepared, &mut tried, chance)
            };
            let Some(from) = from else { continue };
            let allowed = worth.saturating_add(dared(temperature, chance));
            let limit = allowed.saturating_sub(certain).checked_div(aim.cost).unwrap_or(u64::MAX);
            let Some(score) = prepared.place_below(&mut tried, from, limit, &mut room) else { continue };
            let new = aim.worth(&score);
            if new > allowed {
                continue;
            }
            worth = new;
            std::mem::swap(&mut current, &mut tried);
            if score < best.score {
                best.offer(score, &current);
                if score <= aim.goal {
                    return used;
                }
            }
        }
    }
    used
}

/// A loss that is taken: one of so much or more with a chance of 2 to the power of −loss/temperature. The temperature is in
/// 65,536ths.
fn dared(temperature: u64, chance: &mut Chance) -> u64 {
    // The negative logarithm of a number drawn evenly from 0 to 1, in 256ths: its leading zeros, and what follows them.
    let bits = chance.bits() | 1;
    let zeros = u64::from(bits.leading_zeros());
    let follows = (bits << zeros) >> 55 & 0xff;
    (temperature * (zeros * 256 + (255 - follows))) >> 24
}
