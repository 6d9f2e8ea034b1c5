//! Marks a ticket complete, as its runner reports it.

use super::append_log::store;
use super::attempt::attempt_of;
use crate::actions::ActionResult;
use crate::actions::forges::posts::{self, Said};
use crate::actions::forges::replies;
use crate::actions::projects::memory::{NewDocument, remember};
use crate::changes::Database;
use crate::db;
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::completion;
use crate::embeddings::{Embedding, EmbeddingService};
use crate::job_tokens::JobToken;
use serde_json::json;
use terarchitect_worker_api::{CompleteTicketRequest, ProjectId, TicketId};

/// Marks the ticket complete: status `completed`, column `in_review`, its pull request recorded, and a summary of the
/// work added to the project's memory. What the runner has to say about the pull request is stored to be posted there.
///
/// # Errors
/// When the pull request is not valid, or the ticket does not exist.
pub async fn complete_ticket(
    database: &Database,
    actor: &Actor,
    token: Option<JobToken>,
    service: Option<&EmbeddingService>,
    (project, id): (ProjectId, TicketId),
    request: CompleteTicketRequest,
) -> ActionResult<()> {
    completion::check(&request)?;
    let meaning = meaning_of(database, service, (project, id), request.summary.as_deref()).await?;
    let mut change = database.change(actor).await?;
    db::tickets::lock_moves(&mut change, id).await?;
    if !db::tickets::complete(&mut change, project, id, &request).await? {
        return Err(Refusal::not_found("ticket", id).into());
    }
    let ticket = db::tickets::find(&mut change, project, id).await?.ok_or_else(|| Refusal::not_found("ticket", id))?;
    if let Some(document) = completion::memory_document(&ticket.title, request.summary.as_deref()) {
        let document = NewDocument { content: &document, meaning: meaning.as_ref() };
        remember(&mut change, project, &[document]).await?;
    }
    let data = json!({"pr_url": ticket.pr_url, "pr_number": ticket.pr_number, "status": ticket.status, "to": ticket.column_id});
    change.record(NewEvent::of_ticket(EventKind::TicketCompleted, project, id).with(data));
    if let Some(number) = ticket.pr_number {
        let url = ticket.pr_url.as_deref();
        if db::forges::pulls::insert(&mut change, project, id, number, url, None).await? {
            // What was said about it before this report waits for it.
            db::forges::deliveries::wake(&mut change, number).await?;
        }
    }
    if let Some(summary) = request.summary.as_deref().filter(|summary| !summary.trim().is_empty()) {
        db::work_orders::set_summary(&mut change, id, summary).await?;
    }
    let said = request.review_comment_body.clone().filter(|body| !body.trim().is_empty());
    for (step, text) in [("completed", request.summary), ("review_comment", request.review_comment_body)] {
        if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
            store(&mut change, &NewLogEntry::outcome(project, id, step, text)).await?;
        }
    }
    if let Some(number) = ticket.pr_number {
        let job = attempt_of(&mut change, token, id, None).await?.job;
        if let Some(body) = said {
            posts::say(&mut change, &Said { project, ticket: id, pr_number: number, job, body: &body }).await?;
        }
        replies::reply(&mut change, (project, id), number, job, &request.review_replies).await?;
    }
    change.commit().await?;
    tracing::info!(ticket.id = %id, pr.url = request.pr_url, "completed a ticket");
    Ok(())
}

/// What that means which the project's memory keeps of a ticket; no transaction is open while a service is asked.
async fn meaning_of(
    database: &Database,
    service: Option<&EmbeddingService>,
    (project, id): (ProjectId, TicketId),
    summary: Option<&str>,
) -> ActionResult<Option<Embedding>> {
    let Some(service) = service else { return Ok(None) };
    let ticket = db::tickets::find(&mut *database.read().await?, project, id).await?;
    let document = ticket.and_then(|ticket| completion::memory_document(&ticket.title, summary));
    Ok(match document {
        Some(document) => service.embed(&document).await,
        None => None,
    })
}
