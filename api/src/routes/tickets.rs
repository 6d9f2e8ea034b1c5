//! Tickets: list, make, change, delete. What a move does to the job is in [`super::ticket_moves`].

use super::{ProjectPath, TicketPath, present, require_project, ticket_moves};
use crate::db;
use crate::db::tickets::{Ticket, TicketFields};
use crate::domain::{board, text};
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{Json, Path};
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{ErrorBody, Message, ProjectId};
use utoipa::ToSchema;

/// How urgent a ticket is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Later.
    Low,
    /// As usual.
    Medium,
    /// Soon.
    High,
}

impl Priority {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A new ticket, or changes of one; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TicketBody {
    /// Its title; required for a new one.
    title: Option<String>,
    /// The column of the board; required for a new one.
    column_id: Option<String>,
    /// What it asks for.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// How urgent it is; `medium` if unset.
    priority: Option<Priority>,
    /// Where the work on it stands; `todo` if unset.
    status: Option<String>,
    /// Nodes of the graph that it is about; `["*"]` means all.
    associated_node_ids: Option<Vec<String>>,
    /// Edges of the graph that it is about; `["*"]` means all.
    associated_edge_ids: Option<Vec<String>>,
}

impl TicketBody {
    fn over(self, now: TicketFields) -> ApiResult<TicketFields> {
        let ids = |field, new: Option<Vec<String>>, now| new.map_or(Ok(now), |ids| text::associations(field, ids));
        Ok(TicketFields {
            title: self.title.map_or(Ok(now.title), |title| text::title("title", &title))?,
            column_id: self.column_id.unwrap_or(now.column_id),
            description: match self.description {
                Some(new) => new.map(|d| text::long_text("description", d)).transpose()?,
                None => now.description,
            },
            priority: self.priority.map_or(now.priority, |priority| priority.as_str().to_owned()),
            status: self.status.map_or(Ok(now.status), |status| text::title("status", &status))?,
            associated_node_ids: ids("associated_node_ids", self.associated_node_ids, now.associated_node_ids)?,
            associated_edge_ids: ids("associated_edge_ids", self.associated_edge_ids, now.associated_edge_ids)?,
        })
    }
}

/// All tickets of a project.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets", tag = "tickets", security(("bearer" = [])),
    params(ProjectPath), responses((status = 200, body = Vec<Ticket>), (status = 404, body = ErrorBody)))]
pub async fn list_tickets(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Answer<Vec<Ticket>>> {
    let mut conn = app.pool.acquire().await?;
    require_project(&mut conn, path.project_id).await?;
    Ok(Answer(db::tickets::list(&mut conn, path.project_id).await?))
}

/// Makes a ticket. One made in `in_progress` is enqueued at once.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets", tag = "tickets", security(("bearer" = [])),
    params(ProjectPath), request_body = TicketBody,
    responses((status = 201, body = Ticket), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn create_ticket(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    Json(body): Json<TicketBody>,
) -> ApiResult<(StatusCode, Answer<Ticket>)> {
    if body.title.is_none() || body.column_id.is_none() {
        return Err(text::invalid("A ticket needs a 'title' and a 'column_id', such as \"backlog\"."));
    }
    let fields = body.over(blank())?;
    let mut tx = app.pool.begin().await?;
    require_project(&mut tx, path.project_id).await?;
    require_column(&mut tx, path.project_id, &fields.column_id).await?;
    let mut ticket = db::tickets::insert(&mut tx, path.project_id, &fields).await?;
    if ticket.column_id == board::IN_PROGRESS {
        ticket = ticket_moves::apply(&mut tx, board::BACKLOG, ticket, &[]).await?;
    }
    tx.commit().await?;
    Ok((StatusCode::CREATED, Answer(ticket)))
}

fn blank() -> TicketFields {
    TicketFields {
        column_id: String::new(),
        title: String::new(),
        description: None,
        associated_node_ids: Vec::new(),
        associated_edge_ids: Vec::new(),
        priority: Priority::Medium.as_str().to_owned(),
        status: board::STATUS_TODO.to_owned(),
    }
}

async fn require_column(conn: &mut PgConnection, project: ProjectId, column: &str) -> ApiResult<()> {
    let board = db::boards::find(conn, project).await?.ok_or_else(|| ApiError::not_found("project", project))?;
    if board.columns.iter().any(|known| known.id == column) {
        return Ok(());
    }
    let known: Vec<_> = board.columns.iter().map(|column| column.id.as_str()).collect();
    let shown: String = column.chars().take(80).collect();
    Err(text::invalid(format!("The board has no column '{shown}'; it has: {}.", known.join(", "))))
}

/// One ticket.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}", tag = "tickets",
    security(("bearer" = [])), params(TicketPath),
    responses((status = 200, body = Ticket), (status = 404, body = ErrorBody)))]
