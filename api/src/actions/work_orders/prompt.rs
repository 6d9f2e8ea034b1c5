//! The prompt of a work order, with what the project's memory has about it.

use crate::actions::ActionResult;
use crate::actions::known::{Question, of_project};
use crate::changes::Database;
use crate::db;
use crate::db::work_orders::WorkOrder;
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::refusal::Refusal;
use crate::domain::work_orders::prompt::{Beside, prompt};
use crate::domain::work_orders::{NewOrder, OrderContent};
use crate::embeddings::EmbeddingService;

/// How many documents of the memory a prompt gets.
const MAX_KNOWN: i64 = 5;
/// How much of an order the memory is asked with, in characters.
const MAX_QUESTION_CHARS: usize = 2_000;

/// The prompt of an order that is there.
///
/// # Errors
/// When the database is not available.
pub async fn prompt_of(
    database: &Database,
    service: Option<&EmbeddingService>,
    order: &WorkOrder,
) -> ActionResult<String> {
    let question = Question::ask(service, question_of(&order.content())).await;
    let known = of_project(&mut *database.read().await?, order.project_id, &question, MAX_KNOWN).await?;
    Ok(with_known(order, &known))
}

/// The prompt of an order for a runner, which gets what the memory has beside it.
#[must_use]
pub fn prompt_for_runner(order: &WorkOrder) -> String {
    with_known(order, &[])
}

fn with_known(order: &WorkOrder, known: &[String]) -> String {
    let (id, system_prompt) = (Some(order.id.0), order.system_prompt.as_deref());
    prompt(&order.content(), Beside { id, system_prompt, known })
}

/// The prompt that an order would have.
///
/// # Errors
/// When its agent or repository does not exist, or the caller may not see it.
pub async fn preview(
    database: &Database,
    rights: &Rights,
    service: Option<&EmbeddingService>,
    new: &NewOrder,
) -> ActionResult<String> {
    let mut known = Vec::new();
    if let Some(repo) = new.repo {
        rights.require_in(repo, Role::Viewer)?;
        if !db::projects::exists(&mut *database.read().await?, repo).await? {
            return Err(Refusal::not_found("repository", repo).into());
        }
        let question = Question::ask(service, question_of(&new.content)).await;
        known = of_project(&mut *database.read().await?, repo, &question, MAX_KNOWN).await?;
    }
    let mut conn = database.read().await?;
    let named = match (new.agent, new.repo) {
        (Some(agent), _) => Some(agent),
        (None, Some(repo)) => db::agents::repos::find(&mut conn, repo).await?.and_then(|repo| repo.agent_id),
        (None, None) => None,
    };
    let agent = match named {
        Some(id) => Some(db::agents::find(&mut conn, id).await?.ok_or_else(|| Refusal::not_found("agent", id))?),
        None => None,
    };
    let system_prompt = agent.as_ref().and_then(|agent| agent.system_prompt.as_deref());
    Ok(prompt(&new.content, Beside { id: None, system_prompt, known: &known }))
}

/// What the memory is asked with, for an order.
pub(super) fn question_of(order: &OrderContent) -> String {
    let titles = order.lines.iter().map(|line| line.title.as_str());
    let question = std::iter::once(order.objective.as_str()).chain(titles).collect::<Vec<_>>().join(". ");
    question.chars().take(MAX_QUESTION_CHARS).collect()
}
