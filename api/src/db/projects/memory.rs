//! A project's memory: documents found by Postgres's full-text search, with what they mean beside them.

use crate::embeddings::Embedding;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use terarchitect_worker_api::ProjectId;
use uuid::Uuid;

/// A document that was found.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The document.
    pub content: String,
    /// Higher is better.
    pub score: f32,
}

/// What a document means.
#[derive(Clone, Debug)]
pub struct Meaning {
    /// The document.
    pub id: Uuid,
    /// Its digest.
    pub digest: Vec<u8>,
    /// Its size, in bytes.
    pub bytes: i32,
    /// The embedding.
    pub values: Vec<f32>,
}

/// What tells documents apart.
#[must_use]
pub fn digest(content: &str) -> Vec<u8> {
    Sha256::digest(content.as_bytes()).to_vec()
}

/// Stores documents; one that is stored already is skipped. Returns the digests of those that were new.
///
/// All who store do so in one order, so that two of them never wait for each other.
pub async fn insert(conn: &mut PgConnection, project: ProjectId, docs: &[&str]) -> sqlx::Result<Vec<Vec<u8>>> {
    let docs: Vec<String> = docs.iter().map(|doc| (*doc).to_owned()).collect();
    sqlx::query_scalar!(
        "insert into memory_documents (project_id, content, content_sha256)
         select $1, content, sha256(convert_to(content, 'UTF8')) from unnest($2::text[]) as new(content) order by 3
         on conflict on constraint memory_documents_content_key do nothing
         returning content_sha256",
        project.0,
        &docs
    )
    .fetch_all(conn)
    .await
}

/// Locks documents until the end of the transaction, in one order, so that two who count them never wait for each other.
pub async fn lock(conn: &mut PgConnection, project: ProjectId, digests: &[Vec<u8>]) -> sqlx::Result<()> {
    sqlx::query!(
        "select id from memory_documents where project_id = $1 and content_sha256 = any($2)
         order by content_sha256 for update",
        project.0,
        digests
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Counts documents once more that were said again.
pub async fn count_again(conn: &mut PgConnection, project: ProjectId, digests: &[Vec<u8>]) -> sqlx::Result<()> {
    sqlx::query!(
        "update memory_documents set frequency = frequency + 1 where project_id = $1 and content_sha256 = any($2)",
        project.0,
        digests
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores what a document means.
pub async fn set_meaning(
    conn: &mut PgConnection,
    project: ProjectId,
    digest: &[u8],
    meaning: &Embedding,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update memory_documents set embedding = $3, embedding_model = $4 where project_id = $1 and content_sha256 = $2",
        project.0,
        digest,
        &meaning.values,
        meaning.model
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a model makes of the documents that were stored last.
pub async fn embeddings(
    conn: &mut PgConnection,
    project: ProjectId,
    model: &str,
    limit: i64,
) -> sqlx::Result<Vec<Meaning>> {
    sqlx::query_as!(
        Meaning,
        r#"select id, content_sha256 as digest, octet_length(content) as "bytes!", embedding as "values!: Vec<f32>"
           from memory_documents
           where project_id = $1 and embedding_model = $2 and embedding is not null
           order by created_at desc limit $3"#,
        project.0,
        model,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Documents with how well each fits, in the same order.
pub async fn documents(conn: &mut PgConnection, found: &[(Uuid, f64)]) -> sqlx::Result<Vec<Remembered>> {
    let (ids, scores): (Vec<Uuid>, Vec<f64>) = found.iter().copied().unzip();
    sqlx::query_as!(
        Remembered,
        r#"select document.content, found.score::real as "score!"
           from unnest($1::uuid[], $2::float8[]) with ordinality as found (id, score, place)
           join memory_documents as document on document.id = found.id
           order by found.place"#,
        &ids,
        &scores
    )
    .fetch_all(conn)
    .await
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
) -> sqlx::Result<Vec<Remembered>> {
    sqlx::query_as!(
        Remembered,
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
    let digests: Vec<Vec<u8>> = docs.iter().map(|doc| digest(doc)).collect();
    let done = sqlx::query!(
        "delete from memory_documents where project_id = $1 and content_sha256 = any($2)",
        project.0,
        &digests
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
