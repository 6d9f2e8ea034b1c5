//! Every query of the code, on large tables: none of them reads a whole table.
//!
//! The queries are those that were prepared for the build (`.sqlx/`), so that a new one is checked without a case here.

use crate::support::TestApp;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use terarchitect_testbed::postgres::TestPostgres;

/// Tables that grow with use. The others have a row per project, setting or coordinator.
const LARGE: &[&str] = &[
    "agent_jobs",
    "agent_job_attempts",
    "execution_logs",
    "tickets",
    "notes",
    "memory_documents",
    "deliveries",
    "pull_requests",
    "review_comments",
    "forge_posts",
    "work_orders",
    "knowledge",
];

/// Queries that run with sequential scans off, by a part of their text: retention, which would otherwise read from the
/// start in the hope of finding something soon, and what is counted of open tickets, which are few among those that are done.
const WITHOUT_SEQUENTIAL_SCANS: &[&str] = &[
    "delete from agent_jobs where id in",
    "delete from execution_logs where id in",
    "delete from deliveries where id in",
    "delete from forge_posts where id in",
    "delete from events",
    "with open as materialized",
    "where ticket.column_id in ('in_progress', 'in_review')",
    "with running as materialized",
    "with all_of_them as materialized",
    "join tickets as ticket on ticket.id = work_order.ticket_id",
];

/// A database with enough rows that the planner would rather use an index.
async fn large() -> (TestApp, PgConnection) {
    let app = TestApp::start().await;
    app.may_leave_jobs_live();
    let mut conn = PgConnection::connect(&TestPostgres::shared().url(&app.database)).await.unwrap();
    sqlx::raw_sql(
        "insert into projects (name, github_url) select 'p' || n, 'https://github.com/demo/hello' from generate_series(1, 20) as n;
         create temp table p as select id, row_number() over () - 1 as n from projects;
         insert into graphs (project_id) select id from p;
         insert into tickets (project_id, column_id, title)
             select p.id, 'in_progress', 'Plan' from generate_series(1, 12000) as s (g) join p on p.n = s.g % 20;
         create temp table t as select id, project_id, row_number() over () - 1 as n from tickets;
         insert into agent_jobs (ticket_id, project_id, status, attempt, finished_at, outcome_reason)
             select t.id, t.project_id, 'completed', 1, now() - interval '1 hour' * s.g, 'completed'
             from generate_series(1, 60000) as s (g) join t on t.n = s.g % 12000;
         insert into agent_job_attempts (job_id, attempt, outcome, reason)
             select id, 1, 'completed', 'completed' from agent_jobs;
         insert into agent_jobs (ticket_id, project_id, due) select id, project_id, n % 9 > 0 from t where n < 10000;
         insert into agent_jobs (ticket_id, project_id, status, attempt, worker_id, request_id, claimed_at, lease_expires_at)
             select id, project_id, 'running', 1, 'w' || n % 50, gen_random_uuid(), now(), now() + interval '1 hour'
             from t where n >= 10000;
         insert into execution_logs (project_id, ticket_id, session_id, step)
             select t.project_id, t.id, 's', 'turn' from generate_series(1, 60000) as s (g) join t on t.n = s.g % 12000;
         insert into notes (project_id, content) select p.id, 'n' from generate_series(1, 20000) as s (g) join p on p.n = s.g % 20;
         insert into memory_documents (project_id, content, content_sha256)
             select p.id, 'word' || s.g || ' greeting', sha256(s.g::text::bytea)
             from generate_series(1, 20000) as s (g) join p on p.n = s.g % 20;
         insert into deliveries (sender, delivery_id, event, project_id, body, state, finished_at)
             select 'github', s.g::text, 'push', p.id, '{}', 'done', now() - interval '1 minute' * s.g
             from generate_series(1, 60000) as s (g) join p on p.n = s.g % 20;
         insert into deliveries (sender, delivery_id, event, pull_number, body)
             select 'gitea', g::text, 'push', g, '{}' from generate_series(1, 500) as s (g);
         insert into pull_requests (project_id, ticket_id, number, head_branch, head_sha, base, state)
             select project_id, id, n + 1, 'ticket-' || id, md5(n::text), 'main', case when n % 10 = 0 then 'open' else 'merged' end
             from t;
         insert into review_comments (pull_request_id, forge_id, kind, review_id, author_login, body, state, job_id)
             select pull.id, g::text, 'line', g::text, 'ann', 'x', 'answered', gen_random_uuid()
             from generate_series(1, 5) as s (g) cross join pull_requests as pull;
         insert into review_comments (pull_request_id, forge_id, kind, author_login, body, accepted_at)
             select id, 'a', 'general', 'ann', 'x', case when number % 2 = 0 then now() end
             from pull_requests where state = 'open' and number % 4 < 2;
         insert into forge_posts (project_id, ticket_id, pr_number, kind, key, body, state, finished_at)
             select t.project_id, t.id, t.n + 1, 'reply', s.g::text, 'x', 'posted', now() - interval '1 minute' * s.g
             from generate_series(1, 60000) as s (g) join t on t.n = s.g % 12000;
         insert into agents (slug, name) select 'a' || n, 'n' from generate_series(1, 20) as n;
         insert into work_orders (ticket_id, project_id, agent_id, objective, source)
             select t.id, t.project_id, (select id from agents offset t.n % 20 limit 1), 'o',
                 (array['cloud', 'local', 'job'])[1 + t.n % 3]
             from t;
         insert into knowledge (project_id, learning, learning_sha256)
             select p.id, 'word' || s.g || ' greeting', sha256(s.g::text::bytea)
             from generate_series(1, 20000) as s (g) join p on p.n = s.g % 20;",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::raw_sql("vacuum (analyze)").execute(&mut conn).await.unwrap();
    (app, conn)
}

fn queries() -> Vec<(String, usize)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../.sqlx");
    let mut queries = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let query: Value = serde_json::from_str(&text).unwrap();
        let parameters = query["describe"]["parameters"]["Left"].as_array().unwrap().len();
        queries.push((query["query"].as_str().unwrap().to_owned(), parameters));
    }
    queries
}

