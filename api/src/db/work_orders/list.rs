//! Work orders with how they stand: lists, and one.

use super::WorkOrder;
use crate::db::words::Word;
use crate::domain::agents::Program;
use crate::domain::work_orders::lines::Line;
use crate::domain::work_orders::{OrderStatus, Source};
use sqlx::PgConnection;
use sqlx::types::Json;
use terarchitect_worker_api::{ProjectId, TicketId};
use uuid::Uuid;

/// The project that holds what names no repository.
const WITHOUT_REPOSITORY: Uuid = crate::domain::projects::WITHOUT_REPOSITORY;

/// The filter of a list of orders.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// Only orders that stand so.
    pub status: Option<OrderStatus>,
    /// Only orders from there.
    pub source: Option<Source>,
    /// Only orders of this repository.
    pub repo: Option<ProjectId>,
    /// Only orders of this agent.
    pub agent: Option<Uuid>,
    /// Only orders older than the one with this place.
    pub before: Option<i64>,
    /// Only orders of these projects; absent: of all.
    pub visible: Option<Vec<Uuid>>,
}

/// Orders with these conditions, the newest first. Each kind of list is a query of its own, so that each has a plan of its own.
///
/// How one stands is what the ticket's newest own job says. One that was handed back or waits for a retry has been running. What
/// was noted of the order itself counts where there is no job, or from then on: a job that was enqueued later says more.
macro_rules! orders_where {
    ($conn:expr, $rest:literal, $($parameter:expr),+) => {
        sqlx::query_as!(
            WorkOrder,
            r#"select work_order.ticket_id as "id!", work_order.project_id as "project_id!",
                   nullif(work_order.project_id, $1) as "repo_id?", work_order.agent_id as "agent_id?",
                   work_order.source as "source!: Word<Source>", work_order.objective as "objective!",
                   stands.status as "status!: Word<OrderStatus>", work_order.branch_name as "branch_name?",
                   work_order.cursor_agent_id as "cursor_agent_id?", ticket.pr_url as "pr_url?",
                   ticket.pr_number as "pr_number?", work_order.summary as "summary?",
                   coalesce(work_order.error_message, last.sentence) as "error_message?",
                   case when job.id is null then work_order.launch_error end as "launch_error?", work_order.parent_work_order_id as "parent_work_order_id?",
                   work_order.tokens_input as "tokens_input?", work_order.tokens_output as "tokens_output?",
                   work_order.total_cost as "total_cost?", coalesce(work_order.model, agent.model) as "model?",
                   coalesce(work_order.duration_ms,
                       (extract(epoch from stands.finished_at - coalesce(job.claimed_at, work_order.started_at)) * 1000)::bigint)
                       as "duration_ms?",
                   work_order.lines as "lines!: Json<Vec<Line>>", work_order.constraints as "constraints!",
                   work_order.exploration_hints as "exploration_hints!", work_order.verification as "verification!",
                   work_order.metadata as "metadata!", work_order.created_at as "created_at!",
                   greatest(work_order.updated_at, ticket.updated_at) as "updated_at!", stands.finished_at as "finished_at?",
                   work_order.seq as "seq!", agent.name as "agent_name?", agent.program as "program?: Program",
                   agent.system_prompt as "system_prompt?", agent.default_config as "default_config?",
                   project.github_url as "repo_url?", coalesce(repo.default_branch, 'main') as "default_branch!",
                   coalesce(job.attempt > 0 and job.status not in ('completed', 'failed', 'cancelled'), false) as "is_held!"
               from work_orders as work_order
               join tickets as ticket on ticket.id = work_order.ticket_id
               join projects as project on project.id = work_order.project_id
               left join agent_repos as repo on repo.project_id = work_order.project_id
               left join agents as agent on agent.id = work_order.agent_id
               left join lateral (
                   select id, status, attempt, created_at, claimed_at, finished_at, outcome_reason from agent_jobs
                   where ticket_id = work_order.ticket_id and kind = 'ticket' order by seq desc limit 1
               ) as job on true
               left join lateral (
                   select coalesce(detail, reason) as sentence from agent_job_attempts
                   where job_id = job.id and job.status = 'failed' order by attempt desc limit 1
               ) as last on true
               cross join lateral (
                   select work_order.ended_at is not null and (job.id is null
                       or (job.finished_at is not null and work_order.ended_at >= job.created_at)) as by_itself
               ) as said
               cross join lateral (
                   select
                       case
                           when said.by_itself then work_order.ended_as
                           when job.status in ('completed', 'failed', 'cancelled') then job.status
                           when job.attempt > 0 or (job.id is null and work_order.started_at is not null) then 'running'
                           else 'pending'
                       end as status,
                       case when said.by_itself then work_order.ended_at else job.finished_at end as finished_at
               ) as stands
               where "# + $rest,
            WITHOUT_REPOSITORY,
            $($parameter),+
        )
        .fetch_all($conn)
        .await
    };
}

/// Orders, the newest first.
pub async fn list(conn: &mut PgConnection, filter: &OrderFilter, limit: i64) -> sqlx::Result<Vec<WorkOrder>> {
    let (status, source) = (filter.status.map(OrderStatus::as_str), filter.source.map(Source::as_str));
    let (before, visible, agent) = (filter.before, filter.visible.as_deref(), filter.agent);
    match (filter.repo, source) {
        (Some(repo), _) => orders_where!(
            conn,
            "work_order.project_id = $2 and ($3::bigint is null or work_order.seq < $3)
                 and ($4::uuid[] is null or work_order.project_id = any ($4)) and ($5::text is null or stands.status = $5)
                 and ($6::uuid is null or work_order.agent_id = $6) and ($7::text is null or work_order.source = $7)
             order by work_order.seq desc limit $8",
            repo.0,
            before,
            visible,
            status,
            agent,
            source,
            limit
        ),
        (None, Some(source)) => orders_where!(
            conn,
            "work_order.source = $2 and ($3::bigint is null or work_order.seq < $3)
                 and ($4::uuid[] is null or work_order.project_id = any ($4)) and ($5::text is null or stands.status = $5)
                 and ($6::uuid is null or work_order.agent_id = $6)
             order by work_order.seq desc limit $7",
            source,
            before,
            visible,
            status,
            agent,
            limit
        ),
        (None, None) => orders_where!(
            conn,
            "($2::bigint is null or work_order.seq < $2)
                 and ($3::uuid[] is null or work_order.project_id = any ($3)) and ($4::text is null or stands.status = $4)
                 and ($5::uuid is null or work_order.agent_id = $5)
             order by work_order.seq desc limit $6",
            before,
            visible,
            status,
            agent,
            limit
        ),
    }
}

/// One order.
pub async fn find(conn: &mut PgConnection, id: TicketId) -> sqlx::Result<Option<WorkOrder>> {
    let found: sqlx::Result<Vec<WorkOrder>> = orders_where!(conn, "work_order.ticket_id = $2", id.0);
    Ok(found?.pop())
}

/// One order, locked until the transaction ends. Its ticket's move lock and its ticket are locked before.
pub async fn find_for_update(conn: &mut PgConnection, id: TicketId) -> sqlx::Result<Option<WorkOrder>> {
    // Locks the order: of two changes, the second begins where the first ended.
    let held = sqlx::query_scalar!("select seq from work_orders where ticket_id = $1 for update", id.0);
    if held.fetch_optional(&mut *conn).await?.is_none() {
        return Ok(None);
    }
    find(conn, id).await
}
