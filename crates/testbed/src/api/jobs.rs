//! The queue: claims with request ids, leases by attempt, and reports that are accepted once.

use super::{ApiServer, Book, Shared, refuse};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// A job of the stand-in's queue.
#[derive(Clone, Debug, Default)]
pub struct ApiJob {
    /// Rises with every claim.
    pub attempt: i64,
    /// Whether a coordinator holds it.
    pub held: bool,
    /// The reason of every report that ended it. More than one would be a fault.
    pub ends: Vec<String>,
    /// How many reports were refused because their attempt was over.
    pub refused: usize,
    /// More fields of the response to a claim, such as `job_timeout_sec`.
    pub fields: serde_json::Map<String, Value>,
    request: Option<String>,
    cancel_requested: bool,
}

impl ApiJob {
    fn is_open(&self) -> bool {
        self.ends.is_empty()
    }
}

/// A report that arrived.
#[derive(Clone, Debug)]
pub struct Report {
    /// The job.
    pub job: Uuid,
    /// `complete`, `fail` or `release`.
    pub call: String,
    /// Its body.
    pub body: Value,
    /// Whether it was accepted.
    pub accepted: bool,
}

impl ApiServer {
    /// Adds a job that waits to be claimed, and returns its id.
    pub fn add_job(&self) -> Uuid {
        let id = Uuid::now_v7();
        self.edit(|book| {
            book.jobs.insert(id, ApiJob::default());
        });
        id
    }

    /// Adds several jobs that wait to be claimed.
    pub fn add_jobs(&self, number: usize) {
        (0..number).for_each(|_| {
            self.add_job();
        });
    }

    /// Adds a job that is held as this attempt already, as if it had been claimed before.
    pub fn hold_job(&self, id: Uuid, attempt: i64) {
        self.edit(|book| {
            book.jobs.insert(id, ApiJob { attempt, held: true, ..ApiJob::default() });
        });
    }

    /// Requests the cancellation of a held job: the next heartbeat passes it on.
    pub fn cancel_job(&self, id: Uuid) {
        self.edit(|book| {
            if let Some(job) = book.jobs.get_mut(&id) {
                job.cancel_requested = true;
            }
        });
    }

    /// Gives every held job to another coordinator, as happens when leases run out.
    pub fn give_jobs_to_others(&self) {
        self.edit(|book| {
            for job in book.jobs.values_mut().filter(|job| job.held && job.is_open()) {
                (job.attempt, job.request) = (job.attempt + 1, None);
            }
        });
    }

    /// Removes the jobs that have not ended.
    pub fn remove_open_jobs(&self) {
        self.edit(|book| book.jobs.retain(|_, job| !job.is_open()));
    }

    /// Every job, oldest first.
    #[must_use]
    pub fn jobs(&self) -> Vec<ApiJob> {
        self.shared.book.borrow().jobs.values().cloned().collect()
    }

    /// Every report so far, accepted or not, in the order of arrival.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        self.shared.book.borrow().reports.clone()
    }

    /// Waits until every job has ended.
    pub async fn until_all_ended(&self) {
        let mut book = self.shared.book.subscribe();
        // The sender lives as long as the server.
        let _ = book.wait_for(|book| book.jobs.values().all(|job| !job.is_open())).await;
    }
}

/// Hands out a job, and waits for one for as long as the request says. The same request id gets the same job again.
pub(super) async fn claim(shared: &Shared, body: &Value) -> Response {
    if shared.options.plain && !body["worker_id"].is_null() {
        let sentence =
            "An API of the plain contract knows no coordinators by name: they would have to send heartbeats.";
        return refuse(StatusCode::BAD_REQUEST, "invalid_body", sentence);
    }
    let request = body["request_id"].as_str();
    let wait = Duration::from_millis(body["wait_ms"].as_u64().filter(|_| !shared.options.plain).unwrap_or(0));
    let deadline = tokio::time::Instant::now() + wait;
    let mut changes = shared.book.subscribe();
    loop {
        changes.mark_unchanged();
        let mut claimed = None;
        shared.book.send_if_modified(|book| {
            claimed = take_job(book, shared, request);
            claimed.is_some()
        });
        if let Some(job) = claimed {
            return Json(job).into_response();
        }
        if tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
            return StatusCode::NO_CONTENT.into_response();
        }
    }
}

