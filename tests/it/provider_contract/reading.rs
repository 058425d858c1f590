//! What a round relies on when it reads.

use calwarden::{
    domain::{failure::FailureClass, ids::SyncCursor},
    engine::round::calendars::ends_round,
    provider::{PageKind, Pull},
};

use super::subject::{Account, Held, Subject, class};

const THREE: [&str; 3] = ["one", "two", "three"];

/// Pairs of a name with itself, in their order.
fn named(names: &[&str]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
    pairs.sort();
    pairs
}

pub async fn nothing_is_sent_before_it_is_asked_for(subject: &Subject) {
    assert_eq!(subject.open().requests_made(), 0, "opening");
    let Account { provider, calendar } = subject.account().await;
    let made = provider.requests_made();
    assert!(made > 0, "a list of calendars without a request");
    drop(provider.pull(Pull { calendar: &calendar, cursor: None, reconcile: false }));
    assert_eq!(provider.requests_made(), made, "beginning to read");
}

pub async fn everything_is_read_at_first_and_the_cursor_comes_last(subject: &Subject) {
    let names: Vec<_> = (0..subject.manners.crowd.max(3)).map(|n| format!("event{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    subject.put_all(&names).await;
    let account = subject.account().await;
    for reconcile in [true, false] {
        let mut held = Held::default();
        let told = account.pull(&mut held, reconcile).await.expect("everything");
        assert_eq!((told.kind, held.says()), (PageKind::Snapshot, named(&names)));
        assert_eq!(told.changed.len(), names.len(), "each of them once");
        assert!(subject.manners.crowd == 0 || told.pages > 1, "one page");
        // Pages before the last have no room for a cursor; the last has one.
        assert!(held.cursor.is_some(), "no cursor");
        assert!(account.follow(&mut held).await.is_silent());
    }
}

pub async fn the_same_cursor_again_reads_nothing_and_costs_little(subject: &Subject) {
    subject.put_all(&THREE).await;
    let account = subject.account().await;
    let mut held = account.everything().await;
    // The first look after a change may cost more: a server's word is compared with what it said before.
    account.follow(&mut held).await;
    let read = held.clone();
    for account in [&account, &subject.account().await] {
        account.follow(&mut held).await;
        let before = account.provider.requests_made();
        for cursor in [&held.cursor.clone(), &read.cursor] {
            held.cursor.clone_from(cursor);
            let told = account.follow(&mut held).await;
            assert!(told.is_silent(), "{told:#?}");
            assert_eq!(held.says(), named(&THREE));
        }
        let made = account.provider.requests_made() - before;
        assert!(made <= 2 * subject.manners.look_costs, "two looks took {made} requests");
    }
}

pub async fn what_changes_there_comes_with_another_revision(subject: &Subject) {
    subject.put_all(&THREE).await;
    let account = subject.account().await;
    let mut held = account.everything().await;
    let was = held.event("two");
    subject.there.put("two", "Two changed").await;
    subject.there.put("four", "four").await;
    let told = account.follow(&mut held).await;
    assert_eq!(told.changed, ["four", "two"], "what changed, and nothing else");
    let now = held.event("two");
    assert_eq!((&now.id, now.content.facts.title.as_str()), (&was.id, "Two changed"));
    assert_ne!(now.revision, was.revision);
    assert_eq!(held.events.len(), 4, "{:?}", held.says());
    let again = account.follow(&mut held).await;
    assert!(again.is_silent(), "{again:#?}");
}

pub async fn what_is_deleted_there_is_removed_or_absent(subject: &Subject) {
    subject.put_all(&THREE).await;
    let account = subject.account().await;
    let mut held = account.everything().await;
    subject.there.delete("two").await;
    let told = account.follow(&mut held).await;
    assert_eq!(told.changed, [""; 0], "what stayed is handed out");
    assert_eq!(held.says(), named(&["one", "three"]));
    // The last ones too: that nothing is left is as good an answer as any.
    subject.there.delete("one").await;
    subject.there.delete("three").await;
    account.follow(&mut held).await;
    assert_eq!(held.says(), []);
    assert_eq!(account.everything().await.says(), []);
    // A name that comes again is there again.
    subject.there.put("two", "Two again").await;
    account.follow(&mut held).await;
    assert_eq!(held.says(), [("two".to_owned(), "Two again".to_owned())]);
}

pub async fn what_is_held_at_its_revision_is_present_and_not_handed_out(subject: &Subject) {
    subject.put_all(&THREE).await;
    let account = subject.account().await;
    let mut held = account.everything().await;
    let told = account.pull(&mut held, true).await.expect("everything");
    assert_eq!((told.kind, told.changed.as_slice()), (PageKind::Snapshot, [].as_slice()));
    assert_eq!(told.present, held.events.keys().cloned().collect::<Vec<_>>());
    subject.there.put("two", "Two changed").await;
    let told = account.pull(&mut held, true).await.expect("everything");
    assert_eq!((told.kind, told.changed.as_slice()), (PageKind::Snapshot, ["two".to_owned()].as_slice()));
    assert_eq!(told.present, held.events.keys().cloned().collect::<Vec<_>>());
    assert_eq!(held.event("two").content.facts.title, "Two changed");
}

pub async fn a_cursor_that_nobody_gave_hides_nothing(subject: &Subject) {
    subject.put_all(&THREE).await;
    let account = subject.account().await;
    let given = account.everything().await.cursor.expect("a cursor").0;
    for bogus in ["nonsense".to_owned(), format!("{given}0"), given.replace(['1', '2', '3'], "9"), String::new()] {
        if bogus == given {
            continue;
        }
        let mut held = Held { cursor: Some(SyncCursor(bogus.clone())), ..Held::default() };
        match account.pull(&mut held, false).await {
            Err(error) => assert_eq!(error.class, FailureClass::CursorExpired, "{bogus}: {error}"),
            // What it hides is found when everything is compared, once a day.
            Ok(told) if told.kind == PageKind::Delta && subject.manners.habits.takes_any_token => {
                account.pull(&mut held, true).await.expect("everything");
                assert_eq!(held.says(), named(&THREE), "{bogus}");
            }
            Ok(told) => assert_eq!((told.kind, held.says()), (PageKind::Snapshot, named(&THREE)), "{bogus}"),
        }
    }
}

/// A calendar is away: that is said, of this calendar alone, and not taken for a passing failure.
async fn is_gone(account: &Account, held: &Held) {
    for reconcile in [false, true] {
        let told = class(account.pull(&mut held.clone(), reconcile).await);
        assert!(matches!(told, FailureClass::Gone | FailureClass::Forbidden), "{told}");
        assert!(!ends_round(told));
    }
}

pub async fn a_calendar_that_is_not_there_is_gone_and_never_empty(subject: &Subject) {
    let mut account = subject.account().await;
    let held = account.everything().await;
    account.calendar = subject.nowhere.as_str().into();
    is_gone(&account, &Held::default()).await;
    // Not with a cursor either, be it another calendar's.
    is_gone(&account, &held).await;
}

pub async fn a_calendar_that_is_taken_away_is_gone_and_never_empty(subject: &Subject) {
    subject.put_all(&THREE).await;
    let account = subject.account().await;
    let held = account.everything().await;
    subject.there.close().await;
    is_gone(&account, &held).await;
    is_gone(&account, &Held::default()).await;
}

pub async fn a_change_shows_in_the_stamp_of_its_calendar(subject: &Subject) {
    subject.put_all(&THREE).await;
    let Account { provider, calendar } = subject.account().await;
    let mut before = None;
    // A stamp that stays says that nothing needs to be read.
    for change in 0..4 {
        let listed = provider.calendars().await.expect("a list of calendars");
        let stamp = listed.into_iter().find(|held| held.id == calendar).expect("the calendar").stamp;
        assert!(stamp.is_none() || stamp != before, "change {change} left {stamp:?}");
        before = stamp;
        match change {
            0 => subject.there.put("four", "four").await,
            1 => subject.there.put("two", "Two changed").await,
            _ => subject.there.delete(if change == 2 { "one" } else { "four" }).await,
        }
    }
}

pub async fn an_account_has_the_same_names_whenever_it_is_opened(subject: &Subject) {
    let names = |account: &Account| account.provider.identities(std::slice::from_ref(&account.calendar));
    let (one, other) = (subject.account().await, subject.account().await);
    assert!(!names(&one).is_empty(), "an account without a name can be connected twice");
    assert_eq!(names(&one), names(&other));
    assert!(names(&one).iter().all(|name| !name.is_empty()));
}

pub async fn the_list_of_calendars_is_the_same_whenever_it_is_asked_for(subject: &Subject) {
    let (account, other) = (subject.account().await, subject.account().await);
    let mut lists = Vec::new();
    for provider in [&account.provider, &account.provider, &other.provider] {
        provider.forget_listing();
        let listed = provider.calendars().await.expect("a list of calendars");
        let mut ids: Vec<_> = listed.into_iter().map(|held| (held.id, held.name, held.read_only)).collect();
        ids.sort();
        lists.push(ids);
    }
    assert_eq!(lists[0], lists[1], "asked twice");
    assert_eq!(lists[0], lists[2], "opened twice");
    let mut ids: Vec<_> = lists[0].iter().map(|(id, ..)| id).collect();
    ids.dedup();
    assert_eq!(ids.len(), lists[0].len(), "each once");
    let own = lists[0].iter().find(|(id, ..)| *id == account.calendar).expect("the calendar");
    assert_eq!(own.2, account.provider.writer().is_none(), "what it writes to is not read-only");
}
