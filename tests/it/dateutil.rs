//! Our expansion beside python-dateutil's and the `rrule` crate's, over random rules.
//!
//! Left out of the random rules is what both peers are known to get wrong: `BYSETPOS` in a week that DTSTART cuts short
//! (they number what is left of the week), numbered and plain weekdays in one `BYDAY` (they ask for both), and weeks around
//! New Year. DTSTART off its rule, which they drop, is asked for with one more `COUNT`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use calwarden::domain::event::{EventContent, Facts};
use calwarden::domain::time::{EventTime, Window, Zone};
use calwarden::engine::recurrence::{Bounds, expand};
use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::support::{numbers::Numbers, peers_python};

const CASES: usize = 600;
const STARTS_MAX: usize = 40;

#[derive(Serialize)]
struct Case {
    start: NaiveDateTime,
    rule: String,
    before: NaiveDateTime,
    max: usize,
}

#[derive(Deserialize)]
struct Answer {
    starts: Option<Vec<NaiveDateTime>>,
    refused: Option<String>,
}

impl Numbers {
    fn signed(&mut self, limit: i64) -> i64 {
        let size = i64::try_from(self.below(limit.unsigned_abs())).expect("small") + 1;
        if self.often(30) { -size } else { size }
    }

    fn pick<'a>(&mut self, among: &[&'a str]) -> &'a str {
        among[usize::try_from(self.below(among.len() as u64)).expect("small")]
    }

    fn list(&mut self, mut one: impl FnMut(&mut Self) -> String) -> String {
        let length = self.below(3) + 1;
        (0..length).map(|_| one(self)).collect::<Vec<_>>().join(",")
    }
}

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// One way to choose days, so that rules without any occurrence stay rare.
fn day_part(numbers: &mut Numbers, freq: &str) -> String {
    let plain = |numbers: &mut Numbers| format!(";BYDAY={}", numbers.list(|n| n.pick(&DAYS).to_owned()));
    match (freq, numbers.below(6)) {
        (_, 0 | 1) => plain(numbers),
        ("YEARLY" | "MONTHLY", 2) => {
            format!(";BYDAY={}", numbers.list(|n| format!("{}{}", n.signed(4), n.pick(&DAYS))))
        }
        ("WEEKLY", _) => String::new(),
        (_, 3) => format!(";BYMONTHDAY={}", numbers.list(|n| n.signed(28).to_string())),
        ("YEARLY" | "HOURLY" | "MINUTELY", 4) => format!(";BYYEARDAY={}", numbers.list(|n| n.signed(365).to_string())),
        _ => String::new(),
    }
}

