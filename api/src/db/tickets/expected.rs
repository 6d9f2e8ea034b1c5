//! What earlier completed tickets came to.

use crate::domain::tickets::expected::EarlierTicket;
use crate::domain::tickets::usage::UsageTotal;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use terarchitect_worker_api::{ModelUsage, Prices, ProjectId, TicketId};
use uuid::Uuid;

/// The agent of a ticket's work order.
pub async fn agent_of(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<Uuid>> {
    let agent = sqlx::query_scalar!("select agent_id from work_orders where ticket_id = $1", ticket.0);
    Ok(agent.fetch_optional(conn).await?.flatten())
}

/// The tickets of a project's last 200 completed jobs, without this one.
pub async fn earlier(
    conn: &mut PgConnection,
    project: ProjectId,
    but: TicketId,
    prices: &Prices,
) -> sqlx::Result<Vec<EarlierTicket>> {
    let jobs = sqlx::query!(
        r#"select job.ticket_id,
             (select agent_id from work_orders where ticket_id = job.ticket_id) as agent_id,
             (select sum(extract(epoch from ended_at - claimed_at))::float8 from agent_job_attempts
              where job_id = job.id) as seconds
         from (select id, ticket_id from agent_jobs
               where project_id = $1 and ticket_id <> $2 and kind = 'ticket' and status = 'completed'
               order by seq desc limit 200) as job"#,
        project.0,
        but.0
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut tickets: BTreeMap<Uuid, EarlierTicket> = BTreeMap::new();
    for job in jobs {
        let ticket = tickets.entry(job.ticket_id).or_default();
        ticket.agent = job.agent_id;
        ticket.seconds = match (ticket.seconds, job.seconds) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
    }
    for (ticket, usages) in usages(conn, &tickets.keys().copied().collect::<Vec<_>>()).await? {
        if let Some(found) = tickets.get_mut(&ticket) {
            found.usage = Some(UsageTotal::of(&usages, prices));
        }
    }
    Ok(tickets.into_values().collect())
}

/// What each of these tickets came to, by model. Tickets of which nothing was counted are absent.
async fn usages(conn: &mut PgConnection, tickets: &[Uuid]) -> sqlx::Result<BTreeMap<Uuid, Vec<ModelUsage>>> {
    let rows = sqlx::query!(
        r#"select ticket_id, whose, model, sum(calls)::bigint as "calls!", sum(uncounted)::bigint as "uncounted!",
             sum(failed)::bigint as "failed!", sum(input)::bigint as "input!", sum(output)::bigint as "output!",
             sum(reasoning)::bigint as "reasoning!", sum(cache_read)::bigint as "cache_read!",
             sum(cache_write)::bigint as "cache_write!"
         from model_usage where ticket_id = any($1)
         group by ticket_id, whose, model having sum(calls) > 0"#,
        tickets
    )
    .fetch_all(conn)
    .await?;
    let mut usages: BTreeMap<Uuid, Vec<ModelUsage>> = BTreeMap::new();
    for row in rows {
        usages.entry(row.ticket_id).or_default().push(ModelUsage {
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
        });
    }
    Ok(usages)
}
