//! What the queue of writes relies on.

use calwarden::{
    domain::{
        event::EventContent,
        failure::FailureClass::{Conflict, Gone},
        ids::{CalendarId, EventId, Uid},
        mapping::{Remains, RemoteEvent},
    },
    provider::Found,
};

use super::{
    contents::lunch,
    subject::{Account, Subject, class, new_key, world},
};

impl Account {
    async fn find(&self, key: &Uid) -> Found {
        self.writer().find(&self.calendar, key).await.expect("an answer")
    }
}

pub async fn what_is_made_is_there_as_it_was_sent(subject: &Subject) {
    let (account, key, content) = (subject.account().await, new_key(), lunch("Lunch"));
    let made = account.create(&key, &content).await.expect("it is made");
    assert_eq!((&made.uid, &made.content), (&key, &account.canonical(&content)));
    account.holds_only(&account.firm(made).await).await;
}

pub async fn one_key_makes_one_event(subject: &Subject) {
    let (account, key) = (subject.account().await, new_key());
    let made = account.make(&key, &lunch("Lunch")).await;
    for again in ["Lunch", "Dinner"] {
        match account.create(&key, &lunch(again)).await {
            // Still one event, in its own words.
            Ok(written) if subject.manners.habits.puts_blindly => account.holds_only(&written).await,
            Ok(answered) => {
                assert_eq!((answered.id, answered.content), (made.id.clone(), made.content.clone()));
                account.holds_only(&made).await;
            }
            Err(error) => {
                assert_eq!(error.class, Conflict, "{error}");
                account.holds_only(&made).await;
            }
        }
    }
}

pub async fn what_was_made_is_found_by_its_key(subject: &Subject) {
    let (account, key) = (subject.account().await, new_key());
    assert_eq!(account.find(&key).await, Found::Nothing, "nothing is made yet");
    let made = account.make(&key, &lunch("Lunch")).await;
    let Found::Here(found) = account.find(&key).await else { panic!("what was made is not found") };
    assert_eq!((&found.id, &found.uid, &found.content), (&made.id, &made.uid, &made.content));
    assert!(found.revision.is_none() || found.revision == made.revision, "{:?}", found.revision);
    assert_eq!(account.find(&new_key()).await, Found::Nothing, "another key");
    // By somebody else, as after a restart.
    let found = subject.account().await.find(&key).await;
    assert!(matches!(&found, Found::Here(event) if event.id == made.id), "{found:#?}");
}

pub async fn a_write_does_not_come_back_as_a_change(subject: &Subject) {
    subject.put_all(&["other"]).await;
    let account = subject.account().await;
    let mut held = account.everything().await;
    let made = account.make(&new_key(), &lunch("Lunch")).await;
    held.hold(&made);
    assert!(account.follow(&mut held).await.is_silent(), "what was made");
    let changed = account.update(&made, &lunch("Dinner")).await.expect("it is changed");
    let changed = account.firm(changed).await;
    held.hold(&changed);
    assert!(account.follow(&mut held).await.is_silent(), "what was changed");
    account.writer().delete(account.target(&changed, true)).await.expect("it is deleted");
    held.events.remove(&changed.id);
    assert_eq!(account.follow(&mut held).await.changed, [""; 0], "what was deleted");
    assert_eq!(held.says(), [("other".to_owned(), "other".to_owned())]);
}

pub async fn an_update_of_the_version_that_is_there_is_done(subject: &Subject) {
    let account = subject.account().await;
    let mut held = account.make(&new_key(), &lunch("Lunch")).await;
    // With its bytes, and without them, as after an answer that had none.
    for (title, with_bytes) in [("Dinner", true), ("Supper", false), ("Tea", true)] {
        let content = lunch(title);
        let changed =
            account.writer().update(account.target(&held, with_bytes), &content).await.expect("it is changed");
        assert_eq!((&changed.id, &changed.uid), (&held.id, &held.uid));
        assert_eq!(changed.content, account.canonical(&content));
        let changed = account.firm(changed).await;
        assert_ne!(changed.revision, held.revision, "another version");
        account.holds_only(&changed).await;
        held = changed;
    }
}

/// An event and an older version of it, once after a change of ours and once after one of somebody else's.
async fn outdated(subject: &Subject, account: &Account) -> Vec<(RemoteEvent, RemoteEvent)> {
    let old = account.make(&new_key(), &lunch("Lunch")).await;
    let new = account.update(&old, &lunch("Dinner")).await.expect("it is changed");
    let ours = (old, account.firm(new).await);
    subject.put_all(&["theirs"]).await;
    let old = account.everything().await.event("theirs");
    subject.there.put("theirs", "Theirs changed").await;
    vec![ours, (old, account.everything().await.event("theirs"))]
}

pub async fn an_update_of_an_older_version_changes_nothing(subject: &Subject) {
    let account = subject.account().await;
    for (old, new) in outdated(subject, &account).await {
        for with_bytes in [true, false] {
            let answer = account.writer().update(account.target(&old, with_bytes), &lunch("Breakfast")).await;
            assert_eq!(class(answer), Conflict);
            let read = account.read(&old.id).await.expect("it is there");
            assert_eq!((read.revision, read.content), (new.revision.clone(), new.content.clone()));
        }
    }
}

