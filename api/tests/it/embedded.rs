//! The program itself with its private Postgres: first start, SIGKILL, start again on the same data, orderly end.

use crate::program::{Api, command, data_dir};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

fn postgres_pid(data_dir: &Path) -> i32 {
    let text = std::fs::read_to_string(data_dir.join("postgres/data/postmaster.pid")).unwrap();
    text.lines().next().unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn data_survives_sigkill_and_an_orderly_end_leaves_nothing_running() {
    let dir = data_dir();
    let mut api = Api::start(dir.path()).await;
    let http = reqwest::Client::new();
    http.post(format!("{}/api/projects", api.base)).json(&json!({"name": "kept"})).send().await.unwrap();
    api.signal(Signal::KILL);
    api.child.wait().await.unwrap();
    let orphan = postgres_pid(dir.path());

    let mut api = Api::start(dir.path()).await;
    assert_ne!(postgres_pid(dir.path()), orphan);
    let projects: Value = http.get(format!("{}/api/projects", api.base)).send().await.unwrap().json().await.unwrap();
    assert_eq!(projects[0]["name"], "kept");

    let second = command(dir.path()).output().await.unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another terarchitect-api uses the data directory"));

    api.signal(Signal::TERM);
    let ended = tokio::time::timeout(Duration::from_secs(60), api.child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(!dir.path().join("postgres/data/postmaster.pid").exists());
}

#[tokio::test]
async fn a_wrong_configuration_is_one_sentence() {
    let dir = data_dir();
    for (name, value, says) in [
        ("TERARCHITECT_LISTEN", "nonsense", "is not an address with a port"),
        ("TERARCHITECT_LISTEN", "0.0.0.0:0", "refusing to listen on"),
        ("DATABASE_URL", "mysql://x", "DATABASE_URL is not an address"),
        ("TERARCHITECT_SECRET_KEY", "short", "openssl rand -hex 32"),
    ] {
        let output = command(dir.path()).env(name, value).env("RUST_LOG", "off").output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(says), "{name}={value}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!output.status.success());
    }
}

#[tokio::test]
async fn two_replicas_that_start_at_once_on_a_new_database_both_serve() {
    let postgres = terarchitect_testbed::postgres::TestPostgres::shared();
    let database = postgres.create_database(None).unwrap();
    let (one, two) = (data_dir(), data_dir());
    let url = postgres.url(&database);
    let key = "00".repeat(32);
    let start = async |dir: &Path| {
        let mut command = command(dir);
        command.env("DATABASE_URL", &url).env("TERARCHITECT_SECRET_KEY", &key);
        Api::from(command).await
    };
    let (mut one, mut two) = tokio::join!(start(one.path()), start(two.path()));
    for api in [&mut one, &mut two] {
        let ready = reqwest::get(format!("{}/ready", api.base)).await.unwrap();
        assert_eq!(ready.status(), 200);
        api.signal(Signal::TERM);
        let ended = tokio::time::timeout(Duration::from_secs(60), api.child.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(0));
    }
    postgres.drop_database(&database).unwrap();
}
