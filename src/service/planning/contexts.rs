//! Contexts: what a user's work is grouped by, and where its blocks are shown.

use super::{
    super::{
        Services,
        write::{WriteTx, writable},
    },
    person::person,
};
use crate::{
    domain::{
        calendar::Calendar,
        context::{Context, ContextVisibility},
        ids::{CalendarId, ContextId, UserId},
        person::Scope,
    },
    service::Refusal,
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

fn check(facts: &ContextFacts) -> Result<(), Refusal> {
    let length = facts.name.trim().chars().count();
    if (1..=NAME_CHARS_MAX).contains(&length) {
        return Ok(());
    }
    let why = format!("between 1 and {NAME_CHARS_MAX} characters");
    Err(Refusal::Invalid { field: "name", why })
}

impl Services {
    /// The contexts of a user, by name.
    pub async fn contexts(&self, scope: &Scope, user: &UserId) -> Result<Vec<Context>, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        tx.user(user).await?.ok_or(Refusal::NotFound("user"))?;
        let found = tx.contexts_of(scope, user).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// One of them.
    pub async fn context(&self, scope: &Scope, id: ContextId) -> Result<Context, Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let found = tx.context(scope, id).await?.ok_or(Refusal::NotFound("context"))?;
        tx.commit().await?;
        Ok(found)
    }

    /// Makes one.
    pub async fn create_context(&self, scope: &Scope, user: &UserId, facts: ContextFacts) -> Result<Context, Refusal> {
        check(&facts)?;
        self.write(async |write| {
            let user = person(write, scope, user).await?;
            self.check_target(write, scope, facts.calendar_id).await?;
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
            write.put_context(&context).await?;
            Ok(context)
        })
        .await
    }

    /// Changes one: `edit` gives what it says from what it said. What is published moves, appears or disappears with it.
    pub async fn change_context(
        &self,
        scope: &Scope,
        id: ContextId,
        expected_version: Option<i64>,
        edit: impl Fn(ContextFacts) -> ContextFacts,
    ) -> Result<Context, Refusal> {
        self.write(async |write| {
            let mut context = write.context(scope, id).await?.ok_or(Refusal::NotFound("context"))?;
            if expected_version.is_some_and(|expected| expected != context.version) {
                return Err(Refusal::Stale);
            }
            let facts = edit(ContextFacts {
                name: context.name.clone(),
                visibility: context.visibility,
                calendar_id: context.calendar_id,
            });
            check(&facts)?;
            self.check_target(write, scope, facts.calendar_id).await?;
            let before = context.publishes_to();
            facts.name.trim().clone_into(&mut context.name);
            context.visibility = facts.visibility;
            context.calendar_id = facts.calendar_id;
            context.updated_at = self.world.now();
            context.version += 1;
            write.put_context(&context).await?;
            if context.publishes_to() != before {
                self.reflect_context(write, &context.user_id, id).await?;
            }
            Ok(context)
        })
        .await
    }

    /// Deletes one. Its tasks stay, and what it published is taken back.
    pub async fn delete_context(&self, scope: &Scope, id: ContextId) -> Result<(), Refusal> {
        self.write(async |write| {
            let context = write.context(scope, id).await?.ok_or(Refusal::NotFound("context"))?;
            let private = Context { visibility: ContextVisibility::Private, ..context };
            write.put_context(&private).await?;
            self.reflect_context(write, &private.user_id, id).await?;
            write.delete_context(id).await?;
            Ok(())
        })
        .await
    }

    async fn check_target(&self, tx: &mut Tx, scope: &Scope, calendar: Option<CalendarId>) -> Result<(), Refusal> {
        match calendar {
            Some(calendar) => writable(tx, scope, calendar).await.map(drop),
            None => Ok(()),
        }
    }

    /// A calendar takes writes again: what is planned and published there is shown there again.
    pub(in crate::service) async fn show_again(
        &self,
        write: &mut WriteTx<'_>,
        calendar: &Calendar,
    ) -> Result<(), StoreError> {
        let contexts = self.contexts_shown_in(write, calendar).await?;
        self.reflect_contexts(write, &contexts).await
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

    /// Brings the events of these contexts' blocks to where they are shown by now.
    pub(in crate::service) async fn reflect_contexts(
        &self,
        write: &mut WriteTx<'_>,
        contexts: &[Context],
    ) -> Result<(), StoreError> {
        for context in contexts {
            self.reflect_context(write, &context.user_id, context.id).await?;
        }
        Ok(())
    }

    /// Brings the events of all blocks of a context to where it publishes now.
    async fn reflect_context(
        &self,
        write: &mut WriteTx<'_>,
        user: &UserId,
        context: ContextId,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = write.tasks_of(&Scope::Whole, user, false, Some(context), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for task in &page {
                self.reflect_task(write, task).await?;
            }
        }
    }
}

/// Tasks looked at together.
const PAGE: u32 = 200;
