//! Orders that wait to become jobs.

use crate::db::words::Word;
use crate::domain::forges::conversation::Remark;
use crate::domain::forges::{CommentKind, CommentState, PullState};
use sqlx::PgConnection;
use sqlx::types::Json;
use terarchitect_worker_api::{JobId, JobStatus, ProjectId, TicketId};
use uuid::Uuid;

/// A pull request whose orders can become a job.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// The pull request.
    pub pull: Uuid,
    /// Its project.
    pub project: ProjectId,
    /// Its ticket.
    pub ticket: TicketId,
}

/// Open pull requests whose orders have been quiet for as long as their project wants, and whose ticket has no live job. What
/// came with them and was not yet looked at belongs to them; what was, and waits for something else, does not hold them up.
pub async fn ready(conn: &mut PgConnection) -> sqlx::Result<Vec<Ready>> {
    let rows = sqlx::query!(
        "with said as materialized (
             select pull_request_id as id, max(accepted_at) as latest from review_comments
             where state = 'waiting' and accepted_at is not null group by pull_request_id
         )
         select pull.id, pull.project_id, pull.ticket_id
         from said cross join lateral (
             select pull.* from pull_requests as pull where pull.id = said.id and pull.state = 'open' offset 0
         ) as pull
         join projects as project on project.id = pull.project_id
         where said.latest <= now() - project.review_quiet_sec * interval '1 second' and not exists (
             select from agent_jobs as job where job.ticket_id = pull.ticket_id and job.status in ('pending', 'running')
         ) and not exists (
             select from review_comments as comment
             where comment.pull_request_id = pull.id and comment.state = 'waiting' and comment.accepted_at is null
                 and comment.tries <= 1
         )
         order by said.latest limit 20"
    )
    .fetch_all(conn)
    .await?;
    let ready = |row: (Uuid, Uuid, Uuid)| Ready { pull: row.0, project: ProjectId(row.1), ticket: TicketId(row.2) };
    Ok(rows.into_iter().map(|row| ready((row.id, row.project_id, row.ticket_id))).collect())
}

/// An order.
#[derive(Clone, Debug)]
pub struct OrderRow {
    /// The comment.
    pub id: Uuid,
    /// What the forge calls it.
    pub forge_id: String,
    /// What it is.
    pub kind: CommentKind,
    /// Who gave it.
    pub author_login: String,
    /// What was said.
    pub body: String,
    /// The file.
    pub path: Option<String>,
    /// The line.
    pub line: Option<i32>,
    /// The part of the diff.
    pub hunk: Option<String>,
    /// Of a check: the end of its log.
    pub log: Option<String>,
    /// Whether it has been quiet since.
    pub is_quiet: bool,
}

/// The orders of a pull request that wait, in the order in which they came, locked until the transaction ends.
pub async fn waiting_for_update(conn: &mut PgConnection, pull: Uuid) -> sqlx::Result<Vec<OrderRow>> {
    sqlx::query_as!(
        OrderRow,
        // Locks the orders, after their pull request: nothing else is decided about them meanwhile.
        r#"select comment.id, comment.forge_id, comment.kind as "kind: Word<CommentKind>", comment.author_login,
               comment.body, comment.path, comment.line, comment.hunk, comment.log,
               comment.accepted_at <= now() - project.review_quiet_sec * interval '1 second' as "is_quiet!"
           from review_comments as comment join pull_requests as pull on pull.id = comment.pull_request_id
           join projects as project on project.id = pull.project_id
           where comment.pull_request_id = $1 and comment.state = 'waiting' and comment.accepted_at is not null
           order by comment.seq for update of comment"#,
        pull
    )
    .fetch_all(conn)
    .await
}

/// An order of a job, with its thread.
#[derive(Clone, Debug)]
pub struct OrderOfJob {
    /// The comment.
    pub id: Uuid,
    /// What the forge calls it.
    pub forge_id: String,
    /// What it is.
    pub kind: CommentKind,
    /// Its thread.
    pub thread_id: Option<String>,
    /// Who gave it.
    pub author_login: String,
    /// What was said.
    pub body: String,
    /// The file.
    pub path: Option<String>,
    /// The line.
    pub line: Option<i32>,
    /// The part of the diff.
    pub hunk: Option<String>,
    /// Of a check: the end of its log.
    pub log: Option<String>,
    /// What was said before it in its thread.
    pub conversation: Option<Json<Vec<Remark>>>,
}

