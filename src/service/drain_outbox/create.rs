//! Making a remote copy: under a chosen key, so that an attempt whose answer was lost is found instead of repeated.

use super::{Case, Desk, add};
use crate::{
    domain::{event::EventContent, failure::FailureClass, ids::Uid, mapping::RemoteEvent, person::Scope, round::Tally},
    engine::outbox::{is_withdrawal, may_still_arrive},
    provider::{Found, ProviderError},
    service::{Refusal, sync_round::changes::Changes},
    store::Mode,
};

/// Whether a copy is made again under the name that it had.
fn is_again(case: &Case) -> bool {
    case.remains.as_ref().is_some_and(|remains| remains.uid == case.entry.key)
}

impl Desk<'_> {
    pub(super) async fn create(&self, case: &Case, told: EventContent, tally: &mut Tally) -> Result<(), Refusal> {
        if !self.remember(case, &told).await? {
            return Ok(());
        }
        tally.writes += 1;
        let (calendar, key) = (&case.calendar.remote_id, &case.entry.key);
        let made = match &case.remains {
            Some(remains) if remains.was_read() => self.writer.make_again(calendar, key, remains, &told).await,
            _ => self.writer.create(calendar, key, &told).await,
        };
        match made {
            Ok(remote) => {
                tally.created += 1;
                self.confirm(case, &told, remote, tally).await
            }
            Err(error) if matches!(error.class, FailureClass::Conflict | FailureClass::Ambiguous) => {
                let refused = error.class == FailureClass::Conflict;
                let found = match self.find(case).await {
                    Err(Refusal::Provider(unread)) if !refused && unread.class == FailureClass::Malformed => {
                        return Err(Refusal::Provider(error));
                    }
                    found => found?,
                };
                match found {
                    Found::Here(remote) if self.is_anothers(case, &remote).await? => self.rename(case, error).await,
                    Found::Here(remote) => self.found(case, &told, remote, refused, tally).await,
                    // What lies in the bin under this name is what is made again: it was not let out, or nobody knows yet.
                    Found::Deleted if is_again(case) => {
                        if refused {
                            self.rename(case, error).await
                        } else {
                            Err(Refusal::Provider(error))
                        }
                    }
                    // An attempt before this one has made it, and somebody deleted it there.
                    Found::Deleted if !refused || !case.entry.sent.is_empty() => self.deleted_there(case, tally).await,
                    Found::Deleted | Found::Nothing if refused => self.rename(case, error).await,
                    Found::Deleted | Found::Nothing => Err(Refusal::Provider(error)),
                }
            }
            Err(error) => Err(Refusal::Provider(error)),
        }
    }

    /// Looks for what a create with this entry's key has made; where a copy is made again, first under the name that it had.
    async fn find(&self, case: &Case) -> Result<Found, Refusal> {
        if let Some(was) = case.remains.as_ref().filter(|was| is_again(case) && was.was_read()) {
            let there = self.writer.read(&case.calendar.remote_id, &was.remote_id).await.map_err(Refusal::Provider)?;
            if let Some(remote) = there {
                return Ok(Found::Here(remote));
            }
        }
        self.writer.find(&case.calendar.remote_id, &case.entry.key).await.map_err(Refusal::Provider)
    }

    /// Whether what was found under the name is another event's copy: somebody carried it here, or made it, under the same `UID`.
    async fn is_anothers(&self, case: &Case, remote: &RemoteEvent) -> Result<bool, Refusal> {
        let mut tx = self.services.store.begin(Mode::Read, &Scope::Whole).await?;
        let bonds = tx.mappings_by_remote(case.calendar.id, std::slice::from_ref(&remote.id)).await?;
        tx.commit().await?;
        Ok(bonds.iter().any(|(bond, _)| bond.event_id != case.event.id))
    }

    /// Bonds what a create has made.
    async fn found(
        &self,
        case: &Case,
        told: &EventContent,
        remote: RemoteEvent,
        refused: bool,
        tally: &mut Tally,
    ) -> Result<(), Refusal> {
        let scene = self.scene(case);
        let mut changes = Changes::default();
        let mut write = self.services.begin_write(&Scope::Whole).await?;
        let Some(event) = write.events_by_ids(&[case.event.id]).await?.into_iter().next() else { return Ok(()) };
        changes.link_made(&scene, event, remote, (&case.entry, told, refused), case.remains.as_ref());
        self.close(write, case, &changes).await?;
        tally.created += 1;
        add(tally, &changes);
        Ok(())
    }

    /// What we made there was deleted there before we had heard of it.
    async fn deleted_there(&self, case: &Case, tally: &mut Tally) -> Result<(), Refusal> {
        let scene = self.scene(case);
        let mut changes = Changes::default();
        let mut write = self.services.begin_write(&Scope::Whole).await?;
        let Some(event) = write.events_by_ids(&[case.event.id]).await?.into_iter().next() else { return Ok(()) };
        let entry = write.outbox_entry(event.id, case.calendar.id).await?;
        if entry.as_ref().is_some_and(is_withdrawal) {
            changes.settled.push((event.id, case.calendar.id));
        } else {
            changes.lose(&scene, event, &case.entry, case.remains.as_ref());
        }
        self.close(write, case, &changes).await?;
        add(tally, &changes);
        Ok(())
    }

    /// The server refuses the chosen name without holding the event (a trash bin, another calendar): choose another.
    async fn rename(&self, case: &Case, error: ProviderError) -> Result<(), Refusal> {
        let key = Uid(self.services.world.new_id::<uuid::Uuid>().to_string());
        self.amend(case, |entry| (entry.key, entry.sent) = (key, Vec::new())).await?;
        Err(Refusal::Provider(ProviderError { class: FailureClass::Transient, ..error }))
    }

    /// The event was deleted here, or its copy taken away, after a create whose answer was lost.
    pub(super) async fn find_to_delete(&self, case: &Case) -> Result<(), Refusal> {
        // The machine may sleep before the answer is looked at, and what was on its way arrives meanwhile.
        let asked = self.services.world.now();
        match self.find(case).await? {
            Found::Here(remote) if self.is_anothers(case, &remote).await? => self.settled(case).await,
            Found::Here(remote) => {
                let last = case.entry.sent.last().unwrap_or(&case.event.content).clone();
                self.found(case, &last, remote, false, &mut Tally::default()).await
            }
            Found::Nothing if may_still_arrive(&case.entry, case.event.deleted_at, asked) => {
                let detail = "the event was taken away while it was sent; looking again whether it arrived";
                Err(Refusal::Provider(ProviderError::new(FailureClass::Transient, detail)))
            }
            Found::Deleted | Found::Nothing => self.settled(case).await,
        }
    }
}
