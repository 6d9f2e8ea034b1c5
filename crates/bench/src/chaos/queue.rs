//! The queue under kills, restarts and cut connections: many clients, two replicas, one Postgres.
//!
//! Some jobs stop for a person, who decides at random times. The check at the end compares the database with the responses that
//! the clients got. A double is a job with two
//! accepted outcomes; a loss is a job that was enqueued and has none; a limit is exceeded where more jobs of a project
//! were held at one moment than the project allows.

use super::decisions::Decisions;
use crate::api::Api;
use crate::http::{Connection, HttpResponse};
use crate::proxy::Proxy;
use crate::seed::{self, Rows};
use anyhow::Context;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use terarchitect_testbed::postgres::{Options, TestPostgres};
use tokio::task::JoinSet;
use uuid::Uuid;

const CLIENTS: usize = 24;
const PROJECTS: u32 = 4;
const LIMIT: u32 = 3;
/// The shortest lease that the API accepts, in seconds.
const LEASE_SEC: &str = "5";
/// How long the remaining jobs may take to end after the last fault.
const DRAIN: Duration = Duration::from_secs(180);

/// The responses that the clients got, and the faults that were injected.
#[derive(Default)]
struct Ledger {
    /// Acknowledged enqueues: the ticket, and its job.
    enqueued: Mutex<HashMap<Uuid, String>>,
    /// Accepted reports: job, attempt, and the status that was returned.
    accepted: Mutex<Vec<(String, i64, String)>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    ending: AtomicBool,
}

impl Ledger {
    fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }
}

/// The replicas' addresses, which stay the same over their restarts.
#[derive(Clone, Copy)]
struct Replicas([SocketAddr; 2]);

impl Replicas {
    fn any(self, rng: &mut StdRng) -> SocketAddr {
        self.0[rng.random_range(0..2)]
    }
}

/// Injects faults for so long, then counts. Returns true when nothing was lost, doubled or exceeded.
pub(crate) async fn run(programs: &Path, seconds: u64, seed: Option<u64>) -> anyhow::Result<bool> {
    let seed = seed.unwrap_or_else(rand::random);
    println!("{CLIENTS} clients, 2 replicas, {PROJECTS} projects of at most {LIMIT} running jobs; seed {seed}");
    let postgres = Arc::new(TestPostgres::start(&Options { durable: true, settings: String::new() })?);
    let template = seed::empty(&postgres).await?;
    let rows =
        Rows { finished: 0, pending: 1, projects: PROJECTS, limit: Some(LIMIT), tickets: u32::try_from(seconds)? * 20 };
    let database = seed::filled(&postgres, &template, rows).await?;
    let mut conn = seed::connect(&postgres, &database).await?;
    sqlx::raw_sql("delete from agent_jobs").execute(&mut conn).await?;
    let tickets: Vec<(Uuid, Uuid)> =
        sqlx::query_as("select project_id, id from tickets where column_id = 'backlog'").fetch_all(&mut conn).await?;
    drop(conn);

    let proxy = Proxy::start(postgres.socket_dir().join(".s.PGSQL.5432")).await?;
    let url = format!("postgres://postgres@{}/{database}", proxy.address);
    let lease = [("TERARCHITECT_LEASE_SEC", LEASE_SEC)];
    let mut apis = [Api::start(programs, &url, 0, &lease).await?, Api::start(programs, &url, 0, &lease).await?];
    let replicas = Replicas([apis[0].address, apis[1].address]);

    let ledger = Arc::new(Ledger::default());
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let rng = StdRng::seed_from_u64(seed.wrapping_add(number as u64 + 1));
        tasks.spawn(work(replicas, number, ledger.clone(), rng));
    }
    let decisions = Decisions::start(replicas.0.to_vec(), None, seed ^ 0xd);
    let enqueue = tokio::spawn(enqueue(replicas, tickets, ledger.clone(), StdRng::seed_from_u64(seed ^ 0xe)));

    let mut rng = StdRng::seed_from_u64(seed);
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(rng.random_range(300..1_500))).await;
        break_something(programs, &url, &postgres, &database, &proxy, &mut apis, &ledger, &mut rng).await?;
    }
    ledger.ending.store(true, Ordering::SeqCst);
    enqueue.await.context("the enqueuer failed")?;
    drain(&postgres, &database).await?;
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    let mut conn = seed::connect(&postgres, &database).await?;
    account(&mut conn, &ledger, &decisions).await
}

