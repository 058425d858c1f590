//! Contexts: what a user's work is grouped by, and where its blocks are shown.

use super::{
    super::{Services, edit_event::EditError},
    outside::stored,
    person::person,
};
use crate::{
    domain::{
        calendar::Calendar,
        context::{Context, ContextVisibility},
        ids::{AccountId, CalendarId, ContextId, UserId},
        person::Scope,
        round::Cause,
    },
    store::{Mode, StoreError, Tx},
};

/// What a caller says of a context.
#[derive(Clone, Debug)]
pub struct ContextFacts {
    /// What people call it.
    pub name: String,
    /// Whether it may leave.
    pub visibility: ContextVisibility,
    /// Where its blocks' events live.
    pub calendar_id: Option<CalendarId>,
}

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 200;

fn check(facts: &ContextFacts) -> Result<(), EditError> {
    let length = facts.name.trim().chars().count();
    if (1..=NAME_CHARS_MAX).contains(&length) {
        return Ok(());
    }
    let why = format!("between 1 and {NAME_CHARS_MAX} characters");
    Err(EditError::Invalid { field: "name", why })
}

impl Services {
    /// The contexts of a user, by name.
    pub async fn contexts(&self, scope: &Scope, user: &UserId) -> Result<Vec<Context>, EditError> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.user(user).await?.ok_or(EditError::NotFound("user"))?;
        let found = tx.contexts_of(scope, user).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// One of them.
    pub async fn context(&self, scope: &Scope, id: ContextId) -> Result<Context, EditError> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let found = tx.context(scope, id).await?.ok_or(EditError::NotFound("context"))?;
        tx.commit().await?;
        Ok(found)
    }

    /// Makes one.
    pub async fn create_context(
        &self,
        scope: &Scope,
        user: &UserId,
        facts: ContextFacts,
    ) -> Result<Context, EditError> {
        check(&facts)?;
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let user = person(&mut tx, scope, user).await?;
        self.check_target(&mut tx, scope, facts.calendar_id).await?;
        let now = self.world.now();
        let context = Context {
            id: self.world.new_id(),
            space_id: user.home_space,
            user_id: user.id,
            name: facts.name.trim().to_owned(),
            visibility: facts.visibility,
            calendar_id: facts.calendar_id,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        tx.put_context(&context).await?;
        tx.commit().await?;
        Ok(context)
    }

    /// Changes one. What is published moves, appears or disappears with it.
    pub async fn change_context(
        &self,
        scope: &Scope,
        id: ContextId,
        expected_version: Option<i64>,
        facts: ContextFacts,
    ) -> Result<Context, EditError> {
        check(&facts)?;
        again!(self.try_change_context(scope, id, expected_version, facts.clone()))
    }

    async fn try_change_context(
        &self,
        scope: &Scope,
        id: ContextId,
        expected_version: Option<i64>,
        facts: ContextFacts,
    ) -> Result<Context, EditError> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let mut context = tx.context(scope, id).await?.ok_or(EditError::NotFound("context"))?;
        if expected_version.is_some_and(|expected| expected != context.version) {
            return Err(EditError::Stale);
        }
        self.check_target(&mut tx, scope, facts.calendar_id).await?;
        let before = context.publishes_to();
        context.name = facts.name.trim().to_owned();
        context.visibility = facts.visibility;
        context.calendar_id = facts.calendar_id;
        context.updated_at = self.world.now();
        context.version += 1;
        tx.put_context(&context).await?;
        let mut wake = Vec::new();
        if context.publishes_to() != before {
            wake = self.reflect_context(&mut tx, &context.user_id, id).await?;
        }
        tx.commit().await?;
        self.wake_all(&wake, Cause::LocalEdit);
        Ok(context)
    }

    /// Deletes one. Its tasks stay, and what it published is taken back.
    pub async fn delete_context(&self, scope: &Scope, id: ContextId) -> Result<(), EditError> {
        again!(self.try_delete_context(scope, id))
    }

    async fn try_delete_context(&self, scope: &Scope, id: ContextId) -> Result<(), EditError> {
        let mut tx = self.store.begin(Mode::Write, scope).await?;
        let context = tx.context(scope, id).await?.ok_or(EditError::NotFound("context"))?;
        let private = Context { visibility: ContextVisibility::Private, ..context };
        tx.put_context(&private).await?;
        let wake = self.reflect_context(&mut tx, &private.user_id, id).await?;
        tx.delete_context(id).await?;
        tx.commit().await?;
        self.wake_all(&wake, Cause::LocalEdit);
        Ok(())
    }

    async fn check_target(&self, tx: &mut Tx, scope: &Scope, calendar: Option<CalendarId>) -> Result<(), EditError> {
        match calendar {
            Some(calendar) => self.writable(tx, scope, calendar).await.map(drop),
            None => Ok(()),
        }
    }

    /// A calendar takes writes again: what is planned and published there is shown there again; answers whom to wake.
    pub(in crate::service) async fn show_again(
        &self,
        tx: &mut Tx,
        calendar: &Calendar,
    ) -> Result<Vec<AccountId>, EditError> {
        let contexts = self.contexts_shown_in(tx, calendar).await?;
        Ok(self.reflect_contexts(tx, &contexts).await?)
    }

    /// The contexts whose blocks a calendar shows.
    pub(in crate::service) async fn contexts_shown_in(
        &self,
        tx: &mut Tx,
        calendar: &Calendar,
    ) -> Result<Vec<Context>, StoreError> {
        let Some(account) = tx.account(&Scope::Whole, calendar.account_id).await? else { return Ok(Vec::new()) };
        let mut contexts = tx.contexts_of(&Scope::Whole, &account.user_id).await?;
        contexts.retain(|context| context.publishes_to() == Some(calendar.id));
        Ok(contexts)
    }

    /// Brings the events of these contexts' blocks to where they are shown by now; answers whom to wake.
    pub(in crate::service) async fn reflect_contexts(
        &self,
        tx: &mut Tx,
        contexts: &[Context],
    ) -> Result<Vec<AccountId>, StoreError> {
        let mut wake = Vec::new();
        for context in contexts {
            wake.extend(self.reflect_context(tx, &context.user_id, context.id).await.map_err(stored)?);
        }
        Ok(wake)
    }

    /// Brings the events of all blocks of a context to where it publishes now.
    async fn reflect_context(
        &self,
        tx: &mut Tx,
        user: &UserId,
        context: ContextId,
    ) -> Result<Vec<AccountId>, EditError> {
        let mut wake = Vec::new();
        let mut after = None;
        loop {
            let page = tx.tasks_of(&Scope::Whole, user, false, Some(context), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(wake) };
            after = Some(last.id);
            for task in &page {
                wake.extend(self.reflect_task(tx, task).await?);
            }
        }
    }
}

/// Tasks looked at together.
const PAGE: u32 = 200;
