//! A project's memory: documents found by Postgres's full-text search.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;

/// A document that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The document.
    pub content: String,
    /// Higher is better.
    pub score: f32,
}

/// Stores documents; one that is stored already is skipped. Returns how many were new.
pub async fn insert(conn: &mut PgConnection, project: ProjectId, docs: &[String]) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "insert into memory_documents (project_id, content, content_sha256)
         select $1, content, sha256(convert_to(content, 'UTF8')) from unnest($2::text[]) as new(content)
         on conflict on constraint memory_documents_content_key do nothing",
        project.0,
        docs
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// The documents that share a word with the question, the best first.
///
/// The question's words are joined with OR: a question in natural language has words that no document has. The query
/// is built from its lexemes, each quoted, so that nothing in the question is taken for an operator.
pub async fn search(
    conn: &mut PgConnection,
    project: ProjectId,
    question: &str,
    limit: i64,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"with question as (
               select string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery as words
               from unnest(to_tsvector('english', $2))
           )
           select content, ts_rank_cd(document.words, question.words, 1)
                  + ts_rank(document.words, question.words, 1) as "score!"
           from memory_documents as document, question
           where project_id = $1 and document.words @@ question.words
           order by 2 desc, created_at desc, id
           limit $3"#,
        project.0,
        question,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Deletes documents by their text. Returns how many were deleted.
pub async fn delete(conn: &mut PgConnection, project: ProjectId, docs: &[String]) -> sqlx::Result<u64> {
    let digests: Vec<Vec<u8>> = docs.iter().map(|doc| Sha256::digest(doc.as_bytes()).to_vec()).collect();
    let done = sqlx::query!(
        "delete from memory_documents where project_id = $1 and content_sha256 = any($2)",
        project.0,
        &digests
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
