//! From the claim to the first instruction in the container, against `docker run`.

use super::Effort;
use super::coordinator::Coordinator;
use super::docker;
use crate::api::{Api, resident_bytes};
use crate::report::{Figure, Reach, median};
use crate::seed::{self, Rows};
use anyhow::{Context, ensure};
use std::path::Path;
use std::time::{Duration, Instant};
use terarchitect_testbed::postgres::{Options, TestPostgres};

pub(super) async fn run(programs: &Path, image: &str, effort: Effort) -> anyhow::Result<()> {
    let rounds = effort.launches;
    let postgres = TestPostgres::start(&Options { durable: true, settings: String::new() })?;
    let template = seed::empty(&postgres).await?;
    let rows = Rows { finished: 0, pending: rounds + 1, projects: 1, limit: None, tickets: 0 };
    let database = seed::filled(&postgres, &template, rows).await?;
    let mut conn = seed::connect(&postgres, &database).await?;
    sqlx::raw_sql("update agent_jobs set due = false, run_at = now() + interval '1 day'").execute(&mut conn).await?;
    let more = [("TERARCHITECT_WORKER_API_KEY", "bench-worker-key")];
    let api = Api::start(programs, &postgres.url(&database), 0, &more).await?;
    let url = format!("http://{}", api.address);
    let coordinator = Coordinator::start(programs, &url, "bench-worker-key", image, &[]).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    Figure {
        what: "coordinator resident, idle".to_owned(),
        value: resident_bytes(coordinator.pid())? as f64 / 1_048_576.0,
        unit: "MiB",
        reach: Reach::AtMost(20.0),
        detail: "five seconds after its start".to_owned(),
    }
    .print();

    // One after the other, alternating with the reference. The image's entry point prints the time at which it begins.
    // The first round is not counted: it creates the project's cache volume.
    let (mut ours, mut plain, mut same) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=rounds {
        plain.push(docker_run(image, &[])?);
        same.push(docker_run(image, PROTECTED)?);
        let due = "update agent_jobs set run_at = now() where id = (select id from agent_jobs where not due limit 1)";
        sqlx::raw_sql(due).execute(&mut conn).await?;
        sqlx::raw_sql("notify terarchitect_jobs, 'delayed'").execute(&mut conn).await?;
        ours.push(launched(&mut conn, &coordinator).await?);
    }
    docker(&["volume", "rm", "terarchitect-cache-bench"])?;
    let [ours, plain, same] = [ours, plain, same].map(|seconds| 1000.0 * median(&seconds[1..]));
    Figure {
        what: "claimed → first instruction in the container, against docker run".to_owned(),
        value: ours / plain,
        unit: "×",
        reach: Reach::AtMost(1.1),
        detail: format!(
            "{ours:.0} ms against {plain:.0} ms; {:.2} × of docker run with the same network, limits and cache, {same:.0} ms; medians of {rounds}",
            ours / same
        ),
    }
    .print();
    coordinator.end()
}

/// The options that the coordinator gives its containers, as far as they take time.
const PROTECTED: &[&str] = &[
    "--network=terarchitect-agents",
    "--init",
    "--volume=terarchitect-cache-bench:/cache",
    "--add-host=host.docker.internal:host-gateway",
    "--memory=4g",
    "--memory-swap=4g",
    "--cpus=2",
    "--pids-limit=1024",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--ulimit=core=0",
    "--log-opt=max-size=10m",
    "--log-opt=max-file=2",
];

/// Seconds from the command to the container's first instruction.
fn docker_run(image: &str, options: &[&str]) -> anyhow::Result<f64> {
    let begin = std::time::SystemTime::now();
    let text = docker(&[&["run", "--rm"], options, &[image]].concat())?;
    let first: f64 = text.trim().parse().with_context(|| format!("the image should print the time, not {text}"))?;
    let begin = begin.duration_since(std::time::UNIX_EPOCH).context("the clock is before 1970")?.as_secs_f64();
    Ok(first - begin)
}

/// Seconds from the latest claim to its container's first instruction, both by this machine's clock.
async fn launched(conn: &mut sqlx::PgConnection, coordinator: &Coordinator) -> anyhow::Result<f64> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let done: Option<(f64, Option<String>)> = sqlx::query_as(
            "select extract(epoch from attempt.claimed_at)::float8, log_tail from agent_job_attempts as attempt
             order by ended_at desc limit 1",
        )
        .fetch_optional(&mut *conn)
        .await?;
        let running: i64 = sqlx::query_scalar(
            "select count(*) from agent_jobs where status = 'running' or (status = 'pending' and (due or run_at <= now()))",
        )
        .fetch_one(&mut *conn)
        .await?;
        if let Some((claimed, tail)) = done.filter(|_| running == 0) {
            let tail = tail.unwrap_or_default();
            let first: f64 =
                tail.trim().parse().with_context(|| format!("the container should print the time, not {tail}"))?;
            return Ok(first - claimed);
        }
        ensure!(Instant::now() < deadline, "the job did not end in time: {}", coordinator.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
