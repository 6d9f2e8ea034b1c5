//! From a ticket's move to the first prompt, against OpenCode started alone; and what the runner costs beside it.
//!
//! Both end when the model gets its first request: what OpenCode does between a prompt and that is in both.

use super::Effort;
use super::docker;
use super::system::{MODEL, PATIENCE, System};
use crate::api::{cpu_seconds, resident_bytes};
use crate::report::{Figure, Reach, median};
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use terarchitect_agent_runner::agent::{AgentKind, AgentOptions, Provider, start};
use terarchitect_outbound::api_base;
use terarchitect_testbed::chat::{ChatServer, Script};
use tokio_util::sync::CancellationToken;

pub(crate) async fn run(programs: &Path, image: &str, effort: Effort) -> anyhow::Result<()> {
    let rounds = effort.tickets;
    let mut system = System::start(programs, image, Script::demo()).await?;
    let binary = opencode_of(image, system.folder.path())?;
    let (cold, warm) = (system.project("hello").await?, system.project("hello-again").await?);
    let coordinator = system.coordinator(&cold, &[]).await?;
    let second = system.coordinator(&warm, &[("WARM_AGENTS", "1")]).await?;

    let (mut ours, mut alone, mut resident, mut ready) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The first of each warms up: files come from the disk, the project's cache volume is made.
    for round in 0..=rounds {
        let state = system.folder.path().join(format!("state-{round}"));
        alone.push(opencode_alone(&binary, &system.chat, system.folder.path(), state).await?);
        let (took, bytes) = one_ticket(&mut system, &cold).await.with_context(|| coordinator.log())?;
        ours.push(took);
        resident.push(bytes as f64 / 1_048_576.0);
        if round > 0 {
            ready_container(&warm).await.with_context(|| second.log())?;
        }
        ready.push(one_ticket(&mut system, &warm).await.with_context(|| second.log())?.0);
    }
    let container = ready_container(&warm).await.with_context(|| second.log())?;
    let idle = Idle::of(&container, effort.watched).await?;
    let (ours, alone, ready) = (median(&ours[1..]), median(&alone[1..]), median(&ready[1..]));
    Figure {
        what: "ticket moved → first prompt, against OpenCode's own start-up".to_owned(),
        value: ours / alone,
        unit: "×",
        reach: Reach::AtMost(1.2),
        detail: format!("{:.0} ms against {:.0} ms; medians of {rounds}", ours * 1000.0, alone * 1000.0),
    }
    .print();
    Figure {
        what: "the same with a container that is ready (WARM_AGENTS=1), against a cold start".to_owned(),
        value: ready / ours,
        unit: "×",
        reach: Reach::AtMost(0.4),
        detail: format!("{:.0} ms against {:.0} ms; medians of {rounds} each, in turn", ready * 1000.0, ours * 1000.0),
    }
    .print();
    Figure {
        what: "a container that is ready, while it waits: memory".to_owned(),
        value: idle.mebibytes,
        unit: "MiB",
        reach: Reach::Nothing,
        detail: format!("{:.2} % of a core over {} s", idle.percent, effort.watched.as_secs()),
    }
    .print();
    Figure {
        what: "runner resident beside OpenCode".to_owned(),
        value: resident.iter().copied().fold(0.0, f64::max),
        unit: "MiB",
        reach: Reach::AtMost(30.0),
        detail: format!("the most that was seen in {} tickets", resident.len()),
    }
    .print();
    second.end()?;
    coordinator.end()
}

/// What a container costs that waits for a job.
struct Idle {
    mebibytes: f64,
    /// Of a core.
    percent: f64,
}

