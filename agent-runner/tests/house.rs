//! The floors of the runner: an arrow that points up fails, and so does a file that reaches around its floor.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use terarchitect_testbed::house::House;

const HOUSE: House = House {
    folder: env!("CARGO_MANIFEST_DIR"),
    floors: &[
        &["main", "lib"],
        &["attempt"],
        &["proof"],
        &["stdin_secrets", "director", "progress"],
        &["config"],
        &["agent"],
        &["gateway"],
        &["git", "cancel", "report", "prompts", "probe", "cli", "open_files", "points", "printed", "review"],
        &["instructions", "stuck", "wire"],
    ],
    reaches_around: &[
        ("attempt", &["git2", "reqwest", "tokio::process"]),
        ("director", &["git2", "std::process", "tokio::process"]),
        ("agent", &["git2"]),
        ("git", &["reqwest", "std::process", "tokio::process"]),
        ("config", &["git2", "reqwest"]),
        ("prompts", &["tokio", "reqwest"]),
        ("stuck", &["git2", "reqwest", "tokio", "std::fs", "std::process", "std::time"]),
        ("gateway", &["git2", "std::process", "tokio::process"]),
        ("probe", &["git2", "std::process", "tokio::process"]),
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
