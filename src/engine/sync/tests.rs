//! The plan table of the house, row by row, and the merge's promises.

use chrono::{DateTime, Utc};

use super::{
    brake::{BrakeRules, Loss, judge},
    echo,
    matching::{Candidates, confidence},
    merge::{merge, overlay},
    plan::{Action, Decision, Local, Reason, Remote, link, link_one_way, plan, put_back},
};
use crate::domain::{
    account::{ConflictPolicy, PrivacyLevel},
    conflict::{ConflictKind, HoldReason, Winner},
    event::{EventContent, Facts, Override},
    time::EventTime,
};
use crate::engine::privacy::project;

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn paris(text: &str) -> EventTime {
    EventTime::parse(text, Some("Europe/Paris")).expect("a time")
}

fn event(title: &str) -> EventContent {
    EventContent::single(Facts::new(title, paris("2026-11-20T10:00:00"), paris("2026-11-20T11:00:00")))
}

fn with(mut content: EventContent, change: impl FnOnce(&mut Facts)) -> EventContent {
    change(&mut content.facts);
    content
}

fn series() -> EventContent {
    let mut content = event("Stand-up");
    content.recurrence.rules = vec!["FREQ=DAILY;COUNT=5".into()];
    content
}

fn occurrence(day: u32, title: &str) -> Override {
    let start = paris(&format!("2026-11-{day}T10:00:00"));
    let end = paris(&format!("2026-11-{day}T11:00:00"));
    Override { recurrence_id: start, facts: Facts::new(title, start, end) }
}

fn ours() -> DateTime<Utc> {
    instant("2026-11-20T08:00:00Z")
}

fn here(content: &EventContent) -> Local<'_> {
    Local::Here { full: content, outbound: content, was: content, changed_at: ours() }
}

fn gone_here() -> Local<'static> {
    static LUNCH: std::sync::LazyLock<EventContent> = std::sync::LazyLock::new(|| event("Lunch"));
    Local::Gone { full: &LUNCH, at: ours() }
}

fn there(content: &EventContent) -> Remote<'_> {
    Remote::Here { content, changed_at: None }
}

fn decide(base: &EventContent, local: Local<'_>, remote: Remote<'_>) -> Decision {
    decide_by(base, local, remote, ConflictPolicy::ExternalWins)
}

/// In a copy that may show everything.
fn decide_by<'a>(base: &'a EventContent, local: Local<'a>, remote: Remote<'a>, policy: ConflictPolicy) -> Decision {
    let local = match local {
        Local::Here { full, outbound, changed_at, .. } => Local::Here { full, outbound, was: base, changed_at },
        gone @ Local::Gone { .. } => gone,
    };
    plan(base, local, remote, policy)
}

#[test]
fn an_unchanged_world_plans_nothing() {
    let base = event("Lunch");
    let decision = decide(&base, here(&base), there(&base));
    assert_eq!((decision.action, decision.reason), (Action::Rest, Reason::Unchanged));
}

#[test]
fn a_change_on_one_side_goes_to_the_other() {
    let (base, edited) = (event("Lunch"), event("Long lunch"));
    assert_eq!(decide(&base, here(&base), there(&edited)).action, Action::Take(edited.clone()));
    assert_eq!(decide(&base, here(&edited), there(&base)).action, Action::Push);
}

#[test]
fn the_same_change_on_both_sides_is_one_change() {
    let (base, edited) = (event("Lunch"), event("Long lunch"));
    let decision = decide(&base, here(&edited), there(&edited));
    assert_eq!((decision.action, decision.dispute), (Action::Rest, None));
}

#[test]
fn disjoint_changes_merge_without_a_dispute() {
    let base = event("Lunch");
    let local = with(base.clone(), |facts| facts.location = Some("Room 2".into()));
    let remote = with(base.clone(), |facts| facts.title = "Long lunch".into());
    let decision = decide(&base, here(&local), there(&remote));
    let both = with(remote, |facts| facts.location = Some("Room 2".into()));
    assert_eq!(decision.action, Action::TakeAndPush(both));
    assert_eq!((decision.reason, decision.dispute), (Reason::DisjointEdits, None));
}