impl Idle {
    /// Watches all processes of a container.
    async fn of(container: &str, watched: Duration) -> anyhow::Result<Self> {
        let listed = docker(&["top", container, "-eo", "pid"])?;
        let pids: Vec<u32> = listed.lines().skip(1).filter_map(|line| line.trim().parse().ok()).collect();
        ensure!(!pids.is_empty(), "the container {container} has no processes");
        let worked = || pids.iter().map(|&pid| cpu_seconds(pid, false)).sum::<anyhow::Result<f64>>();
        let before = worked()?;
        tokio::time::sleep(watched).await;
        let seconds = worked()? - before;
        let bytes = pids.iter().map(|&pid| resident_bytes(pid)).sum::<anyhow::Result<u64>>()?;
        Ok(Self { mebibytes: bytes as f64 / 1_048_576.0, percent: 100.0 * seconds / watched.as_secs_f64() })
    }
}

/// Waits until a container is ready for this project's next job: its runner has said so.
async fn ready_container(project: &str) -> anyhow::Result<String> {
    let of_project = format!("label=io.terarchitect.project-id={project}");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let named = ["ps", "--filter", &of_project, "--filter", "name=terarchitect-warm-", "--format", "{{.Names}}"];
        for name in docker(&named)?.split_whitespace() {
            let output = Command::new("docker").args(["logs", name]).output().context("could not run docker")?;
            if String::from_utf8_lossy(&output.stderr).contains("waiting for a job") {
                return Ok(name.to_owned());
            }
        }
        ensure!(Instant::now() < deadline, "no container was ready in time");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Copies OpenCode out of the image.
fn opencode_of(image: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let created = Command::new("docker").args(["create", image]).output().context("could not run docker")?;
    let id = String::from_utf8_lossy(&created.stdout).trim().to_owned();
    let file = folder.join("opencode");
    let from = format!("{id}:/usr/local/bin/opencode");
    let copied = Command::new("docker").arg("cp").arg(from).arg(&file).output().context("could not run docker")?;
    let removed = Command::new("docker").args(["rm", &id]).output().context("could not run docker")?;
    ensure!(copied.status.success() && removed.status.success(), "OpenCode could not be copied out of {image}");
    Ok(file)
}

/// Seconds from OpenCode's start to the model's first request, on this machine without a container.
async fn opencode_alone(binary: &Path, chat: &ChatServer, folder: &Path, state: PathBuf) -> anyhow::Result<f64> {
    let work = folder.join("work");
    if !work.exists() {
        let made = Command::new("git").args(["init", "-q"]).arg(&work).status().context("could not run git")?;
        ensure!(made.success(), "git could not create a repository");
    }
    let provider =
        Provider { base_url: api_base(&chat.base_url())?, model: MODEL.to_owned(), api_key: None, limits: None };
    let options = AgentOptions::new(binary.to_owned(), work, state, provider);
    let (before, begin) = (chat.requests().len(), Instant::now());
    let mut agent = start(AgentKind::OpenCode, options).await?;
    let stop = CancellationToken::new();
    let took = {
        let prompt = agent.prompt("Phase: research. What is here?", &stop);
        tokio::select! {
            _ = prompt => begin.elapsed(),
            () = chat.wait_for_more_than(before) => begin.elapsed(),
        }
    };
    drop(agent);
    Ok(took.as_secs_f64())
}

/// Seconds from the move of a ticket to the model's first request, and the most memory that the runner had.
async fn one_ticket(system: &mut System, project: &str) -> anyhow::Result<(f64, u64)> {
    let ticket = system.ticket(project, "Greet people by name").await?;
    let (before, begin) = (system.chat.requests().len(), Instant::now());
    system.move_to_progress(project, &ticket).await?;
    tokio::time::timeout(PATIENCE, system.chat.wait_for_more_than(before))
        .await
        .context("the model got no request in time")?;
    let took = begin.elapsed();
    let mut most = 0;
    while begin.elapsed() < PATIENCE {
        // It may end while this reads it.
        most = runner().and_then(|pid| resident_bytes(pid).ok()).unwrap_or(0).max(most);
        if system.is_completed(&ticket).await? {
            return Ok((took.as_secs_f64(), most));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("the ticket did not end in time")
}

/// The runner's process; there is one at a time.
fn runner() -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let named = |entry: &std::fs::DirEntry| {
        std::fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name.trim() == "agent-runner")
    };
    processes.filter(named).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).max()
}
