//! What this system says and does at forges, until the forge has it.

use crate::db::words::Word;
use crate::domain::forges::{ForgeKind, PostKind};
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::{ProjectId, TicketId};
use uuid::Uuid;

/// Something to say about a pull request, or to do with it.
#[derive(Clone, Copy, Debug)]
pub struct NewPost<'a> {
    /// The project.
    pub project: ProjectId,
    /// The ticket that the pull request is of.
    pub ticket: TicketId,
    /// The pull request's number.
    pub pr_number: i64,
    /// What it is.
    pub kind: PostKind,
    /// What makes it one among those of the pull request.
    pub key: &'a str,
    /// The thread or the comment that it is about; none where that is the pull request.
    pub target: Option<&'a str>,
    /// The text, the branch, or of a reaction the kind of comment that it is on.
    pub body: &'a str,
}

/// Stores a post; one with the same key is stored already.
pub async fn insert(conn: &mut PgConnection, new: &NewPost<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into forge_posts (id, project_id, ticket_id, pr_number, kind, key, body, target)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict on constraint forge_posts_key_key do nothing",
        Uuid::now_v7(),
        new.project.0,
        new.ticket.0,
        new.pr_number,
        new.kind.as_str(),
        new.key,
        new.body,
        new.target
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A post whose time has come.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The post.
    pub id: Uuid,
    /// The project.
    pub project_id: Uuid,
    /// The ticket.
    pub ticket_id: Uuid,
    /// The pull request's number.
    pub pr_number: i64,
    /// What it is.
    pub kind: PostKind,
    /// What makes it one.
    pub key: String,
    /// What it is about; none: the pull request.
    pub target: Option<String>,
    /// The text, the branch, or of a reaction the kind of comment that it is on.
    pub body: String,
    /// How many times it was tried, this time included.
    pub tries: i32,
    /// The repository's address; none where the project has none any more.
    pub github_url: Option<String>,
    /// The kind of forge, where a person has set it.
    pub forge_kind: Option<ForgeKind>,
}

/// Takes the next post: no other process takes it for as long as `lease`, after which it is retried.
pub async fn claim_next(conn: &mut PgConnection, lease: Duration) -> sqlx::Result<Option<Claimed>> {
    sqlx::query_as!(
        Claimed,
        r#"with next as (
               select id from forge_posts where state = 'waiting' and next_try_at <= now()
               order by next_try_at limit 1 for update skip locked
           ), claimed as (
               update forge_posts as post set tries = tries + 1, next_try_at = clock_timestamp() + $1 * interval '1 second'
               from next where post.id = next.id returning post.*
           )
           select claimed.id as "id!", claimed.project_id as "project_id!", claimed.ticket_id as "ticket_id!",
               claimed.pr_number as "pr_number!", claimed.kind as "kind!: Word<PostKind>", claimed.key as "key!",
               claimed.target, claimed.body as "body!", claimed.tries as "tries!",
               project.github_url, project.forge_kind as "forge_kind: ForgeKind"
           from claimed join projects as project on project.id = claimed.project_id"#,
        lease.as_secs_f64()
    )
    .fetch_optional(conn)
    .await
}

/// Notes that the forge has it; or with a reason, that it can't be posted.
pub async fn finish(conn: &mut PgConnection, id: Uuid, failed: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!(
        "update forge_posts set state = case when $2::text is null then 'posted' else 'failed' end, reason = $2,
             finished_at = now()
         where id = $1 and state = 'waiting'",
        id,
        failed
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a post off.
pub async fn put_off(conn: &mut PgConnection, id: Uuid, wait: Duration, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update forge_posts set next_try_at = clock_timestamp() + $2 * interval '1 second', reason = $3
         where id = $1 and state = 'waiting'",
        id,
        wait.as_secs_f64(),
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes up to this many that the forge has, or that could not be said, for so long.
pub async fn delete_old(conn: &mut PgConnection, keep: Duration, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from forge_posts where id in (
             select id from forge_posts where finished_at < now() - $1 * interval '1 second' limit $2
         )",
        keep.as_secs_f64(),
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
