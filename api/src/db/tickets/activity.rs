//! What a ticket's work looks like right now: one row a ticket, written with each entry of its log.

use crate::db::tickets::logs::NewLogEntry;
use crate::domain::tickets::activity::{Activity, Counts};
use sqlx::PgConnection;
use terarchitect_worker_api::TicketId;

/// Notes what an entry of the log says, unless that entry is stored already, and locks the row until the transaction
/// ends. The entry itself is stored afterwards: so its number is taken while no other transaction can take one for the
/// same ticket, and the order of numbers is the order of commits.
pub async fn note(conn: &mut PgConnection, entry: &NewLogEntry, activity: &Activity) -> sqlx::Result<()> {
    let counts = activity.counts;
    sqlx::query!(
        // Locks the ticket's activity, also where the condition at the end lets nothing be changed.
        "insert into ticket_activity as known (ticket_id, job_id, attempt, phase, turn, last_line, last_step, last_at, files,
             added, removed, todo)
         values ($1, $2, $3, $4, coalesce($5, 0), $6, $7, clock_timestamp(), $8, $9, $10, $11)
         on conflict on constraint ticket_activity_pkey do update set
             job_id = case when $3::integer is null then known.job_id else excluded.job_id end,
             attempt = coalesce(excluded.attempt, known.attempt),
             phase = case when $3::integer is null or (known.job_id, known.attempt) is not distinct from ($2, $3)
                 then coalesce(excluded.phase, known.phase) else excluded.phase end,
             turn = case when $3::integer is null or (known.job_id, known.attempt) is not distinct from ($2, $3)
                 then coalesce($5, known.turn) else coalesce($5, 0) end,
             todo = case when $3::integer is null or (known.job_id, known.attempt) is not distinct from ($2, $3)
                 then coalesce(excluded.todo, known.todo) else excluded.todo end,
             last_line = coalesce(excluded.last_line, known.last_line), last_step = excluded.last_step,
             last_at = excluded.last_at, files = coalesce(known.files, excluded.files),
             added = coalesce(known.added, excluded.added), removed = coalesce(known.removed, excluded.removed)
         where not exists (select from execution_logs where ticket_id = $1 and entry_key = $12)",
        entry.ticket_id.0,
        entry.by.job.map(|job| job.0),
        entry.by.attempt,
        activity.phase,
        activity.turn,
        activity.last_line,
        entry.step,
        counts.map(|counts| counts.files),
        counts.map(|counts| counts.added),
        counts.map(|counts| counts.removed),
        activity.todo,
        entry.entry_key
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes how much the whole branch changes.
pub async fn set_counts(conn: &mut PgConnection, ticket: TicketId, counts: Counts) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into ticket_activity (ticket_id, files, added, removed) values ($1, $2, $3, $4)
         on conflict on constraint ticket_activity_pkey do update set files = excluded.files, added = excluded.added,
             removed = excluded.removed",
        ticket.0,
        counts.files,
        counts.added,
        counts.removed
    )
    .execute(conn)
    .await?;
    Ok(())
}
