//! A project's memory: index, retrieve, delete.

use super::super::require_project;
use crate::access::Caller;
use crate::actions;
use crate::db;
use crate::domain::projects::memory::{check_queries, to_retrieve};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, ProjectPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use terarchitect_worker_api::{
    ErrorBody, IndexRequest, IndexResponse, RetrieveRequest, RetrieveResponse, RetrieveResult,
};

/// Adds documents. The same document is stored once, however often it is sent.
#[utoipa::path(post, path = "/api/projects/{project_id}/memory/index", tag = "memory", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = IndexRequest,
    responses((status = 200, body = IndexResponse), (status = 404, body = ErrorBody)))]
pub async fn index_memory(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<ProjectPath>,
    JsonBody(request): JsonBody<IndexRequest>,
) -> ApiResult<Json<IndexResponse>> {
    let (database, actor, count) = (&app.database, caller.actor(), request.docs.len());
    let new = actions::projects::memory::add_documents(database, &actor, path.project_id, request.docs).await?;
    Ok(Json(IndexResponse { message: format!("Indexed {new} new of {count} documents"), count }))
}

/// Finds documents that share words with each question, the best first.
#[utoipa::path(post, path = "/api/projects/{project_id}/memory/retrieve", tag = "memory", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = RetrieveRequest,
    responses((status = 200, body = RetrieveResponse), (status = 404, body = ErrorBody)))]
pub async fn retrieve_memory(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    JsonBody(request): JsonBody<RetrieveRequest>,
) -> ApiResult<Json<RetrieveResponse>> {
    check_queries(&request.queries)?;
    let limit = to_retrieve(request.num_to_retrieve);
    let mut conn = app.database.read().await?;
    require_project(&mut conn, path.project_id).await?;
    let mut results = Vec::with_capacity(request.queries.len());
    for question in request.queries {
        let found = db::projects::memory::search(&mut conn, path.project_id, &question, limit.into()).await?;
        let (docs, doc_scores) = found.into_iter().map(|found| (found.content, found.score)).unzip();
        results.push(RetrieveResult { question, docs, doc_scores });
    }
    Ok(Json(RetrieveResponse { results }))
}

/// Deletes documents by their text.
#[utoipa::path(post, path = "/api/projects/{project_id}/memory/delete", tag = "memory", security(("bearer" = []), ("session" = [])),
    params(ProjectPath), request_body = IndexRequest,
    responses((status = 200, body = IndexResponse), (status = 404, body = ErrorBody)))]
pub async fn delete_memory(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<ProjectPath>,
    JsonBody(request): JsonBody<IndexRequest>,
) -> ApiResult<Json<IndexResponse>> {
    let (database, actor, asked) = (&app.database, caller.actor(), request.docs.len());
    let gone = actions::projects::memory::delete_documents(database, &actor, path.project_id, request.docs).await?;
    let message = format!("Deleted {gone} of {asked} documents");
    Ok(Json(IndexResponse { message, count: usize::try_from(gone).unwrap_or(usize::MAX) }))
}
