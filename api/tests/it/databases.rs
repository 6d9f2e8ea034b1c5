//! Databases that are not quite what one hopes for: read-only after a failover, behind a pooler, at a wrong address.

use crate::program::{Api, command, data_dir};
use crate::support::TestApp;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use terarchitect_testbed::postgres::TestPostgres;
use tokio::process::{Child, Command};

/// While the database is read-only, every change is 503 and says so, and what only reads works. Sessions that began then
/// stay read-only for as long as they live: the API must not use them once changes are possible again.
#[tokio::test]
async fn a_database_that_is_read_only_for_a_while_is_503_and_over_by_itself() {
    let app = TestApp::start().await;
    let postgres = TestPostgres::shared();
    let project = app.project().await;
    let ticket = app.ticket(&project).await;
    let database = &app.database;
    let fail_over = format!(
        "alter database {database} set default_transaction_read_only = on;
         select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"
    );
    postgres.execute("postgres", &fail_over).unwrap();
    let create = async || app.post("/api/projects", json!({"name": "x"})).await;
    let claim = async || app.post("/api/worker/jobs/start", json!({"worker_id": "w"})).await;
    let log = async || app.post(&format!("{ticket}/logs"), json!({"session_id": "s"})).await;
    // Several at once, so that several connections are opened.
    for reply in futures::future::join_all((0..6).map(|_| create())).await {
        assert_says_read_only(reply.status.as_u16(), &reply.body);
    }
    for reply in [claim().await, log().await, app.get("/ready").await] {
        assert_says_read_only(reply.status.as_u16(), &reply.body);
    }
    app.get("/api/projects").await.expect(200);
    app.get("/health").await.expect(200);

    postgres.execute("postgres", &format!("alter database {database} reset default_transaction_read_only")).unwrap();
    for reply in futures::future::join_all((0..6).map(|_| create())).await {
        reply.expect(201);
    }
    log().await.expect(200);
    app.get("/ready").await.expect(200);
    assert_eq!(claim().await.status, 204);
}

#[track_caller]
fn assert_says_read_only(status: u16, body: &Value) {
    assert_eq!((status, body["code"].as_str()), (503, Some("unavailable")), "{body}");
    assert!(body["error"].as_str().unwrap().contains("read-only"), "{body}");
}

/// PgBouncer with its defaults, in front of the tests' Postgres; ended with this.
struct PgBouncer {
    _child: Child,
    dir: tempfile::TempDir,
}

impl PgBouncer {
    async fn start(pool_mode: &str) -> Self {
        let dir = data_dir();
        let path = dir.path().display();
        // Only its socket's name has the port: nothing is listened on.
        let configuration = format!(
            "[databases]\n* = host={} user=postgres\n[pgbouncer]\npool_mode = {pool_mode}\nlisten_port = 6432\n\
             unix_socket_dir = {path}\nauth_type = any\nuser = postgres\nlogfile = {path}/log\n",
            TestPostgres::shared().socket_dir().display()
        );
        let file = dir.path().join("pgbouncer.ini");
        std::fs::write(&file, configuration).unwrap();
        open_to_all(dir.path());
        let mut command = Command::new("pgbouncer");
        // Debian has it where only root's PATH leads.
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        if !rustix::process::geteuid().is_root() {
            std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("user = postgres\nlog", "log"))
                .unwrap();
        }
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().expect("this test needs PgBouncer; install Debian's pgbouncer");
        let socket = dir.path().join(".s.PGSQL.6432");
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            let log = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
            assert!(tokio::time::Instant::now() < deadline, "PgBouncer does not respond: {log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { _child: child, dir }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost:6432/{database}?host={}", self.dir.path().display())
    }
}

/// PgBouncer gives root's rights up, and then writes its log and its socket here.
fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[tokio::test]
async fn pgbouncer_in_session_mode_works_with_its_defaults() {
    let pooler = PgBouncer::start("session").await;
    let (postgres, dir) = (TestPostgres::shared(), data_dir());
    let database = postgres.create_database(None).unwrap();
    let mut program = command(dir.path());
    program.env("DATABASE_URL", pooler.url(&database));
    let api = Api::from(program).await;
    let http = reqwest::Client::new();
    let post = async |path: &str, body: Value| {
        let response = http.post(format!("{}{path}", api.base)).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap_or_default())
    };
    let (_, project) = post("/api/projects", json!({"name": "Demo", "github_url": "https://github.com/demo/a"})).await;
    let id = project["id"].as_str().unwrap();
    // The listener's notifications arrive: the claim waits for a job that comes later.
    let claim = post("/api/worker/jobs/start", json!({"project_id": id, "wait_ms": 25_000}));
    let path = format!("/api/projects/{id}/tickets");
    let ticket = post(&path, json!({"title": "t", "column_id": "in_progress"}));
    let ((status, job), (created, _)) = tokio::join!(claim, ticket);
    assert_eq!((status, created), (200, 201), "{job}");
    // What the API changes is recorded as its own, not as made by hand.
    let events =
        http.get(format!("{}/api/events", api.base)).header("accept", "application/json").send().await.unwrap();
    let events: Value = events.json().await.unwrap();
    let actors = events["events"].as_array().unwrap().iter().map(|event| event["actor"].as_str().unwrap());
    let actors: Vec<_> = actors.collect();
    assert!(actors.len() > 2 && !actors.iter().any(|actor| actor.starts_with("database")), "{events}");
    drop(api);
    drop(pooler);
    postgres.drop_database(&database).unwrap();
}

#[tokio::test]
async fn poolers_that_share_sessions_are_refused_with_one_sentence() {
    let postgres = TestPostgres::shared();
    for mode in ["transaction", "statement"] {
        let pooler = PgBouncer::start(mode).await;
        let database = postgres.create_database(None).unwrap();
        let text = refusal(&pooler.url(&database)).await;
        assert!(text.contains("set pool_mode = session in the pooler"), "{mode}: {text}");
        drop(pooler);
        postgres.drop_database(&database).unwrap();
    }
}

/// What the program prints about this address; it must end by itself, with one line.
async fn refusal(url: &str) -> String {
    let dir = data_dir();
    let output = command(dir.path()).env("DATABASE_URL", url).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[tokio::test]
async fn a_start_that_fails_says_its_cause_once() {
    let socket_dir = TestPostgres::shared().socket_dir().display();
    let nowhere = format!("postgres://postgres@localhost/nowhere?host={socket_dir}");
    for (url, cause) in [
        ("postgres://u:p@name.invalid/db", "failed to lookup address information"),
        ("postgres://u:p@127.0.0.1:1/db", "Connection refused"),
        (&nowhere, "database \"nowhere\" does not exist"),
        ("postgres://u:p@ss/w#rd@host/db", "write / as %2F"),
        ("postgres://u:p/word@host/db", "write / as %2F"),
    ] {
        let text = refusal(url).await;
        assert_eq!(text.matches(cause).count(), 1, "{url}: {text}");
        assert!(!text.contains("rd@host"), "{text}");
    }
}
