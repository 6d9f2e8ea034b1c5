//! Faults of a job's own container, on the machine's engine.

use crate::daemon::finish_meanwhile;
use crate::{Engine, ScriptImage, base_image, finish, job, world};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use terarchitect_coordinator::attempt::Attempt;
use terarchitect_coordinator::engine::{Created, EngineError};
use terarchitect_coordinator::job::spec::container_spec;

#[tokio::test]
async fn out_of_memory_has_its_reason() {
    let Some(base) = base_image() else { return };
    let image = ScriptImage::new(&Engine::default(), &base, "tail /dev/zero");
    let world = world(&Engine::default(), &image.name, &["--memory-mb", "32"]).await;
    let report = finish(&world, &job()).await;
    assert_eq!((&report["reason"], &report["oom_killed"]), (&json!("oom"), &json!(true)), "{report}");
    assert!(report["detail"].as_str().unwrap().contains("memory limit"), "{report}");
}

#[tokio::test]
async fn a_flood_of_output_is_reported_by_its_end_alone_and_fills_no_disk() {
    let Some(base) = base_image() else { return };
    // The secrets from its standard input are printed too, and must not appear in the report.
    let script = "secret=$(cat); head -c 1000000000 /dev/zero | tr '\\0' 'x' | fold -w 200; echo; echo the end";
    let image = ScriptImage::new(&Engine::default(), &base, script);
    let world = world(&Engine::default(), &image.name, &[]).await;
    let report = finish(&world, &job()).await;
    assert_eq!(report["reason"], "completed", "{}", report["reason"]);
    let tail = report["log_tail"].as_str().unwrap();
    assert!(tail.len() <= 16 * 1024 && tail.trim_end().ends_with("the end"), "{} bytes", tail.len());
}

#[tokio::test]
async fn an_image_that_can_not_be_pulled_is_tried_three_times_and_then_rests() {
    if base_image().is_none() {
        return;
    }
    let image = "127.0.0.1:9/terarchitect/no-such-image:1";
    let world = world(&Engine::default(), image, &[]).await;
    let report = finish(&world, &job()).await;
    assert_eq!(report["reason"], "image_unavailable", "{report}");
    assert!(world.shared.images.rests(image), "jobs that need it are not claimed for a while");
}

