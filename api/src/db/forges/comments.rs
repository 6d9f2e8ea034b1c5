//! What is said about pull requests, until it is decided whether it is an order.

use crate::db::words::Word;
use crate::domain::forges::conversation::Remark;
use crate::domain::forges::event::NewComment;
use crate::domain::forges::{CommentKind, ForgeKind, PullState, ReviewState, ReviewTrigger};
use serde_json::json;
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// Stores a comment as it is now; false if it was stored before, in which case it stays as it was.
pub async fn insert(conn: &mut PgConnection, pull: Uuid, new: &NewComment) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into review_comments (id, pull_request_id, forge_id, kind, thread_id, review_id, review_state, head_sha,
             author_id, author_login, author_is_bot, body, path, line, hunk, url)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         on conflict on constraint review_comments_forge_id_key do nothing",
        Uuid::now_v7(),
        pull,
        new.forge_id,
        new.kind.as_str(),
        new.thread_id,
        new.review_id,
        new.review_state.map(ReviewState::as_str),
        new.head_sha,
        new.author.id,
        new.author.login,
        new.author.is_bot,
        new.body,
        new.path,
        new.line,
        new.hunk,
        new.url
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets the comments of a review be decided on now.
pub async fn wake_review(conn: &mut PgConnection, pull: Uuid, review: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update review_comments set decide_at = now()
         where pull_request_id = $1 and review_id = $2 and state = 'waiting' and accepted_at is null",
        pull,
        review
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Refuses what waits of a comment that was deleted, also where the comment itself comes later.
pub async fn deleted(
    conn: &mut PgConnection,
    pull: Uuid,
    kind: CommentKind,
    forge_id: &str,
    author: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into review_comments (id, pull_request_id, forge_id, kind, author_login, body, state, reason)
         values ($1, $2, $3, $4, $5, '', 'refused', 'It was deleted before it became part of a job.')
         on conflict on constraint review_comments_forge_id_key do update
         set state = excluded.state, reason = excluded.reason where review_comments.state = 'waiting'",
        Uuid::now_v7(),
        pull,
        forge_id,
        kind.as_str(),
        author
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Refuses everything that waits, since the pull request is over.
pub async fn refuse_waiting(conn: &mut PgConnection, pull: Uuid, reason: &str) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "update review_comments set state = 'refused', reason = $2 where pull_request_id = $1 and state = 'waiting'",
        pull,
        reason
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// A comment that has to be decided on, with everything that this depends on.
#[derive(Clone, Debug)]
pub struct Undecided {
    /// The comment.
    pub id: Uuid,
    /// What the forge calls it.
    pub forge_id: String,
    /// What it is.
    pub kind: CommentKind,
    /// Its author's id.
    pub author_id: Option<String>,
    /// Its author.
    pub author_login: String,
    /// Whether its author is a program.
    pub author_is_bot: bool,
    /// Its text.
    pub body: String,
    /// The head that it is about.
    pub head_sha: Option<String>,
    /// The review that it belongs to.
    pub review_id: Option<String>,
    /// What that review says, where it was received.
    pub review_state: Option<ReviewState>,
    /// How many times it was tried to decide.
    pub tries: i32,
    /// How long ago it was received, in seconds.
    pub age_sec: f64,
    /// The pull request's project.
    pub project_id: Uuid,
    /// Its ticket.
    pub ticket_id: Uuid,
    /// Its number.
    pub number: i64,
    /// Its state.
    pub pull_state: PullState,
    /// Its head.
    pub pull_head: Option<String>,
    /// The branch that it is for.
    pub base: Option<String>,
    /// How many jobs were made of its failing checks.
    pub fixes: i32,
    /// The project's repository.
    pub github_url: Option<String>,
    /// Which forge that is at, where a person has set it: what a webhook says of it does not lead to the API that was set for
    /// GitHub.
    pub forge_kind: Option<ForgeKind>,
    /// Which forge it came from, where that is known.
    pub at: Option<ForgeKind>,
    /// What counts as an order there.
    pub review_trigger: ReviewTrigger,
    /// Bots whose comments count as those of people do.
    pub review_bots: Vec<String>,
    /// How many jobs may be made of failing checks.
    pub max_check_fixes: i32,
}

/// The next comment to decide on. No other process gets it for this time: the forge is asked without a lock.
pub async fn claim_undecided(conn: &mut PgConnection, lease: Duration) -> sqlx::Result<Option<Undecided>> {
    sqlx::query_as!(
        Undecided,
        // Locks the comment, and skips those that another process has just taken.
        r#"with next as materialized (
               select id from review_comments where state = 'waiting' and accepted_at is null and decide_at <= now()
               order by decide_at, seq limit 1 for update skip locked
           ), taken as (
               update review_comments as comment
               set decide_at = clock_timestamp() + $1 * interval '1 second', tries = comment.tries + 1
               from next where comment.id = next.id returning comment.*
           )
           select comment.id as "id!", comment.forge_id as "forge_id!", comment.kind as "kind!: Word<CommentKind>", comment.author_id,
               comment.author_login as "author_login!", comment.author_is_bot as "author_is_bot!", comment.body as "body!",
               comment.head_sha, comment.review_id, coalesce(comment.review_state, (
                   select review.review_state from review_comments as review
                   where review.pull_request_id = comment.pull_request_id and review.kind = 'review'
                       and review.forge_id = comment.review_id
               )) as "review_state: ReviewState",
               comment.tries as "tries!", extract(epoch from now() - comment.received_at)::float8 as "age_sec!",
               pull.project_id as "project_id!", pull.ticket_id as "ticket_id!", pull.number as "number!",
               pull.state as "pull_state!: Word<PullState>", pull.head_sha as pull_head, pull.base, pull.fixes as "fixes!",
               project.github_url, project.forge_kind as "forge_kind: ForgeKind", pull.forge as "at: ForgeKind",
               project.review_trigger as "review_trigger!: Word<ReviewTrigger>", project.review_bots as "review_bots!",
               project.max_check_fixes as "max_check_fixes!"
           from taken as comment join pull_requests as pull on pull.id = comment.pull_request_id
           join projects as project on project.id = pull.project_id"#,
        lease.as_secs_f64()
    )
    .fetch_optional(conn)
    .await
}

/// Accepts a comment as an order, with what was said before it or the end of its check's log; false if something else was
/// decided meanwhile.
pub async fn accept(
    conn: &mut PgConnection,
    id: Uuid,
    conversation: Option<&[Remark]>,
    log: Option<&str>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update review_comments set accepted_at = now(), reason = null, conversation = $2, log = $3
         where id = $1 and state = 'waiting' and accepted_at is null",
        id,
        conversation.map(|remarks| json!(remarks)),
        log
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Refuses a comment; false if something else was decided meanwhile.
pub async fn refuse(conn: &mut PgConnection, id: Uuid, reason: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update review_comments set state = 'refused', reason = $2
         where id = $1 and state = 'waiting' and accepted_at is null",
        id,
        reason
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a decision off; the reason is for people who wonder.
pub async fn put_off(conn: &mut PgConnection, id: Uuid, wait: Duration, reason: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!(
        "update review_comments set decide_at = clock_timestamp() + $2 * interval '1 second', reason = $3
         where id = $1 and state = 'waiting' and accepted_at is null",
        id,
        wait.as_secs_f64(),
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}
