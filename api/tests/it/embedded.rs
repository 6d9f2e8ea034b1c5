//! The program itself with its private Postgres: first start, SIGKILL, start again on the same data, orderly end.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

struct Api {
    child: Child,
    base: String,
}

fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terarchitect-api"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("TERARCHITECT_DATA_DIR", data_dir).env("TERARCHITECT_LISTEN", "127.0.0.1:0");
    command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl Api {
    /// Starts it and waits for the log line with its address.
    async fn start(data_dir: &Path) -> Self {
        Self::from(command(data_dir)).await
    }

    async fn from(mut command: Command) -> Self {
        let mut child = command.env("LOG_FORMAT", "json").spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = entry["address"].as_str() {
                let base = format!("http://{address}");
                // Keep reading, so that the pipe never fills up.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Self { child, base };
            }
            seen.push(line);
        }
        panic!("the API ended: {}", seen.join("\n"));
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

/// A directory that the user of the private Postgres can reach, also when the tests run as root.
fn data_dir() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

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

#[tokio::test]
async fn a_private_database_moves_by_backup_and_restore() {
    let (old, new) = (data_dir(), data_dir());
    let mut api = Api::start(old.path()).await;
    let http = reqwest::Client::new();
    http.post(format!("{}/api/projects", api.base)).json(&json!({"name": "moved"})).send().await.unwrap();
    http.put(format!("{}/api/settings", api.base)).json(&json!({"AGENT_API_KEY": "k"})).send().await.unwrap();
    let file = old.path().join("backup");
    // While the API runs, through its own Postgres.
    let mut save = command(old.path());
    save.args(["backup", "--with-key"]).arg(&file).env("TERARCHITECT_BACKUP_PASSPHRASE", "w");
    let saved = save.output().await.unwrap();
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    let busy = command(old.path()).args(["restore", "--replace"]).arg(&file).output().await.unwrap();
    assert!(String::from_utf8_lossy(&busy.stderr).contains("another terarchitect-api uses the data directory"));
    api.signal(Signal::TERM);
    api.child.wait().await.unwrap();

    let mut load = command(new.path());
    load.arg("restore").arg(&file).env("TERARCHITECT_BACKUP_PASSPHRASE", "w");
    let loaded = load.output().await.unwrap();
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    assert!(!new.path().join("postgres/data/postmaster.pid").exists());
    let mut api = Api::start(new.path()).await;
    let projects: Value = http.get(format!("{}/api/projects", api.base)).send().await.unwrap().json().await.unwrap();
    assert_eq!(projects[0]["name"], "moved");
    api.signal(Signal::TERM);
    api.child.wait().await.unwrap();
}

#[tokio::test]
async fn a_private_database_of_another_major_says_how_it_moves() {
    let dir = data_dir();
    let data = dir.path().join("postgres/data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    for arguments in [&["serve"][..], &["backup", "-"]] {
        let output = command(dir.path()).args(arguments).env("RUST_LOG", "off").output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("created with Postgres 9, which is not installed"), "{text}");
        assert!(
            text.contains("terarchitect-api backup FILE") && text.contains("terarchitect-api restore FILE"),
            "{text}"
        );
    }
}
