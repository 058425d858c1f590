//! Partial edits: what the caller leaves out stays as it is, in the event or in the occurrence that is meant.

use super::{
    RETRIES_MAX, Refusal, Services,
    edit_event::{Edit, NewEvent},
    read_events::{occurrence_facts, occurrence_id},
};
use crate::{
    domain::{
        event::{EventStatus, Facts, Recurrence, Transparency, Visibility},
        ids::EventId,
        mapping::Event,
        person::Scope,
        time::EventTime,
    },
    engine::series::EditScope,
    ical,
    store::Mode,
};

/// New values of single fields; the outer `None` leaves a field as it is, the inner one empties it.
#[derive(Clone, Debug, Default)]
pub struct FactsPatch {
    /// Title.
    pub title: Option<String>,
    /// Description.
    pub description: Option<Option<String>>,
    /// Location.
    pub location: Option<Option<String>>,
    /// Start. Without a new end, the end moves along.
    pub start: Option<EventTime>,
    /// End.
    pub end: Option<EventTime>,
    /// Status.
    pub status: Option<EventStatus>,
    /// Transparency.
    pub transparency: Option<Transparency>,
    /// Visibility.
    pub visibility: Option<Visibility>,
    /// URL.
    pub url: Option<Option<String>>,
}

impl FactsPatch {
    fn is_empty(&self) -> bool {
        let texts = self.description.is_some() || self.location.is_some() || self.url.is_some();
        let times = self.start.is_some() || self.end.is_some();
        let words = self.status.is_some() || self.transparency.is_some() || self.visibility.is_some();
        self.title.is_none() && !texts && !times && !words
    }

    /// The facts with the new values in their places.
    #[must_use]
    pub fn apply(self, mut facts: Facts) -> Facts {
        if let Some(start) = self.start {
            facts.end = self.end.unwrap_or_else(|| moved(&facts, start));
            facts.start = start;
        } else if let Some(end) = self.end {
            facts.end = end;
        }
        facts.title = self.title.unwrap_or(facts.title);
        facts.description = self.description.unwrap_or(facts.description);
        facts.location = self.location.unwrap_or(facts.location);
        facts.status = self.status.unwrap_or(facts.status);
        facts.transparency = self.transparency.unwrap_or(facts.transparency);
        facts.visibility = self.visibility.unwrap_or(facts.visibility);
        facts.url = self.url.unwrap_or(facts.url);
        facts
    }
}

/// The end after a move of the start: as long as before, in the form of the new start. A change between date and time cannot be
/// guessed, so there the old end stays and is refused.
fn moved(facts: &Facts, start: EventTime) -> EventTime {
    if start.is_all_day() != facts.start.is_all_day() {
        return facts.end;
    }
    let length = if facts.start.zone() == facts.end.zone() {
        facts.end.wall() - facts.start.wall()
    } else {
        facts.end.instant(chrono_tz::Tz::UTC) - facts.start.instant(chrono_tz::Tz::UTC)
    };
    start.with_wall(start.wall().checked_add_signed(length).unwrap_or_else(|| start.wall()))
}

/// A partial edit as asked for.
#[derive(Clone, Debug, Default)]
pub struct PatchEvent {
    /// New values.
    pub facts: FactsPatch,
    /// New recurrence lines; an empty list makes it happen once.
    pub recurrence: Option<Vec<String>>,
    /// Which occurrence.
    pub recurrence_id: Option<EventTime>,
    /// How far it reaches.
    pub scope: Option<EditScope>,
}

impl Services {
    /// Changes what is given and nothing else. Without an expected version, an edit that crosses another is tried again on
    /// top of it.
    pub async fn patch_event(
        &self,
        scope: &Scope,
        id: EventId,
        expected_version: Option<i64>,
        patch: PatchEvent,
    ) -> Result<Event, Refusal> {
        let mut tries = 0;
        loop {
            let (event, edit) = self.patched(scope, id, &patch).await?;
            let version = expected_version.unwrap_or(event.version);
            let Some(edit) = edit else {
                return if version == event.version { Ok(event) } else { Err(Refusal::Stale) };
            };
            match self.change_event(scope, id, Some(version), edit).await {
                Err(Refusal::Stale) if expected_version.is_none() && tries < RETRIES_MAX => tries += 1,
                ended => return ended,
            }
        }
    }

