//! Work orders: what they have beside their tickets. How one stands is read from its ticket's job.

pub mod list;

use crate::domain::agents::Program;
use crate::domain::agents::repos::DEFAULT_BRANCH;
use crate::domain::work_orders::lines::Line;
use crate::domain::work_orders::{NewOrder, OrderContent, OrderFields, OrderStatus, Source};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use terarchitect_worker_api::{ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A work order as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WorkOrder {
    /// The order: the same id as its ticket's.
    pub id: TicketId,
    /// Its project: the repository.
    pub project_id: ProjectId,
    /// Its repository; null where it names none.
    pub repo_id: Option<Uuid>,
    /// Who works on it.
    pub agent_id: Option<Uuid>,
    /// Where it comes from.
    pub source: Source,
    /// What is to be reached.
    pub objective: String,
    /// How it stands.
    pub status: OrderStatus,
    /// The branch to begin on, or the one that was made.
    pub branch_name: Option<String>,
    /// What Cursor calls the agent that works on it.
    pub cursor_agent_id: Option<String>,
    /// Its pull request.
    pub pr_url: Option<String>,
    /// The pull request's number at its forge.
    pub pr_number: Option<i64>,
    /// What was done.
    pub summary: Option<String>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// Why it was not launched; null once it is.
    pub launch_error: Option<String>,
    /// The order that it follows from.
    pub parent_work_order_id: Option<Uuid>,
    /// Tokens that its agent read.
    pub tokens_input: Option<i64>,
    /// Tokens that its agent wrote.
    pub tokens_output: Option<i64>,
    /// What it cost, in US dollars.
    pub total_cost: Option<f64>,
    /// The model that its agent worked with.
    pub model: Option<String>,
    /// How long its agent worked, in milliseconds.
    pub duration_ms: Option<i64>,
    /// What it consists of.
    #[schema(value_type = Vec<Line>)]
    pub lines: Json<Vec<Line>>,
    /// What must be kept to.
    #[schema(value_type = Object)]
    pub constraints: Value,
    /// Where to look first.
    #[schema(value_type = Object)]
    pub exploration_hints: Value,
    /// How to see that it is done.
    #[schema(value_type = Object)]
    pub verification: Value,
    /// What clients keep with it.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Its place in the order of all; what a page begins after.
    #[serde(skip)]
    pub seq: i64,
    /// What people call its agent.
    #[serde(skip)]
    pub agent_name: Option<String>,
    /// Which program works.
    #[serde(skip)]
    pub program: Option<Program>,
    /// What its agent is told in each prompt.
    #[serde(skip)]
    pub system_prompt: Option<String>,
    /// Settings that clients keep with its agent.
    #[serde(skip)]
    pub default_config: Option<Value>,
    /// Its repository's address.
    #[serde(skip)]
    pub repo_url: Option<String>,
    /// The branch that work begins on there.
    #[serde(skip)]
    pub default_branch: String,
    /// Whether a worker has its job, or one waits to be claimed again.
    #[serde(skip)]
    pub is_held: bool,
}

impl WorkOrder {
    /// What its prompt is made of.
    #[must_use]
    pub fn content(&self) -> OrderContent {
        OrderContent {
            objective: self.objective.clone(),
            lines: self.lines.0.clone(),
            constraints: self.constraints.clone(),
            exploration_hints: self.exploration_hints.clone(),
            verification: self.verification.clone(),
        }
    }

    /// The branch that a runner starts from, where that is not the forge's affair: the order's own, else the repository's, unless that
    /// is the one which every repository has here until another one is named.
    #[must_use]
    pub fn base_branch(&self) -> Option<String> {
        let of_repo = Some(&self.default_branch).filter(|branch| *branch != DEFAULT_BRANCH);
        self.branch_name.as_ref().or(of_repo).cloned()
    }

    /// What can be changed of it.
    #[must_use]
    pub fn fields(&self) -> OrderFields {
        OrderFields {
            content: self.content(),
            metadata: self.metadata.clone(),
            branch_name: self.branch_name.clone(),
            agent_id: self.agent_id,
            summary: self.summary.clone(),
            error_message: self.error_message.clone(),
        }
    }
}

/// Stores what an order has beside its ticket. `agent` is who works on it.
pub async fn insert(
    conn: &mut PgConnection,
    ticket: TicketId,
    project: ProjectId,
    agent: Option<Uuid>,
    new: &NewOrder,
    launch_error: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into work_orders (ticket_id, project_id, agent_id, source, objective, branch_name, parent_work_order_id, lines,
             constraints, exploration_hints, verification, metadata, idempotency_key, launch_error)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        ticket.0,
        project.0,
        agent,
        new.source.as_str(),
        new.content.objective,
        new.branch_name,
        new.parent,
        Json(&new.content.lines) as _,
        new.content.constraints,
        new.content.exploration_hints,
        new.content.verification,
        new.metadata,
        new.idempotency_key,
        launch_error
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Changes what an order says.
pub async fn update(conn: &mut PgConnection, id: TicketId, fields: &OrderFields) -> sqlx::Result<()> {
    sqlx::query!(
        "update work_orders set objective = $2, lines = $3, constraints = $4, exploration_hints = $5, verification = $6,
             metadata = $7, branch_name = $8, agent_id = $9, summary = $10, error_message = $11, updated_at = now()
         where ticket_id = $1",
        id.0,
        fields.content.objective,
        Json(&fields.content.lines) as _,
        fields.content.constraints,
        fields.content.exploration_hints,
        fields.content.verification,
        fields.metadata,
        fields.branch_name,
        fields.agent_id,
        fields.summary,
        fields.error_message
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets an order's lines.
pub async fn set_lines(conn: &mut PgConnection, id: TicketId, lines: &[Line]) -> sqlx::Result<()> {
    sqlx::query!("update work_orders set lines = $2, updated_at = now() where ticket_id = $1", id.0, Json(lines) as _)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes why an order could not be launched, or that it was.
pub async fn set_launch_error(conn: &mut PgConnection, id: TicketId, error: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!(
        "update work_orders set launch_error = $2, ended_as = null, ended_at = null, followups = 0, updated_at = now() where ticket_id = $1",
        id.0,
        error
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that an agent which was not launched from here has begun. Returns whether it is news.
pub async fn start(conn: &mut PgConnection, id: TicketId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update work_orders set started_at = now(), updated_at = now() where ticket_id = $1 and started_at is null",
        id.0
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends an order that no job ends.
pub async fn end(conn: &mut PgConnection, id: TicketId, status: OrderStatus) -> sqlx::Result<()> {
    sqlx::query!(
        "update work_orders set ended_as = $2, ended_at = clock_timestamp(), updated_at = now() where ticket_id = $1",
        id.0,
        status.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes what the runner says of a ticket that may be an order.
pub async fn set_summary(conn: &mut PgConnection, id: TicketId, summary: &str) -> sqlx::Result<()> {
    sqlx::query!("update work_orders set summary = $2, updated_at = now() where ticket_id = $1", id.0, summary)
        .execute(conn)
        .await?;
    Ok(())
}

/// The project of an order.
pub async fn project_of(conn: &mut PgConnection, id: TicketId) -> sqlx::Result<Option<ProjectId>> {
    let project = sqlx::query_scalar!("select project_id from work_orders where ticket_id = $1", id.0);
    Ok(project.fetch_optional(conn).await?.map(ProjectId))
}

/// The order with this key in this project.
pub async fn find_by_key(conn: &mut PgConnection, project: ProjectId, key: &str) -> sqlx::Result<Option<TicketId>> {
    let id = sqlx::query_scalar!(
        "select ticket_id from work_orders where project_id = $1 and idempotency_key = $2",
        project.0,
        key
    );
    Ok(id.fetch_optional(conn).await?.map(TicketId))
}

/// Lets a second order with the same key wait until the first one is there or not.
pub async fn lock_key(conn: &mut PgConnection, project: ProjectId, key: &str) -> sqlx::Result<()> {
    // Locks an advisory key made of the project and the order's key until the transaction ends.
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('work order ' || $1::uuid::text || ' ' || $2::text, 0))",
        project.0,
        key
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The order that an agent of Cursor's cloud works on.
pub async fn find_by_cursor_agent(conn: &mut PgConnection, agent: &str) -> sqlx::Result<Option<TicketId>> {
    let id = sqlx::query_scalar!("select ticket_id from work_orders where cursor_agent_id = $1", agent);
    Ok(id.fetch_optional(conn).await?.map(TicketId))
}

/// How many times an order's agent was told what is left to do.
pub async fn followups(conn: &mut PgConnection, id: TicketId) -> sqlx::Result<i32> {
    let count = sqlx::query_scalar!("select followups from work_orders where ticket_id = $1", id.0);
    Ok(count.fetch_optional(conn).await?.unwrap_or_default())
}

/// Notes that an order's agent is told once more what is left to do.
pub async fn count_followup(conn: &mut PgConnection, id: TicketId) -> sqlx::Result<()> {
    sqlx::query!("update work_orders set followups = followups + 1 where ticket_id = $1", id.0).execute(conn).await?;
    Ok(())
}

/// Notes why an order failed.
pub async fn set_error(conn: &mut PgConnection, id: TicketId, error: &str) -> sqlx::Result<()> {
    sqlx::query!("update work_orders set error_message = $2 where ticket_id = $1", id.0, error).execute(conn).await?;
    Ok(())
}
