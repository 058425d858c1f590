//! Events and their windows.

use calwarden::{
    domain::{
        ids::EventId,
        mapping::{Event, Origin},
        person::Scope,
        time::Window,
    },
    store::{EventFilter, EventSpan},
};

use super::{
    Base,
    given::{self, at, id},
    on_every_database,
};

on_every_database![
    an_event_comes_back_as_it_was,
    a_thousand_events_are_written_at_once,
    one_event_named_twice_is_written_as_it_was_last,
    a_window_holds_what_touches_it,
    pages_of_a_window_hold_every_event_once,
    deleted_events_are_shown_only_when_asked_for,
    events_without_a_remote_copy_are_found,
    a_deleted_event_is_purged_once_nothing_hangs_on_it,
];

async fn put(base: &Base, events: &[Event], spans: &[EventSpan]) {
    let mut tx = base.write().await;
    tx.put_events(events, spans).await.expect("events");
    tx.commit().await.expect("committed");
}

async fn an_event_comes_back_as_it_was(base: Base) {
    let (_, calendar) = given::ada(&base).await;
    let mut deleted = given::event(3, Some(&calendar));
    deleted.deleted_at = Some(at(9));
    deleted.content = given::series("Weekly \u{0} with a NUL");
    let here = given::event(4, None);
    put(&base, &[deleted.clone(), here.clone()], &[(at(0), None), (at(0), Some(at(1)))]).await;
    let mut tx = base.read().await;
    assert_eq!(tx.event(&Scope::Whole, deleted.id).await, Ok(Some(deleted)));
    assert_eq!(tx.event(&Scope::Whole, here.id).await, Ok(Some(here)));
    assert_eq!(tx.event(&Scope::Whole, id(5)).await, Ok(None));
}

async fn a_thousand_events_are_written_at_once(base: Base) {
    let (_, calendar) = given::ada(&base).await;
    let mut events: Vec<_> = (100..1_300).map(|number| given::event(number, Some(&calendar))).collect();
    let spans = vec![(at(0), Some(at(1))); events.len()];
    put(&base, &events, &spans).await;
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    assert_eq!(base.read().await.events_by_ids(&ids).await, Ok(events.clone()));
    for event in &mut events {
        event.version += 1;
        event.calendar_id = None;
    }
    put(&base, &events, &spans).await;
    let mut tx = base.write().await;
    assert_eq!(tx.events_by_ids(&ids).await, Ok(events));
    assert_eq!(tx.delete_events(&ids).await, Ok(1_200));
    assert_eq!(tx.events_by_ids(&ids).await, Ok(vec![]));
}

async fn one_event_named_twice_is_written_as_it_was_last(base: Base) {
    let (_, calendar) = given::ada(&base).await;
    let first = given::event(3, Some(&calendar));
    let last = Event { version: 99, ..first.clone() };
    put(&base, &[first, last.clone()], &[(at(0), None), (at(5), None)]).await;
    assert_eq!(base.read().await.events_by_ids(&[last.id]).await, Ok(vec![last]));
}

/// First and last minute of an event; `None`: without end.
const SPANS: &[(i64, Option<i64>)] = &[
    (0, Some(100)),   // ends where the window begins
    (0, Some(101)),   // reaches in
    (100, Some(100)), // a moment at its first instant
    (120, Some(130)),
    (150, None), // a series without end
    (-9_000, None),
    (-9_000, Some(99)),
    (199, Some(400)),
    (200, Some(200)), // a moment at the first instant after it
    (200, Some(300)),
    (99, Some(99)),
];

async fn a_window_holds_what_touches_it(base: Base) {
    given::ada(&base).await;
    let events: Vec<_> = (100..).take(SPANS.len()).map(|number| given::event(number, None)).collect();
    let spans: Vec<EventSpan> = SPANS.iter().map(|(from, to)| (at(*from), to.map(at))).collect();
    put(&base, &events, &spans).await;
    let window = Window { from: at(100), to: at(200) };
    let mut expected: Vec<_> = events
        .iter()
        .zip(&spans)
        .filter(|(_, (start, end))| window.touches(*start, end.unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC)))
        .map(|(event, (start, _))| (*start, event.clone()))
        .collect();
    expected.sort_by_key(|(start, event)| (*start, event.id));
    assert_eq!(expected.len(), 6, "the table above has six");
    let mut tx = base.read().await;
    let user = given::user_id("ada");
    let found = tx.events_in(&Scope::Whole, EventFilter::new(&user, window), None, 100).await;
    assert_eq!(found, Ok(expected));
    let bob = given::user_id("bob");
    assert_eq!(tx.events_in(&Scope::Whole, EventFilter::new(&bob, window), None, 100).await, Ok(vec![]));
}

