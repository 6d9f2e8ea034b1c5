//! Invites people, and takes invitations back.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::people::links::{Invitation, NewLink};
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::link::{self, LinkKind};
use crate::domain::people::{self, Role};
use crate::domain::refusal::Refusal;
use crate::random_token::RandomToken;
use serde::Deserialize;
use serde_json::json;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// Whom to invite, and to what.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewInvitation {
    /// For whom alone; absent: who has the link.
    pub email: Option<String>,
    /// What the new person may do.
    pub role: Role,
    /// In which project alone; absent: everywhere.
    #[schema(value_type = Option<Uuid>)]
    pub project_id: Option<ProjectId>,
    /// For how long it holds, in seconds: seven days if absent, at most 90 days.
    pub expires_in_sec: Option<u64>,
}

/// Makes an invitation; its secret is known here alone.
///
/// # Errors
/// When a field is not valid, the project does not exist, or the person is here already.
pub async fn invite(database: &Database, actor: &Actor, new: NewInvitation) -> ActionResult<(Invitation, RandomToken)> {
    let holds = link::invitation(new.role, new.project_id, new.expires_in_sec)?;
    let email = new.email.as_deref().filter(|email| !email.trim().is_empty()).map(people::email).transpose()?;
    let mut change = database.change(actor).await?;
    if let Some(email) = &email
        && db::people::find_by_email(&mut change, email).await?.is_some()
    {
        return Err(db::errors::email_taken().into());
    }
    let (secret, created_by) = (RandomToken::new(), actor.to_string());
    let link = NewLink {
        kind: LinkKind::Invitation,
        person: None,
        email: email.as_deref(),
        role: Some(new.role),
        project: new.project_id,
        created_by: &created_by,
        holds,
    };
    let (id, _) = db::people::links::insert(&mut change, &secret.hash(), &link).await?;
    let data = json!({"invitation_id": id, "email": email, "role": new.role, "in_project": new.project_id});
    change.record(NewEvent::new(EventKind::InvitationCreated).with(data));
    let made = db::people::links::invitations(&mut change).await?.into_iter().find(|made| made.id == id);
    change.commit().await?;
    Ok((made.ok_or(sqlx::Error::RowNotFound)?, secret))
}

/// Takes an invitation back.
///
/// # Errors
/// When there is none that waits.
pub async fn take_back(database: &Database, actor: &Actor, id: Uuid) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    if !db::people::links::delete_invitation(&mut change, id).await? {
        return Err(Refusal::not_found("invitation", id).into());
    }
    change.record(NewEvent::new(EventKind::InvitationDeleted).with(json!({"invitation_id": id})));
    Ok(change.commit().await?)
}
