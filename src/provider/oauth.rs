//! OAuth 2.0 as a client (RFC 6749 with PKCE, RFC 7636): consent, exchange, refresh, revocation.
//!
//! **Invariant:** tokens come out of here in [`Secret`]s and appear in no error.

use std::{borrow::Cow, fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use oauth2::{
    AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointNotSet,
    EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, Scope, StandardRevocableToken, StandardTokenIntrospectionResponse,
    StandardTokenResponse, TokenResponse, TokenUrl,
    basic::{BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenType},
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{ProviderError, Result};
use crate::{
    domain::{failure::FailureClass, secret::Secret},
    transport::{Http, OutgoingRequest},
};

/// How the operator registered us with a provider.
#[derive(Clone, Debug)]
pub struct App {
    /// Where people consent.
    pub auth_url: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Url,
    /// Where grants are ended.
    pub revoke_url: Url,
    /// Our id.
    pub client_id: String,
    /// Our secret.
    pub client_secret: Secret,
    /// Where people come back to; registered with the provider.
    pub redirect_uri: Url,
}

/// What a consent is asked for.
#[derive(Clone, Debug)]
pub struct ConsentRequest<'a> {
    /// Comes back with the answer; nobody can guess it.
    pub state: &'a str,
    /// Proves at the exchange that it was us who asked (RFC 7636 §4.1).
    pub verifier: &'a Secret,
    /// What is asked for.
    pub scopes: &'a [&'a str],
    /// The provider's own parameters.
    pub extra: &'a [(&'a str, &'a str)],
}

/// What a provider granted.
#[derive(Clone)]
pub struct TokenGrant {
    /// For requests.
    pub access_token: Secret,
    /// For new access tokens; a refresh often brings none, and then the old one goes on.
    pub refresh_token: Option<Secret>,
    /// When the access token ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// What was granted; `None`: all that was asked for (RFC 6749 §5.1).
    pub scopes: Option<Vec<String>>,
    /// Whose it is (`sub` of `OpenID` Connect), when asked for.
    pub subject: Option<String>,
}

impl fmt::Debug for TokenGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("expires_at", &self.expires_at)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct IdToken {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

type TokenAnswer = StandardTokenResponse<IdToken, BasicTokenType>;
type Ready = Client<
    BasicErrorResponse,
    TokenAnswer,
    StandardTokenIntrospectionResponse<EmptyExtraTokenFields, BasicTokenType>,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl App {
    fn client(&self) -> Ready {
        Client::new(ClientId::new(self.client_id.clone()))
            .set_client_secret(ClientSecret::new(self.client_secret.expose().to_owned()))
            .set_auth_uri(AuthUrl::from_url(self.auth_url.clone()))
            .set_token_uri(TokenUrl::from_url(self.token_url.clone()))
            .set_redirect_uri(RedirectUrl::from_url(self.redirect_uri.clone()))
            // Google and Microsoft take the credentials in the body; not every look-alike takes them elsewhere.
            .set_auth_type(oauth2::AuthType::RequestBody)
    }

    /// Where a person is sent to consent.
    #[must_use]
    pub fn authorization_url(&self, consent: &ConsentRequest<'_>) -> Url {
        let client = self.client();
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(consent.verifier.expose().to_owned()));
        let state = consent.state.to_owned();
        let mut request = client
            .authorize_url(|| CsrfToken::new(state))
            .add_scopes(consent.scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
            .set_pkce_challenge(challenge);
        for (name, value) in consent.extra {
            request = request.add_extra_param(Cow::Owned((*name).to_owned()), Cow::Owned((*value).to_owned()));
        }
        request.url().0
    }

    /// Exchanges a code. `Unauthorised`: it is no longer good.
    pub async fn exchange(
        &self,
        http: &Arc<dyn Http>,
        code: &Secret,
        verifier: &Secret,
        now: DateTime<Utc>,
    ) -> Result<TokenGrant> {
        let client = self.client();
        let request = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()));
        let answer = request.request_async(&through(http)).await;
        answer.map(|answer| granted(&answer, now)).map_err(failed)
    }

    /// Renews an access token. `Unauthorised`: the grant was ended or has expired.
    pub async fn refresh(
        &self,
        http: &Arc<dyn Http>,
        refresh_token: &Secret,
        now: DateTime<Utc>,
    ) -> Result<TokenGrant> {
        let client = self.client();
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let answer = client.exchange_refresh_token(&token).request_async(&through(http)).await;
        answer.map(|answer| granted(&answer, now)).map_err(failed)
    }

    /// Ends a grant (RFC 7009). One that is ended already is done.
    pub async fn revoke(&self, http: &Arc<dyn Http>, token: &Secret) -> Result<()> {
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token.expose()).finish();
        let mut request = OutgoingRequest::new("POST", self.revoke_url.clone());
        request.headers.push(("Content-Type", "application/x-www-form-urlencoded".to_owned()));
        request.body = Bytes::from(body);
        let response = http.send(request).await?;
        match response.status {
            200..300 | 400 => Ok(()),
            status => Err(ProviderError::new(
                FailureClass::Transient,
                format!("ending the grant: the provider answered {status}"),
            )),
        }
    }
}

