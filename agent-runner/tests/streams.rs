//! Standard streams that are closed or full, or whose reader has ended.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

#[test]
fn a_log_that_can_not_be_written_ends_nothing() {
    let id = uuid::Uuid::now_v7().to_string();
    for redirections in ["<&- >&- 2>&-", "2>/dev/full", "2> >(exec 0<&-)"] {
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let script = format!("exec \"$0\" ticket {redirections}");
        let mut runner = Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_agent-runner")])
            .env_clear()
            .env("RUST_LOG", "debug")
            .env("TERARCHITECT_API_URL", format!("http://{}", api.local_addr().unwrap()))
            .env("TERARCHITECT_WORKER_API_KEY", "worker-api-key-0123456789")
            .env("PROJECT_ID", &id)
            .env("TICKET_ID", &id)
            .spawn()
            .unwrap();
        // The call that breaks off is logged, and the next one shows that the program went on.
        let (called, calls) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(api.accept());
            called.send(api.accept()).unwrap();
            std::thread::park();
        });
        let call = calls.recv_timeout(Duration::from_secs(30));
        assert!(call.is_ok(), "{redirections}: {:?}", runner.try_wait());
        kill_process(Pid::from_child(&runner), Signal::TERM).unwrap();
        assert_eq!(runner.wait().unwrap().code(), Some(143), "{redirections}");
    }
}

#[test]
fn secrets_that_a_closed_standard_input_can_not_bring_are_waited_for_no_longer() {
    let ended = Command::new("bash")
        .args(["-c", "exec \"$0\" ticket <&- >&- 2>&-", env!("CARGO_BIN_EXE_agent-runner")])
        .env_clear()
        .env("TERARCHITECT_SECRETS_STDIN", "1")
        .status()
        .unwrap();
    assert_eq!(ended.code(), Some(75));
}
