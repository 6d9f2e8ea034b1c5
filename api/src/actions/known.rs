//! What is known about a question: what agents have learnt, and what projects remember. By its meaning, as far as there is a service for
//! that, then by its words.

use crate::actions::ActionResult;
use crate::db;
use crate::db::knowledge::Found;
use crate::db::projects::memory::Remembered;
use crate::domain::meaning::{FITS, MAX_COMPARED, near};
use crate::embeddings::{Embedding, EmbeddingService};
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;
use uuid::Uuid;

/// Something that is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// In words.
    pub words: String,
    /// What it means; none without a service, or where that did not respond.
    pub meaning: Option<Embedding>,
}

impl Question {
    /// A question by its words alone.
    #[must_use]
    pub fn of_words(words: String) -> Self {
        Self { words, meaning: None }
    }

    /// A question with what it means. No connection may be held meanwhile: a service is asked.
    pub async fn ask(service: Option<&EmbeddingService>, words: String) -> Self {
        let meaning = match service {
            Some(service) => service.embed(&words).await,
            None => None,
        };
        Self { words, meaning }
    }
}

/// What agents have learnt about a question in these projects, or in all; only those of a kind, if one is named.
///
/// # Errors
/// When the database is not available.
pub async fn learnt(
    conn: &mut PgConnection,
    projects: Option<&[Uuid]>,
    question: &Question,
    agent_type: Option<&str>,
    limit: i64,
) -> ActionResult<Vec<Found>> {
    let mut results = match &question.meaning {
        Some(meaning) => learnt_near(conn, projects, meaning, agent_type, FITS).await?,
        None => Vec::new(),
    };
    for found in db::knowledge::search(conn, projects, &question.words, agent_type, limit).await? {
        if results.iter().all(|before| before.id != found.id) {
            results.push(found);
        }
    }
    results.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(results)
}

/// What agents have learnt that lies at least so near to a meaning, the nearest first.
///
/// # Errors
/// When the database is not available.
pub async fn learnt_near(
    conn: &mut PgConnection,
    projects: Option<&[Uuid]>,
    meaning: &Embedding,
    agent_type: Option<&str>,
    least: f64,
) -> ActionResult<Vec<Found>> {
    let all = db::knowledge::embeddings(conn, projects, &meaning.model, agent_type, MAX_COMPARED).await?;
    let near = near(&meaning.values, all, least).into_iter();
    Ok(near.map(|(found, similarity)| Found { similarity, ..found }).collect())
}

/// What a project remembers about a question, the best first.
///
/// # Errors
/// When the database is not available.
pub async fn remembered(
    conn: &mut PgConnection,
    project: ProjectId,
    question: &Question,
    limit: i64,
) -> ActionResult<Vec<Remembered>> {
    let by_words = db::projects::memory::search(conn, project, &question.words, limit).await?;
    let Some(meaning) = &question.meaning else { return Ok(by_words) };
    let all = db::projects::memory::embeddings(conn, project, &meaning.model, MAX_COMPARED).await?;
    let all = all.into_iter().map(|document| (document.id, document.values));
    let mut near = near(&meaning.values, all, FITS);
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    near.truncate(most);
    let mut results = db::projects::memory::documents(conn, &near).await?;
    for found in by_words {
        if results.iter().all(|before| before.content != found.content) {
            results.push(Remembered { score: below_what_fits(found.score), ..found });
        }
    }
    results.truncate(most);
    Ok(results)
}

/// A score of words, which has no bound, below that of what fits by its meaning: the best come first by their scores, too.
#[expect(clippy::cast_possible_truncation, reason = "a score needs no more digits")]
fn below_what_fits(score: f32) -> f32 {
    score / (1.0 + score) * FITS as f32
}

/// All that a project knows about a question: what agents have learnt there, then what it remembers.
///
/// # Errors
/// When the database is not available.
pub async fn of_project(
    conn: &mut PgConnection,
    project: ProjectId,
    question: &Question,
    limit: i64,
) -> ActionResult<Vec<String>> {
    let learnt = learnt(conn, Some(&[project.0]), question, None, limit).await?;
    let remembered = remembered(conn, project, question, limit).await?;
    let learnt = learnt.into_iter().map(|found| found.learning);
    Ok(learnt.chain(remembered.into_iter().map(|found| found.content)).collect())
}
