//! What is known: for an agent that begins, and from one that has learnt something.

use crate::access::Caller;
use crate::actions;
use crate::actions::work_orders::knowledge::{Learnt, NewKnowledge, Wanted};
use crate::db::knowledge::Found;
use crate::http::error::ApiResult;
use crate::http::extract::{JsonBody, Path, Query};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::{ErrorBody, ProjectId, TicketId};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What to look for: what concerns a work order, or a question.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KnowledgeQuery {
    /// What concerns this work order, and the order itself.
    #[param(value_type = Option<Uuid>)]
    work_order_id: Option<TicketId>,
    /// What concerns this question.
    query: Option<String>,
    /// Of this repository; of all that the caller sees if neither this nor a work order is given.
    #[param(value_type = Option<Uuid>)]
    repo_id: Option<ProjectId>,
    /// Only what agents of this kind have learnt.
    agent_type: Option<String>,
    /// The maximum number of results: 5 if unset, at most 50.
    limit: Option<i64>,
}

/// What is known.
#[derive(Debug, Serialize, ToSchema)]
pub struct Knowledge {
    /// What was found, the best first.
    results: Vec<Found>,
    /// All of it as a text for an agent.
    formatted: String,
    /// The same, under the name by which hooks of Cursor return it.
    additional_context: String,
}

/// That something is known now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeStored)]
pub struct Stored {
    /// Always true.
    ok: bool,
    /// What was stored, or was known already.
    knowledge_id: Uuid,
    /// Whether it can be found by its meaning.
    embedding: bool,
    /// How many times it was learnt.
    frequency: i32,
}

async fn look(app: &App, caller: &Caller, query: KnowledgeQuery) -> ApiResult<Json<Knowledge>> {
    let wanted = Wanted {
        order: query.work_order_id,
        question: query.query,
        repo: query.repo_id,
        agent_type: query.agent_type,
        limit: query.limit,
    };
    let service = app.embeddings().await?;
    let Learnt { results, formatted } =
        actions::work_orders::knowledge::look(&app.database, &caller.rights(), service.as_ref(), wanted).await?;
    Ok(Json(Knowledge { results, additional_context: formatted.clone(), formatted }))
}

/// What is known about a work order or a question: what agents have learnt, the project's memory, earlier work.
#[utoipa::path(get, path = "/api/v1/knowledge", tag = "work orders", security(("bearer" = []), ("session" = [])),
    params(KnowledgeQuery), responses((status = 200, body = Knowledge), (status = 404, body = ErrorBody)))]
pub async fn get_knowledge(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<KnowledgeQuery>,
) -> ApiResult<Json<Knowledge>> {
    look(&app, &caller, query).await
}

/// The same, at the address that later hooks use.
#[utoipa::path(get, path = "/api/v1/knowledge/query", tag = "work orders", security(("bearer" = []), ("session" = [])),
    params(KnowledgeQuery), responses((status = 200, body = Knowledge), (status = 404, body = ErrorBody)))]
pub async fn query_knowledge(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<KnowledgeQuery>,
) -> ApiResult<Json<Knowledge>> {
    look(&app, &caller, query).await
}

/// Adds to what is known. What is known already is counted once more.
#[utoipa::path(post, path = "/api/v1/knowledge", tag = "work orders", security(("bearer" = []), ("session" = [])),
    request_body = NewKnowledge, responses((status = 200, body = Stored), (status = 404, body = ErrorBody)))]
pub async fn add_knowledge(
    State(app): State<App>,
    caller: Caller,
    JsonBody(new): JsonBody<NewKnowledge>,
) -> ApiResult<Json<Stored>> {
    let (actor, rights) = (caller.actor(), caller.rights());
    let service = app.embeddings().await?;
    let added = actions::work_orders::knowledge::add(&app.database, &actor, &rights, service.as_ref(), new).await?;
    Ok(Json(Stored { ok: true, knowledge_id: added.id, embedding: added.has_embedding, frequency: added.frequency }))
}

/// The path of something that was learnt.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct KnowledgePath {
    knowledge_id: Uuid,
}

/// That something was forgotten.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeForgotten)]
pub struct Forgotten {
    /// Always true.
    ok: bool,
}

/// Forgets something that was learnt: prompts that are made from now on do without it.
#[utoipa::path(delete, path = "/api/v1/knowledge/{knowledge_id}", tag = "work orders", security(("bearer" = []), ("session" = [])),
    params(KnowledgePath), responses((status = 200, body = Forgotten), (status = 404, body = ErrorBody)))]
pub async fn delete_knowledge(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<KnowledgePath>,
) -> ApiResult<Json<Forgotten>> {
    actions::work_orders::knowledge::forget(&app.database, &caller.actor(), &caller.rights(), path.knowledge_id)
        .await?;
    Ok(Json(Forgotten { ok: true }))
}
