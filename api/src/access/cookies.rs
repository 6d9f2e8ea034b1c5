//! The cookies of the API: a person's session, and a sign-in with a provider that has begun.

use crate::db::people::sessions::MAX_AGE;
use crate::http::error::ApiError;
use crate::random_token::RandomToken;
use http::header::{COOKIE, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue};
use std::time::Duration;

/// The cookie of a session.
const SESSION: &str = "terarchitect_session";
/// The cookie of a sign-in with a provider that has begun.
const SIGN_IN: &str = "terarchitect_oidc";
/// How long a sign-in with a provider may take.
pub const SIGN_IN_TAKES: Duration = Duration::from_secs(600);

/// The secret of the session whose cookie comes with a request.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    find(headers, SESSION)
}

/// What a sign-in with a provider that has begun left in the browser.
#[must_use]
pub fn begun_sign_in(headers: &HeaderMap) -> Option<&str> {
    find(headers, SIGN_IN)
}

fn find<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, value)| *name == wanted && !value.is_empty()).map(|(_, value)| value).next()
}

/// Keeps a session in the browser. No script can read it, and no other site's page sends it.
///
/// # Errors
/// Never: the secret is plain text.
pub fn keep_session(secret: &RandomToken, secure: bool) -> Result<HeaderValue, ApiError> {
    let age = MAX_AGE.as_secs();
    made(format!("{SESSION}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={age}", secret.text()), secure)
}

/// Removes the session from the browser.
///
/// # Errors
/// Never.
pub fn forget_session(secure: bool) -> Result<HeaderValue, ApiError> {
    made(format!("{SESSION}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"), secure)
}

/// Keeps what a sign-in with a provider needs when the browser comes back from there, which is another site.
///
/// # Errors
/// When it is no plain text.
pub fn keep_sign_in(sealed: &str, secure: bool) -> Result<HeaderValue, ApiError> {
    let age = SIGN_IN_TAKES.as_secs();
    made(format!("{SIGN_IN}={sealed}; HttpOnly; SameSite=Lax; Path=/api/oidc; Max-Age={age}"), secure)
}

/// Removes it.
///
/// # Errors
/// Never.
pub fn forget_sign_in(secure: bool) -> Result<HeaderValue, ApiError> {
    made(format!("{SIGN_IN}=; HttpOnly; SameSite=Lax; Path=/api/oidc; Max-Age=0"), secure)
}

fn made(mut text: String, secure: bool) -> Result<HeaderValue, ApiError> {
    if secure {
        text.push_str("; Secure");
    }
    let mut value: HeaderValue = text.parse().map_err(|error: InvalidHeaderValue| ApiError::internal(error))?;
    value.set_sensitive(true);
    Ok(value)
}
