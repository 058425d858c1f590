//! `RRULE` values (RFC 5545 §3.3.10): one spelling, and a check that what passes can be expanded.

use super::value;

/// A rule in its one spelling: upper case, no blanks, no empty part at its end, without the RFC 7529 parts that only say
/// what is so anyway (`RSCALE=GREGORIAN`, `SKIP=OMIT`).
pub(super) fn tidy(rule: &str) -> String {
    let plain: String = rule.chars().filter(|c| !c.is_ascii_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
    let parts = plain.split(';').filter(|part| !matches!(*part, "" | "RSCALE=GREGORIAN" | "SKIP=OMIT"));
    parts.collect::<Vec<_>>().join(";")
}

/// How much is asked of a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rigour {
    /// What the world writes and still means one thing: `COUNT` beside `UNTIL`, counted weekdays where they do not count.
    World,
    /// What RFC 5545 allows.
    Standard,
}

/// Whether a tidied rule can be expanded.
///
/// # Errors
/// Names the part at fault and what it must be; holds nothing of the rule's text but part names that we know.
pub(super) fn check(rule: &str, rigour: Rigour) -> Result<(), String> {
    if !rule.is_ascii() {
        return Err("only ASCII characters belong in a rule".to_owned());
    }
    let mut seen: Vec<&'static str> = Vec::new();
    let mut freq = None;
    let mut counted_days = false;
    for part in rule.split(';') {
        let (name, value) = part.split_once('=').ok_or("every part is NAME=value")?;
        let (name, allowed) = known_part(name).ok_or("a part that RFC 5545 §3.3.10 does not know")?;
        if seen.contains(&name) {
            return Err(format!("{name} is there twice"));
        }
        seen.push(name);
        let fits = match allowed {
            AllowedParts::Freq => {
                freq = FREQUENCIES.iter().find(|known| **known == value);
                freq.is_some()
            }
            AllowedParts::Until => value::stamp(value).is_some(),
            AllowedParts::One(min, max) => is_number(value, min, max),
            AllowedParts::Some(min, max) => value.split(',').all(|item| is_number(item, min, max)),
            AllowedParts::Signed(max) => value.split(',').all(|item| is_signed(item, max)),
            AllowedParts::Weekday => WEEKDAYS.contains(&value),
            AllowedParts::Weekdays => value.split(',').all(|item| is_counted_weekday(item, &mut counted_days)),
            AllowedParts::Nothing => false,
        };
        if !fits {
            return Err(format!("{name} {}", allowed.wanted()));
        }
    }
    let Some(freq) = freq else { return Err("FREQ is missing".to_owned()) };
    if rigour == Rigour::Standard {
        standard(freq, &seen, counted_days)?;
    }
    Ok(())
}

fn standard(freq: &str, seen: &[&str], counted_days: bool) -> Result<(), String> {
    if seen.contains(&"COUNT") && seen.contains(&"UNTIL") {
        return Err("COUNT and UNTIL exclude each other".to_owned());
    }
    let counts = freq == "MONTHLY" || (freq == "YEARLY" && !seen.contains(&"BYWEEKNO"));
    if counted_days && !counts {
        return Err("BYDAY takes a number only when FREQ is MONTHLY, or YEARLY without BYWEEKNO".to_owned());
    }
    let misplaced = [
        ("BYWEEKNO", freq != "YEARLY"),
        ("BYYEARDAY", matches!(freq, "DAILY" | "WEEKLY" | "MONTHLY")),
        ("BYMONTHDAY", freq == "WEEKLY"),
        ("BYSETPOS", !seen.iter().any(|part| part.starts_with("BY") && *part != "BYSETPOS")),
    ];
    match misplaced.iter().find(|(name, wrong)| *wrong && seen.contains(name)) {
        Some((name, _)) => Err(format!("{name} does not go with this FREQ and these parts")),
        None => Ok(()),
    }
}

const FREQUENCIES: [&str; 7] = ["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"];
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

#[derive(Clone, Copy)]
enum AllowedParts {
    Freq,
    Until,
    /// One number from and to.
    One(u32, u32),
    /// Numbers from and to.
    Some(u32, u32),
    /// Numbers up to this, never 0, maybe negative.
    Signed(u32),
    Weekday,
    Weekdays,
    /// Nothing that we could expand.
    Nothing,
}

