//! `/api/session`: who the caller is, signing in and out, and what people change about themselves.

use crate::access::{Caller, ComesFrom, MaybeCaller, cookies};
use crate::actions;
use crate::actions::people::Started;
use crate::actions::people::own::OwnChanges;
use crate::db::people::{Person, RoleInProject};
use crate::domain::people::Role;
use crate::domain::people::token::TokenScope;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiResult;
use crate::http::extract::JsonBody;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, Message};
use utoipa::ToSchema;
use uuid::Uuid;

/// As what a caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KnownAs {
    /// A signed-in person.
    Person,
    /// Who has `TERARCHITECT_API_KEY`.
    ApiKey,
    /// Who has an API token.
    Token,
    /// A program of the API's own machine, while no one can sign in.
    Local,
}

/// The signed-in person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Me {
    /// The person.
    id: Uuid,
    /// The person's address.
    email: String,
    /// What others call the person.
    name: String,
    /// What the person may do everywhere.
    role: Role,
    /// Roles in single projects, which replace the one above there.
    projects: Vec<RoleInProject>,
}

/// A provider that people can sign in with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderName {
    /// What the page calls it.
    name: String,
}

/// How people can sign in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignInWays {
    /// With an address and a password.
    password: bool,
    /// With an OpenID Connect provider: `GET /api/oidc/start`.
    oidc: Option<ProviderName>,
}

/// Who the caller is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// Whether the caller may use anything.
    signed_in: bool,
    /// As what the caller is known.
    #[serde(rename = "as")]
    known_as: Option<KnownAs>,
    /// The signed-in person.
    person: Option<Me>,
    /// What the caller may do everywhere.
    role: Role,
    /// Whether no one can sign in yet.
    needs_first_admin: bool,
    /// How people can sign in.
    sign_in: SignInWays,
    /// The API's version.
    version: &'static str,
}

/// An address and its password.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Credentials {
    /// The address.
    email: String,
    /// The password.
    #[schema(value_type = String)]
    password: SecretString,
}

/// Who the caller is: also for callers who are no one.
#[utoipa::path(get, path = "/api/session", tag = "people", responses((status = 200, body = SessionView)))]
pub async fn get_session(State(app): State<App>, MaybeCaller(caller): MaybeCaller) -> ApiResult<Json<SessionView>> {
    Ok(Json(view(&app, caller.as_ref()).await?))
}

/// Signs a person in with address and password. The response sets the cookie `terarchitect_session`.
#[utoipa::path(post, path = "/api/session", tag = "people", request_body = Credentials,
    responses((status = 200, body = SessionView), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 429, body = ErrorBody)))]
pub async fn sign_in(
    State(app): State<App>,
    ComesFrom(client): ComesFrom,
    JsonBody(given): JsonBody<Credentials>,
) -> ApiResult<Response> {
    let (database, passwords) = (&app.database, &app.passwords);
    let started = actions::people::sign_in::sign_in(database, passwords, &given.email, given.password, &client).await?;
    signed_in(&app, started)
}

/// What a person changes about itself: the name, the password. A new password ends the person's other sessions.
#[utoipa::path(patch, path = "/api/session", tag = "people", security(("bearer" = []), ("session" = [])),
    request_body = OwnChanges, responses((status = 200, body = SessionView), (status = 429, body = ErrorBody)))]
pub async fn update_session(
    State(app): State<App>,
    caller: Caller,
    ComesFrom(client): ComesFrom,
    JsonBody(changes): JsonBody<OwnChanges>,
) -> ApiResult<Json<SessionView>> {
    let session = caller.session().ok_or_else(people_only)?;
    let (database, passwords) = (&app.database, &app.passwords);
    let (person, id) = (&session.person, session.id);
    actions::people::own::change_own(database, passwords, person, id, &client, changes).await?;
    let mut conn = app.database.read().await?;
    let now = crate::db::people::find(&mut conn, person.id).await?.unwrap_or_else(|| person.clone());
    drop(conn);
    Ok(Json(of_person(&app, &now)))
}

/// Signs the person out: ends the session here, and removes the cookie. Keys and tokens have none to end.
#[utoipa::path(delete, path = "/api/session", tag = "people", security(("bearer" = []), ("session" = [])),
    responses((status = 200, body = Message)))]
pub async fn sign_out(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    if let Some(session) = caller.session() {
        actions::people::sessions::end_session(&app.database, &caller.actor(), session.id, None).await?;
    }
    let cookie = cookies::forget_session(app.config.is_secure())?;
    Ok(([(SET_COOKIE, cookie)], Json(Message { message: "Signed out".to_owned() })).into_response())
}

/// The response to someone who has just signed in.
pub(super) fn signed_in(app: &App, started: Started) -> ApiResult<Response> {
    let cookie = cookies::keep_session(&started.secret, app.config.is_secure())?;
    Ok(([(SET_COOKIE, cookie)], Json(of_person(app, &started.person))).into_response())
}

async fn view(app: &App, caller: Option<&Caller>) -> ApiResult<SessionView> {
    let known_as = caller.and_then(|caller| match caller {
        Caller::Person(_) => Some(KnownAs::Person),
        Caller::Application => Some(KnownAs::ApiKey),
        Caller::Token(token) if token.scope == TokenScope::App => Some(KnownAs::Token),
        Caller::Local => Some(KnownAs::Local),
        Caller::Token(_) | Caller::Worker | Caller::Job(_) => None,
    });
    let caller = caller.filter(|_| known_as.is_some());
    Ok(SessionView {
        known_as,
        person: caller.and_then(Caller::session).map(|session| me(&session.person)),
        role: caller.map_or(Role::None, |caller| caller.rights().role),
        needs_first_admin: !app.any_people().await?,
        ..unknown_caller(app)
    }
    .known())
}

fn of_person(app: &App, person: &Person) -> SessionView {
    SessionView { known_as: Some(KnownAs::Person), person: Some(me(person)), role: person.role, ..unknown_caller(app) }
        .known()
}

fn unknown_caller(app: &App) -> SessionView {
    let oidc = app.provider.as_ref().map(|provider| ProviderName { name: provider.config.name.clone() });
    SessionView {
        signed_in: false,
        known_as: None,
        person: None,
        role: Role::None,
        needs_first_admin: false,
        sign_in: SignInWays { password: true, oidc },
        version: env!("CARGO_PKG_VERSION"),
    }
}

impl SessionView {
    fn known(mut self) -> Self {
        self.signed_in = self.known_as.is_some();
        self
    }
}

fn me(person: &Person) -> Me {
    let Person { id, email, name, role, projects, .. } = person.clone();
    Me { id, email, name, role, projects }
}

fn people_only() -> Refusal {
    Refusal::new(ErrorCode::NotAllowed, "This is for signed-in people; a key or token has no session to change.")
}
