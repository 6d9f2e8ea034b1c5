//! What the program itself says, at a start and with `doctor`, about a `DOCKER_HOST` that leads to no engine.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

/// Runs the program with this `DOCKER_HOST`; returns its exit code, and all that it said.
fn run(command: &str, host: &str, state: &Path) -> (Option<i32>, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_terarchitect-coordinator"))
        .arg(command)
        .env_clear()
        .env("HOME", state)
        .env("XDG_RUNTIME_DIR", state)
        .env("DOCKER_HOST", host)
        .env("TERARCHITECT_API_URL", "http://127.0.0.1:9")
        .env("COORDINATOR_STATE_DIR", state)
        .env("COORDINATOR_ENGINE_TIMEOUT_SEC", "1")
        .output()
        .unwrap();
    (ran.status.code(), String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned())
}

/// Both must say the same.
fn says(host: &str, code: i32, sentence: &str) {
    let state = tempfile::tempdir().unwrap();
    for command in ["run", "doctor"] {
        let (exit, said) = run(command, host, state.path());
        assert!(said.contains(sentence), "{command} with {host}: {said}");
        assert_eq!(exit, Some(code), "{command} with {host}: {said}");
    }
}

#[test]
fn an_address_that_is_not_supported_is_a_mistake_of_the_configuration() {
    says("ssh://build.example", 2, "engines are not reached through ssh here; run the coordinator on that machine");
    says(
        "/run/docker.sock",
        2,
        "DOCKER_HOST is '/run/docker.sock', a path without a scheme; set it to unix:///run/docker.sock",
    );
}

#[test]
fn a_socket_that_leads_nowhere_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let host = |name: &str| format!("unix://{}", path(name).display());
    says(
        &host("missing.sock"),
        1,
        &format!("there is no Docker engine at {}; start it", path("missing.sock").display()),
    );
    std::fs::write(path("file"), "").unwrap();
    says(&host("file"), 1, "/file is not a socket; set DOCKER_HOST to the Docker engine's socket");
    says(&host("file/docker.sock"), 1, "/file/docker.sock is not a socket");
    drop(UnixListener::bind(path("left.sock")).unwrap());
    says(&host("left.sock"), 1, "left.sock; start it (sudo systemctl start docker)");
}

#[test]
fn an_engine_that_accepts_connections_and_says_nothing_is_told_from_one_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    // Nothing accepts, so that connections wait in the kernel: the same to a client as a program that hangs.
    let _silent = UnixListener::bind(&socket).unwrap();
    let sentence =
        "accepts connections, but did not respond within 1 seconds; restart it (sudo systemctl restart docker)";
    says(&format!("unix://{}", socket.display()), 1, sentence);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    says(&format!("tcp://{}", silent.local_addr().unwrap()), 1, sentence);
    let address = silent.local_addr().unwrap();
    drop(silent);
    says(&format!("tcp://{address}"), 1, &format!("could not connect to the Docker engine at tcp://{address}"));
}

#[test]
fn a_rootless_engine_is_suggested_where_there_is_one() {
    let state = tempfile::tempdir().unwrap();
    let rootless = state.path().join("docker.sock");
    // The socket of a rootless engine, found through XDG_RUNTIME_DIR; the usual one may exist on this machine too.
    let _silent = UnixListener::bind(&rootless).unwrap();
    let (_, said) = run("doctor", &format!("unix://{}/missing.sock", state.path().display()), state.path());
    let usual = Path::new("/var/run/docker.sock");
    let found = if usual.exists() { usual } else { &rootless };
    assert!(said.contains(&format!("to its socket, which may be unix://{}", found.display())), "{said}");
}
