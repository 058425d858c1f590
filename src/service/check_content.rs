//! What an event may say.

use chrono_tz::Tz;

use crate::{
    domain::event::{EventContent, TEXT_CHARS_MAX},
    engine::recurrence::validate_rule,
    service::Refusal,
};

/// Longest title, in characters.
const TITLE_CHARS_MAX: usize = 1_000;

/// Refuses content that no calendar could hold.
pub(super) fn check(content: &EventContent) -> Result<(), Refusal> {
    let invalid = |field, why: &str| Err(Refusal::Invalid { field, why: why.to_owned() });
    let facts = &content.facts;
    if facts.start.is_all_day() != facts.end.is_all_day() {
        return invalid("end", "start and end must both be dates, or both be times");
    }
    if facts.end.instant(Tz::UTC) < facts.start.instant(Tz::UTC) {
        return invalid("end", "the end is before the start");
    }
    if facts.title.chars().count() > TITLE_CHARS_MAX {
        return invalid("title", "at most 1000 characters");
    }
    if facts.description.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
        return invalid("description", "at most 100000 characters");
    }
    for rule in content.recurrence.rules.iter().chain(&content.recurrence.excluded_rules) {
        validate_rule(rule).map_err(|refused| Refusal::Invalid { field: "recurrence", why: refused.to_string() })?;
    }
    Ok(())
}
