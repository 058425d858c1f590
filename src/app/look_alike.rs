//! `calwarden sandbox`: the look-alike of Google, and the settings that point a server at it.

use std::{
    collections::BTreeMap,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use url::Url;

use super::cli::SandboxArgs;
use crate::{
    config::Config,
    domain::{account::ProviderKind, person::Scope, ports::World, secret::Secret},
    sandbox::{
        Reply, SandboxRequest,
        host::{self, SharedWorld},
        look_alikes,
    },
    service::{
        Services,
        consent::{Begin, Connected, ConsentReturn},
    },
    transport::{
        client::{ClientConfig, HttpClient},
        guard::AddressPolicy,
    },
};

/// Runs until it is asked to stop.
pub(super) fn run(asked: &SandboxArgs, world: World, out: &mut impl Write) -> Result<()> {
    let listener = TcpListener::bind(asked.listen)
        .with_context(|| format!("cannot listen on {}: choose another address with --listen", asked.listen))?;
    let address = listener.local_addr()?;
    for (name, value) in settings(address) {
        writeln!(out, "export {name}={value}")?;
    }
    out.flush()?;
    let shared = SharedWorld::new(look_alikes(asked.seed), world);
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

/// The look-alikes, in the process of a server.
pub(super) struct LocalSandbox {
    pub shared: SharedWorld,
    pub listener: TcpListener,
    pub address: SocketAddr,
}

impl LocalSandbox {
    /// On a free port, with the configuration pointed at it. Notifications come back to where the server listens.
    pub(super) fn new(config: &mut Config, world: World) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port for the sandbox")?;
        let address = listener.local_addr()?;
        let root = Url::parse(&format!("http://{address}/google/"))?;
        let at = |path: &str| root.join(path);
        let google = &mut config.google;
        (google.auth_url, google.token_url) = (at("o/oauth2/v2/auth")?, at("token")?);
        (google.revoke_url, google.api_url) = (at("revoke")?, at("calendar/v3")?);
        "sandbox".clone_into(&mut google.client_id);
        google.client_secret = Some(Secret::new("sandbox"));
        let own = Url::parse(&format!("http://{}", config.listen))?;
        config.api_base_url.get_or_insert(own);
        Ok(Self { shared: SharedWorld::new(look_alikes(1), world), listener, address })
    }

    /// Runs it as long as the current arbiter lives.
    pub(super) fn start(self) -> Result<()> {
        let server = host::serve(self.shared, client()?, self.listener)?;
        actix::spawn(server);
        Ok(())
    }
}

/// Goes through a consent as a person would: with this address, allowing everything. `ask` asks the look-alike.
pub async fn consent_as(
    services: &Services,
    email: &str,
    asked: Begin,
    ask: impl FnOnce(&SandboxRequest) -> Reply,
) -> Result<Connected> {
    let begun = services.begin_consent(&Scope::Whole, asked).await?;
    let mut there = Url::parse(&begun.authorization_url)?;
    there.query_pairs_mut().append_pair("account", email).append_pair("decision", "allow");
    let sent = ask(&SandboxRequest::target("GET", &format!("{}?{}", there.path(), there.query().unwrap_or_default())));
    let back =
        sent.headers.iter().find(|(name, _)| name == "location").context("the consent page sends nobody back")?;
    let mut back: BTreeMap<String, String> = Url::parse(&back.1)?.query_pairs().into_owned().collect();
    let returned = ConsentReturn {
        state: back.remove("state").unwrap_or_default(),
        code: back.remove("code").map(Secret::new),
        error: back.remove("error"),
        cookie: Some(begun.cookie),
    };
    Ok(services.finish_consent(ProviderKind::Google, returned).await?)
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
