//! What is known: looked up for an order or a question, and added to.

use super::prompt::{question_of, search};
use crate::actions::ActionResult;
use crate::actions::projects::create::without_repository;
use crate::changes::Database;
use crate::db;
use crate::db::knowledge::{Added, Found, NewLearning};
use crate::db::work_orders::WorkOrder;
use crate::domain::actor::Actor;
use crate::domain::hooks::knowledge::{FITS, MAX_KNOWN, SAME, checked, cosine, digest, formatted, how_many};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::embeddings::{Embedding, EmbeddingService};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use terarchitect_worker_api::{ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// With how much a question is compared by its meaning: what was learnt last.
const MAX_COMPARED: i64 = 2_000;

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
        let of = [order.project_id.0];
        let asked = Asked { projects: Some(&of), question: &question, agent_type, limit };
        let results = find(database, service, asked).await?;
        let known: Vec<&str> = results.iter().map(|found| found.learning.as_str()).collect();
        let formatted = context_with(&mut *database.read().await?, &order, &known).await?;
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
    let asked = Asked { projects: only.as_deref(), question: &question, agent_type, limit };
    let results = find(database, service, asked).await?;
    let known: Vec<&str> = results.iter().map(|found| found.learning.as_str()).collect();
    Ok(Learnt { formatted: formatted(None, &known), results })
}

/// What is asked.
#[derive(Clone, Copy)]
struct Asked<'a> {
    projects: Option<&'a [Uuid]>,
    question: &'a str,
    agent_type: Option<&'a str>,
    limit: i64,
}

/// What fits a question: by its meaning, as far as there is a service for that, then by its words.
async fn find(database: &Database, service: Option<&EmbeddingService>, asked: Asked<'_>) -> ActionResult<Vec<Found>> {
    let Asked { projects, question, agent_type, limit } = asked;
    // No connection is held meanwhile.
    let meant = match service {
        Some(service) => service.embed(question).await,
        None => None,
    };
    let mut conn = database.read().await?;
    let mut results = match &meant {
        Some(meant) => near(&mut conn, projects, meant, agent_type, FITS).await?,
        None => Vec::new(),
    };
    for found in db::knowledge::search(&mut conn, projects, question, agent_type, limit).await? {
        if results.iter().all(|before| before.id != found.id) {
            results.push(found);
        }
    }
    results.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(results)
}

/// What lies at least so near to an embedding, the nearest first.
async fn near(
    conn: &mut PgConnection,
    projects: Option<&[Uuid]>,
    to: &Embedding,
    agent_type: Option<&str>,
    least: f64,
) -> ActionResult<Vec<Found>> {
    let all = db::knowledge::embeddings(conn, projects, &to.model, agent_type, MAX_COMPARED).await?;
    let mut near: Vec<Found> = all
        .into_iter()
        .map(|(found, values)| Found { similarity: cosine(&to.values, &values), ..found })
        .filter(|found| found.similarity >= least)
        .collect();
    near.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    Ok(near)
}

/// Everything that an agent should know when it begins: its order, and what is known about it.
pub(super) async fn context_of(conn: &mut PgConnection, order: &WorkOrder) -> ActionResult<String> {
    context_with(conn, order, &[]).await
}

/// The same, where something is known already.
async fn context_with(conn: &mut PgConnection, order: &WorkOrder, known: &[&str]) -> ActionResult<String> {
    let by_words = search(conn, order.project_id, &order.content()).await?;
    let others = by_words.iter().map(String::as_str).filter(|text| !known.contains(text));
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
        Some(meant) => near(&mut change, Some(&[project.0]), meant, None, SAME).await?.into_iter().next(),
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