async fn pages_of_a_window_hold_every_event_once(base: Base) {
    let (_, calendar) = given::ada(&base).await;
    // Several begin at the same instant, and two in another calendar do not count.
    let events: Vec<_> = (100..123).map(|n| given::event(n, (n != 105 && n != 106).then_some(&calendar))).collect();
    let spans: Vec<EventSpan> = (0..23).map(|n| (at(n / 5), Some(at(n / 5 + 1)))).collect();
    put(&base, &events, &spans).await;
    let mut tx = base.read().await;
    let user = given::user_id("ada");
    let mut seen: Vec<EventId> = Vec::new();
    let mut after = None;
    let hour = EventFilter::new(&user, Window { from: at(0), to: at(60) });
    let in_calendar = EventFilter { calendar: Some(calendar.id), ..hour };
    loop {
        let page = tx.events_in(&Scope::Whole, in_calendar, after, 4).await.expect("a page");
        let Some((start, last)) = page.last() else { break };
        after = Some((*start, last.id));
        seen.extend(page.into_iter().map(|(_, event)| event.id));
    }
    let expected: Vec<EventId> = events.iter().filter(|e| e.calendar_id.is_some()).map(|event| event.id).collect();
    assert_eq!(seen, expected);
}

async fn deleted_events_are_shown_only_when_asked_for(base: Base) {
    given::ada(&base).await;
    let event = Event { deleted_at: Some(at(1)), ..given::event(3, None) };
    put(&base, std::slice::from_ref(&event), &[(at(0), Some(at(10)))]).await;
    let mut tx = base.read().await;
    let user = given::user_id("ada");
    let hour = EventFilter::new(&user, Window { from: at(0), to: at(60) });
    let with = tx.events_in(&Scope::Whole, EventFilter { include_deleted: true, ..hour }, None, 9).await;
    assert_eq!(with, Ok(vec![(at(0), event)]));
    assert_eq!(tx.events_in(&Scope::Whole, hour, None, 9).await, Ok(vec![]));
}

async fn events_without_a_remote_copy_are_found(base: Base) {
    let (_, calendar, _, _) = given::ada_with_an_event(&base).await;
    let alone = given::event(10, Some(&calendar));
    let deleted = Event { deleted_at: Some(at(1)), ..given::event(11, Some(&calendar)) };
    let homeless = given::event(12, None);
    let gone = |number, origin| Event { deleted_at: Some(at(1)), origin, ..given::event(number, None) };
    let (ours_gone, theirs_gone) = (gone(13, Origin::Local), gone(14, Origin::Remote));
    let all = [alone.clone(), deleted, homeless.clone(), ours_gone.clone(), theirs_gone];
    put(&base, &all, &[(at(0), None); 5]).await;
    assert_eq!(base.read().await.unlinked_events(calendar.id).await, Ok(vec![alone.clone()]));
    let (ada, bob) = (given::user_id("ada"), given::user_id("bob"));
    let found = base.read().await.homeless_events(&ada, calendar.id).await;
    assert_eq!(found, Ok(vec![homeless.clone(), ours_gone.clone()]));
    assert_eq!(base.read().await.homeless_events(&bob, calendar.id).await, Ok(vec![]));
    let mut tx = base.write().await;
    tx.rehome_event(homeless.id, Some(calendar.id)).await.expect("moved in");
    tx.rehome_event(alone.id, None).await.expect("moved out");
    tx.commit().await.expect("a commit");
    let moved = Event { calendar_id: Some(calendar.id), version: homeless.version + 1, ..homeless };
    assert_eq!(base.read().await.unlinked_events(calendar.id).await, Ok(vec![moved]));
    let left = Event { calendar_id: None, version: alone.version + 1, ..alone };
    assert_eq!(base.read().await.homeless_events(&ada, calendar.id).await, Ok(vec![left, ours_gone]));
}

async fn a_deleted_event_is_purged_once_nothing_hangs_on_it(base: Base) {
    let (_, calendar, mapped, mapping) = given::ada_with_an_event(&base).await;
    let gone = |event: Event, when| Event { deleted_at: Some(at(when)), ..event };
    let (mapped, owed) = (gone(mapped, 1), gone(given::event(10, Some(&calendar)), 1));
    let (old, older, recent) =
        (gone(given::event(11, None), 2), gone(given::event(12, None), 1), gone(given::event(13, None), 500));
    put(&base, &[mapped.clone(), owed.clone(), old.clone(), older, recent.clone()], &[(at(0), None); 5]).await;
    let mut tx = base.write().await;
    tx.put_outbox(&given::write(20, &calendar, owed.id)).await.expect("outbox");
    assert_eq!(tx.purge_deleted_events(at(100), 1).await, Ok(1), "one at a time, as asked");
    assert!(tx.event(&Scope::Whole, old.id).await.expect("read").is_some(), "the oldest goes first");
    assert_eq!(tx.purge_deleted_events(at(100), 9).await, Ok(1));
    tx.delete_mappings(&[mapping.id]).await.expect("unmapped");
    tx.delete_outbox(id(20)).await.expect("taken out");
    assert_eq!(tx.purge_deleted_events(at(100), 9).await, Ok(2));
    assert_eq!(tx.event(&Scope::Whole, recent.id).await, Ok(Some(recent)));
    assert_eq!(tx.event(&Scope::Whole, mapped.id).await, Ok(None));
}
