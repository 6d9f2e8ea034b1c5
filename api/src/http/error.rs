//! The one error type of the routes. Clients see a sentence, a code and the request id; causes go to the log, once.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use terarchitect_outbound::chain;
use terarchitect_worker_api::{ErrorBody, JobStatus};

tokio::task_local! {
    /// The id of the request that this task serves, set by [`super::layers::with_request_id`].
    pub(crate) static REQUEST_ID: String;
}

/// Shorthand for what handlers return.
pub type ApiResult<T> = Result<T, ApiError>;

/// An answer that is no success.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    job_status: Option<JobStatus>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ApiError {
    /// An error with its status, a stable code for programs and a sentence for people.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), job_status: None, cause: None }
    }

    /// 400: something in the request is not acceptable; the sentence says what.
    #[must_use]
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404: there is no such thing.
    #[must_use]
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("There is no {what} {id}."))
    }

    /// 409: the thing is not in a state for this.
    #[must_use]
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 503: a part that is needed does not answer now; trying again may help.
    #[must_use]
    pub fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        let message = "The database does not answer right now; try again in a moment.";
        Self { cause: Some(Box::new(cause)), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message) }
    }

    /// 500: our fault. The cause is logged and never shown.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let message = "Something went wrong on the server; its log says more under this request id.";
        Self { cause: Some(cause.into()), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message) }
    }

    /// Adds the job's present status to the body.
    #[must_use]
    pub fn with_job_status(mut self, status: JobStatus) -> Self {
        self.job_status = Some(status);
        self
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let request_id = REQUEST_ID.try_with(Clone::clone).ok();
        if self.status.is_server_error() {
            let cause = self.cause.as_deref().map(|cause| chain(cause)).unwrap_or_default();
            tracing::error!(request.id = request_id, error.code = self.code, cause, "answering {}", self.status);
        }
        let body = ErrorBody {
            error: self.message,
            code: Some(self.code.to_owned()),
            request_id,
            status: self.job_status.map(|status| status.as_str().to_owned()),
        };
        (self.status, Json(body)).into_response()
    }
}

/// What a database error means to a client.
impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        if is_unavailable(&error) {
            return Self::unavailable(error);
        }
        let constraint = error.as_database_error().and_then(|database| database.constraint());
        Self::from_constraint(constraint).unwrap_or_else(|| Self::internal(error))
    }
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Tls(_) => true,
        // A connection that broke in the middle of an answer.
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        // Admin shutdown, crash shutdown, cannot connect now, connection failures, too many connections; and a deadlock
        // that was not won in several tries.
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            matches!(code.as_ref(), "57P01" | "57P02" | "57P03" | "53300" | "40P01") || code.starts_with("08")
        }),
        _ => false,
    }
}

impl ApiError {
    /// What an error means to a client that shared its statement with others.
    #[must_use]
    pub fn from_shared(error: &std::sync::Arc<sqlx::Error>) -> Self {
        if is_unavailable(error) { Self::unavailable(error.clone()) } else { Self::internal(error.clone()) }
    }

    /// The constraints that a request can run into, as sentences. A row that vanished between the check and the write
    /// shows up here as well.
    fn from_constraint(name: Option<&str>) -> Option<Self> {
        let gone = |what: &str| {
            Self::new(StatusCode::NOT_FOUND, "not_found", format!("The {what} was deleted while this was written."))
        };
        match name? {
            "agent_jobs_live_key" => {
                Some(Self::conflict("job_exists", "This ticket already has a job that is pending or running."))
            }
            "agent_jobs_ticket_id_project_id_fkey" | "execution_logs_ticket_id_project_id_fkey" => Some(gone("ticket")),
            name if name.ends_with("_project_id_fkey") => Some(gone("project")),
            _ => None,
        }
    }
}
