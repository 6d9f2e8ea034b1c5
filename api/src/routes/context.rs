//! `worker-context`: everything that a runner needs to know about its ticket, and its settings.

use super::TicketPath;
use crate::db;
use crate::db::tickets::Ticket;
use crate::domain::context::graph_view;
use crate::domain::{board, settings};
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::Path;
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use terarchitect_worker_api::{AgentSettings, ContextTicket, CurrentTicket, ErrorBody, WorkerContext};

const MAX_BACKLOG: i64 = 10;
const MAX_IN_PROGRESS: i64 = 5;
const MAX_DONE: i64 = 5;
const MAX_MEMORY: i64 = 5;
const MAX_QUESTION_CHARS: usize = 2_000;

/// The project, its graph, the ticket, notes, other tickets, the repository and the agent's settings.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/worker-context", tag = "worker",
    security(("bearer" = [])), params(TicketPath),
    responses((status = 200, body = WorkerContext), (status = 404, body = ErrorBody)))]
pub async fn worker_context(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Answer<WorkerContext>> {
    let mut tx = app.pool.begin().await?;
    let missing = || ApiError::not_found("ticket", path.ticket_id);
    let ticket = db::tickets::find(&mut tx, path.project_id, path.ticket_id).await?.ok_or_else(missing)?;
    // A run begins. A wish to stop that belongs to no job of now was another run's, or came after its end.
    db::tickets::forget_old_cancellation(&mut tx, path.ticket_id).await?;
    let project = db::projects::find(&mut tx, path.project_id).await?.ok_or_else(missing)?;
    let graph = db::graphs::find(&mut tx, path.project_id).await?.ok_or_else(missing)?;
    let view = graph_view(graph.nodes, graph.edges, &ticket.associated_node_ids, &ticket.associated_edge_ids);
    let notes = notes(&mut tx, path).await?;
    let question = format!("{}. {}", ticket.title, ticket.description.as_deref().unwrap_or_default());
    let question: String = question.chars().take(MAX_QUESTION_CHARS).collect();
    let memory = db::memory::search(&mut tx, path.project_id, &question, MAX_MEMORY).await?;
    let mut column = async |column, limit| {
        db::tickets::list_for_context(&mut tx, path.project_id, column, path.ticket_id, limit).await
    };
    let context = WorkerContext {
        memory: Some(memory.into_iter().map(|found| found.content).collect()),
        project_name: project.name,
        project_description: project.description,
        repo_url: project.github_url.clone(),
        github_url: project.github_url,
        project_id: path.project_id,
        graph: view.graph,
        graph_relevant_to_current_ticket: view.relevant,
        notes,
        backlog_tickets: column(board::BACKLOG, MAX_BACKLOG).await?,
        in_progress_tickets: column(board::IN_PROGRESS, MAX_IN_PROGRESS).await?,
        done_tickets: column(board::DONE, MAX_DONE).await?,
        current_ticket: current(ticket, view.nodes_labeled, view.edges_labeled),
        agent_settings: agent_settings(&app, &mut tx).await?,
    };
    tx.commit().await?;
    Ok(Answer(context))
}

fn current(ticket: Ticket, nodes_labeled: Vec<String>, edges_labeled: Vec<String>) -> CurrentTicket {
    CurrentTicket {
        ticket: ContextTicket {
            id: ticket.id,
            title: ticket.title,
            description: ticket.description,
            priority: ticket.priority,
            column_id: ticket.column_id,
            status: ticket.status,
            is_current: Some(true),
        },
        associated_node_ids: ticket.associated_node_ids,
        associated_edge_ids: ticket.associated_edge_ids,
        associated_nodes_labeled: nodes_labeled,
        associated_edges_labeled: edges_labeled,
    }
}

async fn notes(conn: &mut PgConnection, path: TicketPath) -> ApiResult<Vec<Map<String, Value>>> {
    let notes = db::notes::list(conn, path.project_id).await?;
    Ok(notes
        .into_iter()
        .filter_map(|note| match json!(note) {
            Value::Object(fields) => Some(fields),
            _ => None,
        })
        .collect())
}

/// The settings that concern runners, under the names that runners know.
async fn agent_settings(app: &App, conn: &mut PgConnection) -> ApiResult<AgentSettings> {
    let mut answer = AgentSettings::default();
    for stored in db::settings::list(conn).await? {
        if let Some(name) = settings::agent_name(&stored.key) {
            let value = app.open(&stored).map_err(ApiError::internal)?;
            answer.0.insert(name.to_owned(), value.expose_secret().to_owned());
        }
    }
    Ok(answer)
}
