//! A ticket's pull request as people review it here: its row, the snapshot of what its forge showed, and its orders.

use crate::db::words::Word;
use crate::domain::forges::{CommentKind, CommentState, ForgeKind, PullState, ReviewState};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use terarchitect_worker_api::{JobId, ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A ticket's pull request.
#[derive(Clone, Debug)]
pub struct TicketPull {
    /// Its row.
    pub id: Uuid,
    /// Its project.
    pub project_id: Uuid,
    /// Its ticket.
    pub ticket_id: Uuid,
    /// The ticket's title.
    pub ticket_title: String,
    /// Its number.
    pub number: i64,
    /// Its page.
    pub url: Option<String>,
    /// Its state, as far as it is known here.
    pub state: PullState,
    /// The repository.
    pub github_url: Option<String>,
    /// The kind of forge, where a person has set it.
    pub forge_kind: Option<ForgeKind>,
    /// What its runner reported at the end, the last time.
    pub summary: Option<String>,
}

/// The pull request that a ticket has now; the latest one of several.
pub async fn of_ticket(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: TicketId,
) -> sqlx::Result<Option<TicketPull>> {
    sqlx::query_as!(
        TicketPull,
        r#"select pull.id, pull.project_id, pull.ticket_id, ticket.title as ticket_title, pull.number,
               coalesce(pull.url, ticket.pr_url) as url, pull.state as "state: Word<PullState>", project.github_url,
               project.forge_kind as "forge_kind: ForgeKind",
               (select summary from execution_logs where ticket_id = ticket.id and step = 'completed'
                order by seq desc limit 1) as summary
           from pull_requests as pull join tickets as ticket on ticket.id = pull.ticket_id
           join projects as project on project.id = pull.project_id
           where pull.ticket_id = $2 and pull.project_id = $1
           order by pull.number = ticket.pr_number desc nulls last, pull.created_at desc limit 1"#,
        project.0,
        ticket.0
    )
    .fetch_optional(conn)
    .await
}

/// What is known here of a pull request, and when that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its state.
    pub state: PullState,
    /// Whether it is a draft.
    pub draft: bool,
    /// Its head.
    pub head_sha: Option<String>,
    /// The branch that it is for.
    pub base: Option<String>,
    /// When anything of it was last changed here.
    pub updated_at: DateTime<Utc>,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

/// What is known of a pull request; none: it was deleted.
pub async fn known(conn: &mut PgConnection, pull: Uuid) -> sqlx::Result<Option<Known>> {
    sqlx::query_as!(
        Known,
        r#"select state as "state: Word<PullState>", draft, head_sha, base, updated_at, clock_timestamp() as "now!"
           from pull_requests where id = $1"#,
        pull
    )
    .fetch_optional(conn)
    .await
}

/// A snapshot of a pull request.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What its forge showed.
    pub snapshot: Value,
    /// When the forge was asked.
    pub asked_at: DateTime<Utc>,
    /// How long ago that was, in seconds.
    pub age_sec: f64,
    /// Whether nothing is known to have changed since.
    pub is_current: bool,
}

/// The snapshot of a pull request.
pub async fn snapshot(conn: &mut PgConnection, pull: Uuid) -> sqlx::Result<Option<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select snap.snapshot, snap.asked_at, extract(epoch from clock_timestamp() - snap.asked_at)::float8 as "age_sec!",
               snap.seen_at = pull.updated_at
                   and coalesce(pull.next_look_at <= snap.asked_at or pull.next_look_at > now(), true) as "is_current!"
           from pull_snapshots as snap join pull_requests as pull on pull.id = snap.pull_request_id
           where snap.pull_request_id = $1"#,
        pull
    )
    .fetch_optional(conn)
    .await
}

