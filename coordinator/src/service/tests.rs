//! Whole coordinators on the scripted engine, killed at random points, cut off, restarted: each job ends exactly once.

use super::*;
use crate::cli::{Cli, PullPolicy};
use crate::engine::State;
use crate::engine::scripted::Scripted;
use clap::Parser;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Mutex;
use terarchitect_testbed::api::{ApiServer, Endpoint, Fault, Options};
use uuid::Uuid;

/// An API with so many jobs.
async fn api(jobs: usize, slots: u32, lease_ms: u64) -> ApiServer {
    let lease = Duration::from_millis(lease_ms);
    let api = ApiServer::start_with(Options { slots, lease, ..Options::default() }).await.unwrap();
    api.add_jobs(jobs);
    api
}

fn coordinator(engine: &Arc<Scripted>, base: &str, state: StateDir, more: &[&str]) -> Coordinator {
    let args = ["c", "--api-url", base, "--state-dir", "/unused", "--stop-grace-sec", "0", "--min-free-mb", "0"];
    let cli = Cli::parse_from(args.iter().chain(more));
    let config = Config::parse(&cli.options, |_| None).unwrap();
    let client = WorkerClient::new(base, None).unwrap();
    Coordinator::new(engine.clone(), client, state, Config { pull_policy: PullPolicy::Never, ..config })
}

/// The state directory, as soon as a coordinator that was killed has released it.
async fn open(dir: &std::path::Path) -> StateDir {
    loop {
        match StateDir::open(dir) {
            Ok(state) => return state,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Ends containers after a while, as agents do.
fn let_containers_end(engine: &Arc<Scripted>, seed: u64) -> tokio::task::JoinHandle<()> {
    let (engine, mut rng) = (engine.clone(), StdRng::seed_from_u64(seed));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(rng.random_range(1..8))).await;
            for id in engine.running() {
                if rng.random_bool(0.3) {
                    engine.exit(&id, i32::from(rng.random_bool(0.2)));
                }
            }
        }
    })
}

