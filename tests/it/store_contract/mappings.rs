//! Mappings: the mappings between events and their remote copies.

use calwarden::{
    domain::{
        ids::RemoteEventId,
        mapping::{Mapping, MappingKey, Remains},
    },
    store::StoreError,
};

use super::{
    Base,
    given::{self, id, nowhere},
    on_every_database,
};

on_every_database![
    a_mapping_comes_back_as_it_was,
    a_thousand_mappings_are_found_by_their_remote_names,
    the_mappings_of_a_calendar_come_in_pages,
    a_remote_event_is_mapped_once,
    an_event_is_mapped_once_per_calendar,
    a_mapping_goes_with_its_event,
    mappings_in_other_calendars_are_found,
    what_is_left_of_a_copy_that_was_taken_out_is_found_once_it_is_asked_for_again,
];

async fn a_mapping_comes_back_as_it_was(base: Base) {
    let (_, calendar, event, mapping) = given::ada_with_an_event(&base).await;
    let mut tx = base.write().await;
    assert_eq!(tx.mapping_of(event.id, calendar.id).await, Ok(Some(mapping.clone())));
    assert_eq!(tx.mapping_of(event.id, nowhere()).await, Ok(None));
    let sparse = Mapping { revision: None, raw: None, created_by_us: false, base: event.content, ..mapping };
    tx.put_mappings(std::slice::from_ref(&sparse)).await.expect("mapping");
    assert_eq!(tx.mappings_of_event(event.id).await, Ok(vec![sparse.clone()]));
    let Mapping { id, event_id, remote_id, uid, revision, created_by_us, updated_at, .. } = sparse;
    let key = MappingKey { id, event_id, remote_id, uid, revision, created_by_us, updated_at };
    assert_eq!(tx.mapping_index(calendar.id).await, Ok(vec![key]));
}

/// So many events with their mappings, from number 1,000 and 9,000 on.
async fn many(base: &Base, count: u64) -> Vec<Mapping> {
    let (_, calendar) = given::ada(base).await;
    let events: Vec<_> = (1_000..1_000 + count).map(|n| given::event(n, Some(&calendar))).collect();
    let mappings: Vec<_> = (9_000..).zip(&events).map(|(n, event)| given::mapping(n, &calendar, event.id)).collect();
    let mut tx = base.write().await;
    tx.put_events(&events, &vec![(given::at(0), None); events.len()]).await.expect("events");
    tx.put_mappings(&mappings).await.expect("mappings");
    tx.commit().await.expect("committed");
    mappings
}

async fn a_thousand_mappings_are_found_by_their_remote_names(base: Base) {
    let mappings = many(&base, 1_100).await;
    let calendar = mappings[0].calendar_id;
    let mut names: Vec<RemoteEventId> = mappings.iter().map(|mapping| mapping.remote_id.clone()).collect();
    names.push("/unknown.ics".into());
    let mut tx = base.write().await;
    let found = tx.mappings_by_remote(calendar, &names).await.expect("found");
    assert!(found.iter().all(|(mapping, event)| mapping.event_id == event.id));
    assert_eq!(found.into_iter().map(|(mapping, _)| mapping).collect::<Vec<_>>(), mappings);
    assert_eq!(tx.mapping_index(calendar).await.expect("index").len(), 1_100);
    let ids: Vec<_> = mappings.iter().map(|mapping| mapping.id).collect();
    assert_eq!(tx.delete_mappings(&ids).await, Ok(1_100));
    assert_eq!(tx.mapping_index(calendar).await, Ok(vec![]));
}

async fn the_mappings_of_a_calendar_come_in_pages(base: Base) {
    let mappings = many(&base, 25).await;
    let mut tx = base.read().await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = tx.mappings_of_calendar(mappings[0].calendar_id, after, 10).await.expect("a page");
        let Some((last, _)) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|(mapping, _)| mapping));
    }
    assert_eq!(seen, mappings);
}

async fn a_remote_event_is_mapped_once(base: Base) {
    let (_, calendar, _, mapping) = given::ada_with_an_event(&base).await;
    let mut tx = base.write().await;
    tx.put_events(&[given::event(5, None)], &[(given::at(0), None)]).await.expect("event");
    let second = Mapping { remote_id: mapping.remote_id, ..given::mapping(6, &calendar, id(5)) };
    assert_eq!(tx.put_mappings(&[second]).await, Err(StoreError::Stale));
}

async fn an_event_is_mapped_once_per_calendar(base: Base) {
    let (_, calendar, event, _) = given::ada_with_an_event(&base).await;
    let mut tx = base.write().await;
    assert_eq!(tx.put_mappings(&[given::mapping(6, &calendar, event.id)]).await, Err(StoreError::Stale));
}

async fn a_mapping_goes_with_its_event(base: Base) {
    let (_, calendar, event, _) = given::ada_with_an_event(&base).await;
    let mut tx = base.write().await;
    tx.put_outbox(&given::write(7, &calendar, event.id)).await.expect("outbox");
    assert_eq!(tx.delete_events(&[event.id]).await, Ok(1));
    assert_eq!(tx.mapping_index(calendar.id).await, Ok(vec![]));
    assert_eq!(tx.outbox_of_calendar(calendar.id).await, Ok(vec![]));
}

async fn mappings_in_other_calendars_are_found(base: Base) {
    let (account, calendar, event, mapping) = given::ada_with_an_event(&base).await;
    let second = given::calendar(20, &account);
    let elsewhere = given::mapping(21, &second, event.id);
    let mut tx = base.write().await;
    tx.put_calendars(std::slice::from_ref(&second)).await.expect("calendar");
    tx.put_mappings(std::slice::from_ref(&elsewhere)).await.expect("mapping");
    assert_eq!(tx.other_mappings(&[event.id, id(404)], calendar.id, true).await, Ok(vec![elsewhere.clone()]));
    assert_eq!(tx.other_mappings(&[event.id], second.id, true).await, Ok(vec![mapping.clone()]));
    assert_eq!(tx.other_mappings(&[event.id], calendar.id, false).await, Ok(vec![]), "it is selected");
    assert_eq!(tx.mappings_of_event(event.id).await, Ok(vec![mapping, elsewhere]));
}

async fn what_is_left_of_a_copy_that_was_taken_out_is_found_once_it_is_asked_for_again(base: Base) {
    let (_, calendar, event, mapping) = given::ada_with_an_event(&base).await;
    let left = Remains::of(&mapping, given::at(1)).expect("its bytes are known");
    let mut tx = base.write().await;
    for (taken_out, found) in [(None, true), (Some(true), false), (Some(false), true), (Some(true), false)] {
        match taken_out {
            Some(taken_out) => tx.mark_remains(event.id, calendar.id, taken_out).await.expect("marked"),
            None => tx.put_remains(std::slice::from_ref(&left)).await.expect("kept"),
        }
        let wanted = found.then(|| left.clone());
        assert_eq!(tx.remains_of(event.id, calendar.id).await, Ok(wanted.clone()), "{taken_out:?}");
        let by_name = tx.remains_by_uid(calendar.id, std::slice::from_ref(&left.uid)).await.expect("read");
        assert_eq!(by_name, Vec::from_iter(wanted), "{taken_out:?}");
    }
    // Lost once more, it is a copy again; taken out of where it was, it is none.
    for taken_out in [false, true] {
        let left = Remains { taken_out, ..left.clone() };
        tx.put_remains(std::slice::from_ref(&left)).await.expect("kept");
        assert_eq!(tx.remains_of(event.id, calendar.id).await, Ok((!taken_out).then_some(left)));
    }
}
