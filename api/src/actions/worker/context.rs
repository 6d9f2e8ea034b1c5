//! Begins an attempt: everything that a runner needs to know about its ticket, and its settings.

use crate::actions::ActionResult;
use crate::actions::forges::credentials::secret_of;
use crate::actions::forges::replies;
use crate::actions::known::{Question, of_project};
use crate::actions::projects::budgets::left_for;
use crate::actions::projects::secrets::open_secrets;
use crate::actions::system::settings::open;
use crate::actions::tickets::attempt::attempt_of;
use crate::actions::work_orders::prompt::prompt_for_runner;
use crate::actions::worker::review::review_of_job;
use crate::changes::Database;
use crate::db;
use crate::db::projects::Project;
use crate::db::tickets::Ticket;
use crate::db::work_orders::WorkOrder;
use crate::domain::agents::{Program, RunsOn};
use crate::domain::forges::CredentialKind;
use crate::domain::projects::{board, proof, repository};
use crate::domain::refusal::Refusal;
use crate::domain::system::settings::agent_name;
use crate::domain::worker::context::graph_view;
use crate::embeddings::EmbeddingService;
use crate::job_tokens::JobToken;
use crate::sealing::Sealer;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use terarchitect_worker_api::{
    AgentSettings, ContextTicket, ConversationInfo, CurrentTicket, FinishedWork, JobSecret, ProjectId, ProofTerms,
    ReviewContext, Stop, TicketId, WorkerContext,
};

const MAX_BACKLOG: i64 = 10;
const MAX_IN_PROGRESS: i64 = 5;
const MAX_DONE: i64 = 5;
const MAX_MEMORY: i64 = 5;
const MAX_QUESTION_CHARS: usize = 2_000;

/// The project, its graph, the ticket, notes, other tickets, the repository and the agent's settings; for the job of the
/// token also what reviewers say. Clears a stop request for an earlier attempt, and stores that the comments of a review
/// that starts are seen; true if there are any.
///
/// # Errors
/// When the ticket does not exist, or a stored secret cannot be opened.
pub async fn worker_context(
    database: &Database,
    sealer: &Sealer,
    service: Option<&EmbeddingService>,
    token: Option<JobToken>,
    (project_id, ticket_id): (ProjectId, TicketId),
) -> ActionResult<(WorkerContext, bool)> {
    let missing = || Refusal::not_found("ticket", ticket_id);
    // No transaction is open while a service is asked.
    let ticket = db::tickets::find(&mut *database.read().await?, project_id, ticket_id).await?.ok_or_else(missing)?;
    let question = Question::ask(service, question_of(&ticket)).await;
    let mut tx = database.transaction().await?;
    let mut ticket = db::tickets::find(&mut tx, project_id, ticket_id).await?.ok_or_else(missing)?;
    let order = db::work_orders::list::find(&mut tx, ticket_id).await?;
    // An attempt begins. A stop request that no live job has was meant for an earlier attempt, or came after that
    // attempt's end.
    db::tickets::forget_old_cancellation(&mut tx, ticket_id).await?;
    let project = db::projects::find(&mut tx, project_id).await?.ok_or_else(missing)?;
    let graph = db::projects::graphs::find(&mut tx, project_id).await?.ok_or_else(missing)?;
    let view = graph_view(graph.nodes, graph.edges, &ticket.associated_node_ids, &ticket.associated_edge_ids);
    let notes = notes(&mut tx, project_id).await?;
    let memory = of_project(&mut tx, project_id, &question, MAX_MEMORY).await?;
    let mut agent_settings = agent_settings(sealer, &mut tx).await?;
    agent_settings.0.extend(forge_settings(sealer, &mut tx, &project).await?);
    let mut of_order = ProofTerms::default();
    let base_branch = order.as_ref().and_then(WorkOrder::base_branch);
    if let Some(order) = order {
        // What an order asks for is its whole prompt; the ticket shows people the objective alone.
        ticket.description = Some(prompt_for_runner(&order));
        of_order = proof::of_order(&order.lines, &order.verification);
        // OpenCode is also the program of agents for which none was chosen: there the setting counts.
        let program =
            order.program.filter(|&program| program != Program::OpenCode && program.runs_on() == RunsOn::Container);
        let mode = program.map(|program| (AgentSettings::WORKER_MODE.to_owned(), program.as_str().to_owned()));
        agent_settings.0.extend(mode);
        agent_settings.0.extend(order.model.map(|model| (AgentSettings::WORKER_MODEL.to_owned(), model)));
    }
    let by = attempt_of(&mut tx, token, ticket_id, None).await?;
    let mut column =
        async |column, limit| db::tickets::list_for_context(&mut tx, project_id, column, ticket_id, limit).await;
    let context = WorkerContext {
        memory: Some(memory),
        project_name: project.name,
        project_description: project.description,
        repo_url: project.github_url.clone(),
        github_url: project.github_url,
        project_id,
        graph: view.graph,
        graph_relevant_to_current_ticket: view.relevant,
        notes,
        backlog_tickets: column(board::BACKLOG, MAX_BACKLOG).await?,
        in_progress_tickets: column(board::IN_PROGRESS, MAX_IN_PROGRESS).await?,
        done_tickets: column(board::DONE, MAX_DONE).await?,
        current_ticket: current(ticket, view.nodes_labeled, view.edges_labeled),
        closes_issue: db::forges::issues::of_ticket(&mut tx, project_id, ticket_id).await?,
        agent_settings,
        finished_work: finished_work(&mut tx, ticket_id).await?,
        review: review_of_token(&mut tx, token).await?,
        base_branch,
        update_strategy: project.update_strategy,
        submodules: project.submodules,
        checkpoints: stops(&mut tx, token).await?,
        conversation: conversation(&mut tx, token).await?,
        input_data: db::agent_tasks::input(&mut tx, ticket_id).await?,
        output_data: db::agent_tasks::output_of_held(&mut tx, ticket_id).await?,
        proof: proof::all(
            db::projects::proof::of_project(&mut tx, project_id).await?,
            db::projects::proof::of_ticket(&mut tx, ticket_id).await?,
            of_order,
        ),
        secrets: secrets(&mut tx, sealer, project_id, token).await?,
        budget: left_for(&mut tx, (project_id, ticket_id), by).await?,
    };
    let job = match token {
        Some(token) => Some(token.job_id),
        None => db::jobs::running_review(&mut tx, ticket_id).await?,
    };
    let has_posts = match job {
        Some(job) => replies::react(&mut tx, (project_id, ticket_id), job).await?,
        None => false,
    };
    tx.commit().await?;
    Ok((context, has_posts))
}

