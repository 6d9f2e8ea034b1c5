//! Orders that wait to become jobs.

use crate::db::words::Word;
use crate::domain::forges::CommentKind;
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, ProjectId, TicketId};
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
    /// Whether it has been quiet since.
    pub is_quiet: bool,
}

/// The orders of a pull request that wait, in the order in which they came, locked until the transaction ends.
pub async fn waiting_for_update(conn: &mut PgConnection, pull: Uuid) -> sqlx::Result<Vec<OrderRow>> {
    sqlx::query_as!(
        OrderRow,
        // Locks the orders, after their pull request: nothing else is decided about them meanwhile.
        r#"select comment.id, comment.forge_id, comment.kind as "kind: Word<CommentKind>", comment.author_login,
               comment.body, comment.path, comment.line, comment.hunk,
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
    sqlx::query!("update review_comments set job_id = $2 where job_id = $1 and state = 'ordered'", from.0, to.0)
        .execute(conn)
        .await?;
    Ok(())
}
