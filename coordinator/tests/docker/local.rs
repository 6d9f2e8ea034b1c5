//! Jobs of local projects: a runner that is a process of this machine is stopped as gently as one in a container.

use crate::{Engine, base_image, job, world};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use terarchitect_coordinator::attempt::Attempt;
use terarchitect_coordinator::engine::{ContainerEngine, Docker, WithLocal};
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
