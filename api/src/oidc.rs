//! Signing in with an OpenID Connect provider: the code flow with PKCE, a nonce and a state. What the provider is, it says
//! itself (discovery); that is kept for a while and read again when its keys change.

use crate::config::{ConfigError, OidcOptions};
use crate::domain::people::Role;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdTokenFields,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    StandardErrorResponse, StandardTokenResponse, TokenResponse, UserInfoClaims,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use terarchitect_outbound::{Retriable, Retry, retry};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

/// How long what a provider says of itself is believed.
const DISCOVERY_HOLDS: Duration = Duration::from_secs(3_600);
/// How long a provider that does not respond is asked again.
const RETRY_FOR: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest response of a provider, in bytes.
const MAX_RESPONSE: usize = 1024 * 1024;

/// How people sign in with a provider.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    issuer: String,
    client_id: String,
    client_secret: Option<SecretString>,
    /// What the page calls the provider.
    pub name: String,
    groups_claim: String,
    /// Which groups give which role; empty: groups give none.
    roles: Vec<(String, Role)>,
    redirect: Url,
}

impl OidcConfig {
    /// Reads the options; none where no provider is configured.
    ///
    /// # Errors
    /// When one is missing or not valid.
    pub fn read(options: &OidcOptions, public_url: Option<&Url>) -> Result<Option<Self>, ConfigError> {
        let set =
            |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let Some(issuer) = set(&options.oidc_issuer) else { return Ok(None) };
        let missing = |variable| ConfigError::OidcIncomplete { variable };
        let valid = issuer.parse::<Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !valid {
            return Err(ConfigError::OidcIssuer { issuer });
        }
        let public_url = public_url.ok_or_else(|| missing("TERARCHITECT_PUBLIC_URL"))?;
        let mut redirect = public_url.clone();
        redirect.set_path(&format!("{}/api/oidc/callback", public_url.path().trim_end_matches('/')));
        Ok(Some(Self {
            issuer,
            client_id: set(&options.oidc_client_id).ok_or_else(|| missing("TERARCHITECT_OIDC_CLIENT_ID"))?,
            client_secret: crate::config::non_empty(options.oidc_client_secret.as_ref()),
            name: options.oidc_name.clone(),
            groups_claim: options.oidc_groups_claim.clone(),
            roles: roles(&options.oidc_roles)?,
            redirect,
        }))
    }

    /// The highest role that these groups give; none where groups decide nothing.
    fn role_of(&self, groups: &[String]) -> Option<Role> {
        let given = self.roles.iter().filter(|(group, _)| groups.contains(group)).map(|(_, role)| *role);
        (!self.roles.is_empty()).then(|| given.max_by_key(|role| *role as u8).unwrap_or(Role::None))
    }
}

/// Reads a list such as `admins=admin,devs=member`.
fn roles(text: &str) -> Result<Vec<(String, Role)>, ConfigError> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        let (group, role) = pair.rsplit_once('=')?;
        let role = role.trim().parse().ok().filter(|role| *role != Role::None)?;
        (!group.trim().is_empty()).then(|| (group.trim().to_owned(), role))
    };
    pairs.map(|pair| read(pair).ok_or_else(|| ConfigError::OidcRoles { pair: pair.to_owned() })).collect()
}

/// What the browser keeps, sealed, while it is at the provider.
#[derive(Debug, Serialize, Deserialize)]
pub struct Begun {
    state: String,
    nonce: String,
    verifier: String,
    /// Where the person wanted to go.
    pub return_to: String,
}

/// What a provider says of a person.
#[derive(Clone, Debug)]
pub struct Vouched {
    /// The provider.
    pub issuer: String,
    /// What it calls the person.
    pub subject: String,
    /// The person's address.
    pub email: Option<String>,
    /// Whether the provider has checked the address.
    pub email_verified: bool,
    /// The person's name.
    pub name: Option<String>,
    /// The role that the person's groups give.
    pub role: Option<Role>,
}

