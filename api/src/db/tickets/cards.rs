//! What the board, the inbox and the fleet show of a ticket: one row with its live or newest job, and what its runner
//! reported last.

use crate::db::words::Word;
use crate::domain::tickets::Priority;
use crate::domain::tickets::state::{ActivityFacts, JobFacts, TicketFacts};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use terarchitect_worker_api::{JobKind, JobStatus, ProjectId, TicketId};
use uuid::Uuid;

/// A ticket as a card shows it.
#[derive(Clone, Debug)]
pub struct CardRow {
    /// The ticket.
    pub id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its title.
    pub title: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Its column.
    pub column_id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Its pull request.
    pub pr_url: Option<String>,
    /// The pull request's number.
    pub pr_number: Option<i64>,
    /// Its live job, or else its newest one.
    pub job: Option<JobFacts>,
    /// What its runner reported last.
    pub activity: Option<ActivityFacts>,
    /// The last sentence of its log.
    pub last_line: Option<String>,
    /// How many files its branch changes, with lines added and removed.
    pub diffstat: Option<(i32, i32, i32)>,
}

impl CardRow {
    /// What its state depends on.
    #[must_use]
    pub fn facts(&self) -> TicketFacts<'_> {
        TicketFacts {
            id: self.id,
            project_id: self.project_id,
            column_id: &self.column_id,
            has_pull_request: self.pr_url.is_some(),
            updated_at: self.updated_at,
        }
    }
}

/// The columns as the query reads them.
struct Row {
    id: Uuid,
    project_id: Uuid,
    title: String,
    priority: Word<Priority>,
    column_id: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    pr_url: Option<String>,
    pr_number: Option<i64>,
    job_id: Option<Uuid>,
    job_kind: Option<Word<JobKind>>,
    job_status: Option<Word<JobStatus>>,
    job_attempt: Option<i32>,
    failures: Option<i32>,
    due: Option<bool>,
    in_cloud: Option<bool>,
    run_at: Option<DateTime<Utc>>,
    enqueued_at: Option<DateTime<Utc>>,
    claimed_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    cancel_requested_at: Option<DateTime<Utc>>,
    lease_expires_at: Option<DateTime<Utc>>,
    worker_id: Option<String>,
    held_at: Option<DateTime<Utc>>,
    last_reason: Option<String>,
    last_detail: Option<String>,
    activity_job: Option<Uuid>,
    activity_attempt: Option<i32>,
    phase: Option<String>,
    last_step: Option<String>,
    turn: Option<i32>,
    last_line: Option<String>,
    last_at: Option<DateTime<Utc>>,
    files: Option<i32>,
    added: Option<i32>,
    removed: Option<i32>,
}

/// Tickets with these conditions. Each kind of list is a query of its own, so that each has a plan of its own.
macro_rules! cards_where {
    ($conn:expr, $rest:literal, $($parameter:expr),+) => {
        sqlx::query_as!(
            Row,
            // The live job, a ticket's own before a review; without one, the ticket's newest own. Each is one step of an
            // index, and the second is only taken where the first finds nothing. A sort of a ticket's jobs would cost
            // more than all the rest of a large board.
            r#"select ticket.id as "id!", ticket.project_id as "project_id!", ticket.title as "title!",
                   ticket.priority as "priority!: Word<Priority>", ticket.column_id as "column_id!",
                   ticket.created_at as "created_at!", ticket.updated_at as "updated_at!", ticket.pr_url as "pr_url?",
                   ticket.pr_number as "pr_number?",
                   job.id as "job_id?", job.kind as "job_kind?: Word<JobKind>",
                   job.status as "job_status?: Word<JobStatus>", job.attempt as "job_attempt?",
                   job.failures as "failures?", job.due as "due?", job.runs_on = 'cloud' as "in_cloud?",
                   job.run_at as "run_at?",
                   job.created_at as "enqueued_at?", job.claimed_at as "claimed_at?", job.finished_at as "finished_at?",
                   job.cancel_requested_at as "cancel_requested_at?", job.lease_expires_at as "lease_expires_at?",
                   job.worker_id as "worker_id?", job.held_at as "held_at?", coalesce(last.reason, job.outcome_reason) as "last_reason?",
                   last.detail as "last_detail?",
                   activity.job_id as "activity_job?", activity.attempt as "activity_attempt?",
                   activity.phase as "phase?", activity.last_step as "last_step?", activity.turn as "turn?",
                   activity.last_line as "last_line?", activity.last_at as "last_at?", activity.files as "files?",
                   activity.added as "added?", activity.removed as "removed?"
               from tickets as ticket
               left join lateral (
                   (select id, kind, status, attempt, failures, due, runs_on, run_at, created_at, claimed_at, finished_at,
                        cancel_requested_at, lease_expires_at, worker_id, held_at, outcome_reason
                    from agent_jobs where ticket_id = ticket.id and status in ('pending', 'running')
                    order by kind desc limit 1)
                   union all
                   (select id, kind, status, attempt, failures, due, runs_on, run_at, created_at, claimed_at, finished_at,
                        cancel_requested_at, lease_expires_at, worker_id, held_at, outcome_reason
                    from agent_jobs where ticket_id = ticket.id and kind = 'ticket' order by seq desc limit 1)
                   limit 1
               ) as job on true
               left join lateral (
                   select reason, detail from agent_job_attempts
                   where job_id = job.id and job.failures > 0 and outcome in ('failed', 'retried')
                   order by attempt desc limit 1
               ) as last on true
               left join ticket_activity as activity on activity.ticket_id = ticket.id
               where "# + $rest,
            $($parameter),+
        )
        .fetch_all($conn)
        .await
        .map(|rows| rows.into_iter().map(CardRow::from).collect())
    };
}

