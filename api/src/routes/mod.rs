//! The routes, by family. Handlers extract, get their caller, call one action or query, and map the result.

pub mod agent_tasks;
pub mod agents;
pub mod checkpoints;
pub mod cloud;
pub mod forges;
pub mod jobs;
pub mod live;
pub mod people;
pub mod projects;
pub mod schedules;
pub mod system;
pub mod tickets;
pub mod work_orders;
pub mod worker;

use crate::access::Need;
use crate::db;
use crate::domain::hooks::MAX_BODY_BYTES;
use crate::domain::people::Role;
use crate::domain::refusal::Refusal;
use crate::http::error::ApiResult;
use crate::state::App;
use axum::extract::DefaultBodyLimit;
use sqlx::PgConnection;
use terarchitect_worker_api::{ConversationInfo, ProjectId, StoreDiffRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every documented endpoint, by what it needs. The application's key may do what an admin may.
#[must_use]
pub fn all() -> Vec<(Option<Need>, OpenApiRouter<App>)> {
    vec![
        (Some(Need::Role(Role::Viewer)), for_viewers()),
        (Some(Need::Role(Role::Member)), for_members()),
        (Some(Need::Role(Role::Admin)), for_admins()),
        (Some(Need::SignedIn), for_signed_in()),
        (Some(Need::Worker), for_workers()),
        (Some(Need::Runner), for_runners()),
        (Some(Need::RoleOrWorker(Role::Viewer)), for_viewers_and_workers()),
        (Some(Need::RoleOrWorker(Role::Member)), for_members_and_workers()),
        (Some(Need::RoleOrWorker(Role::Admin)), for_admins_and_workers()),
        (Some(Need::Ingest), for_hooks()),
        (Some(Need::RoleOrIngest(Role::Member)), for_members_and_hooks()),
        (Some(Need::Open), for_everybody()),
        (None, unguarded()),
        (None, for_forges()),
    ]
}

/// What viewers may do: read. Lists contain what the caller may see.
fn for_viewers() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(projects::list_projects))
        .routes(routes!(projects::get_project))
        .routes(routes!(projects::graph::get_graph))
        .routes(routes!(projects::proof::get_project_proof))
        .routes(routes!(projects::proof::get_ticket_proof))
        .routes(routes!(projects::proof::get_proposed_proof))
        .routes(routes!(projects::secrets::list_project_secrets))
        .routes(routes!(projects::budgets::get_project_budget))
        .routes(routes!(projects::budgets::get_ticket_budget))
        .routes(routes!(projects::board::get_board))
        .routes(routes!(projects::notes::list_notes))
        .routes(routes!(projects::notes::get_note))
        .routes(routes!(tickets::list_tickets))
        .routes(routes!(tickets::get_ticket))
        .routes(routes!(tickets::list_logs))
        .routes(routes!(tickets::timeline::get_log))
        .routes(routes!(tickets::timeline::get_timeline))
        .routes(routes!(tickets::diffs::list_diffs))
        .routes(routes!(tickets::usage::get_ticket_usage))
        .routes(routes!(tickets::usage::get_expected_usage))
        .routes(routes!(tickets::usage::get_project_usage))
        .routes(routes!(tickets::diffs::get_diff))
        .routes(routes!(tickets::messages::list_messages))
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(live::read_events))
        .routes(routes!(live::board::live_board))
        .routes(routes!(live::board::live_summary))
        .routes(routes!(live::board::live_card))
        .routes(routes!(live::board::live_page))
        .routes(routes!(live::inbox::read_inbox))
        .routes(routes!(live::fleet::read_fleet))
        .routes(routes!(agent_tasks::list_agent_jobs))
        .routes(routes!(agent_tasks::get_agent_job))
        .routes(routes!(agent_tasks::list_agent_job_checkpoints))
        .routes(routes!(checkpoints::get_checkpoint))
        .routes(routes!(checkpoints::list_of_job))
        .routes(routes!(forges::deliveries::list_deliveries))
        .routes(routes!(forges::reviews::list_reviews))
        .routes(routes!(forges::reviews::get_review))
        .routes(routes!(system::settings::check_settings))
        .routes(routes!(worker::coordinators::list_coordinators))
        .routes(routes!(agents::list_agents))
        .routes(routes!(agents::get_agent))
        .routes(routes!(agents::repos::list_repos))
        .routes(routes!(agents::repos::get_repo))
        .routes(routes!(work_orders::list_work_orders))
        .routes(routes!(work_orders::get_work_order))
}

