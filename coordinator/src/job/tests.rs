//! A job on the scripted engine against a scripted API: what is reported, when the container goes, what a restart
//! finds.

use super::*;
use crate::attempt::Attempt;
use crate::engine::scripted::Scripted;
use crate::engine::{ContainerEngine, Signal, State};
use serde_json::{Value, json};
use spec::{container_spec, tests as spec_tests};
use std::path::Path;
use terarchitect_testbed::api::ApiServer;
use terarchitect_worker_api::Job;

fn shared(server: &ApiServer, engine: Scripted, dir: &Path, args: &[&str]) -> (Arc<Shared>, Arc<Scripted>) {
    let engine = Arc::new(engine);
    let shared = Shared {
        engine: engine.clone(),
        client: WorkerClient::new(&server.url(), None).unwrap(),
        state: StateDir::open(dir).unwrap(),
        config: spec_tests::config(args),
        starts: Semaphore::new(2),
        images: Images::new(crate::cli::PullPolicy::Never),
        metrics: Metrics::default(),
        host: crate::host::SharedHost::default(),
        warm: Warm::new(1),
    };
    (Arc::new(shared), engine)
}

fn claimed(shared: &Shared, job: &Job, timeout: Option<Duration>) -> Origin {
    let spec = container_spec(job, &shared.config, shared.state.coordinator());
    Origin::Claimed(Box::new(Claim { spec, timeout, request: Uuid::now_v7() }))
}

/// `(complete or fail, body)` of every report that arrived.
fn reports(server: &ApiServer) -> Vec<(String, Value)> {
    server.reports().into_iter().map(|report| (report.call, report.body)).collect()
}

/// A job that the API knows to be held as this attempt.
fn held_job(server: &ApiServer) -> Job {
    let job = spec_tests::job();
    server.hold_job(job.job_id.into(), job.attempt.unwrap().into());
    job
}

fn start(shared: &Arc<Shared>, attempt: Attempt, origin: Origin) -> (Controls, tokio::task::JoinHandle<Ended>) {
    let controls = Controls::default();
    let (shared, theirs) = (shared.clone(), controls.clone());
    (controls, tokio::spawn(async move { supervise(&shared, attempt, origin, &theirs).await }))
}

async fn running(engine: &Scripted) {
    engine.until(|all| all.values().any(|state| matches!(state, State::Running { .. }))).await;
}

