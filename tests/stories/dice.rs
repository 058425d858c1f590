//! A seeded stream of numbers, and stories made from it.

use calwarden::domain::{
    account::{ConflictPolicy, PrivacyLevel},
    calendar::Direction,
    conflict::Winner,
};

use super::steps::{Act, Fate, Name, Step};

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(limit.max(1)).expect("small")).expect("small")
    }

    fn small(&mut self, limit: u32) -> u32 {
        u32::try_from(self.roll() % u64::from(limit)).expect("small")
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        *choices.get(self.below(choices.len())).expect("choices")
    }

    fn chance(&mut self, per_mille: u32) -> bool {
        self.small(1000) < per_mille
    }
}

/// How a story is made.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    pub accounts: usize,
    pub steps: usize,
}

struct Author {
    dice: Dice,
    habits: Habits,
    names: Vec<Name>,
    numbers: u32,
    /// Per mille of requests that fail, of turns that end in a crash, of steps in which somebody edits.
    faults: u32,
    crashes: u32,
    edits: u32,
    /// Whether calendars are turned.
    turns: bool,
    /// Whether whole accounts are erased, and given back.
    erasures: bool,
}

/// The story of a seed: never the same requests twice, always the same for the same seed.
pub fn story(seed: u64, habits: Habits) -> Vec<Step> {
    let mut dice = Dice(seed.wrapping_mul(7919).wrapping_add(1));
    let (faults, crashes, edits) = (dice.of(&[0, 20, 100, 300]), dice.of(&[0, 5, 30]), dice.of(&[60, 150, 400]));
    let (turns, erasures) = (dice.chance(500), dice.chance(400));
    let mut author = Author { dice, habits, names: Vec::new(), numbers: 0, faults, crashes, edits, turns, erasures };
    let mut steps: Vec<Step> = (0..habits.accounts).map(|account| author.given(account)).collect();
    while steps.len() < habits.steps {
        steps.push(author.next());
    }
    steps
}

impl Author {
    fn given(&mut self, account: usize) -> Step {
        let policies = [
            ConflictPolicy::ExternalWins,
            ConflictPolicy::MostRecentWins,
            ConflictPolicy::LocalWins,
            ConflictPolicy::Ask,
        ];
        Step::Policy(account, self.dice.of(&policies))
    }

    fn next(&mut self) -> Step {
        let account = self.dice.below(self.habits.accounts);
        if self.dice.chance(self.edits) {
            return self.edit(account);
        }
        if self.dice.chance(self.crashes) {
            return Step::Crash;
        }
        match self.dice.small(100) {
            0 => self.given(account),
            1 => {
                Step::Privacy(account, self.dice.of(&[PrivacyLevel::Full, PrivacyLevel::Normal, PrivacyLevel::Minimal]))
            }
            2 => Step::Wait(1 + self.dice.small(90)),
            3 => Step::Lag(account),
            4 | 5 => Step::Arrive(account),
            6 | 7 => Step::Decide(self.dice.of(&[Winner::Local, Winner::Remote])),
            8 => Step::Round(account),
            10 if self.erasures => self.incident(account),
            9 if self.turns => Step::Direction(account, self.dice.of(Direction::ALL)),
            _ => Step::Turn(account, self.fate()),
        }
    }

    /// Much is deleted at once, comes back, is answered for; and days go by.
    fn incident(&mut self, account: usize) -> Step {
        match self.dice.small(9) {
            0 | 1 => Step::Erase(account),
            2 => Step::Return(account),
            3 => Step::Answer(true),
            4 | 5 => Step::Answer(false),
            6 => Step::Wait(24 * 60),
            _ => Step::Compare(account),
        }
    }

    fn fate(&mut self) -> Fate {
        if self.dice.chance(self.faults) {
            self.dice.of(&[Fate::Refused, Fate::Lost, Fate::Unsure, Fate::Late, Fate::Expired, Fate::Withheld])
        } else {
            Fate::Well
        }
    }

    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    fn name(&mut self) -> Name {
        let name = u32::try_from(self.names.len()).expect("few") + 1;
        self.names.push(name);
        name
    }

    fn edit(&mut self, account: usize) -> Step {
        let here = self.dice.chance(500);
        let (name, act) =
            if self.names.len() < 3 || self.dice.chance(150) { self.make() } else { self.change(account) };
        match act {
            Act::Link(_) | Act::Unlink(_) => Step::Local(name, act),
            Act::Carry => Step::Remote(account, name, act),
            _ if here => Step::Local(name, act),
            _ => Step::Remote(account, name, act),
        }
    }

    fn make(&mut self) -> (Name, Act) {
        let like = self.names.len();
        let number = self.number();
        let act = match self.dice.small(10) {
            0..=4 => Act::Meeting(number),
            5 => Act::Day(number),
            6 if like > 0 => Act::Twin(self.any()),
            _ => Act::Series(number),
        };
        (self.name(), act)
    }

    fn any(&mut self) -> Name {
        self.names.get(self.dice.below(self.names.len())).copied().unwrap_or(1)
    }

    fn change(&mut self, account: usize) -> (Name, Act) {
        let name = self.any();
        let (number, at) = (self.number(), self.dice.small(8));
        let act = match self.dice.small(24) {
            0..=5 => Act::Title(number),
            6..=8 => Act::Place(number),
            9..=11 => Act::Time(number),
            12..=14 => Act::One(at, number),
            15 => Act::Skip(at),
            16 => Act::Following(at, number, self.name()),
            17 => Act::Drop(at),
            18 | 19 => Act::Delete,
            20 | 21 => Act::Link(account),
            22 => Act::Unlink(account),
            _ => Act::Carry,
        };
        (name, act)
    }
}
