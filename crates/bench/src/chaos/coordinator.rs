//! Coordinators on a real engine, killed at random while they run containers: one API, one Postgres, two coordinators.
//!
//! The containers are of a small image that waits for a moment and succeeds, fails, or stops for a person with exit code 76. This
//! tests that every job is ended and reported once, not what an agent does.

use super::decisions::Decisions;
use crate::api::Api;
use crate::chaos::queue::{counts, print_outcomes};
use crate::launch::gateway;
use crate::seed::{self, Rows};
use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use terarchitect_testbed::postgres::{Options, TestPostgres};

const COORDINATORS: usize = 2;
const SLOTS: &str = "3";
const LEASE_SEC: &str = "15";
const API_KEY: &str = "chaos-api-key";
const KILLED: &str = "coordinators killed";
const LEAST_KILLS: u64 = 20;
const WAITS: &str = "terarchitect-warm-";
/// How long the remaining jobs may take to end after the last fault.
const DRAIN: Duration = Duration::from_secs(180);

struct Coordinator {
    child: Child,
    dir: PathBuf,
}

/// Injects faults for so long, then counts. Returns true when nothing was lost, doubled or left over.
pub(crate) async fn run(programs: &Path, image: &str, seconds: u64, seed: Option<u64>) -> anyhow::Result<bool> {
    let seed = seed.unwrap_or_else(rand::random);
    println!(
        "{COORDINATORS} coordinators with {SLOTS} slots each on a real engine, leases of {LEASE_SEC} s; seed {seed}"
    );
    let mut rng = StdRng::seed_from_u64(seed);
    let postgres = TestPostgres::start(&Options::default())?;
    let template = seed::empty(&postgres).await?;
    let jobs = u32::try_from(seconds)? * 2;
    let rows = Rows { finished: 0, pending: jobs, projects: 2, limit: None, tickets: 0 };
    let database = seed::filled(&postgres, &template, rows).await?;
    // Containers reach it at the gateway's address.
    let gateway = gateway(image)?;
    let url = postgres.url(&database);
    let serve = async |port: u16| {
        let listen = format!("127.0.0.1:{port},{gateway}:{port}");
        let more = [
            ("TERARCHITECT_LISTEN", listen.as_str()),
            ("TERARCHITECT_LEASE_SEC", LEASE_SEC),
            ("TERARCHITECT_API_KEY", API_KEY),
            ("TERARCHITECT_WORKER_API_KEY", "chaos-worker-key"),
        ];
        Api::start(programs, &url, port, &more).await
    };
    let mut api = serve(0).await?;
    let decisions = Decisions::start(vec![api.address], Some(API_KEY), seed ^ 0xd);
    let folder = tempfile::tempdir().context("could not create a temporary directory")?;
    let api_url = format!("http://{}", api.address);
    let mut coordinators = Vec::new();
    for number in 0..COORDINATORS {
        let dir = folder.path().join(format!("coordinator-{number}"));
        let child = start(programs, &api_url, image, &dir)?;
        coordinators.push(Coordinator { child, dir });
    }
    let mut faults: BTreeMap<&'static str, u64> = BTreeMap::new();
    let until = Instant::now() + Duration::from_secs(seconds);
    // A slow machine gets more time, so that enough faults happen.
    let kills = |faults: &BTreeMap<&str, u64>| faults.get(KILLED).copied().unwrap_or(0);
    while Instant::now() < until || (kills(&faults) < LEAST_KILLS && Instant::now() < until + DRAIN) {
        tokio::time::sleep(Duration::from_millis(rng.random_range(200..1_500))).await;
        match rng.random_range(0..10) {
            0..7 => {
                *faults.entry(KILLED).or_default() += 1;
                let which = &mut coordinators[rng.random_range(0..COORDINATORS)];
                which.child.kill().context("could not kill a coordinator")?;
                which.child.wait().context("could not wait for a coordinator")?;
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..1_000))).await;
                which.child = start(programs, &api_url, image, &which.dir)?;
            }
            7..9 => {
                let own = containers(&coordinators, "running")?;
                if let Some(id) = own.get(rng.random_range(0..own.len().max(1))) {
                    *faults.entry("containers removed by hand").or_default() += 1;
                    docker(&["rm", "-f", id])?;
                }
            }
            _ => {
                *faults.entry("API restarts").or_default() += 1;
                let port = api.address.port();
                api.kill();
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..2_000))).await;
                api = serve(port).await?;
            }
        }
    }
    let mut conn = seed::connect(&postgres, &database).await?;
    drain(&mut conn, &coordinators).await?;
    for coordinator in &mut coordinators {
        // Everything has been reported, so it ends at once.
        let pid = rustix::process::Pid::from_child(&coordinator.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("could not stop a coordinator")?;
        let status = coordinator.child.wait().context("could not wait for a coordinator")?;
        ensure!(status.success(), "a coordinator ended with {status}");
    }
    for (what, number) in &faults {
        println!("{number:>8}  {what}");
    }
    ensure!(kills(&faults) >= LEAST_KILLS, "too few coordinators were killed; give it more time with --seconds");
    account(&mut conn, &coordinators, &decisions).await
}

