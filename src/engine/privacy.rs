//! What of an event is shown to a provider, by the account's privacy level.
//!
//! **Invariant (S4):** nothing above the level leaves, and a copy that *we* made says nothing above it for long: what somebody
//! writes there is taken over here, and the copy is reduced again. An event that came from the provider already says there what
//! it says, and is never cut down by us.

use crate::domain::{
    account::PrivacyLevel,
    event::{EventContent, Facts},
};

/// What a busy block is called when nothing may be shown.
pub const MINIMAL_TITLE: &str = "Busy";

/// The content as the provider may see it.
#[must_use]
pub fn project(content: &EventContent, level: PrivacyLevel) -> EventContent {
    let mut outbound = content.clone();
    if level == PrivacyLevel::Full {
        return outbound;
    }
    for facts in std::iter::once(&mut outbound.facts).chain(outbound.overrides.iter_mut().map(|o| &mut o.facts)) {
        facts.description = None;
        facts.location = None;
        facts.url = None;
        if level == PrivacyLevel::Minimal {
            MINIMAL_TITLE.clone_into(&mut facts.title);
        }
    }
    outbound
}

/// Whether a copy that we made says more than the level lets it: somebody wrote there what the provider is not to show.
#[must_use]
pub fn exceeds(copy: &EventContent, level: PrivacyLevel) -> bool {
    level != PrivacyLevel::Full && project(copy, level) != *copy
}

/// Whether a copy still shows something of its base that is above the level: then it was never reduced.
#[must_use]
pub fn still_shows(copy: &EventContent, base: &EventContent, level: PrivacyLevel) -> bool {
    let shown = project(base, level);
    let hidden = |base: &Facts, shown: &Facts, copy: &Facts| {
        (base.title != shown.title && copy.title == base.title)
            || (base.description != shown.description && copy.description == base.description)
            || (base.location != shown.location && copy.location == base.location)
            || (base.url != shown.url && copy.url == base.url)
    };
    let occurrences = base.overrides.iter().zip(&shown.overrides).any(|(base, shown)| {
        copy.override_at(&base.recurrence_id).is_some_and(|copy| hidden(&base.facts, &shown.facts, &copy.facts))
    });
    occurrences || hidden(&base.facts, &shown.facts, &copy.facts)
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
        let outbound = project(&dentist(), PrivacyLevel::Minimal);
        assert_eq!(outbound.facts.title, "Busy");
        assert_eq!((outbound.facts.description, outbound.facts.location), (None, None));
        assert_eq!(outbound.facts.start, dentist().facts.start);
    }

    #[test]
    fn normal_tells_the_title_too_and_full_tells_all() {
        let normal = project(&dentist(), PrivacyLevel::Normal);
        assert_eq!((normal.facts.title.as_str(), normal.facts.description), ("Dentist", None));
        assert_eq!(project(&dentist(), PrivacyLevel::Full), dentist());
    }
}
