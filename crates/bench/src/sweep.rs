//! What it costs that the API asks forges by itself: two hundred projects, each with an open pull request in which nothing happens.
//!
//! Each has a repository of its own at one GitHub. After all were read once, they are as they would be hours later: a repository is asked every five minutes
//! what has changed, and a pull request is read every fifteen, spread evenly over that time.

use crate::api::{Api, cpu_seconds};
use crate::http::Connection;
use crate::report::{Figure, Reach, print_head};
use crate::seed;
use anyhow::{Context, ensure};
use http::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::path::Path;
use std::time::{Duration, Instant};
use terarchitect_testbed::forge::{CheckState, Forge};
use terarchitect_testbed::postgres::{Options, TestPostgres};

const OWNER: &str = "demo";
const BRANCH: &str = "ticket";
/// For how long all may take to be read for the first time.
const OPENING: Duration = Duration::from_secs(300);

/// What an API did in a while.
struct Spent {
    /// Of one processor, from 0 to 1.
    cpu: f64,
    calls: usize,
    counted: u64,
}

/// Measures everything. Always returns true: no figure makes a bench fail.
pub(crate) async fn run(programs: &Path, short: bool) -> anyhow::Result<bool> {
    // In five minutes each repository is asked once, and each third pull request read.
    let (projects, time) = if short { (20, Duration::from_secs(10)) } else { (200, Duration::from_secs(300)) };
    let forge = Forge::start().await?;
    for number in 1..=projects {
        fill(&forge, &format!("r{number}"))?;
    }
    let postgres = TestPostgres::start(&Options { durable: true, settings: String::new() })?;
    let database = seed::empty(&postgres).await?;
    let mut conn = seed::connect(&postgres, &database).await?;
    let api = Api::start(programs, &postgres.url(&database), 0, &[("GITHUB_API_URL", &forge.api_url())]).await?;
    let token = json!({"github_agent_token": forge.token()}).to_string();
    Connection::open(api.address).await?.send(Method::PUT, "/api/settings", token).await?.json(200)?;
    insert(&mut conn, &forge, projects).await?;
    all_are_read(&mut conn, projects).await?;

    put_off(&mut conn, "interval '1 hour'", "interval '1 hour'").await?;
    let idle = measure(&api, &forge, time / 5).await?;
    ensure!(idle.calls == 0, "the forge was asked {} times while nothing was due", idle.calls);
    let over = |times: u64| format!("n * interval '{} s' / total", times * time.as_secs());
    put_off(&mut conn, &over(1), &over(3)).await?;
    let spent = measure(&api, &forge, time).await?;
    ensure!(spent.calls >= projects * 9 / 10, "the forge was asked {} times only", spent.calls);
    print_head();
    Figure {
        what: format!("asking for {projects} quiet projects: the API's CPU"),
        value: 100.0 * spent.cpu,
        unit: "% of one core",
        reach: Reach::AtMost(1.0),
        detail: format!("{:.2} % with nothing to ask; {} calls in {} s", 100.0 * idle.cpu, spent.calls, time.as_secs()),
    }
    .print();
    Figure {
        what: "its calls that count against the rate limit".to_owned(),
        value: spent.counted as f64,
        unit: "calls",
        reach: Reach::AtMost(0.0),
        detail: "the others returned 304, since the entity tag was the same".to_owned(),
    }
    .print();
    drop(api);
    conn.close().await.context("could not close the connection")?;
    postgres.drop_database(&database)?;
    Ok(true)
}

/// A repository with an open pull request whose only check has passed.
fn fill(forge: &Forge, name: &str) -> anyhow::Result<()> {
    forge.create_repo(OWNER, name, &[("README.md", "A sample.\n")])?;
    let head = forge.push(OWNER, name, BRANCH, &[("greet.sh", Some("echo Hello\n"))], "Greet")?;
    forge.open_pull((OWNER, name), &forge.bot(), (BRANCH, "main"), "Greet")?;
    forge.job((OWNER, name), &head, "build", CheckState::Success, "passed")?;
    Ok(())
}

/// The projects, each with a ticket whose pull request is open and has not been read.
async fn insert(conn: &mut PgConnection, forge: &Forge, projects: usize) -> anyhow::Result<()> {
    let base = forge.git_url(OWNER, "r");
    let base = base.trim_end_matches(".git");
    let sql = format!(
        "create temp table p as
             select n, gen_random_uuid() as id, gen_random_uuid() as ticket_id from generate_series(1, {projects}) as n;
         insert into projects (id, name, github_url) select id, 'p' || n, '{base}' || n || '.git' from p;
         insert into graphs (project_id) select id from p;
         insert into kanban_boards (project_id, columns)
             select id, '[{{\"id\": \"backlog\", \"title\": \"backlog\", \"order\": 0}},
                 {{\"id\": \"in_review\", \"title\": \"in_review\", \"order\": 1}}]' from p;
         insert into tickets (id, project_id, column_id, title, pr_number, pr_url)
             select ticket_id, id, 'in_review', 'Greet', 1, '{base}' || n || '/pull/1' from p;
         insert into pull_requests (project_id, ticket_id, number, said_since, next_look_at)
             select id, ticket_id, 1, now(), now() from p;
         insert into forge_sweeps (project_id) select id from p on conflict do nothing;"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.context("could not insert projects")?;
    Ok(())
}

/// Waits until each pull request was read, and each repository asked.
async fn all_are_read(conn: &mut PgConnection, projects: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + OPENING;
    loop {
        let (read, why): (i64, Option<String>) = sqlx::query_as(
            "select count(*) filter (where pull.head_sha is not null and pull.next_look_at > now() + interval '5 minutes' and sweep.etag is not null),
                 max(coalesce(pull.look_reason, sweep.reason))
             from pull_requests as pull join forge_sweeps as sweep using (project_id)",
        )
        .fetch_one(&mut *conn)
        .await
        .context("could not read what was asked")?;
        if usize::try_from(read) == Ok(projects) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "only {read} of {projects} were read; why: {why:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Sets when each is asked next: SQL expressions of its place `n` among `total`.
async fn put_off(conn: &mut PgConnection, sweep: &str, look: &str) -> anyhow::Result<()> {
    let sql = format!(
        "with placed as (select project_id, row_number() over () as n, count(*) over () as total from forge_sweeps)
         update forge_sweeps as sweep set quiet = 100, next_at = now() + {sweep} from placed
             where placed.project_id = sweep.project_id;
         with placed as (select id, row_number() over () as n, count(*) over () as total from pull_requests)
         update pull_requests as pull set next_look_at = now() + {look} from placed where placed.id = pull.id;"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.context("could not put off")?;
    Ok(())
}

async fn measure(api: &Api, forge: &Forge, time: Duration) -> anyhow::Result<Spent> {
    let (cpu, calls, counted) = (cpu_seconds(api.pid(), false)?, forge.calls().len(), forge.counted());
    let started = Instant::now();
    tokio::time::sleep(time).await;
    Ok(Spent {
        cpu: (cpu_seconds(api.pid(), false)? - cpu) / started.elapsed().as_secs_f64(),
        calls: forge.calls().len() - calls,
        counted: forge.counted() - counted,
    })
}
