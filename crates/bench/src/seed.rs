//! Databases filled for a measurement.

use anyhow::Context;
use sqlx::{Connection, PgConnection};
use terarchitect_testbed::postgres::TestPostgres;

/// How full a database is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    pub(crate) finished: u32,
    pub(crate) pending: u32,
    pub(crate) projects: u32,
    /// How many jobs of a project may run at once.
    pub(crate) limit: Option<u32>,
    /// Tickets that are not in the queue.
    pub(crate) tickets: u32,
}

pub(crate) async fn connect(postgres: &TestPostgres, database: &str) -> anyhow::Result<PgConnection> {
    PgConnection::connect(&postgres.url(database)).await.context("could not connect to the database")
}

/// A database with the schema alone, as a template.
pub(crate) async fn empty(postgres: &TestPostgres) -> anyhow::Result<String> {
    let name = postgres.create_database(None)?;
    let mut conn = connect(postgres, &name).await?;
    sqlx::migrate!("../../migrations").run(&mut conn).await.context("could not create the schema")?;
    conn.close().await.context("could not close the connection")?;
    Ok(name)
}

/// A copy of `template` with these rows.
pub(crate) async fn filled(postgres: &TestPostgres, template: &str, rows: Rows) -> anyhow::Result<String> {
    let name = postgres.create_database(Some(template))?;
    let mut conn = connect(postgres, &name).await?;
    let Rows { finished, pending, projects, limit, tickets } = rows;
    let limit = limit.map_or("null".to_owned(), |limit| limit.to_string());
    let sql = format!(
        "insert into projects (name, github_url, max_running)
             select 'p' || n, 'https://github.com/demo/hello', {limit} from generate_series(1, {projects}) as n;
         create temp table p as select id, row_number() over () - 1 as n from projects;
         insert into graphs (project_id) select id from p;
         insert into kanban_boards (project_id, columns)
             select id, '[{{\"id\": \"backlog\", \"title\": \"backlog\", \"order\": 0}},
                 {{\"id\": \"in_progress\", \"title\": \"in_progress\", \"order\": 1}},
                 {{\"id\": \"in_review\", \"title\": \"in_review\", \"order\": 2}},
                 {{\"id\": \"done\", \"title\": \"done\", \"order\": 3}}]' from p;
         create temp table t as
             with made as (
                 insert into tickets (project_id, column_id, title)
                 select p.id, 'in_progress', 'Bench' from generate_series(1, {pending}) as made (g)
                 join p on p.n = made.g % {projects} returning id, project_id
             ) select id, project_id, row_number() over () - 1 as n from made;
         create index on t (n);
         insert into agent_jobs (ticket_id, project_id, status, attempt, worker_id, claimed_at, finished_at,
                 outcome_reason, created_at, run_at)
             select t.id, t.project_id, 'completed', 1, 'seed', at, at + interval '10 minutes', 'completed', at, at
             from (select n, now() - interval '1 day' * (1 + n % 300) as at from generate_series(1, {finished}) as n) as s
             join t on t.n = s.n % {pending};
         insert into agent_job_attempts (job_id, attempt, worker_id, claimed_at, ended_at, outcome, reason)
             select id, 1, worker_id, claimed_at, finished_at, 'completed', 'completed' from agent_jobs
             where status = 'completed';
         insert into agent_jobs (ticket_id, project_id) select id, project_id from t order by n;
         insert into tickets (project_id, column_id, title)
             select p.id, 'backlog', 'Bench' from generate_series(1, {tickets}) as made (g)
             join p on p.n = made.g % {projects};"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.context("could not fill the database")?;
    sqlx::raw_sql("vacuum (analyze, freeze)").execute(&mut conn).await.context("could not vacuum")?;
    sqlx::raw_sql("checkpoint").execute(&mut conn).await.context("could not checkpoint")?;
    conn.close().await.context("could not close the connection")?;
    Ok(name)
}
