//! What the states of tickets depend on beside the tickets: the hosts, the projects, a stop of everything, the time.

use crate::db::words::Word;
use crate::domain::tickets::state::{Host, ProjectFacts, Surroundings};
use crate::domain::worker::fleet::{HostRow, host_problem, is_lost};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::HashMap;
use std::time::Duration;
use terarchitect_worker_api::Directive;
use uuid::Uuid;

/// Whether everything is stopped.
#[derive(Clone, Debug)]
pub struct QueueState {
    /// Since when.
    pub stopped_at: Option<DateTime<Utc>>,
    /// Who stopped it.
    pub stopped_by: Option<String>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// Whether everything is stopped, and the time.
pub async fn queue_state(conn: &mut PgConnection) -> sqlx::Result<QueueState> {
    sqlx::query_as!(QueueState, r#"select stopped_at, stopped_by, now() as "now!" from queue_state"#)
        .fetch_one(conn)
        .await
}

/// Every coordinator, with how many jobs it holds according to the queue.
pub async fn hosts(conn: &mut PgConnection) -> sqlx::Result<Vec<HostRow>> {
    let rows = sqlx::query!(
        r#"select host.worker_id as "worker_id!", host.name as "name?", host.slots as "slots?",
               host.slot_limit as "slot_limit?", host.directive as "directive!: Word<Directive>",
               host.projects as "projects?", host.findings as "findings?", coalesce(held.busy, 0) as "busy!",
               (extract(epoch from now() - host.last_heartbeat_at) * 1000)::bigint as "seen_ms_ago!"
           from coordinators as host
           left join (
               select worker_id, count(*)::integer as busy from agent_jobs where status = 'running' group by worker_id
           ) as held on held.worker_id = host.worker_id"#
    )
    .fetch_all(conn)
    .await?;
    let hosts = rows.into_iter().map(|row| {
        let host = Host {
            worker_id: row.worker_id,
            name: row.name,
            slots: row.slots,
            limit: row.slot_limit,
            busy: row.busy,
            drains: Directive::from(row.directive) == Directive::Drain,
            projects: row.projects,
            problem: row.findings.as_ref().and_then(host_problem),
        };
        HostRow { host, seen_ms_ago: row.seen_ms_ago }
    });
    Ok(hosts.collect())
}

/// All that a state depends on beside its ticket and project.
pub async fn surroundings(conn: &mut PgConnection, lease: Duration) -> sqlx::Result<Surroundings> {
    let state = queue_state(conn).await?;
    let known = hosts(conn).await?;
    // One without any slot is no host: `doctor` sends a heartbeat of its own.
    let known = known.into_iter().filter(|row| row.host.slots != Some(0));
    let (lost, here): (Vec<_>, Vec<_>) = known.partition(|row| is_lost(row.seen_ms_ago));
    Ok(Surroundings {
        now: state.now,
        lease,
        stopped_at: state.stopped_at,
        hosts: here.into_iter().map(|row| row.host).collect(),
        lost_hosts: lost.len(),
    })
}

/// A project with what its tickets' states depend on.
#[derive(Clone, Debug)]
pub struct ProjectRow {
    /// What people call it.
    pub name: String,
    /// What states depend on.
    pub facts: ProjectFacts,
}

/// The projects that are visible; `None`: all.
pub async fn projects(conn: &mut PgConnection, visible: Option<&[Uuid]>) -> sqlx::Result<HashMap<Uuid, ProjectRow>> {
    let rows = sqlx::query!(
        r#"select project.id as "id!", project.name as "name!", project.paused as "paused!",
               project.max_running as "max_running?", coalesce(load.running, 0) as "running!",
               case project.execution_mode when 'local' then project.project_path is not null
                   else project.github_url is not null end as "has_work!"
           from projects as project
           left join (
               select project_id, count(*)::integer as running from agent_jobs where status = 'running' group by project_id
           ) as load on load.project_id = project.id
           where $1::uuid[] is null or project.id = any ($1)"#,
        visible
    )
    .fetch_all(conn)
    .await?;
    let projects = rows.into_iter().map(|row| {
        let (paused, max_running, running, has_work) = (row.paused, row.max_running, row.running, row.has_work);
        (row.id, ProjectRow { name: row.name, facts: ProjectFacts { paused, max_running, running, has_work } })
    });
    Ok(projects.collect())
}

/// How many tickets wait for a person, how many jobs run, how many wait.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Tickets that failed or are in review, and checkpoints, except those put off.
    pub need_person: i64,
    /// Of these, those put off.
    pub snoozed: i64,
    /// Jobs that run.
    pub running: i64,
    /// Jobs that wait.
    pub waiting: i64,
}

/// Counts in the visible projects; `None`: all.
pub async fn counts(conn: &mut PgConnection, visible: Option<&[Uuid]>) -> sqlx::Result<Counts> {
    sqlx::query_as!(
        Counts,
        r#"with open as materialized (
               select snooze.ticket_id is not null as snoozed
               from tickets as ticket
               left join lateral (
                   (select kind, status, cancel_requested_at from agent_jobs
                    where ticket_id = ticket.id and status in ('pending', 'running') order by kind desc limit 1)
                   union all
                   (select kind, status, cancel_requested_at from agent_jobs
                    where ticket_id = ticket.id and kind = 'ticket' order by seq desc limit 1)
                   limit 1
               ) as job on true
               left join inbox_snoozes as snooze on snooze.ticket_id = ticket.id and snooze.until > now()
               where ticket.column_id in ('in_progress', 'in_review')
                 and ($1::uuid[] is null or ticket.project_id = any ($1))
                 and case ticket.column_id
                     when 'in_progress' then job.status = 'failed'
                     else job.status is null or job.status not in ('pending', 'running')
                         or (job.status = 'running' and job.kind = 'ticket' and job.cancel_requested_at is null)
                     end
           )
           select (select count(*) from open where not snoozed) + (
                   select count(*) from checkpoints
                   where status = 'pending' and type = 'approval_required' and expires_at > now()
                     and ($1::uuid[] is null or project_id = any ($1))
                     and not exists (
                         select from inbox_snoozes as snooze
                         where snooze.ticket_id = checkpoints.ticket_id and snooze.until > now()
                     )
               ) as "need_person!",
               (select count(*) from open where snoozed) as "snoozed!",
               (select count(*) from agent_jobs where status = 'running'
                and ($1::uuid[] is null or project_id = any ($1))) as "running!",
               (select count(*) from agent_jobs where status = 'pending' and due
                and ($1::uuid[] is null or project_id = any ($1)))
               + (select count(*) from agent_jobs where status = 'pending' and not due and held_at is null and runs_on = 'container'
                and ($1::uuid[] is null or project_id = any ($1)))
               + (select count(*) from agent_jobs where status = 'pending' and runs_on = 'cloud' and held_at is null
                and ($1::uuid[] is null or project_id = any ($1))) as "waiting!""#,
        visible
    )
    .fetch_one(conn)
    .await
}
