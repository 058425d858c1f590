//! Google Calendar (API v3).

use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

use super::{ChangePage, Profile, Provider, ProviderError, Pull, Result, transport::Http};
use crate::domain::{
    account::ProviderKind, calendar::RemoteCalendar, failure::FailureClass, ports::World, secret::Secret,
};

/// Where an account is and how it proves itself.
#[derive(Clone, Debug)]
pub struct GoogleConfig {
    /// The root of the API.
    pub api: Url,
    /// The access token.
    pub access_token: Secret,
}

/// One Google account.
pub struct Google {
    profile: Profile,
}

impl Google {
    /// Opens it. Makes no request.
    #[must_use]
    pub fn new(_http: Arc<dyn Http>, _world: World, _config: GoogleConfig) -> Self {
        Self {
            profile: Profile {
                kind: ProviderKind::Google,
                requests_per_minute: 300,
                poll_every_s: 120,
                reconcile_every_s: 86_400,
                absence_is_doubtful: false,
            },
        }
    }
}

#[async_trait]
impl Provider for Google {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    async fn calendars(&self) -> Result<Vec<RemoteCalendar>> {
        Err(ProviderError::new(FailureClass::Transient, "the adapter is being written"))
    }

    async fn pull(&self, _: Pull<'_>) -> Result<ChangePage> {
        Err(ProviderError::new(FailureClass::Transient, "the adapter is being written"))
    }

    fn requests_made(&self) -> u32 {
        0
    }
}