/// All tickets of a project, the oldest first.
pub async fn of_project(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<Vec<CardRow>> {
    cards_where!(conn, "ticket.project_id = $1 order by ticket.created_at, ticket.id", project.0)
}

/// These tickets.
pub async fn of_tickets(conn: &mut PgConnection, tickets: &[Uuid]) -> sqlx::Result<Vec<CardRow>> {
    cards_where!(conn, "ticket.id = any ($1)", tickets)
}

/// Tickets of jobs that wait for a worker, that wait for a time, and that a worker holds; of each kind, of more than `limit`
/// the first of an index: sorting a long queue would cost more than it is worth.
pub async fn of_live_jobs(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"(select ticket_id as "ticket_id!" from agent_jobs where status = 'pending' and due
                order by project_id, priority desc, run_at, seq limit $1)
           union all
           (select ticket_id from agent_jobs where status = 'pending' and not due and held_at is null and runs_on = 'container'
                order by run_at limit $1)
           union all
           (select ticket_id from agent_jobs where status = 'pending' and runs_on = 'cloud' and held_at is null
                order by run_at, seq limit $1)
           union all
           (select ticket_id from agent_jobs where status = 'running' order by project_id limit $1)"#,
        limit
    )
    .fetch_all(conn)
    .await
}

/// One ticket of a project.
pub async fn find(conn: &mut PgConnection, project: ProjectId, ticket: TicketId) -> sqlx::Result<Option<CardRow>> {
    let found: sqlx::Result<Vec<CardRow>> =
        cards_where!(conn, "ticket.id = $1 and ticket.project_id = $2", ticket.0, project.0);
    Ok(found?.pop())
}

/// Tickets that may wait for a person: those that failed and those in review, unless they were put off. `visible` are the
/// projects that count; none: all.
pub async fn for_a_person(conn: &mut PgConnection, visible: Option<&[Uuid]>, limit: i64) -> sqlx::Result<Vec<CardRow>> {
    cards_where!(
        conn,
        "ticket.column_id in ('in_progress', 'in_review') and ($1::uuid[] is null or ticket.project_id = any ($1))
             and (ticket.column_id = 'in_review' or job.status = 'failed')
             and not exists (
                 select from inbox_snoozes as snooze where snooze.ticket_id = ticket.id and snooze.until > now()
             )
         order by ticket.updated_at limit $2",
        visible,
        limit
    )
}

impl From<Row> for CardRow {
    fn from(row: Row) -> Self {
        let diffstat = row.files.map(|files| (files, row.added.unwrap_or(0), row.removed.unwrap_or(0)));
        let activity = row.last_at.map(|last_at| ActivityFacts {
            job_id: row.activity_job,
            attempt: row.activity_attempt,
            phase: row.phase,
            last_step: row.last_step,
            turn: row.turn.unwrap_or(0),
            last_at,
        });
        let job = match (row.job_id, row.job_kind, row.job_status, row.run_at, row.enqueued_at) {
            (Some(id), Some(kind), Some(status), Some(run_at), Some(created_at)) => Some(JobFacts {
                id: id.into(),
                kind: kind.into(),
                status: status.into(),
                attempt: row.job_attempt.unwrap_or(0),
                failures: row.failures.unwrap_or(0),
                due: row.due.unwrap_or(true),
                in_cloud: row.in_cloud.unwrap_or(false),
                run_at,
                created_at,
                claimed_at: row.claimed_at,
                finished_at: row.finished_at,
                cancel_requested_at: row.cancel_requested_at,
                lease_expires_at: row.lease_expires_at,
                worker_id: row.worker_id,
                held_at: row.held_at,
                last_reason: row.last_reason,
                last_detail: row.last_detail,
            }),
            _ => None,
        };
        Self {
            id: row.id.into(),
            project_id: row.project_id.into(),
            title: row.title,
            priority: row.priority.into(),
            column_id: row.column_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            pr_url: row.pr_url,
            pr_number: row.pr_number,
            job,
            activity,
            last_line: row.last_line,
            diffstat,
        }
    }
}
