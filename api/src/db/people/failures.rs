//! Failed sign-ins of late, by account and by address.

use crate::domain::people::slowing::FORGET_AFTER;
use sqlx::PgConnection;
use std::time::Duration;

/// Failures of late.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// How long ago the last one was.
    pub since_last: Duration,
}

/// Failures of a subject, locked until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, subject: &str) -> sqlx::Result<Failures> {
    // Lock: the subject's row, so that of many sign-ins at once each sees those before it.
    let row = sqlx::query!(
        r#"insert into sign_in_failures as failed (subject, failures) values ($1, 0)
           on conflict (subject) do update set failures =
               case when failed.last_at < now() - $2 * interval '1 second' then 0 else failed.failures end
           returning failures, greatest(extract(epoch from now() - last_at), 0)::float8 as "since_last!""#,
        subject,
        FORGET_AFTER.as_secs_f64()
    )
    .fetch_one(conn)
    .await?;
    let since_last = Duration::try_from_secs_f64(row.since_last).unwrap_or(FORGET_AFTER);
    Ok(Failures { count: u32::try_from(row.failures).unwrap_or_default(), since_last })
}

/// Counts one more.
pub async fn count(conn: &mut PgConnection, subject: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update sign_in_failures set failures = least(failures + 1, 1000000), last_at = now() where subject = $1",
        subject
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes one back that turned out to be none.
pub async fn take_back(conn: &mut PgConnection, subject: &str) -> sqlx::Result<()> {
    sqlx::query!("update sign_in_failures set failures = greatest(failures - 1, 0) where subject = $1", subject)
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets a subject's failures.
pub async fn forget(conn: &mut PgConnection, subject: &str) -> sqlx::Result<()> {
    sqlx::query!("delete from sign_in_failures where subject = $1", subject).execute(conn).await?;
    Ok(())
}

/// Forgets those that are old.
pub async fn delete_old(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from sign_in_failures where last_at < now() - $1 * interval '1 second'",
        FORGET_AFTER.as_secs_f64()
    )
    .execute(conn)
    .await?;
    Ok(())
}
