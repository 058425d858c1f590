//! Spaces, people, memberships.

use calwarden::store::StoreError;

use super::{Base, given, on_every_database};

on_every_database![
    people_and_spaces_come_back_as_they_were,
    putting_a_person_again_overwrites_them,
    a_membership_has_one_role,
    forgetting_a_person_takes_what_is_theirs,
    a_person_needs_a_home,
];

async fn people_and_spaces_come_back_as_they_were(base: Base) {
    let (space, user) = (given::space("home"), given::user("ada", "home"));
    let mut tx = base.write().await;
    tx.put_space(&space).await.expect("space");
    tx.put_user(&user).await.expect("user");
    tx.commit().await.expect("committed");
    let mut tx = base.read().await;
    assert_eq!(tx.space(&space.id).await, Ok(Some(space)));
    assert_eq!(tx.user(&user.id).await, Ok(Some(user)));
    assert_eq!(tx.space(&given::space_id("elsewhere")).await, Ok(None));
    assert_eq!(tx.user(&given::user_id("bob")).await, Ok(None));
}

async fn putting_a_person_again_overwrites_them(base: Base) {
    given::ada(&base).await;
    let mut user = given::user("ada", "home");
    user.name = "Ada King".into();
    user.time_zone = chrono_tz::UTC;
    user.version = 4;
    let mut tx = base.write().await;
    tx.put_user(&user).await.expect("user");
    assert_eq!(tx.user(&user.id).await, Ok(Some(user)));
}

async fn a_membership_has_one_role(base: Base) {
    given::ada(&base).await;
    let (home, ada) = (given::space_id("home"), given::user_id("ada"));
    let mut tx = base.write().await;
    tx.put_space(&given::space("team")).await.expect("space");
    tx.put_member(&home, &ada, "guest").await.expect("member");
    tx.put_member(&home, &ada, "owner").await.expect("member");
    tx.put_member(&given::space_id("team"), &ada, "guest").await.expect("member");
    assert_eq!(tx.members_of(&home).await, Ok(vec![(ada.clone(), "owner".to_owned())]));
    assert_eq!(tx.spaces_of(&ada).await, Ok(vec![home.clone(), given::space_id("team")]));
    assert_eq!(tx.remove_member(&home, &ada).await, Ok(true));
    assert_eq!(tx.remove_member(&home, &ada).await, Ok(false));
    assert_eq!(tx.spaces_of(&ada).await, Ok(vec![given::space_id("team")]));
}

async fn forgetting_a_person_takes_what_is_theirs(base: Base) {
    let (account, _, event, mapping) = given::ada_with_an_event(&base).await;
    let mut tx = base.write().await;
    assert_eq!(tx.delete_user(&account.user_id).await, Ok(true));
    assert_eq!(tx.delete_user(&account.user_id).await, Ok(false));
    assert_eq!(tx.account_ids().await, Ok(vec![]));
    assert_eq!(tx.events_by_ids(&[event.id]).await, Ok(vec![]));
    assert_eq!(tx.mapping_index(mapping.calendar_id).await, Ok(vec![]));
}

async fn a_person_needs_a_home(base: Base) {
    let mut tx = base.write().await;
    assert_eq!(tx.put_user(&given::user("ada", "nowhere")).await, Err(StoreError::NotFound));
}