fn start(programs: &Path, url: &str, image: &str, dir: &Path) -> anyhow::Result<Child> {
    std::fs::create_dir_all(dir).context("could not create a coordinator's folder")?;
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(dir.join("log"))
        .context("could not create a coordinator's log")?;
    Command::new(programs.join("terarchitect-coordinator"))
        .env("TERARCHITECT_API_URL", url)
        .env("TERARCHITECT_WORKER_API_KEY", "chaos-worker-key")
        .env("GITHUB_TOKEN", "chaos-forge-token")
        .env("AGENT_IMAGE", image)
        .env("AGENT_PULL_POLICY", "never")
        .env("MAX_CONCURRENT_AGENTS", SLOTS)
        .env("COORDINATOR_STATE_DIR", dir)
        .env("AGENT_STOP_GRACE_SEC", "1")
        .env("WARM_AGENTS", "1")
        .args(["--warm-settle-ms", "200"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .context("could not start a coordinator")
}

fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("docker").args(arguments).output().context("could not run docker")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The containers of these coordinators; `state` is `running`, or empty for any. The name of one that waits for a job begins with
/// [`WAITS`].
fn containers(coordinators: &[Coordinator], state: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for coordinator in coordinators {
        let id = std::fs::read_to_string(coordinator.dir.join("coordinator-id")).unwrap_or_default();
        let label = format!("label=io.terarchitect.coordinator-id={}", id.trim());
        let mut arguments = vec!["ps", "-a", "--format", "{{.Names}}", "--filter", &label];
        let status = format!("status={state}");
        if !state.is_empty() {
            arguments.extend(["--filter", &status]);
        }
        if !id.trim().is_empty() {
            found.extend(docker(&arguments)?.lines().map(str::to_owned));
        }
    }
    Ok(found)
}

async fn drain(conn: &mut PgConnection, coordinators: &[Coordinator]) -> anyhow::Result<()> {
    let deadline = Instant::now() + DRAIN;
    loop {
        sqlx::raw_sql("update agent_jobs set run_at = now() where status = 'pending' and not due; notify terarchitect_jobs, 'delayed'")
            .execute(&mut *conn)
            .await?;
        let live: i64 = sqlx::query_scalar("select count(*) from agent_jobs where status in ('pending', 'running')")
            .fetch_one(&mut *conn)
            .await?;
        let of_jobs = containers(coordinators, "")?.iter().filter(|name| !name.starts_with(WAITS)).count();
        if (live == 0 && of_jobs == 0) || Instant::now() > deadline {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn account(conn: &mut PgConnection, coordinators: &[Coordinator], decisions: &Decisions) -> anyhow::Result<bool> {
    let decided = decisions.end(conn).await?;
    print_outcomes(conn).await?;
    let left = containers(coordinators, "")?.len();
    let (mut secrets, mut outbox, mut ready) = (0, 0, 0);
    for coordinator in coordinators {
        let log = std::fs::read_to_string(coordinator.dir.join("log")).unwrap_or_default();
        secrets +=
            ["chaos-worker-key", "chaos-forge-token", "tajt1."].iter().filter(|word| log.contains(*word)).count();
        ready += log.matches("gave the job to a container that was ready").count();
        outbox += std::fs::read_dir(coordinator.dir.join("outbox")).map_or(0, Iterator::count);
    }
    println!("{ready:>8}  jobs got a container that was ready");
    ensure!(ready > 0, "no job got a container that was ready; give it more time with --seconds");
    let mut lines = counts(conn).await?;
    lines.extend(decided);
    lines.push(("containers left over", i64::try_from(left)?));
    lines.push(("reports left in an outbox", i64::try_from(outbox)?));
    lines.push(("secrets in logs", i64::try_from(secrets)?));
    println!("These counts must be zero:");
    for (what, number) in &lines {
        println!("{number:>8}  {what}");
    }
    let good = lines.iter().all(|(_, number)| *number == 0);
    println!(
        "{}",
        if good { "Nothing was lost, doubled or left over." } else { "The check failed: a count above is not zero." }
    );
    if !good {
        for coordinator in coordinators {
            let log = std::fs::read_to_string(coordinator.dir.join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!("The end of a coordinator's log:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
    Ok(good)
}