#[expect(clippy::too_many_arguments, reason = "everything that can be broken")]
async fn break_something(
    programs: &Path,
    url: &str,
    postgres: &Arc<TestPostgres>,
    database: &str,
    proxy: &Proxy,
    apis: &mut [Api; 2],
    ledger: &Ledger,
    rng: &mut StdRng,
) -> anyhow::Result<()> {
    match rng.random_range(0..10) {
        0..3 => {
            ledger.count("replicas killed");
            let which = rng.random_range(0..2);
            let port = apis[which].address.port();
            apis[which].kill();
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..800))).await;
            apis[which] = Api::start(programs, url, port, &[("TERARCHITECT_LEASE_SEC", LEASE_SEC)]).await?;
        }
        3..6 => {
            ledger.count("database connections cut before the response");
            proxy.cut();
        }
        6..8 => {
            ledger.count("database sessions terminated");
            let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                where application_name = 'terarchitect-api' and random() < 0.5";
            postgres.execute(database, sql)?;
        }
        8 => {
            ledger.count("Postgres restarts, immediate");
            let postgres = postgres.clone();
            tokio::task::spawn_blocking(move || postgres.restart_immediate()).await.context("the restart failed")??;
        }
        _ => {
            ledger.count("settings and limits changed back and forth");
            let sql = "update projects set paused = true; update projects set paused = false";
            postgres.execute(database, sql)?;
        }
    }
    Ok(())
}

/// Enqueues every ticket once, with an idempotency key, and retries until it is acknowledged.
async fn enqueue(replicas: Replicas, tickets: Vec<(Uuid, Uuid)>, ledger: Arc<Ledger>, mut rng: StdRng) {
    for (project, ticket) in tickets {
        if ledger.is_ending() {
            return;
        }
        let path = format!("/api/projects/{project}/tickets/{ticket}/jobs");
        let body = json!({"idempotency_key": ticket, "priority": rng.random_range(0..3)});
        loop {
            let response = call(replicas.any(&mut rng), &path, &body, None).await;
            match response {
                Ok(response) if matches!(response.status, 200 | 201) => {
                    let job: Value = serde_json::from_slice(&response.body).unwrap_or_default();
                    let id = job["id"].as_str().unwrap_or_default().to_owned();
                    ledger.enqueued.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket, id);
                    ledger.count("jobs in");
                    break;
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.random_range(5..60))).await;
    }
}

