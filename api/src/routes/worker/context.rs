//! `worker-context`: everything that a runner needs to know about its ticket, and its settings.

use crate::access::Caller;
use crate::actions;
use crate::http::error::ApiResult;
use crate::http::extract::{Path, TicketPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use terarchitect_worker_api::{ErrorBody, WorkerContext};

/// The project, its graph, the ticket, notes, other tickets, the repository and the agent's settings.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/worker-context", tag = "worker",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = WorkerContext), (status = 404, body = ErrorBody)))]
pub async fn worker_context(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
) -> ApiResult<Json<WorkerContext>> {
    let (of, token, service) = ((path.project_id, path.ticket_id), caller.job_token(), app.embeddings().await?);
    let context = actions::worker::context::worker_context;
    let (context, has_posts) = context(&app.database, &app.sealer, service.as_ref(), token, of).await?;
    if has_posts {
        app.forge_signals.notify_posts();
    }
    Ok(Json(context))
}
