//! Signing in a program from a browser, in the manner of RFC 8628. Programs ask and wait; people decide on the page.

use super::base_address;
use crate::access::{Caller, ComesFrom};
use crate::actions;
use crate::db::people::Person;
use crate::domain::people::Role;
use crate::domain::people::device_login::{DeviceAnswer, HOLDS, INTERVAL_SEC};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, Message};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which program asks.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewDeviceLogin {
    /// What the person sees, and what the token will be called, such as `terarchitect on laptop`.
    name: String,
}

/// What a program that asks gets.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceLoginBegun {
    /// What the program asks for its token with; no one else should see it.
    device_code: String,
    /// What the program shows the person, to compare: eight letters with a dash between.
    user_code: String,
    /// The page to open.
    verification_uri: String,
    /// The same page with the code in it.
    verification_uri_complete: String,
    /// For how many seconds the codes hold.
    expires_in: u64,
    /// How many seconds to wait between two questions, at least.
    interval: i32,
}

/// Which program waits.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CollectToken {
    /// The program's code.
    #[schema(value_type = String)]
    device_code: SecretString,
}

/// What became of a program's question.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceLoginAnswer {
    /// `approved` with the token, once; `pending` or `slow_down`: ask again after `interval` seconds; `denied` and
    /// `expired` are the end.
    state: DeviceAnswer,
    /// After how many seconds to ask again.
    interval: Option<i32>,
    /// The token to send as `Authorization: Bearer <token>`; it is shown here alone.
    token: Option<String>,
    /// The token's id, to revoke it.
    token_id: Option<Uuid>,
    /// Whose the token is.
    email: Option<String>,
    /// What it may do, as far as its owner may.
    role: Option<Role>,
}

/// A code that people read.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserCodePath {
    /// The code that the program shows: in any case, with or without the dash.
    user_code: String,
}

/// A program that waits for a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceLoginView {
    /// The code, as the program shows it.
    user_code: String,
    /// What the program calls itself. Anyone may have chosen that.
    name: String,
    /// The address that it asks from.
    address: Option<String>,
    /// Since when.
    created_at: DateTime<Utc>,
    /// Until when someone can decide.
    expires_at: DateTime<Utc>,
}

/// Begins to sign a program in: show the person `user_code` and the page's address, and ask for the token meanwhile.
/// Many from one address become slow.
#[utoipa::path(post, path = "/api/device-logins", tag = "people", request_body = NewDeviceLogin,
    responses((status = 201, body = DeviceLoginBegun), (status = 429, body = ErrorBody)))]
pub async fn begin_device_login(
    State(app): State<App>,
    headers: HeaderMap,
    ComesFrom(client): ComesFrom,
    JsonBody(new): JsonBody<NewDeviceLogin>,
) -> ApiResult<(StatusCode, Json<DeviceLoginBegun>)> {
    let begun = actions::people::device_login::begin(&app.database, &new.name, &client).await?;
    let page = format!("{}/device", base_address(&app, &headers));
    let answer = DeviceLoginBegun {
        device_code: begun.device_code.text().to_owned(),
        user_code: begun.user_code.to_string(),
        verification_uri_complete: format!("{page}?code={}", begun.user_code),
        verification_uri: page,
        expires_in: HOLDS.as_secs(),
        interval: INTERVAL_SEC,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Asks what the person decided. The token comes once.
#[utoipa::path(post, path = "/api/device-logins/token", tag = "people", request_body = CollectToken,
    responses((status = 200, body = DeviceLoginAnswer)))]
pub async fn collect_device_token(
    State(app): State<App>,
    JsonBody(given): JsonBody<CollectToken>,
) -> ApiResult<Json<DeviceLoginAnswer>> {
    let answer = actions::people::device_login::collect(&app.database, &given.device_code).await?;
    let granted = answer.granted.as_ref();
    Ok(Json(DeviceLoginAnswer {
        state: answer.state,
        interval: answer.interval_sec,
        token: granted.map(|granted| granted.secret.text().to_owned()),
        token_id: granted.map(|granted| granted.id),
        email: granted.map(|granted| granted.person.email.clone()),
        role: granted.map(|granted| granted.person.role),
    }))
}

/// The program that waits with a code. For signed-in people; wrong codes become slow.
#[utoipa::path(get, path = "/api/device-logins/{user_code}", tag = "people", security(("session" = [])),
    params(UserCodePath),
    responses((status = 200, body = DeviceLoginView), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 410, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub async fn get_device_login(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<UserCodePath>,
) -> ApiResult<Json<DeviceLoginView>> {
    let person = in_a_browser(&caller)?;
    let (code, login) = actions::people::device_login::look(&app.database, person, &path.user_code).await?;
    Ok(Json(DeviceLoginView {
        user_code: code.to_string(),
        name: login.name,
        address: login.address,
        created_at: login.created_at,
        expires_at: login.expires_at,
    }))
}

/// Lets the program with this code have a token that may do what the signed-in person may.
#[utoipa::path(post, path = "/api/device-logins/{user_code}/approve", tag = "people", security(("session" = [])),
    params(UserCodePath),
    responses((status = 200, body = Message), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 410, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub async fn approve_device_login(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<UserCodePath>,
) -> ApiResult<Json<Message>> {
    let person = in_a_browser(&caller)?;
    actions::people::device_login::decide(&app.database, person, &path.user_code, true).await?;
    Ok(Json(Message { message: "Approved".to_owned() }))
}

/// Refuses the program with this code.
#[utoipa::path(post, path = "/api/device-logins/{user_code}/deny", tag = "people", security(("session" = [])),
    params(UserCodePath),
    responses((status = 200, body = Message), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 410, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub async fn deny_device_login(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<UserCodePath>,
) -> ApiResult<Json<Message>> {
    let person = in_a_browser(&caller)?;
    actions::people::device_login::decide(&app.database, person, &path.user_code, false).await?;
    Ok(Json(Message { message: "Denied".to_owned() }))
}

/// The signed-in person. A token that could approve would make others that outlive it.
fn in_a_browser(caller: &Caller) -> Result<&Person, Refusal> {
    let refused = || {
        let sentence = "A signed-in person decides this on the page; a key or token can't.";
        Refusal::new(ErrorCode::NotAllowed, sentence)
    };
    caller.session().map(|session| &session.person).ok_or_else(refused)
}
