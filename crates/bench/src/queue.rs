//! The queue's speed and cost, each figure as a ratio to a reference measured at the same time.

use crate::api::{Api, cpu_seconds, resident_bytes};
use crate::http::Connection;
use crate::report::{Figure, Reach, median, percentile, print_head};
use crate::seed::{self, Rows};
use anyhow::{Context, ensure};
use http::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use terarchitect_testbed::postgres::{Options, TestPostgres};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

/// One claim of one job and one fenced completion with its attempt's row, each a durable commit. No limits and no
/// fairness: the plain `SKIP LOCKED` queue that people write first, on the same schema.
const REFERENCE: &str = "\
update agent_jobs set status = 'running', attempt = attempt + 1, worker_id = 'ref', \
request_id = gen_random_uuid(), claimed_at = clock_timestamp(), \
lease_expires_at = clock_timestamp() + interval '90 seconds' where id = (select id from agent_jobs \
where status = 'pending' and due order by project_id, priority desc, run_at, seq limit 1 for update skip locked) \
returning id, attempt \\gset
with ended as (update agent_jobs set status = 'completed', outcome_reason = 'completed', finished_at = now(), \
lease_expires_at = null, request_id = null where id = :id::uuid and attempt = :attempt::integer and worker_id = 'ref' and lease_expires_at is not null \
returning id, attempt, worker_id, claimed_at) \
insert into agent_job_attempts (job_id, attempt, worker_id, claimed_at, outcome, reason) \
select id, attempt, worker_id, claimed_at, 'completed', 'completed' from ended;
";

struct Bench<'a> {
    programs: &'a Path,
    postgres: TestPostgres,
    template: String,
    short: bool,
}

/// Measures everything, or the groups whose name contains `only`. Always returns true: no figure makes a bench fail.
pub(crate) async fn run(programs: &Path, short: bool, only: Option<&str>) -> anyhow::Result<bool> {
    let settings = "-c shared_buffers=512MB -c max_wal_size=8GB -c checkpoint_timeout=30min".to_owned();
    let postgres = TestPostgres::start(&Options { durable: true, settings })?;
    let template = seed::empty(&postgres).await?;
    let bench = Bench { programs, postgres, template, short };
    let wanted = |name: &str| only.is_none_or(|word| name.contains(word));
    let machine = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("{machine} processors shared by Postgres, the API and the load; durable commits\n");
    print_head();
    if wanted("throughput") {
        bench.throughput().await?;
    }
    if wanted("latency") {
        for waiters in [1, 100, 1000] {
            bench.latency(waiters).await?;
        }
    }
    if wanted("idle") {
        bench.idle().await?;
    }
    if wanted("leases") {
        bench.leases().await?;
    }
    Ok(true)
}