pub async fn a_deletion_of_an_older_version_changes_nothing(subject: &Subject) {
    let account = subject.account().await;
    for (old, new) in outdated(subject, &account).await {
        for with_bytes in [true, false] {
            let answer = account.writer().delete(account.target(&old, with_bytes)).await;
            assert_eq!(class(answer), Conflict);
            let read = account.read(&old.id).await.expect("it is there");
            assert_eq!((read.revision, read.content), (new.revision.clone(), new.content.clone()));
        }
    }
}

pub async fn a_deletion_is_done_and_twice_is_done(subject: &Subject) {
    let account = subject.account().await;
    let stays = account.make(&new_key(), &lunch("Lunch")).await;
    for with_bytes in [true, false] {
        let key = new_key();
        let made = account.make(&key, &lunch("Dinner")).await;
        for time in ["once", "twice"] {
            let done = account.writer().delete(account.target(&made, with_bytes)).await;
            done.unwrap_or_else(|why| panic!("{time}: {why}"));
            assert_eq!(account.read(&made.id).await, None, "{time}");
            let found = account.find(&key).await;
            assert!(matches!(found, Found::Deleted | Found::Nothing), "{time}: {found:#?}");
        }
        account.holds_only(&stays).await;
    }
}

pub async fn what_is_gone_is_not_brought_back_by_an_update(subject: &Subject) {
    let account = subject.account().await;
    let ours = account.make(&new_key(), &lunch("Lunch")).await;
    account.writer().delete(account.target(&ours, true)).await.expect("it is deleted");
    subject.put_all(&["theirs"]).await;
    let theirs = account.everything().await.event("theirs");
    subject.there.delete("theirs").await;
    for gone in [ours, theirs] {
        // Without the bytes it is looked at first.
        let looks_first = subject.manners.habits.puts_blindly;
        for with_bytes in [true, false].into_iter().filter(|with_bytes| !(looks_first && *with_bytes)) {
            let told = class(account.writer().update(account.target(&gone, with_bytes), &lunch("Dinner")).await);
            assert!(matches!(told, Gone | Conflict), "{told}");
            assert_eq!(account.read(&gone.id).await, None);
        }
        // What somebody else has deleted is deleted.
        account.writer().delete(account.target(&gone, true)).await.expect("done");
    }
    assert_eq!(account.everything().await.says(), []);
}

/// Another title, everything else as it is.
fn retitled(event: &RemoteEvent, title: &str) -> EventContent {
    let mut content = event.content.clone();
    title.clone_into(&mut content.facts.title);
    content
}

pub async fn what_we_do_not_model_survives_an_update(subject: &Subject) {
    subject.put_all(&["rich"]).await;
    let account = subject.account().await;
    let mut held = account.everything().await.event("rich");
    assert_eq!(subject.there.lacks(&held).await, [""; 0], "it never had it");
    for (title, with_bytes) in [("Changed", true), ("Changed again", false)] {
        let content = retitled(&held, title);
        let changed =
            account.writer().update(account.target(&held, with_bytes), &content).await.expect("it is changed");
        held = account.firm(changed).await;
        assert_eq!(held.content.facts.title, title);
        assert_eq!(subject.there.lacks(&held).await, [""; 0], "with its bytes: {with_bytes}");
    }
}

pub async fn what_was_deleted_is_made_again_with_what_it_had(subject: &Subject) {
    subject.put_all(&["ours", "theirs", "renamed"]).await;
    let account = subject.account().await;
    let held = account.everything().await;
    for (name, by_us, renamed) in [("ours", true, false), ("theirs", false, false), ("renamed", true, true)] {
        let was = held.event(name);
        if by_us {
            account.writer().delete(account.target(&was, true)).await.expect("it is deleted");
        } else {
            subject.there.delete(name).await;
        }
        let remains = Remains {
            event_id: world().new_id::<EventId>(),
            calendar_id: world().new_id::<CalendarId>(),
            remote_id: was.id.clone(),
            uid: was.uid.clone(),
            base: was.content.clone(),
            raw: was.raw.clone().expect("its bytes"),
            created_by_us: false,
            taken_out: false,
            kept_at: world().now(),
        };
        let content = retitled(&was, "Made again");
        let make = async |key: &Uid| account.writer().make_again(&account.calendar, key, &remains, &content).await;
        let (own, other) = (&was.uid, new_key());
        let again = match make(if renamed { &other } else { own }).await {
            // Where its own name is not to be had again, another is.
            Err(error) if error.class == Conflict && !renamed => make(&other).await,
            answer => answer,
        };
        let again = account.firm(again.expect("it is made again")).await;
        assert!([own, &other].contains(&&again.uid), "{name}");
        assert_eq!(again.content, account.canonical(&content), "{name}");
        assert_eq!(subject.there.lacks(&again).await, [""; 0], "{name}");
        // What lives is not made once more.
        if !subject.manners.habits.puts_blindly {
            assert_eq!(class(make(&again.uid).await), Conflict, "{name}");
        }
        let listed = account.everything().await.event(again.uid.as_str());
        assert_eq!((listed.id, listed.revision, listed.content), (again.id, again.revision, again.content), "{name}");
    }
    assert_eq!(account.everything().await.events.len(), 3);
}
