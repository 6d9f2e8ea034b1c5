//! Jobs that run in a cloud, and the agents that were launched for them.

pub mod notices;

use crate::db::words::Word;
use crate::domain::cloud::{CloudState, WORKER};
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{JobId, ProjectId, TicketId};
use uuid::Uuid;

/// A job that was claimed for the cloud.
#[derive(Clone, Copy, Debug)]
pub struct ClaimedForCloud {
    /// The job.
    pub job_id: JobId,
    /// The attempt that begins.
    pub attempt: i32,
    /// Its project.
    pub project_id: ProjectId,
    /// Its ticket.
    pub ticket_id: TicketId,
}

/// Whether a job waits for the cloud whose time has come.
pub async fn any_waiting(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from agent_jobs where status = 'pending' and runs_on = 'cloud' and held_at is null and run_at <= now()
           ) as "any!""#
    )
    .fetch_one(conn)
    .await
}

/// Claims the next job for the cloud, as far as limits of projects, pauses and a stop of everything allow. The claims' lock is
/// held.
pub async fn claim_next(conn: &mut PgConnection, lease: Duration) -> sqlx::Result<Option<ClaimedForCloud>> {
    let row = sqlx::query!(
        // Locks the job; one that a move of its ticket holds at this moment is left for the next claim.
        r#"with next as materialized (
               select job.id from agent_jobs as job join projects as project on project.id = job.project_id
               where job.status = 'pending' and job.runs_on = 'cloud' and job.held_at is null and job.run_at <= now()
                 and not project.paused
                 and not exists (select from queue_state where stopped_at is not null)
                 and (project.max_running is null or project.max_running > (
                     select count(*) from agent_jobs as other
                     where other.status = 'running' and other.project_id = project.id
                 ))
               order by job.run_at, job.seq limit 1 for update of job skip locked
           )
           update agent_jobs as job
           set status = 'running', attempt = job.attempt + 1, worker_id = $1, claimed_at = clock_timestamp(),
               lease_expires_at = clock_timestamp() + $2 * interval '1 second'
           from next where job.id = next.id
           returning job.id, job.attempt, job.project_id, job.ticket_id"#,
        WORKER,
        lease.as_secs_f64()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| ClaimedForCloud {
        job_id: JobId(row.id),
        attempt: row.attempt,
        project_id: ProjectId(row.project_id),
        ticket_id: TicketId(row.ticket_id),
    }))
}