#[test]
fn an_overlap_goes_to_whom_the_policy_prefers_and_is_told() {
    let (base, local, remote) = (event("Lunch"), event("Ours"), event("Theirs"));
    let earlier = Some(instant("2026-11-20T07:00:00Z"));
    let later = Some(instant("2026-11-20T09:00:00Z"));
    let table = [
        (ConflictPolicy::ExternalWins, None, Action::Take(remote.clone()), Some(Winner::Remote)),
        (ConflictPolicy::LocalWins, None, Action::Push, Some(Winner::Local)),
        (ConflictPolicy::MostRecentWins, earlier, Action::Push, Some(Winner::Local)),
        (ConflictPolicy::MostRecentWins, later, Action::Take(remote.clone()), Some(Winner::Remote)),
        (ConflictPolicy::Ask, None, Action::Wait, None),
    ];
    for (policy, changed_at, action, winner) in table {
        let decision = decide_by(&base, here(&local), Remote::Here { content: &remote, changed_at }, policy);
        assert_eq!(decision.action, action, "{policy}");
        let dispute = decision.dispute.expect("a dispute");
        assert_eq!((dispute.kind, dispute.winner), (ConflictKind::Edit, winner), "{policy}");
        assert_eq!(dispute.fields, ["title"]);
    }
}

#[test]
fn the_loser_of_an_overlap_keeps_its_other_changes() {
    let base = event("Lunch");
    let local = with(event("Ours"), |facts| facts.location = Some("Room 2".into()));
    let decision = decide(&base, here(&local), there(&event("Theirs")));
    let expected = with(event("Theirs"), |facts| facts.location = Some("Room 2".into()));
    assert_eq!(decision.action, Action::TakeAndPush(expected));
}

#[test]
fn deletions_follow_the_table() {
    let (base, edited) = (event("Lunch"), event("Long lunch"));
    assert_eq!(decide(&base, here(&base), Remote::Gone).action, Action::DeleteLocal);
    assert_eq!(decide(&base, gone_here(), there(&base)).action, Action::DeleteRemote);
    assert_eq!(decide(&base, gone_here(), Remote::Gone).action, Action::Forget);
    let edited_here = decide(&base, here(&edited), Remote::Gone);
    assert_eq!(edited_here.action, Action::DeleteLocal);
    assert_eq!(edited_here.dispute.map(|d| d.kind), Some(ConflictKind::DeletedRemotely));
    let changed_there = decide(&base, gone_here(), there(&edited));
    assert_eq!(changed_there.action, Action::Restore { content: edited.clone(), push: false });
    assert_eq!(changed_there.dispute.map(|d| d.kind), Some(ConflictKind::DeletedLocally));
    let kept = decide_by(&base, here(&edited), Remote::Gone, ConflictPolicy::LocalWins);
    assert_eq!(kept.action, Action::Recreate);
    assert_eq!(decide_by(&base, gone_here(), there(&edited), ConflictPolicy::LocalWins).action, Action::DeleteRemote);
}

#[test]
fn edits_of_two_occurrences_never_overlap() {
    let base = series();
    let (mut local, mut remote) = (base.clone(), base.clone());
    local.overrides.push(occurrence(21, "Ours"));
    remote.overrides.push(occurrence(22, "Theirs"));
    let merged = merge(&base, &local, &remote, Winner::Remote);
    assert_eq!(merged.overlaps, Vec::<String>::new());
    assert_eq!(merged.content.overrides, [occurrence(21, "Ours"), occurrence(22, "Theirs")]);
}

#[test]
fn an_overlap_in_one_occurrence_names_that_occurrence() {
    let base = series();
    let (mut local, mut remote) = (base.clone(), base.clone());
    local.overrides.push(occurrence(21, "Ours"));
    remote.overrides.push(occurrence(21, "Theirs"));
    let merged = merge(&base, &local, &remote, Winner::Local);
    assert_eq!(merged.overlaps, ["2026-11-21T10:00:00/title"]);
    assert_eq!(merged.content.overrides, [occurrence(21, "Ours")]);
}

#[test]
fn an_occurrence_removed_here_and_edited_there_is_disputed() {
    let base = series();
    let (mut local, mut remote) = (base.clone(), base.clone());
    local.recurrence.excluded.push(paris("2026-11-21T10:00:00"));
    remote.overrides.push(occurrence(21, "Theirs"));
    let theirs = merge(&base, &local, &remote, Winner::Remote);
    assert_eq!(theirs.overlaps, ["2026-11-21T10:00:00/occurrence"]);
    assert_eq!((theirs.content.overrides.len(), theirs.content.recurrence.excluded.len()), (1, 0));
    let gone = merge(&base, &local, &remote, Winner::Local);
    assert_eq!((gone.content.overrides.len(), gone.content.recurrence.excluded.len()), (0, 1));
}

