//! The plan table: one event's base, local and remote side in; one decision with its reason out.

use chrono::{DateTime, Utc};

use super::merge::{both_sides, carry, differences, overlay};
use crate::domain::{
    account::ConflictPolicy,
    conflict::{ConflictKind, Winner},
    event::EventContent,
    outbox::WriteOp,
};
use crate::words;

words! {
    /// Why a decision was taken: the same word in dry run, audit, API and log.
    Reason {
        /// Neither side changed.
        Unchanged = "unchanged",
        /// Only the provider's side changed.
        RemoteChanged = "remote_changed",
        /// Only our side changed.
        LocalChanged = "local_changed",
        /// Both sides say the same.
        SameOnBothSides = "same_on_both_sides",
        /// Both sides changed different fields.
        DisjointEdits = "disjoint_edits",
        /// Both sides changed the same field.
        OverlappingEdits = "overlapping_edits",
        /// It was deleted at the provider.
        DeletedRemotely = "deleted_remotely",
        /// It was deleted here.
        DeletedLocally = "deleted_locally",
        /// Deleted at the provider, edited here.
        DeletedRemotelyEditedHere = "deleted_remotely_edited_here",
        /// Deleted here, edited at the provider.
        DeletedLocallyEditedThere = "deleted_locally_edited_there",
        /// Deleted on both sides.
        DeletedOnBothSides = "deleted_on_both_sides",
        /// New at the provider.
        NewRemotely = "new_remotely",
        /// New here.
        NewLocally = "new_locally",
        /// New at the provider and already here.
        Matched = "matched",
        /// Our copy says more at the provider than the account's privacy level lets it.
        Reduced = "reduced_to_privacy_level",
        /// Taken out of one calendar by its owner; the event lives on.
        Unlinked = "unlinked",
        /// Changed or deleted in a calendar that only takes events from here: ours stands there again.
        PutBack = "put_back",
        /// Deleted at the provider together with much else, and its owner has refused that.
        DeletionRefused = "deletion_refused",
    }
}

impl Reason {
    /// Why a change that was made here is written.
    #[must_use]
    pub fn of_local(op: WriteOp) -> Self {
        match op {
            WriteOp::Create => Self::NewLocally,
            WriteOp::Update => Self::LocalChanged,
            WriteOp::Delete => Self::DeletedLocally,
        }
    }

    /// The same as a sentence, for a person who asks why.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Unchanged => "Nothing has changed on either side.",
            Self::RemoteChanged => "It was changed in the calendar, and not here.",
            Self::LocalChanged => "It was changed here, and not in the calendar.",
            Self::SameOnBothSides => "Both sides say the same.",
            Self::DisjointEdits => "Both sides changed it, in different places; both changes are kept.",
            Self::OverlappingEdits => "Both sides changed the same; the account's rule says which stands.",
            Self::DeletedRemotely => "It was deleted in the calendar.",
            Self::DeletedLocally => "It was deleted here.",
            Self::DeletedRemotelyEditedHere => "It was deleted in the calendar while it was changed here.",
            Self::DeletedLocallyEditedThere => "It was deleted here while it was changed in the calendar.",
            Self::DeletedOnBothSides => "It was deleted on both sides.",
            Self::NewRemotely => "It is new in the calendar.",
            Self::NewLocally => "It is new here.",
            Self::Matched => "It was new on both sides and is taken for one event.",
            Self::Reduced => "The calendar shows more of it than the account's privacy level allows.",
            Self::Unlinked => "Its copy was taken out of this calendar; the event lives on.",
            Self::DeletionRefused => {
                "It was deleted in the calendar with many others, and you refused that: it is written there again."
            }
            Self::PutBack => {
                "It was changed in the calendar, which only takes events from here: what is here stands there again."
            }
        }
    }
}

