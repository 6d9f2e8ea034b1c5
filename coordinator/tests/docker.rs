//! What only a real engine can show: a container out of memory, one that floods its log, an image that is not there, one
//! that is taken away. Needs Docker and a base image with a shell, named by `TERARCHITECT_TEST_IMAGE`; `scripts/test`
//! provides both, and sets `TERARCHITECT_REQUIRE_DOCKER` so that nothing is left out silently.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that can't go on should fail where it stands")]

use clap::Parser;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use terarchitect_coordinator::cli::Cli;
use terarchitect_coordinator::config::Config;
use terarchitect_coordinator::engine::Docker;
use terarchitect_coordinator::images::Images;
use terarchitect_coordinator::job::{Claim, Controls, Ended, Origin, Shared, supervise};
use terarchitect_coordinator::metrics::Metrics;
use terarchitect_coordinator::spec::{Attempt, container_spec};
use terarchitect_coordinator::state_dir::StateDir;
use terarchitect_worker_api::client::WorkerClient;
use terarchitect_worker_api::{Job, JobId, ProjectId, TicketId};
use tokio::sync::Semaphore;
use wiremock::matchers::path_regex;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The base image; none where this may be left out.
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

/// An image of its own whose entry point is a shell script; removed at the end.
struct ScriptImage(String);

impl ScriptImage {
    fn new(base: &str, script: &str) -> Self {
        let name = format!("terarchitect-test:{}", uuid::Uuid::new_v4().simple());
        let mut build = Command::new("docker")
            .args(["build", "-q", "-t", &name, "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let entry = json!(["/bin/sh", "-c", script]);
        write!(build.stdin.take().unwrap(), "FROM {base}\nENTRYPOINT {entry}\n").unwrap();
        assert!(build.wait().unwrap().success(), "the image could not be built");
        Self(name)
    }
}

impl Drop for ScriptImage {
    fn drop(&mut self) {
        let removed = Command::new("docker").args(["rmi", "-f", &self.0]).stdout(Stdio::null()).status();
        assert!(removed.is_ok_and(|status| status.success()), "the image could not be removed");
    }
}

struct World {
    shared: Shared,
    api: MockServer,
    _dir: tempfile::TempDir,
}

async fn world(image: &str, more: &[&str]) -> World {
    let api = MockServer::start().await;
    let answer = json!({"job_id": uuid::Uuid::nil(), "status": "failed"});
    let template = ResponseTemplate::new(200).set_body_json(answer);
    Mock::given(path_regex("/api/worker/jobs/.*/(complete|fail)")).respond_with(template).mount(&api).await;
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().to_str().unwrap().to_owned();
    let uri = api.uri();
    let arguments = ["c", "--api-url", &uri, "--state-dir", &state, "--agent-image", image, "--stop-grace-sec", "1"];
    let cli = Cli::parse_from(arguments.iter().chain(more));
    let config = Config::parse(&cli.options, |_| None).unwrap();
    let shared = Shared {
        engine: Arc::new(Docker::connect(config.container.clone()).await.unwrap()),
        client: WorkerClient::new(&uri, None).unwrap(),
        state: StateDir::open(dir.path()).unwrap(),
        images: Images::new(config.pull_policy),
        metrics: Metrics::default(),
        starts: Semaphore::new(2),
        config,
    };
    World { shared, api, _dir: dir }
}

fn job() -> Job {
    serde_json::from_value(json!({
        "job_id": JobId::new(), "ticket_id": TicketId::new(), "project_id": ProjectId::new(), "kind": "ticket",
        "repo_url": "http://localhost:9/o/r", "attempt": 1, "job_token": "tajt1.secret-of-the-job",
    }))
    .unwrap()
}

/// Runs a job to its end, and answers what was reported.
async fn run(world: &World, job: &Job) -> Value {
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
    let removed = Command::new("docker").args(["volume", "rm", "-f", &volume]).stdout(Stdio::null()).status().unwrap();
    assert!(removed.success());
    let requests = world.api.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1, "one report");
    requests[0].body_json().unwrap()
}

/// The engine's own word that a container has started.
struct Starts {
    events: Child,
    lines: BufReader<ChildStdout>,
}

/// Listens for the start of the container called `name`, also one that was before the engine heard of the listener.
fn container_starts(name: &str) -> Starts {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
    let container = format!("container={name}");
    let mut events = Command::new("docker")
        .args(["events", "--since", &since, "--filter", &container, "--filter", "event=start", "--format", "{{.ID}}"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(events.stdout.take().unwrap());
    Starts { events, lines }
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

#[tokio::test]
async fn out_of_memory_has_its_reason() {
    let Some(base) = base_image() else { return };
    let image = ScriptImage::new(&base, "tail /dev/zero");
    let world = world(&image.0, &["--memory-mb", "32"]).await;
    let report = run(&world, &job()).await;
    assert_eq!((&report["reason"], &report["oom_killed"]), (&json!("oom"), &json!(true)), "{report}");
    assert!(report["detail"].as_str().unwrap().contains("memory limit"), "{report}");
}

#[tokio::test]
async fn a_flood_of_output_is_reported_by_its_end_alone_and_fills_no_disk() {
    let Some(base) = base_image() else { return };
    // What the runner is given on its standard input is said as well, and must not be repeated.
    let script = "secret=$(cat); head -c 1000000000 /dev/zero | tr '\\0' 'x' | fold -w 200; echo; echo the end";
    let image = ScriptImage::new(&base, script);
    let world = world(&image.0, &[]).await;
    let report = run(&world, &job()).await;
    assert_eq!(report["reason"], "completed", "{}", report["reason"]);
    let tail = report["log_tail"].as_str().unwrap();
    assert!(tail.len() <= 16 * 1024 && tail.trim_end().ends_with("the end"), "{} bytes", tail.len());
}

#[tokio::test]
async fn an_image_that_can_not_be_had_is_asked_for_three_times_and_then_rests() {
    if base_image().is_none() {
        return;
    }
    let image = "127.0.0.1:9/terarchitect/no-such-image:1";
    let world = world(image, &[]).await;
    let report = run(&world, &job()).await;
    assert_eq!(report["reason"], "image_unavailable", "{report}");
    assert!(world.shared.images.rests(image), "nothing that needs it is claimed for a while");
}

#[tokio::test]
async fn a_container_that_is_taken_away_is_noticed_at_once() {
    let Some(base) = base_image() else { return };
    let image = ScriptImage::new(&base, "sleep 600");
    let world = world(&image.0, &[]).await;
    let job = job();
    let name = Attempt::of(&job).container_name();
    let mut started = container_starts(&name);
    let taking = tokio::task::spawn_blocking(move || {
        started.wait_for_one();
        let inspected = Command::new("docker").args(["inspect", &name]).output().unwrap();
        assert!(inspected.status.success(), "{}", String::from_utf8_lossy(&inspected.stderr));
        let inspected = String::from_utf8_lossy(&inspected.stdout).into_owned();
        assert!(!inspected.contains("secret-of-the-job"), "inspect shows a secret");
        Command::new("docker").args(["rm", "-f", &name]).output().unwrap()
    });
    let report = run(&world, &job).await;
    taking.await.unwrap();
    assert_eq!(report["reason"], "container_lost", "{report}");
}
