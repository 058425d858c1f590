//! How a user wants to be planned.

use super::{super::Services, person::person};
use crate::{
    domain::{ids::UserId, person::Scope, proposal::PlanCause, working_hours::PlanningRules},
    engine::replan::DEBOUNCE,
    service::Refusal,
    store::Mode,
};

impl Services {
    /// The rules, and their version; before anybody has set them the defaults, in version 0.
    pub async fn planning_rules(&self, scope: &Scope, user: &UserId) -> Result<(PlanningRules, i64), Refusal> {
        let mut tx = self.store.begin(Mode::Read, scope).await?;
        let user = person(&mut tx, scope, user).await?;
        let rules = tx.planning_rules(&user.id).await?.unwrap_or_default();
        tx.commit().await?;
        Ok(rules)
    }

    /// Sets them; what is planned is looked at again.
    pub async fn set_planning_rules(
        &self,
        scope: &Scope,
        user: &UserId,
        expected_version: Option<i64>,
        rules: PlanningRules,
    ) -> Result<(PlanningRules, i64), Refusal> {
        rules.check().map_err(|why| Refusal::Invalid { field: "planning", why })?;
        let version = self
            .write(async |write| {
                let user = person(write, scope, user).await?;
                let (_, version) = write.planning_rules(&user.id).await?.unwrap_or_default();
                if expected_version.is_some_and(|expected| expected != version) {
                    return Err(Refusal::Stale);
                }
                write.put_planning_rules(&user.home_space, &user.id, &rules, version + 1).await?;
                write.owe_plan(&user.id, PlanCause::RulesEdited, self.world.now() + DEBOUNCE).await?;
                Ok(version + 1)
            })
            .await?;
        Ok((rules, version))
    }
}
