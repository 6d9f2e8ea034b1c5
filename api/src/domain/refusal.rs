//! Why a request is refused: a stable code for programs and one sentence for people.
//!
//! [`ErrorCode`] is the only list of codes. `docs/errors.md` and the OpenAPI document are generated from it.

use std::time::Duration;
use terarchitect_worker_api::JobStatus;

macro_rules! error_codes {
    ($($(#[doc = $meaning:literal])+ $name:ident = $word:literal, $status:literal;)+) => {
        /// Every code that an error response can carry.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $meaning])+ $name,)+
        }

        impl ErrorCode {
            /// All codes, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word on the wire. Clients rely on it: it never changes.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The HTTP status that the code comes with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// What it means and what a caller can do about it.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii(),)+ }
            }
        }
    };
}

error_codes! {
    /// The request has no body, but the endpoint needs a JSON object.
    EmptyBody = "empty_body", 400;
    /// A path parameter is not valid. Ids are UUIDs.
    InvalidPath = "invalid_path", 400;
    /// A query parameter is missing or not valid.
    InvalidQuery = "invalid_query", 400;
    /// The body is not valid JSON.
    MalformedJson = "malformed_json", 400;
    /// The body is not valid UTF-8.
    InvalidUtf8 = "invalid_utf8", 400;
    /// The whole body did not arrive, or not in time. Send the request again.
    UnreadableBody = "unreadable_body", 400;
    /// A field has a value that is not allowed. The sentence names the field and what is allowed.
    InvalidField = "invalid_field", 400;
    /// The checkpoint is decided already, or has expired. The sentence says what was decided.
    AlreadyDecided = "already_decided", 400;
    /// A project is deleted only if the request repeats its exact name. Nothing was deleted.
    NameNotConfirmed = "name_not_confirmed", 400;
    /// The request needs a key, or its key is wrong. Send it as `Authorization: Bearer <key>`.
    Unauthorized = "unauthorized", 401;
    /// The job token belongs to another ticket, or its attempt is over.
    JobTokenRefused = "job_token_refused", 401;
    /// The email address and the password do not belong together.
    WrongCredentials = "wrong_credentials", 401;
    /// The sign-in with a provider was not begun in this browser, or too long ago. Begin it again.
    SignInNotBegun = "sign_in_not_begun", 401;
    /// The OpenID Connect provider did not sign the person in. The API's log says why.
    ProviderFailed = "provider_failed", 401;
    /// The webhook is not signed with a secret that is valid for its address, or its signature is too old.
    SignatureRefused = "signature_refused", 401;
    /// Your role does not allow this. The sentence names the role that does.
    NotAllowed = "not_allowed", 403;
    /// The project knows as much as it may. Delete something first.
    KnowledgeLimitExceeded = "knowledge_limit_exceeded", 403;
    /// No key is configured, so the API accepts requests from its own machine only. Configure a key.
    ThisMachineOnly = "this_machine_only", 403;
    /// The request comes from a page of another origin, which may not call without a key, and not with a person's cookie.
    /// Configure a key, or allow the origin.
    ForeignOrigin = "foreign_origin", 403;
    /// The project, ticket, job or other object does not exist.
    NotFound = "not_found", 404;
    /// The ticket has no pull request yet.
    NoPullRequest = "no_pull_request", 404;
    /// There is no endpoint at this path.
    NoSuchAddress = "no_such_address", 404;
    /// The endpoint does not support this HTTP method.
    MethodNotAllowed = "method_not_allowed", 405;
    /// The ticket already has a pending or running job of this kind. Wait for its end, or cancel it first.
    JobExists = "job_exists", 409;
    /// The report is about an attempt that is over. It changed nothing; do not send it again.
    StaleAttempt = "stale_attempt", 409;
    /// The job is not running, so a report about it changed nothing.
    NotRunning = "not_running", 409;
    /// Only a failed or cancelled job can be retried.
    NotEnded = "not_ended", 409;
    /// The job has ended, so there is nothing to cancel.
    NotLive = "not_live", 409;
    /// There would be no admin left. Make another person an admin first.
    LastAdmin = "last_admin", 409;
    /// Another person has this email address.
    EmailTaken = "email_taken", 409;
    /// Another credential has this name, another agent this slug, or another project this repository. Choose another one, or
    /// use what is there.
    NameTaken = "name_taken", 409;
    /// Two secrets of a webhook are valid already. Delete one first.
    TwoSecrets = "two_secrets", 409;
    /// A delivery that waits is worked on by itself, so there is nothing to replay.
    NotFinished = "not_finished", 409;
    /// The pull request has other commits by now than those that were seen. Look at it again, then repeat the request.
    HeadMoved = "head_moved", 409;
    /// A column that holds tickets cannot be removed. Move the tickets first.
    ColumnInUse = "column_in_use", 409;
    /// The events after this position have been deleted. Start again without a position.
    PositionTooOld = "position_too_old", 410;
    /// The link was used before, or is too old, or another one has replaced it.
    LinkUsedOrExpired = "link_used_or_expired", 410;
    /// The code of a program that wants to sign in was used before, or is too old. Start the program's sign-in again.
    CodeUsedOrExpired = "code_used_or_expired", 410;
    /// The body is larger than the endpoint accepts.
    BodyTooLarge = "body_too_large", 413;
    /// The body must be JSON, with the header `Content-Type: application/json`.
    NotJson = "not_json", 415;
    /// The body is compressed, which is not supported. Send it without the header `Content-Encoding`.
    EncodedBody = "encoded_body", 415;
    /// The body is valid JSON, but a field is missing or has the wrong type.
    InvalidBody = "invalid_body", 422;
    /// A text contains a NUL character, which Postgres cannot store.
    NulCharacter = "nul_character", 422;
    /// The pull request is closed or merged, so this can't be done with it.
    PullRequestNotOpen = "pull_request_not_open", 422;
    /// The forge does not merge the pull request as it is. The sentence has its reason.
    NotMergeable = "not_mergeable", 422;
    /// The forge did not accept the request. The sentence has its reason.
    ForgeRefused = "forge_refused", 422;
    /// Approval needs a credential of another account than the one that opened the pull request. Store one of the kind
    /// `approver`.
    NoApprover = "no_approver", 422;
    /// Too many requests are in progress, of all clients or of the client's address. Try again.
    TooManyConnections = "too_many_connections", 429;
    /// Too many sign-ins failed of late, or too many were begun. Wait for the time that the header `Retry-After` says.
    SlowDown = "slow_down", 429;
    /// The server failed. Its log has the cause under the request id.
    Internal = "internal", 500;
    /// The forge could not be reached, or denies access. The sentence says what to do.
    ForgeFailed = "forge_failed", 502;
    /// The database is not available at the moment. Try again.
    Unavailable = "unavailable", 503;
}

/// A request that is refused, in words for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what is wrong and what to do.
    pub message: String,
    /// The job's status now, where the request was about a job that is not running.
    pub job_status: Option<JobStatus>,
    /// For how long to wait, where the same request may succeed later.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with this code and sentence.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), job_status: None, retry_after: None }
    }

    /// A field whose value is not allowed; the sentence names it.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidField, message)
    }

    /// An object that does not exist.
    #[must_use]
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, format!("There is no {what} {id}."))
    }

    /// Adds for how long to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds the job's status now.
    #[must_use]
    pub fn with_job_status(mut self, status: JobStatus) -> Self {
        self.job_status = Some(status);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_distinct_words_with_an_error_status_and_a_sentence() {
        let words: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert!(code.meaning().ends_with('.'), "{code:?}");
        }
    }
}
