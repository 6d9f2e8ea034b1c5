//! Moves of a ticket and what they do to its job: enqueue, cancel, ask to stop. One transaction with the move itself.

use super::TicketPath;
use crate::db;
use crate::db::jobs::{Live, NewJob};
use crate::db::tickets::{Ticket, TicketFields};
use crate::domain::board::{self, JobEffect, LiveJob};
use crate::domain::text;
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::Path;
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use sqlx::PgConnection;
use terarchitect_worker_api::{ErrorBody, ExecutionMode, JobKind, Message, ProjectId, TicketId};

/// Does to the ticket's job what its move from `from` to its present column means, and answers the ticket after it.
/// `live` are its live jobs, locked before its row was read.
///
/// # Errors
/// 400 when the project has nothing to work on: no repository address, or no path for local execution.
pub(super) async fn apply(conn: &mut PgConnection, from: &str, ticket: Ticket, live: &[Live]) -> ApiResult<Ticket> {
    // Answers to review comments are no work on the ticket itself: no move makes or ends them.
    let live: Vec<Live> = live.iter().copied().filter(|live| live.kind == JobKind::Ticket).collect();
    let status = match board::effect_of_move(from, &ticket.column_id, live.first().map(|live| live.state)) {
        JobEffect::None => {
            if live.iter().any(|live| live.state == LiveJob::Pending) {
                // A claim that came while the job was locked has passed it over.
                db::claims::notify_due(conn, ticket.project_id).await?;
            }
            return Ok(ticket);
        }
        JobEffect::Enqueue => {
            require_something_to_work_on(conn, ticket.project_id).await?;
            let job = NewJob::of_ticket(ticket.project_id, ticket.id, JobKind::Ticket);
            db::jobs::enqueue(conn, &job).await?;
            db::tickets::set_cancel_requested(conn, ticket.id, false).await?;
            tracing::info!(ticket.id = %ticket.id, "enqueued a job");
            board::STATUS_IN_PROGRESS
        }
        JobEffect::EnqueueAfterStop => {
            require_something_to_work_on(conn, ticket.project_id).await?;
            for job in &live {
                db::jobs::request_requeue(conn, job.id).await?;
            }
            board::STATUS_IN_PROGRESS
        }
        JobEffect::Cancel => {
            for job in live {
                stop(conn, ticket.id, job, true).await?;
            }
            board::STATUS_CANCELLED
        }
    };
    let (project, id) = (ticket.project_id, ticket.id);
    let fields = TicketFields { status: status.to_owned(), ..ticket.into() };
    let ticket = db::tickets::update(conn, project, id, &fields).await?;
    ticket.ok_or_else(|| ApiError::not_found("ticket", id))
}

pub(super) async fn require_something_to_work_on(conn: &mut PgConnection, id: ProjectId) -> ApiResult<()> {
    let project = db::projects::find(conn, id).await?.ok_or_else(|| ApiError::not_found("project", id))?;
    if project.execution_mode == ExecutionMode::Local.as_str() {
        if project.project_path.is_some() {
            return Ok(());
        }
        return Err(text::invalid(
            "This project runs locally but has no 'project_path'; set it, then move the ticket again.",
        ));
    }
    if project.github_url.is_some() {
        return Ok(());
    }
    Err(text::invalid("This project has no repository address ('github_url'); set it, then move the ticket again."))
}

/// Cancels a job that waits, and asks one that runs to stop. `alone`: the ticket has no other live job.
pub(super) async fn stop(conn: &mut PgConnection, ticket: TicketId, job: Live, alone: bool) -> ApiResult<()> {
    match job.state {
        LiveJob::Pending => db::jobs::cancel_pending(conn, job.id).await?,
        LiveJob::Running | LiveJob::Stopping => {
            db::jobs::request_stop(conn, job.id).await?;
            // Runners without a job token ask the ticket, whose own job must not hear of a review's end.
            if alone || job.kind == JobKind::Ticket {
                db::tickets::set_cancel_requested(conn, ticket, true).await?;
            }
        }
    }
    tracing::info!(ticket.id = %ticket, job.id = %job.id, state = ?job.state, "cancelled a job");
    Ok(())
}

/// Cancels the ticket's work: a waiting job at once, a running one by asking its runner to stop.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/cancel", tag = "tickets",
    security(("bearer" = [])), params(TicketPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn cancel_ticket(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Answer<Message>> {
    let mut tx = app.pool.begin().await?;
    db::tickets::lock_moves(&mut tx, path.ticket_id).await?;
    let live = db::jobs::live_for_update(&mut tx, path.ticket_id).await?;
    let ticket = db::tickets::find(&mut tx, path.project_id, path.ticket_id)
        .await?
        .ok_or_else(|| ApiError::not_found("ticket", path.ticket_id))?;
    for job in &live {
        stop(&mut tx, ticket.id, *job, true).await?;
    }
    let waits = |live: &Live| live.state == LiveJob::Pending;
    if live.iter().any(|live| waits(live) && live.kind == JobKind::Ticket) {
        db::tickets::set_status(&mut tx, ticket.id, board::STATUS_CANCELLED).await?;
    }
    if live.is_empty() || !live.iter().all(waits) {
        // Also without a job: a runner started from a shell asks the ticket alone.
        db::tickets::set_cancel_requested(&mut tx, ticket.id, true).await?;
    }
    tx.commit().await?;
    Ok(Answer(Message { message: "Cancellation requested".to_owned() }))
}
