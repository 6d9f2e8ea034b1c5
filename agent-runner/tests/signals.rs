//! The exit code of an attempt that a signal ended: TERM comes from the machine, INT from a person.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// Ends an attempt with this signal while it waits for the API, and returns the exit code.
fn ended_by(signal: Signal) -> Option<i32> {
    // An API that accepts the call and never responds.
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let id = uuid::Uuid::now_v7().to_string();
    let mut runner = Command::new(env!("CARGO_BIN_EXE_agent-runner"))
        .arg("ticket")
        .env_clear()
        .env("TERARCHITECT_API_URL", format!("http://{}", api.local_addr().unwrap()))
        .env("TERARCHITECT_WORKER_API_KEY", "worker-api-key-0123456789")
        .env("PROJECT_ID", &id)
        .env("TICKET_ID", &id)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _call = api.accept().unwrap();
    kill_process(Pid::from_child(&runner), signal).unwrap();
    runner.wait().unwrap().code()
}

#[test]
fn a_machine_that_goes_down_does_not_cancel_the_ticket() {
    assert_eq!(ended_by(Signal::TERM), Some(143));
    assert_eq!(ended_by(Signal::INT), Some(130));
}
