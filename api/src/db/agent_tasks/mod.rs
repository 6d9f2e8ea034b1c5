//! Jobs that were asked for by an agent's name: what they have beside their ticket and its queue's job.

use crate::db::words::Word;
use crate::domain::agent_tasks::NewTask;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use terarchitect_worker_api::{JobId, JobStatus, ProjectId, Stop, TicketId};
use uuid::Uuid;

/// Such a job, with its ticket's newest one in the queue.
#[derive(Clone, Debug)]
pub struct AgentTask {
    /// Its ticket, which names it.
    pub ticket_id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// The agent's slug.
    pub job_type: String,
    /// What to do.
    pub description: String,
    /// What to do it with.
    pub input: Value,
    /// From 1 to 10.
    pub priority: i32,
    /// What came of it.
    pub output: Option<Value>,
    /// Who asked for it, as events name them.
    pub asked_by: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// The job in the queue.
    pub job_id: JobId,
    /// Its status, as others see it.
    pub status: JobStatus,
    /// How often it was claimed.
    pub attempt: i32,
    /// How many attempts failed.
    pub failures: i32,
    /// The worker that holds it.
    pub worker_id: Option<String>,
    /// When its first attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it ended.
    pub outcome_reason: Option<String>,
    /// A sentence about that.
    pub detail: Option<String>,
    /// How many entries its log has, 1000 at most.
    pub logs: i64,
    /// How many checkpoints it has.
    pub checkpoints: i64,
}

/// Such jobs with these conditions.
macro_rules! tasks_where {
    ($rest:literal $(, $parameter:expr)*) => {
        sqlx::query_as!(
            AgentTask,
            r#"select task.ticket_id as "ticket_id!", task.project_id as "project_id!", task.job_type as "job_type!",
                   task.description as "description!", task.input as "input!", task.priority as "priority!",
                   task.output as "output?", task.asked_by as "asked_by!", task.created_at as "created_at!",
                   job.id as "job_id!",
                   case when job.status = 'pending' and job.held_at is not null then 'running' else job.status end
                       as "status!: Word<JobStatus>",
                   job.attempt as "attempt!", job.failures as "failures!", job.worker_id as "worker_id?",
                   coalesce((select min(claimed_at) from agent_job_attempts where job_id = job.id), job.claimed_at)
                       as "started_at?",
                   job.finished_at as "finished_at?", job.outcome_reason as "outcome_reason?",
                   (select detail from agent_job_attempts where job_id = job.id order by attempt desc limit 1) as "detail?",
                   (select count(*) from (select from execution_logs where ticket_id = task.ticket_id limit 1000) as log)
                       as "logs!",
                   (select count(*) from checkpoints where ticket_id = task.ticket_id) as "checkpoints!"
               from agent_tasks as task
               join lateral (
                   select * from agent_jobs where ticket_id = task.ticket_id and kind = 'ticket' order by seq desc limit 1
               ) as job on true
               where "# + $rest
            $(, $parameter)*
        )
    };
}

/// Which ones to list.
#[derive(Clone, Debug, Default)]
pub struct TaskFilter {
    /// Only those whose guide's word for their status is this.
    pub status: Option<String>,
    /// Only those of this agent.
    pub job_type: Option<String>,
    /// Only those of these projects; absent: of all.
    pub visible: Option<Vec<Uuid>>,
}

/// The newest first.
pub async fn list(
    conn: &mut PgConnection,
    filter: &TaskFilter,
    limit: i64,
    offset: i64,
) -> sqlx::Result<Vec<AgentTask>> {
    tasks_where!(
        "($1::uuid[] is null or task.project_id = any ($1)) and ($2::text is null or task.job_type = $2)
             and ($3::text is null or $3 = case
                 when job.status = 'pending' and job.held_at is not null then 'RUNNING'
                 when job.status = 'pending' and job.failures > 0 then 'RETRY'
                 else upper(job.status) end)
         order by task.seq desc limit $4 offset $5",
        filter.visible.as_deref(),
        filter.job_type,
        filter.status,
        limit,
        offset
    )
    .fetch_all(conn)
    .await
}

/// How many there are.
pub async fn count(conn: &mut PgConnection, filter: &TaskFilter) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from agent_tasks as task
           join lateral (
               select * from agent_jobs where ticket_id = task.ticket_id and kind = 'ticket' order by seq desc limit 1
           ) as job on true
           where ($1::uuid[] is null or task.project_id = any ($1)) and ($2::text is null or task.job_type = $2)
             and ($3::text is null or $3 = case
                 when job.status = 'pending' and job.held_at is not null then 'RUNNING'
                 when job.status = 'pending' and job.failures > 0 then 'RETRY'
                 else upper(job.status) end)"#,
        filter.visible.as_deref(),
        filter.job_type,
        filter.status
    )
    .fetch_one(conn)
    .await
}

