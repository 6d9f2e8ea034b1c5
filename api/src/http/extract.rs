//! Extractors whose rejections are our JSON errors: bodies, path parameters and query strings.
//!
//! A body is parsed into its type or refused with the position of the mistake. Postgres stores no NUL character, so one
//! in any string is refused here and never reaches a query.

use super::error::ApiError;
use crate::domain::refusal::{ErrorCode, Refusal};
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use terarchitect_worker_api::{InvalidWorkerId, JobId, LogId, NoteId, ProjectId, TicketId, WorkerId};
use uuid::Uuid;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A JSON body; refused with 400, 413, 415 or 422.
pub struct JsonBody<T>(pub T);

/// A JSON body that may be absent: an empty one is the type's default.
pub struct OptionalJsonBody<T>(pub T);

/// Path parameters; refused with 400.
pub struct Path<T>(pub T);

/// A query string; refused with 400.
pub struct Query<T>(pub T);

/// The ids in the path of a project.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ProjectPath {
    /// The project.
    #[param(value_type = uuid::Uuid)]
    pub project_id: ProjectId,
}

/// The ids in the path of a ticket.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TicketPath {
    /// The project.
    #[param(value_type = uuid::Uuid)]
    pub project_id: ProjectId,
    /// The ticket.
    #[param(value_type = uuid::Uuid)]
    pub ticket_id: TicketId,
}

/// The ids in the path of a log entry.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct LogPath {
    /// The project.
    #[param(value_type = uuid::Uuid)]
    pub project_id: ProjectId,
    /// The ticket.
    #[param(value_type = uuid::Uuid)]
    pub ticket_id: TicketId,
    /// The entry.
    #[param(value_type = uuid::Uuid)]
    pub log_id: LogId,
}

/// The ids in the path of a diff.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DiffPath {
    /// The project.
    #[param(value_type = uuid::Uuid)]
    pub project_id: ProjectId,
    /// The ticket.
    #[param(value_type = uuid::Uuid)]
    pub ticket_id: TicketId,
    /// The diff.
    pub diff_id: Uuid,
}

/// The ids in the path of a note.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct NotePath {
    /// The project.
    #[param(value_type = uuid::Uuid)]
    pub project_id: ProjectId,
    /// The note.
    #[param(value_type = uuid::Uuid)]
    pub note_id: NoteId,
}

/// The id in the path of a job.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct JobPath {
    /// The job.
    #[param(value_type = uuid::Uuid)]
    pub job_id: JobId,
}

/// The id in the path of a checkpoint.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct CheckpointPath {
    /// The checkpoint.
    pub checkpoint_id: Uuid,
}

/// The ids in the path of a ticket's checkpoint.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TicketCheckpointPath {
    /// The project.
    #[param(value_type = uuid::Uuid)]
    pub project_id: ProjectId,
    /// The ticket.
    #[param(value_type = uuid::Uuid)]
    pub ticket_id: TicketId,
    /// The checkpoint.
    pub checkpoint_id: Uuid,
}

/// A worker's name for itself, as a field of a body or a query.
///
/// # Errors
/// When it is empty, too long, or contains control characters.
pub fn worker_id(text: &str) -> Result<WorkerId, Refusal> {
    text.parse().map_err(|error: InvalidWorkerId| Refusal::invalid(error.to_string()))
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        let bytes = read_body(request, state).await?;
        require_plain_json(&headers)?;
        if bytes.is_empty() {
            return Err(refused(ErrorCode::EmptyBody, "The body is empty; send a JSON object."));
        }
        parse_json(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        let bytes = read_body(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        require_plain_json(&headers)?;
        parse_json(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if parts.uri.path().contains("%00") {
            let sentence = "The path contains a NUL character (%00), which is not allowed; leave it out.";
            return Err(refused(ErrorCode::InvalidPath, sentence));
        }
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(path) => Ok(Self(path.0)),
            Err(error) => Err(refused(
                ErrorCode::InvalidPath,
                format!("The path is not valid: {}. Ids are UUIDs.", error.body_text().trim_end_matches('.')),
            )),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            let sentence = "The query contains a NUL character (%00), which is not allowed; leave it out.";
            return Err(refused(ErrorCode::InvalidQuery, sentence));
        }
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(query) => Ok(Self(query.0)),
            Err(error) => Err(refused(ErrorCode::InvalidQuery, sentence(&error.body_text()))),
        }
    }
}

/// The whole body, as far as the endpoint's limit allows.
///
/// # Errors
/// When it is larger, or does not arrive.
pub async fn read_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            refused(ErrorCode::BodyTooLarge, "The body is larger than this endpoint accepts.")
        } else {
            refused(ErrorCode::UnreadableBody, "The whole body did not arrive, or not in time; send the request again.")
        }
    })
}

/// Bodies are small, so what is compressed is refused, as RFC 9110 (8.4 and 15.5.16) has it.
///
/// # Errors
/// When it is compressed, or something else than JSON.
pub fn require_plain_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_plain = |encoding: &str| encoding.is_empty() || encoding.eq_ignore_ascii_case("identity");
    let mut encodings =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    if !encodings.all(|encoding| std::str::from_utf8(encoding).is_ok_and(|encoding| is_plain(encoding.trim()))) {
        let sentence = "The body is compressed, which is not supported; send it without Content-Encoding.";
        return Err(refused(ErrorCode::EncodedBody, sentence));
    }
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    match essence.as_deref() {
        Some("application/json") => Ok(()),
        Some(essence) if essence.starts_with("application/") && essence.ends_with("+json") => Ok(()),
        _ => Err(refused(ErrorCode::NotJson, "Send JSON, with the header 'Content-Type: application/json'.")),
    }
}

/// Parses a JSON object.
///
/// # Errors
/// When it is something else, with the place of the mistake.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Some clients, such as old PowerShells, begin a body with a byte order mark; RFC 8259 allows to ignore it.
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if std::str::from_utf8(bytes).is_err() {
        return Err(refused(ErrorCode::InvalidUtf8, "The body is not valid UTF-8."));
    }
    // serde would accept a list as an object, its items in the order of the fields.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(refuse)?;
        return Err(refused(ErrorCode::InvalidBody, "The body must be a JSON object."));
    }
    // In JSON a NUL can only be written as this escape, so only the rare body that contains it is searched.
    if bytes.windows(6).any(|window| window.eq_ignore_ascii_case(b"\\u0000")) {
        let value: Value = serde_json::from_slice(bytes).map_err(refuse)?;
        if contains_nul(&value) {
            return Err(nul_refused());
        }
    }
    serde_json::from_slice(bytes).map_err(refuse)
}

fn refuse(error: serde_json::Error) -> ApiError {
    let code = match error.classify() {
        serde_json::error::Category::Data => ErrorCode::InvalidBody,
        _ => ErrorCode::MalformedJson,
    };
    refused(code, sentence(&format!("The body is not valid: {error}")))
}

fn refused(code: ErrorCode, message: impl Into<String>) -> ApiError {
    Refusal::new(code, message).into()
}

fn nul_refused() -> ApiError {
    refused(ErrorCode::NulCharacter, "A text contains a NUL character (\\u0000), which cannot be stored; leave it out.")
}

fn contains_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(contains_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || contains_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}
