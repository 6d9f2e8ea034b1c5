//! API tokens.

use crate::access::Caller;
use crate::actions;
use crate::actions::people::tokens::{Maker, NewToken};
use crate::db;
use crate::db::people::tokens::Token;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, Message};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which token.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TokenPath {
    /// The token.
    token_id: Uuid,
}

/// A token with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenWithSecret {
    #[serde(flatten)]
    about: Token,
    /// The token to send as `Authorization: Bearer <token>`; it is shown here alone.
    token: String,
}

/// The caller's tokens, the newest first; for admins everybody's.
#[utoipa::path(get, path = "/api/tokens", tag = "people", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Vec<Token>)))]
pub async fn list_tokens(State(app): State<App>, caller: Caller) -> ApiResult<Json<Vec<Token>>> {
    let mut conn = app.database.read().await?;
    Ok(Json(db::people::tokens::list(&mut conn, caller.only_own()).await?))
}

/// Makes a token that may do no more than its maker. A person's tokens end with what the person may do.
#[utoipa::path(post, path = "/api/tokens", tag = "people", security(("bearer" = []), ("session" = [])),
    request_body = NewToken,
    responses((status = 201, body = TokenWithSecret), (status = 404, body = ErrorBody)))]
pub async fn create_token(
    State(app): State<App>,
    caller: Caller,
    JsonBody(new): JsonBody<NewToken>,
) -> ApiResult<(StatusCode, Json<TokenWithSecret>)> {
    if matches!(caller, Caller::Token(_)) {
        let sentence = "A token can't make tokens, since they would outlive it; sign in to make one.";
        return Err(Refusal::new(ErrorCode::NotAllowed, sentence).into());
    }
    let (actor, rights) = (caller.actor(), caller.rights());
    let maker = Maker { actor: &actor, rights: &rights, person: caller.person_id() };
    let (about, secret) = actions::people::tokens::make_token(&app.database, maker, new).await?;
    Ok((StatusCode::CREATED, Json(TokenWithSecret { about, token: secret.text().to_owned() })))
}

/// Revokes a token: one's own, and for admins anybody's. It gives access to nothing from then on.
#[utoipa::path(delete, path = "/api/tokens/{token_id}", tag = "people", security(("bearer" = []), ("session" = [])),
    params(TokenPath), responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn revoke_token(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TokenPath>,
) -> ApiResult<Json<Message>> {
    let (actor, only) = (caller.actor(), caller.only_own());
    actions::people::tokens::revoke(&app.database, &actor, path.token_id, only).await?;
    Ok(Json(Message { message: "Token revoked".to_owned() }))
}
