//! The routes, one file per resource. Handlers extract, authorise, open a transaction, call `domain` and `db`, answer.

pub mod context;
pub mod coordinators;
pub mod graph;
pub mod health;
pub mod heartbeat;
pub mod job_actions;
pub mod job_list;
pub mod jobs;
pub mod kanban;
pub mod memory;
pub mod metrics;
pub mod notes;
pub mod openapi;
pub mod projects;
pub mod settings;
pub mod ticket_moves;
pub mod ticket_runs;
pub mod tickets;

use crate::db;
use crate::http::error::{ApiError, ApiResult};
use crate::state::App;
use serde::{Deserialize, Deserializer};
use sqlx::PgConnection;
use terarchitect_worker_api::{NoteId, ProjectId, TicketId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the application's key guards.
#[must_use]
pub fn for_application() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(projects::list_projects, projects::create_project))
        .routes(routes!(projects::get_project, projects::update_project, projects::delete_project))
        .routes(routes!(graph::get_graph, graph::update_graph))
        .routes(routes!(kanban::get_board, kanban::update_board))
        .routes(routes!(tickets::list_tickets, tickets::create_ticket))
        .routes(routes!(tickets::get_ticket, tickets::update_ticket, tickets::delete_ticket))
        .routes(routes!(ticket_moves::cancel_ticket))
        .routes(routes!(ticket_runs::list_logs))
        .routes(routes!(notes::list_notes, notes::create_note))
        .routes(routes!(notes::get_note, notes::update_note, notes::delete_note))
        .routes(routes!(settings::get_settings, settings::update_settings))
        .routes(routes!(settings::check_settings))
        .routes(routes!(memory::delete_memory))
        .routes(routes!(job_list::list_jobs))
        .routes(routes!(job_list::get_job))
        .routes(routes!(job_actions::enqueue_job))
        .routes(routes!(job_actions::retry_job))
        .routes(routes!(job_actions::cancel_job))
        .routes(routes!(coordinators::list_coordinators))
        .routes(routes!(coordinators::direct_coordinator, coordinators::forget_coordinator))
}

/// What the worker key guards.
#[must_use]
pub fn for_workers() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(jobs::start_job))
        .routes(routes!(jobs::complete_job))
        .routes(routes!(jobs::fail_job))
        .routes(routes!(jobs::release_job))
        .routes(routes!(heartbeat::heartbeat))
        .routes(routes!(heartbeat::held_jobs))
}

/// What the worker key opens, and for its own ticket a job token.
#[must_use]
pub fn for_runners() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(context::worker_context))
        .routes(routes!(ticket_runs::append_log))
        .routes(routes!(ticket_runs::complete_ticket))
        .routes(routes!(ticket_runs::cancel_requested))
}

/// What either key opens.
#[must_use]
pub fn for_both() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(memory::index_memory))
        .routes(routes!(memory::retrieve_memory))
        .routes(routes!(metrics::metrics))
}

/// What needs no key.
#[must_use]
pub fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health::health)).routes(routes!(health::ready))
}

/// The ids in the path of a project.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ProjectPath {
    /// The project.
    #[param(value_type = uuid::Uuid)]
    pub project_id: ProjectId,
}

/// The ids in the path of a ticket.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TicketPath {
    /// The project.
    #[param(value_type = uuid::Uuid)]
    pub project_id: ProjectId,
    /// The ticket.
    #[param(value_type = uuid::Uuid)]
    pub ticket_id: TicketId,
}

/// The ids in the path of a note.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct NotePath {
    /// The project.
    #[param(value_type = uuid::Uuid)]
    pub project_id: ProjectId,
    /// The note.
    #[param(value_type = uuid::Uuid)]
    pub note_id: NoteId,
}

/// Answers 404 unless there is such a project.
async fn require_project(conn: &mut PgConnection, id: ProjectId) -> ApiResult<()> {
    if db::projects::exists(conn, id).await? { Ok(()) } else { Err(ApiError::not_found("project", id)) }
}

/// Tells a field that is absent (`None`) from one that is `null` (`Some(None)`); use with `#[serde(default)]`.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
