//! What is known, beside the memory of projects.

use crate::embeddings::Embedding;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that was learnt.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeResult)]
pub struct Found {
    /// What was learnt.
    pub id: Uuid,
    /// In words.
    pub learning: String,
    /// How many times it was learnt.
    pub frequency: i32,
    /// When it was learnt last.
    pub last_seen_at: DateTime<Utc>,
    /// How well it fits, from 0 to 1.
    pub similarity: f64,
}

/// What was stored.
#[derive(Clone, Copy, Debug)]
pub struct Added {
    /// What was learnt.
    pub id: Uuid,
    /// How many times it was learnt.
    pub frequency: i32,
    /// Whether it can be found by its meaning.
    pub has_embedding: bool,
}

/// Something to store.
#[derive(Clone, Copy, Debug)]
pub struct NewLearning<'a> {
    /// Whose it is.
    pub project: ProjectId,
    /// The order in which it was learnt.
    pub order: Option<TicketId>,
    /// The kind of agent that learnt it.
    pub agent_type: Option<&'a str>,
    /// In words.
    pub text: &'a str,
    /// What is the same for all that says the same in other spaces and cases.
    pub digest: &'a [u8],
    /// What it means.
    pub embedding: Option<&'a Embedding>,
}

/// Stores something; what is known already is counted once more.
pub async fn add(conn: &mut PgConnection, new: &NewLearning<'_>) -> sqlx::Result<Added> {
    sqlx::query_as!(
        Added,
        r#"insert into knowledge as known (id, project_id, work_order_id, agent_type, learning, learning_sha256, embedding,
               embedding_model)
           values ($1, $2, $3, $4, $5, $6, $7, $8)
           on conflict on constraint knowledge_learning_key do update
               set frequency = known.frequency + 1, last_seen_at = now(),
                   embedding = coalesce(excluded.embedding, known.embedding),
                   embedding_model = coalesce(excluded.embedding_model, known.embedding_model)
           returning id, frequency, embedding is not null as "has_embedding!""#,
        Uuid::now_v7(),
        new.project.0,
        new.order.map(|order| order.0),
        new.agent_type,
        new.text,
        new.digest,
        new.embedding.map(|embedding| embedding.values.clone()) as Option<Vec<f32>>,
        new.embedding.map(|embedding| embedding.model.as_str())
    )
    .fetch_one(conn)
    .await
}

/// Counts something once more that is known already.
pub async fn again(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Added>> {
    sqlx::query_as!(
        Added,
        r#"update knowledge set frequency = frequency + 1, last_seen_at = now() where id = $1
           returning id, frequency, embedding is not null as "has_embedding!""#,
        id
    )
    .fetch_optional(conn)
    .await
}

/// What a model makes of what was learnt last in these projects.
pub async fn embeddings(
    conn: &mut PgConnection,
    projects: Option<&[Uuid]>,
    model: &str,
    agent_type: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<(Found, Vec<f32>)>> {
    let rows = sqlx::query!(
        r#"select id, learning, frequency, last_seen_at, embedding as "embedding!: Vec<f32>" from knowledge
           where ($1::uuid[] is null or project_id = any ($1)) and embedding is not null and embedding_model = $2
               and ($3::text is null or agent_type = $3)
           order by last_seen_at desc limit $4"#,
        projects,
        model,
        agent_type,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (id, learning, frequency, last_seen_at) = (row.id, row.learning, row.frequency, row.last_seen_at);
            (Found { id, learning, frequency, last_seen_at, similarity: 0.0 }, row.embedding)
        })
        .collect())
}

/// Whether a project knows as much as it may.
pub async fn is_full(conn: &mut PgConnection, project: ProjectId, most: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from (select 1 from knowledge where project_id = $1 order by last_seen_at desc offset $2 limit 1) as one
           ) as "full!""#,
        project.0,
        most - 1
    )
    .fetch_one(conn)
    .await
}

/// What shares a word with the question, the best first; of these projects, or of all. As in the memory of projects, the question's
/// words are joined with OR.
pub async fn search(
    conn: &mut PgConnection,
    projects: Option<&[Uuid]>,
    question: &str,
    agent_type: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"with question as (
               select string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery as words
               from unnest(to_tsvector('english', $2))
           )
           select id, learning, frequency, last_seen_at,
               (ts_rank_cd(known.words, question.words, 32) + ts_rank(known.words, question.words, 32))::float8
                   as "similarity!"
           from knowledge as known, question
           where ($1::uuid[] is null or project_id = any ($1)) and known.words @@ question.words
               and ($3::text is null or agent_type = $3)
           order by 5 desc, frequency desc, last_seen_at desc limit $4"#,
        projects,
        question,
        agent_type,
        limit
    )
    .fetch_all(conn)
    .await
}

/// The project of something that was learnt, locked until the end of the transaction.
pub async fn project_for_update(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<ProjectId>> {
    let found = sqlx::query_scalar!("select project_id from knowledge where id = $1 for update", id);
    Ok(found.fetch_optional(conn).await?.map(ProjectId))
}

/// Forgets something that was learnt.
pub async fn delete(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from knowledge where id = $1", id).execute(conn).await?;
    Ok(())
}
