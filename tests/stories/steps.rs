//! The words of a story. One step a line; what a line says is exactly what is done, so a story can be told, cut and told again.

use std::{fmt, str::FromStr};

use calwarden::domain::{
    account::{ConflictPolicy, PrivacyLevel},
    calendar::Direction,
    conflict::Winner,
};

/// An event of the story: `e3`.
pub type Name = u32;

/// What a person does to one event. The number makes what is written unmistakable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A single event with a time.
    Meeting(u32),
    /// A whole day.
    Day(u32),
    /// A series of eight days.
    Series(u32),
    /// An event that looks like another one.
    Twin(Name),
    /// Another title, for the whole event.
    Title(u32),
    /// Another place.
    Place(u32),
    /// Another time.
    Time(u32),
    /// Another title for one occurrence.
    One(u32, u32),
    /// One occurrence less.
    Skip(u32),
    /// Another title for an occurrence and those after it, which become an event of their own.
    Following(u32, u32, Name),
    /// The series ends before this occurrence.
    Drop(u32),
    /// It is deleted.
    Delete,
    /// A copy in this account's calendar as well.
    Link(usize),
    /// That copy away again.
    Unlink(usize),
    /// Into the other calendar of the same account.
    Carry,
}

/// What becomes of the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Well,
    /// It is refused before anything was done (429, 503, no connection).
    Refused,
    /// It is carried out, its answer lost.
    Lost,
    /// It is lost itself; nobody can tell.
    Unsure,
    /// It seems lost, and is carried out later.
    Late,
    /// The cursor is no longer known (410).
    Expired,
    /// The list is answered; the first event of its page is not handed out just now.
    Withheld,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Somebody changes an event here.
    Local(Name, Act),
    /// Somebody changes an event at an account's provider.
    Remote(usize, Name, Act),
    /// The account goes on by one request or one transaction.
    Turn(usize, Fate),
    /// The account's whole round, to its end.
    Round(usize),
    /// The process dies; the next turn begins anew.
    Crash,
    /// What was sent late arrives.
    Arrive(usize),
    /// What is new at the provider does not show in its lists for a while.
    Lag(usize),
    /// A person settles the oldest open conflict.
    Decide(Winner),
    /// A person answers the oldest deletions that are held: approved, or refused.
    Answer(bool),
    /// Everything in both calendars of the account is deleted there, by no person's will.
    Erase(usize),
    /// What was deleted so is there again, where it is not there already.
    Return(usize),
    /// The account's calendars are compared completely in the next round, as once a day.
    Compare(usize),
    /// The account's owner chooses who wins.
    Policy(usize, ConflictPolicy),
    /// The account's owner chooses what is told.
    Privacy(usize, PrivacyLevel),
    /// The account's owner chooses which way events flow.
    Direction(usize, Direction),
    /// Minutes go by.
    Wait(u32),
}

fn letter(account: usize) -> char {
    char::from(b'A' + u8::try_from(account).expect("few accounts"))
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meeting(n) => write!(f, "is made: a meeting #{n}"),
            Self::Day(n) => write!(f, "is made: a day #{n}"),
            Self::Series(n) => write!(f, "is made: a series #{n}"),
            Self::Twin(name) => write!(f, "is made: like e{name}"),
            Self::Title(n) => write!(f, "gets title #{n}"),
            Self::Place(n) => write!(f, "gets place #{n}"),
            Self::Time(n) => write!(f, "gets time #{n}"),
            Self::One(at, n) => write!(f, "gets title #{n} on day {at}"),
            Self::Skip(at) => write!(f, "is left out on day {at}"),
            Self::Following(at, n, tail) => write!(f, "gets title #{n} from day {at} as e{tail}"),
            Self::Drop(at) => write!(f, "ends before day {at}"),
            Self::Delete => write!(f, "is deleted"),
            Self::Link(account) => write!(f, "is copied to {}", letter(*account)),
            Self::Unlink(account) => write!(f, "is taken out of {}", letter(*account)),
            Self::Carry => write!(f, "is moved to the other calendar"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(name, act) => write!(f, "> local e{name} {act}"),
            Self::Remote(account, name, act) => write!(f, "> remote {} e{name} {act}", letter(*account)),
            Self::Turn(account, fate) => write!(f, "> turn {} {}", letter(*account), fate.word()),
            Self::Round(account) => write!(f, "> round {}", letter(*account)),
            Self::Crash => write!(f, "> crash"),
            Self::Arrive(account) => write!(f, "> arrive {}", letter(*account)),
            Self::Lag(account) => write!(f, "> lag {}", letter(*account)),
            Self::Decide(winner) => write!(f, "> decide {winner}"),
            Self::Answer(true) => write!(f, "> approve"),
            Self::Answer(false) => write!(f, "> refuse"),
            Self::Erase(account) => write!(f, "> erase {}", letter(*account)),
            Self::Return(account) => write!(f, "> return {}", letter(*account)),
            Self::Compare(account) => write!(f, "> compare {}", letter(*account)),
            Self::Policy(account, policy) => write!(f, "> given {} {policy}", letter(*account)),
            Self::Privacy(account, level) => write!(f, "> given {} {level}", letter(*account)),
            Self::Direction(account, direction) => write!(f, "> given {} {direction}", letter(*account)),
            Self::Wait(minutes) => write!(f, "> wait {minutes} minutes"),
        }
    }
}

