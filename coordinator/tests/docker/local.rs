//! Jobs of local projects: a runner that is a process of this machine is stopped as gently as one in a container.

use crate::{Engine, base_image, job, world};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_coordinator::attempt::Attempt;
use terarchitect_coordinator::engine::spec::ContainerSpec;
use terarchitect_coordinator::engine::{ContainerEngine, Created, Docker, Exited, State, WithLocal};
use terarchitect_coordinator::job::spec::container_spec;
use terarchitect_coordinator::job::{Claim, Controls, Ended, Origin, supervise};
use terarchitect_worker_api::ExecutionMode;

/// A runner that writes to `pipe` when it has begun, and takes a second to stop.
fn runner(folder: &Path, pipe: &Path) -> std::path::PathBuf {
    let file = folder.join("runner");
    let script = format!(
        "#!/bin/sh\ntrap 'echo stopping; sleep 1; echo stopped in order; exit 130' TERM\necho begun >{}\nwhile :; do sleep 0.1; done\n",
        pipe.display()
    );
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// A local engine whose runner is this shell script, and a job's description for it.
async fn local_engine(world: &crate::World, folder: &Path, script: &str) -> (WithLocal, ContainerSpec) {
    let runner = folder.join("runner");
    std::fs::write(&runner, script).unwrap();
    std::fs::set_permissions(&runner, std::fs::Permissions::from_mode(0o755)).unwrap();
    let docker = Docker::connect(world.shared.config.container.clone()).await.unwrap();
    let mut job = job();
    job.execution_mode = Some(ExecutionMode::Local);
    job.project_path = Some(folder.display().to_string());
    let spec = container_spec(&job, &world.shared.config, world.shared.state.coordinator());
    (WithLocal::new(docker, runner, folder), spec)
}

#[tokio::test]
async fn a_local_runner_that_floods_its_output_fills_no_disk_and_its_last_words_are_kept() {
    if base_image().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let world = world(&Engine::default(), "unused", &[]).await;
    let script = "#!/bin/sh\nhead -c 200000000 /dev/zero | tr '\\0' 'x' | fold -w 200\necho\necho the end\nexit 3\n";
    let (local, spec) = local_engine(&world, folder.path(), script).await;
    let Created::New(id) = local.create(&spec).await.unwrap() else { panic!("it is new") };
    local.start(&id, &spec).await.unwrap();
    local.wait(&id).await.unwrap();
    let tail = local.log_tail(&id, 16 * 1024).await.unwrap();
    assert!(tail.len() <= 16 * 1024 && tail.len() > 8 * 1024 && tail.ends_with("the end\n"), "{} bytes", tail.len());
    assert!(matches!(local.inspect(&id).await.unwrap().state, State::Exited(Exited { code: 3, .. })));
    let kept = std::fs::read_dir(folder.path().join("local").join(&spec.name)).unwrap();
    let bytes: u64 = kept.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 32 * 1024 * 1024, "{bytes} bytes are kept of 200 MB");
    local.remove(&id).await.unwrap();
}

#[tokio::test]
async fn a_local_job_has_its_grace_and_is_reported_with_its_own_words() {
    if base_image().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let mut world = world(&Engine::default(), "unused", &[]).await;
    world.shared.config.stop_grace = Duration::from_secs(20);
    let docker = Docker::connect(world.shared.config.container.clone()).await.unwrap();
    let local = WithLocal::new(docker, runner(folder.path(), &pipe), folder.path());
    let engine: Arc<dyn ContainerEngine> = Arc::new(local);
    world.shared.engine = engine.clone();
    let mut job = job();
    world.api.hold_job(job.job_id.into(), 1);
    job.execution_mode = Some(ExecutionMode::Local);
    job.project_path = Some(folder.path().display().to_string());
    let spec = container_spec(&job, &world.shared.config, world.shared.state.coordinator());
    let claim = Claim { spec, timeout: None, request: uuid::Uuid::now_v7() };
    let controls = Controls::default();
    let begun = tokio::task::spawn_blocking(move || std::fs::read_to_string(pipe).unwrap());
    let cancel = async {
        assert_eq!(begun.await.unwrap(), "begun\n");
        controls.cancel.cancel();
    };
    let supervised = supervise(&world.shared, Attempt::of(&job), Origin::Claimed(Box::new(claim)), &controls);
    let (ended, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(60), supervised), cancel);
    assert_eq!(ended.unwrap(), Ended::Reported);
    let report = world.api.reports().remove(0).body;
    assert_eq!((&report["reason"], &report["exit_code"]), (&json!("cancelled"), &json!(130)), "{report}");
    assert!(report["log_tail"].as_str().unwrap().ends_with("stopped in order\n"), "{report}");
    assert!(engine.list_own(world.shared.state.coordinator()).await.unwrap().is_empty());
}
