//! People: sessions, links, sign-ins of programs, invitations, API tokens, what admins do with people, and the audit.

pub mod audit;
pub mod device_logins;
pub mod invitations;
pub mod links;
pub mod manage;
pub mod oidc;
pub mod session;
pub mod sessions;
pub mod tokens;

use crate::domain::people::link::address;
use crate::state::App;
use http::HeaderMap;
use http::header::HOST;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// Which person.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct PersonPath {
    /// The person.
    person_id: Uuid,
}

/// The address of a link.
fn link_address(app: &App, headers: &HeaderMap, secret: &str) -> String {
    address(&base_address(app, headers), secret)
}

/// Where people open the page, as far as that is known; without a slash at its end.
fn base_address(app: &App, headers: &HeaderMap) -> String {
    if let Some(url) = &app.config.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:5010");
    format!("http://{host}")
}
