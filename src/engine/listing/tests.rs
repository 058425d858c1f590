use chrono_tz::Tz::Europe__Paris as PARIS;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        event::{EventContent, EventStatus, Override, Recurrence},
        ids::Uid,
        mapping::Origin,
    },
    engine::{
        recurrence::{Bounds, expand},
        samples::at,
    },
};

fn local(text: &str) -> EventTime {
    EventTime::zoned(text.parse().expect("a wall time"), PARIS)
}

fn content(start: &str, end: &str, rules: &[&str]) -> EventContent {
    let recurrence =
        Recurrence { rules: rules.iter().map(|rule| (*rule).to_owned()).collect(), ..Recurrence::default() };
    EventContent { recurrence, ..EventContent::single(Facts::new("x", local(start), local(end))) }
}

fn event(number: u128, content: EventContent) -> Arc<Event> {
    Arc::new(Event {
        id: EventId(Uuid::from_u128(number)),
        space_id: "home".parse().expect("an id"),
        user_id: "ada".parse().expect("an id"),
        calendar_id: None,
        uid: Uid(format!("{number}@test")),
        content,
        origin: Origin::Remote,
        deleted_at: None,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        version: 1,
    })
}

fn window(from: &str, to: &str) -> Window {
    Window { from: at(from), to: at(to) }
}

/// Every row, page after page.
fn walked(events: &[Arc<Event>], window: Window, limit: usize) -> Vec<Mark> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let mut listing = Listing::new(window, after.clone(), limit + 1, ExpansionBudget::REQUEST);
        for event in events {
            listing.add(event, PARIS);
        }
        assert!(listing.unfinished().is_empty());
        let mut rows = listing.into_rows();
        let more = rows.len() > limit;
        rows.truncate(limit);
        all.extend(rows.into_iter().map(|(mark, _)| mark));
        if !more {
            return all;
        }
        after = all.last().cloned();
    }
}

/// The same, all at once.
fn expanded(events: &[Arc<Event>], window: Window) -> Vec<Mark> {
    let mut all = Vec::new();
    for event in events {
        let bounds = Bounds { instances_max: 100_000, steps_max: 100_000_000 };
        let found = expand(&event.content, window, PARIS, &bounds).expect("an expansion");
        assert!(!found.truncated);
        all.extend(found.occurrences.iter().map(|one| {
            let which = one.recurrence_id.map(|id| id.wall().to_string());
            Mark(one.start.timestamp_micros(), event.id, which)
        }));
    }
    all.sort();
    all
}

#[test]
fn a_flood_of_occurrences_costs_the_rows_that_are_wanted() {
    let flood: Vec<_> = (0..600)
        .map(|number| event(number, content("2026-03-02T00:00:00", "2026-03-02T01:00:00", &["FREQ=SECONDLY"])))
        .collect();
    for (enough, most) in [(2, 2_000), (501, 10_000)] {
        let mut listing = Listing::new(
            window("2026-03-02T08:00:00Z", "2027-03-02T08:00:00Z"),
            None,
            enough,
            ExpansionBudget::REQUEST,
        );
        for event in &flood {
            listing.add(event, PARIS);
        }
        let left = listing.budget();
        assert!(listing.unfinished().is_empty());
        let named = ExpansionBudget::REQUEST.instances - left.instances;
        assert!(named <= most, "{named} occurrences for {enough} rows");
        assert!(ExpansionBudget::REQUEST.steps - left.steps < 500_000, "{left:?}");
        assert_eq!(listing.into_rows().len(), enough);
    }
}

