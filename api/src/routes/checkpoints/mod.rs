//! Checkpoints as people decide about them.

pub mod admin;
pub mod document;

use crate::access::Caller;
use crate::actions::checkpoints::decide::decide;
use crate::actions::checkpoints::view::CheckpointView;
use crate::db;
use crate::domain::checkpoints::Decision;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::http::extract::{CheckpointPath, JobPath, OptionalJsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::ErrorBody;
use utoipa::ToSchema;

/// What may come with an approval.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = CheckpointApproval)]
pub struct Approval {
    /// Words to the agent: the answer to its question, or what it should mind.
    #[serde(default)]
    answer: Option<String>,
}

/// What may come with a rejection.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = CheckpointRejection)]
pub struct Rejection {
    /// Why.
    #[serde(default)]
    reason: Option<String>,
}

/// The checkpoints of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckpointList {
    /// The oldest first.
    checkpoints: Vec<CheckpointView>,
}

/// One checkpoint.
#[utoipa::path(get, path = "/api/checkpoints/{checkpoint_id}", tag = "checkpoints", security(("bearer" = []), ("session" = [])),
    params(CheckpointPath), responses((status = 200, body = CheckpointView), (status = 404, body = ErrorBody)))]
pub async fn get_checkpoint(
    State(app): State<App>,
    Path(path): Path<CheckpointPath>,
) -> ApiResult<Json<CheckpointView>> {
    let found = db::checkpoints::find(&mut *app.database.read().await?, path.checkpoint_id).await?;
    let found = found.ok_or_else(|| Refusal::not_found("checkpoint", path.checkpoint_id))?;
    Ok(Json(found.into()))
}

/// The checkpoints of a job, the oldest first.
#[utoipa::path(get, path = "/api/jobs/{job_id}/checkpoints", tag = "checkpoints", security(("bearer" = []), ("session" = [])),
    params(JobPath), responses((status = 200, body = CheckpointList), (status = 404, body = ErrorBody)))]
pub async fn list_of_job(State(app): State<App>, Path(path): Path<JobPath>) -> ApiResult<Json<CheckpointList>> {
    let mut conn = app.database.read().await?;
    if db::jobs::project_of(&mut conn, path.job_id).await?.is_none() {
        return Err(Refusal::not_found("job", path.job_id).into());
    }
    let found = db::checkpoints::list::of_job(&mut conn, path.job_id).await?;
    Ok(Json(CheckpointList { checkpoints: found.into_iter().map(Into::into).collect() }))
}

/// Approves a checkpoint: its job goes on.
#[utoipa::path(post, path = "/api/checkpoints/{checkpoint_id}/approve", tag = "checkpoints",
    security(("bearer" = []), ("session" = [])), params(CheckpointPath), request_body = Approval,
    responses((status = 200, body = CheckpointView), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn approve_checkpoint(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<CheckpointPath>,
    OptionalJsonBody(approval): OptionalJsonBody<Approval>,
) -> ApiResult<Json<CheckpointView>> {
    let decision = Decision::approval(approval.answer.as_deref())?;
    let visible = caller.visible();
    let sees = |project| visible.contains(project);
    Ok(Json(decide(&app.database, &caller.actor(), path.checkpoint_id, &decision, sees).await?.into()))
}

/// Rejects a checkpoint: its job fails for good, with the reason.
#[utoipa::path(post, path = "/api/checkpoints/{checkpoint_id}/reject", tag = "checkpoints",
    security(("bearer" = []), ("session" = [])), params(CheckpointPath), request_body = Rejection,
    responses((status = 200, body = CheckpointView), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn reject_checkpoint(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<CheckpointPath>,
    OptionalJsonBody(rejection): OptionalJsonBody<Rejection>,
) -> ApiResult<Json<CheckpointView>> {
    let decision = Decision::rejection(rejection.reason.as_deref())?;
    let visible = caller.visible();
    let sees = |project| visible.contains(project);
    Ok(Json(decide(&app.database, &caller.actor(), path.checkpoint_id, &decision, sees).await?.into()))
}
