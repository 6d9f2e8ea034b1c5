//! When pull requests are read from their forges, and what was seen there.

use crate::db::words::Word;
use crate::domain::forges::event::PullFacts;
use crate::domain::forges::seen::Verdict;
use crate::domain::forges::{ForgeKind, PullState, ReviewState};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use std::time::Duration;
use terarchitect_worker_api::UpdateStrategy;
use uuid::Uuid;

/// A pull request that is read next.
#[derive(Clone, Debug)]
pub struct DueLook {
    /// Its row.
    pub id: Uuid,
    /// Its project.
    pub project_id: Uuid,
    /// Its number.
    pub number: i64,
    /// Before this, nothing that was said is an order.
    pub said_since: Option<DateTime<Utc>>,
    /// How many looks in turn have failed.
    pub looks_failed: i32,
    /// Until when no other process reads it.
    pub leased_until: DateTime<Utc>,
    /// The project's repository; none where it has none any more.
    pub github_url: Option<String>,
    /// Which forge that is at, where a person has set it.
    pub forge_kind: Option<ForgeKind>,
    /// How its branch gets what its base got since.
    pub base_update: UpdateStrategy,
    /// Whether its ticket has a live job.
    pub is_busy: bool,
}

/// Takes the next pull request that is to be read. No other process takes it for as long as `lease`.
pub async fn claim_look(conn: &mut PgConnection, lease: Duration) -> sqlx::Result<Option<DueLook>> {
    sqlx::query_as!(
        DueLook,
        r#"with next as materialized (
               select id from pull_requests where next_look_at <= now()
               order by next_look_at limit 1 for no key update skip locked
           ), claimed as (
               update pull_requests as pull set next_look_at = clock_timestamp() + $1 * interval '1 second'
               from next where pull.id = next.id returning pull.*
           )
           select pull.id as "id!", pull.project_id as "project_id!", pull.number as "number!", pull.said_since,
               pull.looks_failed as "looks_failed!", pull.next_look_at as "leased_until!", project.github_url,
               project.forge_kind as "forge_kind: ForgeKind",
               project.base_update as "base_update!: Word<UpdateStrategy>",
               exists (
                   select from agent_jobs as job
                   where job.ticket_id = pull.ticket_id and job.status in ('pending', 'running')
               ) as "is_busy!"
           from claimed as pull join projects as project on project.id = pull.project_id"#,
        lease.as_secs_f64()
    )
    .fetch_optional(conn)
    .await
}

/// Notes that a pull request was read. A look that was asked for meanwhile is not put off.
pub async fn looked(conn: &mut PgConnection, of: &DueLook, wait: Option<Duration>) -> sqlx::Result<()> {
    sqlx::query!(
        "update pull_requests set looks_failed = 0, look_reason = null, next_look_at =
             case when next_look_at = $2 then clock_timestamp() + $3::float8 * interval '1 second' else next_look_at end
         where id = $1",
        of.id,
        of.leased_until,
        wait.map(|wait| wait.as_secs_f64())
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes why a pull request could not be read, and when that is retried: not later than it was asked for meanwhile.
pub async fn put_off_look(conn: &mut PgConnection, of: &DueLook, wait: Duration, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update pull_requests set looks_failed = looks_failed + 1, look_reason = $2, next_look_at =
             case when next_look_at = $4 then clock_timestamp() + $3 * interval '1 second' else next_look_at end
         where id = $1",
        of.id,
        reason,
        wait.as_secs_f64(),
        of.leased_until
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A pull request as it is stored, to see what is new.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its state.
    pub state: PullState,
    /// Whether it is a draft.
    pub draft: bool,
    /// Its head.
    pub head_sha: Option<String>,
    /// The branch that it is for.
    pub base: Option<String>,
    /// The review that counts.
    pub review_state: Option<ReviewState>,
    /// Whose that is.
    pub review_by: Option<String>,
    /// The head that it saw.
    pub review_head: Option<String>,
    /// The checks of its head, by name.
    pub checks: Value,
}

impl Stored {
    /// Whether it is stored as it is described here, as far as the description goes.
    #[must_use]
    pub fn is_as(&self, facts: &PullFacts) -> bool {
        let same = |stored: &Option<String>, said: &Option<String>| said.is_none() || stored == said;
        self.state == facts.state
            && self.draft == facts.draft
            && same(&self.head_sha, &facts.head_sha)
            && same(&self.base, &facts.base)
    }
}

/// A pull request as it is stored.
pub async fn stored(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select state as "state: Word<PullState>", draft, head_sha, base,
               review_state as "review_state: ReviewState", review_by, review_head, checks
           from pull_requests where id = $1"#,
        id
    )
    .fetch_optional(conn)
    .await
}

/// Sets the review that counts, as it was read; none: none does.
pub async fn set_review(conn: &mut PgConnection, id: Uuid, verdict: Option<&Verdict>) -> sqlx::Result<()> {
    let state = verdict.and_then(|verdict| verdict.state).map(ReviewState::as_str);
    let by = verdict.map(|verdict| verdict.by.login.as_str());
    let (head, at) = (verdict.and_then(|verdict| verdict.head.as_deref()), verdict.and_then(|verdict| verdict.at));
    sqlx::query!(
        "update pull_requests set review_state = $2, review_by = $3, review_head = $4, review_at = $5, updated_at = now()
         where id = $1",
        id,
        state,
        by,
        head,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets the checks of the head, by name, as they were read; false if the head is another one by now.
pub async fn set_checks(conn: &mut PgConnection, id: Uuid, head: &str, checks: &Value) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update pull_requests set checks = $3, updated_at = now() where id = $1 and head_sha = $2",
        id,
        head,
        checks
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes for what waits to be decided what its author's review says, where the forge tells both apart (GitLab).
pub async fn says_review(conn: &mut PgConnection, pull: Uuid, author: &str, state: ReviewState) -> sqlx::Result<()> {
    sqlx::query!(
        "update review_comments set review_state = $3, decide_at = now()
         where pull_request_id = $1 and author_login = $2 and state = 'waiting' and accepted_at is null
             and review_state is null",
        pull,
        author,
        state.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What waits and is no longer at the forge, though it was received before the pull request was read.
pub async fn vanished(
    conn: &mut PgConnection,
    pull: Uuid,
    there: &[String],
    before: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "update review_comments set state = 'refused', reason = 'It was deleted before it became part of a job.'
         where pull_request_id = $1 and kind in ('line', 'general') and state = 'waiting' and received_at < $3
             and not kind || ' ' || forge_id = any ($2)",
        pull,
        there,
        before
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
