//! Deliveries: stored before anything is done about them, and worked on from their rows.

use crate::db::words::Word;
use crate::domain::forges::{DeliveryState, ForgeKind};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A delivery to store.
#[derive(Clone, Debug)]
pub struct NewDelivery<'a> {
    /// Who sent it.
    pub sender: ForgeKind,
    /// The project of the address that it was sent to.
    pub hook_project: Option<ProjectId>,
    /// What the sender calls it.
    pub delivery_id: &'a str,
    /// What it is about, in the sender's word.
    pub event: &'a str,
    /// The body as it came.
    pub body: &'a [u8],
}

/// Stores a delivery; false if it was stored before.
pub async fn insert(conn: &mut PgConnection, new: &NewDelivery<'_>) -> sqlx::Result<bool> {
    let project = new.hook_project.map(|project| project.0);
    let done = sqlx::query!(
        "insert into deliveries (id, sender, hook_project_id, project_id, delivery_id, event, body)
         values ($1, $2, $3, $3, $4, $5, $6) on conflict on constraint deliveries_delivery_id_key do nothing",
        Uuid::now_v7(),
        new.sender.as_str(),
        project,
        new.delivery_id,
        new.event,
        new.body
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A delivery to work on, locked until the transaction ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The delivery.
    pub id: Uuid,
    /// Who sent it.
    pub sender: ForgeKind,
    /// The project of the address that it was sent to.
    pub hook_project_id: Option<Uuid>,
    /// What it is about, in the sender's word.
    pub event: String,
    /// The body as it came.
    pub body: Vec<u8>,
    /// How many times it was tried.
    pub tries: i32,
    /// How long ago it was received, in seconds.
    pub age_sec: f64,
}

/// The next delivery whose time has come.
pub async fn claim_next(conn: &mut PgConnection) -> sqlx::Result<Option<Claimed>> {
    sqlx::query_as!(
        Claimed,
        // Locks the delivery, and skips those that another process works on.
        r#"select id, sender as "sender: Word<ForgeKind>", hook_project_id, event, body, tries,
               extract(epoch from now() - received_at)::float8 as "age_sec!"
           from deliveries where state = 'waiting' and next_try_at <= now()
           order by next_try_at, seq limit 1 for update skip locked"#
    )
    .fetch_optional(conn)
    .await
}

/// Ends the work on a delivery.
pub async fn finish(
    conn: &mut PgConnection,
    id: Uuid,
    state: DeliveryState,
    reason: Option<&str>,
    project: Option<Uuid>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update deliveries set state = $2, reason = $3, project_id = coalesce($4, project_id), tries = tries + 1,
             finished_at = now(), pull_number = null
         where id = $1",
        id,
        state.as_str(),
        reason,
        project
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a delivery off; `pull_number` is the pull request that it waits for.
pub async fn put_off(
    conn: &mut PgConnection,
    id: Uuid,
    wait: Duration,
    reason: &str,
    pull_number: Option<i64>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update deliveries set tries = tries + 1, reason = $3, pull_number = $4,
             next_try_at = clock_timestamp() + $2 * interval '1 second'
         where id = $1 and state = 'waiting'",
        id,
        wait.as_secs_f64(),
        reason,
        pull_number
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets what waits for this pull request be worked on now.
pub async fn wake(conn: &mut PgConnection, number: i64) -> sqlx::Result<()> {
    sqlx::query!(
        // Locks what it wakes, and skips what is worked on at this moment: that is put off, and comes back soon.
        "update deliveries set next_try_at = now() where id in (
             select id from deliveries where state = 'waiting' and pull_number = $1 for update skip locked
         )",
        number
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets a finished delivery be worked on again; none if there is none with this id, else its state before.
pub async fn replay(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<(DeliveryState, Option<Uuid>)>> {
    let found = sqlx::query!(
        // Locks the delivery, so that its state is what it was when it is set.
        r#"select state as "state: Word<DeliveryState>", project_id from deliveries where id = $1 for update"#,
        id
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(found) = found else { return Ok(None) };
    sqlx::query!(
        "update deliveries set state = 'waiting', tries = 0, reason = null, finished_at = null, next_try_at = now(),
             received_at = now()
         where id = $1",
        id
    )
    .execute(conn)
    .await?;
    Ok(Some((found.state.into(), found.project_id)))
}

/// A delivery, as it is shown: without its body.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// The delivery.
    pub id: Uuid,
    /// Its place.
    pub seq: i64,
    /// Who sent it.
    pub sender: ForgeKind,
    /// What the sender calls it.
    pub delivery_id: String,
    /// What it is about, in the sender's word.
    pub event: String,
    /// The project, where it is known.
    pub project_id: Option<Uuid>,
    /// How far it is.
    pub state: DeliveryState,
    /// How many times it was tried.
    pub tries: i32,
    /// Why it waits, means nothing, or failed.
    pub reason: Option<String>,
    /// The size of its body, in bytes.
    pub bytes: i32,
    /// When it was received, or replayed.
    pub received_at: DateTime<Utc>,
    /// When it is tried next, while it waits.
    pub next_try_at: DateTime<Utc>,
    /// When the work on it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Which deliveries: all of them if nothing is set.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this project.
    pub project: Option<ProjectId>,
    /// Before this place.
    pub before: Option<i64>,
    /// Of these projects; absent: of all, and of none.
    pub visible: Option<Vec<Uuid>>,
}

/// Deliveries, the latest first.
pub async fn list(conn: &mut PgConnection, filter: &DeliveryFilter, limit: i64) -> sqlx::Result<Vec<Delivery>> {
    sqlx::query_as!(
        Delivery,
        r#"select id, seq, sender as "sender: Word<ForgeKind>", delivery_id, event, project_id,
               state as "state: Word<DeliveryState>", tries, reason, octet_length(body) as "bytes!", received_at,
               next_try_at, finished_at
           from deliveries
           where ($1::text is null or state = $1) and ($2::uuid is null or project_id = $2)
             and ($3::bigint is null or seq < $3) and ($4::uuid[] is null or project_id = any ($4))
           order by seq desc limit $5"#,
        filter.state.map(DeliveryState::as_str),
        filter.project.map(|project| project.0),
        filter.before,
        filter.visible.as_deref(),
        limit
    )
    .fetch_all(conn)
    .await
}

/// When the latest delivery about a project came, and how far it is.
pub async fn latest(
    conn: &mut PgConnection,
    project: ProjectId,
) -> sqlx::Result<Option<(DateTime<Utc>, DeliveryState)>> {
    let row = sqlx::query!(
        r#"select received_at, state as "state: Word<DeliveryState>" from deliveries
           where project_id = $1 order by seq desc limit 1"#,
        project.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.received_at, row.state.0)))
}

/// Deletes deliveries that were finished more than `keep` ago. Returns how many were deleted.
pub async fn delete_old(conn: &mut PgConnection, keep: Duration, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from deliveries where id in (
             select id from deliveries where finished_at < now() - $1 * interval '1 second' limit $2
         )",
        keep.as_secs_f64(),
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
