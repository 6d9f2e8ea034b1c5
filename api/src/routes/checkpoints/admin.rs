//! Checkpoints as the agent worker's guide has them, for admins.

use super::Rejection;
use super::document::{DocumentCheckpoint, DocumentType, JobOfCheckpoint};
use crate::access::Caller;
use crate::actions::checkpoints::decide::decide;
use crate::actions::checkpoints::listed::{Listed, listed, of_checkpoint};
use crate::db::checkpoints::Checkpoint;
use crate::domain::checkpoints::Decision;
use crate::http::error::ApiResult;
use crate::http::extract::{CheckpointPath, OptionalJsonBody, Path, Query};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::ErrorBody;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 500;

/// Which checkpoints to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointQuery {
    /// Only those of this type.
    checkpoint_type: Option<DocumentType>,
    /// The maximum number of checkpoints: 50 if unset, at most 500.
    limit: Option<i64>,
    /// How many to skip.
    offset: Option<i64>,
}

/// A checkpoint with its job.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckpointOfJob {
    #[serde(flatten)]
    checkpoint: DocumentCheckpoint,
    /// Its job.
    job: Option<JobOfCheckpoint>,
}

/// Which part of a list this is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Offsets {
    limit: i64,
    offset: i64,
}

/// What waits for a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckpointPage {
    success: bool,
    /// The oldest first.
    checkpoints: Vec<CheckpointOfJob>,
    pagination: Offsets,
}

/// What became of a decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decided {
    success: bool,
    checkpoint: CheckpointOfJob,
    /// In a sentence.
    message: &'static str,
}

/// What waits for a person, the oldest first, with the jobs that wait.
#[utoipa::path(get, path = "/api/admin/agent-checkpoints", tag = "checkpoints", security(("bearer" = []), ("session" = [])),
    params(CheckpointQuery), responses((status = 200, body = CheckpointPage), (status = 400, body = ErrorBody)))]
pub async fn list_checkpoints(
    State(app): State<App>,
    Query(query): Query<CheckpointQuery>,
) -> ApiResult<Json<CheckpointPage>> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let offset = query.offset.unwrap_or(0).max(0);
    let found = listed(&app.database, query.checkpoint_type.map(Into::into), limit, offset).await?;
    let checkpoints = found.into_iter().map(CheckpointOfJob::from).collect();
    Ok(Json(CheckpointPage { success: true, checkpoints, pagination: Offsets { limit, offset } }))
}

/// Approves a checkpoint.
#[utoipa::path(post, path = "/api/admin/agent-checkpoints/{checkpoint_id}", tag = "checkpoints",
    security(("bearer" = []), ("session" = [])), params(CheckpointPath), request_body = super::Approval,
    responses((status = 200, body = Decided), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn approve_as_admin(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<CheckpointPath>,
    OptionalJsonBody(approval): OptionalJsonBody<super::Approval>,
) -> ApiResult<Json<Decided>> {
    let decision = Decision::approval(approval.answer.as_deref())?;
    let decided = decide(&app.database, &caller.actor(), path.checkpoint_id, &decision, |_| true).await?;
    respond(&app, decided, "Checkpoint approved successfully").await
}

/// Rejects a checkpoint.
#[utoipa::path(delete, path = "/api/admin/agent-checkpoints/{checkpoint_id}", tag = "checkpoints",
    security(("bearer" = []), ("session" = [])), params(CheckpointPath), request_body = Rejection,
    responses((status = 200, body = Decided), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn reject_as_admin(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<CheckpointPath>,
    OptionalJsonBody(rejection): OptionalJsonBody<Rejection>,
) -> ApiResult<Json<Decided>> {
    let decision = Decision::rejection(rejection.reason.as_deref())?;
    let decided = decide(&app.database, &caller.actor(), path.checkpoint_id, &decision, |_| true).await?;
    respond(&app, decided, "Checkpoint rejected successfully").await
}

async fn respond(app: &App, decided: Checkpoint, message: &'static str) -> ApiResult<Json<Decided>> {
    let checkpoint = of_checkpoint(&app.database, decided).await?.into();
    Ok(Json(Decided { success: true, checkpoint, message }))
}

impl From<Listed> for CheckpointOfJob {
    fn from(listed: Listed) -> Self {
        let job = listed.job.map(|(job, title)| JobOfCheckpoint::new(&job, title));
        Self { checkpoint: listed.checkpoint.into(), job }
    }
}