/// Notes the launch that is to happen for an attempt.
pub async fn insert(conn: &mut PgConnection, id: Uuid, of: &ClaimedForCloud, branch: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into cloud_agents (id, job_id, attempt, project_id, ticket_id, branch) values ($1, $2, $3, $4, $5, $6)",
        id,
        of.job_id.0,
        of.attempt,
        of.project_id.0,
        of.ticket_id.0,
        branch
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Renews the leases of the jobs whose agents have not ended: any process that runs holds them.
pub async fn renew_leases(conn: &mut PgConnection, lease: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        // Not fenced by the status: a job that is not running has no lease.
        "update agent_jobs as job set lease_expires_at = now() + $1 * interval '1 second'
         from (select job_id, attempt from cloud_agents where state <> 'ended' order by job_id) as held
         where job.id = held.job_id and job.attempt = held.attempt and job.lease_expires_at is not null",
        lease.as_secs_f64()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An agent that a process looks at.
#[derive(Clone, Debug)]
pub struct CloudAgent {
    /// Names the launch.
    pub id: Uuid,
    /// The job.
    pub job_id: Uuid,
    /// The attempt.
    pub attempt: i32,
    /// The project.
    pub project_id: Uuid,
    /// The ticket.
    pub ticket_id: Uuid,
    /// How far it is.
    pub state: CloudState,
    /// The branch for its work.
    pub branch: String,
    /// What the cloud calls it.
    pub agent_id: Option<String>,
    /// How a webhook said that it ended.
    pub said_status: Option<String>,
    /// The pull request that the webhook named.
    pub said_pull: Option<String>,
    /// The branch that the webhook named.
    pub said_branch: Option<String>,
    /// What the webhook said about the work.
    pub said_summary: Option<String>,
    /// How many calls in turn failed, this one included.
    pub tries: i32,
    /// For how long it has been there, in seconds.
    pub age_sec: f64,
    /// Whether its attempt still runs.
    pub is_running: bool,
    /// Whether its job is to be stopped.
    pub cancel_requested: bool,
}

/// Takes the next agent whose time has come. No other process takes it for as long as `hold`.
pub async fn take_next(conn: &mut PgConnection, hold: Duration) -> sqlx::Result<Option<CloudAgent>> {
    sqlx::query_as!(
        CloudAgent,
        r#"with next as materialized (
               select id from cloud_agents where state <> 'ended' and next_at <= now()
               order by next_at limit 1 for update skip locked
           ), taken as (
               update cloud_agents as agent
               set next_at = clock_timestamp() + $1 * interval '1 second', tries = tries + 1
               from next where agent.id = next.id returning agent.*
           )
           select taken.id as "id!", taken.job_id as "job_id!", taken.attempt as "attempt!",
               taken.project_id as "project_id!", taken.ticket_id as "ticket_id!",
               taken.state as "state!: Word<CloudState>", taken.branch as "branch!", taken.agent_id as "agent_id?",
               taken.said_status as "said_status?", taken.said_pull as "said_pull?",
               taken.said_branch as "said_branch?", taken.said_summary as "said_summary?", taken.tries as "tries!",
               extract(epoch from now() - taken.created_at)::float8 as "age_sec!",
               (job.attempt = taken.attempt and job.lease_expires_at is not null) as "is_running!",
               job.cancel_requested_at is not null as "cancel_requested!"
           from taken join agent_jobs as job on job.id = taken.job_id"#,
        hold.as_secs_f64()
    )
    .fetch_optional(conn)
    .await
}

/// Lets an agent whose job is to be stopped be looked at now.
pub async fn wake_stopping(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "update cloud_agents as agent set next_at = now()
         from agent_jobs as job
         where job.id = agent.job_id and agent.state = 'working' and agent.tries = 0 and agent.next_at > now()
           and (job.cancel_requested_at is not null or job.attempt <> agent.attempt or job.lease_expires_at is null)"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the cloud has the agent. What a webhook has said about it meanwhile counts from now on, and lets it be looked at
/// at once.
pub async fn launched(
    conn: &mut PgConnection,
    id: Uuid,
    agent_id: &str,
    url: Option<&str>,
    wait: Duration,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update cloud_agents set state = 'working', agent_id = $2, url = $3, launched_at = now(), tries = 0, reason = null,
             next_at = case when exists (select from cloud_notices where agent_id = $2) then now()
                 else clock_timestamp() + $4 * interval '1 second' end
         where id = $1 and state = 'launching'",
        id,
        agent_id,
        url,
        wait.as_secs_f64()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets an agent be looked at later.
pub async fn look_again(conn: &mut PgConnection, id: Uuid, wait: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        "update cloud_agents set tries = 0, reason = null,
             next_at = case when said_status is null then clock_timestamp() + $2 * interval '1 second' else now() end
         where id = $1",
        id,
        wait.as_secs_f64()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes why there was no response, and when it is retried.
pub async fn put_off(conn: &mut PgConnection, id: Uuid, wait: Duration, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update cloud_agents set reason = $3, next_at = clock_timestamp() + $2 * interval '1 second' where id = $1",
        id,
        wait.as_secs_f64(),
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that nothing more is to be done about an agent.
pub async fn end(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update cloud_agents set state = 'ended', ended_at = now() where id = $1 and state <> 'ended'", id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes what the cloud calls the agent that works on an order.
pub async fn set_orders_agent(conn: &mut PgConnection, ticket: TicketId, agent_id: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update work_orders set cursor_agent_id = $2, updated_at = now() where ticket_id = $1",
        ticket.0,
        agent_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the branch with the work on an order.
pub async fn set_orders_branch(conn: &mut PgConnection, ticket: TicketId, branch: &str) -> sqlx::Result<()> {
    sqlx::query!("update work_orders set branch_name = $2, updated_at = now() where ticket_id = $1", ticket.0, branch)
        .execute(conn)
        .await?;
    Ok(())
}