pub async fn get_ticket(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Answer<Ticket>> {
    let mut conn = app.pool.acquire().await?;
    let ticket = db::tickets::find(&mut conn, path.project_id, path.ticket_id).await?;
    ticket.map(Answer).ok_or_else(|| ApiError::not_found("ticket", path.ticket_id))
}

/// Changes a ticket. Moving it to `in_progress` enqueues a job, moving it away cancels.
#[utoipa::path(patch, path = "/api/projects/{project_id}/tickets/{ticket_id}", tag = "tickets",
    security(("bearer" = [])), params(TicketPath), request_body = TicketBody,
    responses((status = 200, body = Ticket), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn update_ticket(
    State(app): State<App>,
    Path(path): Path<TicketPath>,
    Json(body): Json<TicketBody>,
) -> ApiResult<Answer<Ticket>> {
    let missing = || ApiError::not_found("ticket", path.ticket_id);
    let names_column = body.column_id.is_some();
    let mut tx = app.pool.begin().await?;
    db::tickets::lock_moves(&mut tx, path.ticket_id).await?;
    // Reports lock a job, then its ticket: so does this, and a status that a report has just written is not undone.
    let live = if names_column { db::jobs::live_for_update(&mut tx, path.ticket_id).await? } else { Vec::new() };
    let now = db::tickets::find_for_update(&mut tx, path.project_id, path.ticket_id).await?.ok_or_else(missing)?;
    let from = now.column_id.clone();
    let fields = body.over(now.into())?;
    if names_column {
        require_column(&mut tx, path.project_id, &fields.column_id).await?;
    }
    let mut ticket =
        db::tickets::update(&mut tx, path.project_id, path.ticket_id, &fields).await?.ok_or_else(missing)?;
    if names_column {
        ticket = ticket_moves::apply(&mut tx, &from, ticket, &live).await?;
    }
    tx.commit().await?;
    Ok(Answer(ticket))
}

/// Deletes a ticket with its jobs and logs. A run of it finds nothing to report to, and is stopped.
#[utoipa::path(delete, path = "/api/projects/{project_id}/tickets/{ticket_id}", tag = "tickets",
    security(("bearer" = [])), params(TicketPath),
    responses((status = 200, body = Message), (status = 404, body = ErrorBody)))]
pub async fn delete_ticket(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Answer<Message>> {
    let mut tx = app.pool.begin().await?;
    db::tickets::lock_moves(&mut tx, path.ticket_id).await?;
    let live = db::jobs::live_for_update(&mut tx, path.ticket_id).await?;
    let deleted = db::tickets::delete(&mut tx, path.project_id, path.ticket_id).await?;
    if !live.is_empty() {
        db::claims::notify_freed(&mut tx, path.project_id).await?;
    }
    tx.commit().await?;
    if deleted {
        return Ok(Answer(Message { message: "Ticket deleted".to_owned() }));
    }
    Err(ApiError::not_found("ticket", path.ticket_id))
}
