//! Accounts and their secrets.

use calwarden::{
    domain::{
        account::{AccountStatus, SecretKind},
        person::Scope,
    },
    store::StoreError,
};

use super::{
    Base,
    given::{self, at, id},
    on_every_database,
};

on_every_database![
    an_account_comes_back_as_it_was,
    a_stale_version_changes_nothing,
    the_actors_state_needs_no_version,
    accounts_come_in_pages,
    an_account_of_nobody_is_refused,
    an_account_is_added_once,
    removing_an_account_leaves_its_events_without_a_home,
    a_secret_is_replaced_only_if_it_is_still_the_old_one,
    secrets_under_other_keys_are_found,
    a_name_belongs_to_one_account_of_a_user,
    of_two_who_claim_a_name_at_once_one_has_it,
];

async fn a_name_belongs_to_one_account_of_a_user(base: Base) {
    let (first, _) = given::ada(&base).await;
    let second = given::account(2, "home", "ada");
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut tx = base.write().await;
    tx.insert_account(&second).await.expect("account");
    assert_eq!(tx.unidentified_accounts(&first.user_id).await, Ok(vec![first.clone(), second.clone()]));
    assert_eq!(tx.claim_identities(first.id, &first.user_id, &names(&["a", "b"])).await, Ok(None));
    assert_eq!(tx.claim_identities(first.id, &first.user_id, &names(&["b", "c"])).await, Ok(None), "its own");
    assert_eq!(tx.claim_identities(second.id, &second.user_id, &names(&["x", "c"])).await, Ok(Some(first.id)));
    tx.release_identities(second.id).await.expect("released");
    assert_eq!(tx.unidentified_accounts(&first.user_id).await, Ok(vec![second.clone()]));
    tx.release_identities(first.id).await.expect("released");
    assert_eq!(tx.claim_identities(second.id, &second.user_id, &names(&["c"])).await, Ok(None));
    assert_eq!(tx.delete_account(second.id).await, Ok(true));
    assert_eq!(tx.claim_identities(first.id, &first.user_id, &names(&["c"])).await, Ok(None), "gone with its account");
}

async fn of_two_who_claim_a_name_at_once_one_has_it(base: Base) {
    let (first, _) = given::ada(&base).await;
    let second = given::account(2, "home", "ada");
    let mut tx = base.write().await;
    tx.insert_account(&second).await.expect("account");
    tx.commit().await.expect("committed");
    let claim = async |account: &calwarden::domain::account::Account| {
        let mut tx = base.write().await;
        let held = tx.claim_identities(account.id, &account.user_id, &["a".to_owned()]).await?;
        if held.is_none() {
            tx.commit().await?;
        }
        Ok::<_, StoreError>(held)
    };
    let (one, other) = tokio::join!(claim(&first), claim(&second));
    let won = [&one, &other].into_iter().filter(|claimed| **claimed == Ok(None)).count();
    assert_eq!(won, 1, "{one:?} {other:?}");
    // Who lost the race is told so, or is told to try again and then is.
    for (account, claimed) in [(&first, one), (&second, other)] {
        match claimed {
            Ok(None) => {}
            Ok(Some(holder)) => assert_ne!(holder, account.id),
            Err(why) => {
                assert_eq!(why, StoreError::Busy);
                assert!(claim(account).await.expect("claimed").is_some_and(|holder| holder != account.id));
            }
        }
    }
}

async fn an_account_comes_back_as_it_was(base: Base) {
    let (account, _) = given::ada(&base).await;
    let mut feed = given::account(2, "home", "ada");
    (feed.writes_through, feed.status_reason) = (Some(account.id), None);
    (feed.provider_interval_s, feed.next_round_at) = (None, None);
    let mut tx = base.write().await;
    tx.insert_account(&feed).await.expect("account");
    assert_eq!(tx.account(&Scope::Whole, account.id).await, Ok(Some(account.clone())));
    assert_eq!(tx.account(&Scope::Whole, feed.id).await, Ok(Some(feed.clone())));
    assert_eq!(tx.delete_account(account.id).await, Ok(true));
    let alone = tx.account(&Scope::Whole, feed.id).await.expect("read").expect("still there");
    assert_eq!(alone.writes_through, None);
}

async fn a_stale_version_changes_nothing(base: Base) {
    let (mut account, _) = given::ada(&base).await;
    account.label = "Renamed".into();
    account.status_reason = None;
    let mut tx = base.write().await;
    assert_eq!(tx.update_account(&account, 1).await, Ok(true));
    account.version = 2;
    assert_eq!(tx.account(&Scope::Whole, account.id).await, Ok(Some(account.clone())));
    let late = calwarden::domain::account::Account { label: "Too late".into(), ..account.clone() };
    assert_eq!(tx.update_account(&late, 1).await, Ok(false));
    assert_eq!(tx.account(&Scope::Whole, account.id).await, Ok(Some(account)));
}

async fn the_actors_state_needs_no_version(base: Base) {
    let (mut account, _) = given::ada(&base).await;
    let mut tx = base.write().await;
    let set = tx.set_account_state(account.id, AccountStatus::Active, None, 0, Some(at(30)), None).await;
    assert_eq!(set, Ok(true));
    (account.status, account.status_reason, account.failures) = (AccountStatus::Active, None, 0);
    (account.next_round_at, account.provider_interval_s) = (Some(at(30)), None);
    assert_eq!(tx.account(&Scope::Whole, account.id).await, Ok(Some(account)));
    let unknown = tx.set_account_state(id(77), AccountStatus::Active, None, 0, None, None).await;
    assert_eq!(unknown, Ok(false));
}

