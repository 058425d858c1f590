use proptest::prelude::*;

use super::*;
use crate::{domain::ids::Revision, provider::change::Nothing};

/// An event as `(uid, content)`.
type Listed<'a> = (Option<&'a str>, u64);

fn name_all(events: &[Listed<'_>], before: &Bookmark, known: &dyn Known) -> Names {
    let uids: Vec<_> = events.iter().map(|(uid, _)| uid.map(Uid::from)).collect();
    let unnamed: Vec<_> =
        events.iter().zip(&uids).map(|((_, content), uid)| Unnamed { uid: uid.as_ref(), content: *content }).collect();
    name(&unnamed, before, known)
}

/// What the next fetch finds in the bookmark.
fn kept(names: &Names) -> Bookmark {
    let mut bookmark = Bookmark::of("a");
    bookmark.fresh_uids = names.fresh_uids;
    bookmark.set_pairs(names.pairs.clone());
    bookmark
}

fn first(events: &[Listed<'_>]) -> Names {
    name_all(events, &Bookmark::default(), &Nothing)
}

#[test]
fn an_edited_event_keeps_its_name() {
    let before = first(&[(Some("a"), 1), (Some("b"), 2)]);
    let after = name_all(&[(Some("b"), 9), (Some("a"), 1)], &kept(&before), &Nothing);
    assert_eq!(after.ids, [before.ids[1].clone(), before.ids[0].clone()]);
    assert!(!after.fresh_uids);
}

#[test]
fn fresh_uids_at_each_fetch_change_no_name() {
    let mut names = first(&[(Some("a0"), 1), (Some("b0"), 2), (Some("c0"), 2)]);
    let ids: BTreeSet<_> = names.ids.iter().cloned().collect();
    for fetch in 1..6 {
        let uids = ["a", "b", "c"].map(|letter| format!("{letter}{fetch}"));
        let events = [(Some(uids[2].as_str()), 2), (Some(uids[0].as_str()), 1), (Some(uids[1].as_str()), 2)];
        names = name_all(&events, &kept(&names), &Nothing);
        assert_eq!(names.ids.iter().cloned().collect::<BTreeSet<_>>(), ids, "fetch {fetch}");
        assert!(names.fresh_uids);
    }
}

#[test]
fn a_publisher_whose_events_come_and_go_is_not_taken_for_one_with_fresh_uids() {
    let before = first(&[(Some("a"), 1), (Some("b"), 2), (Some("c"), 3)]);
    let after = name_all(&[(Some("c"), 3), (Some("d"), 4), (Some("e"), 1)], &kept(&before), &Nothing);
    assert!(!after.fresh_uids, "one of two that say the same was re-made");
    assert_eq!(after.ids[2], before.ids[0], "which still is the same event");
}

#[test]
fn a_copy_of_an_event_that_is_still_there_is_a_new_event() {
    let before = first(&[(Some("a"), 1)]);
    let after = name_all(&[(Some("copy"), 1), (Some("a"), 1)], &kept(&before), &Nothing);
    assert_eq!(after.ids[1], before.ids[0]);
    assert_ne!(after.ids[0], before.ids[0]);
}

#[test]
fn an_event_that_is_held_keeps_its_name_though_the_bookmark_is_lost() {
    struct Held(RemoteEventId, Revision);
    impl Known for Held {
        fn revision(&self, id: &RemoteEventId) -> Option<&Revision> {
            (*id == self.0).then_some(&self.1)
        }
    }
    let held = Held(own_id(&Uid::from("a")), Revision::from("1"));
    let before = kept(&first(&[(Some("b"), 2)]));
    let names = name_all(&[(Some("a"), 2)], &before, &held);
    assert_eq!(names.ids[0], held.0);
}

#[test]
fn events_without_a_uid_are_named_by_what_they_say_and_counted() {
    let names = first(&[(None, 7), (Some("a"), 7), (None, 7), (None, 8)]);
    let ids: Vec<_> = names.ids.iter().map(RemoteEventId::as_str).collect();
    assert_eq!(
        [ids[0], ids[2], ids[3]],
        ["content:0000000000000007", "content:0000000000000007.2", "content:0000000000000008"]
    );
    assert_eq!(name_all(&[(None, 8), (None, 7)], &kept(&names), &Nothing).ids[1], names.ids[0]);
}

#[test]
fn two_events_with_one_uid_have_two_names_whichever_comes_first() {
    let before = first(&[(Some("a"), 1), (Some("a"), 2)]);
    assert_ne!(before.ids[0], before.ids[1]);
    let after = name_all(&[(Some("a"), 2), (Some("a"), 1)], &kept(&before), &Nothing);
    assert_eq!(after.ids, [before.ids[1].clone(), before.ids[0].clone()]);
}

#[test]
fn a_feed_too_large_for_its_bookmark_settles_on_content_names() {
    let fetch = |round: u64, before: &Bookmark| {
        let uids: Vec<_> = (0..5_000).map(|n| format!("{n}-{round}")).collect();
        let events: Vec<_> = uids.iter().zip(0..).map(|(uid, content)| (Some(uid.as_str()), content)).collect();
        name_all(&events, before, &Nothing)
    };
    let one = fetch(1, &Bookmark::default());
    assert!(!one.fresh_uids);
    let two = fetch(2, &kept(&one));
    assert!(two.fresh_uids);
    assert_eq!(two.ids[..PAIRS_MAX], one.ids[..PAIRS_MAX], "what the bookmark holds never moves");
    assert_eq!(fetch(3, &kept(&two)).ids, two.ids, "and the rest settles after one fetch");
}

/// Any events with few different `UID`s and contents.
fn events() -> impl Strategy<Value = Vec<(Option<u8>, u64)>> {
    proptest::collection::vec((proptest::option::weighted(0.8, 0_u8..5), 0_u64..5), 0..12)
}

proptest! {
    #[test]
    fn names_are_unique_and_the_order_of_the_text_does_not_matter(
        (before, after) in (events(), events()),
        fresh_uids in any::<bool>(),
    ) {
        const UIDS: [&str; 5] = ["a", "b", "c", "d", "e"];
        let text = |list: &[(Option<u8>, u64)]| -> Vec<(Option<&str>, u64)> {
            list.iter().map(|(uid, content)| (uid.map(|n| UIDS[usize::from(n)]), *content)).collect()
        };
        let mut bookmark = kept(&first(&text(&before)));
        bookmark.fresh_uids = fresh_uids;
        let (there, mut back) = (text(&after), text(&after));
        back.reverse();
        let (one, other) = (name_all(&there, &bookmark, &Nothing), name_all(&back, &bookmark, &Nothing));
        let unique: BTreeSet<_> = one.ids.iter().collect();
        prop_assert_eq!(unique.len(), after.len());
        let sorted = |list: &[Listed<'_>], names: &Names| {
            let mut pairs: Vec<_> = list.iter().map(|event| event.1).zip(names.ids.iter().cloned()).collect();
            pairs.sort();
            pairs
        };
        prop_assert_eq!(sorted(&there, &one), sorted(&back, &other));
        let again = name_all(&there, &kept(&one), &Nothing);
        prop_assert_eq!(sorted(&there, &again), sorted(&there, &one), "a second fetch of the same changes nothing");
    }
}
