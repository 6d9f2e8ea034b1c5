//! One call: the key, the time limit, retries, and what a refusal means.

use crate::error::{ClientError, ErrorBody};
use reqwest::header::{COOKIE, HeaderMap, ORIGIN};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use terarchitect_outbound::{Retry, endpoint, http_url, is_loopback, retry_after};
use url::Url;

/// How long one try of an ordinary call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of a response that isn't JSON is kept for the error message, in characters.
const EXCERPT_CHARS: usize = 200;

/// A client of one API.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    credential: Credential,
    retry: Retry,
}

/// How the client says who it is.
#[derive(Clone, Debug)]
enum Credential {
    None,
    Key(SecretString),
    /// `name=value` of a signed-in person's session.
    Cookie(SecretString),
}

impl Client {
    /// A client for the API at `base`, such as `http://localhost:5010`; `key` is an API token or TERARCHITECT_API_KEY.
    ///
    /// # Errors
    /// `base` is not an HTTP address, or the HTTP client could not be set up.
    pub fn new(base: &str, key: Option<SecretString>) -> Result<Self, ClientError> {
        let mut url = http_url(base)?;
        url.set_query(None);
        url.set_fragment(None);
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("terarchitect/", env!("CARGO_PKG_VERSION")))
            // A redirect would take the key to another address.
            .redirect(reqwest::redirect::Policy::none());
        let http = if is_loopback(&url) { http.no_proxy() } else { http };
        let http = http.build().map_err(ClientError::Setup)?;
        let credential = key.map_or(Credential::None, Credential::Key);
        Ok(Self { http, base: url, credential, retry: Retry::Never })
    }

    /// The same client, more persistent. Calls that would do something twice are still tried once.
    #[must_use]
    pub fn with_retry(&self, retry: Retry) -> Self {
        Self { retry, ..self.clone() }
    }

    /// The same client with a session's cookie in the place of a key.
    #[must_use]
    pub(crate) fn with_cookie(&self, cookie: SecretString) -> Self {
        Self { credential: Credential::Cookie(cookie), ..self.clone() }
    }

    /// The address that it calls.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The address of a path of the API, without a slash at its start.
    #[must_use]
    pub fn address(&self, path: &str) -> Url {
        endpoint(&self.base, path)
    }

    /// Whether it has a key.
    #[must_use]
    pub fn has_key(&self) -> bool {
        !matches!(self.credential, Credential::None)
    }

    /// Whether the API responds at all; it need not accept the key.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn health(&self) -> Result<(), ClientError> {
        self.get::<serde_json::Value>("health", &[]).await.map(drop)
    }

    /// Whether the API can serve, which includes its database.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ready(&self) -> Result<(), ClientError> {
        self.get::<serde_json::Value>("ready", &[]).await.map(drop)
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, ClientError> {
        self.send(Method::GET, path, query, None::<&()>).await
    }

    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, ClientError> {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    pub(crate) async fn send<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&B>,
    ) -> Result<T, ClientError> {
        let mut url = self.address(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        // Sent twice, a POST could do its work twice.
        let retry = if method == Method::POST { Retry::Never } else { self.retry };
        let bytes = terarchitect_outbound::retry(retry, || async {
            let request = self.request(method.clone(), url.clone()).timeout(CALL_TIMEOUT);
            let request = if let Some(body) = body { request.json(body) } else { request };
            read(accepted(self.respond(request, &url).await?, &method, &url).await?, &url).await
        });
        parse(&url, &bytes.await?)
    }

    /// Signs in and returns the response's headers, where the cookie is.
    pub(crate) async fn post_for_headers<B: Serialize>(&self, path: &str, body: &B) -> Result<HeaderMap, ClientError> {
        let url = self.address(path);
        let request = self.request(Method::POST, url.clone()).timeout(CALL_TIMEOUT).json(body);
        let response = accepted(self.respond(request, &url).await?, &Method::POST, &url).await?;
        Ok(response.headers().clone())
    }

    /// Opens a stream that has no time limit of its own.
    pub(crate) async fn open(&self, url: &Url, headers: HeaderMap) -> Result<Response, ClientError> {
        let request = self.request(Method::GET, url.clone()).headers(headers);
        accepted(self.respond(request, url).await?, &Method::GET, url).await
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.credential {
            Credential::None => request,
            Credential::Key(key) => request.bearer_auth(key.expose_secret()),
            // A cookie alone changes nothing: the API wants to see that the request comes from its own origin.
            Credential::Cookie(cookie) => {
                request.header(COOKIE, cookie.expose_secret()).header(ORIGIN, self.base.origin().ascii_serialization())
            }
        }
    }

    async fn respond(&self, request: RequestBuilder, url: &Url) -> Result<Response, ClientError> {
        request.send().await.map_err(|source| unreachable(url, source))
    }
}

pub(crate) fn unreachable(url: &Url, source: reqwest::Error) -> ClientError {
    let mut url = url.clone();
    url.set_query(None);
    ClientError::Unreachable { url, source: source.without_url() }
}

async fn read(response: Response, url: &Url) -> Result<Vec<u8>, ClientError> {
    Ok(response.bytes().await.map_err(|source| unreachable(url, source))?.to_vec())
}

/// The response if it is a success, else the refusal in it.
async fn accepted(response: Response, method: &Method, url: &Url) -> Result<Response, ClientError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = retry_after(response.headers());
    let bytes = read(response, url).await?;
    let body: ErrorBody = serde_json::from_slice(&bytes).unwrap_or_else(|_| foreign_error(status, url, &bytes));
    if matches!(body.code.as_deref(), Some("no_such_address" | "method_not_allowed")) {
        return Err(ClientError::NotSupported { method: method.clone(), path: url.path().to_owned() });
    }
    Err(ClientError::Refused { status, body: Box::new(body), retry_after })
}

/// The response of a proxy or another program, as an error body.
fn foreign_error(status: StatusCode, url: &Url, bytes: &[u8]) -> ErrorBody {
    let text: String = String::from_utf8_lossy(bytes).trim().chars().take(EXCERPT_CHARS).collect();
    let said = if text.is_empty() { "and no explanation".to_owned() } else { format!("and said: {text}") };
    let host = url.host_str().unwrap_or_default();
    let error = format!("{host} returned {status} {said}");
    ErrorBody { error, ..ErrorBody::default() }
}

fn parse<T: DeserializeOwned>(url: &Url, bytes: &[u8]) -> Result<T, ClientError> {
    // 204 has no body.
    let bytes = if bytes.is_empty() { b"null".as_slice() } else { bytes };
    serde_json::from_slice(bytes).map_err(|source| ClientError::InvalidResponse {
        url: url.clone(),
        expected: std::any::type_name::<T>().rsplit("::").next().unwrap_or("response"),
        source,
    })
}
