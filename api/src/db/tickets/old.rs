//! Deletes what is old of tickets: log entries, diffs and messages, all by one rule.

use sqlx::PgConnection;
use std::time::Duration;

macro_rules! delete_old {
    ($(#[$doc:meta])* $name:ident, $table:literal) => {
        $(#[$doc])*
        pub async fn $name(conn: &mut PgConnection, keep: Duration, limit: i64) -> sqlx::Result<u64> {
            let done = sqlx::query!(
                "delete from " + $table + " where id in (
                     select old.id from " + $table + " as old
                     where old.created_at < now() - $1 * interval '1 second' and not exists (
                         select from tickets as ticket where ticket.id = old.ticket_id and ticket.column_id <> 'done'
                     ) and not exists (
                         select from agent_jobs as job
                         where job.ticket_id = old.ticket_id and job.status in ('pending', 'running')
                     )
                     limit $2
                 )",
                keep.as_secs_f64(),
                limit
            )
            .execute(conn)
            .await?;
            Ok(done.rows_affected())
        }
    };
}

delete_old!(
    /// Deletes log entries that are older than `keep`, except those of a live job or an open ticket. Returns how many were
    /// deleted.
    delete_logs,
    "execution_logs"
);
delete_old!(
    /// The same with diffs.
    delete_diffs,
    "ticket_diffs"
);
delete_old!(
    /// The same with messages.
    delete_messages,
    "ticket_messages"
);
