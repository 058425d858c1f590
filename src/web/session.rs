//! Who asks: the API key of a request, what it may do, and the user it acts for.
//!
//! **Invariant:** there is no way from a request to a row but through the [`Scope`] that comes out of here.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use super::problem::{Problem, ProblemCode};
use crate::{
    domain::{
        ids::{ApiKeyId, UserId},
        person::{KeyScope, Scope},
    },
    service::Services,
};

/// The header that names the user a request acts for.
pub const ACTS_FOR: &str = "Calwarden-User";

/// What a route asks of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteAccess {
    /// Nothing.
    Open,
    /// A key with this scope.
    Key(KeyScope),
}

impl From<KeyScope> for RouteAccess {
    fn from(scope: KeyScope) -> Self {
        Self::Key(scope)
    }
}

/// The one who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key.
    pub key: ApiKeyId,
    /// The user it acts for.
    pub user: Option<UserId>,
    /// The spaces it sees.
    pub scope: Scope,
}

impl Caller {
    /// As the audit log names it.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("api_key:{}", self.key)
    }
}

/// Recognises the caller of a route that wants this scope.
pub async fn recognise(services: &Services, headers: &HeaderMap, wanted: KeyScope) -> Result<Caller, Problem> {
    let refused = || {
        let detail = "send `Authorization: Bearer <key>` with a key that is neither expired nor revoked";
        Problem::new(ProblemCode::Unauthorised, detail)
    };
    let secret = headers.get(AUTHORIZATION).and_then(|value| bearer(value.to_str().ok()?)).ok_or_else(refused)?;
    let key = services.recognise_api_key(secret).await?.ok_or_else(refused)?;
    if !key.scopes.contains(&wanted) {
        let detail = format!("this needs a key with the scope `{wanted}`");
        return Err(Problem::new(ProblemCode::ForbiddenScope, detail));
    }
    let Some(header) = headers.get(ACTS_FOR) else {
        return Ok(Caller { key: key.id, user: None, scope: Scope::Whole });
    };
    if headers.get_all(ACTS_FOR).nth(1).is_some() {
        return Err(Problem::invalid(ACTS_FOR, "send this header once: a request acts for one user"));
    }
    let user: UserId = header
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| Problem::invalid(ACTS_FOR, crate::domain::ids::IdRefused.to_string()))?;
    let scope = services.scope_of(&user).await.map_err(|failure| {
        let problem = Problem::from(failure);
        Problem { field: (problem.code == ProblemCode::NotFound).then(|| ACTS_FOR.to_owned()), ..problem }
    })?;
    Ok(Caller { key: key.id, user: Some(user), scope })
}

/// The credentials of RFC 6750 §2.1; the scheme's case does not matter.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim()).filter(|secret| !secret.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_key_is_a_key() {
        assert_eq!(bearer("Bearer cw_x"), Some("cw_x"));
        assert_eq!(bearer("bearer  cw_x "), Some("cw_x"));
        for other in ["cw_x", "Basic cw_x", "Bearer", "Bearer ", ""] {
            assert_eq!(bearer(other), None, "{other}");
        }
    }
}
