//! What a person's answer to held deletions reaches: exactly the deletions that they were asked about, each in the state that it
//! was in then. An approval is used up by the round that follows it; a refusal lasts until nothing of it is missing any more.
//!
//! **Invariant (I-15):** a deletion that is held waits until somebody has answered, however its calendar grows or shrinks
//! meanwhile; nobody's answer reaches another deletion, nor the same event in another state.

use std::collections::{BTreeMap, BTreeSet};

use super::brake::Loss;
use crate::domain::{
    conflict::{HeldDeletion, HeldFate, Hold, HoldState},
    ids::{EventId, RemoteEventId, Revision},
};

/// What is known of a deletion before the brake has judged it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Said {
    /// Nothing: the brake judges it.
    #[default]
    Nothing,
    /// Nothing here is lost by it: the event is deleted here too, or its calendar only takes events.
    Free,
    /// A person was asked, and has not answered.
    Asked,
    /// Approved, for the round that comes now.
    Approved,
    /// Refused.
    Kept,
}

type DeletionKey = (RemoteEventId, EventId, Option<Revision>);

fn name(deletion: &HeldDeletion) -> DeletionKey {
    (deletion.remote_id.clone(), deletion.event_id, deletion.revision.clone())
}

/// What people have said about one calendar's deletions.
#[derive(Clone, Debug, Default)]
pub struct Answers(BTreeMap<DeletionKey, Said>);

impl Answers {
    /// Reads them from the calendar's holds; one that has ended says nothing.
    #[must_use]
    pub fn of(holds: &[Hold]) -> Self {
        let said = holds.iter().flat_map(|hold| {
            let (said, fate) = match hold.state {
                HoldState::Held => (Said::Asked, HeldFate::Open),
                HoldState::Approved => (Said::Approved, HeldFate::Open),
                HoldState::Refused => (Said::Kept, HeldFate::Kept),
                HoldState::CarriedOut | HoldState::Restored | HoldState::Superseded => return Vec::new(),
            };
            let reached = hold.removed.iter().filter(|held| held.fate == fate);
            reached.map(|held| (name(held), said)).collect::<Vec<_>>()
        });
        Self(said.collect())
    }

    /// What was said about a deletion.
    #[must_use]
    pub fn about(&self, deletion: &HeldDeletion) -> Said {
        self.0.get(&name(deletion)).copied().unwrap_or(Said::Nothing)
    }
}

/// Everything mapped that one calendar no longer has.
#[derive(Clone, Debug, Default)]
pub struct Picture(Vec<(HeldDeletion, Said)>);

/// What is done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// Decided now, as any deletion there is.
    pub settle: Vec<HeldDeletion>,
    /// Refused: the events stay.
    pub keep: Vec<HeldDeletion>,
    /// Waits for a person.
    pub wait: Vec<HeldDeletion>,
}

impl Picture {
    /// Puts what is missing beside what was said. `free`: nothing here is lost by that deletion.
    #[must_use]
    pub fn new(answers: &Answers, missing: impl IntoIterator<Item = (HeldDeletion, bool)>) -> Self {
        let said = |deletion: &HeldDeletion, free| if free { Said::Free } else { answers.about(deletion) };
        Self(
            missing
                .into_iter()
                .map(|(deletion, free)| {
                    let said = said(&deletion, free);
                    (deletion, said)
                })
                .collect(),
        )
    }

    fn count(&self, wanted: &[Said]) -> usize {
        self.0.iter().filter(|(_, said)| wanted.contains(said)).count()
    }

    /// What the brake judges: what somebody has answered for is no part of it, nor what nobody loses.
    #[must_use]
    pub fn loss(&self, mapped: usize, doubtful: bool) -> Loss {
        let answered = self.count(&[Said::Free, Said::Approved, Said::Kept]);
        Loss { mapped: mapped.saturating_sub(answered), deleted: self.count(&[Said::Nothing, Said::Asked]), doubtful }
    }

    /// Sorts it. `stopped`: the brake holds what nobody has answered for. What somebody was asked about waits whatever the brake
    /// says by now, and with it what has gone since: one calendar has one cursor.
    #[must_use]
    pub fn sorted(&self, stopped: bool) -> Sorted {
        let waits = stopped || self.count(&[Said::Asked]) > 0;
        let mut sorted = Sorted::default();
        for (deletion, said) in &self.0 {
            let list = match said {
                Said::Kept => &mut sorted.keep,
                Said::Nothing | Said::Asked if waits => &mut sorted.wait,
                Said::Free | Said::Approved | Said::Nothing | Said::Asked => &mut sorted.settle,
            };
            list.push(deletion.clone());
        }
        sorted
    }
}

