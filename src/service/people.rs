//! Users, spaces and memberships.

use chrono_tz::Tz;

use super::{Refusal, Services, repeat_request::EMPTIED, write::WriteTx};
use crate::{
    domain::{
        conflict::AuditLine,
        ids::{AccountId, SpaceId, UserId},
        person::{Scope, Space, User, WorkingHours},
    },
    store::Mode,
};

/// Accounts of a user read at a time.
const ACCOUNTS_BATCH: u32 = 500;

/// What a caller says of a user.
#[derive(Clone, Debug)]
pub struct UserFacts {
    /// What people call them.
    pub name: String,
    /// Where their days are.
    pub time_zone: Tz,
    /// When they work.
    pub working_hours: WorkingHours,
}

impl Services {
    /// Makes or changes a user. A new one gets a space of their own.
    pub async fn put_user(&self, id: &UserId, facts: UserFacts) -> Result<User, Refusal> {
        self.put_user_if(id, None, facts).await
    }

    /// The same, if the user has the version that the caller has seen.
    pub async fn put_user_if(
        &self,
        id: &UserId,
        expected_version: Option<i64>,
        facts: UserFacts,
    ) -> Result<User, Refusal> {
        let now = self.world.now();
        let mut tx = self.begin_write().await?;
        let held = tx.user(id).await?;
        if expected_version.is_some_and(|expected| held.as_ref().is_none_or(|user| user.version != expected)) {
            return Err(Refusal::Stale);
        }
        let moved = held.as_ref().is_none_or(|held| held.time_zone != facts.time_zone);
        let user = if let Some(held) = held {
            User {
                name: facts.name,
                time_zone: facts.time_zone,
                working_hours: facts.working_hours,
                version: held.version + 1,
                ..held
            }
        } else {
            let home_space = SpaceId::home_of(id);
            // Else the new user would own what others keep in a space of that name.
            if !tx.members_of(&home_space).await?.is_empty() {
                let why = "a space that others use has this id; choose another for the user".to_owned();
                return Err(Refusal::Invalid { field: "id", why });
            }
            tx.put_space(&Space { id: home_space.clone(), name: facts.name.clone(), created_at: now }).await?;
            User {
                id: id.clone(),
                name: facts.name,
                time_zone: facts.time_zone,
                working_hours: facts.working_hours,
                home_space,
                created_at: now,
                version: 1,
            }
        };
        tx.put_user(&user).await?;
        tx.put_member(&user.home_space, id, "owner").await?;
        tx.commit().await?;
        if moved {
            // Where they are now another day may have begun, and the zone an actor of its own to come.
            self.roll_group(std::slice::from_ref(&user), now).await;
            self.wake_planner();
        }
        Ok(user)
    }

    /// A user who shares a space with the caller.
    pub async fn user(&self, scope: &Scope, id: &UserId) -> Result<User, Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let user = tx.user(id).await?.filter(|user| scope.admits(&user.home_space));
        tx.commit().await?;
        user.ok_or(Refusal::NotFound("user"))
    }

    /// Forgets a user with everything kept about them; answers which accounts have lost their ground.
    pub async fn delete_user(&self, scope: &Scope, actor: &str, id: &UserId) -> Result<Vec<AccountId>, Refusal> {
        let user = self.user(scope, id).await?;
        let work = async |write: &mut WriteTx<'_>| {
            let mut gone = Vec::new();
            loop {
                let page = write.accounts(&Scope::Whole, Some(id), gone.last().copied(), ACCOUNTS_BATCH).await?;
                if page.is_empty() {
                    break;
                }
                gone.extend(page.iter().map(|account| account.id));
            }
            if !write.delete_user(id).await? {
                return Err(Refusal::NotFound("user"));
            }
            // Kept answers about this user went along; others may speak of them too.
            write.blank_idempotency(EMPTIED).await?;
            // The space may have other members; the name in it was the user's.
            if let Some(space) = write.space(&user.home_space).await? {
                write.put_space(&Space { name: String::new(), ..space }).await?;
            }
            let line = AuditLine {
                id: self.world.new_id(),
                space_id: Some(user.home_space.clone()),
                account_id: None,
                actor: actor.to_owned(),
                action: "user.deleted".to_owned(),
                subject: id.to_string(),
                detail: serde_json::json!({ "accounts": gone.len() }),
                at: self.world.now(),
            };
            write.audit(&[line]).await?;
            Ok(gone)
        };
        let gone: Vec<AccountId> = self.write(work).await?;
        for account in &gone {
            self.connections.forget(*account);
        }
        Ok(gone)
    }

    /// Makes a space or renames it.
    pub async fn put_space(&self, id: &SpaceId, name: &str) -> Result<Space, Refusal> {
        self.write(async |write| {
            let created_at = write.space(id).await?.map_or_else(|| self.world.now(), |held| held.created_at);
            let space = Space { id: id.clone(), name: name.to_owned(), created_at };
            write.put_space(&space).await?;
            Ok(space)
        })
        .await
    }

    /// Puts a user into a space, or changes their role there.
    pub async fn put_member(&self, space: &SpaceId, user: &UserId, role: &str) -> Result<(), Refusal> {
        self.write(async |write| {
            write.space(space).await?.ok_or(Refusal::NotFound("space"))?;
            write.user(user).await?.ok_or(Refusal::NotFound("user"))?;
            write.put_member(space, user, role).await?;
            Ok(())
        })
        .await
    }

    /// Takes a user out of a space that is not their own.
    pub async fn remove_member(&self, space: &SpaceId, user: &UserId) -> Result<(), Refusal> {
        self.write(async |write| {
            let own = write.user(user).await?.is_some_and(|user| user.home_space == *space);
            if own || !write.remove_member(space, user).await? {
                return Err(Refusal::NotFound("membership that can end"));
            }
            Ok(())
        })
        .await
    }

    /// Whether this user is in a space that the caller sees.
    pub async fn shares_a_space(&self, scope: &Scope, id: &UserId) -> Result<bool, Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        let spaces = tx.spaces_of(id).await?;
        tx.commit().await?;
        Ok(spaces.iter().any(|space| scope.admits(space)))
    }

    /// What a request that acts for this user may see.
    pub async fn scope_of(&self, id: &UserId) -> Result<Scope, Refusal> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        tx.user(id).await?.ok_or(Refusal::NotFound("user"))?;
        let spaces = tx.spaces_of(id).await?;
        tx.commit().await?;
        Ok(Scope::Spaces(spaces))
    }
}
