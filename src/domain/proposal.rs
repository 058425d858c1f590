//! Proposals: a schedule that is offered, and what became of the offer.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ids::{BlockId, PlanRunId, ProposalId, SpaceId, TaskId, UserId},
    time::Window,
};
use crate::words;

words! {
    /// Why a new plan is made.
    PlanCause {
        /// Somebody asked for it.
        Asked = "asked",
        /// Something took the time of a block.
        Collision = "collision",
        /// Time became free, and something was late or had no place.
        RoomFreed = "room_freed",
        /// A task was made, changed or closed.
        TaskEdited = "task_edited",
        /// The user's hours or settings were changed.
        RulesEdited = "rules_edited",
        /// Work began where a block is that may move.
        Pushed = "pushed",
        /// A block had to be cut short.
        CutShort = "cut_short",
        /// Work takes longer, and something is in the way.
        Overrun = "overrun",
        /// Work was stopped before the task was done.
        Stopped = "stopped",
        /// Nobody worked on a block.
        Missed = "missed",
        /// A day ended with work left over.
        Rollover = "rollover",
        /// A block was moved at the provider.
        MovedOutside = "moved_outside",
        /// A block was deleted at the provider.
        DeletedOutside = "deleted_outside",
    }
}

words! {
    /// How a proposal stands.
    ProposalState {
        /// Somebody may accept it.
        Open = "open",
        /// It was accepted, as a whole or in parts.
        Accepted = "accepted",
        /// It was refused.
        Rejected = "rejected",
        /// What it was made from has changed.
        Expired = "expired",
    }
}

words! {
    /// How one change of a proposal stands.
    ChangeState {
        /// Nobody has decided.
        Open = "open",
        /// It was carried out.
        Accepted = "accepted",
        /// It was refused.
        Rejected = "rejected",
        /// It was carried out, and taken back.
        PutBack = "put_back",
    }
}

/// What is to be done with one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Change {
    /// A new block.
    Add {
        /// Where.
        to: Window,
    },
    /// The same block, elsewhere: one write to the same event, never a delete and a create.
    Move {
        /// Where it is.
        from: Window,
        /// Where it would be.
        to: Window,
    },
    /// No block any more.
    Remove {
        /// Where it is.
        from: Window,
    },
}

impl Change {
    /// What puts it back.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Add { to } => Self::Remove { from: to },
            Self::Move { from, to } => Self::Move { from: to, to: from },
            Self::Remove { from } => Self::Add { to: from },
        }
    }
}

/// One change of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockChange {
    /// The block; for a new one, the id it will have, so that accepting twice makes one block.
    pub block_id: BlockId,
    /// What is worked on.
    pub task_id: TaskId,
    /// What is to be done.
    pub change: Change,
    /// Why: the planner's reason word.
    pub reason: String,
    /// How it stands.
    pub state: ChangeState,
}

/// A digest of everything a plan was made from: equal inputs, equal fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// Of what has one spelling as JSON: structs and ordered maps, no hash maps. Half of a SHA-256.
    #[must_use]
    pub fn of(inputs: &impl Serialize) -> Self {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(serde_json::to_vec(inputs).unwrap_or_default());
        let mut half = [0; 16];
        half.copy_from_slice(digest.get(..16).unwrap_or(&[0; 16]));
        Self(half)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A schedule that is offered to one user. At most one is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Ours.
    pub id: ProposalId,
    /// The isolation boundary it belongs to.
    pub space_id: SpaceId,
    /// Whose plan it is.
    pub user_id: UserId,
    /// The run that made it.
    pub plan_run: PlanRunId,
    /// Why it was made.
    pub cause: PlanCause,
    /// What it was made from.
    pub inputs: Fingerprint,
    /// What would change, by time.
    pub changes: Vec<BlockChange>,
    /// How it stands.
    pub state: ProposalState,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was accepted, refused, or found to be out of date.
    pub decided_at: Option<DateTime<Utc>>,
    /// Grows with every change: the `ETag` of the resource.
    pub version: i64,
}

impl Proposal {
    /// Whether it may still be accepted, seen from the inputs as they are now.
    #[must_use]
    pub fn stands(&self, inputs: Fingerprint) -> bool {
        self.state == ProposalState::Open && self.inputs == inputs
    }

    /// How it stands once each of its changes stands as it does: open while one is, else accepted when any was.
    #[must_use]
    pub fn settled(&self) -> ProposalState {
        if self.state != ProposalState::Open || self.changes.iter().any(|change| change.state == ChangeState::Open) {
            self.state
        } else if self.changes.iter().any(|change| change.state == ChangeState::Accepted) {
            ProposalState::Accepted
        } else {
            ProposalState::Rejected
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn proposal(states: &[ChangeState]) -> Proposal {
        let at = DateTime::UNIX_EPOCH;
        let change = |state: &ChangeState| BlockChange {
            block_id: BlockId(Uuid::nil()),
            task_id: TaskId(Uuid::nil()),
            change: Change::Add { to: Window { from: at, to: at } },
            reason: "placed".into(),
            state: *state,
        };
        Proposal {
            id: ProposalId(Uuid::nil()),
            space_id: "home".parse().expect("an id"),
            user_id: "ada".parse().expect("an id"),
            plan_run: PlanRunId(Uuid::nil()),
            cause: PlanCause::TaskEdited,
            inputs: Fingerprint::of(&["one"]),
            changes: states.iter().map(change).collect(),
            state: ProposalState::Open,
            created_at: at,
            decided_at: None,
            version: 1,
        }
    }

    #[test]
    fn a_proposal_stands_until_its_inputs_change_or_somebody_decides() {
        let mut offered = proposal(&[ChangeState::Open]);
        assert!(offered.stands(Fingerprint::of(&["one"])));
        assert!(!offered.stands(Fingerprint::of(&["two"])));
        offered.state = ProposalState::Rejected;
        assert!(!offered.stands(Fingerprint::of(&["one"])));
    }

    #[test]
    fn what_is_put_back_twice_is_where_it_was() {
        let (from, to) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + chrono::Duration::hours(1));
        let (here, there) = (Window { from, to }, Window { from: to, to });
        for change in [Change::Add { to: here }, Change::Move { from: here, to: there }, Change::Remove { from: here }]
        {
            assert_ne!(change.reversed(), change);
            assert_eq!(change.reversed().reversed(), change);
        }
    }

    #[test]
    fn changes_that_are_decided_one_by_one_settle_the_proposal_with_the_last() {
        use ChangeState::{Accepted, Open, PutBack, Rejected};
        assert_eq!(proposal(&[Accepted, Open]).settled(), ProposalState::Open);
        assert_eq!(proposal(&[Accepted, Rejected]).settled(), ProposalState::Accepted);
        assert_eq!(proposal(&[Rejected, PutBack]).settled(), ProposalState::Rejected);
    }
}