/// Why no one was signed in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider does not respond, or not as one.
    #[error("could not read what the OpenID Connect provider says of itself; check TERARCHITECT_OIDC_ISSUER")]
    Discovery(#[source] BoxError),
    /// The provider's configuration is not usable.
    #[error("the OpenID Connect provider can't be used: {0}")]
    Unusable(&'static str),
    /// The code was refused.
    #[error("the OpenID Connect provider refused the sign-in; check TERARCHITECT_OIDC_CLIENT_ID and _CLIENT_SECRET")]
    Code(#[source] BoxError),
    /// What the provider says is not signed for us.
    #[error("what the OpenID Connect provider says of the person is not valid")]
    Claims(#[source] BoxError),
    /// The browser did not begin this sign-in, or too long ago.
    #[error("the sign-in was not begun in this browser, or too long ago")]
    NotBegun,
}

/// The source of an error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Claims that the provider adds, such as groups.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Extra {
    #[serde(flatten)]
    all: HashMap<String, Value>,
}

impl AdditionalClaims for Extra {}

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Extra,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type OidcClient = Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider.
#[derive(Debug)]
pub struct Provider {
    /// How it is used.
    pub config: OidcConfig,
    known: Mutex<Option<(Instant, CoreProviderMetadata)>>,
}

impl Provider {
    /// A provider that is asked when it is first needed.
    #[must_use]
    pub fn new(config: OidcConfig) -> Self {
        Self { config, known: Mutex::new(None) }
    }

    /// Where to send a browser, and what it keeps meanwhile.
    ///
    /// # Errors
    /// When the provider does not respond.
    pub async fn begin(&self, return_to: String) -> Result<(Url, Begun), OidcError> {
        let metadata = self.metadata(false).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client(&metadata)?;
        let mut request =
            client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        for scope in self.scopes(&metadata) {
            request = request.add_scope(scope);
        }
        let (address, state, nonce) = request.set_pkce_challenge(challenge).url();
        let (state, nonce, verifier) = (state.into_secret(), nonce.secret().clone(), verifier.into_secret());
        Ok((address, Begun { state, nonce, verifier, return_to }))
    }

    /// Groups have a scope of their own at some providers, and others refuse scopes that they do not know.
    fn scopes(&self, metadata: &CoreProviderMetadata) -> Vec<Scope> {
        let known = metadata.scopes_supported().into_iter().flatten();
        let groups = known.filter(|scope| scope.as_str() == self.config.groups_claim).cloned();
        ["email", "profile"].map(|scope| Scope::new(scope.to_owned())).into_iter().chain(groups).collect()
    }

    /// What the provider says of the person with whom the browser comes back.
    ///
    /// # Errors
    /// When the browser did not begin this, or the provider does not vouch for the person.
    pub async fn finish(&self, begun: &Begun, state: &str, code: String) -> Result<Vouched, OidcError> {
        use subtle::ConstantTimeEq;
        if !bool::from(begun.state.as_bytes().ct_eq(state.as_bytes())) {
            return Err(OidcError::NotBegun);
        }
        let metadata = self.metadata(false).await?;
        let client = self.client(&metadata)?;
        let http = http_client()?;
        let fetch = |request| send(http.clone(), request);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| OidcError::Unusable("it has no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier.clone()))
            .request_async(&fetch)
            .await
            .map_err(|error| OidcError::Code(detail(&error).into()))?;
        let vouched = match self.vouched(&metadata, &tokens, begun) {
            // The provider may have new keys since it was asked.
            Err(_) => self.vouched(&self.metadata(true).await?, &tokens, begun)?,
            Ok(vouched) => vouched,
        };
        self.with_user_info(&client, &tokens, vouched, &fetch).await
    }

    /// What the ID token says.
    fn vouched(&self, metadata: &CoreProviderMetadata, tokens: &Tokens, begun: &Begun) -> Result<Vouched, OidcError> {
        let client = self.client(metadata)?;
        let token = tokens.id_token().ok_or(OidcError::Unusable("it sends no ID token"))?;
        let verifier = client.id_token_verifier();
        let invalid = |error: BoxError| OidcError::Claims(error);
        let claims = token.claims(&verifier, &Nonce::new(begun.nonce.clone())).map_err(|e| invalid(Box::new(e)))?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|e| invalid(Box::new(e)))?;
            let key = token.signing_key(&verifier).map_err(|e| invalid(Box::new(e)))?;
            let made = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
            if made.map_err(|e| invalid(Box::new(e)))? != *expected {
                return Err(invalid("the access token belongs to another ID token".into()));
            }
        }
        let name = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned());
        let groups = groups(&claims.additional_claims().all, &self.config.groups_claim);
        Ok(Vouched {
            issuer: claims.issuer().as_str().to_owned(),
            subject: claims.subject().as_str().to_owned(),
            email: claims.email().map(|email| email.as_str().to_owned()),
            email_verified: claims.email_verified().unwrap_or_default(),
            name,
            role: groups.map_or_else(|| self.config.role_of(&[]), |groups| self.config.role_of(&groups)),
        })
    }

    /// Providers say more when they are asked for it.
    async fn with_user_info<F, R>(
        &self,
        client: &OidcClient,
        tokens: &Tokens,
        vouched: Vouched,
        fetch: &F,
    ) -> Result<Vouched, OidcError>
    where
        F: Fn(HttpRequest) -> R,
        R: Future<Output = Result<HttpResponse, FetchError>>,
    {
        let subject = openidconnect::SubjectIdentifier::new(vouched.subject.clone());
        let Ok(request) = client.user_info(tokens.access_token().clone(), Some(subject)) else { return Ok(vouched) };
        let info: UserInfoClaims<Extra, CoreGenderClaim> =
            request.request_async(fetch).await.map_err(|error| OidcError::Claims(detail(&error).into()))?;
        let name = info.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned());
        let groups = groups(&info.additional_claims().all, &self.config.groups_claim);
        let (email, email_verified) = match info.email() {
            Some(email) => (Some(email.as_str().to_owned()), info.email_verified().unwrap_or_default()),
            None => (vouched.email, vouched.email_verified),
        };
        let role = groups.map_or(vouched.role, |groups| self.config.role_of(&groups));
        Ok(Vouched { email, email_verified, name: name.or(vouched.name), role, ..vouched })
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Result<OidcClient, OidcError> {
        let id = ClientId::new(self.config.client_id.clone());
        let secret = self.config.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().into()));
        let redirect = RedirectUrl::from_url(self.config.redirect.clone());
        Ok(OidcClient::from_provider_metadata(metadata.clone(), id, secret).set_redirect_uri(redirect))
    }

    /// What the provider says of itself.
    async fn metadata(&self, again: bool) -> Result<CoreProviderMetadata, OidcError> {
        let mut known = self.known.lock().await;
        if let Some((since, metadata)) = known.as_ref().filter(|(since, _)| !again && since.elapsed() < DISCOVERY_HOLDS)
        {
            tracing::trace!(age_sec = since.elapsed().as_secs(), "using what the provider said");
            return Ok(metadata.clone());
        }
        let issuer =
            IssuerUrl::new(self.config.issuer.clone()).map_err(|error| OidcError::Discovery(Box::new(error)))?;
        let http = http_client()?;
        let fetch = |request| send(http.clone(), request);
        let discovered = retry(Retry::For(RETRY_FOR), || {
            let (issuer, fetch) = (issuer.clone(), &fetch);
            async move {
                let found = CoreProviderMetadata::discover_async(issuer, fetch).await;
                found.map_err(|error| NotDiscovered(detail(&error)))
            }
        });
        let metadata = discovered.await.map_err(|error| OidcError::Discovery(Box::new(error)))?;
        *known = Some((Instant::now(), metadata.clone()));
        Ok(metadata)
    }
}

