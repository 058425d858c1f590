//! Opening an account: what is stored about it, and its provider, authorised and ready.

use std::sync::Arc;

use super::{Refusal, Services};
use crate::{
    domain::{
        account::Account,
        calendar::Calendar,
        conflict::HoldState,
        ids::{AccountId, CalendarId},
        mapping::Canonical,
        person::{Scope, User},
    },
    provider::Provider,
    store::Mode,
};

/// An account, opened: everything a round needs that does not change while it runs.
pub struct OpenedAccount {
    /// The account.
    pub account: Account,
    /// Its owner.
    pub user: User,
    /// Its calendars.
    pub calendars: Vec<Calendar>,
    /// Those of them with deletions that were held when it was opened, and are not carried out or kept yet.
    pub asked: Vec<(CalendarId, HoldState)>,
    /// Its provider.
    pub provider: Arc<dyn Provider>,
}

impl OpenedAccount {
    /// What the provider makes of content, where it takes any.
    pub(super) fn form(&self) -> Option<&dyn Canonical> {
        self.provider.writer().map(|writer| -> &dyn Canonical { writer })
    }
}

impl Services {
    /// Loads an account and opens its provider.
    pub async fn open_account(&self, id: AccountId) -> Result<OpenedAccount, Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let account = tx.account(&Scope::Whole, id).await?.ok_or(Refusal::NotFound("account"))?;
        let user = tx.user(&account.user_id).await?.ok_or(Refusal::NotFound("user"))?;
        let calendars = tx.calendars_of(id).await?;
        let mut asked = Vec::new();
        for state in [HoldState::Held, HoldState::Approved, HoldState::Refused] {
            asked.extend(
                tx.holds(&Scope::Whole, Some(id), Some(state)).await?.into_iter().map(|hold| (hold.calendar_id, state)),
            );
        }
        let mut secrets = tx.secrets_of(id).await?;
        let mut grant = tx.grant_of(id).await?;
        tx.commit().await?;
        if let Some(held) = &grant {
            self.ensure_fresh(id, held).await?;
            let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
            secrets = tx.secrets_of(id).await?;
            grant = tx.grant_of(id).await?;
            tx.commit().await?;
        }
        let provider = self.connections.get(&account, &secrets, grant.as_ref(), &self.vault)?;
        Ok(OpenedAccount { account, user, calendars, asked, provider })
    }
}
