//! What is known: looked up for an order or a question, and added to.

use super::prompt::question_of;
use crate::actions::ActionResult;
use crate::actions::known::{Question, learnt, learnt_near, of_project};
use crate::actions::projects::create::without_repository;
use crate::changes::Database;
use crate::db;
use crate::db::knowledge::{Added, Found, NewLearning};
use crate::db::work_orders::WorkOrder;
use crate::domain::actor::Actor;
use crate::domain::hooks::knowledge::{MAX_KNOWN, checked, digest, formatted, how_many};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::meaning::SAME;
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::embeddings::EmbeddingService;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::{ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// How many documents of a project's memory an order's agent gets.
const MAX_REMEMBERED: i64 = 5;

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
pub async fn look(
    database: &Database,
    rights: &Rights,
    service: Option<&EmbeddingService>,
    wanted: Wanted,
) -> ActionResult<Learnt> {
    let limit = how_many(wanted.limit);
    let agent_type = wanted.agent_type.as_deref();
    let mut conn = database.read().await?;
    if let Some(id) = wanted.order {
        let order = db::work_orders::list::find(&mut conn, id).await?;
        let order = order.filter(|order| rights.role_in(order.project_id) != Role::None);
        let order = order.ok_or_else(|| Refusal::not_found("work order", id))?;
        let question = wanted.question.unwrap_or_else(|| question_of(&order.content()));
        drop(conn);
        // No connection is held while a service is asked.
        let question = Question::ask(service, question).await;
        let mut conn = database.read().await?;
        let results = learnt(&mut conn, Some(&[order.project_id.0]), &question, agent_type, limit).await?;
        let known: Vec<&str> = results.iter().map(|found| found.learning.as_str()).collect();
        let formatted = context_with(&mut conn, &order, &question, &known).await?;
        return Ok(Learnt { results, formatted });
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
    drop(conn);
    let question = Question::ask(service, question).await;
    let results = learnt(&mut *database.read().await?, only.as_deref(), &question, agent_type, limit).await?;
    let known: Vec<&str> = results.iter().map(|found| found.learning.as_str()).collect();
    Ok(Learnt { formatted: formatted(None, &known), results })
}

/// Everything that an agent should know when it begins: its order, and what is known about it.
pub(super) async fn context_of(conn: &mut PgConnection, order: &WorkOrder) -> ActionResult<String> {
    // An agent that begins waits for this in its first hook, so that no service is asked.
    context_with(conn, order, &Question::of_words(question_of(&order.content())), &[]).await
}

/// The same, where something is known already.
async fn context_with(
    conn: &mut PgConnection,
    order: &WorkOrder,
    question: &Question,
    known: &[&str],
) -> ActionResult<String> {
    let all = of_project(conn, order.project_id, question, MAX_REMEMBERED).await?;
    let others = all.iter().map(String::as_str).filter(|text| !known.contains(text));
    let all: Vec<&str> = known.iter().copied().chain(others).collect();
    Ok(formatted(Some((order.id, &order.content())), &all))
}

/// Adds to what is known.
///
/// # Errors
/// When the text is not valid, the order or repository does not exist, or the project knows as much as it may.
pub async fn add(
    database: &Database,
    actor: &Actor,
    rights: &Rights,
    service: Option<&EmbeddingService>,
    new: NewKnowledge,
) -> ActionResult<Added> {
    let text = checked(&new.text)?;
    let meant = match service {
        Some(service) => service.embed(&text).await,
        None => None,
    };
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
    let same = match &meant {
        Some(meant) => learnt_near(&mut change, Some(&[project.0]), meant, None, SAME).await?.into_iter().next(),
        None => None,
    };
    let again = match same {
        Some(same) => db::knowledge::again(&mut change, same.id).await?,
        None => None,
    };
    let (digest, agent_type, embedding) = (digest(&text), new.agent_type.as_deref(), meant.as_ref());
    let added = match again {
        Some(again) => again,
        None => {
            let learning = NewLearning { project, order, agent_type, text: &text, digest: &digest, embedding };
            db::knowledge::add(&mut change, &learning).await?
        }
    };
    if added.frequency == 1 {
        change.record(NewEvent::of_project(EventKind::MemoryChanged, project).with(json!({"learnt": 1})));
    }
    change.commit().await?;
    Ok(added)
}

/// Forgets something that was learnt.
///
/// # Errors
/// When there is no such thing, or the caller may not change its project.
pub async fn forget(database: &Database, actor: &Actor, rights: &Rights, id: Uuid) -> ActionResult<()> {
    let missing = || Refusal::not_found("knowledge", id);
    let mut change = database.change(actor).await?;
    let project = db::knowledge::project_for_update(&mut change, id).await?;
    let project = project.filter(|project| rights.role_in(*project) != Role::None).ok_or_else(missing)?;
    rights.require_in(project, Role::Member)?;
    db::knowledge::delete(&mut change, id).await?;
    change.record(NewEvent::of_project(EventKind::MemoryChanged, project).with(json!({"forgotten": 1})));
    Ok(change.commit().await?)
}
