use uuid::Uuid;

use super::*;
use crate::{
    domain::{event::Recurrence, ids::Uid, mapping::Origin, time::EventTime},
    engine::samples::{hours, monday},
};

fn event(number: u128, span: Window, rule: Option<&str>) -> Event {
    let facts = Facts::new("x", EventTime::utc(span.from), EventTime::utc(span.to));
    let recurrence = Recurrence { rules: rule.into_iter().map(str::to_owned).collect(), ..Recurrence::default() };
    Event {
        id: EventId(Uuid::from_u128(number)),
        space_id: "home".parse().expect("an id"),
        user_id: "ada".parse().expect("an id"),
        calendar_id: None,
        uid: Uid(format!("{number}@test")),
        content: EventContent { recurrence, ..EventContent::single(facts) },
        origin: Origin::Remote,
        deleted_at: None,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        version: 1,
    }
}

fn busy(events: &[Event], window: Window) -> (Vec<Window>, Vec<EventId>, ExpansionBudget) {
    let mut time = BusyTime::new(window, ExpansionBudget::PERSON);
    for event in events {
        time.add(event, Tz::UTC);
    }
    let left = time.budget();
    let (spans, unfinished) = time.joined();
    (spans, unfinished, left)
}

#[test]
fn ordinary_events_are_joined_and_what_takes_no_time_is_left_out() {
    let mut free = event(3, hours("15:00", "16:00"), None);
    free.content.facts.transparency = Transparency::Transparent;
    let events =
        [event(1, hours("10:00", "11:00"), None), event(2, hours("10:30", "10:45"), Some("FREQ=HOURLY;COUNT=3")), free];
    let (spans, unfinished, _) = busy(&events, hours("09:00", "18:00"));
    assert_eq!(spans, [hours("10:00", "11:00"), hours("11:30", "11:45"), hours("12:30", "12:45")]);
    assert_eq!(unfinished, []);
}

#[test]
fn a_flood_of_events_of_a_second_is_busy_time_and_costs_little() {
    let window = Window { from: monday("09:00"), to: monday("09:00") + Duration::days(92) };
    let second = Window { from: monday("10:00"), to: monday("10:00:01") };
    let flood: Vec<_> = (1..=600).map(|number| event(number, second, Some("FREQ=SECONDLY"))).collect();
    let (spans, unfinished, left) = busy(&flood, window);
    assert_eq!(spans, [Window { from: second.from, to: window.to }], "never free where it is not known");
    assert_eq!(unfinished.first(), Some(&EventId(Uuid::from_u128(1))), "and it is reported");
    assert!(left.steps > ExpansionBudget::PERSON.steps / 2 || left.instances == 0, "{left:?}");
    let moments: Vec<_> =
        (1..=600).map(|number| event(number, Window { to: second.from, ..second }, Some("FREQ=SECONDLY"))).collect();
    assert_eq!(busy(&moments, window), (Vec::new(), Vec::new(), ExpansionBudget::PERSON), "moments take no time");
}