impl Bench<'_> {
    fn scaled(&self, count: u32) -> u32 {
        if self.short { count / 10 } else { count }
    }

    fn time(&self) -> Duration {
        if self.short { Duration::from_secs(1) } else { Duration::from_secs(5) }
    }

    async fn api(&self, database: &str) -> anyhow::Result<Api> {
        Api::start(self.programs, &self.postgres.url(database), 0, &[]).await
    }

    async fn throughput(&self) -> anyhow::Result<()> {
        let rows = Rows {
            finished: self.scaled(1_000_000),
            pending: self.scaled(100_000),
            projects: 1,
            limit: None,
            tickets: 0,
        };
        let template = &self.template;
        let full = seed::filled(&self.postgres, template, rows).await?;
        let small = seed::filled(&self.postgres, template, Rows { finished: 0, ..rows }).await?;
        let many = seed::filled(&self.postgres, template, Rows { projects: 500, limit: Some(50), finished: 0, ..rows })
            .await?;
        let mut rates: [Vec<f64>; 6] = Default::default();
        // Interleaved, so that other load on the machine affects all of them alike.
        for _ in 0..3 {
            rates[0].push(self.pgbench(&full, 4).await?);
            rates[1].push(self.pgbench(&full, 1).await?);
            for (place, (source, connections)) in
                [(&full, 32), (&full, 1), (&small, 32), (&many, 32)].into_iter().enumerate()
            {
                let database = self.postgres.create_database(Some(source))?;
                let api = self.api(&database).await?;
                let postmaster = self.postgres.postmaster_pid()?;
                let spent = || {
                    anyhow::Ok([
                        cpu_seconds(api.pid(), false)?,
                        cpu_seconds(postmaster, true)?,
                        cpu_seconds(std::process::id(), false)?,
                    ])
                };
                let before = spent()?;
                let begin = Instant::now();
                let rate = jobs_per_second(api.address, connections, self.time()).await?;
                let jobs = rate * begin.elapsed().as_secs_f64();
                let after = spent()?;
                let cost = [0, 1, 2].map(|part| (after[part] - before[part]) * 1e6 / jobs);
                eprintln!(
                    "{rate:.0} jobs/s: {:.0} µs of processor time per job in the API, {:.0} in Postgres, {:.0} in the load",
                    cost[0], cost[1], cost[2]
                );
                rates[place + 2].push(rate);
                drop(api);
                self.postgres.drop_database(&database)?;
            }
        }
        let [reference, one_reference, http, one, empty, projects] = rates.map(|values| median(&values));
        let rate = |name: &str, rate: f64, base_name: &str, base: f64| {
            format!(
                "{rate:.0} jobs/s {name}, {base:.0} jobs/s {base_name}; medians of 3 times {} s",
                self.time().as_secs()
            )
        };
        let figure = |what: &str, value: f64, reach: f64, detail: String| {
            Figure { what: what.to_owned(), value, unit: "×", reach: Reach::AtLeast(reach), detail }.print();
        };
        figure(
            "claim + complete over HTTP, 32 connections",
            http / reference,
            2.0,
            rate("over HTTP", http, "pgbench with 4 clients", reference),
        );
        figure(
            "the same, one connection",
            one / one_reference,
            0.7,
            rate("over HTTP", one, "pgbench with 1 client", one_reference),
        );
        figure(
            "a full table against an empty one",
            http / empty,
            0.9,
            rate("full", http, "without finished rows", empty),
        );
        figure(
            "500 limited projects against one",
            projects / empty,
            0.5,
            rate("over 500 projects", projects, "with one", empty),
        );
        for database in [full, small, many] {
            self.postgres.drop_database(&database)?;
        }
        Ok(())
    }

    /// Jobs per second of the reference, on a copy of the database.
    async fn pgbench(&self, source: &str, clients: u32) -> anyhow::Result<f64> {
        let database = self.postgres.create_database(Some(source))?;
        let script = tempfile::NamedTempFile::new().context("could not create a temporary file")?;
        std::fs::write(script.path(), REFERENCE).context("could not write the reference's script")?;
        let output = tokio::process::Command::new(self.postgres.binaries().join("pgbench"))
            // Like the API's own connections: changes by hand are recorded by triggers, which are not part of the reference.
            .env("PGAPPNAME", "terarchitect-api")
            .args(["-n", "-M", "prepared", "-U", "postgres", "-h"])
            .arg(self.postgres.socket_dir())
            .args(["-c", &clients.to_string(), "-j", &clients.min(2).to_string()])
            .args(["-T", &self.time().as_secs().to_string(), "-f"])
            .arg(script.path())
            .arg(&database)
            .output()
            .await
            .context("could not run pgbench; install Debian's postgresql-contrib")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let tps = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let tps = tps.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        let errors = String::from_utf8_lossy(&output.stderr);
        self.postgres.drop_database(&database)?;
        tps.with_context(|| format!("pgbench printed no tps: {text}{errors}"))
    }

    /// From the response to a ticket's move until a waiting claim gets its response.
    async fn latency(&self, waiters: usize) -> anyhow::Result<()> {
        let rounds = if self.short { 50 } else { 500 };
        let rows = Rows { finished: self.scaled(100_000), pending: 1, projects: 1, limit: None, tickets: rounds };
        let database = seed::filled(&self.postgres, &self.template, rows).await?;
        let mut conn = seed::connect(&self.postgres, &database).await?;
        sqlx::raw_sql("delete from agent_jobs where status = 'pending'").execute(&mut conn).await?;
        let tickets: Vec<(Uuid, Uuid)> =
            sqlx::query_as("select project_id, id from tickets where column_id = 'backlog'")
                .fetch_all(&mut conn)
                .await?;
        let api = self.api(&database).await?;
        let (sender, mut claimed) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for number in 0..waiters {
            tasks.spawn(wait_for_jobs(api.address, number, sender.clone()));
        }
        await_waiting(api.address, waiters).await?;
        let mut mover = Connection::open(api.address).await?;
        let mut latencies = Vec::new();
        for (project, ticket) in tickets {
            let path = format!("/api/projects/{project}/tickets/{ticket}");
            let response = mover.send(Method::PATCH, &path, r#"{"column_id": "in_progress"}"#.to_owned()).await?;
            let moved = Instant::now();
            response.json(200)?;
            let at: Instant = tokio::time::timeout(Duration::from_secs(30), claimed.recv())
                .await
                .context("no claim got the job")?
                .context("all waiters ended")?;
            latencies.push(at.saturating_duration_since(moved).as_secs_f64() * 1000.0);
        }
        tasks.abort_all();
        for (share, reach) in [(0.5, 5.0), (0.99, 20.0)] {
            Figure {
                what: format!("move's response → claim's response, {waiters} waiting, p{:.0}", share * 100.0),
                value: percentile(&latencies, share),
                unit: "ms",
                reach: Reach::AtMost(reach),
                detail: format!("{rounds} moves, one after the other"),
            }
            .print();
        }
        drop(api);
        self.postgres.drop_database(&database)
    }

    /// A thousand coordinators without work: claims that wait, and heartbeats.
    async fn idle(&self) -> anyhow::Result<()> {
        let rows = Rows { finished: self.scaled(100_000), pending: 1, projects: 1, limit: None, tickets: 0 };
        let database = seed::filled(&self.postgres, &self.template, rows).await?;
        let mut conn = seed::connect(&self.postgres, &database).await?;
        sqlx::raw_sql("delete from agent_jobs where status = 'pending'").execute(&mut conn).await?;
        let api = self.api(&database).await?;
        let alone = resident_bytes(api.pid())? as f64 / 1_048_576.0;
        let (sender, _claimed) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for number in 0..1000 {
            tasks.spawn(wait_for_jobs(api.address, number, sender.clone()));
        }
        await_waiting(api.address, 1000).await?;
        let claims_alone = resident_bytes(api.pid())? as f64 / 1_048_576.0;
        for number in 0..1000 {
            tasks.spawn(send_heartbeats(api.address, number, Vec::new(), Duration::from_secs(15)));
        }
        // Until every coordinator has sent its first heartbeat, which writes a row.
        tokio::time::sleep(Duration::from_secs(if self.short { 5 } else { 30 })).await;
        let span = Duration::from_secs(if self.short { 10 } else { 60 });
        let (before, begin) = (transactions(&mut conn, &database).await?, Instant::now());
        tokio::time::sleep(span).await;
        let count = transactions(&mut conn, &database).await? - before - 1;
        let rate = count as f64 / begin.elapsed().as_secs_f64();
        let detail = format!(
            "{count} transactions in {} s, with claims repeated every 20 s and heartbeats every 15 s",
            span.as_secs()
        );
        let what = "1000 coordinators waiting, queries".to_owned();
        Figure { what, value: rate, unit: "/s", reach: Reach::AtMost(1.0), detail }.print();
        Figure {
            what: "1000 coordinators waiting, API resident".to_owned(),
            value: resident_bytes(api.pid())? as f64 / 1_048_576.0,
            unit: "MiB",
            reach: Reach::AtMost(64.0),
            detail: format!(
                "2000 connections: a claim and a heartbeat each; {claims_alone:.0} MiB with the 1000 claims alone, {alone:.0} with none"
            ),
        }
        .print();
        tasks.abort_all();
        drop(api);
        self.postgres.drop_database(&database)
    }

    /// Ten thousand leases, renewed by a hundred coordinators.
    async fn leases(&self) -> anyhow::Result<()> {
        let rows = Rows { finished: self.scaled(100_000), pending: 10_000, projects: 1, limit: None, tickets: 0 };
        let database = seed::filled(&self.postgres, &self.template, rows).await?;
        let mut conn = seed::connect(&self.postgres, &database).await?;
        sqlx::raw_sql(
            "update agent_jobs as job set status = 'running', attempt = 1, worker_id = 'w' || (held.n % 100),
                 claimed_at = now(), lease_expires_at = now() + interval '1 hour'
             from (select id, row_number() over () as n from agent_jobs where status = 'pending') as held
             where job.id = held.id",
        )
        .execute(&mut conn)
        .await
        .context("could not hand out the leases")?;
        sqlx::raw_sql("vacuum (analyze) agent_jobs").execute(&mut conn).await.context("could not vacuum")?;
        let held: Vec<(String, Uuid)> = sqlx::query_as("select worker_id, id from agent_jobs where status = 'running'")
            .fetch_all(&mut conn)
            .await?;
        let api = self.api(&database).await?;
        let every = Duration::from_secs(if self.short { 5 } else { 30 });
        let mut tasks = JoinSet::new();
        for number in 0..100 {
            let worker = format!("w{number}");
            let jobs = held.iter().filter(|(holder, _)| *holder == worker).map(|(_, id)| *id).collect();
            tasks.spawn(send_heartbeats(api.address, number, jobs, every));
        }
        // Two rounds: the first updates of a row take the free space of its page.
        tokio::time::sleep(2 * every).await;
        let postmaster = self.postgres.postmaster_pid()?;
        let spent = || anyhow::Ok(cpu_seconds(api.pid(), false)? + cpu_seconds(postmaster, true)?);
        let (cpu, size, begin) = (spent()?, table_bytes(&mut conn).await?, Instant::now());
        tokio::time::sleep(2 * every).await;
        let share = 100.0 * (spent()? - cpu) / begin.elapsed().as_secs_f64();
        let grown = table_bytes(&mut conn).await? - size;
        let detail = format!("API and Postgres together, 100 jobs per heartbeat, {} s", 2 * every.as_secs());
        let what = "10 000 leases renewed every 30 s, of one core".to_owned();
        Figure { what, value: share, unit: "%", reach: Reach::AtMost(5.0), detail }.print();
        let what = "the same, growth of the table".to_owned();
        let detail = format!("{grown} of {size} bytes, with its indexes");
        let value = 100.0 * grown as f64 / size as f64;
        Figure { what, value, unit: "%", reach: Reach::AtMost(0.1), detail }.print();
        tasks.abort_all();
        drop(api);
        self.postgres.drop_database(&database)
    }
}