async fn accounts_come_in_pages(base: Base) {
    let (first, _) = given::ada(&base).await;
    let mut tx = base.write().await;
    tx.put_user(&given::user("bob", "home")).await.expect("user");
    for number in 5..10 {
        let owner = if number == 7 { "bob" } else { "ada" };
        tx.insert_account(&given::account(number, "home", owner)).await.expect("account");
    }
    let ada = given::user_id("ada");
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = tx.accounts(&Scope::Whole, Some(&ada), after, 2).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|account| account.id));
    }
    assert_eq!(seen, [first.id, id(5), id(6), id(8), id(9)]);
    assert_eq!(tx.account_ids().await.expect("ids").len(), 6);
    assert_eq!(tx.accounts(&Scope::Whole, None, None, 100).await.expect("all").len(), 6);
}

async fn an_account_of_nobody_is_refused(base: Base) {
    given::ada(&base).await;
    let mut tx = base.write().await;
    assert_eq!(tx.insert_account(&given::account(5, "home", "nobody")).await, Err(StoreError::NotFound));
}

async fn an_account_is_added_once(base: Base) {
    let (account, _) = given::ada(&base).await;
    let mut tx = base.write().await;
    assert_eq!(tx.insert_account(&account).await, Err(StoreError::Stale));
}

async fn removing_an_account_leaves_its_events_without_a_home(base: Base) {
    let (account, calendar, event, _) = given::ada_with_an_event(&base).await;
    let mut tx = base.write().await;
    tx.put_secrets(&[given::secret(account.id, SecretKind::Password, "k1", b"sealed")]).await.expect("secret");
    tx.put_outbox(&given::write(10, &calendar, event.id)).await.expect("outbox");
    tx.insert_round(&given::round(11, &account)).await.expect("round");
    tx.insert_conflicts(&[given::conflict(12, &calendar, event.id)]).await.expect("conflict");
    tx.put_hold(&given::hold(13, &calendar)).await.expect("hold");
    tx.put_notice(&given::notice(14, &account, None)).await.expect("notice");
    tx.audit(&[given::audit_line(15, &account)]).await.expect("audit");
    assert_eq!(tx.delete_account(account.id).await, Ok(true));
    assert_eq!(tx.delete_account(account.id).await, Ok(false));
    tx.commit().await.expect("committed");
    let mut tx = base.read().await;
    assert_eq!(tx.secrets_of(account.id).await, Ok(vec![]));
    assert_eq!(tx.calendars_of(account.id).await, Ok(vec![]));
    assert_eq!(tx.mappings_of_event(event.id).await, Ok(vec![]));
    assert_eq!(tx.outbox_of(&Scope::Whole, account.id, 10).await, Ok(vec![]));
    assert_eq!(tx.rounds_of(&Scope::Whole, account.id, None, 10).await, Ok(vec![]));
    assert_eq!(tx.conflict(&Scope::Whole, id(12)).await, Ok(None));
    assert_eq!(tx.hold(&Scope::Whole, id(13)).await, Ok(None));
    assert_eq!(tx.notices(&Scope::Whole, None, false, None, 10).await, Ok(vec![]));
    let orphan = tx.event(&Scope::Whole, event.id).await.expect("read").expect("the event stays");
    assert_eq!(orphan.calendar_id, None);
    assert_eq!(tx.audit_of(&Scope::Whole, account.id, 10).await.expect("audit").len(), 1, "the log outlives it");
}

async fn a_secret_is_replaced_only_if_it_is_still_the_old_one(base: Base) {
    let (account, _) = given::ada(&base).await;
    let old = given::secret(account.id, SecretKind::Password, "k1", b"one\x00\xff");
    let other = given::secret(account.id, SecretKind::Username, "k1", b"ada");
    let newer = given::secret(account.id, SecretKind::Password, "k1", b"two");
    let resealed = given::secret(account.id, SecretKind::Password, "k2", b"one again");
    let mut tx = base.write().await;
    tx.put_secrets(&[old.clone(), other.clone()]).await.expect("secrets");
    assert_eq!(tx.secrets_of(account.id).await, Ok(vec![old.clone(), other.clone()]));
    tx.put_secrets(std::slice::from_ref(&newer)).await.expect("a new password");
    assert_eq!(tx.replace_secret(&old, &resealed).await, Ok(false), "the password has changed meanwhile");
    assert_eq!(tx.replace_secret(&newer, &resealed).await, Ok(true));
    assert_eq!(tx.secrets_of(account.id).await, Ok(vec![resealed, other]));
}

async fn secrets_under_other_keys_are_found(base: Base) {
    let (account, _) = given::ada(&base).await;
    let old = given::secret(account.id, SecretKind::Password, "k1", b"one");
    let current = given::secret(account.id, SecretKind::Username, "k2", b"two");
    let mut tx = base.write().await;
    tx.put_secrets(&[old.clone(), current]).await.expect("secrets");
    assert_eq!(tx.secrets_not_under("k2", 10).await, Ok(vec![old]));
    assert_eq!(tx.secrets_not_under("k3", 1).await.expect("secrets").len(), 1);
}