/// One of them.
pub async fn find(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<AgentTask>> {
    tasks_where!("task.ticket_id = $1", ticket.0).fetch_optional(conn).await
}

/// Stores what such a job has beside its ticket.
pub async fn insert(
    conn: &mut PgConnection,
    ticket: TicketId,
    project: ProjectId,
    agent: Uuid,
    new: &NewTask,
    asked_by: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into agent_tasks (ticket_id, project_id, job_type, agent_id, description, input, priority, asked_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        ticket.0,
        project.0,
        new.job_type,
        agent,
        new.description,
        new.input,
        new.priority,
        asked_by
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a runner gets for its ticket: the data, where it is such a job.
pub async fn input(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!("select input from agent_tasks where ticket_id = $1", ticket.0).fetch_optional(conn).await
}

/// What came of such a job so far, where its last attempt handed it over to a person.
pub async fn output_of_held(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<Value>> {
    let output = sqlx::query_scalar!(
        "select task.output from agent_tasks as task
         join agent_jobs as job on job.ticket_id = task.ticket_id and job.kind = 'ticket'
             and job.status in ('pending', 'running')
         join agent_job_attempts as last on last.job_id = job.id and last.attempt = job.attempt - 1 and last.outcome = 'held'
         where task.ticket_id = $1",
        ticket.0
    );
    Ok(output.fetch_optional(conn).await?.flatten())
}

/// Stores what came of such a job. Returns false if the ticket is none.
pub async fn store_output(conn: &mut PgConnection, ticket: TicketId, output: &Value) -> sqlx::Result<bool> {
    let done =
        sqlx::query!("update agent_tasks set output = $2, updated_at = now() where ticket_id = $1", ticket.0, output);
    Ok(done.execute(conn).await?.rows_affected() == 1)
}

/// The agent with this slug, and the slugs of all where there is none.
pub async fn agent(conn: &mut PgConnection, slug: &str) -> sqlx::Result<Result<Uuid, Vec<String>>> {
    let found = sqlx::query_scalar!("select id from agents where slug = $1", slug).fetch_optional(&mut *conn).await?;
    match found {
        Some(id) => Ok(Ok(id)),
        None => Ok(Err(sqlx::query_scalar!("select slug from agents order by slug limit 50").fetch_all(conn).await?)),
    }
}

/// Where the agent of a ticket stops for a person.
pub async fn stops_of(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<Stop>> {
    let stops = sqlx::query_scalar!(
        r#"select agent.checkpoints as "stops: Json<Vec<Stop>>" from agents as agent where agent.id = coalesce(
               (select agent_id from agent_tasks where ticket_id = $1), (select agent_id from work_orders where ticket_id = $1)
           )"#,
        ticket.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(stops.map(|stops| stops.0).unwrap_or_default())
}

/// How many jobs there are of each status.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Those that wait for a worker.
    pub pending: i64,
    /// Those that a worker holds, and those that wait for a person.
    pub running: i64,
    /// Those that a worker holds.
    pub active: i64,
    /// Those that succeeded.
    pub completed: i64,
    /// Those that failed.
    pub failed: i64,
    /// Those that were cancelled.
    pub cancelled: i64,
}

/// Counts all jobs of the queue. Those that succeeded are what is left of all, so that no index is needed for them.
pub async fn counts(conn: &mut PgConnection) -> sqlx::Result<Counts> {
    let row = sqlx::query!(
        r#"with all_of_them as materialized (select count(*) as number from agent_jobs)
           select all_of_them.number as "number!",
               (select count(*) from agent_jobs where status = 'pending' and due) as "due!",
               (select count(*) from agent_jobs where status = 'pending' and not due and held_at is null) as "delayed!",
               (select count(*) from agent_jobs where held_at is not null) as "held!",
               (select count(*) from agent_jobs where status = 'running') as "active!",
               (select count(*) from agent_jobs where status = 'failed') as "failed!",
               (select count(*) from agent_jobs where status = 'cancelled') as "cancelled!"
           from all_of_them"#
    )
    .fetch_one(conn)
    .await?;
    let live = row.due + row.delayed + row.held + row.active;
    Ok(Counts {
        pending: row.due + row.delayed,
        running: row.active + row.held,
        active: row.active,
        completed: row.number - live - row.failed - row.cancelled,
        failed: row.failed,
        cancelled: row.cancelled,
    })
}
