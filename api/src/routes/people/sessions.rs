//! Sessions: where a person is signed in, to look at and to end.

use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::db::people::sessions::Session;
use crate::domain::people::Role;
use crate::domain::people::rights::not_allowed;
use crate::http::error::ApiResult;
use crate::http::extract::{Path, Query};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, Message};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Whose sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// For admins: another person's.
    person_id: Option<Uuid>,
}

/// Which session.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SessionPath {
    /// The session.
    session_id: Uuid,
}

/// A session, and whether it is the caller's.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionEntry {
    #[serde(flatten)]
    session: Session,
    /// Whether this request was made with it.
    current: bool,
}

/// Where the caller is signed in, the latest first; for admins also where another person is.
#[utoipa::path(get, path = "/api/sessions", tag = "people", security(("bearer" = []), ("session" = [])),
    params(SessionQuery), responses((status = 200, body = Vec<SessionEntry>)))]
pub async fn list_sessions(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SessionQuery>,
) -> ApiResult<Json<Vec<SessionEntry>>> {
    if query.person_id.is_some_and(|other| Some(other) != caller.person_id()) && !caller.is_admin() {
        return Err(not_allowed(Role::Admin).into());
    }
    let Some(person) = query.person_id.or_else(|| caller.person_id()) else { return Ok(Json(Vec::new())) };
    let own = caller.session().map(|session| session.id);
    let mut conn = app.database.read().await?;
    let sessions = db::people::sessions::list(&mut conn, person).await?;
    Ok(Json(sessions.into_iter().map(|session| SessionEntry { current: Some(session.id) == own, session }).collect()))
}

/// Ends a session: one's own, and for admins anybody's.
#[utoipa::path(delete, path = "/api/sessions/{session_id}", tag = "people",
    security(("bearer" = []), ("session" = [])), params(SessionPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn end_session(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<SessionPath>,
) -> ApiResult<Json<Message>> {
    let (actor, only) = (caller.actor(), caller.only_own());
    actions::people::sessions::end_session(&app.database, &actor, path.session_id, only).await?;
    Ok(Json(Message { message: "Session ended".to_owned() }))
}