async fn ended_once(api: &ApiServer, engine: &Scripted) {
    engine.until(|all| all.is_empty()).await;
    for job in api.jobs() {
        assert_eq!(job.ends.len(), 1, "{job:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_two_hundred_random_points_every_job_ends_exactly_once() {
    killed_at_random_points(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_where_containers_are_ready_for_jobs() {
    let told = killed_at_random_points(&["--warm-agents", "2", "--warm-settle-ms", "0"]).await;
    let jobs = told.values().filter(|text| text.contains("JOB_ID")).count();
    assert!(jobs > 0 && jobs < told.len(), "some got a job, and some were left without one: {jobs} of {}", told.len());
}

/// Returns what containers that waited for a job were told.
async fn killed_at_random_points(more: &[&str]) -> std::collections::BTreeMap<String, String> {
    const KILLS: u32 = 200;
    let api = api(150, 4, 60_000).await;
    let base = api.url();
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let agents = let_containers_end(&engine, 1);
    let mut rng = StdRng::seed_from_u64(2);
    let (_never, drain) = watch::channel(None);
    for _ in 0..KILLS {
        let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, more).coordinate(
            drain.clone(),
            Mode::UntilDrained,
            || {},
        ));
        tokio::time::sleep(Duration::from_micros(rng.random_range(0..25_000))).await;
        // Nothing of it runs on: no report is finished, no container stopped, no file written.
        running.abort();
        let _ = running.await;
    }
    let (end, drain) = watch::channel(None);
    let last = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, more).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    let done = tokio::time::timeout(Duration::from_secs(60), async {
        api.until_all_ended().await;
        engine.until(|all| all.keys().all(|name| name.starts_with(crate::engine::spec::WAITS))).await;
        end.send_replace(Some(DrainMode::Wait));
        last.await.unwrap().unwrap();
        ended_once(&api, &engine).await;
    });
    done.await.expect("every job ends, and no container is left");
    assert!(engine.doubles().is_empty(), "attempts that were started twice: {:?}", engine.doubles());
    agents.abort();
    engine.told.borrow().clone()
}

#[tokio::test]
async fn silence_longer_than_the_lease_stops_the_container_and_the_late_report_is_refused() {
    let api = api(1, 1, 1_500).await;
    let base = api.url();
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    engine.until(|all| all.values().any(|state| matches!(state, State::Running { .. }))).await;
    api.set_fault_everywhere(Fault::Silent);
    // The coordinator can't be notified, but by now another one may hold the job.
    engine.until(|all| !all.values().any(|state| matches!(state, State::Running { .. }))).await;
    api.give_jobs_to_others();
    api.clear_faults();
    engine.until(|all| all.is_empty()).await;
    assert_eq!(api.jobs().iter().map(|job| (job.ends.len(), job.refused)).collect::<Vec<_>>(), [(0, 1)]);
    running.abort();
}

#[tokio::test]
async fn an_api_that_is_down_stops_nothing() {
    let api = api(1, 1, 1_500).await;
    let base = api.url();
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    // A port on which nothing listens any more refuses at once, which differs from silence.
    let proxy = testing_proxy(base.clone()).await;
    let running = tokio::spawn(coordinator(&engine, &proxy.base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    engine.until(|all| all.values().any(|state| matches!(state, State::Running { .. }))).await;
    proxy.close();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(engine.running().len(), 1, "more than two lease periods later the container runs on");
    running.abort();
}

struct TestingProxy {
    base: String,
    task: tokio::task::JoinHandle<()>,
    open: Arc<Mutex<Vec<tokio::task::AbortHandle>>>,
}

impl TestingProxy {
    /// Nothing listens any more, and what was connected is cut.
    fn close(&self) {
        self.task.abort();
        self.open.lock().unwrap().iter().for_each(tokio::task::AbortHandle::abort);
    }
}

async fn testing_proxy(base: String) -> TestingProxy {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let target = base.trim_start_matches("http://").to_owned();
    let open: Arc<Mutex<Vec<tokio::task::AbortHandle>>> = Arc::default();
    let connections = open.clone();
    let task = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let target = target.clone();
            let passing = tokio::spawn(async move {
                let Ok(mut server) = tokio::net::TcpStream::connect(target).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
            connections.lock().unwrap().push(passing.abort_handle());
        }
    });
    TestingProxy { base: own, task, open }
}

#[tokio::test]
async fn what_was_given_to_others_is_stopped_and_not_reported() {
    let api = api(2, 2, 3_000).await;
    let base = api.url();
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    engine.until(|all| all.values().filter(|state| matches!(state, State::Running { .. })).count() == 2).await;
    api.give_jobs_to_others();
    engine.until(|all| all.is_empty()).await;
    assert!(api.jobs().iter().all(|job| job.ends.is_empty() && job.refused == 0));
    running.abort();
}

#[tokio::test]
async fn one_job_and_then_the_end() {
    let api = api(3, 4, 60_000).await;
    let base = api.url();
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let agents = let_containers_end(&engine, 5);
    let (_never, drain) = watch::channel(None);
    let once = Mode::Once { wait: Duration::from_secs(20) };
    coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(drain.clone(), once, || {}).await.unwrap();
    assert_eq!(api.jobs().iter().filter(|job| !job.ends.is_empty()).count(), 1);
    api.remove_open_jobs();
    let short = Mode::Once { wait: Duration::from_millis(50) };
    coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(drain, short, || {}).await.unwrap();
    agents.abort();
}

#[tokio::test]
async fn a_lease_without_a_container_is_reported_as_lost() {
    let api = api(0, 1, 60_000).await;
    let base = api.url();
    api.hold_job(Uuid::now_v7(), 1);
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    // It is put back into the queue, and claimed again.
    engine.until(|all| all.values().any(|state| matches!(state, State::Running { .. }))).await;
    assert_eq!(api.jobs().iter().map(|job| job.attempt).collect::<Vec<_>>(), [2]);
    running.abort();
}

#[tokio::test]
async fn a_proxy_that_says_404_for_a_while_costs_nothing() {
    let api = api(1, 1, 3_000).await;
    let base = api.url();
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    engine.until(|all| all.values().any(|state| matches!(state, State::Running { .. }))).await;
    api.set_fault_everywhere(Fault::ProxyNotFound);
    // The report of what ends meanwhile is kept.
    engine.exit(&engine.running()[0], 0);
    let kept = dir.path().join("outbox");
    while std::fs::read_dir(&kept).unwrap().next().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(std::fs::read_dir(&kept).unwrap().next().is_some(), "the report was thrown away");
    running.abort();
    let _ = running.await;
    // Nor by the next coordinator, which has seen nothing else of the API.
    let (_never, drain) = watch::channel(None);
    let again = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(std::fs::read_dir(&kept).unwrap().next().is_some(), "the report was thrown away");
    again.abort();
    let _ = again.await;
    api.clear_faults();
    let (_never, drain) = watch::channel(None);
    let again = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    ended_once(&api, &engine).await;
    again.abort();
}

#[tokio::test]
async fn an_api_of_the_plain_contract_is_enough() {
    let api = ApiServer::start_with(Options { plain: true, ..Options::default() }).await.unwrap();
    api.add_jobs(2);
    let base = api.url();
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let more = ["--max-concurrent-agents", "1", "--poll-interval-sec", "1"];
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &more).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    for _ in 0..2 {
        engine.until(|all| all.values().any(|state| matches!(state, State::Running { .. }))).await;
        engine.exit(&engine.running()[0], 0);
        engine.until(|all| !all.values().any(|state| matches!(state, State::Exited(_)))).await;
    }
    let reports = api.reports();
    assert!(reports.len() == 2 && reports.iter().all(|report| report.accepted && report.call == "complete"));
    running.abort();
}

#[tokio::test]
async fn one_job_alone_ends_with_an_error_where_the_api_refuses_or_is_silent() {
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let api = ApiServer::start().await.unwrap();
    api.set_fault_everywhere(Fault::Refuse(401, "unauthorized"));
    api.set_fault(Endpoint::Heartbeat, Fault::ProxyNotFound);
    let base = api.url();
    let once = Mode::Once { wait: Duration::from_secs(20) };
    let ended = coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(drain.clone(), once, || {}).await;
    assert!(format!("{:#}", ended.unwrap_err()).contains("refuses claims"));

    tokio::time::pause();
    let unreachable = "http://127.0.0.1:9";
    let ended = coordinator(&engine, unreachable, open(dir.path()).await, &[]).coordinate(drain, once, || {}).await;
    assert!(format!("{:#}", ended.unwrap_err()).contains("did not respond"));
}

#[tokio::test]
async fn heartbeats_go_on_while_the_api_takes_its_time_for_a_report() {
    let api = api(2, 2, 1_500).await;
    let base = api.url();
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    engine.until(|all| all.values().filter(|state| matches!(state, State::Running { .. })).count() == 2).await;
    api.set_fault(Endpoint::Report, Fault::Delay(Duration::from_secs(3)));
    engine.exit(&engine.running()[0], 0);
    // Two lease periods later the report has arrived, and the other one was not stopped.
    engine.until(|all| all.len() == 1).await;
    assert_eq!(engine.running().len(), 1);
    assert_eq!(api.jobs().iter().map(|job| job.ends.len()).sum::<usize>(), 1);
    running.abort();
}

#[tokio::test]
async fn a_limit_that_a_person_set_holds_over_the_coordinators_own_slots() {
    let options = Options { slots: 3, slot_limit: Some(1), lease: Duration::from_millis(1_500), ..Options::default() };
    let api = ApiServer::start_with(options).await.unwrap();
    api.add_jobs(2);
    let base = api.url();
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(
        coordinator(&engine, &base, open(dir.path()).await, &["--max-concurrent-agents", "3"]).coordinate(
            drain,
            Mode::UntilDrained,
            || {},
        ),
    );
    for _ in 0..2 {
        engine.until(|all| all.values().any(|state| matches!(state, State::Running { .. }))).await;
        let beats = api.calls("/heartbeat").len();
        // Another heartbeat has come since the first job runs, and still there is one alone.
        while api.calls("/heartbeat").len() <= beats {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(engine.running().len(), 1);
        engine.exit(&engine.running()[0], 0);
    }
    api.until_all_ended().await;
    running.abort();
}

#[tokio::test]
async fn heartbeats_say_what_the_host_is_like() {
    let api = api(0, 1, 1_500).await;
    let base = api.url();
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    let found = loop {
        let beats = api.calls("/heartbeat");
        if let Some(beat) = beats.iter().find(|call| call.body["findings"].is_array()) {
            break beat.body.clone();
        }
        assert!(!running.is_finished(), "it ended without findings");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let checks: Vec<_> = found["findings"].as_array().unwrap().iter().map(|finding| &finding["check"]).collect();
    assert_eq!(checks[..4], ["engine", "disk", "image", "clock"], "{found}");
    assert_eq!((&found["engine"], &found["adopted"]), (&"scripted".into(), &0.into()), "{found}");
    running.abort();
}
