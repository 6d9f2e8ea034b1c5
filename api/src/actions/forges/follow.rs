//! What becomes of a ticket when its pull request changes: merged, it is done; closed, it goes back.

use super::posts;
use crate::actions::ActionResult;
use crate::actions::jobs::cancel::stop;
use crate::actions::tickets::append_log::store;
use crate::actions::tickets::apply_move::apply_move;
use crate::changes::Change;
use crate::db;
use crate::db::forges::pulls::Pull;
use crate::db::jobs::Live;
use crate::db::tickets::Ticket;
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::forges::event::PullFacts;
use crate::domain::forges::{ForgeKind, PullState};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::projects::board::{BACKLOG, DONE, IN_REVIEW};
use crate::domain::refusal::Refusal;
use crate::domain::tickets::{STATUS_COMPLETED, STATUS_TODO, TicketFields};
use serde_json::json;
use terarchitect_worker_api::{JobKind, ProjectId, TicketId};

/// Sets what the forge says about a pull request, unless something newer is known, and moves its ticket where it was
/// merged or closed.
pub(super) async fn follow(
    change: &mut Change,
    pull: &Pull,
    forge: ForgeKind,
    facts: &PullFacts,
    by: Option<&str>,
) -> ActionResult<()> {
    let (project, ticket) = pull.place();
    db::tickets::lock_moves(change, ticket).await?;
    let live = db::jobs::live_for_update(change, ticket).await?;
    let Some(found) = db::tickets::find_for_update(change, project, ticket).await? else { return Ok(()) };
    let Some(before) = db::forges::pulls::find_for_update(change, pull.id).await? else { return Ok(()) };
    let known = db::forges::looks::stored(change, pull.id).await?;
    if !db::forges::pulls::apply(change, pull.id, forge, facts).await? {
        return Ok(());
    }
    // What is read again and again is news once. A delivery is news, also where the facts do not show why it was sent.
    if by.is_some() || known.is_none_or(|known| !known.is_as(facts)) {
        let data = json!({
            "pr_number": facts.number, "pr_state": facts.state, "draft": facts.draft, "head_sha": facts.head_sha,
        });
        change.record(NewEvent::of_ticket(EventKind::PullRequestChanged, project, ticket).with(data));
    }
    if before.state == facts.state || facts.state == PullState::Open {
        return Ok(());
    }
    db::forges::comments::refuse_waiting(change, pull.id, "The pull request is no longer open.").await?;
    for review in live.iter().filter(|job| job.kind == JobKind::Review) {
        stop(change, project, ticket, *review, live.len() == 1).await?;
    }
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    let said = match facts.state {
        PullState::Merged => format!("Pull request {} was merged{by}.", facts.number),
        _ => format!("Pull request {} was closed{by} without a merge.", facts.number),
    };
    store(change, &NewLogEntry::outcome(project, ticket, "pull_request", said)).await?;
    if facts.state == PullState::Merged {
        forget_branch(change, (project, ticket), facts).await?;
    }
    let (to, status) = match facts.state {
        PullState::Merged if found.column_id != DONE => (DONE, STATUS_COMPLETED),
        // What a person has moved elsewhere stays there.
        PullState::Closed if found.column_id == IN_REVIEW => (BACKLOG, STATUS_TODO),
        _ => return Ok(()),
    };
    move_ticket(change, found, &live, to, status).await
}

/// Has the branch of a merged pull request deleted, where the project wants that. Only the ticket's own: what a person named
/// otherwise, or has in a fork, is not this system's to delete.
async fn forget_branch(
    change: &mut Change,
    place @ (project, ticket): (ProjectId, TicketId),
    facts: &PullFacts,
) -> ActionResult<()> {
    let wants = db::projects::find(change, project).await?.is_some_and(|project| project.delete_merged_branch);
    let own = format!("ticket-{ticket}");
    if wants && !facts.is_from_fork && facts.head_branch.as_deref() == Some(&own) {
        posts::delete_branch(change, place, facts.number, &own).await?;
    }
    Ok(())
}

async fn move_ticket(change: &mut Change, ticket: Ticket, live: &[Live], to: &str, status: &str) -> ActionResult<()> {
    let (project, id, from) = (ticket.project_id, ticket.id, ticket.column_id.clone());
    let fields = TicketFields { column_id: to.to_owned(), status: status.to_owned(), ..ticket.into() };
    let moved = db::tickets::update(change, project, id, &fields).await?;
    let moved = moved.ok_or_else(|| Refusal::not_found("ticket", id))?;
    apply_move(change, &from, moved, live).await?;
    // A merge ends the work also where an attempt was still running.
    db::tickets::set_status(change, id, status).await?;
    let data = json!({"from": from, "to": to, "status": status});
    change.record(NewEvent::of_ticket(EventKind::TicketMoved, project, id).with(data));
    Ok(())
}