#[tokio::test]
async fn an_exit_is_reported_and_then_the_container_goes() {
    let (server, dir) = (ApiServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (shared, engine) = shared(&server, Scripted::new(), dir.path(), &[]);
    for (code, call, reason) in [(0, "complete", "completed"), (1, "fail", "agent_failed")] {
        let job = held_job(&server);
        let attempt = Attempt::of(&job);
        let (_, ended) = start(&shared, attempt, claimed(&shared, &job, None));
        running(&engine).await;
        engine.exit(&attempt.container_name(), code);
        assert_eq!(ended.await.unwrap(), Ended::Reported);
        let (last_call, body) = reports(&server).pop().unwrap();
        assert_eq!((last_call.as_str(), &body["reason"], &body["exit_code"]), (call, &json!(reason), &json!(code)));
        assert_eq!(body["attempt"], 3);
        assert_eq!(body["log_tail"], "the last line with [secret] in it");
        engine.until(|all| all.is_empty()).await;
    }
    assert!(shared.state.all_kept().unwrap().is_empty());
}

#[tokio::test]
async fn cancel_and_timeout_stop_the_container_and_say_why() {
    let (server, dir) = (ApiServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    let engine = Scripted { on_term: None, ..Scripted::new() };
    let (shared, engine) = shared(&server, engine, dir.path(), &["--stop-grace-sec", "0"]);
    let job = held_job(&server);
    let (controls, ended) = start(&shared, Attempt::of(&job), claimed(&shared, &job, None));
    running(&engine).await;
    controls.cancel.cancel();
    assert_eq!(ended.await.unwrap(), Ended::Reported);
    assert_eq!(reports(&server).pop().unwrap().1["reason"], "cancelled");
    assert_eq!(*engine.signals.lock().unwrap(), [Signal::Term, Signal::Kill]);

    let job = held_job(&server);
    let (_, ended) = start(&shared, Attempt::of(&job), claimed(&shared, &job, Some(Duration::from_millis(1))));
    assert_eq!(ended.await.unwrap(), Ended::Reported);
    assert_eq!(reports(&server).pop().unwrap().1["reason"], "timeout");
}

#[tokio::test]
async fn a_lost_attempt_is_removed_and_never_reported() {
    let (server, dir) = (ApiServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (shared, engine) = shared(&server, Scripted::new(), dir.path(), &[]);
    let job = held_job(&server);
    let (controls, ended) = start(&shared, Attempt::of(&job), claimed(&shared, &job, None));
    running(&engine).await;
    controls.lost.cancel();
    assert_eq!(ended.await.unwrap(), Ended::Lost);
    assert!(reports(&server).is_empty());
    engine.until(|all| all.is_empty()).await;
}

#[tokio::test]
async fn a_container_removed_by_hand_and_a_missing_image_have_their_reasons() {
    let (server, dir) = (ApiServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (shared, engine) = shared(&server, Scripted::new(), dir.path(), &[]);
    let job = held_job(&server);
    let attempt = Attempt::of(&job);
    let (_, ended) = start(&shared, attempt, claimed(&shared, &job, None));
    running(&engine).await;
    engine.lose(&attempt.container_name());
    ended.await.unwrap();
    assert_eq!(reports(&server).pop().unwrap().1["reason"], "container_lost");

    let dir = tempfile::tempdir().unwrap();
    let (shared, _) = self::shared(&server, Scripted { image: false, ..Scripted::new() }, dir.path(), &[]);
    let job = held_job(&server);
    let (_, ended) = start(&shared, Attempt::of(&job), claimed(&shared, &job, None));
    ended.await.unwrap();
    assert_eq!(reports(&server).pop().unwrap().1["reason"], "image_unavailable");
}

#[tokio::test]
async fn a_container_that_ends_before_it_has_its_secrets_is_judged_by_its_exit() {
    let (server, dir) = (ApiServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    for (code, reason) in [(2, "agent_misconfigured"), (137, "engine_restart")] {
        let engine = Scripted { ends_at_start: Some(code), ..Scripted::new() };
        let (shared, engine) = shared(&server, engine, &dir.path().join(code.to_string()), &[]);
        let job = held_job(&server);
        let (_, ended) = start(&shared, Attempt::of(&job), claimed(&shared, &job, None));
        assert_eq!(ended.await.unwrap(), Ended::Reported);
        assert_eq!(reports(&server).pop().unwrap().1["reason"], reason);
        assert!(engine.signals.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_report_that_comes_too_late_settles_the_job() {
    let (server, dir) = (ApiServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (shared, engine) = shared(&server, Scripted::new(), dir.path(), &[]);
    let job = held_job(&server);
    let (_, ended) = start(&shared, Attempt::of(&job), claimed(&shared, &job, None));
    running(&engine).await;
    server.give_jobs_to_others();
    engine.exit(&Attempt::of(&job).container_name(), 0);
    assert_eq!(ended.await.unwrap(), Ended::Reported);
    let accepted: Vec<bool> = server.reports().iter().map(|report| report.accepted).collect();
    assert_eq!(accepted, [false]);
    engine.until(|all| all.is_empty()).await;
}

#[tokio::test]
async fn the_next_coordinator_adopts_what_the_first_left() {
    let (server, dir) = (ApiServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    let job = held_job(&server);
    let attempt = Attempt::of(&job);
    let (first, engine) = shared(&server, Scripted::new(), dir.path(), &[]);
    let (controls, ended) = start(&first, attempt, claimed(&first, &job, None));
    running(&engine).await;
    controls.detach.cancel();
    assert_eq!(ended.await.unwrap(), Ended::Detached);
    assert!(reports(&server).is_empty());

    let mut found = engine.list_own(first.state.coordinator()).await.unwrap();
    assert_eq!(Attempt::from_labels(&found[0].labels), Some(attempt));
    let (_, ended) = start(&first, attempt, Origin::Adopted(Box::new(found.remove(0))));
    engine.exit(&attempt.container_name(), 0);
    assert_eq!(ended.await.unwrap(), Ended::Reported);
    assert_eq!(reports(&server).len(), 1);
}

/// A container that is ready for jobs of this job's project.
async fn ready(shared: &Arc<Shared>, engine: &Scripted, job: &Job) -> CancellationToken {
    let other = Job { project_id: job.project_id, ..spec_tests::job() };
    assert!(shared.warm.take(&container_spec(&other, &shared.config, shared.state.coordinator())).is_none());
    let stop = CancellationToken::new();
    tokio::spawn(crate::service::keep_ready(shared.clone(), stop.clone()));
    engine.until(|all| all.keys().any(|name| name.starts_with(crate::engine::spec::WAITS))).await;
    // It is among those that are ready a moment after it runs.
    while shared.warm.ready() == 0 {
        tokio::task::yield_now().await;
    }
    stop
}

#[tokio::test]
async fn a_container_that_is_ready_gets_the_job_and_its_name() {
    let (server, dir) = (ApiServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (shared, engine) = shared(&server, Scripted::new(), dir.path(), &["--warm-settle-ms", "0"]);
    let job = Job { job_timeout_sec: Some(600), ..held_job(&server) };
    let attempt = Attempt::of(&job);
    let stop = ready(&shared, &engine, &job).await;
    let (_controls, ended) = start(&shared, attempt, claimed(&shared, &job, Some(Duration::from_secs(600))));
    let mut told = engine.told.subscribe();
    let told = told.wait_for(|all| !all.is_empty()).await.unwrap().clone();
    let (id, text) = told.first_key_value().unwrap();
    assert!(text.contains(&job.job_id.to_string()) && text.contains("worker-secret"), "{text}");
    let found = engine.inspect(id).await.unwrap();
    assert_eq!(Attempt::of_container(&found), Some(attempt), "it is found again after a crash");
    let kept = shared.state.assigned(attempt).unwrap();
    assert!(spec::time_left(&kept.labels, None).is_some(), "with its deadline");
    engine.exit(id, 0);
    assert_eq!(ended.await.unwrap(), Ended::Reported);
    assert_eq!(reports(&server).len(), 1);
    assert_eq!(shared.state.assigned(attempt), None);
    stop.cancel();
    engine.until(|all| all.is_empty()).await;
}

#[tokio::test]
async fn one_that_has_ended_is_no_reason_to_fail_a_job() {
    let (server, dir) = (ApiServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (shared, engine) = shared(&server, Scripted::new(), dir.path(), &["--warm-settle-ms", "0"]);
    let job = held_job(&server);
    let stop = ready(&shared, &engine, &job).await;
    let waiting = engine.containers.borrow().keys().next().unwrap().clone();
    engine.exit(&waiting, 1);
    engine.until(|all| all.is_empty()).await;
    let (_controls, ended) = start(&shared, Attempt::of(&job), claimed(&shared, &job, None));
    running(&engine).await;
    engine.exit(&Attempt::of(&job).container_name(), 0);
    assert_eq!(ended.await.unwrap(), Ended::Reported);
    assert_eq!(reports(&server)[0].0, "complete");
    stop.cancel();
}
