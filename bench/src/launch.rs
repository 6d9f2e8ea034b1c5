//! How fast a claimed job runs, and what a coordinator costs.

use crate::api::{Api, cpu_seconds, resident_bytes};
use crate::report::{Figure, Reach, median, print_head};
use crate::seed::{self, Rows};
use anyhow::{Context, ensure};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use terarchitect_testbed::postgres::{Options, TestPostgres};

/// Measures launches of containers and an idle coordinator.
pub(crate) async fn run(programs: &Path, image: &str) -> anyhow::Result<bool> {
    let postgres = TestPostgres::start(&Options { durable: true, settings: String::new() })?;
    let template = seed::empty(&postgres).await?;
    let rounds = 8_u32;
    let rows = Rows { finished: 0, pending: rounds, projects: 1, limit: None, tickets: 0 };
    let database = seed::filled(&postgres, &template, rows).await?;
    let mut conn = seed::connect(&postgres, &database).await?;
    sqlx::raw_sql("update agent_jobs set due = false, run_at = now() + interval '1 day'").execute(&mut conn).await?;
    let more = [("TERARCHITECT_WORKER_API_KEY", "bench-worker-key")];
    let api = Api::start(programs, &postgres.url(&database), 0, &more).await?;
    let folder = tempfile::tempdir().context("no temporary directory")?;
    let ready = folder.path().join("ready");
    let mut coordinator = Guard(start(programs, &format!("http://{}", api.address), image, folder.path(), &ready)?);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !ready.exists() {
        ensure!(Instant::now() < deadline, "the coordinator was not ready in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    print_head();
    let pid = coordinator.0.id();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let value = resident_bytes(pid)? as f64 / 1_048_576.0;
    let what = "coordinator resident, idle".to_owned();
    Figure { what, value, unit: "MiB", reach: Reach::AtMost(20.0), detail: "after five seconds".to_owned() }.print();
    let (spent, begin) = (cpu_seconds(pid, false)?, Instant::now());

    // One after the other, alternating with the reference: the image's entry point writes the time at which it begins.
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        plain.push(docker_run(image)?);
        let due = "update agent_jobs set run_at = now() where id = (select id from agent_jobs where not due limit 1)";
        sqlx::raw_sql(due).execute(&mut conn).await?;
        sqlx::raw_sql("notify terarchitect_jobs, 'delayed'").execute(&mut conn).await?;
        ours.push(launched(&mut conn).await?);
    }
    let (ours, plain) = (median(&ours), median(&plain));
    Figure {
        what: "claimed → first instruction in the container, against docker run".to_owned(),
        value: ours / plain,
        unit: "×",
        reach: Reach::AtMost(1.1),
        detail: format!("{:.0} ms against {:.0} ms; medians of {rounds}", ours * 1000.0, plain * 1000.0),
    }
    .print();
    let share = 100.0 * (cpu_seconds(pid, false)? - spent) / begin.elapsed().as_secs_f64();
    println!("\nThe coordinator used {share:.1} % of one core while it launched one container after the other.");
    coordinator.0.kill().context("could not end the coordinator")?;
    coordinator.0.wait().context("could not wait for the coordinator")?;
    Ok(true)
}

struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Either it runs and is ended, or it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(programs: &Path, url: &str, image: &str, dir: &Path, ready: &Path) -> anyhow::Result<Child> {
    let log = std::fs::File::create(dir.join("log")).context("no log")?;
    Command::new(programs.join("terarchitect-coordinator"))
        .env("TERARCHITECT_API_URL", url)
        .env("TERARCHITECT_WORKER_API_KEY", "bench-worker-key")
        .env("AGENT_IMAGE", image)
        .env("AGENT_PULL_POLICY", "never")
        .env("COORDINATOR_STATE_DIR", dir)
        .env("COORDINATOR_READY_FILE", ready)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .context("could not start the coordinator")
}

/// Seconds from the command to the container's first instruction.
fn docker_run(image: &str) -> anyhow::Result<f64> {
    let begin = std::time::SystemTime::now();
    let output = Command::new("docker").args(["run", "--rm", image]).output().context("could not run docker")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first: f64 = text.trim().parse().with_context(|| format!("the image should print the time, not {text}"))?;
    let begin = begin.duration_since(std::time::UNIX_EPOCH).context("the clock is before 1970")?.as_secs_f64();
    Ok(first - begin)
}

/// Seconds from the latest claim to its container's first instruction, both by this machine's clock.
async fn launched(conn: &mut sqlx::PgConnection) -> anyhow::Result<f64> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let done: Option<(f64, Option<String>)> = sqlx::query_as(
            "select extract(epoch from attempt.claimed_at)::float8, log_tail from agent_job_attempts as attempt
             order by ended_at desc limit 1",
        )
        .fetch_optional(&mut *conn)
        .await?;
        let running: i64 =
            sqlx::query_scalar("select count(*) from agent_jobs where status = 'running' or (status = 'pending' and (due or run_at <= now()))")
                .fetch_one(&mut *conn)
                .await?;
        if let Some((claimed, tail)) = done.filter(|_| running == 0) {
            let tail = tail.unwrap_or_default();
            let first: f64 =
                tail.trim().parse().with_context(|| format!("the container should print the time, not {tail}"))?;
            return Ok(first - claimed);
        }
        ensure!(Instant::now() < deadline, "the job did not end in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
