//! Claims: one statement gets jobs for many waiting requests.

use crate::db::words::Word;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::HashSet;
use std::time::Duration;
use terarchitect_worker_api::{ExecutionMode, Job, JobKind, ProjectId, WorkerId};
use uuid::Uuid;

/// Who claims, and how long the lease is valid.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The worker's name for itself.
    pub worker_id: Option<WorkerId>,
    /// The id of the request.
    pub request_id: Uuid,
    /// How long the lease is valid.
    pub lease: Duration,
}

/// A claimed job.
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    /// The job.
    pub job: Job,
    /// When it was claimed. A repeated claim changes it, so that a lost response differs from the one that arrived.
    pub claimed_at: DateTime<Utc>,
}

/// What a claim's statement takes: one list per column.
struct AskingColumns {
    workers: Vec<Option<String>>,
    requests: Vec<Uuid>,
    leases_ms: Vec<f64>,
}

impl AskingColumns {
    fn new(asking: &[&Asking]) -> Self {
        Self {
            workers: asking.iter().map(|asking| asking.worker_id.as_ref().map(ToString::to_string)).collect(),
            requests: asking.iter().map(|asking| asking.request_id).collect(),
            leases_ms: asking.iter().map(|asking| asking.lease.as_millis() as f64).collect(),
        }
    }
}

/// Claims a job for each request, as far as there are any: of the projects with the fewest running jobs for their
/// weight, the highest priority, then the oldest. Limits of projects hold exactly, however many claim at once. A
/// request that got a job before and still holds it gets that one. An empty list of projects means any. Returns each
/// job with the index of the request that gets it.
pub async fn claim_many(
    conn: &mut PgConnection,
    projects: &[ProjectId],
    asking: &[&Asking],
) -> sqlx::Result<Vec<(usize, ClaimedJob)>> {
    let projects: Vec<Uuid> = projects.iter().map(|project| project.0).collect();
    let columns = AskingColumns::new(asking);
    let rows = sqlx::query!(
        // The function takes the claims' lock, and locks the rows with skip locked; both end with this statement.
        r#"select claimed.waiter as "waiter!", claimed.id as "id!", claimed.ticket_id as "ticket_id!",
               claimed.project_id as "project_id!", claimed.kind as "kind!: Word<JobKind>", claimed.pr_number as "pr_number?",
               claimed.comment_body as "comment_body?", claimed.github_comment_id as "github_comment_id?",
               claimed.attempt as "attempt!", claimed.claimed_at as "claimed_at!", claimed.github_url as "github_url?",
               claimed.execution_mode as "execution_mode!: Word<ExecutionMode>", claimed.project_path as "project_path?",
               claimed.agent_image as "agent_image?"
           from claim_jobs($1, $2, $3, $4) as claimed"#,
        &projects,
        &columns.workers as &[Option<String>],
        &columns.requests,
        &columns.leases_ms
    )
    .fetch_all(conn)
    .await?;
    let jobs = rows.into_iter().filter_map(|row| {
        let place = usize::try_from(row.waiter).ok()?.checked_sub(1)?;
        let lease = asking.get(place)?.lease;
        let job = Job {
            job_id: row.id.into(),
            ticket_id: row.ticket_id.into(),
            project_id: row.project_id.into(),
            kind: row.kind.into(),
            repo_url: row.github_url.unwrap_or_default(),
            pr_number: row.pr_number,
            comment_body: row.comment_body,
            github_comment_id: row.github_comment_id,
            review: None,
            attempt: Some(row.attempt),
            lease_ms: Some(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX)),
            job_token: None,
            agent_env: std::collections::BTreeMap::new(),
            execution_mode: Some(row.execution_mode.into()),
            project_path: row.project_path,
            agent_image: row.agent_image,
            job_timeout_sec: None,
        };
        Some((place, ClaimedJob { job, claimed_at: row.claimed_at }))
    });
    Ok(jobs.collect())
}

/// Which of these requests got a job before and still hold it: claims that are repeated after a lost response.
pub async fn held_by_requests(conn: &mut PgConnection, asking: &[&Asking]) -> sqlx::Result<HashSet<Uuid>> {
    let columns = AskingColumns::new(asking);
    let found = sqlx::query_scalar!(
        r#"select asks.request as "request!" from unnest($1::text[], $2::uuid[]) as asks (worker, request)
           join agent_jobs as job on job.request_id = asks.request and job.lease_expires_at is not null
               and job.worker_id is not distinct from asks.worker"#,
        &columns.workers as &[Option<String>],
        &columns.requests
    )
    .fetch_all(conn)
    .await?;
    Ok(found.into_iter().collect())
}

/// Hands back what these requests may have claimed when the connection broke: no client has learnt of these jobs.
pub async fn hand_back_requests(conn: &mut PgConnection, requests: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"with back as (
             update agent_jobs
             set status = 'pending', worker_id = null, request_id = null, claimed_at = null, lease_expires_at = null
             where request_id = any ($1) and lease_expires_at is not null
             returning id, attempt, project_id, ticket_id
         ), kept as (
             insert into agent_job_attempts (job_id, attempt, outcome, reason, detail)
             select id, attempt, 'released', 'released', 'the claim was never answered' from back
         ), recorded as (
             insert into events (kind, actor, project_id, ticket_id, job_id, attempt, data)
             select 'attempt.ended', 'system', project_id, ticket_id, id, attempt,
                 '{"outcome": "released", "reason": "released", "job_status": "pending"}'
             from back where events_are_on()
         )
         select notify_due(array(select distinct project_id from back))::text"#,
        requests
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// The projects that have jobs which could be claimed now, limits and pauses aside.
pub async fn projects_with_work(conn: impl sqlx::PgExecutor<'_>) -> sqlx::Result<Vec<ProjectId>> {
    let projects = sqlx::query_scalar!(
        // One step of the index per project, however many jobs each has.
        r#"with recursive walk as (
               (select project_id from agent_jobs where status = 'pending' and due order by project_id limit 1)
               union all
               select (select job.project_id from agent_jobs as job
                       where job.status = 'pending' and job.due and job.project_id > walk.project_id
                       order by job.project_id limit 1)
               from walk where walk.project_id is not null
           )
           select project_id as "project_id!" from walk where project_id is not null"#
    )
    .fetch_all(conn)
    .await?;
    Ok(projects.into_iter().map(ProjectId).collect())
}

/// Notifies waiting claims that a project may have a job for them.
pub async fn notify_due(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<()> {
    sqlx::query!("select notify_due(array[$1::uuid])::text", project.0).fetch_one(conn).await?;
    Ok(())
}

/// Notifies waiting claims that a job of a limited project has ended. Even if this statement sees no pending job of the
/// project: one may be about to be committed.
pub async fn notify_freed(conn: &mut PgConnection, project: ProjectId) -> sqlx::Result<()> {
    sqlx::query!(
        "select notify_due(array[project.id])::text from projects as project
         where project.id = $1 and project.max_running is not null",
        project.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}
