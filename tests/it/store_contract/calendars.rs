//! Calendars and their cursors.

use calwarden::{
    domain::{calendar::Direction, ids::SyncCursor, person::Scope},
    store::StoreError,
};

use super::{
    Base,
    given::{self, at, id, nowhere},
    on_every_database,
};

on_every_database![
    a_calendar_comes_back_as_it_was,
    putting_a_calendar_again_overwrites_it,
    a_cursor_is_saved_without_touching_the_rest,
    a_stale_calendar_is_not_written,
];

async fn a_calendar_comes_back_as_it_was(base: Base) {
    let (account, full) = given::ada(&base).await;
    let mut sparse = given::calendar(3, &account);
    (sparse.color, sparse.time_zone, sparse.cursor, sparse.stamp) = (None, None, None, None);
    (sparse.reconciled_at, sparse.gone_at, sparse.last_error) = (None, None, None);
    (sparse.read_only, sparse.selected, sparse.makes_tasks) = (false, false, false);
    sparse.direction = Direction::FromProvider;
    let mut tx = base.write().await;
    tx.put_calendars(std::slice::from_ref(&sparse)).await.expect("calendar");
    assert_eq!(tx.calendars_of(account.id).await, Ok(vec![full.clone(), sparse]));
    assert_eq!(tx.calendar(&Scope::Whole, full.id).await, Ok(Some(full)));
    assert_eq!(tx.calendar(&Scope::Whole, nowhere()).await, Ok(None));
}

async fn putting_a_calendar_again_overwrites_it(base: Base) {
    let (account, mut calendar) = given::ada(&base).await;
    (calendar.name, calendar.color, calendar.cursor) = ("Renamed".into(), None, None);
    (calendar.gone_at, calendar.makes_tasks, calendar.version) = (None, false, 9);
    let mut tx = base.write().await;
    let put = [calendar.clone(), given::calendar(3, &account)];
    tx.put_calendars(&put).await.expect("calendars");
    assert_eq!(tx.calendars_of(account.id).await, Ok(put.to_vec()));
}

async fn a_cursor_is_saved_without_touching_the_rest(base: Base) {
    let (_, mut calendar) = given::ada(&base).await;
    let cursor = SyncCursor::from("sync-token-2");
    let mut tx = base.write().await;
    assert_eq!(
        tx.save_cursor(calendar.id, Some(&cursor), Some("ctag-2"), Some(at(50)), Some("half of it")).await,
        Ok(())
    );
    (calendar.cursor, calendar.stamp) = (Some(cursor), Some("ctag-2".into()));
    (calendar.reconciled_at, calendar.last_error) = (Some(at(50)), Some("half of it".into()));
    assert_eq!(tx.calendar(&Scope::Whole, calendar.id).await, Ok(Some(calendar.clone())));
    assert_eq!(tx.set_calendar_error(calendar.id, "expired").await, Ok(()));
    calendar.last_error = Some("expired".into());
    assert_eq!(tx.calendar(&Scope::Whole, calendar.id).await, Ok(Some(calendar.clone())));
    assert_eq!(tx.save_cursor(calendar.id, None, None, None, None).await, Ok(()));
    (calendar.cursor, calendar.stamp) = (None, None);
    (calendar.reconciled_at, calendar.last_error) = (None, None);
    assert_eq!(tx.calendar(&Scope::Whole, calendar.id).await, Ok(Some(calendar)));
    assert_eq!(tx.save_cursor(id(77), None, None, None, None).await, Err(StoreError::NotFound));
    drop(tx);
    assert_eq!(base.write().await.set_calendar_error(id(77), "away").await, Err(StoreError::NotFound));
}

async fn a_stale_calendar_is_not_written(base: Base) {
    let (_, mut calendar) = given::ada(&base).await;
    calendar.selected = false;
    calendar.color = None;
    let mut tx = base.write().await;
    assert_eq!(tx.update_calendar(&calendar, 1).await, Ok(true));
    assert_eq!(tx.update_calendar(&calendar, 1).await, Ok(false));
    calendar.version = 2;
    assert_eq!(tx.calendar(&Scope::Whole, calendar.id).await, Ok(Some(calendar)));
}
