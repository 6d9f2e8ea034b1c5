//! Sessions of signed-in people.

use super::{Person, find};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// How long a session holds after its last request, in seconds: 14 days.
const IDLE_SEC: f64 = 14.0 * 86_400.0;
/// How long it holds at all, in seconds: 90 days.
pub const MAX_AGE: Duration = Duration::from_secs(90 * 86_400);

/// A session as its person sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Session {
    /// The session.
    pub id: Uuid,
    /// When the person signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends, unless it is used before.
    pub expires_at: DateTime<Utc>,
    /// Where it was started from.
    pub address: Option<String>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
}

/// A session that was found by its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The session.
    pub id: Uuid,
    /// Whose it is.
    pub person: Person,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Whether its last use should be noted.
    pub is_stale: bool,
}

/// Starts a session.
pub async fn insert(
    conn: &mut PgConnection,
    person: Uuid,
    hash: &[u8; 32],
    address: Option<&str>,
    user_agent: Option<&str>,
) -> sqlx::Result<Uuid> {
    sqlx::query_scalar!(
        "insert into sessions (id, hash, person_id, expires_at, address, user_agent)
         values ($1, $2, $3, now() + $4 * interval '1 second', $5, left($6, 300)) returning id",
        Uuid::now_v7(),
        hash,
        person,
        IDLE_SEC,
        address,
        user_agent
    )
    .fetch_one(conn)
    .await
}

/// The session with this secret, if it holds and its person may sign in.
pub async fn find_by_hash(conn: &mut PgConnection, hash: &[u8; 32]) -> sqlx::Result<Option<Found>> {
    let session = sqlx::query!(
        r#"select session.id, session.person_id, session.expires_at,
               session.last_seen_at < now() - interval '1 minute' as "is_stale!"
           from sessions as session join people as person on person.id = session.person_id
           where session.hash = $1 and session.expires_at > now() and person.disabled_at is null"#,
        hash
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(session) = session else { return Ok(None) };
    let person = find(conn, session.person_id).await?;
    Ok(person.map(|person| Found {
        id: session.id,
        person,
        expires_at: session.expires_at,
        is_stale: session.is_stale,
    }))
}

/// Notes that a session is used, which prolongs it.
pub async fn seen(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "with session as (
             update sessions set last_seen_at = now(),
                 expires_at = least(now() + $2 * interval '1 second', created_at + $3 * interval '1 second')
             where id = $1 returning person_id
         )
         update people set last_seen_at = now() from session where people.id = session.person_id",
        id,
        IDLE_SEC,
        MAX_AGE.as_secs_f64()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A person's sessions, the newest first.
pub async fn list(conn: &mut PgConnection, person: Uuid) -> sqlx::Result<Vec<Session>> {
    sqlx::query_as!(
        Session,
        "select id, created_at, last_seen_at, expires_at, address, user_agent from sessions
         where person_id = $1 and expires_at > now() order by created_at desc, id",
        person
    )
    .fetch_all(conn)
    .await
}

/// Whose session this is.
pub async fn owner(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!("select person_id from sessions where id = $1", id).fetch_optional(conn).await
}

/// Ends a session.
pub async fn delete(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<bool> {
    Ok(sqlx::query!("delete from sessions where id = $1", id).execute(conn).await?.rows_affected() == 1)
}

/// Ends a person's sessions, apart from one.
pub async fn delete_of(conn: &mut PgConnection, person: Uuid, except: Option<Uuid>) -> sqlx::Result<()> {
    sqlx::query!("delete from sessions where person_id = $1 and id is distinct from $2", person, except)
        .execute(conn)
        .await?;
    Ok(())
}
