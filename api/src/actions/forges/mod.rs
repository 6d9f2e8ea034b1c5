//! Forges: credentials and webhooks' secrets, what forges deliver, and how that becomes orders and jobs.

pub mod ask;
pub mod credentials;
pub mod decide;
mod deliver;
pub mod deliveries;
mod follow;
pub mod gather;
pub mod posts;
pub mod receive;
pub(in crate::actions) mod replies;
pub mod review;
pub mod secrets;
pub mod settle;
mod surroundings;
pub mod watch;

use crate::actions::ActionResult;
use crate::db;
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::refusal::Refusal;
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;

/// What is for all projects is for admins; what is for one, for its members.
fn require_rights(rights: &Rights, project: Option<ProjectId>) -> Result<(), Refusal> {
    match project {
        Some(project) => rights.require_in(project, Role::Member),
        None => rights.require(Role::Admin),
    }
}

/// Refuses a project that does not exist.
async fn require_project(conn: &mut PgConnection, project: Option<ProjectId>) -> ActionResult<()> {
    if let Some(project) = project
        && !db::projects::exists(conn, project).await?
    {
        return Err(Refusal::not_found("project", project).into());
    }
    Ok(())
}