/// What members may do: work with tickets and what belongs to a project.
fn for_members() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(projects::graph::update_graph))
        .routes(routes!(projects::proof::set_ticket_proof))
        .routes(routes!(projects::budgets::set_ticket_budget))
        .routes(routes!(projects::board::update_board))
        .routes(routes!(projects::notes::create_note))
        .routes(routes!(projects::notes::update_note, projects::notes::delete_note))
        .routes(routes!(projects::memory::delete_memory))
        .routes(routes!(tickets::create_ticket))
        .routes(routes!(tickets::update_ticket, tickets::delete_ticket))
        .routes(routes!(tickets::cancel_ticket))
        .routes(routes!(tickets::messages::post_message))
        .routes(routes!(jobs::actions::enqueue_job))
        .routes(routes!(jobs::actions::retry_job))
        .routes(routes!(jobs::actions::cancel_job))
        .routes(routes!(live::inbox::snooze_ticket))
        .routes(routes!(agent_tasks::changes::change_agent_job))
        .routes(routes!(checkpoints::approve_checkpoint))
        .routes(routes!(checkpoints::reject_checkpoint))
        .routes(routes!(forges::reviews::comment))
        .routes(routes!(forges::reviews::approve))
        .routes(routes!(forges::reviews::merge))
        .routes(routes!(system::trials::check))
        .routes(routes!(system::trials::check_hooks))
        .routes(routes!(work_orders::changes::update_work_order))
        .routes(routes!(work_orders::changes::cancel_work_order))
        .routes(routes!(work_orders::changes::launch_work_order))
}

/// What admins alone may do. A project's own fields say where and in which image its jobs run.
fn for_admins() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(projects::create_project))
        .routes(routes!(projects::update_project, projects::delete_project))
        .routes(routes!(projects::proof::set_project_proof))
        .routes(routes!(projects::secrets::set_project_secret, projects::secrets::delete_project_secret))
        .routes(routes!(projects::budgets::set_project_budget))
        .routes(routes!(system::settings::get_settings, system::settings::update_settings))
        .routes(routes!(system::trials::test))
        .routes(routes!(system::trials::export))
        .routes(routes!(system::trials::import))
        .routes(routes!(live::fleet::stop_fleet))
        .routes(routes!(agent_tasks::fleet::get_agent_worker, agent_tasks::fleet::start_agent_worker))
        .routes(routes!(agent_tasks::fleet::stop_agent_worker))
        .routes(routes!(checkpoints::admin::list_checkpoints))
        .routes(routes!(checkpoints::admin::approve_as_admin, checkpoints::admin::reject_as_admin))
        .routes(routes!(live::fleet::resume_fleet))
        .routes(routes!(worker::coordinators::direct_coordinator, worker::coordinators::forget_coordinator))
        .routes(routes!(people::manage::list_people))
        .routes(routes!(people::manage::update_person, people::manage::delete_person))
        .routes(routes!(people::manage::reset_person))
        .routes(routes!(people::invitations::list_invitations, people::invitations::create_invitation))
        .routes(routes!(people::invitations::delete_invitation))
        .routes(routes!(people::audit::read_audit))
        .routes(routes!(forges::deliveries::replay_delivery))
        .routes(routes!(agents::create_agent))
        .routes(routes!(agents::update_agent, agents::delete_agent))
        .routes(routes!(agents::repos::create_repo))
        .routes(routes!(agents::repos::update_repo, agents::repos::delete_repo))
}

/// What everyone who is known may do, with their own things and as far as their role in a project reaches.
fn for_signed_in() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(people::session::update_session, people::session::sign_out))
        .routes(routes!(people::sessions::list_sessions))
        .routes(routes!(people::sessions::end_session))
        .routes(routes!(people::tokens::list_tokens, people::tokens::create_token))
        .routes(routes!(people::tokens::revoke_token))
        .routes(routes!(schedules::list_schedules, schedules::create_schedule))
        .routes(routes!(schedules::get_schedule, schedules::update_schedule, schedules::delete_schedule))
        .routes(routes!(schedules::preview_schedule))
        .routes(routes!(schedules::runs::run_schedule))
        .routes(routes!(schedules::runs::cron))
        .routes(routes!(schedules::runs::list_runs))
        .routes(routes!(work_orders::knowledge::delete_knowledge))
        .routes(routes!(people::device_logins::get_device_login))
        .routes(routes!(people::device_logins::approve_device_login))
        .routes(routes!(people::device_logins::deny_device_login))
        .routes(routes!(forges::credentials::list_credentials, forges::credentials::create_credential))
        .routes(routes!(forges::credentials::delete_credential))
        .routes(routes!(forges::secrets::list_secrets, forges::secrets::create_secret))
        .routes(routes!(forges::secrets::delete_secret))
        .routes(routes!(agent_tasks::changes::create_agent_job))
        .routes(routes!(work_orders::create_work_order))
        .routes(routes!(work_orders::preview_work_order))
}

