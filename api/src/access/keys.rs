//! Compares keys, and decides which callers may come in while a key is not set.

use super::Caller;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::job_tokens;
use axum::extract::{ConnectInfo, Request};
use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;

/// The caller of a request that carries one of the keys. Where one of them is not set, the endpoints are open to this
/// machine.
///
/// # Errors
/// When the key is missing or wrong, or the caller is on another machine and a key is not set.
pub(super) fn check(
    request: &Request,
    keys: &[(Option<&SecretString>, Caller)],
    name: &str,
) -> Result<Caller, Refusal> {
    let given = bearer(request.headers());
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
    require_this_machine(request, name).map(|()| Caller::Local)
}

/// The key or token that a request carries.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
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

fn require_this_machine(request: &Request, name: &str) -> Result<(), Refusal> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let headers = request.headers();
    let forwarded = headers.contains_key("forwarded") || headers.contains_key("x-forwarded-for");
    // A page of another site, open in a browser on this machine, must not reach an API that has no key: neither by a
    // cross-site request nor by a host name of its own that resolves to this machine.
    let cross_site = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    if peer.is_some_and(|ip| ip.is_loopback()) && !forwarded && !cross_site && names_this_machine(headers) {
        return Ok(());
    }
    let sentence = format!(
        "{name} is not set, so the API accepts requests from its own machine only; set it to call from elsewhere."
    );
    Err(Refusal::new(ErrorCode::ThisMachineOnly, sentence))
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|value| value.to_str().ok()) else { return true };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}
