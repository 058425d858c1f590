//! What becomes of an event's content at a provider: the form that both sides are compared in.

use calwarden::domain::{
    event::EventContent,
    failure::FailureClass::{Forbidden, Refused},
    mapping::RemoteEvent,
};

use super::{
    contents,
    subject::{Account, Subject, new_key},
};
use crate::support::strangers::Points;

/// What deviates, told of all contents at once.
#[derive(Default)]
struct Deviations(Vec<String>);

impl Deviations {
    fn compare(&mut self, name: &str, how: &str, got: &EventContent, wanted: &EventContent) {
        if got != wanted {
            self.0.push(format!("{name}, {how}: {got:#?}\nis not {wanted:#?}"));
        }
    }
}

impl Drop for Deviations {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "{}", self.0.join("\n\n"));
        }
    }
}

/// The contents that the subject is able to hold. Its own way with moments is no failure of ours, and what it refuses is refused for
/// good, not to be tried again.
async fn contents(subject: &Subject, account: &Account) -> Vec<(&'static str, EventContent)> {
    let (points, mut all) = (subject.manners.habits.points, contents::all());
    if points == Points::Kept {
        return all;
    }
    all.retain(|(_, content)| *content != contents::moment());
    match (points, account.create(&new_key(), &contents::moment()).await) {
        (Points::Refused, Err(error)) => assert!(matches!(error.class, Refused | Forbidden), "{error}"),
        (Points::AnHour, Ok(made)) => {
            let facts = &made.content.facts;
            assert!(facts.end.wall() > facts.start.wall(), "the answer says what became of it");
            let made = account.firm(made).await;
            account.writer().delete(account.target(&made, true)).await.expect("it is deleted");
        }
        (points, answer) => panic!("a moment is {points:?}: {answer:#?}"),
    }
    all
}

/// What the subject holds after this content was written: its canonical form, or what the answer told that it makes of it.
fn held_as(
    subject: &Subject,
    account: &Account,
    (name, content): &(&str, EventContent),
    answered: &RemoteEvent,
) -> EventContent {
    let wanted = account.canonical(content);
    if !subject.manners.habits.rewrites.contains(name) {
        return wanted;
    }
    assert_ne!(answered.content, wanted, "{name}: it is kept; take it off the list of habits");
    answered.content.clone()
}

pub async fn the_canonical_form_of_a_canonical_form_is_itself(subject: &Subject) {
    let account = subject.account().await;
    let mut deviations = Deviations::default();
    for (name, content) in contents::all() {
        let once = account.canonical(&content);
        deviations.compare(name, "twice", &account.canonical(&once), &once);
    }
}

pub async fn every_content_comes_back_in_its_canonical_form(subject: &Subject) {
    let account = subject.account().await;
    let mut deviations = Deviations::default();
    let mut made: Vec<(&str, EventContent, RemoteEvent)> = Vec::new();
    for content in contents(subject, &account).await {
        let event = account.make(&new_key(), &content.1).await;
        let wanted = held_as(subject, &account, &content, &event);
        deviations.compare(content.0, "answered", &event.content, &wanted);
        let read = account.read(&event.id).await.expect("it is there");
        deviations.compare(content.0, "read", &read.content, &wanted);
        assert_eq!(read.revision, event.revision, "{}", content.0);
        made.push((content.0, wanted, event));
    }
    let held = account.everything().await;
    assert_eq!(held.events.len(), made.len(), "{:?}", held.says());
    for (name, wanted, event) in &made {
        let listed = held.event(event.uid.as_str());
        deviations.compare(name, "listed", &listed.content, wanted);
        assert_eq!(listed.revision, event.revision, "{name}");
    }
}

pub async fn every_event_becomes_any_other(subject: &Subject) {
    let account = subject.account().await;
    let mut deviations = Deviations::default();
    let contents = contents(subject, &account).await;
    let mut held = account.make(&new_key(), &contents[0].1).await;
    // Forth and back: each becomes both of its neighbours.
    for content in contents.iter().skip(1).chain(contents.iter().rev().skip(1)) {
        let name = content.0;
        let changed = account.update(&held, &content.1).await.unwrap_or_else(|why| panic!("{name}: {why}"));
        let wanted = held_as(subject, &account, content, &changed);
        deviations.compare(name, "answered", &changed.content, &wanted);
        held = account.firm(changed).await;
        let read = account.read(&held.id).await.expect("it is there");
        deviations.compare(name, "read", &read.content, &wanted);
        assert_eq!(read.revision, held.revision, "{name}");
    }
    assert_eq!(account.everything().await.events.len(), 1);
}
