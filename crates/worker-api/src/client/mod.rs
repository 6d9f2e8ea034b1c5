//! The typed HTTP client of the worker API, for coordinators and runners.
//!
//! Every call is given how long to retry ([`Retry`]); each try has its own time limit. Repeating a call is safe: reports
//! are fenced by their attempt, log entries have a key, and a claim has a request id.

mod checkpoints;
mod error;

pub use error::ClientError;

use crate::{
    AppendLogRequest, AppendLogResponse, CancelRequested, CompleteTicketRequest, DiffInfo, ErrorBody, HeartbeatRequest,
    HeartbeatResponse, IndexRequest, IndexResponse, Job, JobId, JobReport, JobReportResponse, Message, ProjectId,
    ProofTerms, ReleaseRequest, RetrieveRequest, RetrieveResponse, StartJobRequest, StoreDiffRequest,
    StoreUsageRequest, StoredUsage, TakenMessages, TicketId, TurnOfAttempt, WorkerContext, WorkerJobs,
};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use terarchitect_outbound::{Retry, endpoint, http_url, is_loopback, retry_after};
use url::Url;

/// How long one try of an ordinary call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// For how long one report of usage may take.
const USAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one try of sending a diff may take.
const DIFF_TIMEOUT: Duration = Duration::from_secs(120);

/// How much of a response that isn't JSON is kept for the error message, in characters.
const EXCERPT_CHARS: usize = 200;

/// A client for one API with one key.
#[derive(Clone, Debug)]
pub struct WorkerClient {
    http: reqwest::Client,
    base: Url,
    key: Option<SecretString>,
}

impl WorkerClient {
    /// A client for the API at `base`, such as `http://localhost:5010`; `key` is sent as a bearer token.
    ///
    /// # Errors
    /// `base` is not an HTTP address, or the HTTP client could not be set up.
    pub fn new(base: &str, key: Option<SecretString>) -> Result<Self, ClientError> {
        Self::build(base, key, false)
    }

