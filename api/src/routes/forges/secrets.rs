//! Secrets of webhooks: two are valid for each address while one is replaced.

use crate::access::Caller;
use crate::actions;
use crate::actions::forges::secrets::NewWebhookSecret;
use crate::db::forges::secrets::WebhookSecret;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, Message};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which secret.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SecretPath {
    /// The secret.
    secret_id: Uuid,
}

/// A new secret, and where the forge should send to.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSecretView {
    #[serde(flatten)]
    about: WebhookSecret,
    /// What to set at the forge; it is shown here alone.
    secret: String,
    /// The path of the webhook's address, below that of this API.
    path: String,
}

/// The secrets that the caller may manage, without what is secret of them.
#[utoipa::path(get, path = "/api/webhook-secrets", tag = "forges", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Vec<WebhookSecret>)))]
pub async fn list_secrets(State(app): State<App>, caller: Caller) -> ApiResult<Json<Vec<WebhookSecret>>> {
    Ok(Json(actions::forges::secrets::list_secrets(&app.database, &caller.rights()).await?))
}

/// Makes a secret for the webhooks of a forge, for one project or for all. To replace one, make the second, set it at the
/// forge, then delete the first.
#[utoipa::path(post, path = "/api/webhook-secrets", tag = "forges", security(("bearer" = []), ("session" = [])),
    request_body = NewWebhookSecret,
    responses((status = 201, body = NewSecretView), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn create_secret(
    State(app): State<App>,
    caller: Caller,
    JsonBody(new): JsonBody<NewWebhookSecret>,
) -> ApiResult<(StatusCode, Json<NewSecretView>)> {
    let (actor, rights) = (caller.actor(), caller.rights());
    let (about, secret) =
        actions::forges::secrets::create_secret(&app.database, &app.sealer, &actor, &rights, new).await?;
    let of_project = about.project_id.map(|project| format!("/{project}")).unwrap_or_default();
    let path = format!("/webhooks/{}{of_project}", about.sender.as_str());
    Ok((StatusCode::CREATED, Json(NewSecretView { about, secret: secret.expose_secret().to_owned(), path })))
}

/// Deletes a secret: what is signed with it is refused from then on.
#[utoipa::path(delete, path = "/api/webhook-secrets/{secret_id}", tag = "forges",
    security(("bearer" = []), ("session" = [])), params(SecretPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn delete_secret(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<SecretPath>,
) -> ApiResult<Json<Message>> {
    let (actor, rights) = (caller.actor(), caller.rights());
    actions::forges::secrets::delete_secret(&app.database, &actor, &rights, path.secret_id).await?;
    Ok(Json(Message { message: "Webhook secret deleted".to_owned() }))
}
