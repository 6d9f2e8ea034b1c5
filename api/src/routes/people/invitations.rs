//! Invitations.

use super::link_address;
use crate::access::Caller;
use crate::actions;
use crate::actions::people::invitations::NewInvitation;
use crate::db;
use crate::db::people::links::Invitation;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, Message};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which invitation.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InvitationPath {
    /// The invitation.
    invitation_id: Uuid,
}

/// An invitation with its link.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationWithLink {
    #[serde(flatten)]
    invitation: Invitation,
    /// The link to send; it is shown here alone.
    link: String,
}

/// The invitations that no one has used, the newest first.
#[utoipa::path(get, path = "/api/invitations", tag = "people", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Vec<Invitation>)))]
pub async fn list_invitations(State(app): State<App>) -> ApiResult<Json<Vec<Invitation>>> {
    let mut conn = app.database.read().await?;
    Ok(Json(db::people::links::invitations(&mut conn).await?))
}

/// Invites someone: to everything with a role, or to one project.
#[utoipa::path(post, path = "/api/invitations", tag = "people", security(("bearer" = []), ("session" = [])),
    request_body = NewInvitation,
    responses((status = 201, body = InvitationWithLink), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub async fn create_invitation(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(new): JsonBody<NewInvitation>,
) -> ApiResult<(StatusCode, Json<InvitationWithLink>)> {
    let (invitation, secret) = actions::people::invitations::invite(&app.database, &caller.actor(), new).await?;
    let link = link_address(&app, &headers, secret.text());
    Ok((StatusCode::CREATED, Json(InvitationWithLink { invitation, link })))
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/invitations/{invitation_id}", tag = "people",
    security(("bearer" = []), ("session" = [])), params(InvitationPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn delete_invitation(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<InvitationPath>,
) -> ApiResult<Json<Message>> {
    actions::people::invitations::take_back(&app.database, &caller.actor(), path.invitation_id).await?;
    Ok(Json(Message { message: "Invitation taken back".to_owned() }))
}
