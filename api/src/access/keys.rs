//! Compares keys, and decides which callers may come in while a key is not set.

use super::who::WithoutKeys;
use super::{AllowedOrigins, Caller, this_machine};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::job_tokens;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a caller is asked for.
pub(super) struct Asked<'a> {
    /// The keys that open the endpoint, as far as they are set, and as whom.
    pub(super) keys: &'a [(Option<&'a SecretString>, Caller)],
    /// The variable that names the key to send.
    pub(super) name: &'a str,
    /// Who gets in where one of them is not set.
    pub(super) without_keys: WithoutKeys,
}

/// The caller of a request that carries one of the keys. Where one of them is not set, the endpoints are open to this
/// machine, unless no one may come without one.
///
/// # Errors
/// When the key is missing or wrong, or the caller is on another machine and a key is not set.
pub(super) fn check(parts: &Parts, asked: &Asked<'_>, origins: &AllowedOrigins) -> Result<Caller, Refusal> {
    let (keys, name) = (asked.keys, asked.name);
    let given = bearer(&parts.headers);
    let opens =
        |key: Option<&SecretString>| given.zip(key).is_some_and(|(given, key)| same(given, key.expose_secret()));
    if let Some((_, caller)) = keys.iter().find(|(key, _)| opens(*key)) {
        return Ok(caller.clone());
    }
    // A job token gives access to its own ticket only, even while other requests need no key.
    if keys.iter().all(|(key, _)| key.is_some()) || given.is_some_and(job_tokens::is_job_token) {
        return Err(unauthorized(given.is_some(), name));
    }
    // While one of two keys is set, a wrong key is refused: treating it as a missing key would hide the mistake.
    if given.is_some() && keys.iter().any(|(key, _)| key.is_some()) {
        return Err(unauthorized(true, name));
    }
    if asked.without_keys == WithoutKeys::NoOne {
        let sentence = "Sign in, or send a token as 'Authorization: Bearer <token>'.";
        return Err(Refusal::new(ErrorCode::Unauthorized, sentence));
    }
    this_machine::require(parts, name, origins).map(|()| Caller::Local)
}

/// The key or token that a request carries: as a bearer token, or as `x-api-key`, which some clients know alone.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return headers.get("x-api-key")?.to_str().ok().map(str::trim).filter(|key| !key.is_empty());
    };
    let value = value.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares digests in constant time, so that the timing reveals neither the length nor a common prefix.
fn same(given: &str, key: &str) -> bool {
    Sha256::digest(given.as_bytes()).as_slice().ct_eq(Sha256::digest(key.as_bytes()).as_slice()).into()
}

fn unauthorized(given: bool, name: &str) -> Refusal {
    let message = if given {
        format!("The key is wrong; send the value of {name} as 'Authorization: Bearer <key>'.")
    } else {
        format!("A key is required; send the value of {name} as 'Authorization: Bearer <key>'.")
    };
    Refusal::new(ErrorCode::Unauthorized, message)
}