#[tokio::test]
async fn a_container_that_is_removed_by_hand_is_noticed_at_once() {
    let Some(base) = base_image() else { return };
    let image = ScriptImage::new(&Engine::default(), &base, "sleep 600");
    let world = world(&Engine::default(), &image.name, &[]).await;
    let job = job();
    let name = Attempt::of(&job).container_name();
    let docker = Engine::default();
    let mut started = Engine::default().container_starts(&name);
    let removing = tokio::task::spawn_blocking(move || {
        started.wait_for_one();
        let inspected = docker.docker().args(["inspect", &name]).output().unwrap();
        assert!(inspected.status.success(), "{}", String::from_utf8_lossy(&inspected.stderr));
        let inspected = String::from_utf8_lossy(&inspected.stdout).into_owned();
        assert!(!inspected.contains("secret-of-the-job"), "inspect shows a secret");
        docker.docker().args(["rm", "-f", &name]).output().unwrap()
    });
    let report = finish(&world, &job).await;
    removing.await.unwrap();
    assert_eq!(report["reason"], "container_lost", "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_that_the_machine_kills_is_said_to_be_killed_by_the_machine() {
    let Some(base) = base_image() else { return };
    let image = ScriptImage::new(&Engine::default(), &base, "sleep 600");
    let (world, job) = (world(&Engine::default(), &image.name, &[]).await, job());
    let report = finish_meanwhile(&world, &Engine::default(), &job, || {
        // As the kernel does where the machine, and not the container, has no memory left: the engine sees no reason.
        let name = Attempt::of(&job).container_name();
        let inspected = Engine::default().docker().args(["inspect", "-f", "{{.State.Pid}}", &name]).output().unwrap();
        let init = String::from_utf8(inspected.stdout).unwrap().trim().to_owned();
        let runner = loop {
            let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
            if let Some(child) = children.split_whitespace().next() {
                break child.parse().unwrap();
            }
        };
        kill_process(Pid::from_raw(runner).unwrap(), Signal::KILL).unwrap();
    })
    .await;
    assert_eq!((&report["reason"], &report["oom_killed"]), (&json!("engine_restart"), &json!(false)), "{report}");
    assert!(report["detail"].as_str().unwrap().contains("when the machine has no memory left"), "{report}");
}

#[tokio::test]
async fn an_image_whose_entrypoint_does_not_run_is_named_as_the_cause() {
    let Some(base) = base_image() else { return };
    for (lines, why) in [
        ("ENTRYPOINT [\"/no/such/runner\"]", "its program was not found (exit code 127)"),
        ("RUN touch /runner\nENTRYPOINT [\"/runner\"]", "its program can't be executed (exit code 126)"),
    ] {
        let image = ScriptImage::with(&Engine::default(), &base, lines);
        let world = world(&Engine::default(), &image.name, &[]).await;
        let report = finish(&world, &job()).await;
        assert_eq!(report["reason"], "engine_error", "{report}");
        let detail = report["detail"].as_str().unwrap();
        assert!(detail.contains(why) && detail.contains("check the image's entrypoint"), "{detail}");
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_taken_over_from_an_earlier_call_and_from_nobody_else() {
    let Some(base) = base_image() else { return };
    let image = ScriptImage::new(&Engine::default(), &base, "true");
    let world = world(&Engine::default(), &image.name, &[]).await;
    // The response to the first call was lost.
    let job = job();
    let spec = container_spec(&job, &world.shared.config, world.shared.state.coordinator());
    assert!(matches!(world.shared.engine.create(&spec).await.unwrap(), Created::New(_)));
    assert!(matches!(world.shared.engine.create(&spec).await.unwrap(), Created::Existing(_)));
    assert_eq!(finish(&world, &job).await["reason"], "completed");

    // A person's container, with labels as odd as an engine takes them.
    let job = crate::job();
    let name = Attempt::of(&job).container_name();
    let odd = "io.terarchitect.job-id=a=b,c\n\"}] ü";
    let create = ["create", "--name", &name, "--label", odd, &image.name];
    let created = Engine::default().docker().args(create).output().unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let spec = container_spec(&job, &world.shared.config, world.shared.state.coordinator());
    assert!(matches!(world.shared.engine.create(&spec).await, Err(EngineError::NameTaken { .. })));
    let report = finish(&world, &job).await;
    assert_eq!(report["reason"], "engine_error", "{report}");
    assert!(report["detail"].as_str().unwrap().contains("rename or remove it"), "{report}");
    let removed = Engine::default().docker().args(["rm", &name]).output().unwrap();
    assert!(removed.status.success(), "the person's container is gone");
}

#[tokio::test]
async fn a_container_of_a_committed_image_is_nobodys_attempt() {
    let Some(base) = base_image() else { return };
    let image = ScriptImage::new(&Engine::default(), &base, "true");
    let world = world(&Engine::default(), &image.name, &[]).await;
    let job = job();
    let (coordinator, docker) = (world.shared.state.coordinator(), || Engine::default().docker());
    let spec = container_spec(&job, &world.shared.config, coordinator);
    let Created::New(id) = world.shared.engine.create(&spec).await.unwrap() else { panic!("it is new") };
    // What a person does who looks into a failed job.
    let copy = format!("{}-copy", image.name);
    assert!(docker().args(["commit", &id, &copy]).output().unwrap().status.success());
    world.shared.engine.remove(&id).await.unwrap();
    let name = format!("look-{}", uuid::Uuid::new_v4().simple());
    assert!(docker().args(["create", "--name", &name, &copy]).output().unwrap().status.success());
    let found = world.shared.engine.list_own(coordinator).await.unwrap();
    let attempts: Vec<_> =
        found.iter().map(|found| (Attempt::from_labels(&found.labels), Attempt::of_container(found))).collect();
    for command in [["rm", name.as_str()], ["rmi", copy.as_str()]] {
        assert!(docker().args(command).output().unwrap().status.success());
    }
    assert_eq!(attempts, [(Some(Attempt::of(&job)), None)], "the labels alone say that it is one");
}
