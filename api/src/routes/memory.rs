//! A project's memory: index, retrieve, delete.

use super::{ProjectPath, require_project};
use crate::db;
use crate::domain::text;
use crate::http::error::ApiResult;
use crate::http::extract::{Json, Path};
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use terarchitect_worker_api::{
    ErrorBody, IndexRequest, IndexResponse, RetrieveRequest, RetrieveResponse, RetrieveResult,
};

/// The most documents or questions in one request.
const MAX_ITEMS: usize = 1_000;
/// The largest document, in bytes. Postgres indexes no more than 1 MiB of words for one document.
const MAX_DOC_BYTES: usize = 256 * 1024;
/// The longest question, in bytes.
const MAX_QUERY_BYTES: usize = 16 * 1024;
/// How many documents to answer where the request does not say.
const DEFAULT_TO_RETRIEVE: u32 = 5;
/// The most documents to answer to one question.
const MAX_TO_RETRIEVE: u32 = 100;

/// Adds documents. The same document is stored once, however often it is sent.
#[utoipa::path(post, path = "/api/projects/{project_id}/memory/index", tag = "memory", security(("bearer" = [])),
    params(ProjectPath), request_body = IndexRequest,
    responses((status = 200, body = IndexResponse), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn index_memory(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    Json(request): Json<IndexRequest>,
) -> ApiResult<Answer<IndexResponse>> {
    let docs = check_docs(request.docs)?;
    let mut conn = app.pool.acquire().await?;
    require_project(&mut conn, path.project_id).await?;
    let new = db::memory::insert(&mut conn, path.project_id, &docs).await?;
    let message = format!("Indexed {new} new of {} documents", docs.len());
    Ok(Answer(IndexResponse { message, count: docs.len() }))
}

/// Finds documents that share words with each question, the best first.
#[utoipa::path(post, path = "/api/projects/{project_id}/memory/retrieve", tag = "memory", security(("bearer" = [])),
    params(ProjectPath), request_body = RetrieveRequest,
    responses((status = 200, body = RetrieveResponse), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn retrieve_memory(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    Json(request): Json<RetrieveRequest>,
) -> ApiResult<Answer<RetrieveResponse>> {
    if request.queries.len() > MAX_ITEMS || request.queries.iter().any(|query| query.len() > MAX_QUERY_BYTES) {
        let kib = MAX_QUERY_BYTES / 1024;
        return Err(text::invalid(format!("Send at most {MAX_ITEMS} 'queries' of at most {kib} KiB each.")));
    }
    let limit = request.num_to_retrieve.unwrap_or(DEFAULT_TO_RETRIEVE).clamp(1, MAX_TO_RETRIEVE);
    let mut conn = app.pool.acquire().await?;
    require_project(&mut conn, path.project_id).await?;
    let mut results = Vec::with_capacity(request.queries.len());
    for question in request.queries {
        let found = db::memory::search(&mut conn, path.project_id, &question, limit.into()).await?;
        let (docs, doc_scores) = found.into_iter().map(|found| (found.content, found.score)).unzip();
        results.push(RetrieveResult { question, docs, doc_scores });
    }
    Ok(Answer(RetrieveResponse { results }))
}

/// Deletes documents by their text.
#[utoipa::path(post, path = "/api/projects/{project_id}/memory/delete", tag = "memory", security(("bearer" = [])),
    params(ProjectPath), request_body = IndexRequest,
    responses((status = 200, body = IndexResponse), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn delete_memory(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    Json(request): Json<IndexRequest>,
) -> ApiResult<Answer<IndexResponse>> {
    let docs = check_docs(request.docs)?;
    let mut conn = app.pool.acquire().await?;
    require_project(&mut conn, path.project_id).await?;
    let gone = db::memory::delete(&mut conn, path.project_id, &docs).await?;
    let message = format!("Deleted {gone} of {} documents", docs.len());
    Ok(Answer(IndexResponse { message, count: usize::try_from(gone).unwrap_or(usize::MAX) }))
}

fn check_docs(docs: Vec<String>) -> ApiResult<Vec<String>> {
    if docs.len() > MAX_ITEMS || docs.iter().any(|doc| doc.len() > MAX_DOC_BYTES) {
        let kib = MAX_DOC_BYTES / 1024;
        return Err(text::invalid(format!("Send at most {MAX_ITEMS} 'docs' of at most {kib} KiB each.")));
    }
    if docs.iter().any(|doc| doc.trim().is_empty()) {
        return Err(text::invalid("None of the 'docs' may be empty."));
    }
    Ok(docs)
}