impl AllowedParts {
    fn wanted(self) -> String {
        match self {
            Self::Freq => format!("must be one of {}", FREQUENCIES.join(", ")),
            Self::Until => "must be a date or a time".to_owned(),
            Self::One(min, max) => format!("must be a number from {min} to {max}"),
            Self::Some(min, max) => format!("must be numbers from {min} to {max}"),
            Self::Signed(max) => format!("must be numbers from 1 to {max} or -{max} to -1"),
            Self::Weekday => format!("must be one of {}", WEEKDAYS.join(", ")),
            Self::Weekdays => "must be weekdays such as MO or -1FR".to_owned(),
            Self::Nothing => "asks for a calendar scale that is not supported (RFC 7529)".to_owned(),
        }
    }
}

fn known_part(name: &str) -> Option<(&'static str, AllowedParts)> {
    let known = [
        ("FREQ", AllowedParts::Freq),
        ("UNTIL", AllowedParts::Until),
        ("COUNT", AllowedParts::One(1, 1_000_000)),
        ("INTERVAL", AllowedParts::One(1, 1_000_000)),
        ("BYSECOND", AllowedParts::Some(0, 60)),
        ("BYMINUTE", AllowedParts::Some(0, 59)),
        ("BYHOUR", AllowedParts::Some(0, 23)),
        ("BYDAY", AllowedParts::Weekdays),
        ("BYMONTHDAY", AllowedParts::Signed(31)),
        ("BYYEARDAY", AllowedParts::Signed(366)),
        ("BYWEEKNO", AllowedParts::Signed(53)),
        ("BYMONTH", AllowedParts::Some(1, 12)),
        ("BYSETPOS", AllowedParts::Signed(366)),
        ("WKST", AllowedParts::Weekday),
        ("RSCALE", AllowedParts::Nothing),
        ("SKIP", AllowedParts::Nothing),
    ];
    known.into_iter().find(|(part, _)| *part == name)
}

fn is_number(text: &str, min: u32, max: u32) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse().is_ok_and(|number: u32| (min..=max).contains(&number))
}

fn is_signed(text: &str, max: u32) -> bool {
    is_number(text.strip_prefix(['+', '-']).unwrap_or(text), 1, max)
}

fn is_counted_weekday(text: &str, counted: &mut bool) -> bool {
    let Some((number, day)) = text.len().checked_sub(2).and_then(|at| text.split_at_checked(at)) else { return false };
    *counted |= !number.is_empty();
    WEEKDAYS.contains(&day) && (number.is_empty() || is_signed(number, 53))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_one_spelling() {
        assert_eq!(tidy(" freq=weekly; byday=mo;RSCALE=Gregorian;; "), "FREQ=WEEKLY;BYDAY=MO");
    }

    #[test]
    fn what_cannot_be_expanded_is_refused_by_the_name_of_its_part() {
        let refused = [
            ("FREQ=WEEKLY;BYDAY=éO", "ASCII"),
            ("FREQ=WEEKLY;INTERVAL=0", "INTERVAL"),
            ("FREQ=WEEKLY;COUNT=", "COUNT"),
            ("FREQ=OFTEN", "FREQ"),
            ("BYDAY=MO", "FREQ is missing"),
            ("", "NAME=value"),
            ("FREQ=WEEKLY;X=1", "does not know"),
            ("FREQ=WEEKLY;FREQ=DAILY", "twice"),
            ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY"),
            ("FREQ=MONTHLY;BYMONTHDAY=0,32", "BYMONTHDAY"),
            ("FREQ=YEARLY;UNTIL=SOON", "UNTIL"),
            ("FREQ=YEARLY;WKST=XX", "WKST"),
            ("RSCALE=CHINESE;FREQ=YEARLY", "RSCALE"),
            ("FREQ=YEARLY;SKIP=FORWARD", "SKIP"),
        ];
        for (rule, part) in refused {
            let why = check(rule, Rigour::World).expect_err(rule);
            assert!(why.contains(part), "{rule}: {why}");
        }
    }

    #[test]
    fn the_standard_asks_more_than_the_world_keeps() {
        let loose = [
            "FREQ=DAILY;COUNT=2;UNTIL=20260101",
            "FREQ=WEEKLY;BYDAY=1MO",
            "FREQ=DAILY;BYWEEKNO=1",
            "FREQ=WEEKLY;BYMONTHDAY=1",
            "FREQ=DAILY;BYSETPOS=1",
        ];
        for rule in loose {
            assert_eq!(check(rule, Rigour::World), Ok(()), "{rule}");
            assert!(check(rule, Rigour::Standard).is_err(), "{rule}");
        }
        let full = "FREQ=MONTHLY;UNTIL=20261231T235959Z;INTERVAL=2;BYDAY=-1FR,+2MO;BYSETPOS=-1;WKST=SU";
        assert_eq!(check(full, Rigour::Standard), Ok(()));
    }
}