/// The whole tables that a plan reads.
fn read_whole(plan: &Value, found: &mut Vec<String>) {
    if plan["Node Type"] == "Seq Scan"
        && let Some(table) = plan["Relation Name"].as_str().filter(|table| LARGE.contains(table))
    {
        found.push(table.to_owned());
    }
    for inner in plan["Plans"].as_array().into_iter().flatten() {
        read_whole(inner, found);
    }
}

#[tokio::test]
async fn no_query_reads_a_whole_table() {
    let (_app, mut conn) = large().await;
    // The plan for unknown parameters: the one that a busy process ends up with.
    sqlx::raw_sql("set plan_cache_mode = force_generic_plan").execute(&mut conn).await.unwrap();
    let queries = queries();
    assert!(queries.len() > 60, "only {} queries were prepared", queries.len());
    let mut bad = Vec::new();
    for (number, (query, parameters)) in queries.iter().enumerate() {
        let prepare = format!("prepare q{number} as {query}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(prepare))
            .execute(&mut conn)
            .await
            .unwrap_or_else(|error| panic!("{error}: {query}"));
        let nulls = vec!["null"; *parameters].join(", ");
        let values = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
        let explain = format!("explain (format json) execute q{number} {values}");
        let off = WITHOUT_SEQUENTIAL_SCANS.iter().any(|part| query.contains(part));
        let set = if off { "set enable_seqscan = off" } else { "reset enable_seqscan" };
        sqlx::raw_sql(set).execute(&mut conn).await.unwrap();
        let plan: Value = sqlx::query_scalar(sqlx::AssertSqlSafe(explain)).fetch_one(&mut conn).await.unwrap();
        let mut found = Vec::new();
        read_whole(&plan[0]["Plan"], &mut found);
        if !found.is_empty() {
            bad.push(format!("{found:?}: {query}"));
        }
    }
    assert!(bad.is_empty(), "these read whole tables:\n{}", bad.join("\n\n"));
}

/// In batches, with the attempts of the jobs.
#[tokio::test]
async fn retention_deletes_what_is_old_and_nothing_else() {
    let (app, mut conn) = large().await;
    let keep = Duration::from_secs(30 * 86_400);
    let count = "select count(*) from agent_jobs";
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut conn).await.unwrap();
    // Half of the tickets are done; what the others may still need stays, however old it is.
    let done = "update tickets set column_id = 'done' where id in (select id from tickets order by id limit (select count(*) / 2 from tickets))";
    sqlx::query(done).execute(&mut conn).await.unwrap();
    let old: i64 = sqlx::query_scalar(
        "select count(*) from agent_jobs as job join tickets as ticket on ticket.id = job.ticket_id
         where job.finished_at < now() - interval '30 days' and ticket.column_id = 'done'",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    terarchitect_api::background::delete_old(&app.database(), keep, Duration::ZERO).await.unwrap();
    let old_posts =
        "select count(*), count(*) filter (where finished_at < now() - interval '30 days') from forge_posts";
    let (posts, old_posts): (i64, i64) = sqlx::query_as(old_posts).fetch_one(&mut conn).await.unwrap();
    assert!(posts > 1_000 && old_posts == 0, "{posts} posts, {old_posts} of them old");
    let after: i64 = sqlx::query_scalar(count).fetch_one(&mut conn).await.unwrap();
    assert!(old > 1_000 && before - after == old, "{old} are old, {} were deleted", before - after);
    let orphans: i64 = sqlx::query_scalar(
        "select count(*) from agent_job_attempts where not exists (select from agent_jobs where id = job_id)",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(orphans, 0);
}

/// The claim is a function, whose statements no query plan shows: what it touches is counted instead.
#[tokio::test]
async fn a_claim_touches_a_few_rows_of_large_tables() {
    let (_app, mut conn) = large().await;
    let (one, three) = (
        "array(select id from projects order by name limit 1)",
        "array(select id from projects order by name limit 3)",
    );
    for projects in ["'{}'", one, three] {
        let mut tx = conn.begin().await.unwrap();
        sqlx::raw_sql(terarchitect_api::queue::ONE_GOOD_PLAN).execute(&mut *tx).await.unwrap();
        let touched = "select coalesce(sum(seq_scan), 0)::bigint, coalesce(sum(idx_tup_fetch), 0)::bigint
            from pg_stat_xact_user_tables where relname in ('agent_jobs', 'tickets')";
        let before: (i64, i64) = sqlx::query_as(touched).fetch_one(&mut *tx).await.unwrap();
        let claim = format!(
            "select count(*) from claim_jobs({projects}, array['w', 'w'], array[gen_random_uuid(), gen_random_uuid()],
                 array[90000, 90000]::float8[])"
        );
        let claimed: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(claim)).fetch_one(&mut *tx).await.unwrap();
        let after: (i64, i64) = sqlx::query_as(touched).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(claimed, 2, "{projects}");
        assert_eq!(after.0, before.0, "a claim for {projects} reads a whole table");
        // One head for each of the 20 projects, and the two jobs, each read a few times.
        assert!(after.1 - before.1 < 100, "a claim for {projects} touched {} rows", after.1 - before.1);
        tx.rollback().await.unwrap();
    }
}
