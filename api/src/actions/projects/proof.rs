//! Sets what tickets have to show before they count as done.

use super::record_changed;
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::projects::proof::ProofBody;
use crate::domain::refusal::Refusal;
use terarchitect_worker_api::{ProjectId, ProofTerms, TicketId};

/// Sets what all tickets of a project have to show. It counts for attempts that start from now on.
///
/// # Errors
/// When the terms are not valid, or the project does not exist.
pub async fn set_of_project(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    terms: ProofBody,
) -> ActionResult<ProofTerms> {
    let terms = terms.checked()?;
    let mut change = database.change(actor).await?;
    let found = db::projects::find(&mut change, project).await?;
    found.ok_or_else(|| Refusal::not_found("project", project))?;
    db::projects::proof::set_of_project(&mut change, project, &terms).await?;
    record_changed(&mut change, project, "proof");
    change.commit().await?;
    Ok(terms)
}

/// Sets what a ticket has to show beside that.
///
/// # Errors
/// When the terms are not valid, or the ticket does not exist.
pub async fn set_of_ticket(
    database: &Database,
    actor: &Actor,
    (project, ticket): (ProjectId, TicketId),
    terms: ProofBody,
) -> ActionResult<ProofTerms> {
    let terms = terms.checked()?;
    let mut change = database.change(actor).await?;
    let found = db::tickets::find(&mut change, project, ticket).await?;
    found.ok_or_else(|| Refusal::not_found("ticket", ticket))?;
    db::projects::proof::set_of_ticket(&mut change, project, ticket, &terms).await?;
    record_changed(&mut change, project, "proof");
    change.commit().await?;
    Ok(terms)
}

/// Stores what a runner proposes for its ticket's project. Nothing of it runs unless a person takes it over.
///
/// # Errors
/// When the terms are not valid, or the ticket does not exist.
pub async fn propose(
    database: &Database,
    actor: &Actor,
    (project, ticket): (ProjectId, TicketId),
    terms: ProofBody,
) -> ActionResult<ProofTerms> {
    let terms = ProofTerms { acceptance: Vec::new(), ..terms.checked()? };
    let mut change = database.change(actor).await?;
    let found = db::tickets::find(&mut change, project, ticket).await?;
    found.ok_or_else(|| Refusal::not_found("ticket", ticket))?;
    if db::projects::proof::propose(&mut change, project, &terms).await? {
        record_changed(&mut change, project, "proof");
    }
    change.commit().await?;
    Ok(terms)
}
