//! Signing in with an OpenID Connect provider: the way there, and the way back.
//!
//! Browsers come here by links and redirects, so a refusal leads them to the page, which says it in words.

use crate::access::{ComesFrom, cookies};
use crate::actions;
use crate::actions::people::provider::Identity;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::Query;
use crate::oidc::{Begun, OidcError, Provider, Vouched};
use crate::state::App;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ACCEPT, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::sync::Arc;
use terarchitect_outbound::chain;
use terarchitect_worker_api::ErrorBody;
use utoipa::IntoParams;

/// What the browser's cookie is sealed for.
const SEALED_FOR: &str = "sign-in with a provider";
/// The most characters of where the person wanted to go.
const MAX_RETURN_TO: usize = 1_000;

/// Where the person wants to go.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StartQuery {
    /// The path of a page here: `/` if unset.
    return_to: Option<String>,
}

/// What a provider sends along.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackQuery {
    /// What the provider gives the person's data for.
    code: Option<String>,
    /// Which sign-in it is.
    state: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Sends the browser to the provider.
#[utoipa::path(get, path = "/api/oidc/start", tag = "people", params(StartQuery),
    responses((status = 303, description = "To the provider"), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn start_oidc(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<StartQuery>,
) -> ApiResult<Response> {
    let provider = provider(&app)?;
    let (address, begun) = match provider.begin(return_to(query.return_to)).await {
        Ok(begun) => begun,
        Err(error) => return failed(&app, &headers, &error),
    };
    let text = serde_json::to_string(&begun).map_err(ApiError::internal)?;
    let sealed = URL_SAFE_NO_PAD.encode(app.sealer.seal(SEALED_FOR, &text));
    let cookie = cookies::keep_sign_in(&sealed, app.config.is_secure())?;
    see_other(address.as_str(), [cookie])
}

/// The browser comes back from the provider: signs the person in, and sends the browser where the person wanted to go.
#[utoipa::path(get, path = "/api/oidc/callback", tag = "people", params(CallbackQuery),
    responses((status = 303, description = "To where the person wanted to go"), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn finish_oidc(
    State(app): State<App>,
    headers: HeaderMap,
    ComesFrom(client): ComesFrom,
    Query(query): Query<CallbackQuery>,
) -> ApiResult<Response> {
    let provider = provider(&app)?;
    let vouched = match vouched(&app, &provider, &headers, query).await {
        Ok(vouched) => vouched,
        Err(error) => return failed(&app, &headers, &error),
    };
    let (vouched, return_to) = vouched;
    let identity = Identity {
        issuer: vouched.issuer,
        subject: vouched.subject,
        email: vouched.email,
        email_verified: vouched.email_verified,
        name: vouched.name,
        role: vouched.role,
    };
    let started = match actions::people::provider::sign_in(&app.database, &identity, &client).await {
        Ok(started) => started,
        Err(error) => return refused(&app, &headers, error.into()),
    };
    let secure = app.config.is_secure();
    see_other(&return_to, [cookies::keep_session(&started.secret, secure)?, cookies::forget_sign_in(secure)?])
}

async fn vouched(
    app: &App,
    provider: &Provider,
    headers: &HeaderMap,
    query: CallbackQuery,
) -> Result<(Vouched, String), OidcError> {
    let sealed = cookies::begun_sign_in(headers).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let sealed = sealed.ok_or(OidcError::NotBegun)?;
    let opened = app.sealer.open(SEALED_FOR, app.sealer.key_id(), &sealed).map_err(|_| OidcError::NotBegun)?;
    let begun: Begun = serde_json::from_str(opened.expose_secret()).map_err(|_| OidcError::NotBegun)?;
    if let Some(error) = query.error {
        let said: String = error.chars().take(200).collect();
        return Err(OidcError::Code(format!("the provider says: {said}").into()));
    }
    let (Some(code), Some(state)) = (query.code, query.state) else { return Err(OidcError::NotBegun) };
    let vouched = provider.finish(&begun, &state, code).await?;
    Ok((vouched, begun.return_to))
}

fn provider(app: &App) -> Result<Arc<Provider>, Refusal> {
    let missing =
        || Refusal::new(ErrorCode::NotFound, "No OpenID Connect provider is configured; sign in with a password.");
    app.provider.clone().ok_or_else(missing)
}

/// A path of this page and nothing else, so that no link through here leads to another site.
fn return_to(wanted: Option<String>) -> String {
    let wanted = wanted.unwrap_or_default();
    let plain = wanted.chars().all(|c| c.is_ascii_graphic() && c != '\\') && wanted.len() <= MAX_RETURN_TO;
    if plain && wanted.starts_with('/') && !wanted.starts_with("//") { wanted } else { "/".to_owned() }
}

fn failed(app: &App, headers: &HeaderMap, error: &OidcError) -> ApiResult<Response> {
    tracing::warn!(error = chain(error), "nobody was signed in with the OpenID Connect provider");
    let refusal = match error {
        OidcError::NotBegun => {
            let sentence = "This sign-in was not begun in this browser, or too long ago; begin it again.";
            Refusal::new(ErrorCode::SignInNotBegun, sentence)
        }
        _ => {
            let sentence = "The provider did not sign you in; try again, or ask an admin to read the API's log.";
            Refusal::new(ErrorCode::ProviderFailed, sentence)
        }
    };
    refused(app, headers, refusal.into())
}

/// A browser gets the page with the word for what went wrong; a program gets the error.
fn refused(app: &App, headers: &HeaderMap, error: ApiError) -> ApiResult<Response> {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/html") || error.code().status() >= 500 {
        return Err(error);
    }
    let forget = cookies::forget_sign_in(app.config.is_secure())?;
    see_other(&format!("/sign-in?error={}", error.code().as_str()), [forget])
}

fn see_other<const N: usize>(to: &str, cookies: [HeaderValue; N]) -> ApiResult<Response> {
    let location = HeaderValue::from_str(to).map_err(ApiError::internal)?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(LOCATION, location);
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_never_leads_to_another_site() {
        let to = |text: &str| return_to(Some(text.to_owned()));
        for own in ["/projects/1?tab=board#x", "/device?code=BCDF-GHJK"] {
            assert_eq!(to(own), own);
        }
        for other in ["", "//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a\r\nb", "/a b"] {
            assert_eq!(to(other), "/", "{other:?}");
        }
        assert_eq!(return_to(None), "/");
    }
}
