//! The one error type of the routes. Clients see a sentence, a code and the request id; causes go to the log, once.

use crate::actions::ActionError;
use crate::changes::ReadError;
use crate::db;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::state::SettingsError;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;
use terarchitect_outbound::chain;
use terarchitect_worker_api::ErrorBody;

tokio::task_local! {
    /// The id of the request that this task serves, set by [`super::layers::with_request_id`].
    pub(crate) static REQUEST_ID: String;
}

/// Shorthand for what handlers return.
pub type ApiResult<T> = Result<T, ApiError>;

/// A response that is not a success.
#[derive(Debug)]
pub struct ApiError {
    refusal: Refusal,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ApiError {
    /// 503: the database is not available now; a retry may help. The sentence says why, as far as that is known.
    #[must_use]
    pub fn unavailable(sentence: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { refusal: Refusal::new(ErrorCode::Unavailable, sentence), cause: Some(cause.into()) }
    }

    /// 500: our fault. The cause is logged and never shown.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let message = "The server failed; its log has the cause under this request id.";
        Self { refusal: Refusal::new(ErrorCode::Internal, message), cause: Some(cause.into()) }
    }

    /// The code of the response.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.refusal.code
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let request_id = REQUEST_ID.try_with(Clone::clone).ok();
        let Refusal { code, message, job_status, retry_after } = self.refusal;
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            let cause = self.cause.as_deref().map(|cause| chain(cause)).unwrap_or_default();
            tracing::error!(
                request.id = request_id,
                error.code = code.as_str(),
                cause,
                "a request failed with {status}"
            );
        }
        let body = ErrorBody {
            error: message,
            code: Some(code.as_str().to_owned()),
            request_id,
            status: job_status.map(|status| status.as_str().to_owned()),
        };
        let retry_after = retry_after
            .map(|wait| (RETRY_AFTER, HeaderValue::from((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))));
        (status, retry_after.into_iter().collect::<HeaderMap>(), Json(body)).into_response()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, cause: None }
    }
}

/// What a database error means to a client.
impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        if db::errors::is_unavailable(&error) {
            return Self::unavailable(db::errors::why_unavailable(&error), error);
        }
        db::errors::refusal(&error).map_or_else(|| Self::internal(error), Self::from)
    }
}

/// What an error means to a client that shared its statement with others.
impl From<Arc<sqlx::Error>> for ApiError {
    fn from(error: Arc<sqlx::Error>) -> Self {
        if db::errors::is_unavailable(&error) {
            return Self::unavailable(db::errors::why_unavailable(&error), error);
        }
        Self::internal(error)
    }
}

impl From<ActionError> for ApiError {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Refused(refusal) => refusal.into(),
            ActionError::Database(error) => error.into(),
            ActionError::Secret(error) => Self::internal(error),
            ActionError::Password(error) => Self::internal(error),
        }
    }
}

impl From<SettingsError> for ApiError {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Database(error) => error.into(),
            SettingsError::Sealing(error) => Self::internal(error),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooOld => {
                let sentence = "The events after this position have been deleted; start again without a position.";
                Refusal::new(ErrorCode::PositionTooOld, sentence).into()
            }
            ReadError::Database(error) => error.into(),
        }
    }
}
