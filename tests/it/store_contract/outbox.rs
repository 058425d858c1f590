//! The outbox: writes that are owed.

use calwarden::domain::{
    ids::OutboxId,
    outbox::{OutboxEntry, OutboxState, WriteOp},
    person::Scope,
};

use super::{
    Base,
    given::{self, at, id},
    on_every_database,
};

on_every_database![
    a_queued_write_comes_back_as_it_was,
    a_later_edit_takes_the_place_of_the_queued_one,
    what_is_due_comes_most_urgent_first,
    the_alarm_is_the_first_instant_of_a_queued_write,
];

async fn a_queued_write_comes_back_as_it_was(base: Base) {
    let (account, calendar, event, _) = given::ada_with_an_event(&base).await;
    let full = given::write(10, &calendar, event.id);
    let sparse = OutboxEntry { sent: vec![], last_error: None, state: OutboxState::Parked, ..full.clone() };
    for entry in [full, sparse] {
        let mut tx = base.write().await;
        tx.put_outbox(&entry).await.expect("queued");
        assert_eq!(tx.outbox_entry(event.id, calendar.id).await, Ok(Some(entry.clone())));
        assert_eq!(tx.outbox_of_calendar(calendar.id).await, Ok(vec![entry.clone()]));
        assert_eq!(tx.outbox_of_event(event.id).await, Ok(vec![entry.clone()]));
        assert_eq!(tx.outbox_of_events(&[event.id]).await, Ok(vec![entry.clone()]));
        assert_eq!(tx.outbox_of_events(&[]).await, Ok(vec![]));
        assert_eq!(tx.outbox_of(&Scope::Whole, account.id, 5).await, Ok(vec![entry]));
    }
}

async fn a_later_edit_takes_the_place_of_the_queued_one(base: Base) {
    let (account, calendar, event, _) = given::ada_with_an_event(&base).await;
    let first = given::write(10, &calendar, event.id);
    let later =
        OutboxEntry { op: WriteOp::Delete, event_version: 8, sent: vec![], ..given::write(11, &calendar, event.id) };
    let mut tx = base.write().await;
    tx.put_outbox(&first).await.expect("queued");
    tx.put_outbox(&later).await.expect("queued");
    assert_eq!(tx.outbox_of(&Scope::Whole, account.id, 5).await, Ok(vec![later]));
}

/// Queues writes of so many new events: priority, minute of creation, minute before which not, state.
async fn queue(base: &Base, writes: &[(u8, i64, i64, OutboxState)]) -> Vec<OutboxEntry> {
    let (_, calendar) = given::ada(base).await;
    let mut tx = base.write().await;
    let mut queued = Vec::new();
    for (number, (priority, created, not_before, state)) in (10..).zip(writes) {
        let event = given::event(number, Some(&calendar));
        tx.put_events(std::slice::from_ref(&event), &[(at(0), None)]).await.expect("event");
        let entry = OutboxEntry {
            priority: *priority,
            created_at: at(*created),
            not_before: at(*not_before),
            state: *state,
            ..given::write(number, &calendar, event.id)
        };
        tx.put_outbox(&entry).await.expect("queued");
        queued.push(entry);
    }
    tx.commit().await.expect("committed");
    queued
}

async fn what_is_due_comes_most_urgent_first(base: Base) {
    use OutboxState::{Parked, Queued};
    let queued = queue(
        &base,
        &[
            (7, 1, 0, Queued),
            (1, 9, 50, Queued),
            (1, 3, 0, Queued),
            (1, 1, 51, Queued),
            (1, 0, 0, Parked),
            (2, 0, 0, Queued),
        ],
    )
    .await;
    let account = queued[0].account_id;
    let mut tx = base.read().await;
    let due = tx.outbox_due(account, at(50), at(90), 10).await.expect("due");
    let order: Vec<OutboxId> = due.iter().map(|entry| entry.id).collect();
    assert_eq!(order, [queued[2].id, queued[1].id, queued[5].id, queued[0].id]);
    assert_eq!(tx.outbox_due(account, at(50), at(90), 1).await, Ok(vec![queued[2].clone()]));
    assert_eq!(tx.outbox_due(id(99), at(50), at(90), 1).await, Ok(vec![]));
    // A clock that was ahead has been set back: what would wait longer than anything may is due.
    let due = tx.outbox_due(account, at(0), at(40), 10).await.expect("due");
    let order: Vec<OutboxId> = due.iter().map(|entry| entry.id).collect();
    assert_eq!(order, [queued[3].id, queued[2].id, queued[1].id, queued[5].id, queued[0].id]);
}

async fn the_alarm_is_the_first_instant_of_a_queued_write(base: Base) {
    use OutboxState::{Parked, Queued};
    let queued = queue(&base, &[(5, 0, 40, Queued), (5, 0, 30, Queued), (5, 0, 10, Parked)]).await;
    let account = queued[0].account_id;
    let mut tx = base.write().await;
    assert_eq!(tx.next_outbox_at(account).await, Ok(Some(at(30))));
    assert_eq!(tx.delete_outbox(queued[1].id).await, Ok(true));
    assert_eq!(tx.delete_outbox(queued[1].id).await, Ok(false));
    assert_eq!(tx.next_outbox_at(account).await, Ok(Some(at(40))));
    assert_eq!(tx.delete_outbox(queued[0].id).await, Ok(true));
    assert_eq!(tx.next_outbox_at(account).await, Ok(None), "what is parked rings no alarm");
}
