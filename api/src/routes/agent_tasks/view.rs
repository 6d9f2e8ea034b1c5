//! Such jobs in the guide's words.

use crate::actions::agent_tasks::read::{Listed, Whole};
use crate::db::agent_tasks::AgentTask;
use crate::db::tickets::logs::LogEntry;
use crate::domain::jobs::outcome::MAX_INFRASTRUCTURE_FAILURES;
use crate::domain::jobs::words::reason_in_words;
use crate::domain::tickets::usage::UsageTotal;
use crate::routes::checkpoints::document::{DocumentCheckpoint, status_word};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use terarchitect_worker_api::{JobId, JobStatus, LogId, Prices, ProjectId, TicketId};
use utoipa::ToSchema;

/// A job.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentJob {
    /// The job: the same id as its ticket's.
    pub id: TicketId,
    /// The agent that works on it.
    pub job_type: String,
    /// `PENDING`, `RUNNING`, `COMPLETED`, `FAILED`, `CANCELLED` or `RETRY`.
    pub status: &'static str,
    /// What to do.
    pub task_description: String,
    /// From 1 to 10.
    pub priority: i32,
    /// What to do it with.
    #[schema(value_type = Object)]
    pub input_data: Value,
    /// What came of it.
    #[schema(value_type = Option<Object>)]
    pub output_data: Option<Value>,
    /// The worker that holds it.
    pub assigned_agent: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// How often it is tried where hosts fail.
    pub max_attempts: i32,
    /// When its first attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it succeeded.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it failed.
    pub failed_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Tokens of all its attempts' models; null until a model was asked.
    pub tokens_used: Option<i64>,
    /// What they cost in dollars by the setting `MODEL_PRICES`; null where it is not known.
    pub estimated_cost: Option<f64>,
    /// Who asked for it: a person's id, or what the event log calls the caller.
    pub user_id: String,
    /// Its project.
    pub project_id: ProjectId,
    /// Its job in the queue, as in `GET /api/jobs/{id}`.
    pub queue_job_id: JobId,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Entries of its log; a new job has none.
    pub logs: Vec<AgentLog>,
}

/// An entry of a job's log.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentLog {
    /// The entry.
    pub id: LogId,
    /// The job.
    pub job_id: TicketId,
    /// The agent.
    pub agent_name: String,
    /// The same.
    pub agent_type: String,
    /// What kind of step this was.
    pub action: String,
    /// What happened.
    pub message: String,
    /// The model, where it is known.
    pub model_name: Option<String>,
    /// How long it took, where it is known.
    pub duration_ms: Option<i64>,
    /// For programs.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// How much a job has of what a list does not show.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Numbers {
    /// Entries of its log, 1000 at most.
    logs: i64,
    /// Its checkpoints.
    checkpoints: i64,
}

/// A job in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AgentJobInList {
    #[serde(flatten)]
    job: AgentJob,
    /// The newest five.
    checkpoints: Vec<DocumentCheckpoint>,
    #[serde(rename = "_count")]
    count: Numbers,
}

/// Something that happened to a job.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Moment {
    /// When.
    at: DateTime<Utc>,
    /// What: `created`, `checkpoint_opened`, `checkpoint_decided`, `attempt_started`, `attempt_ended` or `ended`.
    what: &'static str,
    /// More about it.
    #[schema(value_type = Object)]
    data: Value,
}

/// A job with everything about it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AgentJobWithAll {
    #[serde(flatten)]
    job: AgentJob,
    /// The oldest first.
    checkpoints: Vec<DocumentCheckpoint>,
    /// What happened when.
    timeline: Vec<Moment>,
}

