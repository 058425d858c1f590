//! The look-alike of Google in this process, every request to it and every answer of it held against Google's own document.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use calwarden::{
    domain::{failure::FailureClass, ports::World, secret::Secret},
    provider::{ProviderError, oauth, registry::Endpoints},
    sandbox::{LookAlike as _, Reply, SandboxRequest, google::GoogleLookAlike},
    transport::{Credential, Http, OutgoingRequest, Response},
};
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::discovery::document;

/// Where it is, as far as anybody here knows.
pub const ROOT: &str = "https://google.test/google";
const API: &str = "/google/calendar/v3";

/// The way there.
pub struct Wire {
    google: Mutex<GoogleLookAlike>,
    world: World,
    strangers: Mutex<Vec<String>>,
    meanwhile: Mutex<Option<(&'static str, BoxFuture<'static, ()>)>>,
}

impl Wire {
    pub fn new(seed: u64, world: World) -> Arc<Self> {
        Arc::new(Self {
            google: Mutex::new(GoogleLookAlike::new(seed)),
            world,
            strangers: Mutex::default(),
            meanwhile: Mutex::default(),
        })
    }

    /// What happens here while our next request to a path with this in it is under way.
    pub fn meanwhile(&self, path: &'static str, then: BoxFuture<'static, ()>) {
        *self.meanwhile.lock().expect("no panic") = Some((path, then));
    }

    fn due(&self, path: &str) -> Option<BoxFuture<'static, ()>> {
        let mut held = self.meanwhile.lock().expect("no panic");
        held.take_if(|(part, _)| path.contains(*part)).map(|(_, then)| then)
    }

    pub fn google(&self) -> MutexGuard<'_, GoogleLookAlike> {
        self.google.lock().expect("no panic")
    }

    /// Asks it; what its document does not know is kept for [`Wire::held`].
    pub fn ask(&self, asked: &SandboxRequest) -> Reply {
        let reply = self.google().answer(self.world.now(), asked);
        if let Some(path) = asked.path.strip_prefix(API) {
            let mut wrong = document().request(&asked.method, path, &asked.query, &asked.body);
            // A page of somebody else's is not Google's to describe.
            let page =
                reply.headers.iter().any(|(name, value)| name == "content-type" && value.starts_with("text/html"));
            if (200..300).contains(&reply.status) && !reply.dropped && !page {
                wrong.extend(document().answer(&asked.method, path, reply.status, &reply.body));
            }
            self.strangers.lock().expect("no panic").extend(wrong);
        }
        reply
    }

    /// Nothing was sent, and nothing answered, that Google's document does not know.
    pub fn held(&self) {
        let strangers = self.strangers.lock().expect("no panic");
        assert!(strangers.is_empty(), "{}", strangers.join("\n"));
    }

    /// `/control`.
    pub fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut asked = SandboxRequest::target(method, &format!("/control/{path}"));
        asked.body = body.to_string().into_bytes();
        let reply = self.ask(&asked);
        assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
        serde_json::from_slice(&reply.body).expect("JSON")
    }

    /// How often an operation was asked for, by its name in Google's document.
    pub fn count(&self, operation: &str) -> u64 {
        self.control("GET", "requests", &Value::Null)[operation].as_u64().unwrap_or(0)
    }

    /// One request of somebody else's client.
    pub fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let mut asked = SandboxRequest::target(method, &format!("{API}{path}"));
        asked.headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        if !body.is_null() {
            asked.body = body.to_string().into_bytes();
        }
        let reply = self.ask(&asked);
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or(Value::Null))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.held();
        }
    }
}

/// The way there, as the provider takes it.
pub struct Port(pub Arc<Wire>);

#[async_trait]
impl Http for Port {
    async fn send(&self, request: OutgoingRequest) -> Result<Response, ProviderError> {
        let target = match request.url.query() {
            Some(query) => format!("{}?{query}", request.url.path()),
            None => request.url.path().to_owned(),
        };
        let mut asked = SandboxRequest::target(request.method, &target);
        asked.headers = request.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        if let Some(Credential::Bearer(token)) = &request.credential {
            asked.headers.insert("authorization".to_owned(), format!("Bearer {}", token.expose()));
        }
        asked.body = request.body.to_vec();
        if let Some(then) = self.0.due(&asked.path) {
            then.await;
        }
        let reply = self.0.ask(&asked);
        // Others get their turn, as they would on a real way.
        tokio::task::yield_now().await;
        if reply.dropped {
            let class = if request.writes { FailureClass::Ambiguous } else { FailureClass::Transient };
            return Err(ProviderError::new(class, "the connection was lost"));
        }
        Ok(Response { status: reply.status, headers: reply.headers, body: reply.body.into(), url: request.url })
    }
}

/// The addresses of the look-alike.
pub fn endpoints() -> Endpoints {
    Endpoints { google_api: format!("{ROOT}/calendar/v3").parse().expect("a URL"), http: None }
}

/// How we are registered there.
pub fn app() -> oauth::App {
    let at = |path: &str| format!("{ROOT}{path}").parse().expect("a URL");
    oauth::App {
        auth_url: at("/o/oauth2/v2/auth"),
        token_url: at("/token"),
        revoke_url: at("/revoke"),
        client_id: "calwarden".to_owned(),
        client_secret: Secret::new("secret"),
        redirect_uri: "https://calendars.example.org/connect/google/callback".parse().expect("a URL"),
    }
}
