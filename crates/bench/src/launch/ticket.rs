//! From a ticket's move to the first prompt, against OpenCode started alone; and what the runner costs beside it.
//!
//! Both end when the model gets its first request: what OpenCode does between a prompt and that is in both.

use super::Effort;
use super::coordinator::Coordinator;
use super::docker;
use crate::api::{Api, cpu_seconds, resident_bytes};
use crate::http::Connection;
use crate::report::{Figure, Reach, median};
use crate::seed;
use anyhow::{Context, ensure};
use http::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use terarchitect_agent_runner::agent::{AgentKind, AgentOptions, Provider, start};
use terarchitect_outbound::api_base;
use terarchitect_testbed::chat::{ChatServer, Script};
use terarchitect_testbed::forge::Forge;
use terarchitect_testbed::postgres::{Options, TestPostgres};
use tokio_util::sync::CancellationToken;

const MODEL: &str = "scripted-coder";
const APP_KEY: &str = "bench-app-key";
const WORKER_KEY: &str = "bench-worker-key";

pub(super) async fn run(programs: &Path, image: &str, effort: Effort) -> anyhow::Result<()> {
    let rounds = effort.tickets;
    let here: SocketAddr = (gateway(image)?, 0).into();
    let folder = tempfile::tempdir().context("could not create a temporary directory")?;
    let binary = opencode_of(image, folder.path())?;
    let chat = ChatServer::start_on(&[here], Script::demo(), None).await?;
    let forge = Forge::start_on(&[here], &folder.path().join("forge"), "bench-forge-token".to_owned()).await?;
    for name in ["hello", "hello-again"] {
        forge.create_repo("demo", name, &[("README.md", "# Hello\n"), ("hello.sh", "echo hello\n")])?;
    }
    let postgres = TestPostgres::start(&Options { durable: true, settings: String::new() })?;
    let database = seed::empty(&postgres).await?;
    let listen = here.to_string();
    let keys = [
        ("TERARCHITECT_LISTEN", listen.as_str()),
        ("TERARCHITECT_API_KEY", APP_KEY),
        ("TERARCHITECT_WORKER_API_KEY", WORKER_KEY),
    ];
    let api = Api::start(programs, &postgres.url(&database), 0, &keys).await?;
    let mut app = Connection::open(api.address).await?.with_key(APP_KEY);
    let settings = json!({
        "WORKER_LLM_URL": chat.base_url(), "WORKER_MODEL": MODEL, "WORKER_API_KEY": "scripted",
        "AGENT_LLM_URL": chat.base_url(), "AGENT_MODEL": "scripted-director", "AGENT_API_KEY": "scripted",
        "github_agent_token": forge.token(),
    });
    call(&mut app, Method::PUT, "/api/settings", &settings).await?;
    let url = forge.git_url("demo", "hello");
    let project = json!({"name": "Hello", "description": "A sample", "github_url": url, "is_existing_repo": true});
    let cold = id_of(&call(&mut app, Method::POST, "/api/projects", &project).await?)?;
    let url = forge.git_url("demo", "hello-again");
    let project = json!({"name": "Again", "description": "A sample", "github_url": url, "is_existing_repo": true});
    let warm = id_of(&call(&mut app, Method::POST, "/api/projects", &project).await?)?;
    let (url, forge_api) = (format!("http://{}", api.address), forge.api_url());
    let more =
        |project| [("GITHUB_API_URL", forge_api.as_str()), ("AGENT_STOP_GRACE_SEC", "5"), ("PROJECT_ID", project)];
    let coordinator = Coordinator::start(programs, &url, WORKER_KEY, image, &more(cold.as_str())).await?;
    let keeps_ready = [("WARM_AGENTS", "1")].into_iter().chain(more(warm.as_str())).collect::<Vec<_>>();
    let second = Coordinator::start(programs, &url, WORKER_KEY, image, &keeps_ready).await?;

    let (mut ours, mut alone, mut resident, mut ready) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The first of each warms up: files come from the disk, the project's cache volume is made.
    for round in 0..=rounds {
        let state = folder.path().join(format!("state-{round}"));
        alone.push(opencode_alone(&binary, &chat, folder.path(), state).await?);
        let (took, bytes) = one_ticket(&mut app, &cold, &chat).await.with_context(|| coordinator.log())?;
        ours.push(took);
        resident.push(bytes as f64 / 1_048_576.0);
        if round > 0 {
            ready_container(&warm).await.with_context(|| second.log())?;
        }
        ready.push(one_ticket(&mut app, &warm, &chat).await.with_context(|| second.log())?.0);
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

async fn call(app: &mut Connection, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
    let response = app.send(method, path, body.to_string()).await?;
    ensure!(
        (200..300).contains(&response.status),
        "{path}: {} {}",
        response.status,
        String::from_utf8_lossy(&response.body)
    );
    serde_json::from_slice(&response.body).context("the API returned no JSON")
}

fn id_of(made: &Value) -> anyhow::Result<String> {
    Ok(made["id"].as_str().context("the API returned no id")?.to_owned())
}

/// Where containers reach this machine.
pub(crate) fn gateway(image: &str) -> anyhow::Result<std::net::IpAddr> {
    let hosts = ["run", "--rm", "--add-host", "host.docker.internal:host-gateway", "--entrypoint", "cat", image];
    let output = Command::new("docker").args(hosts).arg("/etc/hosts").output().context("could not run docker")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains("host.docker.internal")).context("the engine has no gateway")?;
    line.split_whitespace().next().unwrap_or_default().parse().context("the engine's gateway is not a valid address")
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
async fn one_ticket(app: &mut Connection, project: &str, chat: &ChatServer) -> anyhow::Result<(f64, u64)> {
    let tickets = format!("/api/projects/{project}/tickets");
    let wished = json!({"title": "Greet people by name", "description": "Say how.", "column_id": "backlog"});
    let ticket = id_of(&call(app, Method::POST, &tickets, &wished).await?)?;
    let (before, begin) = (chat.requests().len(), Instant::now());
    call(app, Method::PATCH, &format!("{tickets}/{ticket}"), &json!({"column_id": "in_progress"})).await?;
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, chat.wait_for_more_than(before))
        .await
        .context("the model got no request in time")?;
    let took = begin.elapsed();
    let mut most = 0;
    while begin.elapsed() < patience {
        // It may end while this reads it.
        most = runner().and_then(|pid| resident_bytes(pid).ok()).unwrap_or(0).max(most);
        let jobs = call(app, Method::GET, &format!("/api/jobs?ticket_id={ticket}&limit=1"), &Value::Null).await?;
        match jobs["jobs"][0]["status"].as_str() {
            Some("completed") => return Ok((took.as_secs_f64(), most)),
            Some("failed" | "cancelled") => anyhow::bail!("the ticket failed: {}", jobs["jobs"][0]),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
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