/// The orders that a job is made of, in the order in which they came.
pub async fn of_job(conn: &mut PgConnection, job: JobId) -> sqlx::Result<Vec<OrderOfJob>> {
    sqlx::query_as!(
        OrderOfJob,
        r#"select id, forge_id, kind as "kind: Word<CommentKind>",
               case when kind = 'line' then coalesce(thread_id, forge_id) end as thread_id, author_login, body, path, line,
               hunk, log, conversation as "conversation: Json<Vec<Remark>>"
           from review_comments where job_id = $1 order by seq"#,
        job.0
    )
    .fetch_all(conn)
    .await
}

/// Makes these orders part of a job.
pub async fn mark_ordered(conn: &mut PgConnection, orders: &[Uuid], job: JobId) -> sqlx::Result<()> {
    sqlx::query!("update review_comments set state = 'ordered', job_id = $2 where id = any ($1)", orders, job.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Counts a job that was made of failing checks.
pub async fn count_fix(conn: &mut PgConnection, pull: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update pull_requests set fixes = fixes + 1, updated_at = now() where id = $1", pull)
        .execute(conn)
        .await?;
    Ok(())
}

/// Hands the orders of a job on to the one that retries it.
pub async fn hand_on(conn: &mut PgConnection, from: JobId, to: JobId) -> sqlx::Result<()> {
    sqlx::query!(
        "update review_comments set job_id = $2, state = 'ordered', reason = null
         where job_id = $1 and state in ('ordered', 'failed')",
        from.0,
        to.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A job of a review that has ended, while its orders do not say so.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The job.
    pub job: Uuid,
    /// How it ended; one that was deleted counts as cancelled.
    pub status: JobStatus,
    /// Why.
    pub why: Option<String>,
    /// The pull request's project.
    pub project_id: Uuid,
    /// Its ticket.
    pub ticket_id: Uuid,
    /// Its number.
    pub number: i64,
    /// Its state.
    pub pull_state: PullState,
}

/// Jobs that have ended, while their orders do not say so.
pub async fn ended(conn: &mut PgConnection) -> sqlx::Result<Vec<Ended>> {
    sqlx::query_as!(
        Ended,
        r#"with ordered as materialized (
               select distinct job_id, pull_request_id from review_comments where state = 'ordered'
           )
           select ordered.job_id as "job!", coalesce(job.status, 'cancelled') as "status!: Word<JobStatus>",
               job.outcome_reason as "why?", pull.project_id, pull.ticket_id, pull.number, pull.state as "pull_state: Word<PullState>"
           from ordered join pull_requests as pull on pull.id = ordered.pull_request_id
           left join agent_jobs as job on job.id = ordered.job_id
           where job.status is null or job.status not in ('pending', 'running') limit 50"#
    )
    .fetch_all(conn)
    .await
}

/// Sets what became of the orders of a job that has ended. Returns how many there were.
pub async fn settle(
    conn: &mut PgConnection,
    job: JobId,
    state: CommentState,
    reason: Option<&str>,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "update review_comments set state = $2, reason = $3 where job_id = $1 and state = 'ordered'",
        job.0,
        state.as_str(),
        reason
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// A thread of a pull request, as far as orders in it are known.
#[derive(Clone, Debug)]
pub struct OrderInThread {
    /// What the forge calls the comment.
    pub forge_id: String,
    /// The file.
    pub path: Option<String>,
    /// The line.
    pub line: Option<i32>,
}

/// The orders in a thread, the latest first.
pub async fn in_thread(
    conn: &mut PgConnection,
    project: ProjectId,
    number: i64,
    thread: &str,
) -> sqlx::Result<Vec<OrderInThread>> {
    sqlx::query_as!(
        OrderInThread,
        "select comment.forge_id, comment.path, comment.line
         from pull_requests as pull join review_comments as comment on comment.pull_request_id = pull.id
         where pull.project_id = $1 and pull.number = $2 and comment.kind = 'line'
             and coalesce(comment.thread_id, comment.forge_id) = $3
         order by comment.seq desc limit 50",
        project.0,
        number,
        thread
    )
    .fetch_all(conn)
    .await
}
