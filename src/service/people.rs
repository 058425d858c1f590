//! Users, spaces and memberships.

use chrono_tz::Tz;

use super::{Failure, Services};
use crate::{
    domain::{
        ids::{SpaceId, UserId},
        person::{Scope, Space, User, WorkingHours},
    },
    store::Mode,
};

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
    pub async fn put_user(&self, id: &UserId, facts: UserFacts) -> Result<User, Failure> {
        let now = self.world.now();
        let mut tx = self.store.begin(Mode::Write, &Scope::Whole).await?;
        let user = match tx.user(id).await? {
            Some(held) => User {
                name: facts.name,
                time_zone: facts.time_zone,
                working_hours: facts.working_hours,
                version: held.version + 1,
                ..held
            },
            None => {
                let home_space = SpaceId::home_of(id);
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
            }
        };
        tx.put_user(&user).await?;
        tx.put_member(&user.home_space, id, "owner").await?;
        tx.commit().await?;
        Ok(user)
    }

    /// What a request that acts for this user may see.
    pub async fn scope_of(&self, id: &UserId) -> Result<Scope, Failure> {
        let mut tx = self.store.begin(Mode::Read, &Scope::Whole).await?;
        tx.user(id).await?.ok_or(Failure::NotFound("user"))?;
        let spaces = tx.spaces_of(id).await?;
        tx.commit().await?;
        Ok(Scope::Spaces(spaces))
    }
}
