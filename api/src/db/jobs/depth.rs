//! How much is in the queue, for metrics.

use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;

/// What one project has in the queue.
#[derive(Clone, Copy, Debug)]
pub struct ProjectDepth {
    /// The project.
    pub project_id: ProjectId,
    /// Jobs that could be claimed, limits and pauses aside.
    pub pending: i64,
    /// Jobs whose `run_at` is still to come.
    pub delayed: i64,
    /// Jobs that wait for a person.
    pub held: i64,
    /// Jobs that a worker holds.
    pub running: i64,
    /// How long the oldest pending one has waited, in seconds.
    pub oldest_pending_sec: Option<f64>,
}

/// Every project with jobs in the queue.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<ProjectDepth>> {
    let rows = sqlx::query!(
        r#"select project_id as "project_id!",
               count(*) filter (where status = 'pending' and (due or (runs_on = 'cloud' and held_at is null and run_at <= now())))
                   as "pending!",
               count(*) filter (where status = 'pending' and not due and held_at is null
                   and (runs_on = 'container' or run_at > now())) as "delayed!",
               count(*) filter (where status = 'pending' and held_at is not null) as "held!",
               count(*) filter (where status = 'running') as "running!",
               (extract(epoch from now() - min(run_at) filter (
                   where status = 'pending' and (due or (runs_on = 'cloud' and held_at is null and run_at <= now())))))::float8 as oldest
           from agent_jobs where status in ('pending', 'running') group by project_id"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ProjectDepth {
            project_id: row.project_id.into(),
            pending: row.pending,
            delayed: row.delayed,
            held: row.held,
            running: row.running,
            oldest_pending_sec: row.oldest.map(|age| age.max(0.0)),
        })
        .collect())
}
