//! The floors of the API: an arrow that points up fails, and so does a file that reaches around its floor.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use terarchitect_testbed::house::House;

const HOUSE: House = House {
    folder: env!("CARGO_MANIFEST_DIR"),
    floors: &[
        &["main", "lib"],
        &["admin", "check_db", "webhooks"],
        &["backup"],
        &["server"],
        &["serving"],
        &["app"],
        &["routes", "background"],
        &["access"],
        &["http"],
        &["state"],
        &["queue", "forges"],
        &["actions"],
        &["changes"],
        &["metrics", "oidc"],
        &["db"],
        &["document_errors"],
        &["domain"],
        &["job_tokens", "random_token", "passwords", "probing", "embeddings"],
        &["sealing", "database_address", "embedded_postgres", "origins"],
        &["config"],
    ],
    reaches_around: &[
        ("routes", &["sqlx::query", ".begin()", ".change(", "pool()"]),
        ("background", &["sqlx::query"]),
        ("backup", &["sqlx::query", "axum"]),
        ("admin", &["sqlx::query", "axum"]),
        ("webhooks", &["sqlx::query", "axum"]),
        ("check_db", &["sqlx::query", "axum"]),
        ("access", &["sqlx::"]),
        ("actions", &["sqlx::query", "axum", "http::"]),
        ("changes", &["sqlx::query", "axum"]),
        ("queue", &["sqlx::query", "axum"]),
        ("forges", &["sqlx::query", "axum"]),
        ("db", &["axum", "http::"]),
        ("domain", &["sqlx", "axum", "tokio", "http::", "reqwest"]),
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
