//! A scripted stand-in for the worker API: it hands out the jobs that a test gives it, tracks attempts, leases and
//! reports as the real API does, serves one ticket to a runner, records every call, and misbehaves on request.
//!
//! It speaks the contract in plain JSON and shares no types with the programs under test, so that a change of the wire
//! shows in their tests.

mod checkpoints;
mod jobs;
mod ticket;

#[cfg(test)]
mod tests;

pub use jobs::{ApiJob, Report};

use crate::listen::{Server, any_loopback, serve};
use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// The largest body that is read, in bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// How the API is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only the plain contract: no heartbeats, no leases, no attempts, and reports whose responses are a sentence.
    pub plain: bool,
    /// How many jobs a coordinator should run at once.
    pub slots: u32,
    /// How many jobs it should run at most, even with more slots.
    pub slot_limit: Option<u32>,
    /// How long leases hold.
    pub lease: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { plain: false, slots: 1, slot_limit: None, lease: Duration::from_secs(60) }
    }
}

/// The calls of the worker API, as far as faults tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `POST /api/worker/jobs/start`.
    Claim,
    /// `POST /api/worker/heartbeat`.
    Heartbeat,
    /// `GET /api/worker/jobs`.
    HeldJobs,
    /// `POST /api/worker/jobs/{id}/complete`, `/fail` and `/release`.
    Report,
    /// Everything below `/api/projects/`.
    Ticket,
    /// Any other address.
    Other,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Claim, Self::Heartbeat, Self::HeldJobs, Self::Report, Self::Ticket, Self::Other];

    fn of(path: &[&str]) -> Self {
        match path {
            ["api", "worker", "jobs", "start"] => Self::Claim,
            ["api", "worker", "heartbeat"] => Self::Heartbeat,
            ["api", "worker", "jobs"] => Self::HeldJobs,
            ["api", "worker", "jobs", _, "complete" | "fail" | "release"] => Self::Report,
            ["api", "projects", ..] => Self::Ticket,
            _ => Self::Other,
        }
    }
}

/// How an endpoint misbehaves until its fault is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not respond. Requests that are still open are served once the fault is cleared.
    Silent,
    /// It responds only after this long.
    Delay(Duration),
    /// It refuses with this status and the API's own form of an error.
    Refuse(u16, &'static str),
    /// A proxy in front of it responds with its own 404 page.
    ProxyNotFound,
}

/// A call as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its body; null where it had none.
    pub body: Value,
}

/// Everything that the stand-in knows, behind one lock that can also be waited on.
#[derive(Debug, Default)]
struct Book {
    jobs: BTreeMap<Uuid, ApiJob>,
    reports: Vec<Report>,
    calls: Vec<Call>,
    faults: BTreeMap<Endpoint, Fault>,
    context: Value,
    cancel_requested: bool,
    messages: Vec<ticket::PersonMessage>,
    forgets_deliveries: bool,
    checkpoints: BTreeMap<String, checkpoints::Checkpoint>,
    conversation: Option<Vec<u8>>,
    budget: Value,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    book: watch::Sender<Book>,
}

/// A running stand-in; dropping it stops it.
#[derive(Debug)]
pub struct ApiServer {
    shared: Arc<Shared>,
    server: Server,
}

impl ApiServer {
    /// Starts one with the default options, on any free port of this machine alone.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Starts one, on any free port of this machine alone.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start_with(options: Options) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared { options, book: watch::Sender::default() });
        let router = Router::new().fallback(respond).with_state(shared.clone());
        let server = serve(&[any_loopback()], router).await?;
        Ok(Self { shared, server })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Makes an endpoint misbehave from now on.
    pub fn set_fault(&self, endpoint: Endpoint, fault: Fault) {
        self.edit(|book| {
            book.faults.insert(endpoint, fault);
        });
    }

    /// Makes every endpoint misbehave from now on.
    pub fn set_fault_everywhere(&self, fault: Fault) {
        self.edit(|book| book.faults = Endpoint::ALL.into_iter().map(|endpoint| (endpoint, fault)).collect());
    }

    /// Makes every endpoint behave again.
    pub fn clear_faults(&self) {
        self.edit(|book| book.faults.clear());
    }

    /// Every call so far whose path ends with `end`, in the order of arrival.
    #[must_use]
    pub fn calls(&self, end: &str) -> Vec<Call> {
        self.shared.book.borrow().calls.iter().filter(|call| call.path.ends_with(end)).cloned().collect()
    }