/// The provider's side of one event.
#[derive(Clone, Copy, Debug)]
pub enum Remote<'a> {
    /// It is there and says this.
    Here {
        /// What it says.
        content: &'a EventContent,
        /// When the provider says it last changed.
        changed_at: Option<DateTime<Utc>>,
    },
    /// It was there and is gone.
    Gone,
}

/// Our side of one event.
#[derive(Clone, Copy, Debug)]
pub enum Local<'a> {
    /// It is here.
    Here {
        /// All it says.
        full: &'a EventContent,
        /// What of it the provider may see, in the provider's canonical form.
        outbound: &'a EventContent,
        /// The same of the base: it differs from the base while the copy says more than it should, and is to be reduced.
        was: &'a EventContent,
        /// When a person last changed it.
        changed_at: DateTime<Utc>,
    },
    /// It was deleted here.
    Gone {
        /// All it said.
        full: &'a EventContent,
        /// When.
        at: DateTime<Utc>,
    },
}

/// What to do about one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Rest,
    /// Our side becomes this; nothing is sent.
    Take(EventContent),
    /// Our side stays; send it.
    Push,
    /// Our side becomes this; send it.
    TakeAndPush(EventContent),
    /// Delete softly here.
    DeleteLocal,
    /// Delete at the provider.
    DeleteRemote,
    /// Bring our deleted event back with this content; send it if `push`.
    Restore {
        /// What it says now.
        content: EventContent,
        /// Whether the provider must hear of it.
        push: bool,
    },
    /// Make the remote copy again: ours stands.
    Recreate,
    /// The mapping has no ends any more.
    Forget,
    /// Wait for a person.
    Wait,
}

/// The disagreement that a decision settled or left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// What about.
    pub kind: ConflictKind,
    /// The fields.
    pub fields: Vec<String>,
    /// Who stands; `None`: a person decides.
    pub winner: Option<Winner>,
}

/// What to do, why, and what was disputed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The disagreement, if there was one.
    pub dispute: Option<Dispute>,
}

impl Decision {
    fn plain(action: Action, reason: Reason) -> Self {
        Self { action, reason, dispute: None }
    }
}

/// Decides about one event that both sides have known.
#[must_use]
pub fn plan(base: &EventContent, local: Local<'_>, remote: Remote<'_>, policy: ConflictPolicy) -> Decision {
    match (local, remote) {
        (Local::Gone { .. }, Remote::Gone) => Decision::plain(Action::Forget, Reason::DeletedOnBothSides),
        (Local::Here { outbound, was, .. }, Remote::Gone) if outbound == was => {
            Decision::plain(Action::DeleteLocal, Reason::DeletedRemotely)
        }
        (Local::Here { .. }, Remote::Gone) => deleted_there_edited_here(policy),
        (Local::Gone { .. }, Remote::Here { content, .. }) if content == base => {
            Decision::plain(Action::DeleteRemote, Reason::DeletedLocally)
        }
        (Local::Gone { full, at }, Remote::Here { content, changed_at }) => {
            deleted_here_edited_there(overlay(full, base, content), content, preferred(policy, at, changed_at))
        }
        (Local::Here { full, outbound, was, changed_at: ours }, Remote::Here { content, changed_at: theirs }) => {
            match (outbound != was, content != base) {
                (false, false) => Decision::plain(Action::Rest, Reason::Unchanged),
                (false, true) => changed_there(base, full, content, preferred(policy, ours, theirs)),
                (true, false) => Decision::plain(Action::Push, Reason::LocalChanged),
                (true, true) if outbound == content => Decision::plain(Action::Rest, Reason::SameOnBothSides),
                (true, true) => both_changed((base, was), full, outbound, content, preferred(policy, ours, theirs)),
            }
        }
    }
}

