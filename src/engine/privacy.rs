//! What of an event is told to a provider, by the account's privacy level.
//!
//! **Invariant (S4):** nothing above the level leaves. Only copies that *we* made are reduced; an event that came from the
//! provider already says there what it says, and is never cut down by us.

use crate::domain::{account::PrivacyLevel, event::EventContent};

/// What a busy block is called when nothing may be told.
pub const MINIMAL_TITLE: &str = "Busy";

/// The content as the provider may see it.
#[must_use]
pub fn project(content: &EventContent, level: PrivacyLevel) -> EventContent {
    let mut told = content.clone();
    if level == PrivacyLevel::Full {
        return told;
    }
    for facts in std::iter::once(&mut told.facts).chain(told.overrides.iter_mut().map(|o| &mut o.facts)) {
        facts.description = None;
        facts.location = None;
        facts.url = None;
        if level == PrivacyLevel::Minimal {
            MINIMAL_TITLE.clone_into(&mut facts.title);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{event::Facts, time::EventTime};

    fn dentist() -> EventContent {
        let start = EventTime::parse("2026-11-20T10:00:00", Some("Europe/Paris")).expect("a time");
        let end = EventTime::parse("2026-11-20T11:00:00", Some("Europe/Paris")).expect("a time");
        let mut facts = Facts::new("Dentist", start, end);
        facts.description = Some("root canal".into());
        facts.location = Some("Rue X".into());
        EventContent::single(facts)
    }

    #[test]
    fn minimal_tells_the_time_and_nothing_else() {
        let told = project(&dentist(), PrivacyLevel::Minimal);
        assert_eq!(told.facts.title, "Busy");
        assert_eq!((told.facts.description, told.facts.location), (None, None));
        assert_eq!(told.facts.start, dentist().facts.start);
    }

    #[test]
    fn normal_tells_the_title_too_and_full_tells_all() {
        let normal = project(&dentist(), PrivacyLevel::Normal);
        assert_eq!((normal.facts.title.as_str(), normal.facts.description), ("Dentist", None));
        assert_eq!(project(&dentist(), PrivacyLevel::Full), dentist());
    }
}
