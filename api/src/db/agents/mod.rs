//! The catalogue of agents.

pub mod repos;

use crate::db::words::Word;
use crate::domain::agents::{AgentFields, AgentStatus, Program};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use terarchitect_worker_api::Stop;
use utoipa::ToSchema;
use uuid::Uuid;

/// An agent of the catalogue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Agent {
    /// The agent.
    pub id: Uuid,
    /// What programs call it.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which program works.
    pub program: Program,
    /// The same as `program`.
    pub r#type: Program,
    /// The model that it works with; null: the usual one.
    pub model: Option<String>,
    /// The name of the credential that it works with; null: the usual one.
    pub credential: Option<String>,
    /// What it is told in each prompt.
    pub system_prompt: Option<String>,
    /// Settings that clients keep here.
    #[schema(value_type = Object)]
    pub default_config: Value,
    /// Whom to tell what, as clients keep it here.
    #[schema(value_type = Object)]
    pub notification_config: Value,
    /// Where its jobs stop for a person.
    #[schema(value_type = Vec<Stop>)]
    pub checkpoints: Json<Vec<Stop>>,
    /// How it is doing.
    pub status: AgentStatus,
    /// When it last sent an event.
    pub last_heartbeat: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Agent> for AgentFields {
    fn from(agent: Agent) -> Self {
        Self {
            slug: agent.slug,
            name: agent.name,
            description: agent.description,
            program: agent.program,
            model: agent.model,
            credential: agent.credential,
            system_prompt: agent.system_prompt,
            default_config: agent.default_config,
            notification_config: agent.notification_config,
            checkpoints: agent.checkpoints.0,
        }
    }
}

/// Agents with this ending of the statement. One that was silent for ten minutes is offline.
macro_rules! agents {
    ($beginning:literal, $ending:literal $(, $parameter:expr)*) => {
        sqlx::query_as!(
            Agent,
            $beginning
                + r#" id, slug, name, description, program as "program: Word<Program>", program as "type: Word<Program>", model,
                    credential, system_prompt, default_config, notification_config, checkpoints as "checkpoints: Json<Vec<Stop>>",
                    case when last_heartbeat > now() - interval '10 minutes' then status else 'offline' end
                        as "status!: Word<AgentStatus>",
                    last_heartbeat, created_at, updated_at "#
                + $ending
            $(, $parameter)*
        )
    };
}

/// All agents, by name.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Agent>> {
    agents!("select", "from agents order by name, created_at, id").fetch_all(conn).await
}

/// One agent.
pub async fn find(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Agent>> {
    agents!("select", "from agents where id = $1", id).fetch_optional(conn).await
}

/// The agent that programs call so.
pub async fn find_by_slug(conn: &mut PgConnection, slug: &str) -> sqlx::Result<Option<Agent>> {
    agents!("select", "from agents where slug = $1", slug).fetch_optional(conn).await
}

/// One agent, locked until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Agent>> {
    // Locks the agent: of two changes, the second begins where the first ended.
    agents!("select", "from agents where id = $1 for update", id).fetch_optional(conn).await
}

/// Creates an agent. Its slug must be free.
pub async fn insert(conn: &mut PgConnection, fields: &AgentFields) -> sqlx::Result<Agent> {
    agents!(
        "insert into agents (id, slug, name, description, program, model, credential, system_prompt, default_config,
             notification_config, checkpoints)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning",
        "",
        Uuid::now_v7(),
        fields.slug,
        fields.name,
        fields.description,
        fields.program.as_str(),
        fields.model,
        fields.credential,
        fields.system_prompt,
        fields.default_config,
        fields.notification_config,
        Json(&fields.checkpoints) as Json<&Vec<Stop>>
    )
    .fetch_one(conn)
    .await
}

/// Changes an agent.
pub async fn update(conn: &mut PgConnection, id: Uuid, fields: &AgentFields) -> sqlx::Result<Option<Agent>> {
    agents!(
        "update agents set slug = $2, name = $3, description = $4, program = $5, model = $6, credential = $7,
             system_prompt = $8, default_config = $9, notification_config = $10, checkpoints = $11, updated_at = now()
         where id = $1 returning",
        "",
        id,
        fields.slug,
        fields.name,
        fields.description,
        fields.program.as_str(),
        fields.model,
        fields.credential,
        fields.system_prompt,
        fields.default_config,
        fields.notification_config,
        Json(&fields.checkpoints) as Json<&Vec<Stop>>
    )
    .fetch_optional(conn)
    .await
}

/// Notes that an agent is there, and how it is doing. Unless something changes, at most once in half a minute: many events of
/// one agent must not wait for each other.
pub async fn seen(conn: &mut PgConnection, id: Uuid, status: AgentStatus) -> sqlx::Result<()> {
    sqlx::query!(
        "update agents set status = $2, last_heartbeat = now()
         where id = $1 and (status <> $2 or last_heartbeat is null or last_heartbeat < now() - interval '30 seconds')",
        id,
        status.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether an order of this agent waits for its cloud, or is there.
pub async fn has_live_cloud_job(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from work_orders as work_order
               join agent_jobs as job on job.ticket_id = work_order.ticket_id
                   and job.status in ('pending', 'running') and job.runs_on = 'cloud'
               where work_order.agent_id = $1
           ) as "live!""#,
        id
    )
    .fetch_one(conn)
    .await
}

/// Deletes an agent; its orders keep their work, and lose who did it.
pub async fn delete(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<bool> {
    Ok(sqlx::query!("delete from agents where id = $1", id).execute(conn).await?.rows_affected() == 1)
}
