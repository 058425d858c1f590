//! Whose plans these are.

use crate::{
    domain::{
        ids::UserId,
        person::{Scope, User},
        working_hours::PlanningRules,
    },
    engine::day::Days,
    service::Refusal,
    store::{StoreError, Tx},
};

/// A user whom the caller may plan for.
pub(super) async fn person(tx: &mut Tx, scope: &Scope, id: &UserId) -> Result<User, Refusal> {
    let user = tx.user(id).await?.filter(|user| scope.admits(&user.home_space));
    user.ok_or(Refusal::NotFound("user"))
}

/// How they want to be planned; before they have said so, the defaults.
pub(super) async fn rules_of(tx: &mut Tx, user: &UserId) -> Result<PlanningRules, StoreError> {
    Ok(tx.planning_rules(user).await?.map(|(rules, _)| rules).unwrap_or_default())
}

/// When their days begin.
pub(super) fn days_of(user: &User, rules: &PlanningRules) -> Days {
    Days { zone: user.time_zone, starts_at: rules.day_starts_at }
}