    /// A client that never goes through a proxy, for programs that run beside the API, such as containers whose proxy
    /// is for the internet.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn direct(base: &str, key: Option<SecretString>) -> Result<Self, ClientError> {
        Self::build(base, key, true)
    }

    fn build(base: &str, key: Option<SecretString>, direct: bool) -> Result<Self, ClientError> {
        let mut url = http_url(base)?;
        url.set_query(None);
        url.set_fragment(None);
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("terarchitect/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none());
        let http = if direct || is_loopback(&url) { http.no_proxy() } else { http };
        let http = http.build().map_err(ClientError::Setup)?;
        Ok(Self { http, base: url, key })
    }

    /// The same client with another key, such as a job token.
    #[must_use]
    pub fn with_key(&self, key: SecretString) -> Self {
        Self { key: Some(key), ..self.clone() }
    }

    /// The address that it calls.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Claims a job, or returns none if there is no work. A long poll's waiting time is added to the time limit.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn start_job(&self, request: &StartJobRequest, retry: Retry) -> Result<Option<Job>, ClientError> {
        let timeout = CALL_TIMEOUT + Duration::from_millis(request.wait_ms.unwrap_or(0).into());
        let call = Call { method: Method::POST, path: "api/worker/jobs/start".into(), query: &[], timeout };
        self.send_optional(call, Some(request), retry).await
    }

    /// Reports that a job succeeded.
    ///
    /// # Errors
    /// See [`ClientError`]; 409 with code `stale_attempt` if the attempt is over.
    pub async fn complete_job(
        &self,
        job: JobId,
        report: &JobReport,
        retry: Retry,
    ) -> Result<JobReportResponse, ClientError> {
        self.post(format!("api/worker/jobs/{job}/complete"), report, retry).await
    }

    /// Reports that a job failed.
    ///
    /// # Errors
    /// See [`ClientError`]; 409 with code `stale_attempt` if the attempt is over.
    pub async fn fail_job(
        &self,
        job: JobId,
        report: &JobReport,
        retry: Retry,
    ) -> Result<JobReportResponse, ClientError> {
        self.post(format!("api/worker/jobs/{job}/fail"), report, retry).await
    }

    /// Hands back a job that was never started.
    ///
    /// # Errors
    /// See [`ClientError`]; 409 with code `stale_attempt` if the attempt is over.
    pub async fn release_job(
        &self,
        job: JobId,
        request: &ReleaseRequest,
        retry: Retry,
    ) -> Result<JobReportResponse, ClientError> {
        self.post(format!("api/worker/jobs/{job}/release"), request, retry).await
    }

    /// Renews every lease that a coordinator holds.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn heartbeat(&self, request: &HeartbeatRequest, retry: Retry) -> Result<HeartbeatResponse, ClientError> {
        self.post("api/worker/heartbeat".into(), request, retry).await
    }

    /// The jobs that a coordinator holds, according to the API.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn worker_jobs(&self, worker_id: &str, retry: Retry) -> Result<WorkerJobs, ClientError> {
        let query = [("worker_id", worker_id)];
        let call = Call { method: Method::GET, path: "api/worker/jobs".into(), query: &query, timeout: CALL_TIMEOUT };
        self.send(call, None::<&()>, retry).await
    }

    /// Everything that a runner needs to know about its ticket.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn worker_context(
        &self,
        project: ProjectId,
        ticket: TicketId,
        retry: Retry,
    ) -> Result<WorkerContext, ClientError> {
        self.get(format!("api/projects/{project}/tickets/{ticket}/worker-context"), retry).await
    }

    /// Appends an entry to a ticket's log.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn append_log(
        &self,
        project: ProjectId,
        ticket: TicketId,
        entry: &AppendLogRequest,
        retry: Retry,
    ) -> Result<AppendLogResponse, ClientError> {
        self.post(format!("api/projects/{project}/tickets/{ticket}/logs"), entry, retry).await
    }

    /// Stores what a turn changed, or the whole branch.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn store_diff(
        &self,
        project: ProjectId,
        ticket: TicketId,
        diff: &StoreDiffRequest,
        retry: Retry,
    ) -> Result<DiffInfo, ClientError> {
        let path = format!("api/projects/{project}/tickets/{ticket}/diffs");
        self.send(Call { method: Method::PUT, path, query: &[], timeout: DIFF_TIMEOUT }, Some(diff), retry).await
    }

    /// Stores what the attempt's calls of models came to so far.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn store_usage(
        &self,
        project: ProjectId,
        ticket: TicketId,
        usage: &StoreUsageRequest,
        retry: Retry,
    ) -> Result<StoredUsage, ClientError> {
        let path = format!("api/projects/{project}/tickets/{ticket}/usage");
        self.send(Call { method: Method::PUT, path, query: &[], timeout: USAGE_TIMEOUT }, Some(usage), retry).await
    }

    /// Proposes commands for the ticket's project, for a person to take or leave.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn propose_proof(
        &self,
        project: ProjectId,
        ticket: TicketId,
        terms: &ProofTerms,
        retry: Retry,
    ) -> Result<ProofTerms, ClientError> {
        let path = format!("api/projects/{project}/tickets/{ticket}/proof/proposed");
        self.send(Call { method: Method::PUT, path, query: &[], timeout: USAGE_TIMEOUT }, Some(terms), retry).await
    }

    /// Takes what people wrote for the next prompt. The same turn again returns the same messages.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn take_messages(
        &self,
        project: ProjectId,
        ticket: TicketId,
        turn: &TurnOfAttempt,
        retry: Retry,
    ) -> Result<TakenMessages, ClientError> {
        self.post(format!("api/projects/{project}/tickets/{ticket}/messages/take"), turn, retry).await
    }

    /// Confirms that the agent accepted the prompt with the messages that were taken for this turn.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn messages_delivered(
        &self,
        project: ProjectId,
        ticket: TicketId,
        turn: &TurnOfAttempt,
        retry: Retry,
    ) -> Result<Message, ClientError> {
        self.post(format!("api/projects/{project}/tickets/{ticket}/messages/delivered"), turn, retry).await
    }

    /// Marks a ticket complete and records its pull request.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn complete_ticket(
        &self,
        project: ProjectId,
        ticket: TicketId,
        request: &CompleteTicketRequest,
        retry: Retry,
    ) -> Result<Message, ClientError> {
        self.post(format!("api/projects/{project}/tickets/{ticket}/complete"), request, retry).await
    }

    /// Whether the ticket's attempt should stop.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn cancel_requested(
        &self,
        project: ProjectId,
        ticket: TicketId,
        retry: Retry,
    ) -> Result<bool, ClientError> {
        let path = format!("api/projects/{project}/tickets/{ticket}/cancel-requested");
        let response: CancelRequested = self.get(path, retry).await?;
        Ok(response.cancel_requested)
    }

    /// Finds documents of the project's memory.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn retrieve_memory(
        &self,
        project: ProjectId,
        request: &RetrieveRequest,
        retry: Retry,
    ) -> Result<RetrieveResponse, ClientError> {
        self.post(format!("api/projects/{project}/memory/retrieve"), request, retry).await
    }

    /// Adds documents to the project's memory.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn index_memory(
        &self,
        project: ProjectId,
        request: &IndexRequest,
        retry: Retry,
    ) -> Result<IndexResponse, ClientError> {
        self.post(format!("api/projects/{project}/memory/index"), request, retry).await
    }

    async fn get<T: DeserializeOwned>(&self, path: String, retry: Retry) -> Result<T, ClientError> {
        let call = Call { method: Method::GET, path, query: &[], timeout: CALL_TIMEOUT };
        self.send(call, None::<&()>, retry).await
    }

    async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: String,
        body: &B,
        retry: Retry,
    ) -> Result<T, ClientError> {
        let call = Call { method: Method::POST, path, query: &[], timeout: CALL_TIMEOUT };
        self.send(call, Some(body), retry).await
    }

    async fn send<B: Serialize, T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        body: Option<&B>,
        retry: Retry,
    ) -> Result<T, ClientError> {
        let (_, url, bytes) = self.send_raw(&call, body, retry).await?;
        parse(&call.method, url, &bytes)
    }

    async fn send_optional<B: Serialize, T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        body: Option<&B>,
        retry: Retry,
    ) -> Result<Option<T>, ClientError> {
        let (status, url, bytes) = self.send_raw(&call, body, retry).await?;
        if status == StatusCode::NO_CONTENT { Ok(None) } else { parse(&call.method, url, &bytes).map(Some) }
    }

    async fn send_raw<B: Serialize>(
        &self,
        call: &Call<'_>,
        body: Option<&B>,
        retry: Retry,
    ) -> Result<(StatusCode, Url, Vec<u8>), ClientError> {
        let mut url = endpoint(&self.base, &call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        terarchitect_outbound::retry(retry, || self.try_once(call, &url, body)).await
    }

    /// Like [`Self::send_raw`], with a body of bytes.
    async fn send_bytes(
        &self,
        call: &Call<'_>,
        body: &[u8],
        retry: Retry,
    ) -> Result<(StatusCode, Url, Vec<u8>), ClientError> {
        let mut url = endpoint(&self.base, &call.path);
        url.query_pairs_mut().extend_pairs(call.query);
        terarchitect_outbound::retry(retry, || {
            let request = self.http.request(call.method.clone(), url.clone()).timeout(call.timeout);
            let request = request.header(CONTENT_TYPE, "application/octet-stream").body(body.to_vec());
            self.respond(call, &url, request)
        })
        .await
    }

    async fn try_once<B: Serialize>(
        &self,
        call: &Call<'_>,
        url: &Url,
        body: Option<&B>,
    ) -> Result<(StatusCode, Url, Vec<u8>), ClientError> {
        let mut request = self.http.request(call.method.clone(), url.clone()).timeout(call.timeout);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.respond(call, url, request).await
    }

    async fn respond(
        &self,
        call: &Call<'_>,
        url: &Url,
        mut request: RequestBuilder,
    ) -> Result<(StatusCode, Url, Vec<u8>), ClientError> {
        let unreachable = |source: reqwest::Error| ClientError::Unreachable {
            method: call.method.clone(),
            url: url.clone(),
            source: source.without_url(),
        };
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let bytes = response.bytes().await.map_err(unreachable)?.to_vec();
        if status.is_success() {
            return Ok((status, url.clone(), bytes));
        }
        let body = Box::new(serde_json::from_slice(&bytes).unwrap_or_else(|_| foreign_error(&bytes)));
        Err(ClientError::Refused { method: call.method.clone(), url: url.clone(), status, body, retry_after })
    }
}

struct Call<'a> {
    method: Method,
    path: String,
    query: &'a [(&'a str, &'a str)],
    timeout: Duration,
}

fn parse<T: DeserializeOwned>(method: &Method, url: Url, bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|source| ClientError::InvalidResponse {
        method: method.clone(),
        url,
        expected: std::any::type_name::<T>().rsplit("::").next().unwrap_or("response"),
        source,
    })
}

/// The response of a proxy or another program, as an error body.
fn foreign_error(bytes: &[u8]) -> ErrorBody {
    let text: String = String::from_utf8_lossy(bytes).trim().chars().take(EXCERPT_CHARS).collect();
    let error = if text.is_empty() { "no explanation was given".to_owned() } else { text };
    ErrorBody { error, code: None, request_id: None, status: None }
}

#[cfg(test)]
mod tests;