const FATES: [(Fate, &str); 7] = [
    (Fate::Well, "well"),
    (Fate::Refused, "refused"),
    (Fate::Lost, "answer lost"),
    (Fate::Unsure, "request lost"),
    (Fate::Late, "arrives late"),
    (Fate::Expired, "cursor expired"),
    (Fate::Withheld, "event withheld"),
];

impl Fate {
    fn word(self) -> &'static str {
        FATES.iter().find(|(fate, _)| *fate == self).map_or("well", |(_, word)| word)
    }
}

/// A line that is no step.
#[derive(Debug)]
pub struct NoStep(pub String);

impl FromStr for Step {
    type Err = NoStep;

    fn from_str(line: &str) -> Result<Self, NoStep> {
        let words: Vec<&str> = line.trim_start_matches('>').split_whitespace().collect();
        read(&words).ok_or_else(|| NoStep(line.to_owned()))
    }
}

fn read(words: &[&str]) -> Option<Step> {
    Some(match words {
        ["local", name, act @ ..] => Step::Local(number(name, 'e')?, read_act(act)?),
        ["remote", at, name, act @ ..] => Step::Remote(account(at)?, number(name, 'e')?, read_act(act)?),
        ["turn", at, fate @ ..] => {
            let fate = fate.join(" ");
            Step::Turn(account(at)?, FATES.iter().find(|(_, word)| *word == fate)?.0)
        }
        ["round", at] => Step::Round(account(at)?),
        ["crash"] => Step::Crash,
        ["arrive", at] => Step::Arrive(account(at)?),
        ["lag", at] => Step::Lag(account(at)?),
        ["decide", winner] => Step::Decide(winner.parse().ok()?),
        ["approve"] => Step::Answer(true),
        ["refuse"] => Step::Answer(false),
        ["erase", at] => Step::Erase(account(at)?),
        ["return", at] => Step::Return(account(at)?),
        ["compare", at] => Step::Compare(account(at)?),
        ["given", at, word] => read_choice(account(at)?, word)?,
        ["wait", minutes, "minutes"] => Step::Wait(minutes.parse().ok()?),
        _ => return None,
    })
}

/// What an account's owner chooses: the words of policies, privacy levels and directions are all different.
fn read_choice(at: usize, word: &str) -> Option<Step> {
    let policy = word.parse().map(|policy| Step::Policy(at, policy)).ok();
    let level = || word.parse().map(|level| Step::Privacy(at, level)).ok();
    policy.or_else(level).or_else(|| word.parse().map(|direction| Step::Direction(at, direction)).ok())
}

fn read_act(words: &[&str]) -> Option<Act> {
    Some(match words {
        ["is", "made:", "a", "meeting", n] => Act::Meeting(number(n, '#')?),
        ["is", "made:", "a", "day", n] => Act::Day(number(n, '#')?),
        ["is", "made:", "a", "series", n] => Act::Series(number(n, '#')?),
        ["is", "made:", "like", name] => Act::Twin(number(name, 'e')?),
        ["gets", "title", n] => Act::Title(number(n, '#')?),
        ["gets", "place", n] => Act::Place(number(n, '#')?),
        ["gets", "time", n] => Act::Time(number(n, '#')?),
        ["gets", "title", n, "on", "day", at] => Act::One(at.parse().ok()?, number(n, '#')?),
        ["is", "left", "out", "on", "day", at] => Act::Skip(at.parse().ok()?),
        ["gets", "title", n, "from", "day", at, "as", tail] => {
            Act::Following(at.parse().ok()?, number(n, '#')?, number(tail, 'e')?)
        }
        ["ends", "before", "day", at] => Act::Drop(at.parse().ok()?),
        ["is", "deleted"] => Act::Delete,
        ["is", "copied", "to", at] => Act::Link(account(at)?),
        ["is", "taken", "out", "of", at] => Act::Unlink(account(at)?),
        ["is", "moved", "to", "the", "other", "calendar"] => Act::Carry,
        _ => return None,
    })
}

/// `#12` or `e12`.
pub fn number(word: &str, sign: char) -> Option<u32> {
    word.strip_prefix(sign)?.parse().ok()
}

/// `A`, `B` …
pub fn account(word: &str) -> Option<usize> {
    let mut letters = word.chars();
    let first = letters.next().filter(char::is_ascii_uppercase)?;
    letters.next().is_none().then(|| usize::from(u8::try_from(first).unwrap_or(b'A') - b'A'))
}