#[test]
fn a_moved_series_and_an_edited_occurrence_are_disputed() {
    let base = series();
    let mut local = base.clone();
    local.facts.start = paris("2026-11-20T09:00:00");
    let mut remote = base.clone();
    remote.overrides.push(occurrence(21, "Theirs"));
    let merged = merge(&base, &local, &remote, Winner::Remote);
    assert_eq!(merged.overlaps, ["occurrences"]);
    assert_eq!(merged.content, remote);
}

#[test]
fn removed_and_added_dates_of_both_sides_are_joined() {
    let mut base = series();
    base.recurrence.excluded = vec![paris("2026-11-21T10:00:00")];
    let (mut local, mut remote) = (base.clone(), base.clone());
    local.recurrence.excluded = vec![paris("2026-11-21T10:00:00"), paris("2026-11-22T10:00:00")];
    remote.recurrence.excluded = vec![paris("2026-11-23T10:00:00")];
    let merged = merge(&base, &local, &remote, Winner::Remote);
    assert_eq!(merged.content.recurrence.excluded, [paris("2026-11-22T10:00:00"), paris("2026-11-23T10:00:00")]);
    assert!(merged.overlaps.is_empty());
}

#[test]
fn a_remote_move_of_a_busy_block_keeps_what_the_provider_was_never_told() {
    let full = with(event("Dentist"), |facts| facts.description = Some("root canal".into()));
    let outbound = project(&full, PrivacyLevel::Minimal);
    let moved = with(outbound.clone(), |facts| facts.start = paris("2026-11-20T09:30:00"));
    let result = overlay(&full, &outbound, &moved);
    assert_eq!(result, with(full, |facts| facts.start = paris("2026-11-20T09:30:00")));
}

#[test]
fn linking_adds_what_one_side_lacks_and_disputes_what_both_say() {
    let local = with(event("Lunch"), |facts| facts.description = Some("ours".into()));
    let remote = with(event("Lunch"), |facts| facts.location = Some("Room 2".into()));
    let joined = link(&local, &local, &remote, ConflictPolicy::ExternalWins);
    let both = with(local.clone(), |facts| facts.location = Some("Room 2".into()));
    assert_eq!((joined.action, joined.dispute), (Action::TakeAndPush(both), None));
    let theirs = with(event("Lunch"), |facts| facts.description = Some("theirs".into()));
    let disputed = link(&local, &local, &theirs, ConflictPolicy::ExternalWins);
    assert_eq!(disputed.action, Action::Take(theirs.clone()));
    assert_eq!(disputed.dispute.map(|d| d.fields), Some(vec!["description".to_owned()]));
    assert_eq!(link(&local, &local, &local, ConflictPolicy::Ask).action, Action::Rest);
}

#[test]
fn matching_is_one_to_one_and_only_when_sure() {
    let mut candidates = Candidates::new([(1, event("Team lunch")), (2, event("Team lunch"))]);
    assert_eq!(candidates.take(&event("something else")), None);
    assert!(candidates.take(&event("team  Lunch!")).is_some());
    assert!(candidates.take(&event("Team lunch")).is_some());
    assert_eq!(candidates.take(&event("Team lunch")), None);
    let moved = with(event("Team lunch"), |facts| facts.start = paris("2026-11-20T12:00:00"));
    assert!(confidence(&event("Team lunch"), &moved) < 0.01);
}

#[test]
fn the_brake_holds_an_erasing_round() {
    let rules = BrakeRules::default();
    let loss = |mapped, deleted| Loss { mapped, deleted, doubtful: false };
    assert_eq!(judge(&[loss(10, 6)], &rules), [Some(HoldReason::ShareOfAccount)]);
    assert_eq!(judge(&[loss(10, 5)], &rules), [None]);
    assert_eq!(judge(&[loss(9, 8)], &rules), [None]);
    assert_eq!(judge(&[loss(5, 5), loss(100, 0)], &rules), [Some(HoldReason::WholeCalendar), None]);
    assert_eq!(judge(&[loss(4, 4), loss(100, 0)], &rules), [None, None]);
    let several = [loss(4, 4), loss(4, 4), loss(4, 0)];
    assert_eq!(judge(&several, &rules), [Some(HoldReason::ShareOfAccount), Some(HoldReason::ShareOfAccount), None]);
    let feed = Loss { mapped: 3, deleted: 3, doubtful: true };
    assert_eq!(judge(&[feed], &rules), [Some(HoldReason::WholeCalendar)]);
}

