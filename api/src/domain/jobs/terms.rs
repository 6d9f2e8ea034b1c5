//! The terms on which a job is enqueued.

use crate::domain::forges::job_text::MAX_BYTES;
use crate::domain::refusal::Refusal;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use terarchitect_worker_api::{JobId, JobKind, ProjectId, Stop, TicketId, lenient};
use utoipa::ToSchema;

/// The longest idempotency key, in bytes.
const MAX_KEY_BYTES: usize = 200;
/// The longest delay: ten years, in seconds. Later dates are mistakes.
const MAX_DELAY_SEC: f64 = 3650.0 * 86_400.0;

/// A job for a ticket. All fields may be absent.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct JobTerms {
    /// What it asks for; `ticket` if unset.
    pub kind: Option<JobKind>,
    /// Higher is claimed first; 0 if unset.
    #[serde(default)]
    pub priority: i32,
    /// It is not claimed before this time; now if unset.
    pub run_at: Option<DateTime<Utc>>,
    /// Instead of `run_at`: it is not claimed for this many seconds.
    pub delay_sec: Option<f64>,
    /// A second request with the same key in the same project enqueues nothing and returns the first job.
    pub idempotency_key: Option<String>,
    /// For reviews: the pull request; the ticket's own if unset.
    #[serde(default, deserialize_with = "lenient::number")]
    pub pr_number: Option<i64>,
    /// For reviews: the comment's text.
    pub comment_body: Option<String>,
    /// For reviews: the comment's id at GitHub.
    #[serde(default, deserialize_with = "lenient::number")]
    pub github_comment_id: Option<i64>,
}

/// A job to put into the queue.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its project.
    pub project_id: ProjectId,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// What it asks for.
    pub kind: JobKind,
    /// Higher is claimed first.
    pub priority: i32,
    /// It is not claimed before this time; absent: now.
    pub run_at: Option<DateTime<Utc>>,
    /// Instead of `run_at`: how long from now it is not claimed.
    pub delay: Option<Duration>,
    /// A second request with the same key enqueues nothing.
    pub idempotency_key: Option<String>,
    /// For reviews: the pull request.
    pub pr_number: Option<i64>,
    /// For reviews: the comment's text.
    pub comment_body: Option<String>,
    /// For reviews: the comment's id at GitHub.
    pub github_comment_id: Option<i64>,
    /// The job that this one retries.
    pub retry_of: Option<JobId>,
    /// Where it stops for a person.
    pub checkpoints: Vec<Stop>,
    /// What a person should see who decides whether it starts.
    pub start_data: Map<String, Value>,
}

impl NewJob {
    /// A job with the usual terms.
    #[must_use]
    pub fn of_ticket(project_id: ProjectId, ticket_id: TicketId, kind: JobKind) -> Self {
        Self {
            project_id,
            ticket_id,
            kind,
            priority: 0,
            run_at: None,
            delay: None,
            idempotency_key: None,
            pr_number: None,
            comment_body: None,
            github_comment_id: None,
            retry_of: None,
            checkpoints: Vec::new(),
            start_data: Map::new(),
        }
    }
}

impl JobTerms {
    /// The job that these terms ask for. `pull_request` is the ticket's own, `now` the time that `run_at` is compared with.
    ///
    /// # Errors
    /// When a term is not valid.
    pub fn into_job(
        self,
        project: ProjectId,
        ticket: TicketId,
        pull_request: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<NewJob, Refusal> {
        let key = self.idempotency_key.filter(|key| !key.is_empty());
        if key.as_ref().is_some_and(|key| key.len() > MAX_KEY_BYTES) {
            return Err(Refusal::invalid(format!("'idempotency_key' must be at most {MAX_KEY_BYTES} bytes long.")));
        }
        check_time(self.run_at, self.delay_sec, now)?;
        let kind = self.kind.unwrap_or(JobKind::Ticket);
        let pr_number = self.pr_number.or(pull_request.filter(|_| kind == JobKind::Review));
        if pr_number.is_some_and(|number| number < 1) {
            return Err(Refusal::invalid("'pr_number' must be a positive number."));
        }
        if kind == JobKind::Review && pr_number.is_none() {
            return Err(Refusal::invalid("A review needs 'pr_number': the ticket has no pull request yet."));
        }
        if self.comment_body.as_ref().is_some_and(|body| body.len() > MAX_BYTES) {
            return Err(Refusal::invalid(format!(
                "'comment_body' is larger than {} KiB, and no runner can be started with more.",
                MAX_BYTES / 1024
            )));
        }
        Ok(NewJob {
            priority: self.priority,
            run_at: self.run_at.filter(|at| *at > DateTime::UNIX_EPOCH),
            delay: self.delay_sec.map(Duration::from_secs_f64),
            idempotency_key: key,
            pr_number,
            comment_body: self.comment_body,
            github_comment_id: self.github_comment_id,
            ..NewJob::of_ticket(project, ticket, kind)
        })
    }
}

fn check_time(run_at: Option<DateTime<Utc>>, delay_sec: Option<f64>, now: DateTime<Utc>) -> Result<(), Refusal> {
    if run_at.is_some() && delay_sec.is_some() {
        return Err(Refusal::invalid("Send 'run_at' or 'delay_sec', not both."));
    }
    let wait_sec = delay_sec.or_else(|| run_at.map(|at| (at - now).as_seconds_f64()));
    let beyond = wait_sec.is_some_and(|wait| wait > MAX_DELAY_SEC || wait.is_nan());
    if beyond || delay_sec.is_some_and(|delay| delay < 0.0) {
        return Err(Refusal::invalid("'run_at' or 'delay_sec' must be a time within the next ten years."));
    }
    Ok(())
}
