//! Faults of a job's own container, on the machine's engine.

use crate::{Engine, ScriptImage, base_image, finish, job, world};
use serde_json::json;
use terarchitect_coordinator::attempt::Attempt;

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