/// Decides about one event of a calendar whose changes are not taken: what is here stands there, and what somebody wrote there is
/// kept in the history. `at_home`: the event lives in that calendar; of a copy elsewhere, its owner may want no more.
#[must_use]
pub fn put_back(base: &EventContent, local: Local<'_>, remote: Remote<'_>, at_home: bool) -> Decision {
    let disputed = |action, reason, kind, fields: Vec<String>| {
        let dispute = Dispute { kind, fields, winner: Some(Winner::Local) };
        Decision { action, reason, dispute: Some(dispute) }
    };
    let existence = || vec!["existence".into()];
    match (local, remote) {
        (Local::Gone { .. }, Remote::Gone) => Decision::plain(Action::Forget, Reason::DeletedOnBothSides),
        (Local::Gone { .. }, Remote::Here { content, .. }) if content == base => {
            Decision::plain(Action::DeleteRemote, Reason::DeletedLocally)
        }
        (Local::Gone { .. }, Remote::Here { .. }) => {
            disputed(Action::DeleteRemote, Reason::PutBack, ConflictKind::DeletedLocally, existence())
        }
        (Local::Here { .. }, Remote::Gone) if !at_home => Decision::plain(Action::DeleteLocal, Reason::DeletedRemotely),
        (Local::Here { .. }, Remote::Gone) => {
            disputed(Action::Recreate, Reason::PutBack, ConflictKind::DeletedRemotely, existence())
        }
        (Local::Here { outbound, was, .. }, Remote::Here { content, .. }) => match (outbound != was, content != base) {
            (false, false) => Decision::plain(Action::Rest, Reason::Unchanged),
            (true, false) => Decision::plain(Action::Push, Reason::LocalChanged),
            (_, true) if outbound == content => Decision::plain(Action::Rest, Reason::SameOnBothSides),
            (_, true) => disputed(Action::Push, Reason::PutBack, ConflictKind::Edit, differences(base, content)),
        },
    }
}

/// Whose version an overlap goes to; `None`: a person decides.
fn preferred(policy: ConflictPolicy, ours: DateTime<Utc>, theirs: Option<DateTime<Utc>>) -> Option<Winner> {
    match policy {
        ConflictPolicy::ExternalWins => Some(Winner::Remote),
        // An unknown time cannot be later than a known one.
        ConflictPolicy::MostRecentWins if theirs.is_some_and(|theirs| theirs > ours) => Some(Winner::Remote),
        ConflictPolicy::LocalWins | ConflictPolicy::MostRecentWins => Some(Winner::Local),
        ConflictPolicy::Ask => None,
    }
}

/// Only the provider's side changed. Where it wrote over a text that it was never sent, that text is disputed.
fn changed_there(base: &EventContent, full: &EventContent, remote: &EventContent, prefer: Option<Winner>) -> Decision {
    let carried = carry(full, base, remote, prefer.unwrap_or(Winner::Remote));
    if carried.overlaps.is_empty() {
        return Decision::plain(Action::Take(carried.content), Reason::RemoteChanged);
    }
    let action = match prefer {
        None => Action::Wait,
        Some(_) if carried.content == *full => Action::Push,
        Some(_) => Action::Take(carried.content),
    };
    let dispute = Dispute { kind: ConflictKind::Edit, fields: carried.overlaps, winner: prefer };
    Decision { action, reason: Reason::OverlappingEdits, dispute: Some(dispute) }
}

fn both_changed(
    (base, was): (&EventContent, &EventContent),
    full: &EventContent,
    outbound: &EventContent,
    remote: &EventContent,
    prefer: Option<Winner>,
) -> Decision {
    let met = both_sides((base, was), full, outbound, remote, prefer.unwrap_or(Winner::Remote));
    let disputed = !met.overlaps.is_empty();
    let action = if disputed && prefer.is_none() {
        Action::Wait
    } else if met.shown == *remote {
        Action::Take(met.content)
    } else if met.shown == *outbound {
        Action::Push
    } else {
        Action::TakeAndPush(met.content)
    };
    let dispute = disputed.then_some(Dispute { kind: ConflictKind::Edit, fields: met.overlaps, winner: prefer });
    let reason = if disputed { Reason::OverlappingEdits } else { Reason::DisjointEdits };
    Decision { action, reason, dispute }
}

