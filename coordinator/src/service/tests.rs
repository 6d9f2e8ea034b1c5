//! Whole coordinators on the scripted engine, killed at random points, cut off, restarted: each job ends exactly once.
//!
//! The API here is a small one of our own that keeps account: claims with request ids, attempts, leases by name, and how
//! often each job's end was accepted.

use super::*;
use crate::cli::{Cli, PullPolicy};
use crate::engine::State;
use crate::engine::scripted::Scripted;
use axum::extract::{Path, Query, State as Shared_};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Parser;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Debug, Default)]
struct FakeJob {
    attempt: i32,
    request: Option<String>,
    ends: Vec<String>,
    refused: usize,
}

/// The API, as far as a coordinator sees it.
#[derive(Debug, Default)]
struct FakeApi {
    jobs: Mutex<BTreeMap<String, FakeJob>>,
    /// Answers nothing, as behind a network that swallows everything.
    silent: AtomicBool,
    /// Gives running jobs to others: everything that is held is lost.
    taken_away: AtomicBool,
    /// Takes three seconds for every report.
    slow: AtomicBool,
    /// Something in front of it answers 404 to everything.
    hidden: AtomicBool,
    slots: u32,
    lease_ms: u64,
}

type Api = Arc<FakeApi>;

impl FakeApi {
    fn new(jobs: usize, slots: u32, lease_ms: u64) -> Api {
        let jobs = (0..jobs).map(|_| (Uuid::now_v7().to_string(), FakeJob::default())).collect();
        Arc::new(Self { jobs: Mutex::new(jobs), slots, lease_ms, ..Self::default() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, FakeJob>> {
        self.jobs.lock().unwrap()
    }

    fn all_ended(&self) -> bool {
        self.lock().values().all(|job| !job.ends.is_empty())
    }

    async fn serve(self: &Arc<Self>) -> String {
        let router = Router::new()
            .route("/api/worker/jobs/start", post(start))
            .route("/api/worker/heartbeat", post(heartbeat))
            .route("/api/worker/jobs", get(held))
            .route("/api/worker/jobs/{id}/{end}", post(end))
            .with_state(self.clone());
        let hidden = self.clone();
        let router = router.layer(axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
            let hidden = hidden.clone();
            async move {
                if hidden.hidden.load(Ordering::SeqCst) {
                    return axum::response::IntoResponse::into_response((StatusCode::NOT_FOUND, "no route"));
                }
                next.run(request).await
            }
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        base
    }

    async fn answers(&self) {
        while self.silent.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn start(Shared_(api): Shared_<Api>, Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    api.answers().await;
    let request = body["request_id"].as_str().map(str::to_owned);
    let found = {
        let mut jobs = api.lock();
        let before =
            jobs.iter().find(|(_, job)| job.ends.is_empty() && job.request.is_some() && job.request == request);
        let before = before.map(|(id, job)| (id.clone(), job.attempt));
        before.or_else(|| {
            let (id, job) = jobs.iter_mut().find(|(_, job)| job.ends.is_empty() && job.request.is_none())?;
            (job.attempt, job.request) = (job.attempt + 1, request);
            Some((id.clone(), job.attempt))
        })
    };
    let Some((id, attempt)) = found else {
        tokio::time::sleep(Duration::from_millis(body["wait_ms"].as_u64().unwrap_or(0).min(300))).await;
        return (StatusCode::NO_CONTENT, Json(Value::Null));
    };
    let answer = json!({
        "job_id": id, "ticket_id": Uuid::nil(), "project_id": Uuid::nil(), "kind": "ticket", "repo_url": "https://h/r",
        "attempt": attempt, "lease_ms": api.lease_ms, "job_timeout_sec": 600,
    });
    (StatusCode::OK, Json(answer))
}

async fn heartbeat(Shared_(api): Shared_<Api>, Json(body): Json<Value>) -> Json<Value> {
    api.answers().await;
    let jobs = api.lock();
    let lost = api.taken_away.load(Ordering::SeqCst);
    let state = |named: &Value| {
        let job = jobs.get(named["job_id"].as_str().unwrap());
        let held = job.is_some_and(|job| job.ends.is_empty() && named["attempt"] == job.attempt);
        json!({"job_id": named["job_id"], "attempt": named["attempt"], "state": if held && !lost { "held" } else { "lost" }})
    };
    let answer: Vec<Value> = body["jobs"].as_array().unwrap().iter().map(state).collect();
    Json(json!({"jobs": answer, "directive": "run", "max_concurrent_agents": api.slots, "lease_ms": api.lease_ms}))
}

async fn held(Shared_(api): Shared_<Api>, Query(_): Query<BTreeMap<String, String>>) -> Json<Value> {
    let jobs = api.lock();
    let held: Vec<Value> = jobs
        .iter()
        .filter(|(_, job)| job.request.is_some() && job.ends.is_empty())
        .map(|(id, job)| {
            json!({"job_id": id, "attempt": job.attempt, "ticket_id": Uuid::nil(), "project_id": Uuid::nil(),
                "lease_remaining_ms": 1000, "cancel_requested": false})
        })
        .collect();
    Json(json!({"jobs": held}))
}

/// `complete` and agent failures end a job; failures of the infrastructure put it back.
async fn end(
    Shared_(api): Shared_<Api>,
    Path((id, end)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    api.answers().await;
    if api.slow.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let mut jobs = api.lock();
    let Some(job) = jobs.get_mut(&id) else { return (StatusCode::NOT_FOUND, Json(json!({"error": "no such job"}))) };
    if body["attempt"] != job.attempt || !job.ends.is_empty() || job.request.is_none() {
        job.refused += 1;
        return (StatusCode::CONFLICT, Json(json!({"error": "over", "code": "stale_attempt"})));
    }
    let reason = body["reason"].as_str().unwrap_or_default().to_owned();
    if end == "complete" || reason == "agent_failed" {
        job.ends.push(reason);
        return (StatusCode::OK, Json(json!({"job_id": id, "status": "completed"})));
    }
    job.request = None;
    (StatusCode::OK, Json(json!({"job_id": id, "status": "pending"})))
}

fn coordinator(engine: &Arc<Scripted>, base: &str, state: StateDir, more: &[&str]) -> Coordinator {
    let args = ["c", "--api-url", base, "--state-dir", "/unused", "--stop-grace-sec", "0", "--min-free-mb", "0"];
    let cli = Cli::parse_from(args.iter().chain(more));
    let config = Config::parse(&cli.options, |_| None).unwrap();
    let client = WorkerClient::new(base, None).unwrap();
    Coordinator::new(engine.clone(), client, state, Config { pull_policy: PullPolicy::Never, ..config })
}

/// The state directory, as soon as a coordinator that was killed has let go of it.
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

async fn ended_once(api: &FakeApi, engine: &Scripted) {
    engine.until(|all| all.is_empty()).await;
    for (id, job) in api.lock().iter() {
        assert_eq!(job.ends.len(), 1, "{id}: {job:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_two_hundred_random_points_every_job_ends_exactly_once() {
    const KILLS: u32 = 200;
    let api = FakeApi::new(150, 4, 60_000);
    let base = api.serve().await;
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let agents = let_containers_end(&engine, 1);
    let mut rng = StdRng::seed_from_u64(2);
    let (_never, drain) = watch::channel(None);
    for _ in 0..KILLS {
        let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
            drain.clone(),
            Mode::UntilDrained,
            || {},
        ));
        tokio::time::sleep(Duration::from_micros(rng.random_range(0..25_000))).await;
        // Nothing of it runs on: no report is finished, no container stopped, no file written.
        running.abort();
        let _ = running.await;
    }
    let last = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    let done = tokio::time::timeout(Duration::from_secs(60), async {
        while !api.all_ended() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ended_once(&api, &engine).await;
    });
    done.await.expect("every job ends");
    assert!(engine.doubles().is_empty(), "attempts that were run twice: {:?}", engine.doubles());
    agents.abort();
    last.abort();
}

#[tokio::test]
async fn silence_longer_than_the_lease_stops_the_container_and_the_late_report_is_refused() {
    let api = FakeApi::new(1, 1, 1_500);
    let base = api.serve().await;
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    engine.until(|all| all.values().any(|state| matches!(state, State::Running { .. }))).await;
    api.silent.store(true, Ordering::SeqCst);
    // Nobody says so, but by now the job may be somebody else's.
    engine.until(|all| !all.values().any(|state| matches!(state, State::Running { .. }))).await;
    api.lock().values_mut().for_each(|job| job.attempt += 1);
    api.silent.store(false, Ordering::SeqCst);
    engine.until(|all| all.is_empty()).await;
    assert_eq!(api.lock().values().map(|job| (job.ends.len(), job.refused)).collect::<Vec<_>>(), [(0, 1)]);
    running.abort();
}

#[tokio::test]
async fn an_api_that_is_down_stops_nothing() {
    let api = FakeApi::new(1, 1, 1_500);
    let base = api.serve().await;
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    // A port on which nothing listens any more answers at once, and differently from silence.
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
    let api = FakeApi::new(2, 2, 3_000);
    let base = api.serve().await;
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    engine.until(|all| all.values().filter(|state| matches!(state, State::Running { .. })).count() == 2).await;
    api.taken_away.store(true, Ordering::SeqCst);
    engine.until(|all| all.is_empty()).await;
    assert!(api.lock().values().all(|job| job.ends.is_empty() && job.refused == 0));
    running.abort();
}

#[tokio::test]
async fn one_job_and_then_the_end() {
    let api = FakeApi::new(3, 4, 60_000);
    let base = api.serve().await;
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let agents = let_containers_end(&engine, 5);
    let (_never, drain) = watch::channel(None);
    let once = Mode::Once { wait: Duration::from_secs(20) };
    coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(drain.clone(), once, || {}).await.unwrap();
    assert_eq!(api.lock().values().filter(|job| !job.ends.is_empty()).count(), 1);
    api.lock().retain(|_, job| !job.ends.is_empty());
    let short = Mode::Once { wait: Duration::from_millis(50) };
    coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(drain, short, || {}).await.unwrap();
    agents.abort();
}

#[tokio::test]
async fn a_lease_without_a_container_is_reported_as_lost() {
    let api = FakeApi::new(1, 1, 60_000);
    let base = api.serve().await;
    api.lock().values_mut().for_each(|job| (job.attempt, job.request) = (1, Some("of another time".to_owned())));
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    // It is put back, and claimed anew.
    engine.until(|all| all.values().any(|state| matches!(state, State::Running { .. }))).await;
    assert_eq!(api.lock().values().map(|job| job.attempt).collect::<Vec<_>>(), [2]);
    running.abort();
}

#[tokio::test]
async fn a_proxy_that_says_404_for_a_while_costs_nothing() {
    let api = FakeApi::new(1, 1, 3_000);
    let base = api.serve().await;
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    engine.until(|all| all.values().any(|state| matches!(state, State::Running { .. }))).await;
    api.hidden.store(true, Ordering::SeqCst);
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
    api.hidden.store(false, Ordering::SeqCst);
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
    // Claims, and answers to reports that have no shape; no heartbeats, no leases.
    let jobs = Arc::new(Mutex::new(vec![Uuid::now_v7(), Uuid::now_v7()]));
    let reports = Arc::new(Mutex::new(Vec::new()));
    let (claims, ends) = (jobs.clone(), reports.clone());
    let router = Router::new()
        .route(
            "/api/worker/jobs/start",
            post(move |Json(body): Json<Value>| async move {
                assert!(body.get("worker_id").is_none(), "who names itself must send heartbeats: {body}");
                let Some(id) = claims.lock().unwrap().pop() else {
                    return (StatusCode::NO_CONTENT, Json(Value::Null));
                };
                let job = json!({"job_id": id, "ticket_id": Uuid::nil(), "project_id": Uuid::nil(), "kind": "ticket",
                    "repo_url": "https://h/r"});
                (StatusCode::OK, Json(job))
            }),
        )
        .route(
            "/api/worker/jobs/{id}/{end}",
            post(move |Path((id, end)): Path<(String, String)>| async move {
                ends.lock().unwrap().push((id, end));
                Json(json!({"message": "Job completed"}))
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
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
    assert_eq!(reports.lock().unwrap().iter().filter(|(_, end)| end == "complete").count(), 2);
    running.abort();
}

#[tokio::test]
async fn one_run_ends_with_an_error_where_the_api_refuses_or_is_silent() {
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let refusing = Router::new()
        .route("/api/worker/heartbeat", post(|| async { (StatusCode::NOT_FOUND, "no") }))
        .fallback(|| async { (StatusCode::UNAUTHORIZED, Json(json!({"error": "no", "code": "unauthorized"}))) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, refusing).await });
    let once = Mode::Once { wait: Duration::from_secs(20) };
    let ended = coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(drain.clone(), once, || {}).await;
    assert!(format!("{:#}", ended.unwrap_err()).contains("refuses claims"));

    tokio::time::pause();
    let nobody = "http://127.0.0.1:9";
    let ended = coordinator(&engine, nobody, open(dir.path()).await, &[]).coordinate(drain, once, || {}).await;
    assert!(format!("{:#}", ended.unwrap_err()).contains("did not answer"));
}

#[tokio::test]
async fn heartbeats_go_on_while_the_api_takes_its_time_for_a_report() {
    let api = FakeApi::new(2, 2, 1_500);
    let base = api.serve().await;
    let (engine, dir) = (Arc::new(Scripted::new()), tempfile::tempdir().unwrap());
    let (_never, drain) = watch::channel(None);
    let running = tokio::spawn(coordinator(&engine, &base, open(dir.path()).await, &[]).coordinate(
        drain,
        Mode::UntilDrained,
        || {},
    ));
    engine.until(|all| all.values().filter(|state| matches!(state, State::Running { .. })).count() == 2).await;
    api.slow.store(true, Ordering::SeqCst);
    engine.exit(&engine.running()[0], 0);
    // Two lease periods later the report has arrived, and the other one was not stopped.
    engine.until(|all| all.len() == 1).await;
    assert_eq!(engine.running().len(), 1);
    assert_eq!(api.lock().values().map(|job| job.ends.len()).sum::<usize>(), 1);
    running.abort();
}
