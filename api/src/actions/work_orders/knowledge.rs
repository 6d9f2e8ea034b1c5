//! What is known: looked up for an order or a question, and added to.

use super::prompt::{question_of, search};
use crate::actions::ActionResult;
use crate::actions::projects::create::without_repository;
use crate::changes::Database;
use crate::db;
use crate::db::knowledge::{Added, Found, NewLearning};
use crate::db::work_orders::WorkOrder;
use crate::domain::actor::Actor;
use crate::domain::hooks::knowledge::{MAX_KNOWN, checked, digest, formatted, how_many};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::refusal::{ErrorCode, Refusal};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::{ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that was learnt.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewKnowledge {
    /// In words.
    pub text: String,
    /// The order in which it was learnt.
    pub work_order_id: Option<Uuid>,
    /// The repository that it is about, where no order is named.
    #[schema(value_type = Option<Uuid>)]
    pub repo_id: Option<ProjectId>,
    /// The kind of agent that learnt it.
    pub agent_type: Option<String>,
}

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What concerns this order.
    pub order: Option<TicketId>,
    /// What concerns this question.
    pub question: Option<String>,
    /// Of this repository.
    pub repo: Option<ProjectId>,
    /// Only what agents of this kind have learnt.
    pub agent_type: Option<String>,
    /// How many results at most.
    pub limit: Option<i64>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Learnt {
    /// The results, the best first.
    pub results: Vec<Found>,
    /// All of it as a text for an agent.
    pub formatted: String,
}

/// Looks up what is known.
///
/// # Errors
/// When there is nothing to look for, or no such order or repository.
pub async fn look(database: &Database, rights: &Rights, wanted: Wanted) -> ActionResult<Learnt> {
    let limit = how_many(wanted.limit);
    let mut conn = database.read().await?;
    if let Some(id) = wanted.order {
        let order = db::work_orders::list::find(&mut conn, id).await?;
        let order = order.filter(|order| rights.role_in(order.project_id) != Role::None);
        let order = order.ok_or_else(|| Refusal::not_found("work order", id))?;
        let question = wanted.question.unwrap_or_else(|| question_of(&order.content()));
        let agent_type = wanted.agent_type.as_deref();
        let of = Some([order.project_id.0]);
        let results =
            db::knowledge::search(&mut conn, of.as_ref().map(<[_]>::as_ref), &question, agent_type, limit).await?;
        return Ok(Learnt { results, formatted: context_of(&mut conn, &order).await? });
    }
    if let Some(repo) = wanted.repo {
        rights.require_in(repo, Role::Viewer)?;
    }
    let only = match wanted.repo {
        Some(repo) => Some(vec![repo.0]),
        None => rights.visible().map(|all| all.into_iter().map(|project| project.0).collect()),
    };
    let question = wanted.question.as_deref().map(str::trim).filter(|question| !question.is_empty());
    let question = question.ok_or_else(|| Refusal::invalid("Send 'work_order_id' or 'query': what to look for."))?;
    let question: String = question.chars().take(2_000).collect();
    let agent_type = wanted.agent_type.as_deref();
    let results = db::knowledge::search(&mut conn, only.as_deref(), &question, agent_type, limit).await?;
    let known: Vec<&str> = results.iter().map(|found| found.learning.as_str()).collect();
    Ok(Learnt { formatted: formatted(None, &known), results })
}

/// Everything that an agent should know when it begins: its order, and what is known about it.
pub(super) async fn context_of(conn: &mut PgConnection, order: &WorkOrder) -> ActionResult<String> {
    let known = search(conn, order.project_id, &order.content()).await?;
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Ok(formatted(Some((order.id, &order.content())), &known))
}

/// Adds to what is known.
///
/// # Errors
/// When the text is not valid, the order or repository does not exist, or the project knows as much as it may.
pub async fn add(database: &Database, actor: &Actor, rights: &Rights, new: NewKnowledge) -> ActionResult<Added> {
    let text = checked(&new.text)?;
    let mut change = database.change(actor).await?;
    let order = new.work_order_id.map(TicketId);
    let project = match (order, new.repo_id) {
        (Some(order), _) => {
            let project = db::work_orders::project_of(&mut change, order).await?;
            let project = project.filter(|project| rights.role_in(*project) != Role::None);
            project.ok_or_else(|| Refusal::not_found("work order", order))?
        }
        (None, Some(repo)) if db::projects::exists(&mut change, repo).await? => repo,
        (None, Some(repo)) => return Err(Refusal::not_found("repository", repo).into()),
        (None, None) => match rights.visible().as_deref() {
            Some([only]) => *only,
            _ => {
                rights.require(Role::Member)?;
                without_repository(&mut change).await?
            }
        },
    };
    rights.require_in(project, Role::Member)?;
    if db::knowledge::is_full(&mut change, project, MAX_KNOWN).await? {
        let sentence = format!("The project knows {MAX_KNOWN} things already, which is the most; delete some first.");
        return Err(Refusal::new(ErrorCode::KnowledgeLimitExceeded, sentence).into());
    }
    let (digest, agent_type) = (digest(&text), new.agent_type.as_deref());
    let added =
        db::knowledge::add(&mut change, &NewLearning { project, order, agent_type, text: &text, digest: &digest })
            .await?;
    if added.frequency == 1 {
        change.record(NewEvent::of_project(EventKind::MemoryChanged, project).with(json!({"learnt": 1})));
    }
    change.commit().await?;
    Ok(added)
}
