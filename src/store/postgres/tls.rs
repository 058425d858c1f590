//! The way to the server: plain, or over rustls.
//!
//! `sslmode` is read and obeyed here and never reaches the driver, which refuses some of its values. Absent, `disable`, `allow`
//! and `prefer` connect in plain text; `require`, `verify-ca` and `verify-full` all encrypt *and* verify the server's name
//! against the public roots, or against the PEM file named by `sslrootcert`: encryption to an unknown server protects nothing.

use std::{net::IpAddr, str::FromStr, sync::Arc};

use diesel_async::AsyncPgConnection;
use futures_util::FutureExt as _;
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use crate::store::error::StoreError;

/// Most causes shown of one failure.
const CAUSES_MAX: usize = 5;

/// Where the server is and how it is reached.
#[derive(Clone)]
pub struct Server {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
}

impl Server {
    /// Reads a `postgres://` URL.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        let wrong = |what: &str| StoreError::Backend(format!("database.url: {what}"));
        let mut url = Url::parse(url).map_err(|_| wrong("not a postgres:// URL"))?;
        let (ours, theirs): (Vec<_>, Vec<_>) =
            url.query_pairs().into_owned().partition(|(name, _)| matches!(name.as_str(), "sslmode" | "sslrootcert"));
        url.set_query(None);
        if !theirs.is_empty() {
            url.query_pairs_mut().extend_pairs(theirs);
        }
        let given = |wanted: &str| ours.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let tls = match given("sslmode") {
            None | Some("disable" | "allow" | "prefer") => None,
            Some("require" | "verify-ca" | "verify-full") => Some(rustls_to(given("sslrootcert"))?),
            Some(_) => return Err(wrong("sslmode is none of disable, prefer, require, verify-ca, verify-full")),
        };
        // The parser's own error may quote the URL, password and all.
        let mut config = tokio_postgres::Config::from_str(url.as_str())
            .map_err(|_| wrong("has a part that PostgreSQL does not know"))?;
        config.ssl_mode(if tls.is_some() {
            tokio_postgres::config::SslMode::Require
        } else {
            tokio_postgres::config::SslMode::Disable
        });
        Ok(Self { config, tls })
    }

    /// Connects.
    pub async fn connect(&self) -> Result<AsyncPgConnection, StoreError> {
        let connected = match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(|error| unreached(&error))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await.map_err(|error| unreached(&error))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
        };
        connected.map_err(StoreError::from)
    }

    /// A session of the driver's own, and the task that ends with it.
    pub async fn session(&self) -> Result<(tokio_postgres::Client, JoinHandle<()>), StoreError> {
        Ok(match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(|error| unreached(&error))?;
                (client, tokio::spawn(connection.map(|_| ())))
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await.map_err(|error| unreached(&error))?;
                (client, tokio::spawn(connection.map(|_| ())))
            }
        })
    }
}

/// What to say of a URL by which passwords and calendars cross a network in plain text, although nobody has said that they may.
pub fn unencrypted(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let chosen = url.query_pairs().any(|(name, value)| name == "sslmode" && value != "prefer" && value != "allow");
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let near = host == "localhost" || host.starts_with('/') || literal.is_some_and(|address| address.is_loopback());
    (!chosen && !near).then(|| {
        format!(
            "the connection to the database on {host} is not encrypted: add ?sslmode=require to DATABASE_URL, or \
             ?sslmode=disable to say that plain text is meant"
        )
    })
}

/// Why the server was not reached. The driver's own text says only at which step; its sources say why.
fn unreached(error: &tokio_postgres::Error) -> StoreError {
    let first: &dyn std::error::Error = error;
    let causes = std::iter::successors(Some(first), |cause| cause.source()).take(CAUSES_MAX);
    StoreError::Backend(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

fn rustls_to(root_file: Option<&str>) -> Result<MakeRustlsConnect, StoreError> {
    let unreadable = || StoreError::Backend("database.url: sslrootcert is not a readable PEM file".to_owned());
    let mut roots = RootCertStore::empty();
    match root_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            for certificate in CertificateDer::pem_file_iter(file).map_err(|_| unreadable())? {
                roots.add(certificate.map_err(|_| unreadable())?).map_err(|_| unreadable())?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Backend(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::unencrypted;

    #[test]
    fn plain_text_over_a_network_is_reported_unless_it_was_chosen() {
        for url in ["postgres://a:b@db.example.org/c", "postgres://a@10.0.0.7/c?sslmode=prefer"] {
            let warning = unencrypted(url).expect(url);
            assert!(warning.contains("sslmode=require") && !warning.contains("a:b"), "{warning}");
        }
        for url in [
            "postgres://a@localhost/c",
            "postgres://a@127.0.0.1:5432/c",
            "postgres://a@[::1]/c",
            "postgres:///c?host=/run/postgresql",
            "postgres://a@db.example.org/c?sslmode=require",
            "postgres://a@db.example.org/c?sslmode=disable",
        ] {
            assert_eq!(unencrypted(url), None, "{url}");
        }
    }
}
