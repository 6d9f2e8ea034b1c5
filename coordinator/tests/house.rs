//! The floors of the coordinator: an arrow that points up fails, and so does a file that reaches around its floor.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use terarchitect_testbed::house::House;

const HOUSE: House = House {
    folder: env!("CARGO_MANIFEST_DIR"),
    floors: &[
        &["main", "lib"],
        &["service"],
        &["doctor"],
        &["heartbeat", "readiness", "claims"],
        &["disk"],
        &["job"],
        &["warm"],
        &["images", "state_dir"],
        &["attempt"],
        &["engine"],
        &["metrics", "deadline", "host"],
        &["config"],
        &["docker_host", "proxies"],
        &["cli"],
        &["variables"],
    ],
    reaches_around: &[
        ("service", &["bollard", "reqwest"]),
        ("job", &["bollard", "reqwest", "std::fs", "tokio::fs"]),
        ("engine", &["WorkerClient"]),
        ("state_dir", &["bollard", "reqwest"]),
        ("config", &["bollard", "reqwest"]),
    ],
};

#[test]
fn no_arrow_points_up() {
    let wrong = HOUSE.arrows_that_point_up().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_reaches_around_its_floor() {
    let wrong = HOUSE.files_that_reach_around().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