/// Claims, holds and reports, in every way that a client may.
async fn work(replicas: Replicas, number: usize, ledger: Arc<Ledger>, mut rng: StdRng) {
    let worker = format!("worker-{number}");
    let mut request = Uuid::new_v4();
    loop {
        let claim = json!({"worker_id": worker, "request_id": request, "wait_ms": rng.random_range(0..3_000)});
        // Some disconnect in the middle of a claim, and repeat it or not.
        let patience = rng.random_bool(0.1).then(|| Duration::from_millis(rng.random_range(1..400)));
        let response = match call(replicas.any(&mut rng), "/api/worker/jobs/start", &claim, patience).await {
            Ok(response) if response.status == 200 => response,
            Ok(response) => {
                if response.status == 204 {
                    request = Uuid::new_v4();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            Err(_) => {
                ledger.count("claims without a response");
                if rng.random_bool(0.2) {
                    request = Uuid::new_v4();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        request = Uuid::new_v4();
        let Ok(job) = response.json(200) else { continue };
        ledger.count("claims");
        hold_and_report(replicas, &worker, &job, &ledger, &mut rng).await;
    }
}

async fn hold_and_report(replicas: Replicas, worker: &str, job: &Value, ledger: &Ledger, rng: &mut StdRng) {
    let (id, attempt) = (job["job_id"].as_str().unwrap_or_default(), job["attempt"].as_i64().unwrap_or_default());
    let beat = json!({"worker_id": worker, "jobs": [{"job_id": id, "attempt": attempt}]});
    let stopped = rng.random_bool(0.02);
    if stopped {
        ledger.count("clients stopped for longer than their lease");
        tokio::time::sleep(Duration::from_secs(11)).await;
    } else if rng.random_bool(0.01) {
        ledger.count("clients that vanished");
        return;
    } else {
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..400))).await;
        if let Ok(response) = call(replicas.any(rng), "/api/worker/heartbeat", &beat, None).await
            && response.json(200).is_ok_and(|beat| beat["jobs"][0]["state"] == "lost")
        {
            ledger.count("heartbeats that returned 'lost'");
            return;
        }
    }
    if rng.random_bool(0.15) {
        match stop_for_a_person(replicas, job, ledger, rng).await {
            Stopped::Approved => {}
            Stopped::Held => {
                // The exit code alone tells its coordinator, whose report changes nothing.
                let body = json!({"attempt": attempt, "worker_id": worker, "reason": "held", "exit_code": 76});
                return report_hold(replicas, id, &body, ledger, rng).await;
            }
            Stopped::Over => {
                ledger.count("attempts that were over at their checkpoint");
                return;
            }
        }
    }
    let (action, body) = match rng.random_range(0..20) {
        0 => ("release", json!({"attempt": attempt, "worker_id": worker})),
        1 | 2 => ("fail", json!({"attempt": attempt, "worker_id": worker, "reason": "agent_failed"})),
        3 => ("fail", json!({"attempt": attempt, "worker_id": worker, "reason": "engine_error"})),
        _ => ("complete", json!({"attempt": attempt, "worker_id": worker, "exit_code": 0})),
    };
    let path = format!("/api/worker/jobs/{id}/{action}");
    // Reported until there is a response, as a coordinator does; sometimes once more.
    let mut repeat = rng.random_bool(0.1);
    for _ in 0..600 {
        match call(replicas.any(rng), &path, &body, None).await {
            Ok(response) if response.status == 200 => {
                let said: Value = serde_json::from_slice(&response.body).unwrap_or_default();
                let outcome = said["status"].as_str().unwrap_or_default().to_owned();
                ledger.count("reports accepted");
                if !repeat {
                    let accepted =
                        (id.to_owned(), attempt, if action == "release" { action.to_owned() } else { outcome });
                    ledger.accepted.lock().unwrap_or_else(PoisonError::into_inner).push(accepted);
                    return;
                }
                repeat = false;
            }
            Ok(response) if response.status == 409 => {
                ledger.count(if stopped { "late reports refused" } else { "reports refused" });
                return;
            }
            Ok(response) if response.status == 404 => {
                ledger.count("jobs not found");
                return;
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    ledger.count("reports without a response");
}

/// Reports the end of a container whose runner has handed its job over, until there is a response.
async fn report_hold(replicas: Replicas, id: &str, body: &Value, ledger: &Ledger, rng: &mut StdRng) {
    for _ in 0..600 {
        match call(replicas.any(rng), &format!("/api/worker/jobs/{id}/fail"), body, None).await {
            Ok(response) if response.status == 200 => return ledger.count("reports about a hold"),
            Ok(response) if response.status == 409 => return ledger.count("reports about a hold refused"),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    ledger.count("reports without a response");
}

/// What became of an attempt at its checkpoint.
enum Stopped {
    Approved,
    Held,
    Over,
}

/// Opens a checkpoint and lets the job wait for it, as a runner does: with the job's token, until there is a response.
async fn stop_for_a_person(replicas: Replicas, job: &Value, ledger: &Ledger, rng: &mut StdRng) -> Stopped {
    let text = |name: &str| job[name].as_str().unwrap_or_default();
    let ticket = format!("/api/projects/{}/tickets/{}", text("project_id"), text("ticket_id"));
    let asked = json!({"key": "plan:1", "type": "approval_required", "stage": "plan", "message": "Should it go on?"});
    let Some((200, opened)) =
        as_runner(replicas, text("job_token"), &format!("{ticket}/checkpoints"), &asked, rng).await
    else {
        return Stopped::Over;
    };
    ledger.count("checkpoints reached");
    if opened["status"] == "approved" {
        return Stopped::Approved;
    }
    let hold = json!({"checkpoint_id": opened["id"]});
    match as_runner(replicas, text("job_token"), &format!("{ticket}/hold"), &hold, rng).await {
        Some((200, held)) if held["held"] == true => Stopped::Held,
        Some((200, held)) if held["checkpoint"]["status"] == "approved" => Stopped::Approved,
        Some((200, _)) => Stopped::Over,
        // The response to an earlier try was lost, or the attempt is over: either way it ends so.
        _ => Stopped::Held,
    }
}

/// A call with a job's token, repeated until there is a response.
async fn as_runner(
    replicas: Replicas,
    token: &str,
    path: &str,
    body: &Value,
    rng: &mut StdRng,
) -> Option<(u16, Value)> {
    for _ in 0..600 {
        let address = replicas.any(rng);
        let calling = async {
            let mut connection = Connection::open(address).await?.with_key(token);
            connection.post(path, body).await
        };
        match tokio::time::timeout(Duration::from_secs(15), calling).await {
            Ok(Ok(response)) if response.status < 500 => {
                return Some((response.status, serde_json::from_slice(&response.body).unwrap_or_default()));
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    None
}

/// One call on its own connection; `patience` closes it before the response.
async fn call(
    address: SocketAddr,
    path: &str,
    body: &Value,
    patience: Option<Duration>,
) -> anyhow::Result<HttpResponse> {
    let calling = async {
        let mut connection = Connection::open(address).await?;
        connection.post(path, body).await
    };
    match tokio::time::timeout(patience.unwrap_or(Duration::from_secs(15)), calling).await {
        Ok(response) => response,
        Err(_) => anyhow::bail!("gave up"),
    }
}

/// Waits until every job has ended. Delays before a retry are cut short, since they are not tested here.
async fn drain(postgres: &TestPostgres, database: &str) -> anyhow::Result<()> {
    let mut conn = seed::connect(postgres, database).await?;
    let deadline = Instant::now() + DRAIN;
    loop {
        sqlx::raw_sql("update agent_jobs set run_at = now() where status = 'pending' and not due")
            .execute(&mut conn)
            .await?;
        sqlx::raw_sql("notify terarchitect_jobs, 'delayed'").execute(&mut conn).await?;
        let live: i64 = sqlx::query_scalar("select count(*) from agent_jobs where status in ('pending', 'running')")
            .fetch_one(&mut conn)
            .await?;
        if live == 0 || Instant::now() > deadline {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Prints what became of the jobs.
pub(crate) async fn print_outcomes(conn: &mut PgConnection) -> anyhow::Result<()> {
    println!("Outcomes:");
    let outcomes: Vec<(String, String, i64)> = sqlx::query_as(
        "select status, coalesce(outcome_reason, '-'), count(*) from agent_jobs group by 1, 2 order by 1, 2",
    )
    .fetch_all(conn)
    .await?;
    for (status, reason, number) in &outcomes {
        println!("{number:>8}  {status} ({reason})");
    }
    Ok(())
}

/// What must be zero whatever the faults, from the database alone.
pub(crate) async fn counts(conn: &mut PgConnection) -> anyhow::Result<Vec<(&'static str, i64)>> {
    let queries = [
        ("lost: without an end", "select count(*) from agent_jobs where status in ('pending', 'running')"),
        (
            "doubles: ended twice",
            "select count(*) from (select job_id from agent_job_attempts
             where outcome in ('completed', 'failed', 'cancelled') group by job_id having count(*) > 1) as twice",
        ),
        (
            "doubles: enqueued twice",
            "select count(*) from (select ticket_id from agent_jobs group by ticket_id having count(*) > 1) as twice",
        ),
        (
            "ended without the attempt's record",
            "select count(*) from agent_jobs as job where finished_at is not null
             and not exists (select from agent_job_attempts where job_id = job.id and attempt = job.attempt)",
        ),
        (
            "attempts missing from the record",
            "select count(*) from agent_jobs as job
             where attempt <> (select count(*) from agent_job_attempts where job_id = job.id)",
        ),
        // How many attempts of a project overlap at the moment that each begins. The recorded end
        // is the start of its statement, so an attempt that was over is not counted. Of a job that was rejected
        // while it waited, the record has the decision's time.
        (
            "limits exceeded",
            "with held as (
                 select job.project_id, project.max_running, attempt.claimed_at, attempt.ended_at
                 from agent_job_attempts as attempt join agent_jobs as job on job.id = attempt.job_id
                 join projects as project on project.id = job.project_id where attempt.claimed_at is not null
                   and attempt.reason not in ('checkpoint_rejected', 'checkpoint_expired')
             )
             select count(*) from held as one where (
                 select count(*) from held as other where other.project_id = one.project_id
                 and other.claimed_at <= one.claimed_at and other.ended_at > one.claimed_at
             ) > one.max_running",
        ),
    ];
    let mut lines = Vec::new();
    for (what, sql) in queries {
        let number =
            sqlx::query_scalar(sql).fetch_one(&mut *conn).await.with_context(|| format!("could not count: {sql}"))?;
        lines.push((what, number));
    }
    Ok(lines)
}

async fn account(conn: &mut PgConnection, ledger: &Ledger, decisions: &Decisions) -> anyhow::Result<bool> {
    for (what, number) in ledger.counts.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("{number:>8}  {what}");
    }
    let decided = decisions.end(conn).await?;
    print_outcomes(conn).await?;
    let enqueued = ledger.enqueued.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let known: Vec<String> = sqlx::query_scalar("select id::text from agent_jobs").fetch_all(&mut *conn).await?;
    let known: std::collections::HashSet<_> = known.into_iter().collect();
    let vanished = enqueued.values().filter(|id| !known.contains(*id)).count();
    let accepted = ledger.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut finals: HashMap<&str, u32> = HashMap::new();
    for (job, _, outcome) in &accepted {
        if !matches!(outcome.as_str(), "pending" | "release") {
            *finals.entry(job).or_default() += 1;
        }
    }
    let accepted_twice = finals.values().filter(|count| **count > 1).count();
    let mut contradicted = 0;
    for (job, attempt, outcome) in &accepted {
        let kept: Option<String> =
            sqlx::query_scalar("select outcome from agent_job_attempts where job_id = $1::uuid and attempt = $2")
                .bind(job)
                .bind(i32::try_from(*attempt)?)
                .fetch_optional(&mut *conn)
                .await?;
        let said = match outcome.as_str() {
            "pending" => "retried",
            "release" => "released",
            outcome => outcome,
        };
        if kept.as_deref() != Some(said) {
            contradicted += 1;
        }
    }
    let mut lines = vec![
        ("lost: enqueued, but not in the database", i64::try_from(vanished)?),
        ("doubles: ends accepted twice", i64::try_from(accepted_twice)?),
        ("accepted reports that the database contradicts", contradicted),
    ];
    lines.extend(counts(conn).await?);
    lines.extend(decided);
    println!("These counts must be zero:");
    for (what, number) in &lines {
        println!("{number:>8}  {what}");
    }
    let good = lines.iter().all(|(_, number)| *number == 0) && !enqueued.is_empty();
    println!(
        "{}",
        if good {
            "Nothing was lost, doubled or exceeded."
        } else {
            "The check failed: a count above is not zero, or nothing was enqueued."
        }
    );
    Ok(good)
}
