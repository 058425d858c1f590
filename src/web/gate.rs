//! Who comes in, and how often: by key, and by address where there is no key.
//!
//! The rule is the generic cell rate algorithm: a minute's requests may come at once, and then each comes back after its share of
//! the minute. It keeps one number for each caller.
//!
//! **Invariant:** the memory is bounded: when too many callers are known, those that are not share one allowance.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use actix_web::{
    HttpMessage as _, HttpRequest,
    http::header::{HeaderMap, HeaderName, HeaderValue},
};
use chrono::{DateTime, Utc};

use super::{
    AppState,
    limit::Allowance,
    problem::{Problem, ProblemCode},
    route::Route,
    session::{Caller, RouteAccess, recognise},
};
use crate::domain::{ids::ApiKeyId, person::Scope};

/// Callers that are counted separately.
const CALLERS_MAX: usize = 10_000;
const MINUTE_US: i64 = 60_000_000;
/// Open routes that are never refused: probes, and notifications, which would be lost. What they cost is bounded where they are
/// answered.
const FREE: [&str; 3] = ["/health/live", "/health/ready", "/sync/providers/{provider}/webhook"];

/// How many requests a minute a caller may send; nought: as many as they like.
#[derive(Debug)]
pub struct RequestPace<K> {
    per_minute: u32,
    /// When each caller's allowance is whole again, in microseconds.
    whole_at: Mutex<(BTreeMap<K, i64>, i64)>,
}

impl<K: Ord> RequestPace<K> {
    /// So many a minute.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, whole_at: Mutex::default() }
    }

    /// Counts a request, or refuses it.
    pub fn admit(&self, who: K, now: DateTime<Utc>) -> Result<Option<Allowance>, Problem> {
        if self.per_minute == 0 {
            return Ok(None);
        }
        let (now, share) = (now.timestamp_micros(), (MINUTE_US / i64::from(self.per_minute)).max(1));
        // Every change is a single step, so it is whole after a panic elsewhere.
        let mut held = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let (callers, others) = &mut *held;
        if callers.len() >= CALLERS_MAX && !callers.contains_key(&who) {
            callers.retain(|_, at| *at > now);
        }
        let at = match callers.len() {
            CALLERS_MAX.. if !callers.contains_key(&who) => others,
            _ => callers.entry(who).or_default(),
        };
        // A clock that was set back must not keep anybody out for longer than a minute.
        let from = (*at).clamp(now, now.saturating_add(MINUTE_US));
        let next = from.saturating_add(share);
        let admitted = next - now <= MINUTE_US;
        *at = if admitted { next } else { from };
        let remaining = u32::try_from((now + MINUTE_US - *at) / share).unwrap_or(0);
        let reset_s = ((*at - now).max(0) + 999_999) / 1_000_000;
        let allowance = Allowance { limit: self.per_minute, remaining, reset_s };
        if admitted {
            return Ok(Some(allowance));
        }
        let wait_s = ((next - now - MINUTE_US).max(0) + 999_999) / 1_000_000;
        let detail = format!("{} requests a minute are answered; wait as long as `Retry-After` says", self.per_minute);
        let mut problem = Problem::new(ProblemCode::RateLimited, detail).header("Retry-After", &wait_s.max(1));
        problem.headers.extend(allowance.headers());
        Err(problem)
    }
}

/// The allowances of all callers.
#[derive(Debug)]
pub struct Gate {
    keys: RequestPace<ApiKeyId>,
    addresses: RequestPace<IpAddr>,
}

impl Gate {
    /// With so many requests a minute for each key and for each address.
    #[must_use]
    pub fn new(key_per_minute: u32, address_per_minute: u32) -> Self {
        Self { keys: RequestPace::new(key_per_minute), addresses: RequestPace::new(address_per_minute) }
    }
}

/// Recognises whoever asks, and counts the request: for its key, or for its address where it shows no good one.
pub async fn admit(app: &AppState, route: &Route, request: &HttpRequest) -> Result<Caller, Problem> {
    let now = app.services.world.now();
    let by_address = || match request.peer_addr() {
        Some(peer) if !FREE.contains(&route.path) => app.gate.addresses.admit(network(peer.ip()), now),
        _ => Ok(None),
    };
    let RouteAccess::Key(wanted) = route.access else {
        note(request, by_address()?);
        return Ok(nobody());
    };
    match recognise(&app.services, request.headers(), wanted).await {
        Ok(caller) => {
            note(request, app.gate.keys.admit(caller.key, now)?);
            Ok(caller)
        }
        Err(problem) => {
            if problem.code == ProblemCode::Unauthorised {
                by_address()?;
            }
            Err(problem)
        }
    }
}

/// Whoever asks an open route: its handlers show nothing that has an owner.
fn nobody() -> Caller {
    Caller { key: ApiKeyId(uuid::Uuid::nil()), user: None, scope: Scope::Spaces(Vec::new()) }
}

/// Kept beside the request until it is answered.
fn note(request: &HttpRequest, allowance: Option<Allowance>) {
    if let Some(allowance) = allowance {
        request.extensions_mut().insert(allowance);
    }
}

/// Shows in an answer what is left, unless the answer shows a limit of its own.
pub fn show_allowance(request: &HttpRequest, headers: &mut HeaderMap) {
    let extensions = request.extensions();
    let Some(allowance) = extensions.get::<Allowance>() else { return };
    if headers.contains_key("ratelimit-limit") {
        return;
    }
    for (name, value) in allowance.headers() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
}

/// What is counted as one address: in IPv6 a network, which one household has to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()),
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::days(20_000)
    }

    #[test]
    fn a_minutes_requests_may_come_at_once_and_come_back_one_by_one() {
        let pace = RequestPace::new(60);
        for left in (0..60).rev() {
            let allowance = pace.admit(1, start()).expect("allowed").expect("counted");
            assert_eq!((allowance.limit, allowance.remaining), (60, left));
        }
        let refused = pace.admit(1, start()).expect_err("the 61st");
        assert!(refused.headers.contains(&("Retry-After", "1".to_owned())), "{:?}", refused.headers);
        assert!(refused.headers.contains(&("RateLimit-Remaining", "0".to_owned())));
        assert!(pace.admit(2, start()).is_ok(), "others have their own");
        let second = start() + Duration::seconds(1);
        assert!(pace.admit(1, second).is_ok() && pace.admit(1, second).is_err(), "one came back");
        assert!(RequestPace::new(0).admit(1, start()).expect("no limit").is_none());
    }

    #[test]
    fn a_clock_set_back_keeps_nobody_out_for_more_than_a_minute() {
        let pace = RequestPace::new(1);
        assert!(pace.admit(1, start()).is_ok());
        let before = start() - Duration::days(1);
        assert!(pace.admit(1, before).is_err());
        assert!(pace.admit(1, before + Duration::minutes(1)).is_ok());
    }

    #[test]
    fn however_many_callers_there_are_few_are_remembered() {
        let pace = RequestPace::new(2);
        let many = i64::try_from(CALLERS_MAX).expect("a number") * 2;
        let refused = (0..many).filter(|who| pace.admit(*who, start()).is_err()).count();
        assert_eq!(pace.whole_at.lock().expect("a lock").0.len(), CALLERS_MAX);
        assert_eq!(refused, CALLERS_MAX - 2, "the others share one allowance");
        assert!(
            pace.admit(many + 1, start() + Duration::minutes(2)).is_ok(),
            "those that are whole again are forgotten"
        );
        assert_eq!(pace.whole_at.lock().expect("a lock").0.len(), 1);
    }

    #[test]
    fn a_household_has_one_address() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
