//! The program itself with its private Postgres: first start, SIGKILL, start again on the same data, orderly end.

use crate::program::{Api, command, data_dir};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use terarchitect_testbed::small_disk::SmallDisk;

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

/// Ends the program in an orderly way, and with it the private Postgres.
async fn end(mut api: Api) {
    api.signal(Signal::TERM);
    let ended = tokio::time::timeout(Duration::from_secs(60), api.child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}

async fn ready(api: &Api) -> (u16, String) {
    let response = reqwest::get(format!("{}/ready", api.base)).await.unwrap();
    let status = response.status().as_u16();
    (status, response.json::<Value>().await.unwrap()["error"].as_str().unwrap_or_default().to_owned())
}

async fn create_note(api: &Api, project: &str, content: &str) -> (u16, Value) {
    let path = format!("{}/api/projects/{project}/notes", api.base);
    let response = reqwest::Client::new().post(path).json(&json!({"content": content})).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Waits until this is true, up to a time limit.
async fn eventually(what: &str, so: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !so().await {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn create_project(api: &Api) -> String {
    let request = reqwest::Client::new().post(format!("{}/api/projects", api.base)).json(&json!({"name": "kept"}));
    let project: Value = request.send().await.unwrap().json().await.unwrap();
    project["id"].as_str().unwrap().to_owned()
}

/// After a crash of the machine, another process of the same user may have the number that is in the lock files. Postgres
/// by itself would not start for as long as that one lives.
#[tokio::test]
async fn a_lock_file_with_the_number_of_another_process_is_released() {
    use std::os::unix::fs::MetadataExt;
    let dir = data_dir();
    let mut api = Api::start(dir.path()).await;
    api.signal(Signal::KILL);
    api.child.wait().await.unwrap();
    let (postgres, data) = (dir.path().join("postgres"), dir.path().join("postgres/data"));
    let orphan = rustix::process::Pid::from_raw(postgres_pid(dir.path())).unwrap();
    let handle = rustix::process::pidfd_open(orphan, rustix::process::PidfdFlags::empty()).unwrap();
    rustix::process::kill_process(orphan, Signal::KILL).unwrap();
    tokio::task::spawn_blocking(move || {
        let mut wait = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut wait, None).unwrap();
    })
    .await
    .unwrap();
    let owner = std::fs::metadata(&data).unwrap();
    let mut other = std::process::Command::new("sleep");
    other.arg("1000").current_dir("/");
    if rustix::process::geteuid().is_root() {
        use std::os::unix::process::CommandExt;
        other.uid(owner.uid()).gid(owner.gid());
    }
    let mut other = other.spawn().unwrap();
    for lock in [data.join("postmaster.pid"), postgres.join("run/.s.PGSQL.5432.lock")] {
        let text = std::fs::read_to_string(&lock).unwrap();
        std::fs::write(&lock, text.replacen(&orphan.as_raw_nonzero().to_string(), &other.id().to_string(), 1)).unwrap();
    }
    let api = Api::start(dir.path()).await;
    assert_eq!(ready(&api).await.0, 200);
    assert!(other.try_wait().unwrap().is_none(), "the other process is left alone");
    other.kill().unwrap();
    other.wait().unwrap();
    end(api).await;
}

/// However long its configuration is missing, it goes on as soon as that is back.
#[tokio::test]
async fn postgres_without_its_configuration_is_restarted_until_it_is_back() {
    let dir = data_dir();
    let api = Api::start(dir.path()).await;
    let project = create_project(&api).await;
    let (file, log) = (dir.path().join("postgres/data/postgresql.conf"), dir.path().join("postgres/postgres.log"));
    std::fs::rename(&file, file.with_extension("away")).unwrap();
    let postmaster = rustix::process::Pid::from_raw(postgres_pid(dir.path())).unwrap();
    rustix::process::kill_process(postmaster, Signal::QUIT).unwrap();
    let failures =
        || std::fs::read_to_string(&log).unwrap().matches("could not access the server configuration").count();
    eventually("it is restarted again and again", async || failures() >= 6).await;
    let (status, sentence) = ready(&api).await;
    assert_eq!(status, 503);
    assert!(sentence.contains("can't read its configuration"), "{sentence}");

    std::fs::rename(file.with_extension("away"), &file).unwrap();
    eventually("it is ready again", async || ready(&api).await.0 == 200).await;
    assert_eq!(create_note(&api, &project, "x").await.0, 201);
    end(api).await;
}

/// A full disk is 503 and no error of ours; what was stored stays, and everything goes on once there is space.
#[tokio::test]
async fn a_full_disk_is_503_and_over_by_itself() {
    let Some(disk) = SmallDisk::new(256).unwrap() else { return };
    let dir = disk.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    let api = Api::start(&dir).await;
    let project = create_project(&api).await;
    let fill = disk.fill().unwrap();
    // What Postgres has reserved before is used first.
    let text = || (0..8_000).map(|_| uuid::Uuid::new_v4().to_string()).collect::<String>();
    let mut stored = 0;
    loop {
        let (status, body) = create_note(&api, &project, &text()).await;
        if status != 201 {
            assert_eq!((status, &body["code"]), (503, &json!("unavailable")), "{body}");
            break;
        }
        stored += 1;
        assert!(stored < 1_000, "the disk does not become full");
    }
    for _ in 0..5 {
        assert_eq!(create_note(&api, &project, &text()).await.0, 503);
    }
    let (status, sentence) = ready(&api).await;
    assert_eq!(status, 503);
    assert!(sentence.contains("disk of the private Postgres is full"), "{sentence}");

    std::fs::remove_file(fill).unwrap();
    eventually("it is ready again", async || ready(&api).await.0 == 200).await;
    eventually("changes are stored", async || create_note(&api, &project, "x").await.0 == 201).await;
    let notes: Value =
        reqwest::get(format!("{}/api/projects/{project}/notes", api.base)).await.unwrap().json().await.unwrap();
    assert!(notes.as_array().unwrap().len() > stored, "{stored}");
    end(api).await;
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
