//! Credentials for forges. What is secret of them goes in, and never out.

use crate::access::Caller;
use crate::actions;
use crate::actions::forges::credentials::NewCredential;
use crate::db::forges::credentials::Credential;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use terarchitect_worker_api::{ErrorBody, Message};
use utoipa::IntoParams;
use uuid::Uuid;

/// Which credential.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct CredentialPath {
    /// The credential.
    credential_id: Uuid,
}

/// The credentials that the caller may manage: all for admins, those of their projects for members.
#[utoipa::path(get, path = "/api/credentials", tag = "forges", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Vec<Credential>)))]
pub async fn list_credentials(State(app): State<App>, caller: Caller) -> ApiResult<Json<Vec<Credential>>> {
    Ok(Json(actions::forges::credentials::list_credentials(&app.database, &caller.rights()).await?))
}

/// Stores a credential, which is sent to its host alone. It is encrypted, and never shown again.
#[utoipa::path(post, path = "/api/credentials", tag = "forges", security(("bearer" = []), ("session" = [])),
    request_body = NewCredential,
    responses((status = 201, body = Credential), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn create_credential(
    State(app): State<App>,
    caller: Caller,
    JsonBody(new): JsonBody<NewCredential>,
) -> ApiResult<(StatusCode, Json<Credential>)> {
    let (actor, rights) = (caller.actor(), caller.rights());
    let stored =
        actions::forges::credentials::create_credential(&app.database, &app.sealer, &actor, &rights, new).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

/// Deletes a credential.
#[utoipa::path(delete, path = "/api/credentials/{credential_id}", tag = "forges",
    security(("bearer" = []), ("session" = [])), params(CredentialPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn delete_credential(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<CredentialPath>,
) -> ApiResult<Json<Message>> {
    let (actor, rights) = (caller.actor(), caller.rights());
    actions::forges::credentials::delete_credential(&app.database, &actor, &rights, path.credential_id).await?;
    Ok(Json(Message { message: "Credential deleted".to_owned() }))
}
