//! Recurrence rules with their occurrences, collected from the test suites of five libraries.
//!
//! Where DTSTART does not match its own rule the corpus leaves it out, and we count it as the first instance (RFC 5545
//! §3.8.5.3). Such a case is asked with `COUNT` one higher, and must answer DTSTART and then exactly what the corpus lists.

use calwarden::domain::event::{AddedDate, EventContent, Facts, Recurrence};
use calwarden::domain::time::{EventTime, Window, Zone};
use calwarden::engine::recurrence::{Bounds, expand, validate_rule};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::support::corpora;

#[derive(Deserialize)]
struct Case {
    id: String,
    dtstart: Option<String>,
    rrule: Option<String>,
    #[serde(default)]
    rrules: Vec<String>,
    #[serde(default)]
    rdate: Vec<String>,
    #[serde(default)]
    exdate: Vec<String>,
    #[serde(default)]
    exrule: Vec<String>,
    #[serde(default)]
    expected: Vec<String>,
    expected_count: Option<usize>,
    expected_is: String,
    error: Option<String>,
    contested: bool,
    dtstart_synchronised: Option<bool>,
    tzid: Option<String>,
}

impl Case {
    fn rules(&self) -> Vec<String> {
        self.rrule.iter().chain(&self.rrules).cloned().collect()
    }

    fn time(&self, text: &str) -> EventTime {
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y%m%d") {
            return EventTime::Date(day);
        }
        let local = NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%Y%m%dT%H%M%S").expect("a time");
        let zone = match &self.tzid {
            _ if text.ends_with('Z') => Zone::Utc,
            Some(name) => name.parse().expect("a zone"),
            None => Zone::Floating,
        };
        EventTime::DateTime { local, zone }
    }

    fn start(&self) -> Option<EventTime> {
        self.dtstart.as_ref().or(self.rdate.first()).map(|text| self.time(text))
    }

    fn content(&self, start: EventTime, start_is_extra: bool) -> EventContent {
        let raise = |rule: String| if start_is_extra { count_one_more(&rule) } else { rule };
        let mut content = EventContent::single(Facts::new("A", start, start));
        content.recurrence = Recurrence {
            rules: self.rules().into_iter().map(raise).collect(),
            excluded_rules: self.exrule.clone(),
            added: self.rdate.iter().map(|text| AddedDate { start: self.time(text), end: None }).collect(),
            excluded: self.exdate.iter().map(|text| self.time(text)).collect(),
        };
        content
    }

    /// `Ok` when we agree, else what we answered instead.
    fn judge(&self) -> Result<(), String> {
        let refused = self.rules().iter().find_map(|rule| validate_rule(rule).err());
        let Some(start) = self.start() else {
            return if self.error.is_some() && refused.is_some() { Ok(()) } else { Err("accepted".to_owned()) };
        };
        let unlisted = self.dtstart_synchronised == Some(false)
            && self.error.is_none()
            && self.expected.first().map(|text| self.time(text)) != Some(start);
        let mut expected: Vec<_> = self.expected.iter().map(|text| self.time(text)).collect();
        if unlisted {
            expected.insert(0, start);
        }
        let bounds = match self.expected_is.as_str() {
            "prefix" => Bounds { instances_max: expected.len(), ..Bounds::default() },
            _ => Bounds::default(),
        };
        let content = self.content(start, unlisted);
        let answer = expand(&content, all_time(), Tz::UTC, &bounds);
        if self.error.is_some() {
            let told = answer.as_ref().map_or(true, |found| found.truncated);
            return if told { Ok(()) } else { Err("accepted".to_owned()) };
        }
        let answer = answer.map_err(|refused| format!("refused: {refused}"))?;
        let found: Vec<_> = answer.occurrences.iter().filter_map(|found| found.recurrence_id).collect();
        let agrees = self.expected_count.map_or(found == expected, |count| count == found.len());
        if agrees { Ok(()) } else { Err(shown(&found)) }
    }
}

fn count_one_more(rule: &str) -> String {
    let part = |part: &str| match part.strip_prefix("COUNT=").and_then(|count| count.parse::<u32>().ok()) {
        Some(count) => format!("COUNT={}", count + 1),
        None => part.to_owned(),
    };
    rule.split(';').map(part).collect::<Vec<_>>().join(";")
}

fn all_time() -> Window {
    Window { from: DateTime::from_timestamp(-62_135_596_800, 0).expect("year 1"), to: DateTime::<chrono::Utc>::MAX_UTC }
}

fn shown(times: &[EventTime]) -> String {
    let first: Vec<_> = times.iter().take(4).map(|time| time.wall().format("%Y%m%dT%H%M").to_string()).collect();
    format!("{} of {}", times.len(), first.join(" "))
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(corpora().join("rrule_cases.jsonl")).expect("the corpus");
    text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

#[test]
fn every_rule_that_the_libraries_agree_on_gives_what_they_give() {
    let settled: Vec<_> = cases().into_iter().filter(|case| !case.contested).collect();
    assert!(settled.len() > 100, "only {} cases", settled.len());
    let wrong: Vec<_> = settled
        .iter()
        .filter_map(|case| {
            let ours = case.judge().err()?;
            Some(format!("{} {:?} {:?}: {ours}", case.id, case.dtstart, case.rules()))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), settled.len(), wrong.join("\n"));
}

#[test]
fn of_contested_rules_we_side_with_the_corpus_in_most() {
    let contested: Vec<_> = cases().into_iter().filter(|case| case.contested).collect();
    let differing: Vec<_> = contested.iter().filter_map(|case| Some((case, case.judge().err()?))).collect();
    for (case, ours) in &differing {
        println!("{} {} {} | {} | {ours}", case.id, case.dtstart.as_deref().unwrap_or("-"), case.rules().join(" "), {
            let expected: Vec<_> = case.expected.iter().map(|text| case.time(text)).collect();
            shown(&expected)
        });
    }
    println!("{} of {} contested cases agree", contested.len() - differing.len(), contested.len());
    assert!(differing.len() * 3 < contested.len(), "{} of {} differ", differing.len(), contested.len());
}
