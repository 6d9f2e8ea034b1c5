//! Standard streams that are closed or full, or whose reader has ended.

use crate::base_image;
use std::process::{Command, ExitStatus};
use terarchitect_testbed::api::ApiServer;

/// Runs the program to its end as a shell starts it with these redirections.
fn run_once(api: &str, redirections: &str) -> ExitStatus {
    let state = tempfile::tempdir().unwrap();
    let script = format!("exec \"$0\" run-once --wait-sec 1 {redirections}");
    Command::new("bash")
        .args(["-c", &script, env!("CARGO_BIN_EXE_terarchitect-coordinator")])
        .env_clear()
        .env("TERARCHITECT_API_URL", api)
        .env("COORDINATOR_STATE_DIR", state.path())
        .status()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_can_not_be_written_ends_nothing() {
    if base_image().is_none() {
        return;
    }
    let api = ApiServer::start().await.unwrap();
    let url = api.url();
    tokio::task::block_in_place(|| {
        for redirections in ["<&- >&- 2>&-", "2>/dev/full", "2> >(exec 0<&-)"] {
            assert_eq!(run_once(&url, redirections).code(), Some(0), "{redirections}");
        }
    });
}