/// What the memory is asked with, for a ticket.
fn question_of(ticket: &Ticket) -> String {
    let question = format!("{}. {}", ticket.title, ticket.description.as_deref().unwrap_or_default());
    question.chars().take(MAX_QUESTION_CHARS).collect()
}

/// What an earlier attempt of the ticket's live job noted as done. A note that can't be read is none.
async fn finished_work(conn: &mut PgConnection, ticket: TicketId) -> ActionResult<Option<FinishedWork>> {
    let noted = db::tickets::logs::newest_of_live_job(conn, ticket, FinishedWork::STEP).await?;
    Ok(noted.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Where the token's job stops for a person.
async fn stops(conn: &mut PgConnection, token: Option<JobToken>) -> ActionResult<Vec<Stop>> {
    let Some(token) = token else { return Ok(Vec::new()) };
    Ok(db::jobs::terms(conn, token.job_id).await?.map(|job| job.checkpoints).unwrap_or_default())
}

/// What is kept of the conversation of an earlier attempt of the token's job.
async fn conversation(conn: &mut PgConnection, token: Option<JobToken>) -> ActionResult<Option<ConversationInfo>> {
    let Some(token) = token else { return Ok(None) };
    Ok(db::checkpoints::conversations::info(conn, token.job_id).await?)
}

/// The project's secrets, for the runner of the token's job alone: people and keys never get them here.
async fn secrets(
    conn: &mut PgConnection,
    sealer: &Sealer,
    project: ProjectId,
    token: Option<JobToken>,
) -> ActionResult<Vec<JobSecret>> {
    match token {
        Some(_) => open_secrets(conn, sealer, project).await,
        None => Ok(Vec::new()),
    }
}

/// What reviewers say, for the runner of the job that was made of it.
async fn review_of_token(conn: &mut PgConnection, token: Option<JobToken>) -> ActionResult<Option<ReviewContext>> {
    match token {
        Some(token) => review_of_job(conn, token.job_id).await,
        None => Ok(None),
    }
}

fn current(ticket: Ticket, nodes_labeled: Vec<String>, edges_labeled: Vec<String>) -> CurrentTicket {
    CurrentTicket {
        ticket: ContextTicket {
            id: ticket.id,
            title: ticket.title,
            description: ticket.description,
            priority: ticket.priority.as_str().to_owned(),
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

async fn notes(conn: &mut PgConnection, project_id: ProjectId) -> ActionResult<Vec<Map<String, Value>>> {
    let notes = db::projects::notes::list(conn, project_id).await?;
    Ok(notes
        .into_iter()
        .filter_map(|note| match json!(note) {
            Value::Object(fields) => Some(fields),
            _ => None,
        })
        .collect())
}

/// What runners need of the project's forge beside the settings: its kind, and the token that is stored for its host.
async fn forge_settings(
    sealer: &Sealer,
    conn: &mut PgConnection,
    project: &Project,
) -> ActionResult<Vec<(String, String)>> {
    let mut settings = Vec::new();
    if let Some(kind) = project.forge_kind {
        settings.push((AgentSettings::FORGE_KIND.to_owned(), kind.as_str().to_owned()));
    }
    let Some((root, host)) = project.github_url.as_deref().and_then(repository::home) else { return Ok(settings) };
    if let Some(secret) = secret_of(conn, sealer, project.id, &host, CredentialKind::Bot).await? {
        settings.push((AgentSettings::FORGE_TOKEN.to_owned(), secret.expose_secret().to_owned()));
        settings.push((AgentSettings::FORGE_TOKEN_HOST.to_owned(), root));
    }
    Ok(settings)
}

/// The settings that concern runners, under the names that runners use.
async fn agent_settings(sealer: &Sealer, conn: &mut PgConnection) -> ActionResult<AgentSettings> {
    let mut settings = AgentSettings::default();
    for stored in db::system::settings::list(conn).await? {
        if let Some(name) = agent_name(&stored.key) {
            let value = open(sealer, &stored)?;
            settings.0.insert(name.to_owned(), value.expose_secret().to_owned());
        }
    }
    Ok(settings)
}