fn groups(claims: &HashMap<String, Value>, name: &str) -> Option<Vec<String>> {
    match claims.get(name)? {
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        Value::String(one) => Some(vec![one.clone()]),
        _ => None,
    }
}

/// An error with its causes, as one text: those of the library are not `Send`.
fn detail(error: &(dyn std::error::Error + 'static)) -> String {
    terarchitect_outbound::chain(error)
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotDiscovered(String);

impl Retriable for NotDiscovered {
    fn may_pass(&self) -> bool {
        true
    }
}

/// Why a provider could not be asked.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the provider does not respond")]
    Http(#[from] reqwest::Error),
    #[error("the provider's response is too large")]
    TooLarge,
    #[error("the provider's response can't be read")]
    Unreadable(#[from] http::Error),
}

/// No redirects: a provider's endpoints are where it says, and a redirect could lead inside our network.
fn http_client() -> Result<reqwest::Client, OidcError> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build();
    client.map_err(|error| OidcError::Discovery(Box::new(error)))
}

async fn send(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, FetchError> {
    let mut response = client.execute(request.try_into()?).await?;
    let mut made = http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        made = made.header(name, value);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_RESPONSE {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(made.body(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_give_the_highest_role() {
        let options = |roles: &str| OidcOptions {
            oidc_issuer: Some("https://id.example".to_owned()),
            oidc_client_id: Some("board".to_owned()),
            oidc_client_secret: None,
            oidc_name: "Example".to_owned(),
            oidc_groups_claim: "groups".to_owned(),
            oidc_roles: roles.to_owned(),
        };
        let public: Url = "https://board.example/x/".parse().unwrap();
        let read = |roles: &str| OidcConfig::read(&options(roles), Some(&public));
        let config = read("admins=admin, cn=devs=member").unwrap().unwrap();
        assert_eq!(config.redirect.as_str(), "https://board.example/x/api/oidc/callback");
        let role =
            |groups: &[&str]| config.role_of(&groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>());
        assert_eq!(role(&["cn=devs", "admins"]), Some(Role::Admin));
        assert_eq!(role(&["cn=devs"]), Some(Role::Member));
        assert_eq!(role(&["others"]), Some(Role::None));
        assert_eq!(read("").unwrap().unwrap().role_of(&["admins".to_owned()]), None);
        for wrong in ["admins", "admins=root", "=admin", "admins=none"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(OidcConfig::read(&options(""), None).is_err());
    }
}