/// What becomes of a calendar's holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Those that are not as they were.
    pub changed: Vec<Hold>,
    /// What waits is no hold that is there: it becomes one of its own.
    pub asks: bool,
    /// It holds deletions that nobody was asked about before.
    pub grows: bool,
}

/// Follows a picture through the calendar's holds. `complete`: everything that the calendar lacks is in the picture. `restores`:
/// what is kept is queued to be written there again.
#[must_use]
pub fn follow(holds: &[Hold], sorted: &Sorted, complete: bool, restores: bool) -> Followed {
    let names = |list: &[HeldDeletion]| list.iter().map(name).collect::<BTreeSet<_>>();
    let (settled, kept, waiting) = (names(&sorted.settle), names(&sorted.keep), names(&sorted.wait));
    let mut followed = Followed { asks: !waiting.is_empty(), grows: !waiting.is_empty(), ..Followed::default() };
    for hold in holds {
        let mut now = hold.clone();
        let open = now.removed.iter_mut().filter(|held| matches!(held.fate, HeldFate::Open | HeldFate::Kept));
        for held in open {
            let name = name(held);
            held.fate = match hold.state {
                _ if settled.contains(&name) => HeldFate::Deleted,
                HoldState::Refused if kept.contains(&name) && restores => HeldFate::Restored,
                HoldState::Refused if kept.contains(&name) || !complete => HeldFate::Kept,
                HoldState::Held if waiting.contains(&name) => HeldFate::Open,
                _ => HeldFate::Back,
            };
        }
        now.state = match hold.state {
            HoldState::Held => {
                let asked = names(&hold.removed);
                followed.asks &= asked != waiting;
                followed.grows &= !waiting.is_subset(&asked);
                if asked == waiting { HoldState::Held } else { HoldState::Superseded }
            }
            HoldState::Approved => HoldState::CarriedOut,
            HoldState::Refused if now.count(HeldFate::Kept) == 0 => HoldState::Restored,
            other => other,
        };
        if now != *hold {
            followed.changed.push(now);
        }
    }
    followed
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::engine::sync::brake::{BrakeRules, judge};

    fn gone(number: u32, revision: &str) -> HeldDeletion {
        HeldDeletion {
            remote_id: RemoteEventId(format!("{number}.ics")),
            event_id: EventId(Uuid::from_u128(number.into())),
            revision: Some(revision.into()),
            fate: HeldFate::Open,
        }
    }

    fn all(numbers: std::ops::Range<u32>) -> Vec<HeldDeletion> {
        numbers.map(|number| gone(number, "1")).collect()
    }

    fn hold(removed: Vec<HeldDeletion>, state: HoldState) -> Hold {
        let fate = if state == HoldState::Refused { HeldFate::Kept } else { HeldFate::Open };
        Hold {
            id: Uuid::from_u128(1).into(),
            space_id: "home".parse().expect("an id"),
            account_id: Uuid::from_u128(2).into(),
            calendar_id: Uuid::from_u128(3).into(),
            removed: removed.into_iter().map(|held| HeldDeletion { fate, ..held }).collect(),
            mapped: 0,
            reason: String::new(),
            state,
            created_at: DateTime::UNIX_EPOCH,
            decided_at: None,
        }
    }

    /// What a round does that finds `missing` of `mapped` events missing, under these holds.
    fn round(holds: &[Hold], mapped: usize, missing: &[HeldDeletion]) -> (Sorted, Followed) {
        let picture = Picture::new(&Answers::of(holds), missing.iter().map(|held| (held.clone(), false)));
        let stopped = judge(&[picture.loss(mapped, false)], &BrakeRules::default())[0].is_some();
        let sorted = picture.sorted(stopped);
        let followed = follow(holds, &sorted, true, false);
        (sorted, followed)
    }

    #[test]
    fn an_approval_reaches_what_was_asked_about_and_is_used_up() {
        let (sorted, followed) = round(&[hold(all(0..40), HoldState::Approved)], 60, &all(0..40));
        assert_eq!((sorted.settle.len(), sorted.wait.len(), followed.asks), (40, 0, false));
        let done = &followed.changed[0];
        assert_eq!((done.state, done.count(HeldFate::Deleted)), (HoldState::CarriedOut, 40));
        let (sorted, followed) = round(std::slice::from_ref(done), 60, &all(0..40));
        assert_eq!((sorted.settle.len(), sorted.wait.len(), followed.grows), (0, 40, true), "it is judged anew");
    }

    #[test]
    fn what_came_back_is_no_longer_approved() {
        let (sorted, followed) = round(&[hold(all(0..40), HoldState::Approved)], 60, &[]);
        assert_eq!(sorted, Sorted::default());
        assert_eq!((followed.changed[0].state, followed.changed[0].count(HeldFate::Back)), (HoldState::CarriedOut, 40));
        let edited: Vec<_> = (0..40).map(|number| gone(number, "2")).collect();
        let (sorted, followed) = round(&[hold(all(0..40), HoldState::Approved)], 60, &edited);
        assert_eq!((sorted.settle.len(), sorted.wait.len(), followed.asks), (0, 40, true), "in another state");
    }

    #[test]
    fn an_approval_says_nothing_of_what_went_later() {
        let (sorted, followed) = round(&[hold(all(0..40), HoldState::Approved)], 60, &all(0..58));
        assert_eq!((sorted.settle, sorted.wait.len(), followed.asks), (all(0..40), 18, true));
        let (sorted, followed) = round(&[hold(all(0..40), HoldState::Approved)], 60, &all(0..42));
        assert_eq!((sorted.settle.len(), sorted.wait.len(), followed.asks), (42, 0, false), "two of twenty are few");
    }

    #[test]
    fn what_is_asked_about_waits_however_its_calendar_grows() {
        let asked = [hold(all(0..100), HoldState::Held)];
        let (sorted, followed) = round(&asked, 240, &all(0..100));
        assert_eq!((sorted.settle.len(), sorted.wait.len()), (0, 100));
        assert_eq!(followed, Followed::default(), "the same hold waits on");
        let (sorted, followed) = round(&asked, 240, &all(0..101));
        assert_eq!((sorted.wait.len(), followed.asks, followed.grows), (101, true, true));
        assert_eq!(followed.changed[0].state, HoldState::Superseded);
        let (sorted, followed) = round(&asked, 240, &all(0..20));
        assert_eq!((sorted.wait.len(), followed.asks, followed.grows), (20, true, false), "nobody is asked about more");
        assert_eq!(followed.changed[0].count(HeldFate::Back), 80);
        let (sorted, followed) = round(&asked, 240, &[]);
        assert_eq!(
            (sorted, followed.asks, followed.changed[0].state),
            (Sorted::default(), false, HoldState::Superseded)
        );
    }

    #[test]
    fn a_refusal_lasts_whatever_else_grows_and_whatever_else_goes() {
        let refused = [hold(all(0..100), HoldState::Refused)];
        for (mapped, missing) in [(180, 0..100), (240, 0..100), (240, 0..40), (900, 0..1)] {
            let (sorted, _) = round(&refused, mapped, &all(missing.clone()));
            assert_eq!((sorted.keep, sorted.settle.len()), (all(missing), 0));
        }
        let (sorted, _) = round(&refused, 240, &all(0..110));
        assert_eq!((sorted.keep.len(), sorted.settle.len()), (100, 10), "ten others of 140 go");
        let (sorted, followed) = round(&refused, 240, &all(0..220));
        assert_eq!((sorted.keep.len(), sorted.wait.len(), followed.asks), (100, 120, true), "a second question");
    }

    #[test]
    fn a_refusal_ends_when_nothing_of_it_is_missing() {
        let refused = [hold(all(0..10), HoldState::Refused)];
        let (sorted, _) = round(&refused, 20, &all(0..10));
        let restored = follow(&refused, &sorted, false, true).changed;
        assert_eq!((restored[0].state, restored[0].count(HeldFate::Restored)), (HoldState::Restored, 10));
        assert_eq!(Answers::of(&restored).about(&gone(1, "1")), Said::Nothing, "a later deletion is judged anew");
        let back = round(&refused, 20, &[]).1.changed;
        assert_eq!((back[0].state, back[0].count(HeldFate::Back)), (HoldState::Restored, 10));
        assert_eq!(follow(&refused, &Sorted::default(), false, false), Followed::default(), "a part says nothing");
    }

    #[test]
    fn what_is_deleted_here_too_waits_for_nobody() {
        let asked = [hold(all(0..6), HoldState::Held)];
        let picture = Picture::new(&Answers::of(&asked), all(0..6).into_iter().map(|held| (held, true)));
        assert_eq!((picture.loss(6, false).deleted, picture.sorted(true).settle.len()), (0, 6));
    }
}
