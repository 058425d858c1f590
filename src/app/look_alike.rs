//! `calwarden sandbox`: the look-alike of Google, and the settings that point a server at it.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use anyhow::{Context as _, Result};

use super::cli::Sandbox;
use crate::{
    domain::ports::World,
    provider::transport::{
        client::{ClientConfig, HttpClient},
        guard::AddressPolicy,
    },
    sandbox::{
        google::Google,
        host::{self, Shared},
    },
};

/// Runs until it is told to stop.
pub(super) fn run(asked: &Sandbox, world: World, out: &mut impl Write) -> Result<()> {
    let listener = TcpListener::bind(asked.listen)
        .with_context(|| format!("cannot listen on {}: choose another address with --listen", asked.listen))?;
    let address = listener.local_addr()?;
    for (name, value) in settings(address) {
        writeln!(out, "export {name}={value}")?;
    }
    out.flush()?;
    let shared = Shared::new(Google::new(asked.seed), world);
    let http = client()?;
    actix::System::new().block_on(async {
        let server = host::serve(shared, http, listener)?;
        let handle = server.handle();
        actix::spawn(async move {
            super::serve::stop_signal().await;
            handle.stop(true).await;
        });
        server.await.context("the sandbox failed")
    })
}

/// Notifications go to whatever address a channel was opened with: this is for tests on one machine.
fn client() -> Result<Arc<HttpClient>> {
    let policy = AddressPolicy { allow_private: true, ..AddressPolicy::default() };
    Ok(Arc::new(HttpClient::new(ClientConfig { policy, ..ClientConfig::default() })?))
}

/// The settings under which a server uses a look-alike at this address.
#[must_use]
pub fn settings(address: SocketAddr) -> [(&'static str, String); 6] {
    let root = format!("http://{address}/google");
    [
        ("CALWARDEN_GOOGLE_AUTH_URL", format!("{root}/o/oauth2/v2/auth")),
        ("CALWARDEN_GOOGLE_TOKEN_URL", format!("{root}/token")),
        ("CALWARDEN_GOOGLE_REVOKE_URL", format!("{root}/revoke")),
        ("CALWARDEN_GOOGLE_API_URL", format!("{root}/calendar/v3")),
        ("GOOGLE_CLIENT_ID", "sandbox".to_owned()),
        ("GOOGLE_CLIENT_SECRET", "sandbox".to_owned()),
    ]
}
