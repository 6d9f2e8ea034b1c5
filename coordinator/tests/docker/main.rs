//! What only a real engine can show: a container out of memory, one that floods its log, an image that is missing, a
//! container that is removed; an engine that is restarted, that hangs, whose disk is full, that speaks TLS; a registry.
//! Needs Docker and a base
//! image with a shell, named by `TERARCHITECT_TEST_IMAGE`; `scripts/test` provides both, and sets
//! `TERARCHITECT_REQUIRE_DOCKER` so that no test is skipped silently.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that can't go on should fail where it stands")]

mod contact;
mod daemon;
mod faults;
mod local;
mod proxies;
mod registries;
mod streams;

use clap::Parser;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread::panicking;
use std::time::Duration;
use terarchitect_coordinator::attempt::Attempt;
use terarchitect_coordinator::cli::Cli;
use terarchitect_coordinator::config::Config;
use terarchitect_coordinator::engine::Docker;
use terarchitect_coordinator::images::Images;
use terarchitect_coordinator::job::spec::container_spec;
use terarchitect_coordinator::job::{Claim, Controls, Ended, Origin, Shared, supervise};
use terarchitect_coordinator::metrics::Metrics;
use terarchitect_coordinator::state_dir::StateDir;
use terarchitect_coordinator::warm::Warm;
use terarchitect_testbed::api::ApiServer;
use terarchitect_worker_api::client::WorkerClient;
use terarchitect_worker_api::{Job, JobId, ProjectId, TicketId};
use tokio::sync::Semaphore;

/// The base image; none where these tests may be skipped.
fn base_image() -> Option<String> {
    let image = std::env::var("TERARCHITECT_TEST_IMAGE").ok().filter(|image| !image.is_empty());
    if image.is_none() {
        assert!(
            std::env::var_os("TERARCHITECT_REQUIRE_DOCKER").is_none(),
            "TERARCHITECT_TEST_IMAGE must name an image with a shell; scripts/build-agent-image --base-only prints one"
        );
        eprintln!("skipped: no TERARCHITECT_TEST_IMAGE");
    }
    image
}

/// An engine: the machine's own, or one of the test's.
#[derive(Clone, Debug, Default)]
struct Engine {
    host: Option<String>,
}

impl Engine {
    fn docker(&self) -> Command {
        let mut docker = Command::new("docker");
        if let Some(host) = &self.host {
            docker.arg("-H").arg(host);
        }
        docker
    }

    /// Listens for the start of the container called `name`, including a start right before the engine knew the
    /// listener.
    fn container_starts(&self, name: &str) -> Starts {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
        let container = format!("container={name}");
        let mut events = self
            .docker()
            .args([
                "events",
                "--since",
                &since,
                "--filter",
                &container,
                "--filter",
                "event=start",
                "--format",
                "{{.ID}}",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(events.stdout.take().unwrap());
        Starts { events, lines }
    }
}

/// An image whose entry point is a shell script; removed at the end.
struct ScriptImage {
    name: String,
    engine: Engine,
}

impl ScriptImage {
    fn new(engine: &Engine, base: &str, script: &str) -> Self {
        let entry = json!(["/bin/sh", "-c", script]);
        Self::with(engine, base, &format!("ENTRYPOINT {entry}"))
    }

    /// An image with these lines in its Dockerfile.
    fn with(engine: &Engine, base: &str, lines: &str) -> Self {
        let name = format!("terarchitect-test:{}", uuid::Uuid::new_v4().simple());
        let mut build = engine
            .docker()
            .args(["build", "-q", "-t", &name, "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        write!(build.stdin.take().unwrap(), "FROM {base}\n{lines}\n").unwrap();
        assert!(build.wait().unwrap().success(), "the image could not be built");
        Self { name, engine: engine.clone() }
    }
}

impl Drop for ScriptImage {
    fn drop(&mut self) {
        let removed = self.engine.docker().args(["rmi", "-f", &self.name]).stdout(Stdio::null()).status();
        assert!(panicking() || removed.is_ok_and(|status| status.success()), "the image could not be removed");
    }
}

struct World {
    shared: Shared,
    api: ApiServer,
    engine: Engine,
    _dir: tempfile::TempDir,
}

async fn world(engine: &Engine, image: &str, more: &[&str]) -> World {
    world_in(engine, image, more, tempfile::tempdir().unwrap()).await
}

/// A coordinator's parts, with their state in `dir`, against a scripted API.
async fn world_in(engine: &Engine, image: &str, more: &[&str], dir: tempfile::TempDir) -> World {
    let api = ApiServer::start().await.unwrap();
    let state = dir.path().to_str().unwrap().to_owned();
    let uri = api.url();
    let arguments = ["c", "--api-url", &uri, "--state-dir", &state, "--agent-image", image, "--stop-grace-sec", "1"];
    let host = engine.host.iter().flat_map(|host| ["--docker-host", host]);
    let cli = Cli::parse_from(arguments.into_iter().chain(host).chain(more.iter().copied()));
    let config = Config::parse(&cli.options, |_| None).unwrap();
    let shared = Shared {
        engine: Arc::new(Docker::connect(config.container.clone()).await.unwrap()),
        client: WorkerClient::new(&uri, None).unwrap(),
        state: StateDir::open(dir.path()).unwrap(),
        images: Images::new(config.pull_policy),
        metrics: Metrics::default(),
        starts: Semaphore::new(2),
        config,
        host: terarchitect_coordinator::host::SharedHost::default(),
        warm: Warm::new(1),
    };
    World { shared, api, engine: engine.clone(), _dir: dir }
}

fn job() -> Job {
    serde_json::from_value(json!({
        "job_id": JobId::new(), "ticket_id": TicketId::new(), "project_id": ProjectId::new(), "kind": "ticket",
        "repo_url": "http://localhost:9/o/r", "attempt": 1, "job_token": "tajt1.secret-of-the-job",
    }))
    .unwrap()
}

/// Supervises a job to its end, and returns what was reported.
async fn finish(world: &World, job: &Job) -> Value {
    world.api.hold_job(job.job_id.into(), 1);
    let spec = container_spec(job, &world.shared.config, world.shared.state.coordinator());
    let volume = spec.cache_volume.clone();
    let origin = Origin::Claimed(Box::new(Claim { spec, timeout: None, request: uuid::Uuid::now_v7() }));
    let controls = Controls::default();
    let ended = supervise(&world.shared, Attempt::of(job), origin, &controls);
    let ended = tokio::time::timeout(Duration::from_secs(120), ended).await.unwrap();
    assert_eq!(ended, Ended::Reported);
    let left = world.shared.engine.list_own(world.shared.state.coordinator()).await.unwrap();
    assert!(left.is_empty(), "a container is left over: {left:?}");
    assert!(world.shared.state.all_kept().unwrap().is_empty(), "a report is left over");
    let removed = world.engine.docker().args(["volume", "rm", "-f", &volume]).stdout(Stdio::null()).status().unwrap();
    assert!(removed.success());
    let mut reports = world.api.reports().into_iter().filter(|report| report.job == uuid::Uuid::from(job.job_id));
    let report = reports.next().unwrap();
    assert!(report.accepted && reports.next().is_none(), "one report");
    report.body
}

/// The engine's event that a container has started.
struct Starts {
    events: Child,
    lines: BufReader<ChildStdout>,
}

impl Starts {
    fn wait_for_one(&mut self) {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(!line.trim().is_empty(), "the engine ended its list of events");
    }
}

impl Drop for Starts {
    fn drop(&mut self) {
        drop(self.events.kill());
        drop(self.events.wait());
    }
}