fn deleted_there_edited_here(policy: ConflictPolicy) -> Decision {
    let (action, winner) = match policy {
        ConflictPolicy::ExternalWins => (Action::DeleteLocal, Some(Winner::Remote)),
        // Nobody knows when the deletion happened, and an edit that is kept can still be deleted; so the edit stands.
        ConflictPolicy::LocalWins | ConflictPolicy::MostRecentWins => (Action::Recreate, Some(Winner::Local)),
        ConflictPolicy::Ask => (Action::Wait, None),
    };
    let dispute = Dispute { kind: ConflictKind::DeletedRemotely, fields: vec!["existence".into()], winner };
    Decision { action, reason: Reason::DeletedRemotelyEditedHere, dispute: Some(dispute) }
}

fn deleted_here_edited_there(edited: EventContent, remote: &EventContent, winner: Option<Winner>) -> Decision {
    let action = match winner {
        // What was edited here before the deletion, and what is hidden there, comes back with it.
        Some(Winner::Remote) => Action::Restore { push: edited != *remote, content: edited },
        Some(Winner::Local) => Action::DeleteRemote,
        None => Action::Wait,
    };
    let dispute = Dispute { kind: ConflictKind::DeletedLocally, fields: vec!["existence".into()], winner };
    Decision { action, reason: Reason::DeletedLocallyEditedThere, dispute: Some(dispute) }
}

/// Decides about a local and a remote event that were never mapped and are taken to be one (first-sync matching, or a
/// create whose answer was lost). Where only one side says something, that stands; where both differ, the policy decides.
#[must_use]
pub fn link(full: &EventContent, outbound: &EventContent, remote: &EventContent, policy: ConflictPolicy) -> Decision {
    if outbound == remote {
        return Decision::plain(Action::Rest, Reason::Matched);
    }
    let ground = common_ground(outbound, remote);
    let decision = both_changed((&ground, &ground), full, outbound, remote, Some(prefer_in_link(policy)));
    Decision { reason: Reason::Matched, ..decision }
}

/// The same in a calendar whose changes are not taken.
#[must_use]
pub fn link_one_way(outbound: &EventContent, remote: &EventContent) -> Decision {
    if outbound == remote {
        return Decision::plain(Action::Rest, Reason::Matched);
    }
    let fields = differences(outbound, remote);
    let dispute = Dispute { kind: ConflictKind::Edit, fields, winner: Some(Winner::Local) };
    Decision { action: Action::Push, reason: Reason::Matched, dispute: Some(dispute) }
}

/// A person cannot be asked about an event before it is theirs, so `ask` follows the provider here and keeps the loser.
fn prefer_in_link(policy: ConflictPolicy) -> Winner {
    match policy {
        ConflictPolicy::LocalWins => Winner::Local,
        ConflictPolicy::ExternalWins | ConflictPolicy::MostRecentWins | ConflictPolicy::Ask => Winner::Remote,
    }
}

/// A base for two versions that never had one: what both say. A text that only one side has counts as its addition;
/// a text that both have and that differs overlaps; small print (status, class) follows the provider.
fn common_ground(outbound: &EventContent, remote: &EventContent) -> EventContent {
    let mut base = outbound.clone();
    if outbound.facts.title != remote.facts.title {
        base.facts.title.clear();
    }
    for (field, theirs) in [
        (&mut base.facts.description, &remote.facts.description),
        (&mut base.facts.location, &remote.facts.location),
        (&mut base.facts.url, &remote.facts.url),
    ] {
        if field != theirs {
            *field = (field.is_some() && theirs.is_some()).then(String::new);
        }
    }
    base.overrides.retain(|held| remote.override_at(&held.recurrence_id) == Some(held));
    base.recurrence.excluded.retain(|held| remote.recurrence.excluded.contains(held));
    base.recurrence.added.retain(|held| remote.recurrence.added.contains(held));
    base
}
