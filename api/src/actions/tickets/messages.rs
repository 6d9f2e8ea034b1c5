//! People's words to the agent of a ticket: posted, taken for a prompt, and confirmed once the agent has accepted it.

use super::attempt::attempt_of;
use crate::actions::ActionResult;
use crate::changes::{Change, Database};
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::steering;
use crate::job_tokens::JobToken;
use serde_json::json;
use terarchitect_worker_api::{PersonMessage, ProjectId, TicketId, TurnOfAttempt};

/// Stores a message; it is in the next prompt of the ticket's agent.
///
/// # Errors
/// When it is empty or too long, or the ticket does not exist.
pub async fn post_message(
    database: &Database,
    actor: &Actor,
    project: ProjectId,
    ticket: TicketId,
    text: &str,
) -> ActionResult<PersonMessage> {
    let text = steering::message(text)?;
    let mut change = database.change(actor).await?;
    if !db::tickets::hold(&mut change, project, ticket).await? {
        return Err(Refusal::not_found("ticket", ticket).into());
    }
    let message = store(&mut change, actor, project, ticket, &text).await?;
    change.commit().await?;
    Ok(message)
}

/// Stores a message and records it.
pub(in crate::actions) async fn store(
    change: &mut Change,
    actor: &Actor,
    project: ProjectId,
    ticket: TicketId,
    text: &str,
) -> ActionResult<PersonMessage> {
    let message = db::tickets::messages::insert(change, project, ticket, &actor.to_string(), text).await?;
    let event = NewEvent::of_ticket(EventKind::MessagePosted, project, ticket);
    change.record(event.with(json!({"message_id": message.id, "seq": message.seq})));
    Ok(message)
}

/// Takes what waits for a turn. The same turn of the same attempt again returns the same messages.
///
/// # Errors
/// When the ticket does not exist.
pub async fn take_messages(
    database: &Database,
    actor: &Actor,
    token: Option<JobToken>,
    (project, ticket): (ProjectId, TicketId),
    of: TurnOfAttempt,
) -> ActionResult<Vec<PersonMessage>> {
    let mut change = database.change(actor).await?;
    // The lock lets a call that is repeated wait for the first one, and then find what that took.
    let found = db::tickets::find_for_update(&mut change, project, ticket).await?;
    found.ok_or_else(|| Refusal::not_found("ticket", ticket))?;
    let by = attempt_of(&mut change, token, ticket, of.attempt).await?;
    let mut messages = db::tickets::messages::taken(&mut change, ticket, by, of.turn).await?;
    if messages.is_empty() {
        db::tickets::messages::take(&mut change, ticket, by, of.turn).await?;
        messages = db::tickets::messages::taken(&mut change, ticket, by, of.turn).await?;
    }
    change.commit().await?;
    Ok(messages)
}

/// Notes that the agent has accepted the prompt with the messages that a turn took. Repeating it changes nothing.
///
/// # Errors
/// When the ticket does not exist.
pub async fn confirm_messages(
    database: &Database,
    actor: &Actor,
    token: Option<JobToken>,
    (project, ticket): (ProjectId, TicketId),
    of: TurnOfAttempt,
) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    if !db::tickets::hold(&mut change, project, ticket).await? {
        return Err(Refusal::not_found("ticket", ticket).into());
    }
    let by = attempt_of(&mut change, token, ticket, of.attempt).await?;
    let delivered = db::tickets::messages::confirm(&mut change, ticket, by, of.turn).await?;
    if !delivered.is_empty() {
        let event = NewEvent::of_ticket(EventKind::MessageDelivered, project, ticket);
        let event = event.with(json!({"message_ids": delivered, "turn": of.turn}));
        change.record(NewEvent { job_id: by.job, attempt: by.attempt, ..event });
    }
    Ok(change.commit().await?)
}
