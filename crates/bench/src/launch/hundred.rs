//! What a coordinator costs while it supervises a hundred jobs, on an engine that runs nothing.

use super::Effort;
use super::coordinator::Coordinator;
use super::scripted_engine::ScriptedEngine;
use crate::api::{Api, cpu_seconds, resident_bytes};
use crate::report::{Figure, Reach};
use crate::seed::{self, Rows};
use std::path::Path;
use std::time::{Duration, Instant};
use terarchitect_testbed::postgres::{Options, TestPostgres};

const JOBS: u32 = 100;

pub(super) async fn run(programs: &Path, effort: Effort) -> anyhow::Result<()> {
    let postgres = TestPostgres::start(&Options { durable: true, settings: String::new() })?;
    let template = seed::empty(&postgres).await?;
    let rows = Rows { finished: 0, pending: JOBS, projects: 10, limit: None, tickets: 0 };
    let database = seed::filled(&postgres, &template, rows).await?;
    let key = [("TERARCHITECT_WORKER_API_KEY", "bench-worker-key")];
    let api = Api::start(programs, &postgres.url(&database), 0, &key).await?;
    let engine = ScriptedEngine::start()?;
    let host = format!("unix://{}", engine.socket().display());
    let slots = JOBS.to_string();
    // Secrets over standard input would need a hijacked connection; what is measured is what comes after the start.
    let more = [
        ("DOCKER_HOST", host.as_str()),
        ("MAX_CONCURRENT_AGENTS", &slots),
        ("AGENT_SECRETS", "env"),
        ("AGENT_STOP_GRACE_SEC", "1"),
    ];
    let url = format!("http://{}", api.address);
    let coordinator = Coordinator::start(programs, &url, "bench-worker-key", "scripted", &more).await?;
    engine.until_running(JOBS as usize).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (spent, begin) = (cpu_seconds(coordinator.pid(), false)?, Instant::now());
    tokio::time::sleep(effort.watched).await;
    let share = 100.0 * (cpu_seconds(coordinator.pid(), false)? - spent) / begin.elapsed().as_secs_f64();
    Figure {
        what: format!("coordinator resident, {JOBS} running jobs (scripted engine)"),
        value: resident_bytes(coordinator.pid())? as f64 / 1_048_576.0,
        unit: "MiB",
        reach: Reach::AtMost(40.0),
        detail: "heartbeats, no claims: every slot is taken".to_owned(),
    }
    .print();
    Figure {
        what: "its CPU".to_owned(),
        value: share,
        unit: "% of one core",
        reach: Reach::AtMost(1.0),
        detail: format!("over {} s", effort.watched.as_secs()),
    }
    .print();
    coordinator.end()
}
