//! Accounts, calendars, rounds, queues and figures, read for the people they belong to.

use std::collections::BTreeSet;

use super::{Refusal, Services, answer_hold::HoldShown};
use crate::{
    domain::{
        account::Account,
        calendar::Calendar,
        grant::Grant,
        ids::{AccountId, RoundId, UserId},
        outbox::OutboxEntry,
        person::Scope,
        round::Round,
    },
    store::{Counts, Mode},
};

/// Queued writes shown at most; the most urgent first.
const OUTBOX_SHOWN_MAX: u32 = 500;

/// Accounts read at a time.
const ACCOUNTS_BATCH: u32 = 500;

/// An account with what its owner wants to see beside it.
#[derive(Clone, Debug)]
pub struct AccountFacts {
    /// The account.
    pub account: Account,
    /// Its calendars.
    pub calendars: Vec<Calendar>,
    /// The newest round that came to its end.
    pub last_round: Option<Round>,
    /// What its owner granted, when it was connected by consent.
    pub grant: Option<Grant>,
}

impl Services {
    /// One account.
    pub async fn account(&self, scope: &Scope, id: AccountId) -> Result<AccountFacts, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let account = tx.account(scope, id).await?.ok_or(Refusal::NotFound("account"))?;
        let calendars = tx.calendars_of(id).await?;
        let last_round = tx.last_round(id).await?;
        let grant = tx.grant_of(id).await?;
        tx.commit().await?;
        Ok(AccountFacts { account, calendars, last_round, grant })
    }

    /// Accounts in the order they were made, of one user or of all.
    pub async fn accounts(
        &self,
        scope: &Scope,
        user: Option<&UserId>,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountFacts>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let mut found = Vec::new();
        for account in tx.accounts(scope, user, after, limit).await? {
            let calendars = tx.calendars_of(account.id).await?;
            let last_round = tx.last_round(account.id).await?;
            let grant = tx.grant_of(account.id).await?;
            found.push(AccountFacts { account, calendars, last_round, grant });
        }
        tx.commit().await?;
        Ok(found)
    }

    /// The accounts of a scope; `None`: all.
    pub async fn visible_accounts(&self, scope: &Scope) -> Result<Option<BTreeSet<AccountId>>, Refusal> {
        if *scope == Scope::Whole {
            return Ok(None);
        }
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let mut seen = BTreeSet::new();
        loop {
            let page = tx.accounts(scope, None, seen.last().copied(), ACCOUNTS_BATCH).await?;
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|account| account.id));
        }
        tx.commit().await?;
        Ok(Some(seen))
    }

    /// The rounds of an account, newest first.
    pub async fn rounds(
        &self,
        scope: &Scope,
        id: AccountId,
        before: Option<RoundId>,
        limit: u32,
    ) -> Result<Vec<Round>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.account(scope, id).await?.ok_or(Refusal::NotFound("account"))?;
        let rounds = tx.rounds_of(scope, id, before, limit).await?;
        tx.commit().await?;
        Ok(rounds)
    }

    /// The writes an account owes, most urgent first.
    pub async fn outbox(&self, scope: &Scope, id: AccountId) -> Result<Vec<OutboxEntry>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.account(scope, id).await?.ok_or(Refusal::NotFound("account"))?;
        let owed = tx.outbox_of(scope, id, OUTBOX_SHOWN_MAX).await?;
        tx.commit().await?;
        Ok(owed)
    }

    /// The deletions the brake stopped in an account, newest first.
    pub async fn holds(&self, scope: &Scope, id: AccountId) -> Result<Vec<HoldShown>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.account(scope, id).await?.ok_or(Refusal::NotFound("account"))?;
        let mut holds = Vec::new();
        for hold in tx.holds(scope, Some(id), None).await? {
            holds.push(self.shown(&mut tx, hold).await?);
        }
        tx.commit().await?;
        Ok(holds)
    }

    /// How much there is of what.
    pub async fn counts(&self) -> Result<Counts, Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let counts = tx.counts().await?;
        tx.commit().await?;
        Ok(counts)
    }
}
