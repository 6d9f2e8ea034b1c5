//! The routes, by family. Handlers extract, get their caller, call one action or query, and map the result.

pub mod jobs;
pub mod live;
pub mod projects;
pub mod system;
pub mod tickets;
pub mod worker;

use crate::db;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::state::App;
use axum::extract::DefaultBodyLimit;
use sqlx::PgConnection;
use terarchitect_worker_api::{ProjectId, StoreDiffRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the application's key guards.
#[must_use]
pub fn for_application() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(projects::list_projects, projects::create_project))
        .routes(routes!(projects::get_project, projects::update_project, projects::delete_project))
        .routes(routes!(projects::graph::get_graph, projects::graph::update_graph))
        .routes(routes!(projects::board::get_board, projects::board::update_board))
        .routes(routes!(tickets::list_tickets, tickets::create_ticket))
        .routes(routes!(tickets::get_ticket, tickets::update_ticket, tickets::delete_ticket))
        .routes(routes!(tickets::cancel_ticket))
        .routes(routes!(tickets::list_logs))
        .routes(routes!(tickets::timeline::get_log))
        .routes(routes!(tickets::timeline::get_timeline))
        .routes(routes!(tickets::diffs::list_diffs))
        .routes(routes!(tickets::diffs::get_diff))
        .routes(routes!(tickets::messages::list_messages, tickets::messages::post_message))
        .routes(routes!(projects::notes::list_notes, projects::notes::create_note))
        .routes(routes!(projects::notes::get_note, projects::notes::update_note, projects::notes::delete_note))
        .routes(routes!(system::settings::get_settings, system::settings::update_settings))
        .routes(routes!(system::settings::check_settings))
        .routes(routes!(projects::memory::delete_memory))
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::actions::enqueue_job))
        .routes(routes!(jobs::actions::retry_job))
        .routes(routes!(jobs::actions::cancel_job))
        .routes(routes!(live::read_events))
        .routes(routes!(worker::coordinators::list_coordinators))
        .routes(routes!(worker::coordinators::direct_coordinator, worker::coordinators::forget_coordinator))
}

/// What the worker key guards.
#[must_use]
pub fn for_workers() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(worker::claims::start_job))
        .routes(routes!(worker::reports::complete_job))
        .routes(routes!(worker::reports::fail_job))
        .routes(routes!(worker::reports::release_job))
        .routes(routes!(worker::heartbeat::heartbeat))
        .routes(routes!(worker::heartbeat::held_jobs))
}

/// What the worker key gives access to, and for its own ticket a job token.
#[must_use]
pub fn for_runners() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(worker::context::worker_context))
        .routes(routes!(worker::tickets::append_log))
        .routes(routes!(worker::tickets::complete_ticket))
        .routes(routes!(worker::tickets::cancel_requested))
        .routes(routes!(worker::steering::take_messages))
        .routes(routes!(worker::steering::messages_delivered))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(worker::steering::put_diff))
                .layer(DefaultBodyLimit::max(StoreDiffRequest::MAX_BODY_BYTES)),
        )
}

/// What either key gives access to.
#[must_use]
pub fn for_both() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(projects::memory::index_memory))
        .routes(routes!(projects::memory::retrieve_memory))
        .routes(routes!(system::metrics::metrics))
}

/// What needs no key.
#[must_use]
pub fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(system::health::health)).routes(routes!(system::health::ready))
}

/// Refuses a project that does not exist.
async fn require_project(conn: &mut PgConnection, id: ProjectId) -> ApiResult<()> {
    if db::projects::exists(conn, id).await? { Ok(()) } else { Err(Refusal::not_found("project", id).into()) }
}
