//! A person's answer to held deletions, and what it means for the events.

use super::{Refusal, Services, write::WriteTx};
use crate::{
    domain::{
        calendar::Calendar,
        conflict::{HeldDeletion, HeldFate, Hold, HoldState, Severity},
        ids::HoldId,
        mapping::{Event, Mapping},
        notice::{Notice, NoticeSubject},
        person::Scope,
        round::Cause,
    },
    engine::sync::hold::{Answers, Said},
    store::{StoreError, Tx},
};

/// Held events that are shown with their hold.
const HELD_SHOWN: usize = 100;

/// A hold and the first of its events.
#[derive(Clone, Debug)]
pub struct HoldShown {
    /// The hold.
    pub hold: Hold,
    /// Its events, the first hundred.
    pub events: Vec<Event>,
    /// Whether its calendar takes changes from here; `None`: there is no such calendar any more.
    pub takes_writes: Option<bool>,
}

impl Services {
    /// Approves or refuses held deletions: exactly those of the hold. Approved, the next round carries them out, and the approval
    /// is used up. Refused, the events stay, and the next round queues what puts them into their calendar again, where that takes
    /// changes from here.
    pub async fn decide_hold(&self, scope: &Scope, id: HoldId, approve: bool) -> Result<HoldShown, Refusal> {
        let decide = async |write: &mut WriteTx<'_>| {
            let hold = self.put_answer(write, scope, id, approve).await?;
            Ok(self.shown(write, hold).await?)
        };
        self.write(decide).await
    }

    async fn put_answer(
        &self,
        tx: &mut WriteTx<'_>,
        scope: &Scope,
        id: HoldId,
        approve: bool,
    ) -> Result<Hold, Refusal> {
        let mut hold = tx.hold(scope, id).await?.ok_or(Refusal::NotFound("hold"))?;
        let calendar = tx.calendar(&Scope::Whole, hold.calendar_id).await?.ok_or(Refusal::NotFound("calendar"))?;
        let (state, fate) =
            if approve { (HoldState::Approved, HeldFate::Open) } else { (HoldState::Refused, HeldFate::Kept) };
        if hold.state == state {
            return Ok(hold);
        }
        if !matches!(hold.state, HoldState::Held | HoldState::Approved) {
            return Err(Refusal::Invalid { field: "state", why: ended(hold.state) });
        }
        // A round that is under way has judged without this answer: it comes before that round's last transaction, or after it.
        if !tx.claim_calendar(calendar.id, calendar.version).await? {
            return Err(Refusal::Store(StoreError::Busy));
        }
        hold.state = state;
        hold.removed.iter_mut().for_each(|held| held.fate = fate);
        hold.decided_at = Some(self.world.now());
        tx.put_hold(&hold).await?;
        // What was approved is what happens next; what is kept may be here alone from now on, which its owner should know.
        if let Some(account) = tx.account(&Scope::Whole, hold.account_id).await?.filter(|_| !approve) {
            let owner = (&account.space_id, &account.user_id);
            let kept = hold.count(HeldFate::Kept);
            let subject = NoticeSubject::DeletionsRefused { kept, written_back: calendar.takes_writes() };
            let notice = Notice::new(self.world.new_id(), owner, (subject, Severity::Normal), self.world.now());
            tx.put_notice(&Notice { account_id: Some(account.id), ..notice }).await?;
        }
        tx.wake(hold.account_id, Cause::Requested);
        Ok(hold)
    }

    /// A hold with its events.
    pub(super) async fn shown(&self, tx: &mut Tx, hold: Hold) -> Result<HoldShown, StoreError> {
        let ids: Vec<_> = hold.removed.iter().take(HELD_SHOWN).map(|held| held.event_id).collect();
        let events = tx.events_by_ids(&ids).await?;
        let calendar = tx.calendar(&Scope::Whole, hold.calendar_id).await?;
        let takes_writes = calendar.as_ref().map(Calendar::takes_writes);
        Ok(HoldShown { hold, events, takes_writes })
    }
}

/// What somebody has said, or is asked, about a copy whose calendar no longer has it.
pub(super) async fn said_about(tx: &mut Tx, copy: &Mapping) -> Result<Said, StoreError> {
    let holds = tx.holds_in_force(copy.calendar_id).await?;
    Ok(Answers::of(&holds).about(&HeldDeletion::of(copy)))
}

/// Whether an event is in its calendar no longer and stays here because its owner has refused its deletion.
pub(super) async fn is_only_here(tx: &mut Tx, event: &Event) -> Result<bool, StoreError> {
    let Some(home) = event.calendar_id else { return Ok(true) };
    let Some(copy) = tx.mapping_of(event.id, home).await? else { return Ok(false) };
    Ok(said_about(tx, &copy).await? == Said::Kept)
}

/// Why a hold takes no answer any more.
fn ended(state: HoldState) -> String {
    let why = match state {
        HoldState::CarriedOut => {
            "these deletions were approved and carried out; bring the events back one by one instead: POST /v1/events/{id}/restore"
        }
        HoldState::Refused | HoldState::Restored => {
            "these deletions were refused, and the events stay; delete the events themselves instead"
        }
        HoldState::Held | HoldState::Approved | HoldState::Superseded => {
            "what is missing in the calendar has changed since; read the account's holds again and answer the one that waits"
        }
    };
    why.to_owned()
}