fn case(numbers: &mut Numbers) -> Case {
    let freq = numbers.pick(&["YEARLY", "MONTHLY", "MONTHLY", "WEEKLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]);
    let interval = numbers.below(4) + 1;
    let mut rule = format!("FREQ={freq};INTERVAL={interval}");
    let week_start = numbers.pick(&DAYS);
    let _ = write!(rule, ";WKST={week_start}");
    let mut start = NaiveDate::from_ymd_opt(2024, 1, 1).expect("a date").and_hms_opt(9, 30, 0).expect("a time")
        + Duration::days(i64::try_from(numbers.below(1_000)).expect("small"));
    let by_week_number = freq == "YEARLY" && numbers.often(10);
    if by_week_number {
        rule = rule.replace(&format!("INTERVAL={interval}"), "INTERVAL=1");
        let weeks = numbers.list(|n| (n.below(49) + 2).to_string());
        let _ = write!(rule, ";BYWEEKNO={weeks};BYDAY={}", numbers.list(|n| n.pick(&DAYS).to_owned()));
    } else {
        rule.push_str(&day_part(numbers, freq));
        if freq != "MONTHLY" && numbers.often(20) {
            let _ = write!(rule, ";BYMONTH={}", numbers.list(|n| (n.below(12) + 1).to_string()));
        }
    }
    if matches!(freq, "YEARLY" | "MONTHLY" | "WEEKLY" | "DAILY") && numbers.often(25) {
        let _ = write!(rule, ";BYHOUR={}", numbers.list(|n| n.below(24).to_string()));
    }
    if numbers.often(15) && freq != "MINUTELY" {
        let _ = write!(rule, ";BYMINUTE={}", numbers.list(|n| n.below(60).to_string()));
    }
    if rule.contains(";BY") && !by_week_number && freq != "MINUTELY" && numbers.often(30) {
        let _ = write!(rule, ";BYSETPOS={}", numbers.list(|n| n.signed(3).to_string()));
        if freq == "WEEKLY" {
            let first: Weekday = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
                [DAYS.iter().position(|day| *day == week_start).expect("a day")]
            .parse()
            .expect("a weekday");
            start -= Duration::days(i64::from(start.weekday().days_since(first)));
        }
    }
    match numbers.below(3) {
        0 => {
            let _ = write!(rule, ";COUNT={}", numbers.below(30) + 1);
        }
        1 => {
            let until = start + Duration::hours(i64::try_from(numbers.below(24 * 900)).expect("small"));
            let _ = write!(rule, ";UNTIL={}", until.format("%Y%m%dT%H%M%S"));
        }
        _ => {}
    }
    Case { start, rule, before: start + Duration::days(6 * 365), max: STARTS_MAX }
}

fn cases(seed: u64) -> Vec<Case> {
    let mut numbers = Numbers(seed);
    (0..CASES).map(|_| case(&mut numbers)).collect()
}

/// What we say, where a peer that leaves an unnamed DTSTART out says `theirs`; and what we should.
fn beside(case: &Case, theirs: &[NaiveDateTime]) -> (Vec<NaiveDateTime>, Vec<NaiveDateTime>) {
    let (mut rule, mut expected) = (case.rule.clone(), theirs.to_vec());
    if theirs.first() != Some(&case.start) {
        expected.insert(0, case.start);
        if let Some((head, count)) = case.rule.split_once("COUNT=") {
            rule = format!("{head}COUNT={}", count.parse::<u32>().expect("the last part") + 1);
        }
    }
    let start = EventTime::DateTime { local: case.start, zone: Zone::Utc };
    let mut content = EventContent::single(Facts::new("A", start, start));
    content.recurrence.rules.push(rule);
    let window = Window { from: case.start.and_utc(), to: case.before.and_utc() };
    let bounds = Bounds { instances_max: expected.len().max(STARTS_MAX), ..Bounds::default() };
    let found = expand(&content, window, Tz::UTC, &bounds).expect(&case.rule);
    expected.truncate(STARTS_MAX);
    (found.occurrences.iter().map(|found| found.start.naive_utc()).take(STARTS_MAX).collect(), expected)
}

fn compare(cases: &[Case], answers: &[Option<Vec<NaiveDateTime>>]) {
    assert_eq!(cases.len(), answers.len(), "one answer per rule");
    let answered = answers.iter().flatten().filter(|starts| starts.len() > 1).count();
    assert!(answered * 10 > cases.len() * 7, "only {answered} rules have occurrences to compare");
    let differing: Vec<_> = cases
        .iter()
        .zip(answers)
        .filter_map(|(case, theirs)| {
            let (ours, theirs) = beside(case, theirs.as_ref()?);
            (ours != theirs).then(|| format!("{} {}\n  ours   {ours:?}\n  theirs {theirs:?}", case.start, case.rule))
        })
        .collect();
    assert!(differing.is_empty(), "{} of {} differ:\n{}", differing.len(), cases.len(), differing.join("\n"));
    println!("{} rules agree, {answered} of them with several occurrences", cases.len());
}

#[test]
fn random_rules_expand_as_python_dateutil_expands_them() {
    let cases = cases(20_260_301);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/dateutil_oracle.py");
    let mut peer = Command::new(peers_python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a python3 with python-dateutil; CALWARDEN_PEERS_PYTHON names another");
    let mut questions = peer.stdin.take().expect("its input");
    let asked: String = cases.iter().map(|case| serde_json::to_string(case).expect("JSON") + "\n").collect();
    let asking = std::thread::spawn(move || questions.write_all(asked.as_bytes()));
    let output = peer.wait_with_output().expect("its answers");
    asking.join().expect("asking").expect("all asked");
    assert!(output.status.success(), "python-dateutil is not installed for {}", peers_python());
    let answers: Vec<_> = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| {
            let answer: Answer = serde_json::from_str(line).expect("an answer");
            // Refused are intervals that never meet their BYHOUR or BYMINUTE.
            assert!(answer.starts.is_some() != answer.refused.is_some(), "{line}");
            answer.starts
        })
        .collect();
    compare(&cases, &answers);
}

#[test]
fn random_rules_expand_as_the_rrule_crate_expands_them() {
    let cases = cases(20_260_401);
    let answers: Vec<_> = cases
        .iter()
        .map(|case| {
            let start = case.start.and_utc().with_timezone(&rrule::Tz::UTC);
            let rule = match case.rule.split_once("UNTIL=") {
                Some(_) => format!("{}Z", case.rule),
                None => case.rule.clone(),
            };
            let set = rule.parse::<rrule::RRule<rrule::Unvalidated>>().ok()?.build(start).ok()?.limit();
            let found = set.into_iter().map(|at| at.naive_utc()).take_while(|at| *at < case.before);
            Some(found.take(STARTS_MAX).collect())
        })
        .collect();
    compare(&cases, &answers);
}
