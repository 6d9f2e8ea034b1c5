//! What surrounds the program: its environment, its user, its umask, the reader of its output. docs/attacks.md names the
//! reports.

use crate::program::{Api, command, data_dir};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use terarchitect_testbed::postgres::TestPostgres;
use tokio::io::AsyncReadExt;
use tokio::process::Child;

const LIMIT: Duration = Duration::from_secs(60);

async fn term(child: &mut Child) -> Option<i32> {
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    tokio::time::timeout(LIMIT, child.wait()).await.unwrap().unwrap().code()
}

async fn failure(mut program: tokio::process::Command) -> String {
    let output = tokio::time::timeout(LIMIT, program.env("RUST_LOG", "off").output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), text.lines().count()), (Some(1), 1), "{text}");
    text
}

/// They are about another server.
#[tokio::test]
async fn variables_of_other_servers_do_not_mislead_the_private_postgres() {
    let dir = data_dir();
    let mut program = command(dir.path());
    for (name, value) in [
        ("PGHOST", "192.0.2.1"),
        ("PGHOSTADDR", "192.0.2.1"),
        ("PGPORT", "5433"),
        ("PGUSER", "other"),
        ("PGPASSWORD", "other"),
        ("PGDATABASE", "other"),
        ("PGSERVICE", "other"),
        ("PGSSLMODE", "verify-full"),
        ("PGSSLROOTCERT", "/nowhere"),
        ("PGDATA", "/nowhere"),
    ] {
        program.env(name, value);
    }
    let mut api = tokio::time::timeout(LIMIT, Api::from(program)).await.unwrap();
    assert_eq!(reqwest::get(format!("{}/ready", api.base)).await.unwrap().status(), 200);
    assert_eq!(term(&mut api.child).await, Some(0));
}

#[tokio::test]
async fn pgoptions_are_refused_with_what_to_do() {
    let dir = data_dir();
    let mut program = command(dir.path());
    program.env("PGOPTIONS", "-c default_transaction_read_only=on");
    let text = failure(program).await;
    assert!(text.contains("unset it for the API"), "{text}");
    assert!(!dir.path().join("postgres/data").exists());
}

/// Programs that are called like those of Postgres, of a version that is newer than all, and that never respond.
fn silent_postgres(dir: &Path) {
    let script = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("initdb", "mkdir -m 700 \"$2\"");
    script(
        "postgres",
        "if [ \"$1\" = --version ]; then echo 'postgres (PostgreSQL) 999.0'; exit; fi\necho \"started $$\" >&2\nexec sleep 1000",
    );
}

#[tokio::test]
async fn term_ends_a_start_whose_postgres_does_not_respond() {
    let (dir, binaries) = (data_dir(), data_dir());
    silent_postgres(binaries.path());
    let mut program = command(dir.path());
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = program.env("PATH", format!("{}:{path}", binaries.path().display())).spawn().unwrap();
    let log = dir.path().join("postgres/postgres.log");
    let deadline = tokio::time::Instant::now() + LIMIT;
    let postgres = loop {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        if let Some(pid) = text.strip_prefix("started ").and_then(|rest| rest.strip_suffix('\n')) {
            break pid.parse().unwrap();
        }
        assert!(tokio::time::Instant::now() < deadline, "Postgres was not started: {text}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(term(&mut child).await, Some(0));
    let left = rustix::process::test_kill_process(Pid::from_raw(postgres).unwrap());
    assert!(left.is_err(), "the process is left");
}

/// As in a container that runs under a random number.
#[tokio::test]
async fn a_user_without_a_name_is_told_what_initdb_needs() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = data_dir();
    std::os::unix::fs::chown(dir.path(), Some(54_321), Some(0)).unwrap();
    let mut program = command(dir.path());
    program.uid(54_321).gid(0);
    let text = failure(program).await;
    assert!(text.contains("a name for the user number 54321") && text.contains("/etc/passwd"), "{text}");
}

#[tokio::test]
async fn without_a_umask_nothing_is_open_to_others() {
    let parent = data_dir();
    let dir = parent.path().join("a/b");
    let program = command(&dir);
    let mut shell = tokio::process::Command::new("/bin/sh");
    shell.args(["-c", "umask 000; exec \"$0\""]).arg(program.as_std().get_program()).env_clear();
    shell.envs(program.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("TERARCHITECT_READY_FILE", parent.path().join("ready"));
    shell.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut api = Api::from(shell).await;
    // It is written right after the line with the address.
    let written = async {
        while !parent.path().join("ready").exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), written).await.unwrap();
    let files = ["a", "a/b", "a/b/api.lock", "a/b/secret.key", "a/b/postgres", "a/b/postgres/postgres.log", "ready"];
    for file in files {
        let mode = std::fs::metadata(parent.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o022, 0, "{file} has the mode {mode:o}");
    }
    assert_eq!(term(&mut api.child).await, Some(0));
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = data_dir();
    let mut child = command(dir.path()).arg("openapi").stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = child.stdout.take().unwrap();
    assert_eq!(reader.read_u8().await.unwrap(), b'{');
    drop(reader);
    let output = child.wait_with_output().await.unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

/// Over a socket's folder in both spellings, and over IPv6.
#[tokio::test]
async fn addresses_of_every_kind_lead_to_the_database() {
    let socket_dir = TestPostgres::shared().socket_dir().display().to_string();
    let postgres = TestPostgres::shared();
    let encoded = socket_dir.replace('/', "%2F");
    for url in [
        format!("postgres://postgres@{encoded}/DB"),
        format!("postgres://postgres@{encoded}/DB?sslmode=disable"),
        format!("postgres:///DB?host={socket_dir}&user=postgres"),
    ] {
        let (dir, database) = (data_dir(), postgres.create_database(None).unwrap());
        let mut program = command(dir.path());
        program.env("DATABASE_URL", url.replace("DB", &database));
        let mut api = Api::from(program).await;
        assert_eq!(term(&mut api.child).await, Some(0), "{url}");
        postgres.drop_database(&database).unwrap();
    }
    // Nothing listens there; the address itself is understood.
    for (url, code, says) in [
        ("postgres://u@[::1]:1/db", 1, "Connection refused"),
        ("postgres://u@127.0.0.1:1/db?sslmode=on", 2, "sslmode has to be"),
        ("postgres://u@one,two/db", 2, "names several hosts"),
        ("postgres://u@/run/postgresql/db", 2, "?host=/run/postgresql"),
    ] {
        let dir = data_dir();
        let output = command(dir.path()).env("DATABASE_URL", url).output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{url}: {text}");
        assert!(text.contains(says), "{url}: {text}");
    }
}
