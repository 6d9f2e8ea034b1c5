//! Pull requests of tickets, as forges describe them.

use crate::db::words::Word;
use crate::domain::forges::event::{CheckState, PullFacts, PullRef};
use crate::domain::forges::{ForgeKind, PullState, ReviewState};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use terarchitect_worker_api::{ProjectId, TicketId};
use uuid::Uuid;

/// A project that may be meant by an address.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The project.
    pub id: Uuid,
    /// Its repository.
    pub github_url: String,
    /// The label whose issues become tickets.
    pub issue_label: Option<String>,
}

/// The projects whose repository's address contains this path, or this project alone.
pub async fn candidates(conn: &mut PgConnection, path: &str, only: Option<Uuid>) -> sqlx::Result<Vec<Candidate>> {
    sqlx::query_as!(
        Candidate,
        r#"select id, github_url as "github_url!", issue_label from projects
           where position($1 in lower(github_url)) > 0 and ($2::uuid is null or id = $2)"#,
        path,
        only
    )
    .fetch_all(conn)
    .await
}

/// A pull request.
#[derive(Clone, Debug)]
pub struct Pull {
    /// Its row.
    pub id: Uuid,
    /// Its project.
    pub project_id: Uuid,
    /// Its ticket.
    pub ticket_id: Uuid,
    /// Its number.
    pub number: i64,
    /// Its state.
    pub state: PullState,
    /// Its head.
    pub head_sha: Option<String>,
}

impl Pull {
    /// Its project and ticket.
    #[must_use]
    pub fn place(&self) -> (ProjectId, TicketId) {
        (ProjectId(self.project_id), TicketId(self.ticket_id))
    }
}