#[test]
fn what_the_budget_leaves_out_is_named() {
    // Every second of a year, of which none is wanted: the walk has to pass them all.
    let mut silent = content("2026-03-02T00:00:00", "2026-03-02T00:00:01", &["FREQ=SECONDLY;COUNT=30000000"]);
    silent.recurrence.excluded_rules = vec!["FREQ=SECONDLY".to_owned()];
    let lesson = event(1, content("2026-03-02T10:00:00", "2026-03-02T11:00:00", &["FREQ=DAILY"]));
    let mut listing =
        Listing::new(window("2026-03-02T00:00:00Z", "2026-03-12T00:00:00Z"), None, 101, ExpansionBudget::REQUEST);
    listing.add(&event(2, silent.clone()), PARIS);
    listing.add(&lesson, PARIS);
    assert_eq!(listing.unfinished(), [EventId(Uuid::from_u128(2))]);
    for number in 3..100 {
        listing.add(&event(number, silent.clone()), PARIS);
    }
    assert_eq!((listing.budget().steps, listing.unfinished().len()), (0, NAMED_MAX));
    assert_eq!(listing.into_rows().len(), 10, "the others are complete");
}

#[test]
fn a_night_of_changed_clocks_is_walked_without_loss() {
    // The seconds of 02:00 to 03:00 do not exist that night, and share their instants with those after it.
    let night =
        event(1, content("2026-03-29T01:58:03", "2026-03-29T01:58:10", &["FREQ=SECONDLY;INTERVAL=7;COUNT=1200"]));
    let events = [night, event(2, content("2026-03-29T01:00:00", "2026-03-29T05:00:00", &[]))];
    let window = window("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
    let all = expanded(&events, window);
    for limit in [1, 3, 50, 500] {
        assert_eq!(walked(&events, window, limit), all, "{limit}");
    }
}

#[test]
fn occurrences_that_were_moved_to_one_instant_are_walked_one_by_one() {
    let mut lesson = content("2026-03-02T10:00:00", "2026-03-02T11:00:00", &["FREQ=DAILY;COUNT=12"]);
    for day in 3..13 {
        let mut facts = Facts::new("moved", local("2026-03-20T10:00:00"), local("2026-03-20T12:00:00"));
        if day == 5 {
            facts.status = EventStatus::Cancelled;
        }
        lesson.overrides.push(Override { recurrence_id: local(&format!("2026-03-{day:02}T10:00:00")), facts });
    }
    let events = [event(1, lesson)];
    let window = window("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
    let all = expanded(&events, window);
    assert_eq!(all.len(), 11);
    for limit in 1..12 {
        assert_eq!(walked(&events, window, limit), all, "{limit}");
    }
}

proptest! {
    #[test]
    fn pages_of_any_length_are_the_whole_list_in_order(
        rules in proptest::collection::vec(
            prop_oneof![
                Just("FREQ=DAILY"), Just("FREQ=WEEKLY;BYDAY=MO,WE"), Just("FREQ=HOURLY;INTERVAL=5"),
                Just("FREQ=MINUTELY;INTERVAL=97"), Just("FREQ=MONTHLY;BYMONTHDAY=-1"), Just("FREQ=DAILY;COUNT=5"),
                Just("FREQ=HOURLY;INTERVAL=3;UNTIL=20261026T000000Z"),
            ],
            1..4,
        ),
        days in proptest::collection::vec((1..28_u32, 0..24_u32, 1..50_i64), 1..4),
        limit in 1..40_usize,
    ) {
        let events: Vec<_> = rules
            .iter()
            .zip(days.iter().cycle())
            .enumerate()
            .map(|(number, (rule, (day, hour, length)))| {
                let start: chrono::NaiveDateTime = format!("2026-10-{day:02}T{hour:02}:30:00").parse().expect("a time");
                let facts = Facts::new("x", EventTime::zoned(start, PARIS), EventTime::zoned(start + Duration::hours(*length), PARIS));
                let recurrence = Recurrence { rules: vec![(*rule).to_owned()], ..Recurrence::default() };
                event(number as u128, EventContent { recurrence, ..EventContent::single(facts) })
            })
            .collect();
        let window = window("2026-10-20T00:00:00Z", "2026-10-28T00:00:00Z");
        prop_assert_eq!(walked(&events, window, limit), expanded(&events, window));
    }
}
