//! What the calls of models came to.

use crate::domain::tickets::activity::AttemptOf;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, ModelUsage, ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// What one model's calls came to in one attempt.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttemptUsage {
    /// The attempt's job; null where a runner was started by hand.
    pub job_id: Option<JobId>,
    /// The attempt.
    pub attempt: Option<i32>,
    /// What it came to.
    #[serde(flatten)]
    pub usage: ModelUsage,
    /// What it cost, in dollars; null where that is not known.
    pub cost_usd: Option<f64>,
    /// When it was last reported.
    pub updated_at: DateTime<Utc>,
}

/// Stores what an attempt's calls came to so far. An older report than the last one changes nothing.
pub async fn store(
    conn: &mut PgConnection,
    (project, ticket): (ProjectId, TicketId),
    by: AttemptOf,
    usage: &ModelUsage,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into model_usage (id, project_id, ticket_id, job_id, attempt, whose, model, calls, uncounted, failed, input,
             output, reasoning, cache_read, cache_write)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict on constraint model_usage_attempt_key do update set calls = excluded.calls,
             uncounted = excluded.uncounted, failed = excluded.failed, input = excluded.input, output = excluded.output,
             reasoning = excluded.reasoning, cache_read = excluded.cache_read, cache_write = excluded.cache_write,
             updated_at = now()
         where model_usage.calls + model_usage.failed <= excluded.calls + excluded.failed",
        Uuid::now_v7(),
        project.0,
        ticket.0,
        by.job.map(|job| job.0),
        by.attempt,
        usage.whose,
        usage.model,
        usage.calls,
        usage.uncounted,
        usage.failed,
        usage.input,
        usage.output,
        usage.reasoning,
        usage.cache_read,
        usage.cache_write
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a ticket's attempts came to, the oldest first; at most 500 rows. No cost is filled in.
pub async fn of_ticket(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Vec<AttemptUsage>> {
    let rows = sqlx::query!(
        "select job_id, attempt, whose, model, calls, uncounted, failed, input, output, reasoning, cache_read, cache_write,
             updated_at
         from model_usage where ticket_id = $1 order by created_at, id limit 500",
        ticket.0
    )
    .fetch_all(conn)
    .await?;
    let usages = rows.into_iter().map(|row| AttemptUsage {
        job_id: row.job_id.map(JobId),
        attempt: row.attempt,
        usage: ModelUsage {
            whose: row.whose,
            model: row.model,
            calls: row.calls,
            uncounted: row.uncounted,
            failed: row.failed,
            input: row.input,
            output: row.output,
            reasoning: row.reasoning,
            cache_read: row.cache_read,
            cache_write: row.cache_write,
        },
        cost_usd: None,
        updated_at: row.updated_at,
    });
    Ok(usages.collect())
}

/// What a project's attempts of the last so many days came to, by whose model it is and the model.
pub async fn of_project(conn: &mut PgConnection, project: ProjectId, days: i32) -> sqlx::Result<Vec<ModelUsage>> {
    sqlx::query_as!(
        ModelUsage,
        r#"select whose, model, sum(calls)::bigint as "calls!", sum(uncounted)::bigint as "uncounted!",
             sum(failed)::bigint as "failed!", sum(input)::bigint as "input!", sum(output)::bigint as "output!",
             sum(reasoning)::bigint as "reasoning!", sum(cache_read)::bigint as "cache_read!",
             sum(cache_write)::bigint as "cache_write!"
         from model_usage where project_id = $1 and created_at > now() - make_interval(days => $2)
         group by whose, model order by whose, model"#,
        project.0,
        days
    )
    .fetch_all(conn)
    .await
}
