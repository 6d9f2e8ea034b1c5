//! What the cloud's webhook delivered.

use crate::db::words::Word;
use crate::domain::cloud::CloudState;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::TicketId;
use uuid::Uuid;

/// A delivery to store.
#[derive(Clone, Copy, Debug)]
pub struct NewNotice<'a> {
    /// What the cloud calls it.
    pub delivery_id: &'a str,
    /// The agent that it is about.
    pub agent_id: &'a str,
    /// How that stands.
    pub status: Option<&'a str>,
    /// The body, as it came.
    pub body: &'a str,
}

/// Stores a delivery. False: it was stored before.
pub async fn insert(conn: &mut PgConnection, new: &NewNotice<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into cloud_notices (delivery_id, agent_id, status, body) values ($1, $2, $3, $4)
         on conflict on constraint cloud_notices_pkey do nothing",
        new.delivery_id,
        new.agent_id,
        new.status,
        new.body
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// An agent that a delivery is about.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Names its launch.
    pub id: Uuid,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// How far it is.
    pub state: CloudState,
}

/// The agent that the cloud calls so, locked until the transaction ends.
pub async fn find(conn: &mut PgConnection, agent_id: &str) -> sqlx::Result<Option<About>> {
    let row = sqlx::query!(
        // Locks the agent, so that its launch and what is said about it are noted one after the other.
        r#"select id, ticket_id, state as "state: Word<CloudState>" from cloud_agents where agent_id = $1 for update"#,
        agent_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| About { id: row.id, ticket_id: TicketId(row.ticket_id), state: row.state.into() }))
}

/// What was delivered about an agent that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// How it ended.
    pub status: &'a str,
    /// Its pull request.
    pub pull: Option<&'a str>,
    /// Its branch.
    pub branch: Option<&'a str>,
    /// What it says about its work.
    pub summary: Option<&'a str>,
}

/// Notes how an agent ended, as a webhook said it first, and lets it be looked at now.
pub async fn say(conn: &mut PgConnection, id: Uuid, said: &Said<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "update cloud_agents set said_status = $2, said_pull = $3, said_branch = $4, said_summary = $5, next_at = now()
         where id = $1 and state = 'working' and said_status is null",
        id,
        said.status,
        said.pull,
        said.branch,
        said.summary
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The bodies that were delivered about an agent, in the order in which they came.
pub async fn bodies(conn: &mut PgConnection, agent_id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select body from cloud_notices where agent_id = $1 order by received_at limit 100", agent_id)
        .fetch_all(conn)
        .await
}

/// Deletes up to this many deliveries that came so long ago.
pub async fn delete_old(conn: &mut PgConnection, keep: Duration, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from cloud_notices where delivery_id in (
             select delivery_id from cloud_notices where received_at < now() - $1 * interval '1 second' limit $2
         )",
        keep.as_secs_f64(),
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
