//! Links that work once. Their secret comes in bodies alone, so that no log has it.

use super::session::{SessionView, signed_in};
use crate::access::ComesFrom;
use crate::actions;
use crate::actions::people::links::UseLink;
use crate::domain::people::Role;
use crate::domain::people::link::LinkKind;
use crate::http::error::ApiResult;
use crate::http::extract::JsonBody;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::ErrorBody;
use utoipa::ToSchema;

/// Which link.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LookAtLink {
    /// The link's secret: what stands behind its #.
    #[schema(value_type = String)]
    token: SecretString,
}

/// What a link is for.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// For what.
    kind: LinkKind,
    /// For whom, where that is known.
    email: Option<String>,
    /// What a new person may do.
    role: Option<Role>,
    /// In which project alone.
    project_name: Option<String>,
    /// Until when it holds.
    expires_at: DateTime<Utc>,
}

/// What a link is for.
#[utoipa::path(post, path = "/api/links/look", tag = "people", request_body = LookAtLink,
    responses((status = 200, body = LinkView), (status = 403, body = ErrorBody), (status = 410, body = ErrorBody)))]
pub async fn look_at_link(State(app): State<App>, JsonBody(given): JsonBody<LookAtLink>) -> ApiResult<Json<LinkView>> {
    let link = actions::people::links::look(&app.database, &given.token).await?;
    Ok(Json(LinkView {
        kind: link.kind,
        email: link.email,
        role: link.role,
        project_name: link.project_name,
        expires_at: link.expires_at,
    }))
}

/// Uses a link, which makes a person, sets a password or signs in; in any case the response sets the cookie of a session.
#[utoipa::path(post, path = "/api/links/use", tag = "people", request_body = UseLink,
    responses((status = 200, body = SessionView), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 410, body = ErrorBody)))]
pub async fn use_link(
    State(app): State<App>,
    ComesFrom(client): ComesFrom,
    JsonBody(given): JsonBody<UseLink>,
) -> ApiResult<Response> {
    let started = actions::people::links::use_link(&app.database, &app.passwords, given, &client).await?;
    signed_in(&app, started)
}
