//! What admins do with people.

use super::{PersonPath, link_address};
use crate::access::Caller;
use crate::actions;
use crate::actions::people::manage::PersonChanges;
use crate::db;
use crate::db::people::Person;
use crate::domain::people::link::LinkKind;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::Serialize;
use terarchitect_worker_api::{ErrorBody, Message};
use utoipa::ToSchema;

/// A link that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewLinkView {
    /// The link; it is shown here alone.
    link: String,
    /// Until when it holds.
    expires_at: DateTime<Utc>,
}

/// All people, those who came first at the top.
#[utoipa::path(get, path = "/api/people", tag = "people", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Vec<Person>)))]
pub async fn list_people(State(app): State<App>) -> ApiResult<Json<Vec<Person>>> {
    let mut conn = app.database.read().await?;
    Ok(Json(db::people::list(&mut conn).await?))
}

/// Changes a person's name, roles, or whether the person may sign in. It holds at once.
#[utoipa::path(patch, path = "/api/people/{person_id}", tag = "people", security(("bearer" = []), ("session" = [])),
    params(PersonPath), request_body = PersonChanges,
    responses((status = 200, body = Person), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn update_person(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<PersonPath>,
    JsonBody(changes): JsonBody<PersonChanges>,
) -> ApiResult<Json<Person>> {
    let (database, actor) = (&app.database, caller.actor());
    Ok(Json(actions::people::manage::update_person(database, &actor, path.person_id, changes).await?))
}

/// Removes a person, with sessions, links and tokens.
#[utoipa::path(delete, path = "/api/people/{person_id}", tag = "people", security(("bearer" = []), ("session" = [])),
    params(PersonPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn delete_person(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<PersonPath>,
) -> ApiResult<Json<Message>> {
    actions::people::manage::delete_person(&app.database, &caller.actor(), path.person_id).await?;
    Ok(Json(Message { message: "Person removed".to_owned() }))
}

/// Makes a link with which the person sets a new password. It replaces links made before.
#[utoipa::path(post, path = "/api/people/{person_id}/reset", tag = "people",
    security(("bearer" = []), ("session" = [])), params(PersonPath),
    responses((status = 200, body = NewLinkView), (status = 404, body = ErrorBody)))]
pub async fn reset_person(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(path): Path<PersonPath>,
) -> ApiResult<Json<NewLinkView>> {
    let (database, actor) = (&app.database, caller.actor());
    let made = actions::people::links::make_link_for(database, &actor, path.person_id, LinkKind::Reset).await?;
    let (secret, expires_at) = made;
    Ok(Json(NewLinkView { link: link_address(&app, &headers, secret.text()), expires_at }))
}