#[test]
fn a_copy_whose_making_was_cut_short_has_lost_no_occurrence() {
    let mut sent = series();
    sent.overrides = vec![occurrence(21, "Moved room"), occurrence(22, "Kept")];
    sent.recurrence.excluded = vec![paris("2026-11-24T10:00:00")];
    let mut there = series();
    there.overrides = vec![occurrence(22, "Edited there")];
    let base = echo::begun(&sent, &there);
    // What never arrived is written once more; what somebody edited there since is taken.
    let merged = merge(&base, &sent, &there, Winner::Remote).content;
    assert_eq!(
        merged.override_at(&paris("2026-11-21T10:00:00")).map(|own| own.facts.title.as_str()),
        Some("Moved room")
    );
    assert_eq!(
        merged.override_at(&paris("2026-11-22T10:00:00")).map(|own| own.facts.title.as_str()),
        Some("Edited there")
    );
    assert_eq!(merged.recurrence.excluded, sent.recurrence.excluded);
    // An occurrence that was taken away there since is gone all the same.
    there.recurrence.excluded = vec![paris("2026-11-21T10:00:00")];
    assert_eq!(echo::begun(&sent, &there).overrides, sent.overrides);
}

/// In the home calendar, which only takes events, under whatever rule.
fn one_way(base: &EventContent, local: Local<'_>, remote: Remote<'_>) -> (Action, Reason, Option<Vec<String>>) {
    let local = match local {
        Local::Here { full, outbound, changed_at, .. } => Local::Here { full, outbound, was: base, changed_at },
        gone @ Local::Gone { .. } => gone,
    };
    let decision = put_back(base, local, remote, true);
    let fields = decision.dispute.map(|dispute| {
        assert_eq!(dispute.winner, Some(Winner::Local));
        dispute.fields
    });
    (decision.action, decision.reason, fields)
}

#[test]
fn where_nothing_is_taken_ours_stands_and_theirs_is_in_the_history() {
    let (base, ours, theirs) = (event("Lunch"), event("Dinner"), event("Brunch"));
    let existence = || Some(vec!["existence".to_owned()]);
    for (local, remote, action, reason, fields) in [
        (here(&base), there(&base), Action::Rest, Reason::Unchanged, None),
        (here(&ours), there(&base), Action::Push, Reason::LocalChanged, None),
        (here(&base), there(&theirs), Action::Push, Reason::PutBack, Some(vec!["title".to_owned()])),
        (here(&ours), there(&theirs), Action::Push, Reason::PutBack, Some(vec!["title".to_owned()])),
        (here(&ours), there(&ours), Action::Rest, Reason::SameOnBothSides, None),
        (here(&base), Remote::Gone, Action::Recreate, Reason::PutBack, existence()),
        (here(&ours), Remote::Gone, Action::Recreate, Reason::PutBack, existence()),
        (gone_here(), there(&base), Action::DeleteRemote, Reason::DeletedLocally, None),
        (gone_here(), there(&theirs), Action::DeleteRemote, Reason::PutBack, existence()),
        (gone_here(), Remote::Gone, Action::Forget, Reason::DeletedOnBothSides, None),
    ] {
        assert_eq!(one_way(&base, local, remote), (action, reason, fields), "{local:?} {remote:?}");
    }
}

#[test]
fn a_copy_elsewhere_that_is_deleted_there_stays_deleted_though_nothing_is_taken() {
    let base = event("Lunch");
    let decision = put_back(&base, here(&base), Remote::Gone, false);
    assert_eq!((decision.action, decision.dispute), (Action::DeleteLocal, None));
}

#[test]
fn where_nothing_is_taken_a_match_takes_nothing_in() {
    let (ours, theirs) = (with(event("Lunch"), |facts| facts.location = Some("Here".into())), event("Lunch"));
    assert_eq!(link_one_way(&ours, &ours).action, Action::Rest);
    let decision = link_one_way(&ours, &theirs);
    assert_eq!((decision.action, decision.reason), (Action::Push, Reason::Matched));
    assert_eq!(decision.dispute.map(|dispute| dispute.fields), Some(vec!["location".to_owned()]));
}
