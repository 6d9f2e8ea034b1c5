//! A project's memory: index, retrieve, delete.

use super::super::require_project;
use crate::access::Caller;
use crate::actions;
use crate::actions::known::{Question, remembered};
use crate::domain::projects::memory::{MOST_MEANT, check_queries, to_retrieve};
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, ProjectPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use std::iter::repeat;
use terarchitect_worker_api::{
    ErrorBody, IndexRequest, IndexResponse, RetrieveRequest, RetrieveResponse, RetrieveResult,
};

/// Adds documents. The same document is stored once, however often it is sent. With a service for embeddings, so is what means the same.
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
    let service = app.embeddings().await?;
    let (project, docs) = (path.project_id, request.docs);
    let new = actions::projects::memory::add_documents(database, &actor, service.as_ref(), project, docs).await?;
    Ok(Json(IndexResponse { message: format!("Indexed {new} new of {count} documents"), count }))
}

/// Finds documents that share words with each question, the best first. With a service for embeddings, those come before them that mean
/// something similar to the question; only the first 16 questions of a request are asked by their meaning.
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
    require_project(&mut *app.database.read().await?, path.project_id).await?;
    // No connection is held while a service is asked.
    let meant = &request.queries[..request.queries.len().min(MOST_MEANT)];
    let meanings = match app.embeddings().await? {
        Some(service) => service.embed_all(meant).await,
        None => Vec::new(),
    };
    let mut conn = app.database.read().await?;
    let mut results = Vec::with_capacity(request.queries.len());
    for (question, meaning) in request.queries.into_iter().zip(meanings.into_iter().chain(repeat(None))) {
        let asked = Question { words: question.clone(), meaning };
        let found = remembered(&mut conn, path.project_id, &asked, limit.into()).await?;
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