/// The port, as the library wants it. A token is asked for again after a lost answer: a code is then refused, a refresh is not.
fn through(
    http: &Arc<dyn Http>,
) -> impl Fn(HttpRequest) -> std::pin::Pin<Box<dyn Future<Output = std::result::Result<HttpResponse, ProviderError>> + Send>>
{
    let http = Arc::clone(http);
    move |asked| {
        let http = Arc::clone(&http);
        Box::pin(async move {
            let url = Url::parse(&asked.uri().to_string())
                .map_err(|_| ProviderError::new(FailureClass::Refused, "the token endpoint is no URL"))?;
            let mut request = OutgoingRequest::new("POST", url);
            request.headers = vec![
                ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
                ("Accept", "application/json".to_owned()),
            ];
            request.body = Bytes::from(asked.into_body());
            let response = http.send(request).await?;
            if response.status >= 500 || response.status == 429 {
                let detail = format!("the token endpoint answered {}", response.status);
                return Err(ProviderError::new(FailureClass::Transient, detail));
            }
            let answer = oauth2::http::Response::builder()
                .status(response.status)
                .header("content-type", response.header("content-type").unwrap_or("application/json"))
                .body(response.body.to_vec());
            answer
                .map_err(|_| ProviderError::new(FailureClass::Malformed, "the token endpoint's answer cannot be read"))
        })
    }
}

fn granted(answer: &TokenAnswer, now: DateTime<Utc>) -> TokenGrant {
    let scopes =
        answer.scopes().map(|scopes| scopes.iter().flat_map(|scope| scope.split(' ').map(str::to_owned)).collect());
    TokenGrant {
        access_token: Secret::new(answer.access_token().secret().clone()),
        refresh_token: answer.refresh_token().map(|token| Secret::new(token.secret().clone())),
        expires_at: answer.expires_in().and_then(|wait| Duration::from_std(wait).ok()).map(|wait| now + wait),
        scopes,
        subject: answer.extra_fields().id_token.as_deref().and_then(subject),
    }
}

/// `sub` of an ID token. It came straight from the token endpoint, whose TLS vouches for it (`OpenID` Connect Core
/// §3.1.3.7).
fn subject(id_token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    Some(claims.get("sub")?.as_str()?.to_owned())
}

fn failed(error: RequestTokenError<ProviderError, BasicErrorResponse>) -> ProviderError {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            BasicErrorResponseType::InvalidGrant => {
                ProviderError::new(FailureClass::Unauthorised, "the provider no longer accepts this grant")
            }
            BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => ProviderError::new(
                FailureClass::Refused,
                "the provider does not know this client: check the client id and the client secret",
            ),
            _ => ProviderError::new(FailureClass::Refused, "the token endpoint refuses the request"),
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            ProviderError::new(FailureClass::Malformed, "the token endpoint's answer cannot be read")
        }
    }
}