/// Claims and completes single jobs on every connection, and returns how many a second.
pub(crate) async fn jobs_per_second(address: SocketAddr, connections: usize, time: Duration) -> anyhow::Result<f64> {
    let (done, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let (done, stop) = (done.clone(), stop.clone());
        tasks.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let worker = format!("w{number}");
            while !stop.load(Ordering::Relaxed) {
                let claim = format!(r#"{{"worker_id":"{worker}","request_id":"{}"}}"#, Uuid::new_v4());
                let response = connection.send(Method::POST, "/api/worker/jobs/start", claim).await?;
                let job = response.json(200)?;
                let (id, attempt) = (job["job_id"].as_str().context("no job_id")?, &job["attempt"]);
                let report = format!(r#"{{"attempt":{attempt},"worker_id":"{worker}","exit_code":0}}"#);
                let path = format!("/api/worker/jobs/{id}/complete");
                let response = connection.send(Method::POST, &path, report).await?;
                ensure!(response.status == 200, "a completion was refused: {}", response.status);
                done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    // The first moments fill plans and caches.
    tokio::time::sleep(time / 5).await;
    let (before, begin) = (done.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(time).await;
    let rate = (done.load(Ordering::Relaxed) - before) as f64 / begin.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.context("a client failed")??;
    }
    Ok(rate)
}

/// Claims with a long poll forever, sends the time at which it got a job, and completes the job.
async fn wait_for_jobs(
    address: SocketAddr,
    number: usize,
    claimed: mpsc::UnboundedSender<Instant>,
) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    let worker = format!("w{number}");
    loop {
        let claim = json!({"worker_id": worker, "request_id": Uuid::new_v4(), "wait_ms": 20_000});
        let response = connection.post("/api/worker/jobs/start", &claim).await?;
        if response.status == 204 {
            continue;
        }
        let at = Instant::now();
        let job = response.json(200)?;
        if claimed.send(at).is_err() {
            return Ok(());
        }
        let path = format!("/api/worker/jobs/{}/complete", job["job_id"].as_str().context("no job_id")?);
        connection.post(&path, &json!({"attempt": job["attempt"], "worker_id": worker})).await?.json(200)?;
    }
}

/// Sends a heartbeat for these jobs at this interval, forever. Coordinators are spread over the interval.
async fn send_heartbeats(address: SocketAddr, number: usize, jobs: Vec<Uuid>, every: Duration) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    let held: Vec<Value> = jobs.iter().map(|id| json!({"job_id": id, "attempt": 1})).collect();
    let beat = json!({"worker_id": format!("w{number}"), "name": "bench", "version": "1", "slots": 4, "jobs": held});
    tokio::time::sleep(every.mul_f64((number % 100) as f64 / 100.0)).await;
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        let response = connection.post("/api/worker/heartbeat", &beat).await?.json(200)?;
        let kept =
            response["jobs"].as_array().map_or(0, |jobs| jobs.iter().filter(|job| job["state"] == "held").count());
        ensure!(kept == jobs.len(), "only {kept} of {} leases were renewed", jobs.len());
    }
}

/// Waits until this many claims wait.
async fn await_waiting(address: SocketAddr, count: usize) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let response = connection.send(Method::GET, "/metrics", String::new()).await?;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        let waiting = text.lines().find_map(|line| line.strip_prefix("terarchitect_waiting_claims "));
        if waiting.and_then(|number| number.parse().ok()) == Some(count) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{count} claims should be waiting, but {waiting:?} are");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn transactions(conn: &mut sqlx::PgConnection, database: &str) -> anyhow::Result<i64> {
    // The counters of other sessions arrive when those are idle; a moment is enough.
    sqlx::query_scalar("select xact_commit + xact_rollback from pg_stat_database where datname = $1")
        .bind(database)
        .fetch_one(conn)
        .await
        .context("could not read the statistics")
}

async fn table_bytes(conn: &mut sqlx::PgConnection) -> anyhow::Result<i64> {
    let size = "select pg_table_size('agent_jobs') + pg_indexes_size('agent_jobs')";
    sqlx::query_scalar(size).fetch_one(conn).await.context("could not read the table's size")
}
