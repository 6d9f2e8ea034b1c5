//! Coordinators that have been heard of.

use sqlx::PgConnection;
use terarchitect_worker_api::{Directive, HeartbeatRequest};

/// Notes that a coordinator was heard of, and answers what it should do.
pub async fn seen(conn: &mut PgConnection, beat: &HeartbeatRequest) -> sqlx::Result<Directive> {
    let directive = sqlx::query_scalar!(
        "insert into coordinators (worker_id, name, version, slots, held) values ($1, $2, $3, $4, $5)
         on conflict on constraint coordinators_pkey do update
         set name = excluded.name, version = excluded.version, slots = excluded.slots, held = excluded.held,
             last_heartbeat_at = now()
         returning directive",
        beat.worker_id,
        beat.name,
        beat.version,
        beat.slots.and_then(|slots| i32::try_from(slots).ok()),
        i32::try_from(beat.jobs.len()).unwrap_or(i32::MAX)
    )
    .fetch_one(conn)
    .await?;
    Ok(if directive == "drain" { Directive::Drain } else { Directive::Run })
}