/// What the worker key guards.
fn for_workers() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(worker::claims::start_job))
        .routes(routes!(worker::reports::complete_job))
        .routes(routes!(worker::reports::fail_job))
        .routes(routes!(worker::reports::release_job))
        .routes(routes!(worker::heartbeat::heartbeat))
        .routes(routes!(worker::heartbeat::held_jobs))
}

/// What the worker key gives access to, and for its own ticket a job token.
fn for_runners() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(worker::context::worker_context))
        .routes(routes!(worker::tickets::append_log))
        .routes(routes!(worker::tickets::complete_ticket))
        .routes(routes!(worker::tickets::cancel_requested))
        .routes(routes!(worker::steering::take_messages))
        .routes(routes!(worker::steering::put_usage))
        .routes(routes!(projects::proof::propose_proof))
        .routes(routes!(worker::steering::messages_delivered))
        .routes(routes!(worker::checkpoints::open_checkpoint))
        .routes(routes!(worker::checkpoints::wait_for_decision))
        .routes(routes!(worker::checkpoints::hold_job))
        .routes(routes!(worker::checkpoints::store_output))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(worker::steering::put_diff))
                .layer(DefaultBodyLimit::max(StoreDiffRequest::MAX_BODY_BYTES)),
        )
        .merge(
            OpenApiRouter::new()
                .routes(routes!(worker::checkpoints::keep_conversation, worker::checkpoints::get_conversation))
                .layer(DefaultBodyLimit::max(ConversationInfo::MAX_BYTES)),
        )
}

fn for_viewers_and_workers() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(projects::memory::retrieve_memory))
}

fn for_members_and_workers() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(projects::memory::index_memory))
}

fn for_admins_and_workers() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(system::metrics::metrics)).routes(routes!(system::metrics::document_metrics))
}

/// What hooks of agents send, and what they read.
fn for_hooks() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(work_orders::knowledge::get_knowledge, work_orders::knowledge::add_knowledge))
        .routes(routes!(work_orders::knowledge::query_knowledge))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(work_orders::ingest::ingest))
                .layer(DefaultBodyLimit::max(MAX_BODY_BYTES)),
        )
}

fn for_members_and_hooks() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(work_orders::changes::set_line))
}

/// What changes something and is for everyone: signing in.
fn for_everybody() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(people::session::sign_in))
        .routes(routes!(people::links::look_at_link))
        .routes(routes!(people::links::use_link))
        .routes(routes!(people::device_logins::begin_device_login))
        .routes(routes!(people::device_logins::collect_device_token))
}

/// What only reads and is for everyone.
fn unguarded() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(system::health::health))
        .routes(routes!(system::health::ready))
        .routes(routes!(people::session::get_session))
        .routes(routes!(people::oidc::start_oidc))
        .routes(routes!(people::oidc::finish_oidc))
}

/// What forges and Cursor send: the signature of each delivery is its guard.
fn for_forges() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(forges::webhooks::from_github))
        .routes(routes!(forges::webhooks::from_github_for))
        .routes(routes!(forges::webhooks::from_gitlab))
        .routes(routes!(forges::webhooks::from_gitlab_for))
        .routes(routes!(forges::webhooks::from_gitea))
        .routes(routes!(forges::webhooks::from_gitea_for))
        .layer(DefaultBodyLimit::max(forges::webhooks::MAX_BODY_BYTES))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(cloud::from_cursor))
                .layer(DefaultBodyLimit::max(cloud::MAX_BODY_BYTES)),
        )
}

/// Refuses a project that does not exist.
async fn require_project(conn: &mut PgConnection, id: ProjectId) -> ApiResult<()> {
    if db::projects::exists(conn, id).await? { Ok(()) } else { Err(Refusal::not_found("project", id).into()) }
}