    /// The edit that a patch means for the event as it is now; `None`: nothing was asked for.
    async fn patched(&self, scope: &Scope, id: EventId, patch: &PatchEvent) -> Result<(Event, Option<Edit>), Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let event = tx.event(scope, id).await?.filter(|event| event.deleted_at.is_none());
        let event = event.ok_or(Refusal::NotFound("event"))?;
        let user = tx.user(&event.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        tx.commit().await?;
        if patch.facts.is_empty() && patch.recurrence.is_none() {
            return Ok((event, None));
        }
        let content = &event.content;
        let recurrence_id = patch.recurrence_id.map(|asked| occurrence_id(content, asked));
        if patch.scope.is_some_and(|reach| reach != EditScope::All) && recurrence_id.is_none() {
            return Err(invalid("recurrence_id", "say which occurrence, by its original start"));
        }
        let whole = recurrence_id.is_none() || patch.scope == Some(EditScope::All);
        let now = match recurrence_id.filter(|_| !whole) {
            None => content.facts.clone(),
            Some(at) => occurrence_facts(content, at, user.time_zone)
                .ok_or_else(|| invalid("recurrence_id", "the series has no such occurrence"))?,
        };
        let facts = patch.facts.clone().apply(now);
        let recurrence = patch.recurrence.as_deref().map(|lines| read_recurrence(lines, &facts.start)).transpose()?;
        let edit = Edit {
            facts: (!patch.facts.is_empty()).then_some(facts),
            recurrence,
            recurrence_id: recurrence_id.filter(|_| !whole),
            scope: patch.scope,
        };
        Ok((event, Some(edit)))
    }

    /// Deletes an event, or the occurrences that are meant.
    pub async fn remove_event(
        &self,
        scope: &Scope,
        id: EventId,
        expected_version: Option<i64>,
        recurrence_id: Option<EventTime>,
        reach: Option<EditScope>,
    ) -> Result<(), Refusal> {
        let occurrence = match (recurrence_id, reach) {
            (None, None | Some(EditScope::All)) | (Some(_), Some(EditScope::All)) => None,
            (None, Some(_)) => return Err(invalid("recurrence_id", "say which occurrence, by its original start")),
            (Some(asked), reach) => {
                let event = self.event(scope, id).await?.event;
                Some((occurrence_id(&event.content, asked), reach.unwrap_or(EditScope::This)))
            }
        };
        self.delete_event(scope, id, expected_version, occurrence).await
    }

    /// Makes an event whose recurrence is given in lines.
    pub async fn create_event_from_lines(
        &self,
        scope: &Scope,
        mut new: NewEvent,
        lines: &[String],
    ) -> Result<Event, Refusal> {
        new.content.recurrence = read_recurrence(lines, &new.content.facts.start)?;
        self.create_event(scope, new).await
    }
}

fn invalid(field: &'static str, why: &str) -> Refusal {
    Refusal::Invalid { field, why: why.to_owned() }
}

/// Reads recurrence lines; a bare rule (`FREQ=…`) stands for `RRULE:FREQ=…`.
fn read_recurrence(lines: &[String], start: &EventTime) -> Result<Recurrence, Refusal> {
    let whole: Vec<_> = lines.iter().map(|line| whole_line(line.trim())).collect();
    ical::parse_recurrence_lines(&whole, start).map_err(|refused| invalid("recurrence", &refused.to_string()))
}

fn whole_line(line: &str) -> String {
    let name = line.split([':', ';']).next().unwrap_or_default();
    if name.contains('=') { format!("RRULE:{line}") } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, zone: Option<&str>) -> EventTime {
        EventTime::parse(text, zone).expect("a time")
    }

    #[test]
    fn a_bare_rule_is_a_rule_and_a_line_stays_one() {
        assert_eq!(whole_line("FREQ=DAILY;COUNT=2"), "RRULE:FREQ=DAILY;COUNT=2");
        assert_eq!(whole_line("RRULE:FREQ=DAILY"), "RRULE:FREQ=DAILY");
        assert_eq!(whole_line("EXDATE;VALUE=DATE:20260101"), "EXDATE;VALUE=DATE:20260101");
    }

    #[test]
    fn what_a_patch_leaves_out_stays_and_what_it_empties_goes() {
        let paris = Some("Europe/Paris");
        let mut facts = Facts::new("Dentist", at("2026-03-28T10:00:00", paris), at("2026-03-28T11:00:00", paris));
        (facts.location, facts.description) = (Some("Rue X".into()), Some("bring card".into()));
        let patch = FactsPatch { title: Some("Doctor".into()), location: Some(None), ..FactsPatch::default() };
        let now = patch.apply(facts.clone());
        assert_eq!((now.title.as_str(), now.location, now.description), ("Doctor", None, facts.description));
        assert_eq!((now.start, now.end), (facts.start, facts.end));
    }

    #[test]
    fn the_end_moves_along_with_the_start_in_wall_time() {
        let paris = Some("Europe/Paris");
        let facts = Facts::new("Night", at("2026-03-27T22:00:00", paris), at("2026-03-28T06:00:00", paris));
        let patch = FactsPatch { start: Some(at("2026-03-28T22:00:00", paris)), ..FactsPatch::default() };
        assert_eq!(patch.apply(facts).end, at("2026-03-29T06:00:00", paris));
    }
}
