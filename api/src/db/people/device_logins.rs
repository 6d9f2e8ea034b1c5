//! Programs that ask to be signed in by a person in a browser.

use crate::db::words::Word;
use crate::domain::people::device_login::{DeviceLoginState, HOLDS, INTERVAL_SEC};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A program that asks.
#[derive(Clone, Debug)]
pub struct DeviceLogin {
    /// Which one.
    pub id: Uuid,
    /// What it calls itself.
    pub name: String,
    /// Where it asked from.
    pub address: Option<String>,
    /// Since when it asks.
    pub created_at: DateTime<Utc>,
    /// Until when someone can decide.
    pub expires_at: DateTime<Utc>,
    /// How it stands.
    pub state: DeviceLoginState,
    /// Whether it is too late.
    pub is_over: bool,
}

/// What a program that waits may get to know.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Which one.
    pub id: Uuid,
    /// What it calls itself.
    pub name: String,
    /// Where it asked from.
    pub address: Option<String>,
    /// How it stands.
    pub state: DeviceLoginState,
    /// Who decided.
    pub person_id: Option<Uuid>,
    /// The shortest time between two questions, in seconds.
    pub interval_sec: i32,
    /// Whether this question came too early.
    pub is_too_early: bool,
}

/// Stores that a program asks.
pub async fn insert(
    conn: &mut PgConnection,
    device_hash: &[u8; 32],
    user_hash: &[u8; 32],
    name: &str,
    address: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into device_logins (id, device_hash, user_hash, name, address, expires_at, interval_sec)
         values ($1, $2, $3, $4, $5, now() + $6 * interval '1 second', $7)",
        Uuid::now_v7(),
        device_hash,
        user_hash,
        name,
        address,
        HOLDS.as_secs_f64(),
        INTERVAL_SEC
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The program with this code for people.
pub async fn find_for_update(conn: &mut PgConnection, user_hash: &[u8; 32]) -> sqlx::Result<Option<DeviceLogin>> {
    // Lock: the row, so that of two decisions at once the first one holds.
    sqlx::query_as!(
        DeviceLogin,
        r#"select id, name, address, created_at, expires_at, state as "state: Word<DeviceLoginState>",
               expires_at <= now() as "is_over!"
           from device_logins where user_hash = $1 for update"#,
        user_hash
    )
    .fetch_optional(conn)
    .await
}

/// Notes what a person decided.
pub async fn decide(conn: &mut PgConnection, id: Uuid, state: DeviceLoginState, person: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update device_logins set state = $2, person_id = $3 where id = $1", id, state.as_str(), person)
        .execute(conn)
        .await?;
    Ok(())
}

/// The program with this long code, as far as it can still get an answer.
pub async fn find_waiting(conn: &mut PgConnection, device_hash: &[u8; 32]) -> sqlx::Result<Option<Waiting>> {
    // Lock: the row, so that of two questions at once one gets the token. A tenth of a second is for the network.
    sqlx::query_as!(
        Waiting,
        r#"select id, name, address, state as "state: Word<DeviceLoginState>", person_id, interval_sec,
               coalesce(asked_at > now() - interval_sec * interval '1 second' + interval '100 milliseconds', false)
                   as "is_too_early!"
           from device_logins where device_hash = $1 and expires_at > now() for update"#,
        device_hash
    )
    .fetch_optional(conn)
    .await
}

/// Notes that a program asked, and how long it waits now.
pub async fn asked(conn: &mut PgConnection, id: Uuid, interval_sec: i32) -> sqlx::Result<()> {
    sqlx::query!("update device_logins set asked_at = now(), interval_sec = $2 where id = $1", id, interval_sec)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that the token was fetched.
pub async fn use_up(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update device_logins set state = 'used' where id = $1", id).execute(conn).await?;
    Ok(())
}

/// Deletes those that are over. They stay an hour, so that who comes late learns that, and not that a code is wrong.
pub async fn delete_old(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("delete from device_logins where expires_at < now() - interval '1 hour'").execute(conn).await?;
    Ok(())
}