    /// Sets what a runner gets as its ticket's context.
    pub fn set_context(&self, context: Value) {
        self.edit(|book| book.context = context);
    }

    /// What the answers to reports of usage say that may be used, from now on; before, it is what the context says.
    pub fn set_budget(&self, budget: Value) {
        self.edit(|book| book.budget = budget);
    }

    /// A person writes this to the agent.
    pub fn write_to_agent(&self, text: &str) {
        self.edit(|book| book.messages.push(ticket::PersonMessage::new(text)));
    }

    /// A person decides about every checkpoint that is open, and later ones are pending again.
    pub fn decide(&self, status: &str, words: Option<&str>) {
        self.edit(|book| book.checkpoints.values_mut().for_each(|checkpoint| checkpoint.decide(status, words)));
    }

    /// The keys of the checkpoints that were opened.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<String> {
        self.shared.book.borrow().checkpoints.keys().cloned().collect()
    }

    /// What is kept of the attempt's conversation.
    #[must_use]
    pub fn conversation(&self) -> Option<Vec<u8>> {
        self.shared.book.borrow().conversation.clone()
    }

    /// From now on, confirmed deliveries count for nothing, as if each were lost on its way.
    pub fn forget_deliveries(&self) {
        self.edit(|book| book.forgets_deliveries = true);
    }

    /// The turns in which messages were delivered, in the order in which the messages were written; none for one that
    /// waits.
    #[must_use]
    pub fn delivered(&self) -> Vec<Option<i64>> {
        self.shared.book.borrow().messages.iter().map(ticket::PersonMessage::delivered).collect()
    }

    /// Sets what the cancellation poll of a runner returns.
    pub fn set_cancel_requested(&self, requested: bool) {
        self.edit(|book| book.cancel_requested = requested);
    }

    fn edit(&self, edit: impl FnOnce(&mut Book)) {
        self.shared.book.send_modify(edit);
    }
}

async fn respond(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let method = parts.method.to_string();
    let path: Vec<&str> = parts.uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let bytes = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let call = Call { method: method.clone(), path: parts.uri.path().to_owned(), body: body.clone() };
    shared.book.send_modify(|book| book.calls.push(call));
    if let Some(refusal) = misbehave(&shared, Endpoint::of(&path)).await {
        return refusal;
    }
    let query = parts.uri.query().unwrap_or_default();
    match (method.as_str(), path.as_slice()) {
        ("POST", ["api", "worker", "jobs", "start"]) => jobs::claim(&shared, &body).await,
        ("POST", ["api", "worker", "heartbeat"]) if !shared.options.plain => jobs::heartbeat(&shared, &body),
        ("GET", ["api", "worker", "jobs"]) if !shared.options.plain => jobs::held(&shared, query),
        ("POST", ["api", "worker", "jobs", job, call @ ("complete" | "fail" | "release")]) => {
            jobs::end(&shared, job, call, &body)
        }
        ("PUT", ["api", "projects", _, "tickets", _, "conversation"]) if !shared.options.plain => {
            checkpoints::keep(&shared, query, &bytes)
        }
        (_, ["api", "projects", _, rest @ ..]) => ticket::respond(&shared, &method, rest, &body),
        _ => not_found(),
    }
}

/// Carries out the endpoint's fault. None where the call is to be served.
async fn misbehave(shared: &Shared, endpoint: Endpoint) -> Option<Response> {
    let mut book = shared.book.subscribe();
    // The sender lives as long as the server.
    let _ = book.wait_for(|book| book.faults.get(&endpoint) != Some(&Fault::Silent)).await;
    let fault = shared.book.borrow().faults.get(&endpoint).copied();
    match fault? {
        Fault::Silent => None,
        Fault::Delay(delay) => {
            tokio::time::sleep(delay).await;
            None
        }
        Fault::Refuse(status, code) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some(refuse(status, code, "a fault that a test asked for"))
        }
        Fault::ProxyNotFound => Some((StatusCode::NOT_FOUND, "<html><h1>404 Not Found</h1></html>").into_response()),
    }
}

fn refuse(status: StatusCode, code: &str, sentence: &str) -> Response {
    (status, Json(json!({"error": sentence, "code": code}))).into_response()
}

/// What the real API returns for a path that does not exist.
fn not_found() -> Response {
    refuse(StatusCode::NOT_FOUND, "no_such_address", "There is no such address.")
}