impl AgentJob {
    /// The job, with what the calls of models came to for it.
    pub(super) fn new(task: AgentTask, used: UsageTotal) -> Self {
        let ended = |status| task.finished_at.filter(|_| task.status == status);
        let reason = task.outcome_reason.as_deref().filter(|_| task.status == JobStatus::Failed).map(reason_in_words);
        let failure_reason = reason.map(|reason| match &task.detail {
            Some(detail) => format!("{reason}: {detail}"),
            None => reason,
        });
        Self {
            id: task.ticket_id,
            status: status_word(task.status, task.failures),
            completed_at: ended(JobStatus::Completed),
            failed_at: ended(JobStatus::Failed),
            failure_reason,
            job_type: task.job_type,
            task_description: task.description,
            priority: task.priority,
            input_data: task.input,
            output_data: task.output,
            assigned_agent: task.worker_id,
            attempts: task.attempt,
            max_attempts: MAX_INFRASTRUCTURE_FAILURES + 1,
            started_at: task.started_at,
            tokens_used: (used.calls > 0).then_some(used.tokens),
            estimated_cost: used.cost_usd,
            user_id: task.asked_by.strip_prefix("person:").map(str::to_owned).unwrap_or(task.asked_by),
            project_id: task.project_id,
            queue_job_id: task.job_id,
            created_at: task.created_at,
            updated_at: task.finished_at.or(task.started_at).unwrap_or(task.created_at),
            logs: Vec::new(),
        }
    }
}

impl AgentLog {
    fn new(job: &AgentTask, entry: LogEntry) -> Self {
        Self {
            id: entry.id,
            job_id: job.ticket_id,
            agent_name: job.job_type.clone(),
            agent_type: job.job_type.clone(),
            action: entry.step,
            message: entry.summary,
            model_name: None,
            duration_ms: None,
            metadata: json!({"success": entry.success, "output": entry.raw_output}),
            created_at: entry.created_at,
        }
    }
}

impl AgentJobInList {
    pub(super) fn new(Listed { task, checkpoints, usage }: Listed, prices: &Prices) -> Self {
        let count = Numbers { logs: task.logs, checkpoints: task.checkpoints };
        let job = AgentJob::new(task, UsageTotal::of(&usage, prices));
        Self { job, checkpoints: checkpoints.into_iter().map(Into::into).collect(), count }
    }
}

impl AgentJobWithAll {
    pub(super) fn new(whole: Whole, prices: &Prices) -> Self {
        let timeline = timeline(&whole);
        let used = UsageTotal::of(&whole.usage, prices);
        let logs = whole.logs.into_iter().map(|entry| AgentLog::new(&whole.task, entry)).collect();
        Self {
            job: AgentJob { logs, ..AgentJob::new(whole.task, used) },
            checkpoints: whole.checkpoints.into_iter().map(Into::into).collect(),
            timeline,
        }
    }
}

fn timeline(whole: &Whole) -> Vec<Moment> {
    let task = &whole.task;
    let mut all = vec![Moment { at: task.created_at, what: "created", data: json!({"jobType": task.job_type}) }];
    for checkpoint in &whole.checkpoints {
        let data = json!({"checkpointId": checkpoint.id, "message": checkpoint.message});
        all.push(Moment { at: checkpoint.created_at, what: "checkpoint_opened", data });
        let data = json!({"checkpointId": checkpoint.id, "status": checkpoint.status.as_str().to_uppercase()});
        all.extend(checkpoint.decided_at.map(|at| Moment { at, what: "checkpoint_decided", data }));
    }
    for attempt in &whole.attempts {
        let data = json!({"attempt": attempt.attempt});
        all.extend(attempt.claimed_at.map(|at| Moment { at, what: "attempt_started", data }));
        let data = json!({"attempt": attempt.attempt, "outcome": attempt.outcome, "reason": attempt.reason});
        all.push(Moment { at: attempt.ended_at, what: "attempt_ended", data });
    }
    let data = json!({"status": status_word(task.status, task.failures)});
    all.extend(task.finished_at.map(|at| Moment { at, what: "ended", data }));
    all.sort_by_key(|moment| moment.at);
    all
}
