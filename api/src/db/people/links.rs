//! Links that work once.

use crate::db::words::Word;
use crate::domain::people::Role;
use crate::domain::people::link::LinkKind;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A link to make.
#[derive(Clone, Debug)]
pub struct NewLink<'a> {
    /// For what.
    pub kind: LinkKind,
    /// For whom, where the person exists.
    pub person: Option<Uuid>,
    /// For whom, where the person does not exist yet.
    pub email: Option<&'a str>,
    /// What the new person may do.
    pub role: Option<Role>,
    /// In which project alone.
    pub project: Option<ProjectId>,
    /// Who made it.
    pub created_by: &'a str,
    /// For how long it holds.
    pub holds: Duration,
}

/// A link that can be used.
#[derive(Clone, Debug)]
pub struct Link {
    /// The link.
    pub id: Uuid,
    /// For what.
    pub kind: LinkKind,
    /// For whom, where the person exists.
    pub person_id: Option<Uuid>,
    /// For whom, as an address.
    pub email: Option<String>,
    /// What the new person may do.
    pub role: Option<Role>,
    /// In which project alone.
    pub project_id: Option<Uuid>,
    /// What that project is called.
    pub project_name: Option<String>,
    /// Until when it holds.
    pub expires_at: DateTime<Utc>,
}

/// An invitation that no one has used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// The invitation.
    pub id: Uuid,
    /// For whom; null: who has the link.
    pub email: Option<String>,
    /// What the new person may do.
    pub role: Role,
    /// In which project alone; null: everywhere.
    pub project_id: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it holds.
    pub expires_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
}

/// Makes a link; returns it, and until when it holds.
pub async fn insert(
    conn: &mut PgConnection,
    hash: &[u8; 32],
    new: &NewLink<'_>,
) -> sqlx::Result<(Uuid, DateTime<Utc>)> {
    let made = sqlx::query!(
        "insert into links (id, hash, kind, person_id, email, role, project_id, created_by, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9 * interval '1 second') returning id, expires_at",
        Uuid::now_v7(),
        hash,
        new.kind.as_str(),
        new.person,
        new.email,
        new.role.map(Role::as_str),
        new.project.map(|project| project.0),
        new.created_by,
        new.holds.as_secs_f64()
    )
    .fetch_one(conn)
    .await?;
    Ok((made.id, made.expires_at))
}

macro_rules! usable_link {
    ($conn:expr, $hash:expr, $lock:literal) => {
        sqlx::query_as!(
            Link,
            r#"select link.id, link.kind as "kind: Word<LinkKind>", link.person_id,
                   coalesce(link.email, person.email) as email, link.role as "role: Role",
                   link.project_id, project.name as "project_name?", link.expires_at
               from links as link left join people as person on person.id = link.person_id
                   left join projects as project on project.id = link.project_id
               where link.hash = $1 and link.used_at is null and link.expires_at > now()
                   and person.disabled_at is null"#
                + $lock,
            $hash
        )
        .fetch_optional($conn)
        .await
    };
}

/// The link with this secret, if it can be used.
pub async fn find(conn: &mut PgConnection, hash: &[u8; 32]) -> sqlx::Result<Option<Link>> {
    usable_link!(conn, hash, "")
}

/// The same, for use.
pub async fn find_for_update(conn: &mut PgConnection, hash: &[u8; 32]) -> sqlx::Result<Option<Link>> {
    // Lock: the link's row, so that it is used once.
    usable_link!(conn, hash, " for update of link")
}

/// Notes that a link was used.
pub async fn use_up(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update links set used_at = now() where id = $1", id).execute(conn).await?;
    Ok(())
}

/// Deletes the links of this kind that no one has used: another one replaces them.
pub async fn void(conn: &mut PgConnection, kind: LinkKind) -> sqlx::Result<()> {
    sqlx::query!("delete from links where kind = $1 and used_at is null", kind.as_str()).execute(conn).await?;
    Ok(())
}

/// Deletes a person's links that no one has used.
pub async fn void_of(conn: &mut PgConnection, person: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from links where person_id = $1 and used_at is null", person).execute(conn).await?;
    Ok(())
}

/// The invitations that no one has used, the newest first.
pub async fn invitations(conn: &mut PgConnection) -> sqlx::Result<Vec<Invitation>> {
    sqlx::query_as!(
        Invitation,
        r#"select id, email, role as "role!: Role", project_id, created_at, expires_at, created_by from links
           where kind = 'invitation' and used_at is null and expires_at > now() order by created_at desc, id"#
    )
    .fetch_all(conn)
    .await
}

/// Takes back an invitation.
pub async fn delete_invitation(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<bool> {
    let deleted = sqlx::query!("delete from links where id = $1 and kind = 'invitation' and used_at is null", id);
    Ok(deleted.execute(conn).await?.rows_affected() == 1)
}

/// Deletes links and sessions that hold no more. Used links stay a while: someone may ask what became of one.
pub async fn delete_old(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("delete from links where expires_at < now() - interval '30 days'").execute(&mut *conn).await?;
    sqlx::query!("delete from sessions where expires_at < now()").execute(conn).await?;
    Ok(())
}
