//! People, their roles, and what lets them in.

pub mod audit;
pub mod device_logins;
pub mod failures;
pub mod links;
pub mod sessions;
pub mod tokens;

use crate::domain::people::rights::Rights;
use crate::domain::people::{ProjectRole, Role};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// A role in one project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleInProject {
    /// The project.
    #[schema(value_type = Uuid)]
    pub project_id: ProjectId,
    /// The role there.
    pub role: ProjectRole,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Person {
    /// The person.
    pub id: Uuid,
    /// How the person signs in, and how others write.
    pub email: String,
    /// What others call the person.
    pub name: String,
    /// What the person may do everywhere.
    pub role: Role,
    /// Roles in single projects, which replace the one above there.
    pub projects: Vec<RoleInProject>,
    /// Since when the person may not sign in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When the person joined.
    pub created_at: DateTime<Utc>,
    /// When the person was last here, to the minute.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// Whether the person has a password.
    pub has_password: bool,
    /// Whether the person has signed in with OpenID Connect.
    pub oidc: bool,
}

impl Person {
    /// What the person may do.
    #[must_use]
    pub fn rights(&self) -> Rights {
        rights(self.role, &self.projects)
    }
}

/// What these roles allow.
pub(super) fn rights(role: Role, projects: &[RoleInProject]) -> Rights {
    Rights { role, projects: projects.iter().map(|project| (project.project_id, project.role)).collect() }
}

/// A person as the database has it.
struct Row {
    id: Uuid,
    email: String,
    name: String,
    role: Role,
    project_ids: Vec<Uuid>,
    project_roles: Vec<String>,
    disabled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    last_seen_at: Option<DateTime<Utc>>,
    has_password: bool,
    oidc: bool,
}

impl TryFrom<Row> for Person {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id,
            email: row.email,
            name: row.name,
            role: row.role,
            projects: project_roles(row.project_ids, row.project_roles)?,
            disabled_at: row.disabled_at,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            has_password: row.has_password,
            oidc: row.oidc,
        })
    }
}

/// Two columns as one list.
pub(super) fn project_roles(ids: Vec<Uuid>, roles: Vec<String>) -> sqlx::Result<Vec<RoleInProject>> {
    let read = |(id, role): (Uuid, String)| {
        let role = role.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(RoleInProject { project_id: ProjectId(id), role })
    };
    ids.into_iter().zip(roles).map(read).collect()
}

macro_rules! people_where {
    ($conditions:literal $(, $parameter:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select person.id, person.email, person.name, person.role as "role: Role",
                   array(select project_id from project_roles where person_id = person.id order by project_id)
                       as "project_ids!",
                   array(select role from project_roles where person_id = person.id order by project_id)
                       as "project_roles!",
                   person.disabled_at, person.created_at, person.last_seen_at,
                   person.password_hash is not null as "has_password!", person.oidc_subject is not null as "oidc!"
               from people as person "# + $conditions
            $(, $parameter)*
        )
    };
}

/// Whether any person exists.
pub async fn any(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from people) as "any!""#).fetch_one(conn).await
}

/// All people, those who came first at the top.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Person>> {
    let rows = people_where!("order by person.created_at, person.id").fetch_all(conn).await?;
    rows.into_iter().map(Person::try_from).collect()
}

/// One person.
pub async fn find(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Person>> {
    people_where!("where person.id = $1", id).fetch_optional(conn).await?.map(Person::try_from).transpose()
}

/// One person by the address, which is in lower case.
pub async fn find_by_email(conn: &mut PgConnection, email: &str) -> sqlx::Result<Option<Person>> {
    people_where!("where person.email = $1", email).fetch_optional(conn).await?.map(Person::try_from).transpose()
}

/// One person by what an OpenID Connect provider calls them.
pub async fn find_by_subject(conn: &mut PgConnection, issuer: &str, subject: &str) -> sqlx::Result<Option<Person>> {
    let row = people_where!("where person.oidc_issuer = $1 and person.oidc_subject = $2", issuer, subject);
    row.fetch_optional(conn).await?.map(Person::try_from).transpose()
}

/// The hash of a person's password.
pub async fn password_hash(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<String>> {
    let hash = sqlx::query_scalar!("select password_hash from people where id = $1", id).fetch_optional(conn).await?;
    Ok(hash.flatten())
}

/// Adds a person.
pub async fn insert(conn: &mut PgConnection, email: &str, name: &str, role: Role) -> sqlx::Result<Uuid> {
    sqlx::query_scalar!(
        "insert into people (id, email, name, role) values ($1, $2, $3, $4) returning id",
        Uuid::now_v7(),
        email,
        name,
        role.as_str()
    )
    .fetch_one(conn)
    .await
}

/// Changes a person's name and role, and whether the person may sign in.
pub async fn update(conn: &mut PgConnection, id: Uuid, name: &str, role: Role, disabled: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "update people set name = $2, role = $3,
             disabled_at = case when $4 then coalesce(disabled_at, now()) end
         where id = $1",
        id,
        name,
        role.as_str(),
        disabled
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Replaces the hash of a person's password.
pub async fn set_password(conn: &mut PgConnection, id: Uuid, hash: &str) -> sqlx::Result<()> {
    sqlx::query!("update people set password_hash = $2 where id = $1", id, hash).execute(conn).await?;
    Ok(())
}

/// Remembers what a provider calls a person.
pub async fn set_subject(conn: &mut PgConnection, id: Uuid, issuer: &str, subject: &str) -> sqlx::Result<()> {
    sqlx::query!("update people set oidc_issuer = $2, oidc_subject = $3 where id = $1", id, issuer, subject)
        .execute(conn)
        .await?;
    Ok(())
}

/// Replaces a person's roles in single projects.
pub async fn set_projects(conn: &mut PgConnection, id: Uuid, projects: &[RoleInProject]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = projects.iter().map(|project| project.project_id.0).collect();
    let roles: Vec<&str> = projects.iter().map(|project| project.role.as_str()).collect();
    sqlx::query!("delete from project_roles where person_id = $1", id).execute(&mut *conn).await?;
    sqlx::query!(
        "insert into project_roles (person_id, project_id, role)
         select $1, project_id, role from unnest($2::uuid[], $3::text[]) as new (project_id, role)",
        id,
        &ids,
        &roles as &[&str]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a person, with sessions, links and tokens.
pub async fn delete(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from people where id = $1", id).execute(conn).await?;
    Ok(())
}

/// Lock: changes of who exists and who is an admin follow one another until the end of the transaction, so that two of
/// them can't each leave the other's admin as the last one, and there is one first admin.
pub async fn lock_changes(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(7311002)").execute(conn).await?;
    Ok(())
}

/// How many admins can sign in.
pub async fn admins(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from people where role = 'admin' and disabled_at is null"#)
        .fetch_one(conn)
        .await
}