/// Stores a snapshot, unless a later one is there.
pub async fn store(
    conn: &mut PgConnection,
    pull: Uuid,
    known: &Known,
    open_threads: i32,
    snapshot: &Value,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into pull_snapshots (pull_request_id, asked_at, seen_at, open_threads, snapshot)
         values ($1, $2, $3, $4, $5)
         on conflict (pull_request_id) do update
         set asked_at = excluded.asked_at, seen_at = excluded.seen_at, open_threads = excluded.open_threads,
             snapshot = excluded.snapshot
         where pull_snapshots.asked_at <= excluded.asked_at",
        pull,
        known.now,
        known.updated_at,
        open_threads,
        snapshot
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Something that was said about a pull request, and what this system makes of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PullOrder {
    /// It.
    pub id: Uuid,
    /// What the forge calls it.
    pub forge_id: String,
    /// What it is.
    pub kind: CommentKind,
    /// The thread that it is in.
    pub thread_id: Option<String>,
    /// Who said it.
    pub author: String,
    /// How it begins.
    pub body: String,
    /// The file.
    pub path: Option<String>,
    /// The line.
    pub line: Option<i32>,
    /// How far it is.
    pub state: CommentState,
    /// Whether it is an order to the agent; while it waits and is none, that is not decided.
    pub accepted: bool,
    /// Why it is none, or still waits.
    pub reason: Option<String>,
    /// The job that it is part of.
    pub job_id: Option<Uuid>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
}

/// What was said about a pull request, the latest first.
pub async fn orders(conn: &mut PgConnection, pull: Uuid, limit: i64) -> sqlx::Result<Vec<PullOrder>> {
    sqlx::query_as!(
        PullOrder,
        r#"select id, forge_id, kind as "kind: Word<CommentKind>", thread_id, author_login as author,
               left(body, 500) as "body!", path, line, state as "state: Word<CommentState>",
               accepted_at is not null as "accepted!", reason, job_id, received_at
           from review_comments where pull_request_id = $1 order by seq desc limit $2"#,
        pull,
        limit
    )
    .fetch_all(conn)
    .await
}

/// An order that a person gives from here.
#[derive(Clone, Debug)]
pub struct NewOrder<'a> {
    /// The pull request.
    pub pull: Uuid,
    /// What the forge calls the comment that was posted.
    pub forge_id: &'a str,
    /// What it is.
    pub kind: CommentKind,
    /// The thread that it is in.
    pub thread_id: Option<&'a str>,
    /// The head that was seen.
    pub head_sha: Option<&'a str>,
    /// The person's name.
    pub author: &'a str,
    /// The person's words.
    pub body: &'a str,
    /// The file.
    pub path: Option<&'a str>,
    /// The line.
    pub line: Option<i32>,
    /// The part of the diff.
    pub hunk: Option<&'a str>,
    /// The comment's page.
    pub url: &'a str,
}

