//! What stands once a disagreement is settled.

use super::{
    privacy::project,
    sync::merge::{both_sides, overlay},
};
use crate::domain::{
    account::PrivacyLevel,
    conflict::{Conflict, ConflictKind, Winner},
    event::EventContent,
};

/// A conflict that waits, described by how our side stands now: what was edited or deleted here since is our version of it.
pub fn bring_up_to_date(conflict: &mut Conflict, content: &EventContent, deleted: bool) {
    conflict.local = Some(content.clone());
    conflict.kind = match (deleted, &conflict.remote) {
        (true, _) => ConflictKind::DeletedLocally,
        (false, Some(_)) => ConflictKind::Edit,
        (false, None) => ConflictKind::DeletedRemotely,
    };
}

/// What follows once a side's version stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, taken apart at once")]
pub enum Resolution {
    /// The event says this.
    Says(EventContent),
    /// The event is deleted.
    Deleted,
    /// The copy is made again; the event stays as it is.
    CopyAgain,
    /// The copy stays away; the event stays as it is.
    NoCopy,
}

/// Decides what follows when a person settles a conflict. `level`: how much our copy there may show (full, if we did not make
/// it); what it does not show, the provider's version cannot have meant to erase. `home`: the disputed copy is the one that the
/// event lives and goes with. What only one side changed stays, whoever wins.
#[must_use]
pub fn settled(conflict: &Conflict, side: Winner, level: PrivacyLevel, home: bool) -> Resolution {
    match (&conflict.base, &conflict.local, &conflict.remote) {
        (Some(base), Some(local), Some(remote)) if conflict.kind == ConflictKind::Edit => Resolution::Says(
            both_sides((base, &project(base, level)), local, &project(local, level), remote, side).content,
        ),
        _ => resolution(conflict, side, level, home),
    }
}

/// Decides what follows when that side's whole version is brought back.
#[must_use]
pub fn resolution(conflict: &Conflict, side: Winner, level: PrivacyLevel, home: bool) -> Resolution {
    match (conflict.wanted_by(side), &conflict.local, &conflict.remote) {
        (None, _, None) if !home => Resolution::NoCopy,
        (Some(_), _, None) if !home => Resolution::CopyAgain,
        (None, ..) => Resolution::Deleted,
        (Some(wanted), Some(local), _) if side == Winner::Remote => {
            Resolution::Says(overlay(local, &project(local, level), wanted))
        }
        (Some(wanted), ..) => Resolution::Says(wanted.clone()),
    }
}
