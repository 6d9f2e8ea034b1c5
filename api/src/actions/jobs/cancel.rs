//! Cancels a job: a pending one at once, a running one by a stop request.

use crate::actions::ActionResult;
use crate::actions::checkpoints::close::close;
use crate::changes::{Change, Database};
use crate::db;
use crate::db::jobs::Live;
use crate::db::jobs::list::JobEntry;
use crate::domain::actor::Actor;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::domain::tickets::STATUS_CANCELLED;
use crate::domain::tickets::moves::LiveJob;
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, JobKind, JobStatus, ProjectId, TicketId};

/// The result of a cancellation request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It was pending, and is cancelled now.
    Now,
    /// It is running, and has a stop request now.
    Requested,
    /// It was cancelled before.
    Before,
}

/// Cancels a job.
///
/// # Errors
/// When the job does not exist, or has ended in another way.
pub async fn cancel_job(database: &Database, actor: &Actor, id: JobId) -> ActionResult<Cancelled> {
    let mut change = database.change(actor).await?;
    let job = lock_job(&mut change, id).await?;
    let all = db::jobs::live_for_update(&mut change, job.ticket_id).await?;
    let Some(this) = all.iter().copied().find(|live| live.id == id) else {
        let status = db::jobs::list::find(&mut change, id).await?.map_or(job.status, |job| job.status);
        if status == JobStatus::Cancelled {
            return Ok(Cancelled::Before);
        }
        let sentence = format!("This job is {}; there is nothing to cancel.", status.as_str());
        return Err(Refusal::new(ErrorCode::NotLive, sentence).into());
    };
    stop(&mut change, job.project_id, job.ticket_id, this, all.len() == 1).await?;
    let waiting = this.state == LiveJob::Pending;
    if waiting && job.kind == JobKind::Ticket {
        db::tickets::settle(&mut change, job.ticket_id, STATUS_CANCELLED).await?;
    }
    change.commit().await?;
    Ok(if waiting { Cancelled::Now } else { Cancelled::Requested })
}

/// Cancels a pending job, and requests that a running one stops. `alone`: the ticket has no other live job.
pub(in crate::actions) async fn stop(
    change: &mut Change,
    project: ProjectId,
    ticket: TicketId,
    job: Live,
    alone: bool,
) -> ActionResult<()> {
    let kind = match job.state {
        LiveJob::Pending => {
            db::jobs::cancel_pending(change, job.id).await?;
            close(change, (project, ticket, job.id), None).await?;
            EventKind::JobCancelled
        }
        LiveJob::Running | LiveJob::Stopping => {
            db::jobs::request_stop(change, job.id).await?;
            // Runners without a job token poll the ticket. A review's cancellation must not stop the ticket's own job
            // as well.
            if alone || job.kind == JobKind::Ticket {
                db::tickets::set_cancel_requested(change, ticket, true).await?;
            }
            EventKind::JobCancelRequested
        }
    };
    let status = if kind == EventKind::JobCancelled { JobStatus::Cancelled } else { JobStatus::Running };
    change.record(NewEvent::of_job(kind, project, ticket, job.id).with(json!({"job_status": status})));
    tracing::info!(ticket.id = %ticket, job.id = %job.id, state = ?job.state, "cancelled a job");
    Ok(())
}

/// The job, with its ticket's move lock held. The lock comes first, so the job is read twice.
pub(super) async fn lock_job(conn: &mut PgConnection, id: JobId) -> ActionResult<JobEntry> {
    let missing = || Refusal::not_found("job", id);
    let ticket = db::jobs::list::find(conn, id).await?.ok_or_else(missing)?.ticket_id;
    db::tickets::lock_moves(conn, ticket).await?;
    Ok(db::jobs::list::find(conn, id).await?.ok_or_else(missing)?)
}