/// Stores an order, which needs no decision. Where the forge has reported the comment already, as one of the bot's own, it
/// becomes the person's.
pub async fn insert_order(conn: &mut PgConnection, new: &NewOrder<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into review_comments (id, pull_request_id, forge_id, kind, thread_id, head_sha, author_login, body, path,
             line, hunk, url, accepted_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now())
         on conflict on constraint review_comments_forge_id_key do update
         set author_id = null, author_login = excluded.author_login, author_is_bot = false, body = excluded.body,
             state = 'waiting', accepted_at = now(), reason = null
         where review_comments.state in ('waiting', 'refused')",
        Uuid::now_v7(),
        new.pull,
        new.forge_id,
        new.kind.as_str(),
        new.thread_id,
        new.head_sha,
        new.author,
        new.body,
        new.path,
        new.line,
        new.hunk,
        new.url
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How a pull request stands, from what is known here.
#[derive(Clone, Debug)]
pub struct StandingRow {
    /// Its row.
    pub id: Uuid,
    /// Its ticket.
    pub ticket_id: Uuid,
    /// Its number.
    pub number: i64,
    /// Its state.
    pub state: PullState,
    /// Whether it is a draft.
    pub draft: bool,
    /// Its head.
    pub head_sha: Option<String>,
    /// The latest review that decides something.
    pub review_state: Option<ReviewState>,
    /// Whose it is.
    pub review_by: Option<String>,
    /// The head that it saw.
    pub review_head: Option<String>,
    /// The results of its head's checks, by name.
    pub checks: Value,
    /// How many of its threads were open when it was last read.
    pub open_threads: Option<i32>,
    /// How many orders wait, or are worked on.
    pub open_orders: i64,
}

/// How the pull requests of these tickets stand.
pub async fn standings(conn: &mut PgConnection, tickets: &[Uuid]) -> sqlx::Result<Vec<StandingRow>> {
    sqlx::query_as!(
        StandingRow,
        r#"select pull.id as "id!", pull.ticket_id as "ticket_id!", pull.number as "number!",
               pull.state as "state!: Word<PullState>", pull.draft as "draft!", pull.head_sha as "head_sha?",
               pull.review_state as "review_state?: ReviewState", pull.review_by as "review_by?",
               pull.review_head as "review_head?", pull.checks as "checks!", snap.open_threads as "open_threads?",
               open.orders as "open_orders!"
           from pull_requests as pull left join pull_snapshots as snap on snap.pull_request_id = pull.id
           cross join lateral (
               select count(*) as orders from review_comments as comment
               where comment.pull_request_id = pull.id and comment.accepted_at is not null and (
                   comment.state = 'waiting' or comment.state = 'ordered' and exists (
                       select from agent_jobs as job where job.id = comment.job_id and job.status in ('pending', 'running')
                   )
               )
           ) as open
           where pull.ticket_id = any ($1)"#,
        tickets
    )
    .fetch_all(conn)
    .await
}

/// A pull request in a list.
#[derive(Clone, Debug)]
pub struct ListedPull {
    /// Its row.
    pub id: Uuid,
    /// Its ticket.
    pub ticket_id: Uuid,
    /// The ticket's title.
    pub ticket_title: String,
    /// Its number.
    pub number: i64,
    /// Its page.
    pub url: Option<String>,
    /// What its runner reported at the end, the last time.
    pub summary: Option<String>,
    /// What its forge showed last.
    pub snapshot: Option<Value>,
    /// When the forge was asked.
    pub asked_at: Option<DateTime<Utc>>,
}

/// The pull requests of a project's tickets: those that are open, then the others, the latest first.
pub async fn of_project(conn: &mut PgConnection, project: ProjectId, limit: i64) -> sqlx::Result<Vec<ListedPull>> {
    sqlx::query_as!(
        ListedPull,
        r#"select pull.id as "id!", pull.ticket_id as "ticket_id!", ticket.title as "ticket_title!", pull.number as "number!",
               coalesce(pull.url, ticket.pr_url) as url,
               (select summary from execution_logs where ticket_id = pull.ticket_id and step = 'completed'
                order by seq desc limit 1) as summary,
               snap.snapshot as "snapshot?", snap.asked_at as "asked_at?"
           from (
               select * from pull_requests where project_id = $1 order by state = 'open' desc, created_at desc limit $2
           ) as pull
           cross join lateral (select title, pr_url from tickets where id = pull.ticket_id offset 0) as ticket
           left join pull_snapshots as snap on snap.pull_request_id = pull.id
           order by pull.state = 'open' desc, pull.created_at desc"#,
        project.0,
        limit
    )
    .fetch_all(conn)
    .await
}

/// The latest job of a ticket's reviews that waits or runs.
pub async fn live_review(conn: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<JobId>> {
    let found = sqlx::query_scalar!(
        "select id from agent_jobs where ticket_id = $1 and kind = 'review' and status in ('pending', 'running') limit 1",
        ticket.0
    );
    Ok(found.fetch_optional(conn).await?.map(JobId))
}

/// Notes that something of a pull request has changed: what was read of it before is old.
pub async fn touch(conn: &mut PgConnection, pull: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update pull_requests set updated_at = now() where id = $1", pull).execute(conn).await?;
    Ok(())
}