fn take_job(book: &mut Book, shared: &Shared, request: Option<&str>) -> Option<Value> {
    let again = |job: &ApiJob| request.is_some() && job.held && job.request.as_deref() == request;
    let open = || book.jobs.iter().filter(|(_, job)| job.is_open());
    let id = open().find(|(_, job)| again(job)).or_else(|| open().find(|(_, job)| !job.held)).map(|(id, _)| *id)?;
    let job = book.jobs.get_mut(&id)?;
    if !job.held {
        job.attempt += 1;
        (job.held, job.request, job.cancel_requested) = (true, request.map(str::to_owned), false);
    }
    let mut response = json!({
        "job_id": id, "ticket_id": Uuid::nil(), "project_id": Uuid::nil(), "kind": "ticket", "repo_url": "https://h/r",
    });
    if !shared.options.plain {
        response["attempt"] = job.attempt.into();
        response["lease_ms"] = lease_ms(shared).into();
        response["job_timeout_sec"] = 600.into();
    }
    for (name, value) in &job.fields {
        response[name] = value.clone();
    }
    Some(response)
}

fn lease_ms(shared: &Shared) -> u64 {
    u64::try_from(shared.options.lease.as_millis()).unwrap_or(u64::MAX)
}

/// Returns for every named job whether its attempt is still held.
pub(super) fn heartbeat(shared: &Shared, body: &Value) -> Response {
    let book = shared.book.borrow();
    let state = |named: &Value| {
        let id = named["job_id"].as_str().and_then(|id| id.parse::<Uuid>().ok());
        let job = id.and_then(|id| book.jobs.get(&id));
        match job.filter(|job| job.held && job.is_open() && named["attempt"] == job.attempt) {
            Some(job) if job.cancel_requested => "cancel",
            Some(_) => "held",
            None => "lost",
        }
    };
    let named = body["jobs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let jobs: Vec<Value> = named
        .iter()
        .map(|named| json!({"job_id": named["job_id"], "attempt": named["attempt"], "state": state(named)}))
        .collect();
    let slots = shared.options.slots;
    let mut response =
        json!({"jobs": jobs, "directive": "run", "max_concurrent_agents": slots, "lease_ms": lease_ms(shared)});
    if let Some(limit) = shared.options.slot_limit {
        response["slot_limit"] = limit.into();
    }
    Json(response).into_response()
}

/// Every held job, whichever coordinator asks: the stand-in serves one.
pub(super) fn held(shared: &Shared, query: &str) -> Response {
    if !query.split('&').any(|pair| pair.starts_with("worker_id=")) {
        return refuse(StatusCode::BAD_REQUEST, "invalid_query", "'worker_id' is missing.");
    }
    let book = shared.book.borrow();
    let held = book.jobs.iter().filter(|(_, job)| job.held && job.is_open());
    let held: Vec<Value> = held
        .map(|(id, job)| {
            json!({"job_id": id, "attempt": job.attempt, "ticket_id": Uuid::nil(), "project_id": Uuid::nil(),
                "lease_remaining_ms": lease_ms(shared), "cancel_requested": job.cancel_requested})
        })
        .collect();
    Json(json!({"jobs": held})).into_response()
}

/// Ends an attempt: a completion, a failure of the agent and a cancellation end the job as well; every other failure
/// puts it back into the queue. A report of an attempt that is over is refused.
pub(super) fn end(shared: &Shared, job: &str, call: &str, body: &Value) -> Response {
    let Ok(id) = job.parse::<Uuid>() else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_path", "The job's id is not a valid UUID.");
    };
    let mut response = None;
    shared.book.send_modify(|book| response = Some(end_attempt(book, shared.options.plain, id, call, body)));
    response.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn end_attempt(book: &mut Book, plain: bool, id: Uuid, call: &str, body: &Value) -> Response {
    let record = |accepted| Report { job: id, call: call.to_owned(), body: body.clone(), accepted };
    let Some(job) = book.jobs.get_mut(&id) else {
        book.reports.push(record(false));
        return refuse(StatusCode::NOT_FOUND, "not_found", "There is no such job.");
    };
    if !job.held || !job.is_open() || (!plain && body["attempt"] != job.attempt) {
        job.refused += 1;
        book.reports.push(record(false));
        return refuse(StatusCode::CONFLICT, "stale_attempt", "This attempt is over.");
    }
    job.held = false;
    job.request = None;
    let reason = body["reason"].as_str().unwrap_or(if call == "complete" { "completed" } else { "agent_failed" });
    let status = match (call, reason) {
        ("complete", _) => "completed",
        ("fail", "agent_failed") => "failed",
        ("fail", "cancelled") => "cancelled",
        _ => "pending",
    };
    if status != "pending" {
        job.ends.push(reason.to_owned());
    }
    book.reports.push(record(true));
    if plain {
        return Json(json!({"message": "Job completed"})).into_response();
    }
    Json(json!({"job_id": id, "status": status})).into_response()
}