/// The pull requests of these projects that an event is about, by the first of number, branch and commit that it names.
pub async fn find(conn: &mut PgConnection, projects: &[Uuid], which: &PullRef) -> sqlx::Result<Vec<Pull>> {
    if let Some(number) = which.number {
        return sqlx::query_as!(
            Pull,
            r#"select id, project_id, ticket_id, number, state as "state: Word<PullState>", head_sha
               from pull_requests where project_id = any ($1) and number = $2 order by id"#,
            projects,
            number
        )
        .fetch_all(conn)
        .await;
    }
    if let Some(branch) = &which.head_branch {
        let found = sqlx::query_as!(
            Pull,
            r#"select id, project_id, ticket_id, number, state as "state: Word<PullState>", head_sha
               from pull_requests where project_id = any ($1) and head_branch = $2 and state = 'open' order by id"#,
            projects,
            branch
        )
        .fetch_all(&mut *conn)
        .await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    sqlx::query_as!(
        Pull,
        r#"select id, project_id, ticket_id, number, state as "state: Word<PullState>", head_sha
           from pull_requests where project_id = any ($1) and head_sha = $2 order by id"#,
        projects,
        which.head_sha
    )
    .fetch_all(conn)
    .await
}

/// A pull request, locked until the transaction ends.
pub async fn find_for_update(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Pull>> {
    sqlx::query_as!(
        Pull,
        // Locks the pull request, after its ticket where both are locked.
        r#"select id, project_id, ticket_id, number, state as "state: Word<PullState>", head_sha
           from pull_requests where id = $1 for no key update"#,
        id
    )
    .fetch_optional(conn)
    .await
}

/// A pull request.
pub async fn find_one(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Pull>> {
    sqlx::query_as!(
        Pull,
        r#"select id, project_id, ticket_id, number, state as "state: Word<PullState>", head_sha
           from pull_requests where id = $1"#,
        id
    )
    .fetch_optional(conn)
    .await
}

/// The tickets of these projects that have this pull request, or whose branch it is.
pub async fn tickets_of(
    conn: &mut PgConnection,
    projects: &[Uuid],
    number: i64,
    branch_of: Option<TicketId>,
) -> sqlx::Result<Vec<(ProjectId, TicketId)>> {
    let rows = sqlx::query!(
        r#"select project_id as "project_id!", id as "id!" from tickets
           where project_id = any ($1) and pr_number = $2
           union select project_id, id from tickets
           where id = $3 and project_id = any ($1) and (pr_number is null or pr_number = $2)"#,
        projects,
        number,
        branch_of.map(|ticket| ticket.0)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (ProjectId(row.project_id), TicketId(row.id))).collect())
}

/// Notes that a ticket has this pull request; false if that was known. One that another ticket has stays there.
pub async fn insert(
    conn: &mut PgConnection,
    project: ProjectId,
    ticket: TicketId,
    number: i64,
    url: Option<&str>,
    forge: Option<ForgeKind>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into pull_requests (id, project_id, ticket_id, number, url, forge, head_branch, next_look_at)
         values ($1, $2, $3, $4, $5, $6, 'ticket-' || $3::uuid::text, now())
         on conflict on constraint pull_requests_number_key do nothing",
        Uuid::now_v7(),
        project.0,
        ticket.0,
        number,
        url,
        forge.map(ForgeKind::as_str)
    )
    .execute(&mut *conn)
    .await?;
    let is_new = done.rows_affected() == 1;
    if is_new {
        super::sweeps::wake(conn, project).await?;
    }
    Ok(is_new)
}

/// Sets what an event says, unless something newer is known; false then. What is merged stays merged.
pub async fn apply(conn: &mut PgConnection, id: Uuid, forge: ForgeKind, facts: &PullFacts) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update pull_requests set forge = coalesce(forge, $2), url = coalesce($3, url), state = $4, draft = $5,
             head_branch = coalesce($6, head_branch), base = coalesce($8, base),
             checks = case when coalesce($7, head_sha) is distinct from head_sha then '{}' else checks end,
             head_sha = coalesce($7, head_sha), forge_updated_at = coalesce($9, forge_updated_at), updated_at = now()
         where id = $1 and (state <> 'merged' or $4 = 'merged')
             and ($9::timestamptz is null or forge_updated_at is null or $9 >= forge_updated_at)",
        id,
        forge.as_str(),
        facts.url,
        facts.state.as_str(),
        facts.draft,
        facts.head_branch,
        facts.head_sha,
        facts.base,
        facts.updated_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Moves the head along with a push that began where the head was; any other push is looked into.
pub async fn pushed(conn: &mut PgConnection, id: Uuid, before: Option<&str>, after: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!(
        "update pull_requests set
             checks = case when head_sha = $2 and $3::text is not null then '{}' else checks end,
             head_sha = case when head_sha = $2 and $3::text is not null then $3 else head_sha end,
             next_look_at = now(), updated_at = now()
         where id = $1 and head_sha is distinct from $3",
        id,
        before,
        after
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets who decided what about which head, unless something newer is known.
pub async fn reviewed(
    conn: &mut PgConnection,
    id: Uuid,
    state: ReviewState,
    by: &str,
    head: Option<&str>,
    at: Option<DateTime<Utc>>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update pull_requests set review_state = $2, review_by = $3, review_head = $4, review_at = coalesce($5, now()),
             updated_at = now()
         where id = $1 and (review_at is null or coalesce($5, now()) >= review_at)",
        id,
        state.as_str(),
        by,
        head,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets the review of this account, which was taken back.
pub async fn dismissed(conn: &mut PgConnection, id: Uuid, by: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update pull_requests set review_state = null, review_by = null, review_head = null, updated_at = now()
         where id = $1 and review_by = $2",
        id,
        by
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Sets how a check of the head stands; false if the commit is not the head, which is then looked into.
pub async fn checked(
    conn: &mut PgConnection,
    id: Uuid,
    sha: &str,
    name: &str,
    state: CheckState,
) -> sqlx::Result<bool> {
    let is_head = sqlx::query_scalar!(
        r#"update pull_requests set
               checks = case when head_sha = $2 then checks || jsonb_build_object($3::text, $4::text) else checks end,
               next_look_at = case when head_sha = $2 then next_look_at else now() end, updated_at = now()
           where id = $1 returning coalesce(head_sha = $2, false) as "is_head!""#,
        id,
        sha,
        name,
        state.as_str()
    )
    .fetch_optional(conn)
    .await?;
    Ok(is_head.unwrap_or_default())
}

/// Lets a pull request be read from the forge soon.
pub async fn look(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("update pull_requests set next_look_at = now() where id = $1", id).execute(conn).await?;
    Ok(())
}

/// Lets a pull request be read soon, unless what is known of it is as new as this. True: it will be.
pub async fn look_if_newer(conn: &mut PgConnection, id: Uuid, at: Option<DateTime<Utc>>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update pull_requests set next_look_at = now()
         where id = $1 and ($2::timestamptz is null or forge_updated_at is null or $2 > forge_updated_at)",
        id,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets the open pull requests for this branch be read from the forge soon: their base has moved.
pub async fn look_at_base(conn: &mut PgConnection, projects: &[Uuid], base: &str) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "update pull_requests set next_look_at = now() where project_id = any ($1) and state = 'open' and base = $2",
        projects,
        base
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
